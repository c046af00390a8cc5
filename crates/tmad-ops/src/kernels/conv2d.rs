//! The convolution and its gradients: checks, and the choice of an algorithm.

use super::factors::{Halves, Whole};
use super::gemm::Source;
use super::layout::Epilogue;
use super::panels::{Panels, WeightLayout};
use super::plan::Plan;
use super::precision::Precision;
use super::scratch::{Output, with_scratch};
use super::shape::{Activation, Conv2dShape, check_len, note};
use super::simd::Level;
use super::weights::Weights;
use super::{direct, gemm, weight_grad, winograd};

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Sums of products of pixels and weights, for every shape.
    Direct,
    /// A matrix product, for 1×1 kernels of stride 1 without padding.
    Pointwise,
    /// A matrix product with the pixels under each tap copied into rows, for every shape.
    Unfold,
    /// Winograd's, for 3×3 kernels of stride 1, and of stride 2 without dilation, with enough
    /// channels for a vector.
    Winograd,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Pointwise, Self::Unfold, Self::Winograd];

    /// Whether it can compute this shape with the instruction set.
    pub fn supports(self, shape: &Conv2dShape, level: Level) -> bool {
        match self {
            Self::Direct | Self::Unfold => true,
            Self::Pointwise => shape.kernel == 1 && shape.stride == 1 && shape.padding == 0,
            Self::Winograd => {
                let strided = shape.stride == 2 && shape.dilation == 1;
                let has_stride = shape.stride == 1 || strided;
                shape.kernel == 3 && has_stride && shape.in_channels >= level.lanes()
            }
        }
    }

    /// Whether the gradient of the weight is computed by Winograd's algorithm: it needs as many
    /// tiles as pay for transforming and adding 36 sums per pair of channels.
    fn gradient_by_winograd(s: &Conv2dShape, level: Level) -> bool {
        let tiles = s.batch * s.out_height() * s.out_width() / 16;
        Self::choose(s, level) == Self::Winograd
            && s.stride == 1
            && s.in_channels >= 16
            && s.out_channels >= level.lanes()
            && tiles >= 16
    }

    /// The fastest one for the current [`Precision`], as measured by the bench `conv2d`. With bf16,
    /// direct sums of stride 2 are faster than Winograd's in f32.
    pub fn choose(shape: &Conv2dShape, level: Level) -> Self {
        let s = shape;
        let roomy = s.out_height() >= 4 * s.dilation && s.out_width() >= 4 * s.dilation;
        let saves = s.stride == 1 || Precision::current() == Precision::F32;
        if Self::Winograd.supports(s, level) && roomy && saves && s.out_channels >= 16 {
            Self::Winograd
        } else if Self::Pointwise.supports(s, level) {
            Self::Pointwise
        } else if s.in_channels < level.lanes() {
            Self::Unfold
        } else {
            Self::Direct
        }
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
pub fn conv2d<'a, 'b>(
    shape: &Conv2dShape,
    x: &[f32],
    weight: impl Into<Weights<'a>>,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    act: Activation,
    out: impl Into<Output<'b>>,
) {
    conv2d_with(None, shape, x, weight, bias, residual, act, out);
}

/// [`conv2d`] with a given algorithm, for tests and benchmarks; `None` chooses.
///
/// # Panics
/// As [`conv2d`], and if the algorithm does not support the shape.
#[allow(clippy::too_many_arguments)]
pub fn conv2d_with<'a, 'b>(
    algorithm: Option<Algorithm>,
    shape: &Conv2dShape,
    x: &[f32],
    weight: impl Into<Weights<'a>>,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    act: Activation,
    out: impl Into<Output<'b>>,
) {
    let out = out.into();
    note(shape.flops(), Some(shape));
    shape.check();
    check_len("x", x.len(), shape.input_len());
    check_len("out", out.len(), shape.output_len());
    if let Some(bias) = bias {
        check_len("bias", bias.len(), shape.out_channels);
    }
    if let Some(residual) = residual {
        check_len("residual", residual.len(), shape.output_len());
    }
    let weight = weight.into();
    let level = weight.check(shape);
    let precision = Precision::current();
    let algorithm = algorithm.unwrap_or_else(|| Algorithm::choose(shape, level));
    assert!(
        algorithm.supports(shape, level),
        "{algorithm:?} cannot compute {shape:?}"
    );
    let epilogue = Epilogue::new(bias, residual, act);
    match algorithm {
        Algorithm::Direct
            if precision == Precision::Bf16 && in_halves(shape.in_channels, level) =>
        {
            let make = |w: &[f32]| Panels::new::<Halves>(w, WeightLayout::forward(shape), level);
            let panels = weight.panels(|w| &w.direct_halves, make);
            let plan = Plan::<Halves>::forward(shape, level);
            direct::run(&plan, level, x, &panels, epilogue, out);
        }
        Algorithm::Direct => {
            let make = |w: &[f32]| Panels::new::<Whole>(w, WeightLayout::forward(shape), level);
            let panels = weight.panels(|w| &w.direct, make);
            let plan = Plan::<Whole>::forward(shape, level);
            direct::run(&plan, level, x, &panels, epilogue, out);
        }
        Algorithm::Pointwise => {
            let size = gemm::Size {
                count: shape.batch,
                m: shape.out_channels,
                n: shape.height * shape.width,
                k: shape.in_channels,
            };
            product(
                size,
                (level, precision),
                weight.plain(),
                Source::Rows(x),
                epilogue,
                out,
            );
        }
        Algorithm::Unfold => {
            let size = gemm::Size {
                count: shape.batch,
                m: shape.out_channels,
                n: shape.out_height() * shape.out_width(),
                k: shape.in_channels * shape.kernel * shape.kernel,
            };
            let source = Source::Unfold(x, shape);
            product(
                size,
                (level, precision),
                weight.plain(),
                source,
                epilogue,
                out,
            );
        }
        Algorithm::Winograd => {
            let layout = WeightLayout::forward(shape);
            if shape.stride == 1 && precision == Precision::Bf16 {
                let make = |w: &[f32]| winograd::DenseHalves::transform_weights(w, layout, level);
                let panels = weight.panels(|w| &w.winograd_halves, make);
                winograd::DenseHalves::new(shape, level).run(level, x, &panels, epilogue, out);
            } else if shape.stride == 1 {
                let make = |w: &[f32]| winograd::Dense::transform_weights(w, layout, level);
                let panels = weight.panels(|w| &w.winograd, make);
                winograd::Dense::new(shape, level).run(level, x, &panels, epilogue, out);
            } else {
                let make = |w: &[f32]| winograd::Strided::transform_weights(w, layout, level);
                let panels = weight.panels(|w| &w.strided, make);
                winograd::Strided::new(shape, level).run(level, x, &panels, epilogue, out);
            }
        }
    }
}

/// Whether sums over so many channels are long enough for two of them in a slot.
fn in_halves(channels: usize, level: Level) -> bool {
    channels >= level.lanes()
}

/// [`gemm::run`] in this precision.
fn product(
    size: gemm::Size,
    (level, precision): (Level, Precision),
    a: &[f32],
    b: Source,
    epilogue: Epilogue,
    c: Output,
) {
    if precision == Precision::Bf16 && in_halves(size.k, level) {
        gemm::run::<Halves>(size, level, a, b, epilogue, c);
    } else {
        gemm::run::<Whole>(size, level, a, b, epilogue, c);
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
pub fn conv2d_backward_input<'a>(
    shape: &Conv2dShape,
    grad_out: &[f32],
    weight: &[f32],
    grad_in: impl Into<Output<'a>>,
) {
    let grad_in = grad_in.into();
    note(shape.flops(), None);
    shape.check();
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("weight", weight.len(), shape.weight_len());
    check_len("grad_in", grad_in.len(), shape.input_len());
    let (level, precision) = (Level::current(), Precision::current());
    let none = Epilogue::none();
    if Algorithm::Pointwise.supports(shape, level) {
        let (ci, co) = (shape.in_channels, shape.out_channels);
        let size = gemm::Size {
            count: shape.batch,
            m: ci,
            n: shape.height * shape.width,
            k: co,
        };
        with_scratch(weight.len(), |transposed| {
            for (i, value) in transposed.iter_mut().enumerate() {
                *value = weight[i % co * ci + i / co];
            }
            let b = Source::Rows(grad_out);
            product(size, (level, precision), transposed, b, none, grad_in);
        });
        return;
    }
    if let Some(turned) = turned(shape)
        && Algorithm::choose(&turned, level) == Algorithm::Winograd
    {
        let layout = WeightLayout::turned(shape);
        match precision {
            Precision::F32 => {
                let plan = winograd::Dense::new(&turned, level);
                let panels = winograd::Dense::transform_weights(weight, layout, level);
                plan.run(level, grad_out, &panels, none, grad_in);
            }
            Precision::Bf16 => {
                let plan = winograd::DenseHalves::new(&turned, level);
                let panels = winograd::DenseHalves::transform_weights(weight, layout, level);
                plan.run(level, grad_out, &panels, none, grad_in);
            }
        }
        return;
    }
    let layout = WeightLayout::turned(shape);
    if precision == Precision::Bf16 && in_halves(shape.out_channels, level) {
        let panels = Panels::new::<Halves>(weight, layout, level);
        let plan = Plan::<Halves>::backward_input(shape, level);
        direct::run(&plan, level, grad_out, &panels, none, grad_in);
    } else {
        let panels = Panels::new::<Whole>(weight, layout, level);
        let plan = Plan::<Whole>::backward_input(shape, level);
        direct::run(&plan, level, grad_out, &panels, none, grad_in);
    }
}

/// The convolution that is the gradient of the input, where there is one: stride 1, and not
/// more padding than the kernel reaches.
fn turned(shape: &Conv2dShape) -> Option<Conv2dShape> {
    let padding = (shape.dilation * (shape.kernel - 1)).checked_sub(shape.padding)?;
    let turned = Conv2dShape {
        in_channels: shape.out_channels,
        out_channels: shape.in_channels,
        height: shape.out_height(),
        width: shape.out_width(),
        padding,
        ..*shape
    };
    (shape.stride == 1 && turned.height > 0 && turned.width > 0).then_some(turned)
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
    note(shape.flops(), None);
    shape.check();
    check_len("x", x.len(), shape.input_len());
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("grad_weight", grad_weight.len(), shape.weight_len());
    if let Some(grad_bias) = &grad_bias {
        check_len("grad_bias", grad_bias.len(), shape.out_channels);
    }
    let (level, precision) = (Level::current(), Precision::current());
    if Algorithm::gradient_by_winograd(shape, level) {
        let how = (level, precision);
        winograd::weight_gradient(shape, how, x, grad_out, grad_weight);
        if let Some(grad_bias) = grad_bias {
            weight_grad::bias(shape, grad_out, grad_bias);
        }
        return;
    }
    // With 1×1 kernels, joining pixels pays if each is used often enough.
    let pays = shape.kernel > 1 || shape.in_channels.min(shape.out_channels) >= 64;
    if precision == Precision::Bf16 && pays && in_halves(shape.in_channels, level) {
        weight_grad::run::<Halves>(shape, level, x, grad_out, grad_weight, grad_bias);
    } else {
        weight_grad::run::<Whole>(shape, level, x, grad_out, grad_weight, grad_bias);
    }
}
