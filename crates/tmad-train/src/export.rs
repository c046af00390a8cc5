//! From a checkpoint to weights that can be shipped.

use crate::run::TrainError;
use crate::run_folder::{RunFolder, metadata};
use crate::weights_file::read_weights;
use crate::{checkpoint, ema};
use burn::tensor::Device;
use std::path::Path;
use tmad::model::Model;
use tmad::weights::{self, Precision};

/// Weights of another run of the same networks, with which those of a checkpoint are averaged.
/// Where one run started from the other's weights, the average is often better than either
/// (Wortsman et al., *Model soups*, 2022).
#[derive(Debug, Clone, PartialEq)]
pub struct Mix<'a> {
    /// A safetensors file.
    pub file: &'a Path,
    /// Its part of the average, from 0 to 1.
    pub share: f64,
}

/// Averaged weights of a checkpoint (`RUN/checkpoints/step-…`) as a safetensors file, mixed with
/// those of another one if wanted.
///
/// # Errors
///
/// [`TrainError`] if the checkpoint, or the configuration of its run, is missing or damaged, or
/// the other file is no weights of the same networks.
pub fn export(path: &Path, precision: Precision, mix: Option<&Mix>) -> Result<Vec<u8>, TrainError> {
    let unusable = |reason: String| TrainError::File {
        path: path.to_owned(),
        reason,
    };
    if !checkpoint::is_checkpoint(path) {
        let reason = "this is no checkpoint; name a folder like run/checkpoints/step-000002000";
        return Err(unusable(reason.to_owned()));
    }
    // From within a run's folder, too, its place is known.
    let path = &std::path::absolute(path).map_err(|e| unusable(e.to_string()))?;
    let run = path.parent().and_then(Path::parent).unwrap_or(path);
    let config = RunFolder::open(run, true)?.read_config()?;
    let model = Model::new(&config.model, config.seed, &Device::flex());
    let mut average = checkpoint::load_average(path, model)?;
    let mut metadata = metadata(&config, &checkpoint::record(path)?)?;
    if let Some(Mix { file, share }) = mix {
        // A clone, since parameters find each other by their ids.
        let other = read_weights(file, |weights| weights.load(average.clone()))?;
        average = ema::update(average, &other, 1.0 - share);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        metadata.insert("mixed_with".to_owned(), format!("{share} of {name}"));
    }
    weights::to_bytes(&average, precision, &metadata).map_err(|source| TrainError::Weights {
        path: path.to_owned(),
        source,
    })
}
