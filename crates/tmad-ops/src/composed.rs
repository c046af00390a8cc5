//! The operations composed of Burn's own: slow, plain, differentiable on every device.

use crate::{CARAFE_KERNEL, CARAFE_TAPS, Conv2dOptions, MaxPool};
use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, softmax};
use burn::tensor::module::{avg_pool2d, conv2d as burn_conv2d, max_pool2d, unfold4d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions, UnfoldOptions};

/// See [`crate::conv2d`].
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: Conv2dOptions,
) -> Tensor<4> {
    conv2d_fused(x, weight, bias, None, options)
}

/// See [`crate::conv2d_fused`].
pub fn conv2d_fused(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
    options: Conv2dOptions,
) -> Tensor<4> {
    let Conv2dOptions {
        stride,
        padding,
        dilation,
        negative_slope,
    } = options;
    let geometry = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], 1);
    let mut y = burn_conv2d(x, weight, Some(bias), geometry);
    if let Some(residual) = residual {
        y = y + residual;
    }
    match negative_slope {
        Some(slope) => leaky_relu(y, slope as f64),
        None => y,
    }
}

/// See [`crate::box_means`]: first along columns, then along rows, which is the same and much less
/// work.
pub fn box_means(x: Tensor<4>, side: usize) -> Tensor<4> {
    let along = |x: Tensor<4>, sides: [usize; 2]| {
        let options = AvgPoolOptions::new(sides)
            .with_stride([1; 2])
            .with_padding(sides.map(|side| side / 2))
            .with_count_include_pad(false);
        avg_pool2d(x, options)
    };
    along(along(x, [side, 1]), [1, side])
}

/// See [`crate::max_pool`].
pub fn max_pool(x: Tensor<4>, pool: MaxPool) -> Tensor<4> {
    let options = MaxPoolOptions::new([pool.side; 2])
        .with_stride([pool.stride; 2])
        .with_ceil_mode(pool.ceil_mode);
    max_pool2d(x, options)
}

/// See [`crate::carafe`].
///
/// Works at the low resolution, where the four output pixels of a source pixel share its 5×5
/// window: a batched product `[channels, 25] × [25, 4]` per source pixel.
pub fn carafe(x: Tensor<4>, logits: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let num_pixels = height * width;
    let radius = CARAFE_KERNEL / 2;
    let options = UnfoldOptions::new([1, 1], [radius, radius], [1, 1]);
    let windows = unfold4d(x, [CARAFE_KERNEL; 2], options)
        .reshape([batch, channels, CARAFE_TAPS, num_pixels])
        .permute([0, 3, 1, 2]);
    let kernels =
        softmax(logits.reshape([batch, CARAFE_TAPS, 4, num_pixels]), 1).permute([0, 3, 1, 2]);
    windows
        .matmul(kernels)
        .reshape([batch, height, width, channels, 2, 2])
        .permute([0, 3, 1, 4, 2, 5])
        .reshape([batch, channels, 2 * height, 2 * width])
}
