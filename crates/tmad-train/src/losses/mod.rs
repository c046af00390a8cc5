//! The loss terms, a file each. None of them reads a value back, logs or draws random numbers.

mod adversarial;
mod patch_l1;
mod perceptual;
mod reconstruction;
mod retrieval;
mod total_variation;

pub use adversarial::{
    patch_distribution_discriminator, patch_distribution_generator, plain_discriminator,
    plain_generator,
};
pub use patch_l1::patch_l1;
pub use perceptual::{perceptual, perceptual_of_unit_length};
pub use reconstruction::{log_squared, reconstruction};
pub use retrieval::retrieval;
pub use total_variation::total_variation;

use burn::tensor::Tensor;

/// Keeps quotients finite when a region is empty.
const EPSILON: f64 = 1e-12;

/// |e| + `squared`·h(e), element by element, where h(e) is e² up to |e| = 1 and goes on as a
/// straight line: a gradient that grew with the error would let one bad batch ruin networks that
/// have no normalisation.
fn penalty<const D: usize>(error: Tensor<D>, squared: f64) -> Tensor<D> {
    let error = error.abs();
    if squared == 0.0 {
        return error;
    }
    let small = error.clone().clamp_max(1.0);
    let huber = small.clone().square() + (error.clone() - small) * 2.0;
    error + huber * squared
}
