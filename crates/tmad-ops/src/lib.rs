//! Convolution and CARAFE operations for T-MAD.
