//! From CARAFE's logits to its kernels, and back: pixel shuffle and softmax over the taps.

use super::super::scratch::{Output, SharedMut, for_each_task, with_scratch};
use super::super::shape::{CARAFE_TAPS, CarafeShape, check_len};
use super::super::simd::{Kernel, Level, Vector};

/// Sub-pixels of an input pixel.
const PHASES: usize = 4;
/// Columns whose maxima and sums are kept at once: as many as the widest vector.
const BLOCK: usize = 16;
/// Operations per logit, roughly, to judge whether threads pay.
const FLOPS: u64 = 20;

/// Kernels as [`carafe`](super::carafe) takes them: the kernel of output pixel (2y+i, 2x+j) is the
/// softmax over t of `logits[4t + 2i + j, y, x]`.
///
/// # Shapes
/// `logits` `[batch, 100, height, width]`, `kernels` `[batch, 25, 2·height, 2·width]`.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe_kernels<'a>(shape: &CarafeShape, logits: &[f32], kernels: impl Into<Output<'a>>) {
    let mut kernels = kernels.into();
    check_len("logits", logits.len(), shape.kernels_len());
    check_len("kernels", kernels.len(), shape.kernels_len());
    let level = Level::current();
    let shared = kernels.shared();
    let flops = FLOPS * shape.kernels_len() as u64;
    for_each_task(shape.batch * shape.height, flops, |task| {
        let row_len = shape.width.next_multiple_of(BLOCK);
        with_scratch(CARAFE_TAPS * row_len, |rows| {
            let (image, y) = (task / shape.height, task % shape.height);
            let place = Place { shape, image, y };
            let kernel = Forward {
                place,
                logits,
                kernels: shared,
                rows,
            };
            // SAFETY: the level is supported; tasks write different rows.
            unsafe { level.run(kernel) }
        });
    });
}

/// Gradient of [`carafe_kernels`]: ∂L/∂logit = k·(g − Σ k·g), with the sum over the taps.
///
/// # Shapes
/// As in [`carafe_kernels`]; gradients have the shapes of what they belong to.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe_kernels_backward<'a>(
    shape: &CarafeShape,
    kernels: &[f32],
    grad_kernels: &[f32],
    grad_logits: impl Into<Output<'a>>,
) {
    let mut grad_logits = grad_logits.into();
    check_len("kernels", kernels.len(), shape.kernels_len());
    check_len("grad_kernels", grad_kernels.len(), shape.kernels_len());
    check_len("grad_logits", grad_logits.len(), shape.kernels_len());
    let level = Level::current();
    let shared = grad_logits.shared();
    let flops = FLOPS * shape.kernels_len() as u64;
    for_each_task(shape.batch * shape.height, flops, |task| {
        with_scratch(2 * shape.width, |sums| {
            let (image, y) = (task / shape.height, task % shape.height);
            let place = Place { shape, image, y };
            let kernel = Backward {
                place,
                kernels,
                grad_kernels,
                grad_logits: shared,
                sums,
            };
            // SAFETY: the level is supported; tasks write different rows.
            unsafe { level.run(kernel) }
        });
    });
}

/// One row of the input.
#[derive(Clone, Copy)]
struct Place<'a> {
    shape: &'a CarafeShape,
    image: usize,
    y: usize,
}

impl Place<'_> {
    /// Where a tap's row of logits for a sub-pixel starts.
    #[inline(always)]
    fn logits(&self, tap: usize, phase: usize) -> usize {
        let channel = (self.image * CARAFE_TAPS + tap) * PHASES + phase;
        (channel * self.shape.height + self.y) * self.shape.width
    }

    /// Where a tap's output row `2y + i` starts.
    #[inline(always)]
    fn kernels(&self, tap: usize, i: usize) -> usize {
        let row = (self.image * CARAFE_TAPS + tap) * 2 * self.shape.height + 2 * self.y + i;
        row * 2 * self.shape.width
    }
}

struct Forward<'a> {
    place: Place<'a>,
    logits: &'a [f32],
    kernels: SharedMut,
    /// Holds 25 rows of whole blocks.
    rows: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let width = self.place.shape.width;
        let row_len = width.next_multiple_of(BLOCK);
        self.rows.fill(0.0);
        for phase in 0..PHASES {
            for (tap, row) in self.rows.chunks_exact_mut(row_len).enumerate() {
                row[..width]
                    .copy_from_slice(&self.logits[self.place.logits(tap, phase)..][..width]);
            }
            softmax(self.rows, row_len, width);
            let (i, j) = (phase / 2, phase % 2);
            for (tap, row) in self.rows.chunks_exact(row_len).enumerate() {
                let out = self
                    .kernels
                    .get()
                    .wrapping_add(self.place.kernels(tap, i) + j);
                for (x, &value) in row[..width].iter().enumerate() {
                    // SAFETY: inside the row, which is this task's.
                    unsafe { *out.add(2 * x) = value };
                }
            }
        }
    }
}

struct Backward<'a> {
    place: Place<'a>,
    kernels: &'a [f32],
    grad_kernels: &'a [f32],
    grad_logits: SharedMut,
    /// Holds one output row.
    sums: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let width = self.place.shape.width;
        for i in 0..2 {
            self.sums.fill(0.0);
            let rows = |tap| {
                let start = self.place.kernels(tap, i);
                let row = start..start + 2 * width;
                (&self.kernels[row.clone()], &self.grad_kernels[row])
            };
            for tap in 0..CARAFE_TAPS {
                let (kernels, grads) = rows(tap);
                for ((sum, k), g) in self.sums.iter_mut().zip(kernels).zip(grads) {
                    *sum += k * g;
                }
            }
            for tap in 0..CARAFE_TAPS {
                let (kernels, grads) = rows(tap);
                for j in 0..2 {
                    let start = self.place.logits(tap, 2 * i + j);
                    let out = self.grad_logits.get().wrapping_add(start);
                    let pairs = kernels.chunks_exact(2).zip(grads.chunks_exact(2));
                    let sums = self.sums.chunks_exact(2);
                    for (x, ((k, g), sum)) in pairs.zip(sums).enumerate() {
                        // SAFETY: inside the row, which is this task's.
                        unsafe { *out.add(x) = k[j] * (g[j] - sum[j]) };
                    }
                }
            }
        }
    }
}

/// Softmax over the taps, column by column, in place; tap `t` starts at `t·step`. Columns up to
/// the next whole block are touched too.
#[inline(always)]
pub(super) fn softmax(rows: &mut [f32], step: usize, width: usize) {
    for x in (0..width).step_by(BLOCK) {
        let mut highest = [f32::NEG_INFINITY; BLOCK];
        for tap in 0..CARAFE_TAPS {
            let row = &rows[tap * step + x..][..BLOCK];
            for (highest, &value) in highest.iter_mut().zip(row) {
                *highest = if value > *highest { value } else { *highest };
            }
        }
        let mut total = [0.0; BLOCK];
        for tap in 0..CARAFE_TAPS {
            let row = &mut rows[tap * step + x..][..BLOCK];
            for ((value, &highest), total) in row.iter_mut().zip(&highest).zip(&mut total) {
                *value = exp(*value - highest);
                *total += *value;
            }
        }
        let factor = total.map(|total| 1.0 / total);
        for tap in 0..CARAFE_TAPS {
            let row = &mut rows[tap * step + x..][..BLOCK];
            for (value, &factor) in row.iter_mut().zip(&factor) {
                *value *= factor;
            }
        }
    }
}

/// eˣ for x ≤ 0, within 2 units in the last place, in a form that compilers vectorise (the
/// standard library's is a call).
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to the nearest whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n·ln 2 is exact enough to subtract.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Written so that NaN stays.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
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
    // All other bits of the rounded number leave at the top.
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
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
        assert!(exp(f32::NAN).is_nan());
    }
}
