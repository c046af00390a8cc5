//! The operations that T-MAD's networks spend their time in, as functions on Burn tensors:
//! [`conv2d`] with fused bias, residual sum and leaky ReLU, [`carafe`], content-aware upsampling,
//! and smaller ones.
//!
//! On the Flex (CPU) and LibTorch devices they run on hand-written forward and backward
//! implementations, registered through Burn's backend extension. Every other device takes the
//! plain composition of Burn operations in [`composed`], which is also what the tests compare
//! the kernels with.

mod backend;
pub mod composed;
mod flex;
mod kept;
pub mod kernels;
#[cfg(feature = "libtorch")]
mod libtorch;
pub mod memory;
#[cfg(feature = "train")]
mod training;

use backend::TmadOps;
use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{Device, Tensor};

/// Geometry and activation of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2dOptions {
    /// Step between outputs, in both directions.
    pub stride: usize,
    /// Zero padding on each side, in pixels.
    pub padding: usize,
    /// Distance between kernel taps, in pixels.
    pub dilation: usize,
    /// Slope of the leaky ReLU for negative values; `None` leaves the result linear.
    pub negative_slope: Option<f32>,
}

impl Conv2dOptions {
    /// Side of the output along an axis of `input` pixels for a kernel of `kernel` taps.
    ///
    /// # Panics
    ///
    /// If the dilated kernel does not fit into the padded input.
    pub fn output_size(&self, input: usize, kernel: usize) -> usize {
        let span = self.dilation * (kernel - 1) + 1;
        let padded = input + 2 * self.padding;
        assert!(
            padded >= span,
            "a kernel spanning {span} px does not fit into {padded} px"
        );
        (padded - span) / self.stride + 1
    }
}

/// Cross-correlation with bias and, optionally, leaky ReLU.
///
/// # Shapes
///
/// `x` is `[batch, in_channels, height, width]`, `weight` `[out_channels, in_channels, k, k]`,
/// `bias` `[out_channels]`; the result is `[batch, out_channels, height', width']`.
///
/// # Panics
///
/// If channel counts do not agree.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: Conv2dOptions,
) -> Tensor<4> {
    conv2d_fused(x, weight, bias, None, options, None)
}

/// [`conv2d`], with a `residual` that is added in front of the activation, and with a place where
/// what the kernels make of the weight is kept between calls.
///
/// # Shapes
///
/// As in [`conv2d`]; `residual` has the result's shape.
///
/// # Panics
///
/// If channel counts do not agree, or the residual has another shape than the result.
pub fn conv2d_fused(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
    options: Conv2dOptions,
    kept: Option<&KeptWeights>,
) -> Tensor<4> {
    let [batch, in_channels, height, width] = x.dims();
    let [out_channels, weight_in, kernel_h, kernel_w] = weight.dims();
    assert_eq!(in_channels, weight_in, "input and weight channels");
    assert_eq!(kernel_h, kernel_w, "kernels are square");
    assert_eq!(bias.dims(), [out_channels], "one bias per output channel");
    if let Some(residual) = &residual {
        let [out_height, out_width] = [height, width].map(|n| options.output_size(n, kernel_h));
        let expected = [batch, out_channels, out_height, out_width];
        assert_eq!(residual.dims(), expected, "the residual's shape");
    }
    if !has_kernels(&x.device()) {
        return composed::conv2d_fused(x, weight, bias, residual, options);
    }
    let (x, weight, bias) = (
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    let kept = kept.cloned();
    Tensor::from_dispatch(match residual {
        None => <Dispatch as TmadOps>::conv2d(x, weight, bias, options, kept),
        Some(residual) => {
            let residual = residual.into_dispatch();
            <Dispatch as TmadOps>::conv2d_residual(x, weight, bias, residual, options, kept)
        }
    })
}

/// a · bᵀ: the scalar products of the rows of `a` with those of `b`.
///
/// # Shapes
///
/// `a` `[m, k]`, `b` `[n, k]` → `[m, n]`.
///
/// # Panics
///
/// If the rows differ in length.
pub fn matmul_bt(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    assert_eq!(a.dims()[1], b.dims()[1], "rows of one length");
    if !has_kernels(&a.device()) {
        return a.matmul(b.transpose());
    }
    let product = <Dispatch as TmadOps>::matmul_bt(a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(product)
}

/// CARAFE ×2 with 5×5 kernels (Wang et al., *CARAFE: Content-Aware ReAssembly of FEatures*,
/// ICCV 2019): every output pixel is the sum of the 5×5 input pixels around its source, weighted
/// by its own kernel.
///
/// `logits` become kernels by pixel shuffle and softmax over the 25 taps: the kernel of output
/// pixel (2y+i, 2x+j) is softmax over t of logits[4t + 2i + j, y, x], with the taps t in row-major
/// order from the top left. Taps outside the picture contribute nothing, and the others are not
/// renormalised.
///
/// # Shapes
///
/// `x` is `[batch, channels, height, width]`, `logits` `[batch, 100, height, width]`; the result
/// is `[batch, channels, 2·height, 2·width]`.
///
/// # Panics
///
/// If the shapes do not agree.
pub fn carafe(x: Tensor<4>, logits: Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    assert_eq!(
        logits.dims(),
        [batch, 4 * CARAFE_TAPS, height, width],
        "CARAFE's logits"
    );
    if !has_kernels(&x.device()) {
        return composed::carafe(x, logits);
    }
    Tensor::from_dispatch(<Dispatch as TmadOps>::carafe(
        x.into_dispatch(),
        logits.into_dispatch(),
    ))
}

/// The sums of the squares of rows: `[m, k]` → `[m, 1]`.
pub fn square_sums(a: Tensor<2>) -> Tensor<2> {
    if !has_kernels(&a.device()) {
        return a.square().sum_dim(1);
    }
    Tensor::from_dispatch(<Dispatch as TmadOps>::square_sums(a.into_dispatch()))
}

/// Means over the `side` × `side` pixels around every pixel, as far as they lie inside.
///
/// # Panics
///
/// If the side is even.
pub fn box_means(x: Tensor<4>, side: usize) -> Tensor<4> {
    assert!(side % 2 == 1, "a box of side {side} has no middle");
    if !has_kernels(&x.device()) {
        return composed::box_means(x, side);
    }
    let means = <Dispatch as TmadOps>::box_means(x.into_dispatch(), side);
    Tensor::from_dispatch(means)
}

/// Max pooling: the largest value of every window. Its gradient goes to one of several largest
/// values, by the kernels to the first.
///
/// # Shapes
///
/// `x` is `[batch, channels, height, width]`, the result has [`MaxPool::output_size`] of both
/// sides.
///
/// # Panics
///
/// As [`MaxPool::output_size`].
pub fn max_pool(x: Tensor<4>, pool: MaxPool) -> Tensor<4> {
    if !has_kernels(&x.device()) {
        return composed::max_pool(x, pool);
    }
    Tensor::from_dispatch(<Dispatch as TmadOps>::max_pool(x.into_dispatch(), pool))
}

/// Whether tensors of this device lie in the program's memory and need no gradients, so that
/// their values can be read and written directly.
pub fn is_plain_memory(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

pub use kept::KeptWeights;
pub use kernels::{CARAFE_TAPS, MaxPool, Precision};

/// Side of CARAFE's reassembly window.
pub const CARAFE_KERNEL: usize = 5;

fn has_kernels(device: &Device) -> bool {
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "libtorch")]
        DispatchDevice::LibTorch(_) => true,
        #[cfg(feature = "train")]
        DispatchDevice::Autodiff(inner) => match &**inner {
            DispatchDevice::Flex(_) => true,
            #[cfg(feature = "libtorch")]
            DispatchDevice::LibTorch(_) => true,
            #[allow(unreachable_patterns)]
            _ => false,
        },
        #[allow(unreachable_patterns)]
        _ => false,
    }
}
