//! WebP files keep their kind of compression: without loss, or with about as much as they had.

mod common;

use common::{decode, encode, exif_of_camera, file, picture};
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use image_webp::{ColorType, EncoderParams, WebPEncoder};
use inpaint_core::{Mask, Rect};
use inpaint_photo::{EncodeOptions, Photo};

const SIZE: (u32, u32) = (200, 150);

/// Something like a photo: soft shapes, and grain.
fn photo() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let wave = |scale: f32, phase: f32| (x as f32 / scale + y as f32 / 31.0 + phase).sin();
        let grain = (x * 7919 + y * 104_729 + x * y * 31) % 13;
        let level = |phase| (128.0 + 60.0 * wave(19.0, phase) + 20.0 * wave(5.0, phase)) as u8;
        image::Rgb([level(0.0), level(0.7), level(1.9)].map(|level| level + grain as u8))
    })
}

fn lossy(pixels: &DynamicImage, quality: u8, exif: Vec<u8>) -> Vec<u8> {
    let mut params = EncoderParams::default();
    params.use_lossy = true;
    params.lossy_quality = quality;
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new(&mut file);
    encoder.set_params(params);
    encoder.set_exif_metadata(exif);
    let color = match pixels.color().has_alpha() {
        true => ColorType::Rgba8,
        false => ColorType::Rgb8,
    };
    encoder
        .encode(pixels.as_bytes(), pixels.width(), pixels.height(), color)
        .unwrap();
    file
}

fn chunk(file: &[u8], name: &[u8; 4]) -> Option<usize> {
    file.windows(4).position(|window| window == name)
}

/// Fills a rectangle with one colour.
fn filled(file: &[u8]) -> (Photo, Mask) {
    let rect = Rect {
        x: 60,
        y: 50,
        width: 40,
        height: 30,
    };
    let mask = Mask::rectangle(SIZE.0, SIZE.1, rect);
    let mut photo = decode(file);
    let completed = RgbImage::from_pixel(SIZE.0, SIZE.1, image::Rgb([200, 60, 30]));
    photo.fill_hole(&completed, &mask.clone().into()).unwrap();
    (photo, mask)
}

/// Root of the mean squared difference of colours, in the hole or outside.
fn difference(a: &DynamicImage, b: &DynamicImage, mask: &Mask, in_hole: bool) -> f64 {
    let (a, b) = (a.to_rgb8(), b.to_rgb8());
    let (mut sum, mut count) = (0.0, 0.0);
    for ((x, y, a), b) in a.enumerate_pixels().zip(b.pixels()) {
        if mask.is_hole(x, y) == in_hole {
            for (a, b) in a.0.into_iter().zip(b.0) {
                sum += f64::from(a.abs_diff(b)).powi(2);
                count += 1.0;
            }
        }
    }
    f64::sqrt(sum / count)
}

#[test]
fn files_with_loss_stay_so_at_about_their_size() {
    for quality in [30, 60, 80, 92] {
        let file = lossy(&photo().into(), quality, exif_of_camera(1, None));
        let before = decode(&file);
        let (photo, mask) = filled(&file);
        let after = encode(&photo, ImageFormat::WebP);
        assert!(chunk(&after, b"VP8 ").is_some() && chunk(&after, b"EXIF").is_some());
        let ratio = after.len() as f64 / file.len() as f64;
        assert!((0.6..1.8).contains(&ratio), "{quality}: {ratio}");
        let after = decode(&after);
        let lost = difference(before.pixels(), after.pixels(), &mask, false);
        let first = difference(&self::photo().into(), before.pixels(), &mask, false);
        // Less than what the first encoding has cost.
        assert!(
            lost > 0.0 && lost < first,
            "{quality}: {lost}, before {first}"
        );
        let in_hole = difference(photo.pixels(), after.pixels(), &mask, true);
        assert!(in_hole < 16.0, "{quality}: {in_hole}");
        let options = EncodeOptions {
            strip: true,
            ..EncodeOptions::default()
        };
        let stripped = photo.encode(None, &options).unwrap().bytes;
        assert_eq!(stripped.get(12..16), Some(&b"VP8 "[..]));
    }
}

#[test]
fn pictures_of_every_size_are_whole_to_their_edges() {
    for (width, height) in [
        (1, 1),
        (2, 3),
        (33, 1),
        (1, 40),
        (15, 17),
        (16, 32),
        (95, 63),
    ] {
        let wave = |at: u32, scale: f32| 128.0 + 90.0 * (at as f32 / scale).sin();
        let pixels = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([
                wave(x, 17.0) as u8,
                wave(y, 13.0) as u8,
                wave(x + y, 23.0) as u8,
            ])
        });
        let mut photo = decode(&lossy(&pixels.clone().into(), 90, Vec::new()));
        let everything = Mask::from_fn(width, height, |_, _| true);
        photo.fill_hole(&pixels, &everything.into()).unwrap();
        let after = encode(&photo, ImageFormat::WebP);
        assert!(chunk(&after, b"VP8 ").is_some(), "{width} x {height}");
        let after = decode(&after).pixels().to_rgb8();
        assert_eq!(after.dimensions(), (width, height));
        for (x, y, pixel) in after.enumerate_pixels() {
            let before = pixels.get_pixel(x, y);
            for (before, after) in before.0.into_iter().zip(pixel.0) {
                // Colours are halved in both directions.
                assert!(
                    before.abs_diff(after) < 40,
                    "{x}, {y} of {width} x {height}"
                );
            }
        }
    }
}

#[test]
fn transparency_has_no_loss() {
    let colours = photo();
    let pixels = RgbaImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let [r, g, b] = colours.get_pixel(x, y).0;
        image::Rgba([r, g, b, (x + y) as u8])
    });
    let (photo, _) = filled(&lossy(&pixels.clone().into(), 80, Vec::new()));
    let after = encode(&photo, ImageFormat::WebP);
    assert!(chunk(&after, b"VP8 ").is_some() && chunk(&after, b"ALPH").is_some());
    let after = decode(&after).into_pixels().to_rgba8();
    for (before, after) in pixels.pixels().zip(after.pixels()) {
        assert_eq!(before[3], after[3]);
    }
}

#[test]
fn files_without_loss_stay_so_to_the_sample() {
    let source = DynamicImage::from(picture(SIZE.0, SIZE.1));
    for format in [ImageFormat::WebP, ImageFormat::Png, ImageFormat::Jpeg] {
        let (photo, _) = filled(&file(&source, format));
        let after = encode(&photo, ImageFormat::WebP);
        assert_eq!(after.get(12..16), Some(&b"VP8L"[..]), "{format:?}");
        assert_eq!(decode(&after).pixels().to_rgb8(), photo.pixels().to_rgb8());
    }
}
