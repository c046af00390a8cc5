//! From a checkpoint to weights that can be shipped.

use crate::checkpoint;
use crate::run::TrainError;
use crate::run_folder::{RunFolder, metadata};
use burn::tensor::Device;
use std::path::Path;
use tmad::model::Model;
use tmad::weights::{self, Precision};

/// Averaged weights of a checkpoint (`RUN/checkpoints/step-…`) as a safetensors file.
///
/// # Errors
///
/// [`TrainError`] if the checkpoint, or the configuration of its run, is missing or damaged.
pub fn export(path: &Path, precision: Precision) -> Result<Vec<u8>, TrainError> {
    let run = path.parent().and_then(Path::parent).unwrap_or(path);
    let config = RunFolder::open(run, true)?.read_config()?;
    let model = Model::new(&config.model, config.seed, &Device::flex());
    let average = checkpoint::load_average(path, model)?;
    let metadata = metadata(&config, &checkpoint::record(path)?)?;
    weights::to_bytes(&average, precision, &metadata).map_err(|source| TrainError::Weights {
        path: path.to_owned(),
        source,
    })
}
