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
pub(super) struct F32x16(__m512);

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
        // SAFETY: see above. Rows i and i+4, 8, 12 are loaded into the four quarters of one
        // register, so that only 4×4 transposes inside 128-bit lanes remain.
        unsafe {
            for q in 0..4 {
                macro_rules! row {
                    ($i:expr) => {{
                        let p = src.add(4 * q + $i * src_step);
                        let a = _mm512_castps128_ps512(_mm_loadu_ps(p));
                        let a = _mm512_insertf32x4::<1>(a, _mm_loadu_ps(p.add(4 * src_step)));
                        let a = _mm512_insertf32x4::<2>(a, _mm_loadu_ps(p.add(8 * src_step)));
                        _mm512_insertf32x4::<3>(a, _mm_loadu_ps(p.add(12 * src_step)))
                    }};
                }
                let (a, b, c, d) = (row!(0), row!(1), row!(2), row!(3));
                let ab_lo = _mm512_unpacklo_ps(a, b);
                let ab_hi = _mm512_unpackhi_ps(a, b);
                let cd_lo = _mm512_unpacklo_ps(c, d);
                let cd_hi = _mm512_unpackhi_ps(c, d);
                let dst = dst.add(4 * q * dst_step);
                _mm512_storeu_ps(dst, _mm512_shuffle_ps::<0x44>(ab_lo, cd_lo));
                _mm512_storeu_ps(dst.add(dst_step), _mm512_shuffle_ps::<0xEE>(ab_lo, cd_lo));
                _mm512_storeu_ps(
                    dst.add(2 * dst_step),
                    _mm512_shuffle_ps::<0x44>(ab_hi, cd_hi),
                );
                _mm512_storeu_ps(
                    dst.add(3 * dst_step),
                    _mm512_shuffle_ps::<0xEE>(ab_hi, cd_hi),
                );
            }
        }
    }
}
