//! Sixteen lanes with AVX-512F.

use std::arch::x86_64::*;

use super::{Kernel, Vector};

/// # Safety
/// The CPU has AVX-512F, and the kernel's own conditions hold.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x16, 8>() }
}

#[derive(Clone, Copy)]
pub(super) struct F32x16(pub(super) __m512);

// SAFETY of the blocks below: a value, or the caller of a constructor, proves AVX-512F; the
// callers of loads and stores answer for the pointers.
impl Vector for F32x16 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(ptr: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_ps(ptr) })
    }

    #[inline(always)]
    unsafe fn load_partial(ptr: *const f32, count: usize) -> Self {
        // SAFETY: see above; masked lanes are not read.
        Self(unsafe { _mm512_maskz_loadu_ps((1 << count) - 1, ptr) })
    }

    #[inline(always)]
    unsafe fn store(self, ptr: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(ptr, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, ptr: *mut f32, count: usize) {
        // SAFETY: see above; masked lanes are not written.
        unsafe { _mm512_mask_storeu_ps(ptr, (1 << count) - 1, self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn add_mul(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (
                Self(_mm512_permutex2var_ps(self.0, low, other.0)),
                Self(_mm512_permutex2var_ps(self.0, high, other.0)),
            )
        }
    }

    #[inline(always)]
    fn deinterleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            (
                Self(_mm512_permutex2var_ps(self.0, even, other.0)),
                Self(_mm512_permutex2var_ps(self.0, odd, other.0)),
            )
        }
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, src_step: usize, dst: *mut f32, dst_step: usize) {
        // SAFETY: see above. Whole rows are loaded once each: where planes lie a power of two
        // apart, all rows share one cache set and would be evicted between partial loads.
        unsafe {
            let mut r = [_mm512_setzero_ps(); 16];
            for (i, r) in r.iter_mut().enumerate() {
                *r = _mm512_loadu_ps(src.add(i * src_step));
            }
            // 4×4 transposes inside each 128-bit lane of four rows.
            let mut t = r;
            for i in (0..16).step_by(4) {
                let ab_lo = _mm512_unpacklo_ps(r[i], r[i + 1]);
                let ab_hi = _mm512_unpackhi_ps(r[i], r[i + 1]);
                let cd_lo = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
                let cd_hi = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
                t[i] = _mm512_shuffle_ps::<0x44>(ab_lo, cd_lo);
                t[i + 1] = _mm512_shuffle_ps::<0xEE>(ab_lo, cd_lo);
                t[i + 2] = _mm512_shuffle_ps::<0x44>(ab_hi, cd_hi);
                t[i + 3] = _mm512_shuffle_ps::<0xEE>(ab_hi, cd_hi);
            }
            // A 4×4 transpose of the lanes: t[4q + j] holds rows 4q.. of columns j, 4 + j, ….
            for j in 0..4 {
                let ab_even = _mm512_shuffle_f32x4::<0x88>(t[j], t[4 + j]);
                let ab_odd = _mm512_shuffle_f32x4::<0xDD>(t[j], t[4 + j]);
                let cd_even = _mm512_shuffle_f32x4::<0x88>(t[8 + j], t[12 + j]);
                let cd_odd = _mm512_shuffle_f32x4::<0xDD>(t[8 + j], t[12 + j]);
                let columns = [
                    _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even),
                    _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd),
                    _mm512_shuffle_f32x4::<0xDD>(ab_even, cd_even),
                    _mm512_shuffle_f32x4::<0xDD>(ab_odd, cd_odd),
                ];
                for (q, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_ps(dst.add((4 * q + j) * dst_step), column);
                }
            }
        }
    }
}
