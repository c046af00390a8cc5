//! Vectors of f32 and the choice of an instruction set at run time.
//!
//! A kernel is written once, generic over [`Vector`], as a type that implements [`Kernel`].
//! [`Level::run`] instantiates it inside a function that is compiled for one instruction
//! set. Everything between that function and the intrinsics is `#[inline(always)]`: code
//! that is not inlined there would be compiled for the baseline and call each intrinsic.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
pub(super) mod bf16;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

use std::cell::Cell;
use std::sync::OnceLock;

/// A vector of `LANES` f32.
///
/// A value can only be made by an unsafe function whose caller promises that the
/// instruction set is there, so arithmetic on values that exist is safe.
pub(crate) trait Vector: Copy + 'static {
    /// Elements of the vector; at most [`MAX_LANES`].
    const LANES: usize;

    /// # Safety
    /// The CPU has the instruction set of this vector.
    unsafe fn splat(value: f32) -> Self;

    /// # Safety
    /// As [`Vector::splat`], and `ptr` is readable for `LANES` elements.
    unsafe fn load(ptr: *const f32) -> Self;

    /// Loads `count < LANES` elements; the others are 0.
    ///
    /// # Safety
    /// As [`Vector::splat`], and `ptr` is readable for `count` elements.
    unsafe fn load_partial(ptr: *const f32, count: usize) -> Self;

    /// # Safety
    /// `ptr` is writable for `LANES` elements.
    unsafe fn store(self, ptr: *mut f32);

    /// Stores the first `count < LANES` elements.
    ///
    /// # Safety
    /// `ptr` is writable for `count` elements.
    unsafe fn store_partial(self, ptr: *mut f32, count: usize);

    /// `self + other`.
    fn add(self, other: Self) -> Self;

    /// `self − other`.
    fn sub(self, other: Self) -> Self;

    /// `self · other`.
    fn mul(self, other: Self) -> Self;

    /// `self + a · b`; fused where the instruction set can.
    fn add_mul(self, a: Self, b: Self) -> Self;

    /// The larger of both, `other` where one is NaN.
    fn max(self, other: Self) -> Self;

    /// The smaller of both, `other` where one is NaN.
    fn min(self, other: Self) -> Self;

    /// `self[0], other[0], self[1], other[1], …` as two vectors.
    fn interleave(self, other: Self) -> (Self, Self);

    /// The elements at even and at odd places of `self` followed by `other`.
    fn deinterleave(self, other: Self) -> (Self, Self);

    /// `dst[i·dst_step + j] = src[j·src_step + i]` for `i, j < LANES`.
    ///
    /// # Safety
    /// As [`Vector::splat`]; both matrices are readable or writable and do not overlap.
    unsafe fn transpose(src: *const f32, src_step: usize, dst: *mut f32, dst_step: usize);
}

/// The widest vector.
pub(crate) const MAX_LANES: usize = 16;

/// A computation that is compiled once per instruction set.
///
/// `MR` is the number of scalars a register tile of two vectors each can hold.
pub(crate) trait Kernel {
    /// # Safety
    /// The CPU has the instruction set of `V`, and the pointers in `self` are as its
    /// documentation says. Implementations are `#[inline(always)]`.
    unsafe fn run<V: Vector, const MR: usize>(self);
}

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Plain Rust, as the target's baseline allows.
    Scalar,
    /// 128-bit vectors of aarch64.
    Neon,
    /// 128-bit vectors of WebAssembly.
    Simd128,
    /// 256-bit vectors and fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

thread_local! {
    static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
}

impl Level {
    /// Every level, the slowest first.
    pub const ALL: [Self; 5] = [
        Self::Scalar,
        Self::Neon,
        Self::Simd128,
        Self::Avx2,
        Self::Avx512,
    ];

    /// The name that `TMAD_SIMD` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Simd128 => "simd128",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run it.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Simd128 => cfg!(all(target_arch = "wasm32", target_feature = "simd128")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The level a kernel called now on this thread uses: the one forced by
    /// [`Level::force`], else the one named by the environment variable `TMAD_SIMD`
    /// (`avx512`, `avx2`, `neon` or `scalar`, read once), else the best there is. An unknown
    /// name, or a level this machine does not have, is ignored with one line on stderr.
    pub fn current() -> Self {
        static DEFAULT: OnceLock<Level> = OnceLock::new();
        FORCED
            .get()
            .unwrap_or_else(|| *DEFAULT.get_or_init(Self::from_environment))
    }

    fn from_environment() -> Self {
        let best = Self::ALL
            .into_iter()
            .rfind(|level| level.is_supported())
            .unwrap_or(Self::Scalar);
        let Ok(name) = std::env::var("TMAD_SIMD") else {
            return best;
        };
        Self::supported_by_name(&name).unwrap_or_else(|| {
            let best_name = best.name();
            eprintln!(
                "TMAD_SIMD={name} is not an instruction set of this machine; using {best_name}"
            );
            best
        })
    }

    /// The level of that name, if this machine has it.
    fn supported_by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == name && level.is_supported())
    }

    /// Runs `f` with this level for every kernel called from this thread, as tests and
    /// benchmarks need it.
    ///
    /// # Panics
    /// If this machine does not support the level.
    pub fn force<R>(self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Level>);
        impl Drop for Restore {
            fn drop(&mut self) {
                FORCED.set(self.0);
            }
        }
        assert!(self.is_supported(), "{} is not supported here", self.name());
        let _restore = Restore(FORCED.replace(Some(self)));
        f()
    }

    /// Elements of one vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Scalar | Self::Neon | Self::Simd128 => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Runs `kernel` compiled for this level.
    ///
    /// # Safety
    /// `self.is_supported()`, and what the kernel's own documentation asks for.
    #[inline]
    pub(crate) unsafe fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: the caller promises support; `Level` values come from `current`.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => avx512::run(kernel),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => avx2::run(kernel),
                #[cfg(target_arch = "aarch64")]
                Self::Neon => neon::run(kernel),
                #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                Self::Simd128 => simd128::run(kernel),
                _ => kernel.run::<portable::F32x4, 4>(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_select_levels() {
        assert_eq!(Level::supported_by_name("scalar"), Some(Level::Scalar));
        assert_eq!(Level::supported_by_name("sse9"), None);
        for level in Level::ALL {
            let expected = level.is_supported().then_some(level);
            assert_eq!(Level::supported_by_name(level.name()), expected);
        }
    }

    #[test]
    fn force_ends_with_its_scope() {
        let before = Level::current();
        Level::Scalar.force(|| assert_eq!(Level::current(), Level::Scalar));
        assert_eq!(Level::current(), before);
    }

    /// Compares every operation that moves lanes with plain indexing.
    struct Moves;

    impl Kernel for Moves {
        #[inline(always)]
        unsafe fn run<V: Vector, const MR: usize>(self) {
            const STEP: usize = MAX_LANES + 3;
            let n = V::LANES;
            let src: Vec<f32> = (0..MAX_LANES * STEP).map(|i| i as f32).collect();
            let mut dst = vec![-1.0; MAX_LANES * STEP];
            let (mut low, mut high) = ([-1.0; MAX_LANES], [-1.0; MAX_LANES]);
            // SAFETY: all buffers hold the widest vector or block.
            unsafe {
                V::transpose(src.as_ptr(), STEP, dst.as_mut_ptr(), STEP);
                for i in 0..n {
                    for j in 0..n {
                        assert_eq!(dst[i * STEP + j], src[j * STEP + i]);
                    }
                }
                let (a, b) = (V::load(src.as_ptr()), V::load(src.as_ptr().add(n)));
                let (even, odd) = a.deinterleave(b);
                even.store(low.as_mut_ptr());
                odd.store(high.as_mut_ptr());
                for i in 0..n {
                    assert_eq!((low[i], high[i]), (src[2 * i], src[2 * i + 1]));
                }
                let (first, second) = even.interleave(odd);
                first.store(low.as_mut_ptr());
                second.store(high.as_mut_ptr());
                assert_eq!((&low[..n], &high[..n]), (&src[..n], &src[n..2 * n]));
                for count in 0..n {
                    low = [-1.0; MAX_LANES];
                    V::load_partial(src.as_ptr().add(1), count).store(low.as_mut_ptr());
                    assert_eq!(&low[..count], &src[1..1 + count]);
                    assert!(low[count..n].iter().all(|&lane| lane == 0.0));
                    low = [-1.0; MAX_LANES];
                    a.store_partial(low.as_mut_ptr(), count);
                    assert_eq!(&low[..count], &src[..count]);
                    assert!(low[count..].iter().all(|&lane| lane == -1.0));
                }
            }
        }
    }

    #[test]
    fn lanes_move_as_documented() {
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            // SAFETY: the level is supported.
            unsafe { level.run(Moves) }
        }
    }
}
