//! The operations on Flex, Burn's pure-Rust CPU backend, with this crate's kernels.

use crate::backend::{TmadOps, TrainableOps};
use crate::kernels::{self, Activation, CarafeShape, Conv2dShape, Weights, filled};
use crate::{Conv2dOptions, KeptWeights, MaxPool};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;

/// What the gradients of a convolution need; without activation the output is not among it.
#[derive(Debug, Clone)]
pub struct Conv2dState {
    x: FlexTensor,
    weight: FlexTensor,
    activated: Option<(FlexTensor, f32)>,
    shape: Conv2dShape,
}

/// What the gradients of CARAFE need: the kernels, not the logits.
#[derive(Debug, Clone)]
pub struct CarafeState {
    x: FlexTensor,
    kernels: FlexTensor,
    shape: CarafeShape,
}

fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

/// The values of a tensor made contiguous before.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous f32")
}

fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(dims)))
}

fn conv2d_shape(x: &FlexTensor, weight: &FlexTensor, options: Conv2dOptions) -> Conv2dShape {
    let [batch, in_channels, height, width] = dims(x);
    let [out_channels, _, kernel, _] = dims(weight);
    Conv2dShape {
        batch,
        in_channels,
        out_channels,
        height,
        width,
        kernel,
        stride: options.stride,
        dilation: options.dilation,
        padding: options.padding,
    }
}

fn output_dims(shape: &Conv2dShape) -> [usize; 4] {
    [
        shape.batch,
        shape.out_channels,
        shape.out_height(),
        shape.out_width(),
    ]
}

fn carafe_shape(x: &FlexTensor) -> CarafeShape {
    let [batch, channels, height, width] = dims(x);
    CarafeShape {
        batch,
        channels,
        height,
        width,
    }
}

/// See [`crate::conv2d_fused`].
fn conv2d(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    residual: Option<FlexTensor>,
    options: Conv2dOptions,
    kept: Option<KeptWeights>,
) -> FlexTensor {
    let (x, weight, bias) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        bias.to_contiguous(),
    );
    let residual = residual.map(|residual| residual.to_contiguous());
    let shape = conv2d_shape(&x, &weight, options);
    let activation = match options.negative_slope {
        Some(slope) => Activation::LeakyRelu(slope),
        None => Activation::None,
    };
    let panels = kept.and_then(|kept| kept.panels(&weight));
    let weights = match &panels {
        Some(panels) => Weights::Kept(values(&weight), panels),
        None => Weights::Plain(values(&weight)),
    };
    let out = filled(shape.output_len(), |out| {
        kernels::conv2d(
            &shape,
            values(&x),
            weights,
            Some(values(&bias)),
            residual.as_ref().map(values),
            activation,
            out,
        )
    });
    tensor(out, output_dims(&shape))
}

impl TmadOps for Flex {
    fn conv2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FlexTensor {
        conv2d(x, weight, bias, None, options, kept)
    }

    fn conv2d_residual(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FlexTensor {
        conv2d(x, weight, bias, Some(residual), options, kept)
    }

    fn carafe(x: FlexTensor, logits: FlexTensor) -> FlexTensor {
        let (x, logits) = (x.to_contiguous(), logits.to_contiguous());
        let shape = carafe_shape(&x);
        let out = filled(shape.output_len(), |out| {
            kernels::carafe_from_logits(&shape, values(&x), values(&logits), out)
        });
        let CarafeShape {
            batch,
            channels,
            height,
            width,
        } = shape;
        tensor(out, [batch, channels, 2 * height, 2 * width])
    }

    fn matmul_bt(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let (a, b) = (a.to_contiguous(), b.to_contiguous());
        let ([m, k], [n, _]) = (dims(&a), dims(&b));
        let out = filled(m * n, |out| {
            kernels::matmul_bt(m, n, k, values(&a), values(&b), out)
        });
        tensor(out, [m, n])
    }

    fn square_sums(a: FlexTensor) -> FlexTensor {
        let a = a.to_contiguous();
        let [m, k] = dims(&a);
        let sums = filled(m, |sums| kernels::square_sums(m, k, values(&a), sums));
        tensor(sums, [m, 1])
    }

    fn box_means(x: FlexTensor, side: usize) -> FlexTensor {
        let x = x.to_contiguous();
        let [batch, channels, height, width] = dims(&x);
        let shape = [batch * channels, height, width];
        let means = filled(batch * channels * height * width, |out| {
            kernels::box_means(shape, side, values(&x), out)
        });
        tensor(means, dims::<4>(&x))
    }

    fn max_pool(x: FlexTensor, pool: MaxPool) -> FlexTensor {
        let x = x.to_contiguous();
        let [batch, channels, height, width] = dims(&x);
        let [out_height, out_width] = [height, width].map(|side| pool.output_size(side));
        let shape = [batch * channels, height, width];
        let mut largest = vec![0.0; batch * channels * out_height * out_width];
        kernels::max_pool(shape, pool, values(&x), &mut largest);
        tensor(largest, [batch, channels, out_height, out_width])
    }
}

impl TrainableOps for Flex {
    type Conv2dState = Conv2dState;
    type CarafeState = CarafeState;

    fn conv2d_train(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: Option<FlexTensor>,
        options: Conv2dOptions,
        _: [bool; 4],
    ) -> (FlexTensor, Self::Conv2dState) {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let (x_clone, weight_clone) = (x.clone(), weight.clone());
        let y = conv2d(x_clone, weight_clone, bias, residual, options, None);
        let state = Conv2dState {
            shape: conv2d_shape(&x, &weight, options),
            activated: options.negative_slope.map(|slope| (y.clone(), slope)),
            x,
            weight,
        };
        (y, state)
    }

    fn conv2d_backward(
        state: Self::Conv2dState,
        grad: FlexTensor,
        [needs_x, needs_weight, needs_bias, needs_residual]: [bool; 4],
    ) -> [Option<FlexTensor>; 4] {
        let Conv2dState {
            x,
            weight,
            activated,
            shape,
        } = state;
        let mut grad = grad.to_contiguous();
        if let Some((y, slope)) = activated {
            grad = tensor(
                through_leaky_relu(values(&grad), values(&y), slope),
                output_dims(&shape),
            );
        }
        let grad_x = needs_x.then(|| {
            let out = filled(shape.input_len(), |out| {
                kernels::conv2d_backward_input(&shape, values(&grad), values(&weight), out)
            });
            tensor(out, dims::<4>(&x))
        });
        let grad_residual = needs_residual.then(|| grad.clone());
        if !needs_weight && !needs_bias {
            return [grad_x, None, None, grad_residual];
        }
        let mut grad_weight = vec![0.0; shape.weight_len()];
        let mut grad_bias = vec![0.0; shape.out_channels];
        kernels::conv2d_backward_weight(
            &shape,
            values(&x),
            values(&grad),
            &mut grad_weight,
            Some(&mut grad_bias),
        );
        [
            grad_x,
            needs_weight.then(|| tensor(grad_weight, dims::<4>(&weight))),
            needs_bias.then(|| tensor(grad_bias, [shape.out_channels])),
            grad_residual,
        ]
    }

    fn carafe_train(
        x: FlexTensor,
        logits: FlexTensor,
        _: [bool; 2],
    ) -> (FlexTensor, Self::CarafeState) {
        let (x, logits) = (x.to_contiguous(), logits.to_contiguous());
        let [batch, channels, height, width] = dims(&x);
        let shape = carafe_shape(&x);
        let weights = filled(shape.kernels_len(), |kernels| {
            kernels::carafe_kernels(&shape, values(&logits), kernels)
        });
        let out = filled(shape.output_len(), |out| {
            kernels::carafe(&shape, values(&x), &weights, out)
        });
        let kernels_dims = [batch, crate::CARAFE_TAPS, 2 * height, 2 * width];
        let state = CarafeState {
            x,
            kernels: tensor(weights, kernels_dims),
            shape,
        };
        (tensor(out, [batch, channels, 2 * height, 2 * width]), state)
    }

    fn carafe_backward(
        state: Self::CarafeState,
        grad: FlexTensor,
        [needs_x, needs_logits]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let CarafeState { x, kernels, shape } = state;
        let grad = grad.to_contiguous();
        let mut grad_x = vec![0.0; shape.input_len()];
        let mut grad_kernels = vec![0.0; shape.kernels_len()];
        kernels::carafe_backward(
            &shape,
            values(&x),
            values(&kernels),
            values(&grad),
            &mut grad_x,
            &mut grad_kernels,
        );
        [
            needs_x.then(|| tensor(grad_x, dims::<4>(&x))),
            needs_logits.then(|| {
                let grad = filled(shape.kernels_len(), |grad| {
                    kernels::carafe_kernels_backward(&shape, values(&kernels), &grad_kernels, grad)
                });
                let logits_dims = [
                    shape.batch,
                    4 * crate::CARAFE_TAPS,
                    shape.height,
                    shape.width,
                ];
                tensor(grad, logits_dims)
            }),
        ]
    }
    fn max_pool_backward(x: FlexTensor, grad: FlexTensor, pool: MaxPool) -> FlexTensor {
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        let [batch, channels, height, width] = dims(&x);
        let shape = [batch * channels, height, width];
        let mut grad_x = vec![0.0; values(&x).len()];
        kernels::max_pool_backward(shape, pool, values(&x), values(&grad), &mut grad_x);
        tensor(grad_x, [batch, channels, height, width])
    }
}

/// Gradient before a leaky ReLU from the one behind it and its output `y`, whose sign is that of
/// its input.
fn through_leaky_relu(grad: &[f32], y: &[f32], slope: f32) -> Vec<f32> {
    grad.par_iter()
        .zip(y)
        .with_min_len(1 << 14)
        .map(|(&g, &y)| if y < 0.0 { g * slope } else { g })
        .collect()
}
