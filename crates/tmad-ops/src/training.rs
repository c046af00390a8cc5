//! The operations' backward passes under Burn's autodiff.

use crate::backend::TmadOps;
use crate::{Conv2dOptions, KeptWeights, MaxPool};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::{IntDType, TensorData};
use std::fmt::Debug;

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

    fn max_pool_backward(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        pool: MaxPool,
    ) -> FloatTensor<Self> {
        let MaxPool {
            side,
            stride,
            ceil_mode,
        } = pool;
        let ([side, stride], none, ones) = ([[side; 2], [stride; 2]], [0; 2], [1; 2]);
        let places = Self::max_pool2d_with_indices(
            x.clone(),
            side,
            stride,
            none,
            ones,
            ceil_mode,
            IntDType::I64,
        )
        .indices;
        Self::max_pool2d_with_indices_backward(x, side, stride, none, ones, ceil_mode, grad, places)
            .x_grad
    }

    /// The means' gradients, each divided among its pixels: a pixel lies in the boxes of those
    /// that lie in its own.
    fn box_means_backward(grad: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        let [.., height, width]: [usize; 4] = grad.shape().dims();
        let inside = |at: usize, limit: usize| {
            ((at + side / 2 + 1).min(limit) - at.saturating_sub(side / 2)) as f32
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let sizes = pixels
            .map(|(y, x)| inside(y, height) * inside(x, width))
            .collect();
        let sizes = TensorData::new(sizes, [1, 1, height, width]);
        let sizes = Self::float_from_data(sizes, &grad.device());
        let shares = Self::float_div(grad, sizes.clone());
        Self::float_mul(Self::box_means(shares, side), sizes)
    }
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

#[derive(Debug)]
struct BoxMeansBackward;

impl<B: TrainableOps> Backward<B, 1> for BoxMeansBackward {
    /// The boxes' side.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::box_means_backward(grad, ops.state)
        });
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

impl<B: TrainableOps> Backward<B, 1> for MaxPoolBackward {
    type State = (FloatTensor<B>, MaxPool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, pool) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::max_pool_backward(x, grad, pool)
        });
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

    fn box_means(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        let node = x.node();
        let means = B::box_means(x.into_primitive(), side);
        match BoxMeansBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(side, means),
            OpsKind::UnTracked(prep) => prep.finish(means),
        }
    }

    fn max_pool(x: FloatTensor<Self>, pool: MaxPool) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        match MaxPoolBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let largest = B::max_pool(x.clone(), pool);
                prep.finish((x, pool), largest)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::max_pool(x, pool)),
        }
    }
}
