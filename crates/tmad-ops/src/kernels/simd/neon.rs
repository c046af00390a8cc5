//! Four lanes with NEON, which every aarch64 CPU has.

use std::arch::aarch64::*;

use super::{Kernel, Vector};

/// # Safety
/// The kernel's own conditions hold.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x4, 8>() }
}

#[derive(Clone, Copy)]
pub(super) struct F32x4(float32x4_t);

// SAFETY of the blocks below: NEON is part of aarch64; the callers of loads and stores
// answer for the pointers.
impl Vector for F32x4 {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn load(ptr: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { vld1q_f32(ptr) })
    }

    #[inline(always)]
    unsafe fn load_partial(ptr: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: see above.
            *lane = unsafe { *ptr.add(i) };
        }
        // SAFETY: the array has four elements.
        Self(unsafe { vld1q_f32(lanes.as_ptr()) })
    }

    #[inline(always)]
    unsafe fn store(self, ptr: *mut f32) {
        // SAFETY: see above.
        unsafe { vst1q_f32(ptr, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, ptr: *mut f32, count: usize) {
        let mut lanes = [0.0; 4];
        // SAFETY: the array has four elements.
        unsafe { vst1q_f32(lanes.as_mut_ptr(), self.0) };
        for (i, lane) in lanes.into_iter().enumerate().take(count) {
            // SAFETY: see above.
            unsafe { *ptr.add(i) = lane };
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vsubq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vmulq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn add_mul(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }

    // NEON's own maximum propagates NaN from both sides, which is what callers want.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vmaxq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vminq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            (
                Self(vzip1q_f32(self.0, other.0)),
                Self(vzip2q_f32(self.0, other.0)),
            )
        }
    }

    #[inline(always)]
    fn deinterleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            (
                Self(vuzp1q_f32(self.0, other.0)),
                Self(vuzp2q_f32(self.0, other.0)),
            )
        }
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, src_step: usize, dst: *mut f32, dst_step: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: see above.
                unsafe { *dst.add(i * dst_step + j) = *src.add(j * src_step + i) };
            }
        }
    }
}
