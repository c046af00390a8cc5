//! The operations on LibTorch: PyTorch's own graph keeps what its backward pass needs, so that
//! the gradients run on oneDNN and cuDNN instead of Burn's composed ones.

#![allow(deprecated)]

use crate::backend::TmadOps;
use crate::training::TrainableOps;
use crate::{CARAFE_KERNEL, CARAFE_TAPS, Conv2dOptions, KeptWeights};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use tch::Tensor;

/// A piece of PyTorch's graph: its leaves, in the order of the arguments, and its result.
#[derive(Debug)]
pub struct Graph<const N: usize> {
    inputs: [Tensor; N],
    output: Tensor,
    /// Keeps Burn from reusing the inputs' memory for in-place operations.
    _guards: [TchTensor; N],
}

impl<const N: usize> Graph<N> {
    /// Runs `forward` on detached copies (no data is copied) of `inputs`.
    fn record(
        inputs: [&TchTensor; N],
        needs_grad: [bool; N],
        forward: impl FnOnce(&[Tensor; N]) -> Tensor,
    ) -> Self {
        let mut index = 0;
        let guards = inputs.map(|input| input.clone());
        let inputs = inputs.map(|input| {
            let leaf = input.tensor.detach().set_requires_grad(needs_grad[index]);
            index += 1;
            leaf
        });
        let output = tch::with_grad(|| forward(&inputs));
        Self {
            inputs,
            output,
            _guards: guards,
        }
    }

    fn value(&self) -> TchTensor {
        TchTensor::new(self.output.detach())
    }

    /// Vector-Jacobian product with `grad`, for the inputs that need it.
    fn backward(&self, grad: &Tensor) -> [Option<TchTensor>; N] {
        let leaves: Vec<&Tensor> = self.inputs.iter().filter(|t| t.requires_grad()).collect();
        // run_backward takes no upstream gradient; the inner product with it has the same effect.
        let product = tch::with_grad(|| (&self.output * grad).sum(self.output.kind()));
        let mut grads = Tensor::run_backward(&[product], &leaves, false, false).into_iter();
        self.inputs.each_ref().map(|input| {
            input
                .requires_grad()
                .then(|| TchTensor::new(grads.next().expect("one gradient per leaf")))
        })
    }
}

impl<const N: usize> Clone for Graph<N> {
    fn clone(&self) -> Self {
        Self {
            inputs: self.inputs.each_ref().map(Tensor::shallow_clone),
            output: self.output.shallow_clone(),
            _guards: self._guards.clone(),
        }
    }
}

fn conv2d(inputs: &[Tensor; 3], options: Conv2dOptions) -> Tensor {
    let [x, weight, bias] = inputs;
    x.conv2d(
        weight,
        Some(bias),
        [options.stride as i64; 2],
        [options.padding as i64; 2],
        [options.dilation as i64; 2],
        1,
    )
}

fn leaky_relu(y: &Tensor, slope: f32) -> Tensor {
    y.prelu(&Tensor::from_slice(&[slope]).to_device(y.device()))
}

fn activated(y: Tensor, options: Conv2dOptions) -> Tensor {
    match options.negative_slope {
        Some(slope) => leaky_relu(&y, slope),
        None => y,
    }
}

/// As [`crate::composed::carafe`].
fn carafe(inputs: &[Tensor; 2]) -> Tensor {
    let [x, logits] = inputs;
    let (batch, channels, height, width) = x.size4().expect("four dimensions");
    let radius = (CARAFE_KERNEL / 2) as i64;
    let taps = CARAFE_TAPS as i64;
    let windows = x
        .im2col([CARAFE_KERNEL as i64; 2], [1, 1], [radius; 2], [1, 1])
        .reshape([batch, channels, taps, height * width])
        .permute([0, 3, 1, 2]);
    let kernels = logits
        .reshape([batch, taps, 4, height * width])
        .softmax(1, logits.kind())
        .permute([0, 3, 1, 2]);
    windows
        .matmul(&kernels)
        .reshape([batch, height, width, channels, 2, 2])
        .permute([0, 3, 1, 4, 2, 5])
        .reshape([batch, channels, 2 * height, 2 * width])
}

impl TmadOps for LibTorch {
    fn conv2d(
        x: TchTensor,
        weight: TchTensor,
        bias: TchTensor,
        options: Conv2dOptions,
        _: Option<KeptWeights>,
    ) -> TchTensor {
        let y = conv2d(&[x.tensor, weight.tensor, bias.tensor], options);
        TchTensor::new(activated(y, options))
    }

    fn conv2d_residual(
        x: TchTensor,
        weight: TchTensor,
        bias: TchTensor,
        residual: TchTensor,
        options: Conv2dOptions,
        _: Option<KeptWeights>,
    ) -> TchTensor {
        let y = conv2d(&[x.tensor, weight.tensor, bias.tensor], options) + residual.tensor;
        TchTensor::new(activated(y, options))
    }

    fn carafe(x: TchTensor, logits: TchTensor) -> TchTensor {
        TchTensor::new(carafe(&[x.tensor, logits.tensor]))
    }
}

impl TrainableOps for LibTorch {
    type Conv2dState = (Graph<3>, TchTensor, Option<f32>);
    type CarafeState = Graph<2>;

    fn conv2d_train(
        x: TchTensor,
        weight: TchTensor,
        bias: TchTensor,
        residual: Option<TchTensor>,
        options: Conv2dOptions,
        [needs_x, needs_weight, needs_bias, _]: [bool; 4],
    ) -> (TchTensor, Self::Conv2dState) {
        let needs_grad = [needs_x, needs_weight, needs_bias];
        let graph = Graph::record([&x, &weight, &bias], needs_grad, |inputs| {
            conv2d(inputs, options)
        });
        let mut y = graph.output.detach();
        if let Some(residual) = residual {
            y = y + residual.tensor;
        }
        let y = TchTensor::new(activated(y, options));
        (y.clone(), (graph, y, options.negative_slope))
    }

    fn conv2d_backward(
        (graph, y, slope): Self::Conv2dState,
        grad: TchTensor,
        [.., needs_residual]: [bool; 4],
    ) -> [Option<TchTensor>; 4] {
        let grad = match slope {
            Some(slope) => grad
                .tensor
                .leaky_relu_backward(&y.tensor, slope as f64, true),
            None => grad.tensor,
        };
        let [grad_x, grad_weight, grad_bias] = graph.backward(&grad);
        let grad_residual = needs_residual.then(|| TchTensor::new(grad));
        [grad_x, grad_weight, grad_bias, grad_residual]
    }

    fn carafe_train(
        x: TchTensor,
        logits: TchTensor,
        needs_grad: [bool; 2],
    ) -> (TchTensor, Self::CarafeState) {
        let graph = Graph::record([&x, &logits], needs_grad, carafe);
        (graph.value(), graph)
    }

    fn carafe_backward(
        graph: Self::CarafeState,
        grad: TchTensor,
        _: [bool; 2],
    ) -> [Option<TchTensor>; 2] {
        graph.backward(&grad.tensor)
    }
}
