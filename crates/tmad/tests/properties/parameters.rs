//! The sizes of the networks: the paper's 3.9M, network by network.

use crate::common::tensors::device;
use burn::module::Module;
use tmad::coarse::{Coarse, CoarseConfig};
use tmad::layers::Initializer;
use tmad::model::{Model, ModelConfig};
use tmad::patch_synthesis::{Backbone, FeatureEncoder, PatchSynthesisConfig};
use tmad::weights::parameter_counts;

const COARSE: usize = 2_839_967;
const EMBEDDINGS: usize = 2_848;

#[test]
fn default_model() {
    let model = Model::new(&ModelConfig::default(), 1, &device());
    let counts = parameter_counts(&model);
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let expected = [
        ("coarse", COARSE),
        ("theta", EMBEDDINGS / 2),
        ("phi", EMBEDDINGS / 2),
        ("feature_encoder", 249_728),
        ("backbone", 843_979),
    ];
    assert_eq!(counts, expected);
    assert_eq!(model.num_params(), 3_936_522);
}

fn synthesis(config: &PatchSynthesisConfig) -> usize {
    let device = device();
    let mut init = Initializer::new(1, &device);
    FeatureEncoder::new(config, 4, &mut init).num_params()
        + Backbone::new(config, 32, &mut init).num_params()
}

#[test]
fn readings() {
    let reading = |encoder: &[usize], decoder: &[usize], scales: &[usize]| PatchSynthesisConfig {
        encoder_widths: encoder.to_vec(),
        decoder_widths: decoder.to_vec(),
        up_scales: scales.to_vec(),
        ..Default::default()
    };
    let two = [32, 64, 64];
    let readings = [
        ("r1", reading(&two, &[64, 64, 32], &[1, 2, 2]), 3_936_522),
        ("r1b", reading(&two, &[64, 32, 32], &[2, 2, 1]), 3_885_258),
        (
            "r2",
            reading(&[32, 64, 64, 64], &[64, 64, 32], &[2, 2, 2]),
            4_072_238,
        ),
        ("r3", reading(&two, &[64, 32], &[2, 2]), 3_866_762),
        ("r5", reading(&two, &[64, 32, 32], &[2, 2, 2]), 3_945_070),
        (
            "lite",
            reading(&[16, 32, 64], &[64, 64, 32], &[1, 2, 2]),
            3_869_562,
        ),
    ];
    for (name, config, total) in readings {
        assert_eq!(COARSE + EMBEDDINGS + synthesis(&config), total, "{name}");
        let with_margin = PatchSynthesisConfig {
            crop_margin: 2,
            ..config
        };
        assert_eq!(
            COARSE + EMBEDDINGS + synthesis(&with_margin),
            total,
            "{name} with margin"
        );
    }
}

#[test]
fn small_carafe() {
    let config = PatchSynthesisConfig {
        carafe_channels: 16,
        ..Default::default()
    };
    let coarse = CoarseConfig {
        carafe_channels: 16,
        ..Default::default()
    };
    let device = device();
    let coarse = Coarse::new(&coarse, &mut Initializer::new(1, &device)).num_params();
    assert_eq!(coarse + EMBEDDINGS + synthesis(&config), 3_703_386);
}
