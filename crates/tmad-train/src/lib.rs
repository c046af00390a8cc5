//! Training of T-MAD (Section IV of the paper): data, losses, trainer, checkpoints.

pub mod adversary;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod discriminators;
pub mod ema;
mod export;
pub mod losses;
pub mod objective;
mod run;
mod run_folder;
pub mod spectral_norm;
mod tensorboard;
mod trainer;
mod validation;

pub use export::export;
pub use run::{Ending, Event, Summary, TrainError, TrainOptions};
pub use trainer::train;
