//! Convolution and CARAFE operations for T-MAD.

pub mod kernels;
