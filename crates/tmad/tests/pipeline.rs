//! The pipeline with small, untrained networks: what must hold whatever the weights say.

use burn::tensor::Device;
use inpaint_core::image::Rgb;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, Rect, RgbImage};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tmad::coarse::{CoarseConfig, Prior};
use tmad::model::{Model, ModelConfig};
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::pipeline::{CONFIG_KEY, TMad};
use tmad::texture_memory::MemoryConfig;
use tmad::weights::{Precision, WeightsError, to_bytes};

fn config() -> ModelConfig {
    ModelConfig {
        coarse: CoarseConfig {
            widths: vec![4, 4, 4],
            num_residual: 1,
            carafe_channels: 4,
            prior: Prior::Membrane,
            ..CoarseConfig::default()
        },
        memory: MemoryConfig {
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
            mask_plane: true,
            ..PatchSynthesisConfig::default()
        },
        ..ModelConfig::default()
    }
}

fn weights() -> Vec<u8> {
    let model = Model::new(&config(), 7, &Device::flex());
    let config = serde_json::to_string(&config()).unwrap();
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config)]);
    to_bytes(&model, Precision::F32, &metadata).unwrap()
}

fn tmad() -> TMad {
    TMad::from_bytes(&weights(), &Device::flex()).unwrap()
}

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 37 % 23 * 11 + y * 29 % 17 * 7) as u8,
            (y * 5) as u8,
            if (x / 9 + y / 6) % 2 == 0 { 220 } else { 30 },
        ])
    })
}

fn hole(width: u32, height: u32, rect: [u32; 4]) -> Mask {
    let [x, y, w, h] = rect;
    let rect = Rect {
        x,
        y,
        width: w,
        height: h,
    };
    Mask::rectangle(width, height, rect)
}

#[test]
fn every_size_is_filled_and_known_pixels_stay() {
    let sizes = [
        (1, 2, [0, 0, 1, 1]),
        (8, 8, [3, 3, 2, 2]),
        (31, 47, [10, 20, 9, 27]),
        (250, 333, [0, 0, 40, 70]),
        (2000, 3, [900, 1, 50, 1]),
        // Three holes in a row, and one so large that it is filled from a smaller scale.
        (700, 420, [100, 60, 400, 300]),
    ];
    for coarse in [false, true] {
        let method = if coarse { tmad().coarse_only() } else { tmad() };
        for (width, height, rect) in sizes {
            let image = picture(width, height);
            let mask = hole(width, height, rect);
            let filled = method.inpaint(&image, &mask, &Control::default()).unwrap();
            assert_eq!(filled.dimensions(), (width, height));
            let mut changed = 0;
            for ((x, y, before), after) in image.enumerate_pixels().zip(filled.pixels()) {
                if mask.is_hole(x, y) {
                    changed += u32::from(before != after);
                } else {
                    assert_eq!(before, after, "known pixel {x}, {y}");
                }
            }
            assert!(changed > 0, "{width}×{height}");
        }
    }
}

#[test]
fn an_empty_mask_is_the_identity_and_a_full_one_an_error() {
    let image = picture(40, 30);
    let empty = Mask::new(40, 30);
    let same = tmad().inpaint(&image, &empty, &Control::default()).unwrap();
    assert_eq!(same, image);
    let full = tmad().inpaint(&image, &empty.inverted(), &Control::default());
    assert!(matches!(full, Err(InpaintError::NoKnownPixels { .. })));
    let other = tmad().inpaint(&image, &Mask::new(30, 40), &Control::default());
    assert!(matches!(other, Err(InpaintError::MaskSize { .. })));
}

#[test]
fn the_number_of_threads_does_not_change_the_result() {
    let image = picture(300, 280);
    let mask = hole(300, 280, [60, 50, 150, 160]);
    let with_threads = |count| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
        pool.unwrap()
            .install(|| tmad().inpaint(&image, &mask, &Control::default()).unwrap())
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn progress_rises_to_one_and_cancelling_stops() {
    let image = picture(400, 300);
    let mask = hole(400, 300, [50, 50, 200, 200]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let control = Control::default().on_progress(move |fraction, _| {
        log.lock().unwrap().push(fraction);
    });
    tmad().inpaint(&image, &mask, &control).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&1.0));

    let control = Control::default();
    control.cancel();
    let cancelled = tmad().inpaint(&image, &mask, &control);
    assert!(matches!(cancelled, Err(InpaintError::Cancelled)));
}

#[test]
fn weights_without_a_usable_configuration_are_refused() {
    let model = Model::new(&config(), 7, &Device::flex());
    for config in [None, Some("{\"patch_px\": \"many\"}")] {
        let metadata = (config.iter())
            .map(|text| (CONFIG_KEY.to_owned(), (*text).to_owned()))
            .collect();
        let bytes = to_bytes(&model, Precision::F16, &metadata).unwrap();
        let error = TMad::from_bytes(&bytes, &Device::flex()).unwrap_err();
        assert!(matches!(error, WeightsError::Metadata { .. }), "{error}");
    }
}

#[test]
fn the_built_in_weights_fill_a_hole() {
    let method = TMad::built_in(&Device::flex()).unwrap();
    assert!(method.provenance().contains_key(CONFIG_KEY));
    let image = RgbImage::from_pixel(96, 80, Rgb([90, 140, 200]));
    let mask = hole(96, 80, [30, 20, 30, 30]);
    let filled = method.inpaint(&image, &mask, &Control::default()).unwrap();
    // A plain surface stays nearly plain.
    for (value, truth) in filled.as_raw().iter().zip(image.as_raw()) {
        assert!(value.abs_diff(*truth) <= 12, "{value} for {truth}");
    }
}
