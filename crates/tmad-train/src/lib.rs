//! Training of T-MAD (Section IV of the paper): data, losses, trainer, checkpoints.

pub mod adversary;
pub mod augment;
pub mod checkpoint;
mod clipping;
pub mod config;
pub mod data;
pub mod discriminators;
pub mod ema;
mod export;
pub mod losses;
mod meter;
pub mod objective;
pub mod pack;
mod precision;
mod run;
mod run_folder;
pub mod shard;
pub mod spectral_norm;
mod step;
mod tensorboard;
mod trainer;
mod validation;
mod weights_file;

pub use export::{Mix, export};
pub use run::{Ending, Event, Summary, TrainError, TrainOptions};
pub use trainer::train;
