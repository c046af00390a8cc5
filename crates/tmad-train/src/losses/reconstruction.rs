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

/// Floor of the mean squared error, 40 dB on the scale [-1, 1]: what is better than that has no
/// say.
const LEAST: f64 = 4e-4;

/// Mean over the pictures of ln(mean squared error over the hole), which is their mean PSNR times
/// −ln(10)/10, plus a constant. Pictures without a hole count as perfect.
///
/// The error is that of means over boxes of `box_px` pixels, an odd number; known pixels have none.
/// With 1 it is that of pixels.
///
/// # Shapes
///
/// As for [`reconstruction`].
pub fn log_squared(
    coarse: Tensor<4>,
    image: Tensor<4>,
    mask: Tensor<4>,
    box_px: usize,
) -> Tensor<1> {
    let energy = |x: Tensor<4>| {
        let means = match box_px {
            1 => x,
            side => tmad_ops::box_means(x, side),
        };
        means.square().flatten::<2>(1, 3).sum_dim(1)
    };
    let error = energy((coarse - image) * mask.clone());
    let mean = error / (energy(mask) * 3.0 + EPSILON);
    (mean + LEAST).log().mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn log_squared_is_the_mean_psnr_of_the_holes() {
        let device = Device::flex();
        let shape = [3, 3, 4, 5];
        let image = Tensor::<4>::zeros(shape, &device);
        // Errors of 0.2 and 0.5 everywhere; the third picture has no hole.
        let error = Tensor::<1>::from_floats([0.2, 0.5, 0.9], &device)
            .reshape([3, 1, 1, 1])
            .expand(shape);
        let hole = Tensor::<1>::from_floats([1.0, 1.0, 0.0], &device).reshape([3, 1, 1, 1]);
        // Half of each picture, or nothing.
        let left = Tensor::<1>::from_floats([1.0, 0.0, 1.0, 0.0, 0.0], &device);
        let mask = hole.expand([3, 1, 4, 5]) * left.reshape([1, 1, 1, 5]);
        let expected = [0.04f64, 0.25, 0.0].map(|mse| (mse + LEAST).ln());
        let expected = expected.iter().sum::<f64>() / 3.0;
        // The mean of an error that is the same everywhere is that error.
        for box_px in [1, 3] {
            let found = log_squared(error.clone(), image.clone(), mask.clone(), box_px);
            let found = found.into_scalar::<f32>() as f64;
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn means_over_boxes_do_not_see_what_cancels_within_them() {
        let device = Device::flex();
        let signs: Vec<f32> = (0..81).map(|i| [0.3, -0.3][i % 2]).collect();
        let error = Tensor::<1>::from_floats(signs.as_slice(), &device)
            .reshape([1, 1, 9, 9])
            .expand([1, 3, 9, 9]);
        let (image, mask) = (
            Tensor::zeros_like(&error),
            Tensor::ones([1, 1, 9, 9], &device),
        );
        let of = |box_px| {
            let found = log_squared(error.clone(), image.clone(), mask.clone(), box_px);
            found.into_scalar::<f32>() as f64
        };
        assert!((of(1) - (0.09 + LEAST).ln()).abs() < 1e-5);
        assert!(of(5) < of(3) && of(3) < of(1) - 3.0, "{} {}", of(3), of(5));
    }
}
