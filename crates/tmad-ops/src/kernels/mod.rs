//! CPU kernels on plain slices: convolution with its gradients, CARAFE and matrix products.
//!
//! Tensors are contiguous NCHW f32. Every function checks the lengths of its slices and
//! panics on a mismatch. Results do not depend on the number of threads.

// Indices name rows and columns of small matrices, often of several at once.
#![allow(clippy::needless_range_loop)]

mod carafe;
mod conv2d;
mod direct;
mod gemm;
mod layout;
mod matmul;
mod panels;
mod plan;
pub mod reference;
mod scratch;
mod shape;
mod simd;
mod tile;
mod unfold;
mod weight_grad;
mod winograd;

pub use carafe::{carafe, carafe_backward};
pub use conv2d::{
    Algorithm, PackedWeights, Weights, conv2d, conv2d_backward_input, conv2d_backward_weight,
    conv2d_with,
};
pub use matmul::{matmul, matmul_bt};
pub use shape::{Activation, CARAFE_TAPS, CarafeShape, Conv2dShape};
pub use simd::Level;
