//! T-MAD image inpainting (Xu et al., *Texture Memory-Augmented Deep Patch-Based Image
//! Inpainting*, IEEE TIP 2021): networks, texture memory and the pipeline from photo to photo.

pub mod aligned;
pub mod coarse;
mod inputs;
pub mod layers;
pub mod model;
pub mod patch_synthesis;
pub mod patches;
pub mod perceptual;
pub mod pipeline;
mod prior;
mod regions;
mod registration;
mod scale;
pub mod tensors;
pub mod texture_memory;
pub mod weights;
