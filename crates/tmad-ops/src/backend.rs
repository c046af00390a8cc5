//! The operations as a Burn backend extension.
// Burn deprecates its LibTorch backend, which is still the fastest trainer on NVIDIA cards.
#![cfg_attr(feature = "libtorch", allow(deprecated))]

use crate::{Conv2dOptions, KeptWeights, MaxPool};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

/// Forward operations, dispatched on the tensors' device. Arguments as in [`crate::conv2d_fused`],
/// [`crate::carafe`], [`crate::matmul_bt`], [`crate::square_sums`], [`crate::box_means`] and
/// [`crate::max_pool`].
#[backend_extension(Flex, LibTorch: cfg(feature = "libtorch"), Autodiff: cfg(feature = "train"))]
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

    fn max_pool(x: FloatTensor<Self>, pool: MaxPool) -> FloatTensor<Self> {
        let MaxPool {
            side,
            stride,
            ceil_mode,
        } = pool;
        Self::max_pool2d(x, [side; 2], [stride; 2], [0; 2], [1; 2], ceil_mode)
    }
}
