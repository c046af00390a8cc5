//! T-MAD image inpainting.
pub mod coarse;
pub mod layers;
pub mod model;
pub mod weights;
