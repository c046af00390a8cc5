//! The adversarial terms: the patch distribution loss of Eq. (6) and (7), the plain one of the
//! ablation in Table VI, and the blending loss's of Eq. (9).
//!
//! All are averages of softplus, the logarithm of the logistic function, of logits.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;

fn mean_softplus(x: Tensor<1>) -> Tensor<1> {
    softplus(x, 1.0).mean()
}

/// L_D of Eq. (6) for one picture: real patches (candidates and truth) are to score above the
/// mean of the synthesised ones, and those below the mean of the real ones.
///
/// # Shapes
///
/// `real` and `fake` are scores, `[n]`, of one picture; the result is a scalar `[1]`.
pub fn patch_distribution_discriminator(real: Tensor<1>, fake: Tensor<1>) -> Tensor<1> {
    mean_softplus(fake.clone().mean() - real.clone()) + mean_softplus(fake - real.mean())
}

/// L_G of Eq. (7) for one picture: synthesised patches are to score above the mean of the real
/// ones, and the whole memory not above their mean.
///
/// # Shapes
///
/// `memory`, `real` and `fake` are scores, `[n]`, of one picture; the result is a scalar `[1]`.
pub fn patch_distribution_generator(
    memory: Tensor<1>,
    real: Tensor<1>,
    fake: Tensor<1>,
) -> Tensor<1> {
    mean_softplus(memory - fake.clone().mean()) + mean_softplus(real.mean() - fake)
}

/// The classical discriminator's loss: real logits up, fake ones down.
///
/// # Shapes
///
/// Any number of logits, flattened; the result is a scalar `[1]`.
pub fn plain_discriminator(real: Tensor<1>, fake: Tensor<1>) -> Tensor<1> {
    mean_softplus(-real) + mean_softplus(fake)
}

/// The classical non-saturating generator's loss.
///
/// # Shapes
///
/// Any number of logits, flattened; the result is a scalar `[1]`.
pub fn plain_generator(fake: Tensor<1>) -> Tensor<1> {
    mean_softplus(-fake)
}
