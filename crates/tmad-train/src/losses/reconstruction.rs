//! L_recon, Eq. (1).

use super::{EPSILON, penalty};
use crate::config::LossConfig;
use burn::tensor::Tensor;

/// λ_m·mean over the hole + λ_v·mean over known pixels of |I_s − I|, with the means taken over
/// the batch as a whole.
///
/// # Shapes
///
/// `coarse` and `image` `[batch, 3, height, width]`, `mask` `[batch, 1, height, width]` with
/// 1 = hole; the result is a scalar `[1]`.
pub fn reconstruction(
    coarse: Tensor<4>,
    image: Tensor<4>,
    mask: Tensor<4>,
    losses: &LossConfig,
) -> Tensor<1> {
    let error = penalty(coarse - image, losses.squared).sum_dim(1);
    let mean_over =
        |region: Tensor<4>| (error.clone() * region.clone()).sum() / (region.sum() * 3.0 + EPSILON);
    let mut loss = mean_over(mask.clone()) * losses.hole;
    if losses.known != 0.0 {
        loss = loss + mean_over(1.0 - mask) * losses.known;
    }
    loss
}
