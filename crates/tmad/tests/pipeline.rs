//! The pipeline with small, untrained networks: what must hold whatever the weights say.

use burn::tensor::Device;
use inpaint_core::image::Rgb;
use inpaint_core::metrics::{Region, l1_percent, total_variation};
use inpaint_core::random::Random;
use inpaint_core::{
    Control, InpaintError, Inpainter, Mask, Rect, RgbImage, TextureMethod, composite,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tmad::aligned::AlignedConfig;
use tmad::coarse::{CoarseConfig, Prior};
use tmad::model::{Model, ModelConfig};
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::pipeline::{CONFIG_KEY, TMad};
use tmad::texture_memory::MemoryConfig;
use tmad::weights::{Precision, WeightsError, to_bytes};

fn config() -> ModelConfig {
    config_with(Prior::Membrane)
}

fn config_with(prior: Prior) -> ModelConfig {
    ModelConfig {
        coarse: CoarseConfig {
            widths: vec![4, 4, 4],
            num_residual: 1,
            carafe_channels: 4,
            prior,
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

/// As the built-in weights are, but small.
fn in_register() -> ModelConfig {
    ModelConfig {
        aligned: Some(AlignedConfig {
            widths: vec![4, 4, 4],
            num_residual: 1,
            carafe_channels: 4,
            ..AlignedConfig::default()
        }),
        ..config_with(Prior::PatchMatch)
    }
}

fn weights(config: &ModelConfig) -> Vec<u8> {
    let model = Model::new(config, 7, &Device::flex());
    let config = serde_json::to_string(config).unwrap();
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config)]);
    to_bytes(&model, Precision::F32, &metadata).unwrap()
}

fn tmad() -> TMad {
    tmad_with(&config())
}

fn tmad_with(config: &ModelConfig) -> TMad {
    TMad::from_bytes(&weights(config), &Device::flex()).unwrap()
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
        // So large that its structure is guessed at a smaller scale.
        (700, 420, [100, 60, 400, 300]),
    ];
    for method in [tmad(), tmad().coarse_only(), tmad_with(&in_register())] {
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

/// As wide as in training, wider, and of two regions that overlap.
fn holes_to_refine() -> [Mask; 3] {
    let two = {
        let (near, far) = (
            hole(520, 300, [90, 80, 70, 90]),
            hole(520, 300, [330, 90, 60, 100]),
        );
        Mask::from_fn(520, 300, |x, y| near.is_hole(x, y) || far.is_hole(x, y))
    };
    [
        hole(220, 200, [60, 50, 100, 90]),
        hole(700, 420, [100, 60, 400, 300]),
        two,
    ]
}

#[test]
fn a_large_hole_is_filled_with_texture_of_full_size() {
    let mut random = Random::new(3);
    let image = RgbImage::from_fn(720, 560, |_, _| {
        Rgb([(); 3].map(|()| (128.0 + 60.0 * (2.0 * random.unit() - 1.0)) as u8))
    });
    let mask = hole(720, 560, [140, 110, 420, 330]);
    let method = tmad_with(&in_register());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let control = Control::default().on_progress(move |fraction, _| {
        log.lock().unwrap().push(fraction);
    });
    let filled = method.inpaint(&image, &mask, &control).unwrap();
    assert!(composite(&image, &filled, &mask).unwrap() == filled);
    let strength = |image: &RgbImage| total_variation(image, Region::Hole(&mask)).unwrap();
    let share = strength(&filled) / strength(&image);
    assert!((0.6..1.2).contains(&share), "{share}");
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.len() > 10, "{seen:?}");

    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
    let again = pool.unwrap().install(|| {
        let explanation = method.explain(&image, &mask, &Control::default());
        explanation.unwrap()
    });
    assert!(again.completed == filled);
    assert!(!again.patches.is_empty() && again.coarse != filled);
}

/// Mean absolute difference over the hole in levels.
fn difference(a: &RgbImage, b: &RgbImage, mask: &Mask) -> f64 {
    2.55 * l1_percent(a, b, Region::Hole(mask)).unwrap()
}

#[test]
fn refining_its_own_guess_is_the_second_half_of_the_method() {
    let mask = &holes_to_refine()[0];
    let image = picture(mask.width(), mask.height());
    let control = Control::default();
    let coarse = tmad()
        .coarse_only()
        .inpaint(&image, mask, &control)
        .unwrap();
    let completed = tmad().inpaint(&image, mask, &control).unwrap();
    let refined = tmad().refine(&image, &coarse, mask, &control).unwrap();
    // Here the guess is rounded to bytes on its way, which turns near ties of the retrieval.
    let added = difference(&coarse, &completed, mask);
    let rounding = difference(&refined, &completed, mask);
    assert!(rounding < 0.1 * added, "{added} {rounding}");
}

#[test]
fn refining_looks_at_the_guess_in_the_hole_only() {
    for mask in holes_to_refine() {
        let image = picture(mask.width(), mask.height());
        let plain = |value| RgbImage::from_pixel(image.width(), image.height(), Rgb([value; 3]));
        let refine = |guess: &RgbImage| {
            let refined = tmad().refine(&image, guess, &mask, &Control::default());
            refined.unwrap()
        };
        let refined = refine(&plain(90));
        assert_eq!(refined, composite(&image, &refined, &mask).unwrap());
        assert_eq!(
            refined,
            refine(&composite(&image, &plain(90), &mask).unwrap())
        );
        assert_ne!(refined, refine(&plain(200)));
        let coarse = tmad().coarse_only();
        let unchanged = coarse.refine(&image, &plain(90), &mask, &Control::default());
        assert_eq!(
            unchanged.unwrap(),
            composite(&image, &plain(90), &mask).unwrap()
        );
    }
}

#[test]
fn a_guess_of_another_size_is_refused_and_an_empty_mask_the_identity() {
    let image = picture(40, 30);
    let mask = hole(40, 30, [3, 4, 5, 6]);
    let other = tmad().refine(&image, &picture(30, 40), &mask, &Control::default());
    assert!(matches!(other, Err(InpaintError::ImageSize { .. })));
    let empty = Mask::new(40, 30);
    let same = tmad().refine(&image, &picture(40, 30), &empty, &Control::default());
    assert_eq!(same.unwrap(), image);
    let nothing = tmad().explain(&image, &empty, &Control::default()).unwrap();
    assert!(nothing.patches.is_empty() && nothing.completed == image);
}

#[test]
fn an_explanation_is_what_the_method_does() {
    for mask in holes_to_refine() {
        let image = picture(mask.width(), mask.height());
        let control = Control::default();
        let explanation = tmad().explain(&image, &mask, &control).unwrap();
        let completed = tmad().inpaint(&image, &mask, &control).unwrap();
        assert!(explanation.completed == completed);
        let coarse = tmad().coarse_only().inpaint(&image, &mask, &control);
        assert!(explanation.coarse == coarse.unwrap());

        let mut covered = Mask::new(mask.width(), mask.height());
        for patch in &explanation.patches {
            let at = |start: i64, limit: u32| {
                start.clamp(0, limit.into()) as u32
                    ..(start + i64::from(patch.place.side)).clamp(0, limit.into()) as u32
            };
            for y in at(patch.place.y, mask.height()) {
                for x in at(patch.place.x, mask.width()) {
                    covered.set(x, y, true);
                }
            }
            assert_eq!(patch.candidates.len(), 4);
            assert!(patch.candidates.is_sorted_by(|a, b| a.score >= b.score));
            for candidate in &patch.candidates {
                let source = candidate.source;
                let (x, y) = (source.x as u32, source.y as u32);
                let known = (0..source.side * source.side)
                    .all(|i| !mask.is_hole(x + i % source.side, y + i / source.side));
                assert!(known, "{source:?}");
            }
        }
        let holes = mask.as_bytes().iter().zip(covered.as_bytes());
        assert!(holes.clone().all(|(hole, covered)| covered >= hole));
        let rows = explanation.patches.iter().map(|p| (p.place.y, p.place.x));
        assert!(rows.is_sorted());
    }
}

#[test]
fn fewer_candidates_are_the_best_ones_repeated() {
    let mask = &holes_to_refine()[0];
    let image = picture(mask.width(), mask.height());
    let explain = |method: TMad| method.explain(&image, mask, &Control::default()).unwrap();
    let all = explain(tmad());
    let one = explain(
        tmad()
            .with_memory(|memory| memory.num_distinct = Some(1))
            .unwrap(),
    );
    for (one, all) in one.patches.iter().zip(&all.patches) {
        assert_eq!(one.candidates, [all.candidates[0]; 4]);
    }
    assert_ne!(one.completed, all.completed);
    let error = tmad().with_memory(|memory| memory.num_distinct = Some(5));
    let error = error.unwrap_err();
    assert_eq!(error.field, "memory.num_distinct");
    assert!(error.problem.contains("1..=4"));
}
