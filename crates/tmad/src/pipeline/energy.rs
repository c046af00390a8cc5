//! Texture as strong as around the hole, for the scales that only add fine detail.
//!
//! A network that mixes several candidates averages them, and what averages out is their detail:
//! the result is smoother than what it was made of. What a cell lacks is taken from its best
//! candidate, as much of it as brings the cell's energy to that of its candidates.

use crate::detail::{faded_bands, finest};
use crate::patches::{Position, centre};
use crate::tensors::tensor_values;
use burn::tensor::{Tensor, TensorData};

/// Fine detail that is missing in a picture, collected cell by cell.
#[derive(Debug)]
pub(super) struct Missing {
    width: usize,
    height: usize,
    /// `[3, height, width]`
    values: Vec<f32>,
}

impl Missing {
    /// In a picture of this size.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            values: vec![0.0; 3 * height * width],
        }
    }

    /// Adds what `patches`, the networks' result for `cells`, lack against their candidates.
    ///
    /// # Shapes
    ///
    /// `patches` `[n, 3, k, k]`, `candidates` `[n, num · 3, k + 2·margin, k + 2·margin]`.
    pub(super) fn add(
        &mut self,
        patches: &Tensor<4>,
        candidates: &Tensor<4>,
        cells: &[Position],
        margin: usize,
    ) {
        let [n, channels, side, _] = candidates.dims();
        let shown = finest(centre(candidates.clone(), side - 2 * margin));
        let found = finest(patches.clone());
        let best = shown.clone().narrow(1, 0, 3);
        let wanted = sums(shown.powi_scalar(2));
        let products = sums(best.clone() * found.clone());
        let best_energies = sums(best.powi_scalar(2));
        let energies = sums(found.powi_scalar(2));
        let shares: Vec<f32> = (0..n)
            .map(|cell| {
                share(
                    energies[cell],
                    products[cell],
                    best_energies[cell],
                    wanted[cell] * 3.0 / channels as f32,
                )
            })
            .collect();
        let shares = Tensor::from_data(TensorData::new(shares, [n, 1, 1, 1]), &patches.device());
        // The finest band comes first.
        let faded = faded_bands(candidates.clone().narrow(1, 0, 3), margin).narrow(1, 0, 3);
        self.put(&tensor_values(faded * shares), side, cells, margin);
    }

    fn put(&mut self, values: &[f32], side: usize, cells: &[Position], margin: usize) {
        for (cell, window) in cells.iter().zip(values.chunks_exact(3 * side * side)) {
            let (top, left) = (cell.y - margin as i32, cell.x - margin as i32);
            for (row, line) in window.chunks_exact(side).enumerate() {
                let (channel, row) = (row / side, (row % side) as i32);
                let Some(y) = inside(top + row, self.height) else {
                    continue;
                };
                let start = (channel * self.height + y) * self.width;
                for (column, value) in line.iter().enumerate() {
                    if let Some(x) = inside(left + column as i32, self.width) {
                        self.values[start + x] += value;
                    }
                }
            }
        }
    }

    /// `[1, 3, height, width]` of `picture`'s kind.
    pub(super) fn into_tensor(self, picture: &Tensor<4>) -> Tensor<4> {
        let shape = [1, 3, self.height, self.width];
        Tensor::from_data(TensorData::new(self.values, shape), &picture.device())
    }
}

fn inside(at: i32, limit: usize) -> Option<usize> {
    usize::try_from(at).ok().filter(|at| *at < limit)
}

/// Sum over everything of each element of a batch.
fn sums(x: Tensor<4>) -> Vec<f32> {
    let [n, channels, height, width] = x.dims();
    tensor_values(x.reshape([n, channels * height * width]).sum_dim(1))
}

/// How much of a candidate with energy `best` must be added to detail of the energy `found` to
/// make it that of the energy `wanted`; `product` is the inner product of both. Between none and
/// all of it.
fn share(found: f32, product: f32, best: f32, wanted: f32) -> f32 {
    let lacking = wanted - found;
    if lacking <= 0.0 || best <= 0.0 {
        return 0.0;
    }
    // |found + share · best|² = wanted
    let root = (product * product + best * lacking).sqrt();
    ((root - product) / best).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const SIDE: usize = 16;
    const MARGIN: usize = 4;

    /// Fine noise of this strength, different for every `seed`.
    fn noise(seed: u64, side: usize, strength: f32) -> Tensor<4> {
        let mut random = inpaint_core::random::Random::new(seed);
        let values =
            (0..3 * side * side).map(|_| strength * (random.below(201) as f32 / 100.0 - 1.0));
        let data = TensorData::new(values.collect::<Vec<_>>(), [1, 3, side, side]);
        Tensor::from_data(data, &Device::flex())
    }

    fn fine_energy(patch: Tensor<4>) -> f32 {
        sums(finest(patch).powi_scalar(2))[0]
    }

    /// What is missing in one cell at the picture's corner.
    fn missing(patch: &Tensor<4>, candidates: &Tensor<4>) -> Tensor<4> {
        let cell = Position {
            image: 0,
            y: 0,
            x: 0,
        };
        let mut missing = Missing::new(SIDE, SIDE);
        missing.add(patch, candidates, &[cell], MARGIN);
        missing.into_tensor(patch)
    }

    #[test]
    fn a_share_makes_up_for_what_lacks() {
        // Nothing is there: all of a candidate as strong as wanted, half of one twice as strong.
        assert_eq!(share(0.0, 0.0, 9.0, 9.0), 1.0);
        assert_eq!(share(0.0, 0.0, 36.0, 9.0), 0.5);
        // (1 + 2)² = 9: the same detail is there already, at a third.
        assert!((share(1.0, 3.0, 9.0, 9.0) - 2.0 / 3.0).abs() < 1e-6);
        // Enough, nothing to take it from, and no more than all of it.
        assert_eq!(share(9.5, 0.0, 9.0, 9.0), 0.0);
        assert_eq!(share(1.0, 0.0, 0.0, 9.0), 0.0);
        assert_eq!(share(0.0, 0.0, 1.0, 9.0), 1.0);
    }

    #[test]
    fn smooth_patches_get_the_energy_of_their_candidates() {
        let wide = SIDE + 2 * MARGIN;
        let candidates = Tensor::cat(vec![noise(1, wide, 0.5), noise(2, wide, 0.4)], 1);
        let wanted = {
            let both = [1, 2].map(|seed| {
                let strength = if seed == 1 { 0.5 } else { 0.4 };
                fine_energy(centre(noise(seed, wide, strength), SIDE))
            });
            (both[0] + both[1]) / 2.0
        };
        for strength in [0.0, 0.2] {
            let patch = noise(3, SIDE, strength);
            let before = fine_energy(patch.clone());
            let after = fine_energy(patch.clone() + missing(&patch, &candidates));
            assert!(before < 0.3 * wanted, "{before} {wanted}");
            // Towards the border the candidate fades out, for neighbours that are not there.
            let ratio = after / wanted;
            assert!((0.7..1.1).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn patches_with_enough_detail_stay_as_they_are() {
        let candidates = noise(1, SIDE + 2 * MARGIN, 0.3);
        let patch = noise(2, SIDE, 0.5);
        let missing = tensor_values(missing(&patch, &candidates));
        assert!(missing.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn cells_may_reach_over_the_border() {
        let (above, below) = (-(SIDE as i32) / 2, SIDE as i32 / 2);
        let cells = [
            (above, above),
            (above, below),
            (below, above),
            (below, below),
        ];
        let cells = cells.map(|(y, x)| Position { image: 0, y, x });
        let patches = Tensor::zeros([4, 3, SIDE, SIDE], &Device::flex());
        let candidates = noise(1, SIDE + 2 * MARGIN, 0.5).repeat_dim(0, 4);
        let mut missing = Missing::new(SIDE, SIDE);
        missing.add(&patches, &candidates, &cells, MARGIN);
        let values = tensor_values(missing.into_tensor(&patches));
        assert_eq!(values.len(), 3 * SIDE * SIDE);
        assert!(values.iter().all(|value| value.is_finite()));
        assert!(values.iter().any(|&value| value != 0.0));
    }
}
