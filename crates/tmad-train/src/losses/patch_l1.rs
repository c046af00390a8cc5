//! L_l1 of Eq. (8).

use super::penalty;
use burn::tensor::Tensor;

/// Mean |p̂ − p_gt| over whole patches, known pixels included.
///
/// # Shapes
///
/// Both `[num_patches, 3, k, k]`; the result is a scalar `[1]`. `squared` as in
/// [`LossConfig::squared`](crate::config::LossConfig::squared).
pub fn patch_l1(patches: Tensor<4>, truth: Tensor<4>, squared: f64) -> Tensor<1> {
    penalty(patches - truth, squared).mean()
}
