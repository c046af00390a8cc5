//! Means over boxes around every pixel.

use super::layout::clear;
use super::scratch::{LINE, Output, for_each_task, with_scratch};
use super::shape::check_len;
use super::simd::{Kernel, Level, Vector};

/// The mean of the `side` × `side` pixels around every pixel, as far as they lie inside, for
/// `planes` pictures of `height` × `width`.
///
/// # Panics
/// If a slice has another length than its shape, or the side is even.
pub fn box_means<'a>(
    [planes, height, width]: [usize; 3],
    side: usize,
    x: &[f32],
    out: impl Into<Output<'a>>,
) {
    let mut out = out.into();
    let len = planes * height * width;
    check_len("x", x.len(), len);
    check_len("out", out.len(), len);
    assert!(side % 2 == 1, "a box of side {side} has no middle");
    if out.is_empty() {
        return;
    }
    let level = Level::current();
    // Beyond the picture's ends lies nothing that a larger box could take in.
    let reach = (side / 2).min(height.max(width));
    let pad = reach.next_multiple_of(LINE);
    let padded = pad + width.next_multiple_of(level.lanes()) + pad;
    let shared = out.shared();
    let flops = (len * 2 * (2 * reach + 1)) as u64;
    for_each_task(planes, flops, |plane| {
        let offset = plane * height * width;
        with_scratch(padded + width.next_multiple_of(level.lanes()), |scratch| {
            let (sums, shares) = scratch.split_at_mut(padded);
            for (column, share) in shares.iter_mut().enumerate() {
                let end = (column + reach + 1).min(width);
                let count = end.saturating_sub(column.saturating_sub(reach));
                *share = 1.0 / count.max(1) as f32;
            }
            let kernel = Plane {
                height,
                width,
                reach,
                pad,
                x: &x[offset..][..height * width],
                sums,
                shares,
                out: shared.get().wrapping_add(offset),
            };
            // SAFETY: the level is supported; tasks write different planes; the buffers have
            // the lengths that `Plane` asks for.
            unsafe { level.run(kernel) }
        });
    });
}

/// One picture.
struct Plane<'a> {
    height: usize,
    width: usize,
    /// Pixels of a box on each side of its middle.
    reach: usize,
    /// Zeros before and behind the sums.
    pad: usize,
    x: &'a [f32],
    /// Holds the padding and `width` in whole vectors.
    sums: &'a mut [f32],
    /// One over the number of columns of every box; `width` in whole vectors.
    shares: &'a [f32],
    out: *mut f32,
}

impl Kernel for Plane<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let Self {
            height,
            width,
            reach,
            pad,
            ..
        } = self;
        let sums = self.sums.as_mut_ptr();
        // SAFETY: rows are inside the picture, and the buffers as documented above: a box reaches
        // at most `pad` beyond the sums, where zeros are.
        unsafe {
            clear(sums, self.sums.len());
            for y in 0..height {
                let (top, end) = (y.saturating_sub(reach), (y + reach + 1).min(height));
                for column in (0..width).step_by(V::LANES) {
                    let count = V::LANES.min(width - column);
                    let mut sum = V::splat(0.0);
                    for row in top..end {
                        let src = self.x.as_ptr().add(row * width + column);
                        sum = sum.add(if count == V::LANES {
                            V::load(src)
                        } else {
                            V::load_partial(src, count)
                        });
                    }
                    sum.store(sums.add(pad + column));
                }
                let share = V::splat(1.0 / (end - top) as f32);
                for column in (0..width).step_by(V::LANES) {
                    let mut sum = V::splat(0.0);
                    let first = sums.add(pad + column - reach);
                    for step in 0..2 * reach + 1 {
                        sum = sum.add(V::load(first.add(step)));
                    }
                    let mean = (sum.mul(V::load(self.shares.as_ptr().add(column)))).mul(share);
                    let dst = self.out.add(y * width + column);
                    let count = V::LANES.min(width - column);
                    if count == V::LANES {
                        mean.store(dst);
                    } else {
                        mean.store_partial(dst, count);
                    }
                }
            }
        }
    }
}
