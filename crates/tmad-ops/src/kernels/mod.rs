//! CPU kernels on plain slices: convolution with its gradients, CARAFE and matrix products.
//!
//! Tensors are contiguous NCHW f32. Every function checks the lengths of its slices and
//! panics on a mismatch. Results do not depend on the number of threads.

mod direct;
mod layout;
mod panels;
pub mod reference;
mod scratch;
mod shape;
mod simd;
mod tile;

pub use simd::Level;

use layout::Epilogue;
use panels::Panels;
use shape::check_len;
pub use shape::{Activation, CARAFE_TAPS, CarafeShape, Conv2dShape};

/// Convolution weights prepared once, when a model is loaded.
#[derive(Debug, Clone)]
pub struct PackedWeights {
    out_channels: usize,
    in_channels: usize,
    kernel: usize,
    plain: Vec<f32>,
}

impl PackedWeights {
    /// Prepares `weight`, `[out_channels, in_channels, kernel, kernel]`.
    ///
    /// # Panics
    /// If the slice does not have that many elements.
    pub fn new(weight: &[f32], out_channels: usize, in_channels: usize, kernel: usize) -> Self {
        check_len(
            "weight",
            weight.len(),
            out_channels * in_channels * kernel * kernel,
        );
        Self {
            out_channels,
            in_channels,
            kernel,
            plain: weight.to_vec(),
        }
    }
}

/// The weight of a convolution, `[out_channels, in_channels, kernel, kernel]`.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// As it is stored in a model; packed again in every call.
    Plain(&'a [f32]),
    /// Prepared before.
    Packed(&'a PackedWeights),
}

impl<'a> From<&'a [f32]> for Weights<'a> {
    fn from(weight: &'a [f32]) -> Self {
        Self::Plain(weight)
    }
}

impl<'a> From<&'a PackedWeights> for Weights<'a> {
    fn from(weight: &'a PackedWeights) -> Self {
        Self::Packed(weight)
    }
}

/// `out = act(conv(x, weight) + bias + residual)`.
///
/// # Shapes
/// `x` `[batch, in_channels, height, width]`, `weight` `[out_channels, in_channels, kernel,
/// kernel]`, `bias` `[out_channels]`, `residual` and `out` `[batch, out_channels, out_height,
/// out_width]`.
///
/// # Panics
/// If a slice has another length than its shape, or a size that must not be 0 is 0.
pub fn conv2d<'a>(
    shape: &Conv2dShape,
    x: &[f32],
    weight: impl Into<Weights<'a>>,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    act: Activation,
    out: &mut [f32],
) {
    shape.check();
    check_len("x", x.len(), shape.input_len());
    check_len("out", out.len(), shape.output_len());
    if let Some(bias) = bias {
        check_len("bias", bias.len(), shape.out_channels);
    }
    if let Some(residual) = residual {
        check_len("residual", residual.len(), shape.output_len());
    }
    let weight = match weight.into() {
        Weights::Plain(weight) => weight,
        Weights::Packed(packed) => {
            assert_eq!(
                (packed.out_channels, packed.in_channels, packed.kernel),
                (shape.out_channels, shape.in_channels, shape.kernel),
                "the weights were packed for another shape"
            );
            &packed.plain
        }
    };
    check_len("weight", weight.len(), shape.weight_len());
    let level = Level::current();
    let panels = Panels::forward(weight, shape, level.lanes());
    let epilogue = Epilogue::new(bias, residual, act);
    direct::Plan::forward(shape, level).run(level, x, &panels, epilogue, out);
}

fn store(values: &[f64], out: &mut [f32]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = value as f32;
    }
}

/// Gradient of a convolution with respect to its input.
///
/// # Shapes
/// `grad_out` like the convolution's output (before bias, residual and activation),
/// `grad_in` like its input; `grad_in` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn conv2d_backward_input(
    shape: &Conv2dShape,
    grad_out: &[f32],
    weight: &[f32],
    grad_in: &mut [f32],
) {
    shape.check();
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("weight", weight.len(), shape.weight_len());
    check_len("grad_in", grad_in.len(), shape.input_len());
    let level = Level::current();
    let panels = Panels::turned(weight, shape, level.lanes());
    let plan = direct::Plan::backward_input(shape, level);
    plan.run(level, grad_out, &panels, Epilogue::none(), grad_in);
}

/// Gradients of a convolution with respect to its weight and bias; both are overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn conv2d_backward_weight(
    shape: &Conv2dShape,
    x: &[f32],
    grad_out: &[f32],
    grad_weight: &mut [f32],
    grad_bias: Option<&mut [f32]>,
) {
    shape.check();
    check_len("x", x.len(), shape.input_len());
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("grad_weight", grad_weight.len(), shape.weight_len());
    let (weight, bias) = reference::conv2d_backward_weight(shape, x, grad_out);
    store(&weight, grad_weight);
    if let Some(grad_bias) = grad_bias {
        check_len("grad_bias", grad_bias.len(), shape.out_channels);
        store(&bias, grad_bias);
    }
}

/// CARAFE ×2 reassembly with 5×5 kernels:
/// `out[c,Y,X] = Σ_{u,v∈−2..2} kernels[5(u+2)+(v+2),Y,X] · x[c,⌊Y/2⌋+u,⌊X/2⌋+v]`.
/// Taps outside the map count as 0; nothing is renormalised.
///
/// # Shapes
/// `x` `[batch, channels, height, width]`, `kernels` `[batch, 25, 2·height, 2·width]` (after
/// the softmax), `out` `[batch, channels, 2·height, 2·width]`.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe(shape: &CarafeShape, x: &[f32], kernels: &[f32], out: &mut [f32]) {
    check_len("x", x.len(), shape.input_len());
    check_len("kernels", kernels.len(), shape.kernels_len());
    check_len("out", out.len(), shape.output_len());
    store(&reference::carafe(shape, x, kernels), out);
}

/// Gradients of [`carafe`] with respect to its input and kernels; both are overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe_backward(
    shape: &CarafeShape,
    x: &[f32],
    kernels: &[f32],
    grad_out: &[f32],
    grad_x: &mut [f32],
    grad_kernels: &mut [f32],
) {
    check_len("x", x.len(), shape.input_len());
    check_len("kernels", kernels.len(), shape.kernels_len());
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("grad_x", grad_x.len(), shape.input_len());
    check_len("grad_kernels", grad_kernels.len(), shape.kernels_len());
    let (gx, gk) = reference::carafe_backward(shape, x, kernels, grad_out);
    store(&gx, grad_x);
    store(&gk, grad_kernels);
}

/// `c = a · bᵀ`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[n, k]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul_bt(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), n * k);
    check_len("c", c.len(), m * n);
    store(&reference::matmul(m, n, k, a, b, true), c);
}

/// `c = a · b`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[k, n]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), k * n);
    check_len("c", c.len(), m * n);
    store(&reference::matmul(m, n, k, a, b, false), c);
}
