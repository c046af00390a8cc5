//! Pixels under one tap of the kernel, for consecutive output pixels.

use super::layout::clear;
use super::shape::Conv2dShape;
use super::simd::Vector;

/// Writes the pixel under tap `p = (channel · kernel + ky) · kernel + kx` of one image for the
/// output pixels `first..first + count`, row by row; 0 in the border.
///
/// # Safety
/// The CPU has `V`; `dst` is writable for `count` elements.
#[inline(always)]
pub(super) unsafe fn row<V: Vector>(
    x: &[f32],
    s: &Conv2dShape,
    p: usize,
    first: usize,
    count: usize,
    dst: *mut f32,
) {
    let (channel, tap) = (p / (s.kernel * s.kernel), p % (s.kernel * s.kernel));
    let (ky, kx) = (tap / s.kernel * s.dilation, tap % s.kernel * s.dilation);
    let plane = &x[channel * s.height * s.width..][..s.height * s.width];
    let out_width = s.out_width();
    // Output columns whose pixel lies in the image.
    let low = s.padding.saturating_sub(kx).div_ceil(s.stride);
    let high = (s.width + s.padding).saturating_sub(kx).div_ceil(s.stride);
    let (mut oy, mut ox) = (first / out_width, first % out_width);
    let mut done = 0;
    while done < count {
        let end = out_width.min(ox + count - done);
        let y = (oy * s.stride + ky).wrapping_sub(s.padding);
        let (low, high) = if y < s.height {
            (low.clamp(ox, end), high.min(end))
        } else {
            (end, end)
        };
        let high = high.max(low);
        // SAFETY: `ox ≤ low ≤ high ≤ end`, and `end − ox` elements are left in `dst`.
        unsafe {
            let dst = dst.add(done);
            clear_border(dst, low - ox);
            clear_border(dst.add(high - ox), end - high);
            if high > low {
                let start = y * s.width + low * s.stride + kx - s.padding;
                copy::<V>(&plane[start..], s.stride, high - low, dst.add(low - ox));
            }
        }
        done += end - ox;
        (oy, ox) = (oy + 1, 0);
    }
}

/// [`clear`], quick for the border of a small kernel: mostly it is no or one pixel, and narrow
/// pictures have many.
///
/// # Safety
/// `dst` is writable for `count` elements.
#[inline(always)]
unsafe fn clear_border(dst: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            0 => {}
            1 => *dst = 0.0,
            _ => clear(dst, count),
        }
    }
}

/// `dst[i] = src[i·step]` for `i < count`.
///
/// # Safety
/// The CPU has `V`; `dst` is writable for `count` elements.
#[inline(always)]
unsafe fn copy<V: Vector>(src: &[f32], step: usize, count: usize, dst: *mut f32) {
    assert!((count - 1) * step < src.len());
    let mut i = 0;
    // SAFETY: the assertion, and the bounds of each loop.
    unsafe {
        if step == 1 {
            while i + V::LANES <= count {
                V::load(src.as_ptr().add(i)).store(dst.add(i));
                i += V::LANES;
            }
            if i < count {
                V::load_partial(src.as_ptr().add(i), count - i)
                    .store_partial(dst.add(i), count - i);
            }
            return;
        }
        if step == 2 {
            while i + V::LANES <= count && 2 * (i + V::LANES) <= src.len() {
                let src = src.as_ptr().add(2 * i);
                let (even, _) = V::load(src).deinterleave(V::load(src.add(V::LANES)));
                even.store(dst.add(i));
                i += V::LANES;
            }
        }
        for i in i..count {
            *dst.add(i) = *src.as_ptr().add(i * step);
        }
    }
}
