//! Eight lanes with AVX2 and FMA.

use std::arch::x86_64::*;

use super::{Kernel, Vector};

/// # Safety
/// The CPU has AVX2 and FMA, and the kernel's own conditions hold.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x8, 6>() }
}

#[derive(Clone, Copy)]
pub(super) struct F32x8(__m256);

static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The mask of the first `count` lanes.
#[inline(always)]
fn mask(count: usize) -> __m256i {
    debug_assert!(count <= 8);
    // SAFETY: `8 - count` is at least 0, so eight entries follow; only called with AVX2.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - count).cast()) }
}

// SAFETY of the blocks below: a value, or the caller of a constructor, proves AVX2 and FMA;
// the callers of loads and stores answer for the pointers.
impl Vector for F32x8 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(ptr: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_loadu_ps(ptr) })
    }

    #[inline(always)]
    unsafe fn load_partial(ptr: *const f32, count: usize) -> Self {
        // SAFETY: see above; masked lanes are not read.
        Self(unsafe { _mm256_maskload_ps(ptr, mask(count)) })
    }

    #[inline(always)]
    unsafe fn store(self, ptr: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(ptr, self.0) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, ptr: *mut f32, count: usize) {
        // SAFETY: see above; masked lanes are not written.
        unsafe { _mm256_maskstore_ps(ptr, mask(count), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn add_mul(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_unpacklo_ps(self.0, other.0);
            let high = _mm256_unpackhi_ps(self.0, other.0);
            (
                Self(_mm256_permute2f128_ps::<0x20>(low, high)),
                Self(_mm256_permute2f128_ps::<0x31>(low, high)),
            )
        }
    }

    #[inline(always)]
    fn deinterleave(self, other: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_permute2f128_ps::<0x20>(self.0, other.0);
            let high = _mm256_permute2f128_ps::<0x31>(self.0, other.0);
            (
                Self(_mm256_shuffle_ps::<0x88>(low, high)),
                Self(_mm256_shuffle_ps::<0xDD>(low, high)),
            )
        }
    }

    #[inline(always)]
    unsafe fn transpose(src: *const f32, src_step: usize, dst: *mut f32, dst_step: usize) {
        // SAFETY: see above. Rows i and i+4 are loaded into the two halves of one register,
        // so that only 4×4 transposes inside 128-bit lanes remain.
        unsafe {
            for q in 0..2 {
                macro_rules! row {
                    ($i:expr) => {{
                        let p = src.add(4 * q + $i * src_step);
                        let low = _mm256_castps128_ps256(_mm_loadu_ps(p));
                        _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(p.add(4 * src_step)))
                    }};
                }
                let (a, b, c, d) = (row!(0), row!(1), row!(2), row!(3));
                let ab_lo = _mm256_unpacklo_ps(a, b);
                let ab_hi = _mm256_unpackhi_ps(a, b);
                let cd_lo = _mm256_unpacklo_ps(c, d);
                let cd_hi = _mm256_unpackhi_ps(c, d);
                let dst = dst.add(4 * q * dst_step);
                _mm256_storeu_ps(dst, _mm256_shuffle_ps::<0x44>(ab_lo, cd_lo));
                _mm256_storeu_ps(dst.add(dst_step), _mm256_shuffle_ps::<0xEE>(ab_lo, cd_lo));
                _mm256_storeu_ps(
                    dst.add(2 * dst_step),
                    _mm256_shuffle_ps::<0x44>(ab_hi, cd_hi),
                );
                _mm256_storeu_ps(
                    dst.add(3 * dst_step),
                    _mm256_shuffle_ps::<0xEE>(ab_hi, cd_hi),
                );
            }
        }
    }
}
