//! L_percep of Eq. (8).

use burn::tensor::Tensor;

/// Σ over the layers of mean |difference of the features| (weights 1, as mmediting).
///
/// # Shapes
///
/// Feature maps of a network, in the same order for both; the result is a scalar `[1]`. The
/// truth's features get no gradient.
///
/// # Panics
///
/// If there is no feature map.
pub fn perceptual(features: Vec<Tensor<4>>, truth: Vec<Tensor<4>>) -> Tensor<1> {
    (features.into_iter().zip(truth))
        .map(|(found, wanted)| (found - wanted.detach()).abs().mean())
        .reduce(|a, b| a + b)
        .expect("a feature network has layers")
}
