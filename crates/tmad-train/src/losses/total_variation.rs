//! L_tv of Eq. (9).

use super::EPSILON;
use burn::tensor::Tensor;

/// Mean |Δx| + mean |Δy| over the pairs of neighbouring pixels of which at least one is in the
/// hole, times `weights`: both 1, or what the pairs are of a larger batch's.
///
/// # Shapes
///
/// `completed` `[batch, 3, height, width]`, `mask` `[batch, 1, height, width]` with 1 = hole; the
/// result is a scalar `[1]`.
pub fn total_variation(completed: Tensor<4>, mask: Tensor<4>, weights: [f64; 2]) -> Tensor<1> {
    let [_, channels, height, width] = completed.dims();
    let mean_step = |axis: usize, side: usize| {
        let first = |t: Tensor<4>| t.narrow(axis, 0, side - 1);
        let second = |t: Tensor<4>| t.narrow(axis, 1, side - 1);
        let step = (second(completed.clone()) - first(completed.clone())).abs();
        let touches = first(mask.clone()).max_pair(second(mask.clone()));
        (step * touches.clone()).sum() / (touches.sum() * channels as f64 + EPSILON)
    };
    mean_step(3, width) * weights[0] + mean_step(2, height) * weights[1]
}
