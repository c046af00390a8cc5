//! Where the networks of metrics take their weights from.

use tmad::tensors::tensor_values;
use tmad::weights::{WeightsError, WeightsFile};

use burn::tensor::Device;

/// The values of a tensor of a file, by name and shape.
///
/// # Errors
///
/// [`WeightsError`] when it is missing, of another shape or number format, or not finite.
pub(crate) fn values_in(
    file: &WeightsFile<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, WeightsError> {
    let device = Device::flex();
    Ok(match *shape {
        [a, b, c, d] => tensor_values(file.tensor(name, [a, b, c, d], &device)?),
        _ => tensor_values(file.tensor(name, [shape.iter().product()], &device)?),
    })
}
