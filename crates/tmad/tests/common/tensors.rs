//! Tensors from values and back, and comparisons with a stated tolerance.

#![allow(dead_code)] // Each test binary uses its own part.

use burn::tensor::{Device, Tensor, TensorData};

/// The CPU device, on which the project's own kernels run.
pub fn device() -> Device {
    Device::flex()
}

/// The same with gradients.
pub fn autodiff() -> Device {
    Device::flex().autodiff()
}

/// A tensor from its values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor, row-major.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    (tensor.into_data().convert::<f32>())
        .try_into_vec()
        .expect("converted to f32")
}

/// The single value of a tensor.
pub fn scalar(tensor: Tensor<1>) -> f64 {
    let values = values(tensor);
    assert_eq!(values.len(), 1);
    f64::from(values[0])
}

/// The largest difference relative to the largest expected magnitude. Element-wise relative
/// errors mean little where a sum cancels.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "number of values");
    let largest = expected
        .iter()
        .fold(0.0f64, |m, &e| m.max(f64::from(e).abs()));
    let error = found.iter().zip(expected).fold(0.0f64, |m, (&f, &e)| {
        let difference = (f64::from(f) - f64::from(e)).abs();
        // `max` would drop a NaN.
        if difference.is_nan() {
            f64::INFINITY
        } else {
            m.max(difference)
        }
    });
    if error == 0.0 { 0.0 } else { error / largest }
}

/// Fails unless [`relative_error`] is at most `tolerance`.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f64, what: &str) {
    let error = relative_error(found, expected);
    assert!(
        error <= tolerance,
        "{what} is off by {error:.2e} of its largest value"
    );
}

/// Fails unless both hold the same bits, except that −0 equals 0.
#[track_caller]
pub fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differs = found.iter().zip(expected).position(|(f, e)| f != e);
    if let Some(at) = differs {
        panic!("{what}[{at}]: {} instead of {}", found[at], expected[at]);
    }
}
