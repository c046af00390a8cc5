//! The colours of a part of a picture: a mixture of Gaussians.

use libm::log;

/// Gaussians of a mixture at most, as in GrabCut.
const MAX_PARTS: usize = 5;
/// Colours that a Gaussian is made of at least.
const MIN_COLOURS: usize = 12;

pub(super) type Colour = [f32; 3];

/// A mixture of Gaussians in RGB.
#[derive(Debug)]
pub(super) struct Mixture(Vec<Gaussian>);

#[derive(Debug)]
struct Gaussian {
    mean: [f64; 3],
    /// The inverse covariance: xx, xy, xz, yy, yz, zz.
    inverse: [f64; 6],
    /// −ln of its share and of its density at the mean, without what is the same for all.
    cost: f64,
}

impl Mixture {
    /// Of these colours; `spread` is the standard deviation in levels that is added in every
    /// direction, for noise and for shades that were not shown. Empty without colours.
    ///
    /// The clusters come from splitting the one that spreads most along a colour axis at its mean.
    pub(super) fn of(colours: Vec<Colour>, spread: f64) -> Self {
        let total = colours.len() as f64;
        let mut clusters = vec![colours];
        while clusters.len() < MAX_PARTS {
            let widest = clusters
                .iter()
                .enumerate()
                .map(|(place, cluster)| (place, widest_axis(cluster)))
                .filter(|&(place, (_, sum))| {
                    clusters[place].len() >= 2 * MIN_COLOURS
                        && sum > spread * spread * clusters[place].len() as f64
                })
                .max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b));
            let Some((place, (axis, _))) = widest else {
                break;
            };
            let cluster = clusters.swap_remove(place);
            let middle = mean(&cluster)[axis];
            let (low, high) = cluster
                .into_iter()
                .partition(|colour| f64::from(colour[axis]) < middle);
            clusters.extend([low, high]);
        }
        let parts = clusters.iter().filter(|cluster| !cluster.is_empty());
        Self(
            parts
                .map(|cluster| Gaussian::of(cluster, spread, total))
                .collect(),
        )
    }

    /// How little a colour fits: −ln of the density of the Gaussian that fits best.
    pub(super) fn cost(&self, colour: Colour) -> f64 {
        (self.0.iter().map(|part| part.cost(colour))).fold(f64::INFINITY, f64::min)
    }
}

fn mean(colours: &[Colour]) -> [f64; 3] {
    [0, 1, 2].map(|c| {
        let sum: f64 = colours.iter().map(|colour| f64::from(colour[c])).sum();
        sum / colours.len() as f64
    })
}

/// The axis along which colours spread most, and the sum of their squared distances from the mean
/// along it.
fn widest_axis(colours: &[Colour]) -> (usize, f64) {
    let mean = mean(colours);
    let spread = |c: usize| {
        let squares = colours
            .iter()
            .map(|colour| (f64::from(colour[c]) - mean[c]).powi(2));
        (c, squares.sum::<f64>())
    };
    (0..3)
        .map(spread)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap_or((0, 0.0))
}

impl Gaussian {
    fn of(colours: &[Colour], spread: f64, total: f64) -> Self {
        let mean = mean(colours);
        let count = colours.len() as f64;
        let covariance = |a: usize, b: usize| {
            let product = |colour: &Colour| {
                (f64::from(colour[a]) - mean[a]) * (f64::from(colour[b]) - mean[b])
            };
            let sum: f64 = colours.iter().map(product).sum();
            sum / count + if a == b { spread * spread } else { 0.0 }
        };
        let [xx, xy, xz] = [0, 1, 2].map(|c| covariance(0, c));
        let (yy, yz, zz) = (covariance(1, 1), covariance(1, 2), covariance(2, 2));
        // At least spread⁶, since the sum of the rest has no negative eigenvalue.
        let determinant =
            xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz);
        let inverse = [
            yy * zz - yz * yz,
            xz * yz - xy * zz,
            xy * yz - xz * yy,
            xx * zz - xz * xz,
            xy * xz - xx * yz,
            xx * yy - xy * xy,
        ]
        .map(|minor| minor / determinant);
        Self {
            mean,
            inverse,
            cost: 0.5 * log(determinant) - log(count / total),
        }
    }

    fn cost(&self, colour: Colour) -> f64 {
        let [x, y, z] = [0, 1, 2].map(|c| f64::from(colour[c]) - self.mean[c]);
        let [xx, xy, xz, yy, yz, zz] = self.inverse;
        let squared =
            xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z);
        self.cost + 0.5 * squared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gaussian_costs_what_its_formula_says() {
        // Two colours at ±6 around grey in red: variance 36, and 9 more in every direction.
        let mixture = Mixture::of(vec![[94.0, 100.0, 100.0], [106.0, 100.0, 100.0]], 3.0);
        let determinant: f64 = 45.0 * 9.0 * 9.0;
        let at = |colour| mixture.cost(colour) - 0.5 * determinant.ln();
        assert!(at([100.0; 3]).abs() < 1e-9);
        assert!((at([109.0, 100.0, 100.0]) - 0.5 * 81.0 / 45.0).abs() < 1e-9);
        assert!((at([100.0, 103.0, 97.0]) - 0.5 * 18.0 / 9.0).abs() < 1e-9);
    }

    #[test]
    fn separate_colours_become_gaussians_of_their_own() {
        let colours = (0..60).map(|i| {
            if i % 3 == 0 {
                [200.0, 20.0, 20.0]
            } else {
                [20.0, 20.0, 200.0]
            }
        });
        let mixture = Mixture::of(colours.collect(), 4.0);
        assert_eq!(mixture.0.len(), 2);
        let between = mixture.cost([110.0, 20.0, 110.0]);
        assert!(between > mixture.cost([200.0, 20.0, 20.0]) + 100.0);
        // Twice as many, so ln 2 less.
        let gap = mixture.cost([200.0, 20.0, 20.0]) - mixture.cost([20.0, 20.0, 200.0]);
        assert!((gap - 2.0_f64.ln()).abs() < 1e-9);
        assert_eq!(Mixture::of(Vec::new(), 4.0).cost([0.0; 3]), f64::INFINITY);
    }
}
