//! `--precision`.

use anyhow::{Result, bail};
use clap::ValueEnum;
use tmad_ops::Precision;
#[cfg(feature = "train")]
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
    /// Makes it the program's.
    ///
    /// # Errors
    ///
    /// If the processor does not have it.
    pub fn make_default(self) -> Result<()> {
        let precision = match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
            Self::Auto => Precision::fastest(),
        };
        if !precision.is_supported() {
            bail!("this processor does not multiply bf16; leave --precision away, or make it auto");
        }
        precision.make_default();
        Ok(())
    }

    /// As a training run's configuration has it.
    #[cfg(feature = "train")]
    pub fn of_a_run(self) -> config::PrecisionChoice {
        match self {
            Self::F32 => config::PrecisionChoice::F32,
            Self::Bf16 => config::PrecisionChoice::Bf16,
            Self::Auto => config::PrecisionChoice::Auto,
        }
    }
}
