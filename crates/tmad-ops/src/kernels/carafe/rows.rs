//! Padded copies of rows, with even and odd columns apart.

use super::super::layout::clear;
use super::super::scratch::LINE;
use super::super::shape::{CARAFE_TAPS, CarafeShape};
use super::super::simd::{Level, Vector};
use super::softmax::softmax;

/// Zeros before the first column of a padded row; kernels reach two columns.
pub(super) const PAD: usize = LINE;

/// How rows of one shape are padded.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    channels: usize,
    height: usize,
    width: usize,
    /// Elements of a padded row.
    pub(super) pitch: usize,
}

impl Rows {
    pub(super) fn new(shape: &CarafeShape, level: Level) -> Self {
        let pitch = PAD + (shape.width.next_multiple_of(level.lanes()) + 2).next_multiple_of(LINE);
        let CarafeShape {
            channels,
            height,
            width,
            ..
        } = *shape;
        Self {
            channels,
            height,
            width,
            pitch,
        }
    }

    /// Row `y` of a plane of the input, or zeros outside.
    ///
    /// # Safety
    /// The CPU has `V`; `dst` is writable for one padded row.
    #[inline(always)]
    pub(super) unsafe fn copy_input<V: Vector>(
        &self,
        x: &[f32],
        plane: usize,
        y: isize,
        dst: *mut f32,
    ) {
        // SAFETY: the row is sliced with checks; `dst` is one padded row.
        unsafe {
            clear(dst, self.pitch);
            if y >= 0 && (y as usize) < self.height {
                let row = &x[(plane * self.height + y as usize) * self.width..][..self.width];
                std::ptr::copy_nonoverlapping(row.as_ptr(), dst.add(PAD), self.width);
            }
        }
    }

    /// Row `y` of a plane of the output's size as two padded rows, even columns first; zeros
    /// outside.
    ///
    /// # Safety
    /// The CPU has `V`; `dst` is writable for two padded rows.
    #[inline(always)]
    pub(super) unsafe fn split_output<V: Vector>(
        &self,
        values: &[f32],
        plane: usize,
        y: isize,
        dst: *mut f32,
    ) {
        // SAFETY: the row is sliced with checks; `dst` is two padded rows.
        unsafe {
            clear(dst, 2 * self.pitch);
            if y < 0 || y as usize >= 2 * self.height {
                return;
            }
            let width = 2 * self.width;
            let row = &values[(plane * 2 * self.height + y as usize) * width..][..width];
            let (even, odd) = (dst.add(PAD), dst.add(self.pitch + PAD));
            let mut j = 0;
            while j + V::LANES <= self.width {
                let src = row.as_ptr().add(2 * j);
                let (e, o) = V::load(src).deinterleave(V::load(src.add(V::LANES)));
                e.store(even.add(j));
                o.store(odd.add(j));
                j += V::LANES;
            }
            for j in j..self.width {
                *even.add(j) = row[2 * j];
                *odd.add(j) = row[2 * j + 1];
            }
        }
    }

    /// Row `y` of all taps of the kernels: `[tap][column parity][pitch]`.
    ///
    /// # Safety
    /// The CPU has `V`; `dst` is writable for 50 padded rows.
    #[inline(always)]
    pub(super) unsafe fn split_kernels<V: Vector>(
        &self,
        kernels: &[f32],
        image: usize,
        y: isize,
        dst: *mut f32,
    ) {
        for tap in 0..CARAFE_TAPS {
            // SAFETY: `dst` is 25 pairs of padded rows.
            unsafe {
                let dst = dst.add(tap * 2 * self.pitch);
                self.split_output::<V>(kernels, image * CARAFE_TAPS + tap, y, dst);
            }
        }
    }

    /// As [`Rows::split_kernels`], for the softmax of the logits; `y` lies inside.
    ///
    /// # Safety
    /// The CPU has `V`; `dst` is writable for 50 padded rows.
    #[inline(always)]
    pub(super) unsafe fn split_logits<V: Vector>(
        &self,
        logits: &[f32],
        image: usize,
        y: usize,
        dst: *mut f32,
    ) {
        // SAFETY: the rows of the logits are sliced with checks; `dst` is 25 pairs of rows.
        unsafe {
            for plane in 0..2 * CARAFE_TAPS {
                let (tap, j) = (plane / 2, plane % 2);
                let channel = (image * CARAFE_TAPS + tap) * 4 + 2 * (y % 2) + j;
                let src = &logits[(channel * self.height + y / 2) * self.width..][..self.width];
                let dst = dst.add(plane * self.pitch);
                clear(dst, PAD);
                std::ptr::copy_nonoverlapping(src.as_ptr(), dst.add(PAD), self.width);
                clear(dst.add(PAD + self.width), self.pitch - PAD - self.width);
            }
            let rows = std::slice::from_raw_parts_mut(dst, 2 * CARAFE_TAPS * self.pitch);
            for j in 0..2 {
                softmax(
                    &mut rows[j * self.pitch + PAD..],
                    2 * self.pitch,
                    self.width,
                );
            }
        }
    }

    /// Index of the plane of a channel.
    pub(super) fn plane(&self, image: usize, channel: usize) -> usize {
        image * self.channels + channel
    }
}

/// Stores `even` and `odd` by turns; at most `count` of each.
///
/// # Safety
/// `dst` is writable for `2 · min(count, LANES)` elements.
#[inline(always)]
pub(super) unsafe fn store_interleaved<V: Vector>(even: V, odd: V, dst: *mut f32, count: usize) {
    let (low, high) = even.interleave(odd);
    let count = 2 * count;
    // SAFETY: the caller's promise.
    unsafe {
        if count >= 2 * V::LANES {
            low.store(dst);
            high.store(dst.add(V::LANES));
        } else if count >= V::LANES {
            low.store(dst);
            high.store_partial(dst.add(V::LANES), count - V::LANES);
        } else {
            low.store_partial(dst, count);
        }
    }
}
