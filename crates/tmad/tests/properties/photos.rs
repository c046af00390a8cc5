//! From photo to photo, where `tests/pipeline.rs` ends: what the hole shows, and configurations
//! that cannot be.

use super::tiny;
use crate::common::masks::{mask_of_boxes, noise_picture};
use crate::common::tensors::device;
use inpaint_core::image::Rgb;
use inpaint_core::{Control, Inpainter, Mask, RgbImage};
use std::collections::BTreeMap;
use tmad::coarse::Prior;
use tmad::model::{Model, ModelConfig};
use tmad::pipeline::{CONFIG_KEY, TMad};
use tmad::weights::{Precision, WeightsError, to_bytes};

/// The weights of a model with this text as their configuration.
fn load(model: &Model, config: Option<&str>) -> Result<TMad, WeightsError> {
    let metadata = config.map(|config| (CONFIG_KEY.to_owned(), config.to_owned()));
    let metadata = BTreeMap::from_iter(metadata);
    let bytes = to_bytes(model, Precision::F32, &metadata).expect("finite");
    TMad::from_bytes(&bytes, &device())
}

fn pipeline(prior: Prior) -> TMad {
    let mut config = tiny::config();
    config.coarse.prior = prior;
    let model = Model::new(&config, 3, &device());
    let config = serde_json::to_string(&config).expect("plain data");
    load(&model, Some(&config)).expect("weights of this configuration")
}

fn fill(pipeline: &TMad, image: &RgbImage, mask: &Mask) -> RgbImage {
    let result = pipeline.inpaint(image, mask, &Control::default());
    result.expect("there are known pixels")
}

/// Two groups of holes whose surroundings overlap, and one that is filled at half size first:
/// whatever the photo shows inside its holes, the result is the same.
#[test]
fn the_hole_is_never_looked_at() {
    let (some, large): (&[[i64; 4]], &[[i64; 4]]) = (
        &[[20, 20, 30, 30], [30, 150, 40, 20]],
        &[[30, 40, 150, 160]],
    );
    for (boxes, prior) in [
        (some, Prior::None),
        (large, Prior::Membrane),
        (large, Prior::PatchMatch),
    ] {
        let pipeline = pipeline(prior);
        let mask = mask_of_boxes(220, 260, boxes);
        let image = noise_picture("photo", 260, 220);
        let mut changed = image.clone();
        for (x, y, pixel) in changed.enumerate_pixels_mut() {
            if mask.is_hole(x, y) {
                *pixel = Rgb([255, (x % 7) as u8, 0]);
            }
        }
        let expected = fill(&pipeline, &image, &mask);
        assert!(expected == fill(&pipeline, &changed, &mask));
        assert!(expected == fill(&pipeline, &image, &mask), "a second run");
    }
}

/// A configuration that cannot be, or not with these weights, is an error and no panic.
#[test]
fn unusable_configurations_are_errors() {
    for config in [None, Some(""), Some("7"), Some(r#"{"patch":32}"#)] {
        let error = load(&tiny::model(), config).unwrap_err();
        assert!(matches!(&error, WeightsError::Metadata { key, .. } if key == CONFIG_KEY));
    }
    let impossible = r#"{"coarse":{"widths":[]}}"#;
    let error = load(&tiny::model(), Some(impossible)).unwrap_err();
    assert!(matches!(error, WeightsError::Metadata { .. }), "{error}");
    // The defaults are a whole model, only not this one.
    let error = load(&tiny::model(), Some("{}")).unwrap_err();
    assert!(matches!(
        error,
        WeightsError::Shape { .. } | WeightsError::Missing { .. }
    ));
}

/// Sizes that do not fit together are refused before a network is built from them; those that
/// pass build one that runs.
#[test]
fn sizes_that_do_not_fit_are_named() {
    let changed = |change: &dyn Fn(&mut ModelConfig)| {
        let mut config = tiny::config();
        change(&mut config);
        config.check()
    };
    type Change = dyn Fn(&mut ModelConfig);
    let cases: [(&str, &Change); 16] = [
        ("patch_px", &|c| c.patch_px = 0),
        ("patch_px", &|c| c.patch_px = 30),
        ("coarse.widths", &|c| c.coarse.widths = vec![]),
        ("coarse.widths", &|c| c.coarse.widths = vec![8, 0]),
        ("coarse.widths", &|c| c.coarse.widths = vec![usize::MAX]),
        ("coarse.dilation", &|c| c.coarse.dilation = 0),
        ("coarse.num_residual", &|c| c.coarse.num_residual = 1 << 40),
        ("memory.num_candidates", &|c| c.memory.num_candidates = 0),
        ("num_pool", &|c| c.memory.num_pool = 0),
        ("memory.temperature", &|c| c.memory.temperature = f64::NAN),
        ("memory.embedding_pool", &|c| {
            c.memory.embedding_pool = Some(5)
        }),
        ("synthesis.encoder_widths", &|c| {
            c.synthesis.encoder_widths = vec![]
        }),
        ("up_scales", &|c| c.synthesis.up_scales = vec![2, 2]),
        ("synthesis.up_scales", &|c| {
            c.synthesis.up_scales = vec![1, 2, 3]
        }),
        ("up_scales", &|c| c.synthesis.up_scales = vec![1, 1, 2]),
        ("synthesis.crop_margin", &|c| c.synthesis.crop_margin = 9),
    ];
    for (field, change) in cases {
        let error = changed(change).unwrap_err();
        assert!(error.to_string().contains(field), "{field}: {error}");
    }

    let mut config = tiny::config();
    config.synthesis.crop_margin = 8;
    config.patch_px = 16;
    assert!(
        config.check().is_err(),
        "the margin grew relative to the patch"
    );
    config.synthesis.crop_margin = 4;
    config.check().expect("fits");
    let model = Model::new(&config, 1, &device());
    let (image, mask) = (
        noise_picture("photo", 50, 40),
        mask_of_boxes(40, 50, &[[3, 3, 20, 9]]),
    );
    let inputs = tiny::inputs(&[&image], &[&mask], &device());
    let output = model.forward(&inputs, model.layout(&[&mask]));
    assert_eq!(output.synthesis.patches.dims()[1..], [3, 16, 16]);
}
