//! What a caller says to a training run, and what it hears from it.

use crate::checkpoint::CheckpointError;
use crate::config::TrainConfig;
use crate::data::DataError;
use burn::tensor::Device;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tmad::ConfigError;
use tmad::weights::WeightsError;

/// A run.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Folder of pictures, searched recursively, or a file of them ([`pack`](crate::pack)).
    pub data: PathBuf,
    /// Folder of the run: configuration, log, checkpoints, previews, weights.
    pub out: PathBuf,
    /// The configuration; when resuming, that of the run's folder is used instead.
    pub config: TrainConfig,
    /// Goes on from the newest intact checkpoint in `out`.
    pub resume: bool,
    /// Weights to start from; tensors that the networks have and the file has not stay fresh.
    pub init: Option<PathBuf>,
    /// Weights of the perceptual loss's feature network, VGG-19 or SqueezeNet 1.1 with
    /// torchvision's names; without them that loss is left out.
    pub perceptual_weights: Option<PathBuf>,
    /// Ends the run with a checkpoint after this time.
    pub time_limit: Option<Duration>,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Checkpoints that are kept, at least one.
    pub keep: usize,
    /// Where to train, without autodiff. Every batch is split among all of them ([`shard`]
    /// says how); weights, optimiser and checkpoints are the first one's.
    ///
    /// [`shard`]: crate::shard
    pub devices: Vec<Device>,
    /// Ends the run with a checkpoint when set.
    pub stop: Arc<AtomicBool>,
}

/// News of a run, also what its log (`log.jsonl`) holds, a line each.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A stage begins or goes on.
    Stage {
        /// Its index.
        stage: usize,
        /// Steps already done.
        step: u64,
        /// Steps in all.
        steps: u64,
        /// Pictures that are drawn from.
        pictures: usize,
        /// Precision of the products, `f32` or `bf16`.
        precision: &'static str,
    },
    /// Means over the steps since the last such event.
    Step {
        /// Index of the stage.
        stage: usize,
        /// Finished steps of the stage.
        step: u64,
        /// Its steps in all.
        steps: u64,
        /// Weighted loss terms by name, and their sum as `total`.
        losses: Vec<(String, f64)>,
        /// What tells whether the training is healthy: the discriminators' own losses (`patch`,
        /// `global`), by how much real scores exceed fake ones (`patch_margin`,
        /// `global_margin`), and the norms of the generator's gradient (`gradient`) and of what of
        /// it reaches the embeddings.
        news: Vec<(String, f64)>,
        /// Learning rate of the last step.
        learning_rate: f64,
        /// Speed.
        pictures_per_second: f64,
        /// Expected time until the stage ends.
        seconds_left: f64,
    },
    /// The averaged weights on pictures that are kept away from training.
    Validation {
        /// Index of the stage.
        stage: usize,
        /// Finished steps of the stage.
        step: u64,
        /// PSNR over the hole in dB by output (`coarse`, `completed`).
        psnr: Vec<(String, f64)>,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Its folder.
        path: PathBuf,
    },
    /// Something is wrong, but the run goes on.
    Warning {
        /// What.
        message: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All stages are done.
    Finished,
    /// The time was up.
    TimeLimit,
    /// The caller stopped it.
    Stopped,
}

/// Result of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Why it ended.
    pub ending: Ending,
    /// The averaged weights, ready for use.
    pub weights: PathBuf,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The pictures.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights to start from.
    #[error("weights {}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// A file of the run's folder.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The folder already holds a run.
    #[error("{} already holds a run; go on with --resume or choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{} holds no intact checkpoint; start without --resume", path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// The run had a perceptual loss, and would go on without.
    #[error(
        "the run had a perceptual loss with the features of {network}; give the same weights again, or set losses.perceptual and losses.coarse_perceptual to 0 in its config.json to go on without"
    )]
    LacksFeatures {
        /// The feature network.
        network: String,
    },
    /// The loss is no number any more.
    #[error(
        "the loss is not finite ({value}) at step {step} of stage {stage}; the last checkpoint is kept. Lower the learning rate and go on with --resume"
    )]
    NotFinite {
        /// Index of the stage.
        stage: usize,
        /// The step.
        step: u64,
        /// The loss.
        value: f64,
    },
    /// 64 damaged pictures in a row.
    #[error("too many pictures are damaged; see the warnings")]
    Damaged,
    /// The configuration makes no sense.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// No device was given.
    #[error("there is no device to train on; give one or more")]
    NoDevice,
    /// What weights carry as metadata cannot be written down.
    #[error("the configuration cannot be stored: {0}")]
    Metadata(#[from] serde_json::Error),
}
