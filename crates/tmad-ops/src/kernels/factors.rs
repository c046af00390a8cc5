//! The factors of products: f32, or pairs of bf16 whose products are summed in f32.
//!
//! An f32's place, a slot, holds one f32 or two bf16. Scalars and vectors of slots are moved as
//! if they were f32, bit by bit; only what is here looks into them.

use super::simd::{Kernel, Level, Vector};

/// A format of factors, on vectors of sums `V`.
///
/// # Safety
/// of its functions: the CPU has `V` and the format's instructions, and pointers are readable
/// and writable for a vector.
pub(crate) trait Factors<V: Vector>: Format {
    /// `sum + a·b`, for all factors of the slots.
    unsafe fn add_product(sum: V, a: V, b: V) -> V;

    /// Stores factors `first..first + LANES` of a row in which neighbours share a slot.
    unsafe fn store_along(value: V, row: *mut f32, first: usize);

    /// Stores factor `n` of a vector of slots. All must be stored, in ascending order.
    unsafe fn store_across(value: V, row: *mut f32, n: usize);
}

/// A computation on factors of one format, compiled once per instruction set that has it, as a
/// [`Kernel`] is.
pub(crate) trait FactorKernel<F> {
    /// # Safety
    /// As [`Kernel::run`], and the CPU has the format's instructions.
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>;
}

/// A format, independently of vectors.
pub(crate) trait Format: Sized + Send + Sync + 'static {
    /// Factors of a slot.
    const PER_SLOT: usize;

    /// Slots of so many factors.
    fn slots(factors: usize) -> usize {
        factors.div_ceil(Self::PER_SLOT)
    }

    /// Runs `kernel` compiled for the format and for `level`.
    ///
    /// # Safety
    /// As [`Level::run`], and the CPU has the format's instructions.
    unsafe fn run<K: FactorKernel<Self>>(level: Level, kernel: K);
}

/// f32, a slot each.
pub(crate) struct Whole;

/// bf16, two a slot.
pub(crate) struct Halves;

impl Format for Whole {
    const PER_SLOT: usize = 1;

    unsafe fn run<K: FactorKernel<Self>>(level: Level, kernel: K) {
        struct Plain<K>(K);
        impl<K: FactorKernel<Whole>> Kernel for Plain<K> {
            #[inline(always)]
            unsafe fn run<V: Vector, const MR: usize>(self) {
                // SAFETY: the caller's promise.
                unsafe { self.0.run::<V, MR>() }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { level.run(Plain(kernel)) }
    }
}

impl<V: Vector> Factors<V> for Whole {
    #[inline(always)]
    unsafe fn add_product(sum: V, a: V, b: V) -> V {
        sum.add_mul(a, b)
    }

    #[inline(always)]
    unsafe fn store_along(value: V, row: *mut f32, first: usize) {
        // SAFETY: the caller's promise.
        unsafe { value.store(row.add(first)) }
    }

    #[inline(always)]
    unsafe fn store_across(value: V, row: *mut f32, _: usize) {
        // SAFETY: the caller's promise.
        unsafe { value.store(row) }
    }
}

impl Format for Halves {
    const PER_SLOT: usize = 2;

    unsafe fn run<K: FactorKernel<Self>>(_: Level, kernel: K) {
        // SAFETY: the caller's promise.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            super::simd::bf16::run(kernel)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = kernel;
            unreachable!("no instruction set but x86's multiplies bf16 here");
        }
    }
}
