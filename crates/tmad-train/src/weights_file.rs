//! Files of weights that a run starts from or compares features with.

use crate::run::TrainError;
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use tmad::weights::{WeightsError, WeightsFile};

/// Tensors of torchvision's networks that a perceptual loss needs; VGG-19's others are 500 MB.
const FEATURES: &str = "features.";

/// Reads a safetensors file.
///
/// # Errors
///
/// [`TrainError`] with the file's name.
pub(crate) fn read_weights<T>(
    path: &Path,
    load: impl FnOnce(&WeightsFile<'_>) -> Result<T, WeightsError>,
) -> Result<T, TrainError> {
    let bytes = std::fs::read(path).map_err(|error| failed(path, error))?;
    parsed(path, &bytes, load)
}

/// Reads torchvision's `features.*` out of a safetensors file or of what `torch.save` wrote
/// (`.pth`, `.pt`). Nothing in the latter is executed.
///
/// # Errors
///
/// [`TrainError`] with the file's name.
pub(crate) fn read_features<T>(
    path: &Path,
    load: impl FnOnce(&WeightsFile<'_>) -> Result<T, WeightsError>,
) -> Result<T, TrainError> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension != "pth" && extension != "pt" {
        return read_weights(path, load);
    }
    let reader = PytorchReader::new(path).map_err(|error| failed(path, error))?;
    let mut tensors = Vec::new();
    for (name, tensor) in reader.tensors() {
        let dtype = match tensor.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            _ => continue,
        };
        if name.starts_with(FEATURES) {
            let mut bytes = tensor.read().map_err(|error| failed(path, error))?;
            if cfg!(target_endian = "big") {
                let elements = bytes.chunks_exact_mut(tensor.dtype().size());
                elements.for_each(<[u8]>::reverse);
            }
            tensors.push((name, dtype, tensor.shape().to_vec(), bytes));
        }
    }
    let mut views = Vec::with_capacity(tensors.len());
    for (name, dtype, shape, bytes) in &tensors {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        views.push((*name, view.map_err(|error| failed(path, error))?));
    }
    let bytes = safetensors::serialize(views, None).map_err(|error| failed(path, error))?;
    parsed(path, &bytes, load)
}

fn parsed<T>(
    path: &Path,
    bytes: &[u8],
    load: impl FnOnce(&WeightsFile<'_>) -> Result<T, WeightsError>,
) -> Result<T, TrainError> {
    WeightsFile::parse(bytes)
        .and_then(|file| load(&file))
        .map_err(|source| TrainError::Weights {
            path: path.to_owned(),
            source,
        })
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> TrainError {
    TrainError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};

    /// `torch.save({"features.0.weight": torch.arange(6.).view(2, 3) / 4,
    /// "features.3.bias": torch.tensor([1.5, -2.0]).half(), "classifier.weight":
    /// torch.zeros(2)}, "features.pth")` with PyTorch 2.11.
    const FILE: &[u8] = include_bytes!("../tests/features.pth");

    #[test]
    fn features_of_a_file_of_pytorch_s_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vgg.pth");
        std::fs::write(&path, FILE).unwrap();
        let device = Device::default();
        let expected: Tensor<2> = Tensor::from_data([[0.0, 0.25, 0.5], [0.75, 1.0, 1.25]], &device);
        let found = read_features(&path, |file| {
            let mut names = file.names();
            names.sort_unstable();
            assert_eq!(names, ["features.0.weight", "features.3.bias"]);
            let bias: Tensor<1> = file.tensor("features.3.bias", [2], &device)?;
            bias.into_data().assert_eq(&[1.5f32, -2.0].into(), true);
            file.tensor("features.0.weight", [2, 3], &device)
        });
        (found.unwrap().into_data()).assert_eq(&expected.into_data(), true);
    }

    #[test]
    fn damaged_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pth");
        for bytes in [&FILE[..FILE.len() / 2], b"no weights", b""] {
            std::fs::write(&path, bytes).unwrap();
            let error = read_features(&path, |_| Ok(())).unwrap_err().to_string();
            assert!(error.contains("cut.pth"), "{error}");
        }
    }
}
