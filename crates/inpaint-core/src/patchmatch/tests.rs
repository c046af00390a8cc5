//! Properties of the search, of the result, and odd inputs.

use std::sync::Arc;
use std::sync::Mutex;

use proptest::prelude::*;

use super::field::Field;
use super::*;
use crate::mask_generator::{FreeFormMask, MaskGenerator, centre_rectangle};
use crate::random::{Random, mix};
use crate::{Rect, composite};
use image::Rgb;

fn texture(width: u32, height: u32, seed: u64) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = mix(seed ^ u64::from(x * 7919 + y)) % 40;
        let wave = (x * 9 + y * 4) % 160;
        Rgb([
            wave as u8 + noise as u8,
            (y * 3 % 200) as u8,
            noise as u8 * 4,
        ])
    })
}

fn random_mask(width: u32, height: u32, seed: u64) -> Mask {
    let mut random = Random::new(seed);
    let mut mask = Mask::new(width, height);
    for _ in 0..1 + random.below(3) {
        mask.fill_rect(Rect {
            x: random.below(u64::from(width)) as u32,
            y: random.below(u64::from(height)) as u32,
            width: 1 + random.below(u64::from(width)) as u32 / 2,
            height: 1 + random.below(u64::from(height)) as u32 / 2,
        });
    }
    mask
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn known_pixels_keep_their_bytes(
        width in 1u32..60, height in 1u32..60, seed: u64,
        patch_px in prop::sample::select(vec![3usize, 5, 7, 9, 11]),
    ) {
        let image = texture(width, height, seed);
        let mask = random_mask(width, height, seed);
        let method = PatchMatch { patch_px, ..PatchMatch::default() };
        match method.inpaint(&image, &mask, &Control::with_seed(seed)) {
            Ok(filled) => prop_assert_eq!(composite(&image, &filled, &mask).unwrap(), filled),
            Err(error) => prop_assert!(mask.is_full(), "{}", error),
        }
    }

    #[test]
    fn an_empty_mask_is_the_identity(width in 0u32..40, height in 0u32..40, seed: u64) {
        let image = texture(width, height, seed);
        let filled = PatchMatch::default()
            .inpaint(&image, &Mask::new(width, height), &Control::default())
            .unwrap();
        prop_assert_eq!(filled, image);
    }

    #[test]
    fn no_distance_rises_while_searching(seed: u64) {
        let image = texture(48, 40, seed);
        let mask = FreeFormMask::default().generate(48, 40, seed);
        let mut picture = Picture::new(&image, &mask, 5);
        if let Some(prior) = prior::Prior::new(&picture, false) {
            prior.blend(&mut picture, 1.0);
        }
        let sources = Sources::new(&picture, 5);
        prop_assume!(sources.len() > 0);
        let mut field = Field::new(&picture, 5).unwrap();
        field.fill_randomly(&sources, seed);
        field.measure::<5>(&picture);
        let energy = |field: &Field| field.matches.iter().map(|m| u64::from(m.distance)).sum::<u64>();
        let first = energy(&field);
        for i in 0..4 {
            let before = field.matches.clone();
            let search = field::Search {
                seed: seed ^ i,
                backwards: i % 2 == 1,
                radius: usize::MAX,
            };
            field.improve::<5>(&picture, &sources, search, &Control::default());
            for (old, new) in before.iter().zip(&field.matches) {
                prop_assert!(new.distance <= old.distance);
                prop_assert_eq!(old.is_target(), new.is_target());
            }
        }
        let found = field.matches.clone();
        prop_assert!(energy(&field) <= first);
        // The distances kept during the search are the true ones.
        field.measure::<5>(&picture);
        prop_assert_eq!(&field.matches, &found);
        let known = found.iter().filter(|m| m.is_target());
        prop_assert!(known.clone().all(|m| sources.contains(m.x as usize, m.y as usize)));
    }
}

#[test]
fn threads_do_not_change_the_result() {
    let image = texture(150, 90, 3);
    let mask = FreeFormMask::default().generate(150, 90, 8);
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let control = Control::with_seed(seed);
        let method = PatchMatch::default();
        let pool = pool.build().unwrap();
        pool.install(|| method.inpaint(&image, &mask, &control).unwrap())
    };
    let one = run(1, 4);
    assert_eq!(one, run(3, 4));
    assert_ne!(one, run(1, 5), "the seed has no effect");
}

#[test]
fn repeats_a_regular_texture_exactly() {
    let image = RgbImage::from_fn(96, 96, |x, y| {
        let on = (x / 4 + y / 4) % 2 == 0;
        Rgb(if on { [200, 40, 30] } else { [20, 90, 160] })
    });
    let mask = Mask::rectangle(
        96,
        96,
        Rect {
            x: 40,
            y: 36,
            width: 20,
            height: 24,
        },
    );
    let broken = composite(&image, &RgbImage::new(96, 96), &mask).unwrap();
    let filled = PatchMatch::default().inpaint(&broken, &mask, &Control::default());
    let wrong = filled
        .unwrap()
        .pixels()
        .zip(image.pixels())
        .filter(|(a, b)| a != b)
        .count();
    assert!(
        wrong * 50 < mask.hole_area(),
        "{wrong} of {}",
        mask.hole_area()
    );
}

#[test]
fn what_lies_under_the_hole_has_no_effect() {
    let image = texture(64, 50, 1);
    let mask = centre_rectangle(64, 50);
    let other = composite(&image, &RgbImage::new(64, 50), &mask).unwrap();
    let fill = |image| {
        PatchMatch::default()
            .inpaint(image, &mask, &Control::default())
            .unwrap()
    };
    assert_eq!(fill(&image), fill(&other));
}

#[test]
fn odd_shapes_and_holes_are_filled() {
    let rect = |x, y, width, height| Rect {
        x,
        y,
        width,
        height,
    };
    let cases = [
        // Only the corners are known: the hole touches all borders.
        ((40, 40), vec![rect(0, 4, 40, 32), rect(4, 0, 32, 40)]),
        ((40, 40), vec![rect(0, 0, 20, 40)]),
        ((1, 9), vec![rect(0, 3, 1, 3)]),
        ((2, 2), vec![rect(0, 0, 1, 2)]),
        ((20_000, 3), vec![rect(9000, 0, 700, 3), rect(0, 1, 50, 1)]),
        (
            (64, 64),
            vec![rect(1, 1, 5, 5), rect(30, 50, 20, 14), rect(60, 0, 4, 4)],
        ),
    ];
    for ((width, height), rects) in cases {
        let image = RgbImage::from_pixel(width, height, Rgb([90, 120, 30]));
        let mut mask = Mask::new(width, height);
        for hole in rects {
            mask.fill_rect(hole);
        }
        let broken = composite(&image, &RgbImage::new(width, height), &mask).unwrap();
        let filled = PatchMatch::default().inpaint(&broken, &mask, &Control::default());
        assert_eq!(filled.unwrap(), image, "{width}×{height}");
    }
}

#[test]
fn one_known_pixel_is_enough_and_none_is_an_error() {
    let image = RgbImage::from_pixel(30, 20, Rgb([7, 8, 9]));
    let mut mask = Mask::new(30, 20).inverted();
    let error = PatchMatch::default().inpaint(&image, &mask, &Control::default());
    assert!(matches!(error, Err(InpaintError::NoKnownPixels { .. })));
    mask.set(3, 3, false);
    let filled = PatchMatch::default().inpaint(&image, &mask, &Control::default());
    assert_eq!(filled.unwrap(), image);
    let dot = Mask::new(1, 1).inverted();
    let error = PatchMatch::default().inpaint(&RgbImage::new(1, 1), &dot, &Control::default());
    assert!(matches!(error, Err(InpaintError::NoKnownPixels { .. })));
}

#[test]
fn large_images_are_filled_window_by_window() {
    let image = RgbImage::from_fn(3000, 1500, |x, y| {
        Rgb([(x / 8 % 2 * 99) as u8, 5, (y % 4) as u8])
    });
    let mut mask = Mask::new(3000, 1500);
    mask.fill_rect(Rect {
        x: 20,
        y: 20,
        width: 12,
        height: 9,
    });
    mask.fill_rect(Rect {
        x: 2950,
        y: 1460,
        width: 50,
        height: 40,
    });
    let filled = PatchMatch::default()
        .inpaint(&image, &mask, &Control::default())
        .unwrap();
    assert_eq!(composite(&image, &filled, &mask).unwrap(), filled);
    let wrong = filled
        .pixels()
        .zip(image.pixels())
        .filter(|(a, b)| a != b)
        .count();
    assert!(
        wrong * 10 < mask.hole_area(),
        "{wrong} of {}",
        mask.hole_area()
    );
}

#[test]
fn progress_rises_to_the_end_and_cancelling_stops() {
    let image = texture(80, 80, 2);
    let mask = centre_rectangle(80, 80);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let control = Control::default().on_progress(move |fraction, _| {
        log.lock().unwrap().push(fraction);
    });
    PatchMatch::default()
        .inpaint(&image, &mask, &control)
        .unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.len() > 10);
    assert!((seen[seen.len() - 1] - 1.0).abs() < 1e-3);

    let control = Control::default();
    let flag = control.clone();
    let control = control.on_progress(move |fraction, _| {
        if fraction > 0.2 {
            flag.cancel();
        }
    });
    let stopped = PatchMatch::default().inpaint(&image, &mask, &control);
    assert!(matches!(stopped, Err(InpaintError::Cancelled)));
}

#[test]
fn the_membrane_can_be_left_out() {
    let image = texture(70, 60, 6);
    let mask = centre_rectangle(70, 60);
    let plain = PatchMatch {
        prior: 0.0,
        prior_colours: 0.0,
        ..PatchMatch::default()
    };
    let fill = |method: &PatchMatch| method.inpaint(&image, &mask, &Control::default()).unwrap();
    assert_ne!(fill(&plain), fill(&PatchMatch::default()));
    let broken = PatchMatch {
        prior: 1.5,
        ..PatchMatch::default()
    };
    let error = broken.inpaint(&image, &mask, &Control::default());
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "prior is 1.5, allowed is 0 to 1");
}

/// Without the weight, similarity smooths a hole in noise; with it, a good part of it remains.
#[test]
fn texture_is_not_smoothed_away() {
    let mut random = Random::new(9);
    let image = RgbImage::from_fn(128, 128, |x, _| {
        // Smooth on the left, so that there is something smooth to copy.
        let strength = if x < 24 { 2.0 } else { 80.0 };
        Rgb([(); 3].map(|()| (128.0 + strength * (2.0 * random.unit() - 1.0)) as u8))
    });
    let mask = Mask::from_fn(128, 128, |x, y| x.abs_diff(80) < 28 && y.abs_diff(64) < 28);
    let deviation = |texture: f32| {
        let method = PatchMatch {
            texture,
            ..PatchMatch::default()
        };
        let filled = method.inpaint(&image, &mask, &Control::default()).unwrap();
        let inside = filled
            .enumerate_pixels()
            .filter(|(x, y, _)| mask.is_hole(*x, *y));
        let values: Vec<_> = inside.map(|(_, _, pixel)| f64::from(pixel.0[1])).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let sum = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        (sum / values.len() as f64).sqrt()
    };
    // Uniform noise of 80 levels either way deviates by 46.
    let (plain, textured) = (deviation(0.0), deviation(1.0));
    assert!(
        textured > 20.0 && textured > 4.0 * plain,
        "{plain} {textured}"
    );
    let broken = PatchMatch {
        texture: f32::NAN,
        ..PatchMatch::default()
    };
    let error = broken.inpaint(&image, &mask, &Control::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "texture is NaN, allowed is 0 or more"
    );
}

#[test]
fn settings_out_of_range_are_errors() {
    let method = PatchMatch {
        patch_px: 4,
        ..PatchMatch::default()
    };
    let image = RgbImage::new(9, 9);
    let error = method
        .inpaint(&image, &Mask::new(9, 9), &Control::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "patch_px is 4, allowed is 3, 5, 7, 9 or 11"
    );
}

/// A wall beside a sky, both grainy: the hole across their border fills with what the guess says,
/// in the grain of known pixels.
#[test]
fn copies_follow_the_guess() {
    let mut random = Random::new(8);
    let image = RgbImage::from_fn(192, 128, |x, _| {
        let grain = (random.unit() * 30.0) as u8;
        match x < 96 {
            true => Rgb([150 + grain, 60, 40]),
            false => Rgb([60, 90, 180 + grain]),
        }
    });
    let mask = Mask::from_fn(192, 128, |x, y| x.abs_diff(96) < 40 && y.abs_diff(64) < 40);
    let blue_share = |guess: Rgb<u8>| {
        let mut guessed = image.clone();
        for (x, y, pixel) in guessed.enumerate_pixels_mut() {
            if mask.is_hole(x, y) {
                *pixel = guess;
            }
        }
        let copies = PatchMatch::guided(1)
            .copies(&guessed, &mask, &Control::default())
            .unwrap();
        let hole = || (0..192 * 128).filter(|&i| mask.is_hole(i % 192, i / 192));
        let is_blue = |&i: &u32| {
            let [(x, _), _] = copies.sources[i as usize].unwrap();
            x >= 96
        };
        hole().filter(is_blue).count() as f64 / hole().count() as f64
    };
    let [wall, sky] = [Rgb([165, 60, 40]), Rgb([60, 90, 195])].map(blue_share);
    // Half of the hole lies beside either; the rim of the other half does not follow.
    assert!(wall < 0.3 && sky > 0.7, "{wall} {sky}");
}
