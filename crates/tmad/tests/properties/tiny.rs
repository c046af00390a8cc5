//! A model small enough for tests.

use crate::common::tensors::device;
use burn::tensor::Device;
use inpaint_core::{Mask, RgbImage};
use tmad::coarse::CoarseConfig;
use tmad::model::{Inputs, Model, ModelConfig};
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::texture_memory::MemoryConfig;

pub fn config() -> ModelConfig {
    ModelConfig {
        patch_px: 32,
        coarse: CoarseConfig {
            widths: vec![4, 6, 8],
            num_residual: 1,
            dilation: 2,
            carafe_channels: 4,
            ..Default::default()
        },
        memory: MemoryConfig {
            embedding_widths: (4, 2),
            ..Default::default()
        },
        synthesis: PatchSynthesisConfig {
            encoder_widths: vec![4, 6, 8],
            num_residual: 1,
            decoder_widths: vec![8, 6, 4],
            feature_widths: [4, 6, 8],
            num_feature_residual: 1,
            carafe_channels: 4,
            ..Default::default()
        },
        aligned: None,
    }
}

pub fn model() -> Model {
    Model::new(&config(), 3, &device())
}

/// Pictures of one size with their masks on `device`, for [`config`].
pub fn inputs<'a>(images: &[&'a RgbImage], masks: &[&'a Mask], device: &Device) -> Inputs<'a> {
    Inputs::new(images, masks.to_vec(), &[], config().coarse.prior, device)
}
