//! CPU kernels on plain slices: convolution with its gradients, CARAFE, matrix products, max
//! pooling and box means.
//!
//! Tensors are contiguous NCHW f32. Every function checks the lengths of its slices and
//! panics on a mismatch. Results do not depend on the number of threads.

// Indices name rows and columns of small matrices, often of several at once.
#![allow(clippy::needless_range_loop)]

mod boxes;
mod carafe;
mod conv2d;
mod direct;
mod factors;
mod gemm;
mod layout;
mod matmul;
mod panels;
mod plan;
mod pool;
mod precision;
pub mod reference;
mod scratch;
mod shape;
mod simd;
mod tile;
mod unfold;
mod weight_grad;
mod weights;
mod winograd;

pub use boxes::box_means;
pub use carafe::{
    carafe, carafe_backward, carafe_from_logits, carafe_kernels, carafe_kernels_backward,
};
pub use conv2d::{Algorithm, conv2d, conv2d_backward_input, conv2d_backward_weight, conv2d_with};
pub use matmul::{matmul, matmul_bt, square_sums};
pub use pool::{max_pool, max_pool_backward};
pub use precision::Precision;
pub use scratch::Output;
pub(crate) use scratch::filled;
pub use shape::{Activation, CARAFE_TAPS, CarafeShape, Conv2dShape, MaxPool, Record, recording};
pub use simd::Level;
pub use weights::{PackedWeights, WeightPanels, Weights};
