//! Forward passes that keep what the backward passes need, and those.

use super::{carafe_shape, conv2d, conv2d_shape, dims, output_dims, tensor, values};
use crate::kernels::{self, CarafeShape, Conv2dShape, filled};
use crate::training::TrainableOps;
use crate::{Conv2dOptions, MaxPool};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
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
