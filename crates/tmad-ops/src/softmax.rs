//! From CARAFE's logits to its kernels, and back: pixel shuffle and softmax over the taps.

use crate::CARAFE_TAPS;
use rayon::prelude::*;

/// Sub-pixels of an input pixel.
const PHASES: usize = 4;

/// `[batch, 100, height, width]` → `[batch, 25, 2·height, 2·width]`, see [`crate::carafe`].
pub fn kernels_from_logits(logits: &[f32], [batch, height, width]: [usize; 3]) -> Vec<f32> {
    let num_pixels = height * width;
    let mut kernels = vec![0.0; batch * CARAFE_TAPS * PHASES * num_pixels];
    let images = kernels.chunks_exact_mut(CARAFE_TAPS * PHASES * num_pixels);
    for (image, logits) in images.zip(logits.chunks_exact(CARAFE_TAPS * PHASES * num_pixels)) {
        // A task owns a pair of output rows in every tap's plane.
        let mut rows: Vec<Vec<&mut [f32]>> = (0..height).map(|_| Vec::new()).collect();
        for plane in image.chunks_exact_mut(PHASES * num_pixels) {
            for (y, pair) in plane.chunks_exact_mut(PHASES * width).enumerate() {
                rows[y].push(pair);
            }
        }
        rows.into_par_iter().enumerate().for_each(|(y, mut taps)| {
            let mut row = vec![0.0; CARAFE_TAPS * width];
            for phase in 0..PHASES {
                for (tap, row) in row.chunks_exact_mut(width).enumerate() {
                    let start = (PHASES * tap + phase) * num_pixels + y * width;
                    row.copy_from_slice(&logits[start..start + width]);
                }
                softmax_columns(&mut row, width);
                let (i, j) = (phase / 2, phase % 2);
                for (pair, row) in taps.iter_mut().zip(row.chunks_exact(width)) {
                    let out = &mut pair[i * 2 * width..(i + 1) * 2 * width];
                    for (out, &value) in out.chunks_exact_mut(2).zip(row) {
                        out[j] = value;
                    }
                }
            }
        });
    }
    kernels
}

/// Gradient of the logits from the kernels and their gradient.
pub fn logits_gradient(
    kernels: &[f32],
    grad_kernels: &[f32],
    [batch, height, width]: [usize; 3],
) -> Vec<f32> {
    let num_pixels = height * width;
    let image_len = CARAFE_TAPS * PHASES * num_pixels;
    let mut grad_logits = vec![0.0; batch * image_len];
    for (b, image) in grad_logits.chunks_exact_mut(image_len).enumerate() {
        let mut rows: Vec<Vec<&mut [f32]>> = (0..height).map(|_| Vec::new()).collect();
        for plane in image.chunks_exact_mut(num_pixels) {
            for (y, row) in plane.chunks_exact_mut(width).enumerate() {
                rows[y].push(row);
            }
        }
        let kernels = &kernels[b * image_len..(b + 1) * image_len];
        let grad_kernels = &grad_kernels[b * image_len..(b + 1) * image_len];
        rows.into_par_iter()
            .enumerate()
            .for_each(|(y, mut planes)| {
                let mut inner = vec![0.0; width];
                for phase in 0..PHASES {
                    let (i, j) = (phase / 2, phase % 2);
                    let at = |tap: usize| {
                        let start = tap * PHASES * num_pixels + (2 * y + i) * 2 * width;
                        start..start + 2 * width
                    };
                    // ∂L/∂logit = k·(g − Σ k·g)
                    inner.fill(0.0);
                    for tap in 0..CARAFE_TAPS {
                        let pairs = kernels[at(tap)].chunks_exact(2);
                        let pairs = pairs.zip(grad_kernels[at(tap)].chunks_exact(2));
                        for (sum, (k, g)) in inner.iter_mut().zip(pairs) {
                            *sum += k[j] * g[j];
                        }
                    }
                    for tap in 0..CARAFE_TAPS {
                        let pairs = kernels[at(tap)].chunks_exact(2);
                        let pairs = pairs.zip(grad_kernels[at(tap)].chunks_exact(2));
                        let row = &mut planes[PHASES * tap + phase];
                        for ((out, (k, g)), sum) in row.iter_mut().zip(pairs).zip(&inner) {
                            *out = k[j] * (g[j] - sum);
                        }
                    }
                }
            });
    }
    grad_logits
}

/// Softmax over the taps of `rows` (`[taps, width]`), column by column, in place.
fn softmax_columns(rows: &mut [f32], width: usize) {
    let mut highest = vec![f32::NEG_INFINITY; width];
    for row in rows.chunks_exact(width) {
        for (highest, &value) in highest.iter_mut().zip(row) {
            *highest = highest.max(value);
        }
    }
    let mut total = vec![0.0; width];
    for row in rows.chunks_exact_mut(width) {
        for ((value, &highest), total) in row.iter_mut().zip(&highest).zip(&mut total) {
            *value = exp(*value - highest);
            *total += *value;
        }
    }
    for row in rows.chunks_exact_mut(width) {
        for (value, &total) in row.iter_mut().zip(&total) {
            *value /= total;
        }
    }
}

/// eˣ for x ≤ 0, within 2 units in the last place, in a form that compilers vectorise (the
/// standard library's is a call).
fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5·2²³ rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n·ln 2 is exact enough to subtract.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    // Taylor series; |r| ≤ ln 2 / 2 leaves an error below 2⁻²⁶.
    let mut p = 1.0 / 5040.0;
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * r + coefficient;
    }
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_standard_library() {
        for i in 0..10_000 {
            let x = -87.0 * i as f32 / 10_000.0;
            let expected = (x as f64).exp();
            let error = (exp(x) as f64 - expected).abs() / expected;
            assert!(error < 2.4e-7, "exp({x}) is off by {error}");
        }
    }

    #[test]
    fn kernels_sum_to_one_and_follow_the_pixel_shuffle() {
        let (height, width) = (2, 3);
        let logits: Vec<f32> = (0..100 * height * width)
            .map(|i| (i as f32 * 0.37).sin() * 3.0)
            .collect();
        let kernels = kernels_from_logits(&logits, [1, height, width]);
        for (y, x) in (0..2 * height).flat_map(|y| (0..2 * width).map(move |x| (y, x))) {
            let tap = |t: usize| kernels[t * 4 * height * width + y * 2 * width + x];
            let sum: f32 = (0..CARAFE_TAPS).map(tap).sum();
            assert!((sum - 1.0).abs() < 1e-5);
            let logit = |t: usize| {
                let channel = 4 * t + 2 * (y % 2) + x % 2;
                logits[channel * height * width + y / 2 * width + x / 2]
            };
            let ratio = (logit(7) - logit(3)).exp();
            assert!((tap(7) / tap(3) / ratio - 1.0).abs() < 1e-5);
        }
    }
}
