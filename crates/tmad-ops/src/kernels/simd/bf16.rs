//! Products of bf16 pairs with AVX512-BF16.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::super::factors::{FactorKernel, Factors, Halves};
use super::Vector;
use super::avx512::F32x16;

/// Whether this machine has the instructions.
pub(in super::super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16")
}

/// # Safety
/// [`is_supported`], and the kernel's own conditions hold.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub(in super::super) unsafe fn run<K: FactorKernel<Halves>>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<F32x16, 8>() }
}

// SAFETY of the blocks below: only `run` leads here, whose caller promises the instructions; the
// callers of stores answer for the pointers.
impl Factors<F32x16> for Halves {
    #[inline(always)]
    unsafe fn add_product(sum: F32x16, a: F32x16, b: F32x16) -> F32x16 {
        // SAFETY: see above; the types are 64 bytes each.
        unsafe {
            let a = transmute::<__m512, __m512bh>(a.0);
            let b = transmute::<__m512, __m512bh>(b.0);
            F32x16(_mm512_dpbf16_ps(sum.0, a, b))
        }
    }

    #[inline(always)]
    unsafe fn store_along(value: F32x16, row: *mut f32, first: usize) {
        // SAFETY: see above.
        unsafe {
            let halves: __m256i = transmute(_mm512_cvtneps_pbh(value.0));
            _mm256_storeu_si256(row.cast::<u16>().add(first).cast(), halves);
        }
    }

    #[inline(always)]
    unsafe fn store_across(value: F32x16, row: *mut f32, n: usize) {
        // SAFETY: see above.
        unsafe {
            if n == 0 {
                value.store(row);
                return;
            }
            let first = F32x16::load(row);
            let halves: __m512i = transmute(_mm512_cvtne2ps_pbh(value.0, first.0));
            // Element i of the first vector beside element i of the second one.
            let low = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let places = _mm512_or_si512(
                low,
                _mm512_slli_epi32::<16>(_mm512_add_epi32(low, _mm512_set1_epi32(16))),
            );
            let pairs = _mm512_permutexvar_epi16(places, halves);
            _mm512_storeu_si512(row.cast(), pairs);
        }
    }
}
