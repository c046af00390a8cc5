//! The loss terms, a file each. None of them reads a value back, logs or draws random numbers.

mod patch_l1;
mod reconstruction;
mod total_variation;

pub use patch_l1::patch_l1;
pub use reconstruction::reconstruction;
pub use total_variation::total_variation;

use burn::tensor::Tensor;

/// Keeps quotients finite when a region is empty.
const EPSILON: f64 = 1e-12;

/// |e| + `squared`·e², element by element.
fn penalty<const D: usize>(error: Tensor<D>, squared: f64) -> Tensor<D> {
    if squared == 0.0 {
        return error.abs();
    }
    error.clone().abs() + error.square() * squared
}
