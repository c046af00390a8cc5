//! Four lanes with the 128-bit vectors of WebAssembly, for modules that are compiled with them.

use std::arch::wasm32::*;

use super::{Kernel, Vector};

/// # Safety
/// The kernel's own conditions hold.
#[target_feature(enable = "simd128")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) {
    // Browsers map the vectors onto 16 registers on x86-64: 8 sums, 2 vectors, a scalar, a product.
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x4, 4>() }
}

#[derive(Clone, Copy)]
pub(super) struct F32x4(v128);

// SAFETY of the blocks below: the callers of loads and stores answer for the pointers.
impl Vector for F32x4 {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline(always)]
    unsafe fn load(ptr: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { v128_load(ptr.cast()) })
    }

    #[inline(always)]
    unsafe fn load_partial(ptr: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: see above.
            *lane = unsafe { *ptr.add(i) };
        }
        // SAFETY: the array has four elements.
        Self(unsafe { v128_load(lanes.as_ptr().cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, ptr: *mut f32) {
        // SAFETY: see above.
        unsafe { v128_store(ptr.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, ptr: *mut f32, count: usize) {
        let mut lanes = [0.0; 4];
        // SAFETY: the array has four elements.
        unsafe { v128_store(lanes.as_mut_ptr().cast(), self.0) };
        for (i, lane) in lanes.into_iter().enumerate().take(count) {
            // SAFETY: see above.
            unsafe { *ptr.add(i) = lane };
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }

    #[inline(always)]
    fn add_mul(self, a: Self, b: Self) -> Self {
        self.add(a.mul(b))
    }

    // `pmax(a, b)` is `b` where `a < b`, and else `a`, as one instruction of x86-64.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(f32x4_pmax(other.0, self.0))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(f32x4_pmin(other.0, self.0))
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        (
            Self(i32x4_shuffle::<0, 4, 1, 5>(self.0, other.0)),
            Self(i32x4_shuffle::<2, 6, 3, 7>(self.0, other.0)),
        )
    }

    #[inline(always)]
    fn deinterleave(self, other: Self) -> (Self, Self) {
        (
            Self(i32x4_shuffle::<0, 2, 4, 6>(self.0, other.0)),
            Self(i32x4_shuffle::<1, 3, 5, 7>(self.0, other.0)),
        )
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, src_step: usize, dst: *mut f32, dst_step: usize) {
        // SAFETY: see above.
        unsafe {
            let row = |i: usize| Self::load(src.add(i * src_step));
            let (ac_low, ac_high) = row(0).interleave(row(2));
            let (bd_low, bd_high) = row(1).interleave(row(3));
            let ((first, second), (third, fourth)) =
                (ac_low.interleave(bd_low), ac_high.interleave(bd_high));
            for (i, row) in [first, second, third, fourth].into_iter().enumerate() {
                row.store(dst.add(i * dst_step));
            }
        }
    }
}
