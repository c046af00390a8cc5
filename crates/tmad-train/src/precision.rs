//! The precision of a run.

use serde::{Deserialize, Serialize};
use tmad_ops::Precision;

/// How exactly a run's convolutions multiply. Weights, optimiser, losses and sums are f32 in any
/// case, and so is validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionChoice {
    /// As exactly as f32.
    F32,
    /// With factors of bf16, where the processor multiplies them; in f32 elsewhere.
    Bf16,
    /// The faster one of both, decided when the run is started.
    Auto,
}

impl PrecisionChoice {
    /// The precision on this machine.
    pub fn here(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Bf16 if Precision::Bf16.is_supported() => Precision::Bf16,
            Self::Bf16 => Precision::F32,
            Self::Auto => Precision::fastest(),
        }
    }

    /// What a run's folder holds: decided once and for all.
    pub(crate) fn decided(self) -> Self {
        match self.here() {
            _ if self != Self::Auto => self,
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}
