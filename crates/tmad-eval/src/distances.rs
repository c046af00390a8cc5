//! Distances between two sets of Inception features: FID, KID, and the inception discriminative
//! scores.

use inpaint_core::random::Random;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{Square, dot, eigenvalues, factor};
use crate::svm::LinearSvm;

/// Subsets that a kernel distance averages over, and their size at most, as in torch-fidelity
/// and clean-fid.
const NUM_SUBSETS: usize = 100;
const MAX_SUBSET: usize = 1000;

/// Feature vectors of a set of pictures, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    length: usize,
    values: Vec<f64>,
}

impl Features {
    /// From vectors of `length` numbers each.
    ///
    /// # Panics
    ///
    /// If `length` is 0 or does not divide the number of values.
    pub fn new(length: usize, values: Vec<f64>) -> Self {
        assert!(length > 0 && values.len().is_multiple_of(length));
        Self { length, values }
    }

    /// Number of vectors.
    pub fn count(&self) -> usize {
        self.values.len() / self.length
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.length..(i + 1) * self.length]
    }

    fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.length];
        for row in self.values.chunks_exact(self.length) {
            mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        mean.iter_mut().for_each(|sum| *sum /= self.count() as f64);
        mean
    }

    /// NumPy's `cov`: divided by their number less one.
    fn covariance(&self, mean: &[f64]) -> Square {
        let n = self.count();
        // Feature by feature, so that an element is the product of two runs of memory.
        let mut columns = vec![0.0; self.values.len()];
        for i in 0..n {
            for (j, value) in self.row(i).iter().enumerate() {
                columns[j * n + i] = value - mean[j];
            }
        }
        let mut covariance = Square::zeros(self.length);
        let column = |j: usize| &columns[j * n..(j + 1) * n];
        (covariance
            .values
            .par_chunks_exact_mut(self.length)
            .enumerate())
        .for_each(|(i, row)| {
            for (j, value) in row.iter_mut().enumerate() {
                *value = dot(column(i), column(j)) / (n as f64 - 1.0);
            }
        });
        covariance
    }
}

/// What tells two sets of pictures apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SetDistances {
    /// Fréchet Inception distance.
    pub fid: f64,
    /// Kernel Inception distance × 1000.
    pub kid: f64,
    /// Paired inception discriminative score in percent.
    pub p_ids: f64,
    /// Unpaired inception discriminative score in percent.
    pub u_ids: f64,
}

/// All of them; `None` for fewer than two pictures.
pub(crate) fn set_distances(truths: &Features, results: &Features) -> Option<SetDistances> {
    if truths.count() < 2 || results.count() != truths.count() {
        return None;
    }
    let (paired, unpaired) = discriminative_scores(truths, results);
    Some(SetDistances {
        fid: frechet_distance(truths, results),
        kid: 1000.0 * kernel_distance(truths, results),
        p_ids: 100.0 * paired,
        u_ids: 100.0 * unpaired,
    })
}

/// Fréchet Inception distance (Heusel et al., *GANs Trained by a Two Time-Scale Update Rule*,
/// NeurIPS 2017): |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½).
///
/// With Σ₁ = L·Lᵀ, the eigenvalues of Σ₁Σ₂ are those of the symmetric Lᵀ·Σ₂·L, so that the trace
/// of the root needs no root of a matrix, and is real whatever the rounding.
///
/// # Panics
///
/// If a set has fewer than two vectors, or the lengths differ.
pub fn frechet_distance(a: &Features, b: &Features) -> f64 {
    assert_eq!(a.length, b.length, "vectors of one length");
    assert!(a.count() > 1 && b.count() > 1, "two vectors or more");
    let (mean_a, mean_b) = (a.mean(), b.mean());
    let (covariance_a, covariance_b) = (a.covariance(&mean_a), b.covariance(&mean_b));
    let means: f64 = (mean_a.iter().zip(&mean_b))
        .map(|(a, b)| (a - b).powi(2))
        .sum();
    let traces = covariance_a.trace() + covariance_b.trace();
    let rows = factor(covariance_a);
    // Σ₂·L, a row for each column of L; Σ₂ is symmetric.
    let products: Vec<Vec<f64>> = (rows.par_iter())
        .map(|row| {
            (0..covariance_b.side)
                .map(|i| dot(covariance_b.row(i), row))
                .collect()
        })
        .collect();
    let mut inner = Square::zeros(rows.len());
    let side = rows.len().max(1);
    (inner.values.par_chunks_exact_mut(side).zip(&rows)).for_each(|(out, row)| {
        for (value, product) in out.iter_mut().zip(&products) {
            *value = dot(row, product);
        }
    });
    let roots: f64 = eigenvalues(inner).iter().map(|v| v.max(0.0).sqrt()).sum();
    means + traces - 2.0 * roots
}

/// Kernel Inception distance (Bińkowski et al., *Demystifying MMD GANs*, ICLR 2018): the unbiased
/// squared maximum mean discrepancy with the kernel (xᵀy/d + 1)³, as clean-fid computes it: the
/// mean over 100 random subsets of at most 1000 vectors of each set. With 1000 vectors or fewer
/// each subset is the whole set, and one is enough.
///
/// # Panics
///
/// If a set has fewer than two vectors, or the lengths differ.
pub fn kernel_distance(a: &Features, b: &Features) -> f64 {
    assert_eq!(a.length, b.length, "vectors of one length");
    let size = a.count().min(b.count()).min(MAX_SUBSET);
    assert!(size > 1, "two vectors or more");
    let is_whole = a.count() == size && b.count() == size;
    let num_subsets = if is_whole { 1 } else { NUM_SUBSETS };
    let mut random = Random::new(0);
    let total: f64 = (0..num_subsets)
        .map(|_| {
            let of_a = subset(a.count(), size, &mut random);
            let of_b = subset(b.count(), size, &mut random);
            subset_distance(a, &of_a, b, &of_b)
        })
        .sum();
    total / num_subsets as f64
}

/// `size` of `count` numbers, each at most once.
fn subset(count: usize, size: usize, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    for i in 0..size {
        let other = i + random.below((count - i) as u64) as usize;
        all.swap(i, other);
    }
    all.truncate(size);
    all
}

fn subset_distance(a: &Features, of_a: &[usize], b: &Features, of_b: &[usize]) -> f64 {
    let kernel = |x: &[f64], y: &[f64]| (dot(x, y) / x.len() as f64 + 1.0).powi(3);
    let size = of_a.len() as f64;
    let within = |set: &Features, rows: &[usize]| -> f64 {
        let sums = rows.par_iter().enumerate().map(|(i, &row)| {
            let before = rows[..i].iter();
            2.0 * before
                .map(|&other| kernel(set.row(row), set.row(other)))
                .sum::<f64>()
        });
        sums.collect::<Vec<f64>>().iter().sum::<f64>() / (size * (size - 1.0))
    };
    let between = of_a.par_iter().map(|&i| {
        let others = of_b.iter();
        others.map(|&j| kernel(a.row(i), b.row(j))).sum::<f64>()
    });
    let between = between.collect::<Vec<f64>>().iter().sum::<f64>() / (size * size);
    within(a, of_a) + within(b, of_b) - 2.0 * between
}

/// Paired and unpaired inception discriminative scores (Zhao et al., *Large Scale Image Completion
/// via Co-Modulated Generative Adversarial Networks*, ICLR 2021), as fractions: a linear support
/// vector machine is fitted to tell truths from results. Paired: how many results look more real
/// to it than their own truth. Unpaired: how many pictures it takes for the wrong kind.
///
/// The machine is scikit-learn's `LinearSVC(dual=False)` of their reference, see
/// [`LinearSvm::fit`].
///
/// # Panics
///
/// If the numbers or lengths of the vectors differ.
pub fn discriminative_scores(truths: &Features, results: &Features) -> (f64, f64) {
    assert_eq!(truths.length, results.length, "vectors of one length");
    assert_eq!(truths.count(), results.count(), "a result per truth");
    let count = truths.count();
    let all = |set: &Features| (0..count).map(|i| set.row(i).to_vec()).collect::<Vec<_>>();
    let machine = LinearSvm::fit(&all(truths), &all(results));
    let real: Vec<f64> = (0..count).map(|i| machine.decide(truths.row(i))).collect();
    let made: Vec<f64> = (0..count).map(|i| machine.decide(results.row(i))).collect();
    let paired = real.iter().zip(&made).filter(|(real, made)| made > real);
    // A decision of 0 counts as not real, as in scikit-learn.
    let wrong =
        real.iter().filter(|v| **v <= 0.0).count() + made.iter().filter(|v| **v > 0.0).count();
    (
        paired.count() as f64 / count as f64,
        wrong as f64 / (2 * count) as f64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(count: usize, length: usize, shift: f64, seed: u64) -> Features {
        let mut random = Random::new(seed);
        Features::new(
            length,
            (0..count * length)
                .map(|_| shift + random.normal())
                .collect(),
        )
    }

    #[test]
    fn a_set_has_no_distance_to_itself_and_a_shift_counts_squared() {
        let a = normal(50, 6, 0.0, 1);
        assert!(frechet_distance(&a, &a).abs() < 1e-9);
        let shifted = Features::new(6, a.values.iter().map(|v| v + 2.0).collect());
        // The same covariance; means 2 apart in 6 dimensions.
        assert!((frechet_distance(&a, &shifted) - 24.0).abs() < 1e-9);
        // Fewer vectors than dimensions: covariances without full rank.
        let few = normal(5, 20, 0.0, 2);
        assert!(frechet_distance(&few, &few).abs() < 1e-6);
    }

    #[test]
    fn one_dimension_by_hand() {
        // Means 2 and 6, variances 2 and 8: 16 + 2 + 8 − 2·√16 = 18.
        let a = Features::new(1, vec![1.0, 3.0]);
        let b = Features::new(1, vec![4.0, 8.0]);
        assert!((frechet_distance(&a, &b) - 18.0).abs() < 1e-12);
        // (1·3 + 1)³ + (4·8 + 1)³ − (5³ + 9³ + 13³ + 25³) / 2.
        let expected = 64.0 + 35937.0 - (125.0 + 729.0 + 2197.0 + 15625.0) / 2.0;
        assert!((kernel_distance(&a, &b) - expected).abs() < 1e-9);
    }

    #[test]
    fn subsets_are_without_repetition() {
        let mut chosen = subset(9, 5, &mut Random::new(1));
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 5);
        assert!(chosen.iter().all(|&i| i < 9));
    }

    #[test]
    fn what_looks_alike_is_told_apart_by_chance_only() {
        let (a, b) = (normal(400, 3, 0.0, 1), normal(400, 3, 0.0, 2));
        let (paired, unpaired) = discriminative_scores(&a, &b);
        assert!(
            (paired - 0.5).abs() < 0.1 && (unpaired - 0.5).abs() < 0.1,
            "{paired} {unpaired}"
        );
        let far = normal(400, 3, 9.0, 3);
        assert_eq!(discriminative_scores(&a, &far), (0.0, 0.0));
    }
}
