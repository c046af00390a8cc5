//! The operations as a Burn backend extension, and their backward passes under autodiff.
// Burn deprecates its LibTorch backend, which is still the fastest trainer on NVIDIA cards.
#![cfg_attr(feature = "libtorch", allow(deprecated))]

use crate::{Conv2dOptions, KeptWeights};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, backend_extension};
use std::fmt::Debug;

/// Forward operations, dispatched on the tensors' device. Arguments as in [`crate::conv2d_fused`],
/// [`crate::carafe`], [`crate::matmul_bt`], [`crate::square_sums`] and [`crate::box_means`].
#[backend_extension(Flex, LibTorch: cfg(feature = "libtorch"), Autodiff)]
pub trait TmadOps: Backend {
    fn conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FloatTensor<Self>;

    fn conv2d_residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FloatTensor<Self>;

    fn carafe(x: FloatTensor<Self>, logits: FloatTensor<Self>) -> FloatTensor<Self>;

    fn matmul_bt(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(a, Self::float_transpose(b))
    }

    fn square_sums(a: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum_dim(Self::float_mul(a.clone(), a), 1)
    }

    fn box_means(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        let along = |x, sides: [usize; 2]| {
            let padding = sides.map(|side| side / 2);
            Self::avg_pool2d(x, sides, [1; 2], padding, false, false)
        };
        along(along(x, [side, 1]), [1, side])
    }
}

/// What a device implements so that the operations can be trained on it: a forward pass that
/// keeps what its backward pass needs.
///
/// `needs_grad` and the returned gradients follow the order of the tensor arguments; a gradient
/// that is not needed is `None`. The last gradient of a convolution is the one in front of its
/// activation, which is that of the residual.
pub trait TrainableOps: TmadOps {
    type Conv2dState: Clone + Send + Debug + 'static;
    type CarafeState: Clone + Send + Debug + 'static;

    fn conv2d_train(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        options: Conv2dOptions,
        needs_grad: [bool; 4],
    ) -> (FloatTensor<Self>, Self::Conv2dState);

    fn conv2d_backward(
        state: Self::Conv2dState,
        grad: FloatTensor<Self>,
        needs_grad: [bool; 4],
    ) -> [Option<FloatTensor<Self>>; 4];

    fn carafe_train(
        x: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        needs_grad: [bool; 2],
    ) -> (FloatTensor<Self>, Self::CarafeState);

    fn carafe_backward(
        state: Self::CarafeState,
        grad: FloatTensor<Self>,
        needs_grad: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2];
}

#[derive(Debug)]
struct Conv2dBackward;

/// Three parents, or four with a residual.
impl<B: TrainableOps, const N: usize> Backward<B, N> for Conv2dBackward {
    type State = B::Conv2dState;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let needs_grad = std::array::from_fn(|i| ops.parents.get(i).is_some_and(Option::is_some));
        let parent_grads = B::conv2d_backward(ops.state, grad, needs_grad);
        for (parent, grad) in ops.parents.into_iter().zip(parent_grads) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<B>(parent.id, grad);
            }
        }
    }
}

#[derive(Debug)]
struct CarafeBackward;

impl<B: TrainableOps> Backward<B, 2> for CarafeBackward {
    type State = B::CarafeState;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let needs_grad = ops.parents.each_ref().map(Option::is_some);
        let parent_grads = B::carafe_backward(ops.state, grad, needs_grad);
        for (parent, grad) in ops.parents.into_iter().zip(parent_grads) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<B>(parent.id, grad);
            }
        }
    }
}

impl<B: TrainableOps, C: CheckpointStrategy> TmadOps for Autodiff<B, C> {
    fn conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let [tracked_x, tracked_weight] = [x.is_tracked(), weight.is_tracked()];
        let needs_grad = [tracked_x, tracked_weight, bias.is_tracked(), false];
        let (x, weight, bias) = (
            x.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
        );
        match Backward::<B, 3>::prepare::<C>(Conv2dBackward, nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let (y, state) = B::conv2d_train(x, weight, bias, None, options, needs_grad);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(<B as TmadOps>::conv2d(x, weight, bias, options, kept))
            }
        }
    }

    fn conv2d_residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node(), residual.node()];
        let [tracked_x, tracked_weight] = [x.is_tracked(), weight.is_tracked()];
        let [tracked_bias, tracked_residual] = [bias.is_tracked(), residual.is_tracked()];
        let needs_grad = [tracked_x, tracked_weight, tracked_bias, tracked_residual];
        let (x, weight, bias, residual) = (
            x.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
            residual.into_primitive(),
        );
        match Backward::<B, 4>::prepare::<C>(Conv2dBackward, nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let residual = Some(residual);
                let (y, state) = B::conv2d_train(x, weight, bias, residual, options, needs_grad);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::conv2d_residual(x, weight, bias, residual, options, kept))
            }
        }
    }

    fn carafe(x: FloatTensor<Self>, logits: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), logits.node()];
        let needs_grad = [x.is_tracked(), logits.is_tracked()];
        let (x, logits) = (x.into_primitive(), logits.into_primitive());
        match CarafeBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let (y, state) = B::carafe_train(x, logits, needs_grad);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::carafe(x, logits)),
        }
    }
}
