//! A linear support vector machine.

use rayon::prelude::*;

use crate::linalg::dot;

/// A hyperplane between two kinds of vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearSvm {
    /// A weight per number of a vector, and the constant.
    weights: Vec<f64>,
}

impl LinearSvm {
    /// The minimum of ½|w|² + Σ max(0, 1 − y·w·x)², y = 1 for `positive` and −1 for `negative`,
    /// where every x has a further 1 for the constant: scikit-learn's `LinearSVC(dual=False)` with
    /// its defaults (C = 1, squared hinge, constant penalised).
    ///
    /// Newton's method; each step is solved by conjugate gradients, as in liblinear's TRON. The
    /// function is strictly convex, so that every method ends at the same place; this one stops
    /// where the gradient is 10⁻⁸ of that at 0.
    ///
    /// # Panics
    ///
    /// If the vectors' lengths differ.
    pub fn fit(positive: &[Vec<f64>], negative: &[Vec<f64>]) -> Self {
        let rows = || positive.iter().chain(negative);
        let length = rows().next().map_or(0, Vec::len);
        assert!(
            rows().all(|row| row.len() == length),
            "vectors of one length"
        );
        // With y multiplied in, so that signs appear here only.
        let rows: Vec<Vec<f64>> = (positive.iter().map(|row| (row, 1.0)))
            .chain(negative.iter().map(|row| (row, -1.0)))
            .map(|(row, y)| row.iter().chain([&1.0]).map(|v| y * v).collect())
            .collect();
        let mut weights = vec![0.0; length + 1];
        let (mut value, mut slacks) = objective(&rows, &weights);
        let mut start = None;
        for _ in 0..1000 {
            let mut gradient = combined(&rows, &slacks, -2.0);
            gradient.iter_mut().zip(&weights).for_each(|(g, w)| *g += w);
            let size = dot(&gradient, &gradient).sqrt();
            if size <= 1e-8 * *start.get_or_insert(size) {
                break;
            }
            let step = newton_step(&rows, &slacks, &gradient);
            let slope = dot(&gradient, &step);
            let mut scale = 1.0;
            let (next, next_value, next_slacks) = loop {
                let next: Vec<f64> = (weights.iter().zip(&step))
                    .map(|(w, s)| w + scale * s)
                    .collect();
                let (next_value, next_slacks) = objective(&rows, &next);
                if next_value <= value + 1e-4 * scale * slope || scale < 1e-10 {
                    break (next, next_value, next_slacks);
                }
                scale *= 0.5;
            };
            if next_value >= value {
                // No descent left that numbers of this size can show.
                break;
            }
            (weights, value, slacks) = (next, next_value, next_slacks);
        }
        Self { weights }
    }

    /// Distance from the hyperplane in units of its margin; above 0 on the positive side.
    ///
    /// # Panics
    ///
    /// If the vector is not as long as those it was fitted to.
    pub fn decide(&self, vector: &[f64]) -> f64 {
        let (constant, weights) = self.weights.split_last().expect("there is a constant");
        assert_eq!(vector.len(), weights.len(), "vectors of one length");
        dot(vector, weights) + constant
    }
}

/// The function's value and max(0, 1 − w·x) of every row.
fn objective(rows: &[Vec<f64>], weights: &[f64]) -> (f64, Vec<f64>) {
    let slacks: Vec<f64> = (rows.par_iter())
        .map(|row| (1.0 - dot(row, weights)).max(0.0))
        .collect();
    (0.5 * dot(weights, weights) + dot(&slacks, &slacks), slacks)
}

/// factor · Σ share·row.
fn combined(rows: &[Vec<f64>], shares: &[f64], factor: f64) -> Vec<f64> {
    let length = rows.first().map_or(0, Vec::len);
    let mut sum = vec![0.0; length];
    for (row, &share) in rows.iter().zip(shares) {
        if share != 0.0 {
            let share = factor * share;
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, v)| *sum += share * v);
        }
    }
    sum
}

/// Solves H·s = −gradient by conjugate gradients; H = 1 + 2·Σ x·xᵀ over rows with slack.
fn newton_step(rows: &[Vec<f64>], slacks: &[f64], gradient: &[f64]) -> Vec<f64> {
    let times_hessian = |v: &[f64]| {
        let products: Vec<f64> = (rows.par_iter().zip(slacks))
            .map(|(row, &slack)| if slack > 0.0 { dot(row, v) } else { 0.0 })
            .collect();
        let mut out = combined(rows, &products, 2.0);
        out.iter_mut().zip(v).for_each(|(out, v)| *out += v);
        out
    };
    let mut step = vec![0.0; gradient.len()];
    let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut direction = residual.clone();
    let mut size = dot(&residual, &residual);
    let goal = 1e-4 * size;
    for _ in 0..2 * gradient.len() {
        if size <= goal || size == 0.0 {
            break;
        }
        let product = times_hessian(&direction);
        let scale = size / dot(&direction, &product);
        step.iter_mut()
            .zip(&direction)
            .for_each(|(s, d)| *s += scale * d);
        (residual.iter_mut().zip(&product)).for_each(|(r, p)| *r -= scale * p);
        let next = dot(&residual, &residual);
        let turn = next / size;
        size = next;
        (direction.iter_mut().zip(&residual)).for_each(|(d, r)| *d = r + turn * *d);
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_by_hand() {
        // Points 1 and −1 on a line: by symmetry no constant, and ½w² + 2(1 − w)² is least at 4/5.
        let machine = LinearSvm::fit(&[vec![1.0]], &[vec![-1.0]]);
        assert!((machine.decide(&[1.0]) - 0.8).abs() < 1e-6);
        assert!(machine.decide(&[0.0]).abs() < 1e-6);
    }

    #[test]
    fn the_constant_is_penalised() {
        // All at 0: only the constant can act. ½b² + 2(1 − b)² + (1 + b)² is least at 2/7.
        let machine = LinearSvm::fit(&[vec![0.0], vec![0.0]], &[vec![0.0]]);
        assert!((machine.decide(&[0.0]) - 2.0 / 7.0).abs() < 1e-6);
    }
}
