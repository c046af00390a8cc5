#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! [`TMad`] is all that most programs need. [`pipeline`] says how a photo goes through it;
//! [`model`], [`coarse`], [`texture_memory`], [`aligned`] and [`patch_synthesis`] are the
//! networks, [`weights`] their files.

pub mod aligned;
pub mod coarse;
mod config_error;
mod inputs;
pub mod layers;
pub mod model;
#[cfg(feature = "onnx")]
pub mod onnx;
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
mod with_texture;

pub use burn::tensor::Device;
pub use config_error::ConfigError;
pub use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage, TextureMethod};
pub use pipeline::TMad;
pub use with_texture::WithTexture;
