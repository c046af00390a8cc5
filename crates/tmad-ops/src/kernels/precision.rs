//! How exactly convolutions multiply.

#[cfg(target_arch = "x86_64")]
use super::simd::Level;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Precision of the factors of products. Sums are f32 in any case, as are weights, activations
/// and everything between the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 24 bits.
    #[default]
    F32,
    /// 8 bits: faster where the processor multiplies pairs of bf16. Operations or sizes for which
    /// that is not so are computed in f32 all the same.
    Bf16,
}

static DEFAULT_IS_BF16: AtomicBool = AtomicBool::new(false);

thread_local! {
    static FORCED: Cell<Option<Precision>> = const { Cell::new(None) };
}

impl Precision {
    /// The name, as options of commands have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether this machine can, with the instruction set that is current on this thread.
    pub fn is_supported(self) -> bool {
        match self {
            Self::F32 => true,
            #[cfg(target_arch = "x86_64")]
            Self::Bf16 => Level::current() == Level::Avx512 && super::simd::bf16::is_supported(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Bf16 => false,
        }
    }

    /// The fastest one that this machine has.
    pub fn fastest() -> Self {
        [Self::Bf16, Self::F32]
            .into_iter()
            .find(|precision| precision.is_supported())
            .unwrap_or_default()
    }

    /// Makes it the precision of every thread of the program; at the start it is f32.
    pub fn make_default(self) {
        DEFAULT_IS_BF16.store(self == Self::Bf16, Ordering::Relaxed);
    }

    /// Runs `f` with this precision for whatever this thread calls.
    pub fn force<R>(self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Precision>);
        impl Drop for Restore {
            fn drop(&mut self) {
                FORCED.set(self.0);
            }
        }
        let _restore = Restore(FORCED.replace(Some(self)));
        f()
    }

    /// What a kernel called now on this thread uses: the one of [`Precision::force`], else that
    /// of [`Precision::make_default`], but f32 where the machine cannot.
    pub fn current() -> Self {
        let default = || match DEFAULT_IS_BF16.load(Ordering::Relaxed) {
            true => Self::Bf16,
            false => Self::F32,
        };
        let wanted = FORCED.get().unwrap_or_else(default);
        if wanted.is_supported() {
            wanted
        } else {
            Self::F32
        }
    }
}
