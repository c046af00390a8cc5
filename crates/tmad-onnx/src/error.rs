//! What can be wrong with a network's file, or happen while it runs.

use std::path::PathBuf;
use std::time::Duration;

/// Errors of this crate. A message says what to do where there is something to be done.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// The file is larger than any network of this kind.
    #[error("the file has {actual} MiB, a network may have {most} MiB")]
    TooLarge {
        /// Its size.
        actual: u64,
        /// The limit.
        most: u64,
    },
    /// The file is no ONNX model, is damaged, or needs an operator that is missing.
    #[error("this is no ONNX model that can be run: {0}")]
    Load(String),
    /// The network is none of those that are known, and its descriptor does not say enough.
    #[error(
        "this network is not known by its inputs ({inputs}); describe it in a JSON file beside it \
         (docs/onnx.md)"
    )]
    Unknown {
        /// Names and shapes of its inputs.
        inputs: String,
    },
    /// The descriptor is wrong or does not fit the network.
    #[error("the descriptor does not fit: {0}")]
    Descriptor(String),
    /// The network failed.
    #[error("the network failed: {0}")]
    Run(String),
    /// What the network gave back is no picture of the expected size.
    #[error("the network's result cannot be used: {0}")]
    Output(String),
    /// The network took too long.
    #[error("the network took longer than {} s and was stopped", .0.as_secs())]
    TimedOut(Duration),
    /// The process that runs the network ended by itself, most likely for want of memory.
    #[error("the network was stopped: {0}")]
    Stopped(String),
    /// What the process that runs the network says: one of the other errors, in words.
    #[error("{0}")]
    Answer(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}
