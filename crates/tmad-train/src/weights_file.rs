//! Files of weights that a run starts from or compares features with.

use crate::run::TrainError;
use std::path::Path;
use tmad::weights::{WeightsError, WeightsFile};

/// Reads a safetensors file.
///
/// # Errors
///
/// [`TrainError`] with the file's name.
pub(crate) fn read_weights<T>(
    path: &Path,
    load: impl FnOnce(&WeightsFile<'_>) -> Result<T, WeightsError>,
) -> Result<T, TrainError> {
    let failed = |reason: String| TrainError::File {
        path: path.to_owned(),
        reason,
    };
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "pth" || extension == "pt" {
        let advice = "a file of PyTorch's; convert it to safetensors first (README, \"Training\")";
        return Err(failed(advice.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    WeightsFile::parse(&bytes)
        .and_then(|file| load(&file))
        .map_err(|source| TrainError::Weights {
            path: path.to_owned(),
            source,
        })
}
