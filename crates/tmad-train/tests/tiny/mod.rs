//! Networks so small that they are trained within a second.

#![allow(dead_code)] // Each test binary uses its own part.

use tmad::coarse::CoarseConfig;
use tmad::model::ModelConfig;
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::texture_memory::MemoryConfig;
use tmad_train::discriminators::DiscriminatorConfig;

pub fn model() -> ModelConfig {
    ModelConfig {
        coarse: CoarseConfig {
            widths: vec![4, 8, 8],
            num_residual: 1,
            carafe_channels: 4,
            ..CoarseConfig::default()
        },
        memory: MemoryConfig {
            num_pool: 8,
            embedding_widths: (4, 2),
            ..MemoryConfig::default()
        },
        synthesis: PatchSynthesisConfig {
            encoder_widths: vec![4, 4, 4],
            num_residual: 1,
            decoder_widths: vec![4, 4, 4],
            feature_widths: [4, 4, 4],
            num_feature_residual: 1,
            carafe_channels: 4,
            ..PatchSynthesisConfig::default()
        },
        ..ModelConfig::default()
    }
}

pub fn discriminators() -> DiscriminatorConfig {
    DiscriminatorConfig {
        patch_widths: vec![4, 4, 4, 4],
        global_widths: [4, 4, 4, 4],
        ..DiscriminatorConfig::default()
    }
}
