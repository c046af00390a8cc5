//! `--precision`.

use clap::ValueEnum;
use tmad_train::config;

/// How exactly convolutions multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionChoice {
    /// The same results on every machine
    F32,
    /// 8 bits a factor, where the processor multiplies bf16: faster
    Bf16,
    /// The fastest that the processor has
    Auto,
}

impl PrecisionChoice {
    /// As a training run's configuration has it.
    pub fn of_a_run(self) -> config::PrecisionChoice {
        match self {
            Self::F32 => config::PrecisionChoice::F32,
            Self::Bf16 => config::PrecisionChoice::Bf16,
            Self::Auto => config::PrecisionChoice::Auto,
        }
    }
}
