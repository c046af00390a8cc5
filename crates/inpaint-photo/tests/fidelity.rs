//! Nothing outside the hole changes, whatever kind of file it is.

mod common;
#[path = "common/exercise.rs"]
mod exercise;

use common::{decode, encode, exif_of_camera, file, picture, png_with};
use exercise::{assert_known_equal, exercise};
use image::metadata::Orientation;
use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba,
    RgbaImage,
};
use inpaint_core::random::Random;
use inpaint_core::{Mask, Rect, RgbImage};
use inpaint_photo::{EncodeOptions, Limits, Photo, PhotoError, Warning};
use jpeg_encoder::{ColorType, Encoder};
use std::time::{Duration, Instant};

const SIZE: (u32, u32) = (41, 33);

fn hole() -> Mask {
    let rect = Rect {
        x: 9,
        y: 11,
        width: 17,
        height: 12,
    };
    Mask::rectangle(SIZE.0, SIZE.1, rect)
}

/// The filled photo, and what its file is decoded to.
fn through(photo: &Photo, format: ImageFormat) -> (Photo, Photo) {
    let mut photo = photo.clone();
    let red = RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([200, 60, 30]));
    photo.fill_hole(&red, &hole().into()).unwrap();
    let again = decode(&encode(&photo, format));
    (photo, again)
}

/// A picture of every kind of sample.
fn all_kinds() -> Vec<DynamicImage> {
    let (w, h) = SIZE;
    let deep = |x: u32, y: u32| (x * 1801 + y * 977 + 13) as u16;
    vec![
        GrayImage::from_fn(w, h, |x, y| Luma([(x * 5 + y * 3) as u8])).into(),
        GrayAlphaImage::from_fn(w, h, |x, y| LumaA([(x * 5) as u8, (y * 7) as u8])).into(),
        picture(w, h).into(),
        RgbaImage::from_fn(w, h, |x, y| Rgba([x as u8, y as u8, 99, (x * y) as u8])).into(),
        ImageBuffer::from_fn(w, h, |x, y| Luma([deep(x, y)])).into(),
        ImageBuffer::from_fn(w, h, |x, y| LumaA([deep(x, y), deep(y, x)])).into(),
        ImageBuffer::from_fn(w, h, |x, y| Rgb([deep(x, y), deep(y, x), 7])).into(),
        ImageBuffer::from_fn(w, h, |x, y| Rgba([deep(x, y), 5, 7, deep(y, x)])).into(),
    ]
}

#[test]
fn every_kind_of_sample_passes_through_formats_without_loss() {
    for pixels in all_kinds() {
        let photo = decode(&file(&pixels, ImageFormat::Png));
        assert_eq!(photo.pixels(), &pixels);
        for format in [
            ImageFormat::Png,
            ImageFormat::Tiff,
            ImageFormat::WebP,
            ImageFormat::Bmp,
        ] {
            let (filled, again) = through(&photo, format);
            if again.pixels().color() == pixels.color() {
                assert_eq!(again.pixels(), filled.pixels(), "{format:?}");
                assert_known_equal(&pixels, again.pixels(), &hole());
            } else if format == ImageFormat::Tiff {
                // Grey with alpha becomes colour with alpha, of the same values.
                assert_eq!(again.pixels().to_rgba16(), filled.pixels().to_rgba16());
            } else if !matches!(
                pixels.color().bytes_per_pixel() / pixels.color().channel_count(),
                2
            ) {
                assert_eq!(
                    again.pixels().to_rgba8(),
                    filled.pixels().to_rgba8(),
                    "{format:?}"
                );
            }
        }
    }
}

#[test]
fn sixteen_bits_inside_the_hole_are_within_half_a_level_of_their_bytes() {
    let deep = DynamicImage::from(ImageBuffer::from_pixel(41, 33, Rgb([1000u16, 2001, 3002])));
    let (filled, _) = through(&decode(&file(&deep, ImageFormat::Tiff)), ImageFormat::Tiff);
    let pixels = filled.pixels().as_rgb16().unwrap();
    for (sample, byte) in pixels.get_pixel(10, 12).0.iter().zip([200u16, 60, 30]) {
        assert!(sample.abs_diff(byte * 257) <= 128);
    }
    assert_eq!(pixels.get_pixel(0, 0).0, [1000, 2001, 3002]);
}

#[test]
fn all_orientations_are_worked_on_as_they_are_shown() {
    let stored = picture(33, 41);
    for number in 1..=8 {
        let orientation = Orientation::from_exif(number).unwrap();
        let mut shown = DynamicImage::from(stored.clone());
        shown.apply_orientation(orientation);
        let photo = decode(&png_with(
            &stored,
            &[(*b"eXIf", exif_of_camera(number, None))],
        ));
        assert_eq!(photo.pixels(), &shown);
        assert_eq!(photo.is_stored_turned(), number >= 5);
        let again = decode(&encode(&photo, ImageFormat::Png));
        assert_eq!(again.pixels(), &shown);
    }
}

/// PNG files with a palette: 1, 2, 4 and 8 bits per pixel, with and without transparent entries.
#[test]
fn palettes_become_the_colours_that_they_stand_for() {
    for (depth, bits) in [
        (png::BitDepth::One, 1),
        (png::BitDepth::Two, 2),
        (png::BitDepth::Four, 4),
        (png::BitDepth::Eight, 8),
    ] {
        for alpha in [false, true] {
            let entries = 1u32 << bits;
            let palette: Vec<u8> = (0..entries * 3).map(|i| (i * 37) as u8).collect();
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 16, 3);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(depth);
            encoder.set_palette(palette.clone());
            if alpha {
                encoder.set_trns(vec![40u8, 255]);
            }
            let row = 16 * bits / 8;
            let indices: Vec<u8> = (0..row * 3).map(|i| (i * 83 + 5) as u8).collect();
            encoder
                .write_header()
                .unwrap()
                .write_image_data(&indices)
                .unwrap();
            let photo = decode(&bytes);
            assert_eq!(photo.pixels().color().has_alpha(), alpha);
            for y in 0..3usize {
                for x in 0..16usize {
                    let byte = indices[y * row + x * bits / 8];
                    let shift = 8 - bits - x * bits % 8;
                    let index = usize::from(byte >> shift) & (entries as usize - 1);
                    let pixel = photo.pixels().to_rgba8().get_pixel(x as u32, y as u32).0;
                    assert_eq!(pixel[..3], palette[3 * index..3 * index + 3]);
                    let expected = if alpha && index == 0 { 40 } else { 255 };
                    assert_eq!(pixel[3], expected);
                }
            }
            let again = decode(&encode(&photo, ImageFormat::Png));
            assert_eq!(again.pixels(), photo.pixels());
        }
    }
}

#[test]
fn cmyk_becomes_rgb_and_that_is_said() {
    // The encoder stores ink as Adobe does, inverted.
    let ink: Vec<u8> = (0..SIZE.0 * SIZE.1)
        .flat_map(|_| [0, 175, 175, 0])
        .collect();
    let mut bytes = Vec::new();
    let encoder = Encoder::new(&mut bytes, 95);
    encoder
        .encode(&ink, SIZE.0 as u16, SIZE.1 as u16, ColorType::Cmyk)
        .unwrap();
    let photo = decode(&bytes);
    assert_eq!(
        photo.warnings(),
        [Warning::CmykConverted { managed: false }]
    );
    let [r, g, b] = photo.to_rgb().get_pixel(3, 3).0;
    assert!(r > 240 && g < 90 && b < 90, "{r} {g} {b}");
    let (_, again) = through(&photo, ImageFormat::Png);
    assert_known_equal(photo.pixels(), again.pixels(), &hole());
    let encoded = photo.encode(None, &EncodeOptions::default()).unwrap();
    assert_eq!(
        encoded.warnings,
        [Warning::CmykConverted { managed: false }]
    );
    assert_eq!(decode(&encoded.bytes).dimensions(), SIZE);
}

#[test]
fn transparent_parts_are_laid_over_the_background_in_jpeg_files() {
    let pixels = RgbaImage::from_fn(64, 32, |x, _| match x / 16 {
        0 => Rgba([255, 0, 255, 0]),
        1 => Rgba([0, 0, 0, 128]),
        _ => Rgba([10, 200, 30, 255]),
    });
    let photo = decode(&file(&pixels.into(), ImageFormat::Png));
    for (background, half) in [([255; 3], [127; 3]), ([0, 60, 250], [0, 30, 124])] {
        let options = EncodeOptions {
            background,
            ..EncodeOptions::default()
        };
        let encoded = photo.encode(Some(ImageFormat::Jpeg), &options).unwrap();
        assert_eq!(encoded.warnings, [Warning::AlphaDropped]);
        let flat = decode(&encoded.bytes).pixels().to_rgb8();
        for (x, expected) in [(4, background), (24, half), (56, [10, 200, 30])] {
            let pixel = flat.get_pixel(x, 16).0;
            let near = pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 8);
            assert!(near, "{x}: {pixel:?} for {expected:?}");
        }
    }
    let grey = GrayAlphaImage::from_pixel(8, 8, LumaA([7, 0]));
    let photo = decode(&file(&grey.into(), ImageFormat::Png));
    let flat = decode(&encode(&photo, ImageFormat::Jpeg));
    assert!(matches!(flat.pixels(), DynamicImage::ImageLuma8(_)));
    assert!(flat.to_rgb().get_pixel(4, 4)[0] > 250);
}

#[test]
fn cut_files_are_errors() {
    let pixels = DynamicImage::from(picture(SIZE.0, SIZE.1));
    let limits = Limits::default();
    assert!(matches!(
        Photo::decode(b"", &limits),
        Err(PhotoError::Empty)
    ));
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Tiff,
    ] {
        let file = file(&pixels, format);
        for end in (0..file.len() - 16).step_by(5) {
            // TIFF's directory is at the end, PNG's check sums everywhere.
            assert!(
                Photo::decode(&file[..end], &limits).is_err(),
                "{format:?}, {end} bytes"
            );
        }
    }
}

#[test]
fn bombs_are_refused_by_their_header() {
    let mut bomb = file(&picture(8, 8).into(), ImageFormat::Png);
    bomb[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&50_000u32.to_be_bytes());
    let crc = common::crc(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = Photo::decode(&bomb, &Limits::default()).unwrap_err();
    assert!(error.is_limit());
    let words = "has 60000×50000 pixels, more than the limit of 200 megapixels";
    assert_eq!(error.to_string(), words);
    let limits = Limits {
        max_side: Some(20),
        ..Limits::default()
    };
    let file = file(&picture(21, 8).into(), ImageFormat::Png);
    let error = Photo::decode(&file, &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has 21×8 pixels, more than the limit of 20 per side"
    );
}

/// Changed bytes in files of all formats. `MUTATION_SECONDS` makes it run longer than the 2
/// seconds of every test run.
#[test]
fn changed_files_give_a_picture_or_an_error_and_never_a_panic() {
    let seconds = std::env::var("MUTATION_SECONDS").ok();
    let seconds = seconds
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(2);
    let exif = exif_of_camera(6, Some(b"the old picture!"));
    let mut seeds = vec![png_with(&picture(24, 17), &[(*b"eXIf", exif.clone())])];
    for pixels in all_kinds() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Tiff,
            ImageFormat::Bmp,
        ] {
            seeds.push(encode(&decode(&file(&pixels, ImageFormat::Png)), format));
        }
    }
    let segment = [b"Exif\0\0", &exif[..]].concat();
    let camera = common::jpeg_with_segments(&picture(40, 30), &[(0xE1, segment)]);
    seeds.push(encode(&decode(&camera), ImageFormat::Tiff));
    seeds.push(camera);
    for progressive in [false, true] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 60);
        encoder.set_progressive(progressive);
        encoder.set_restart_interval(2);
        encoder
            .encode(&picture(48, 40), 48, 40, ColorType::Rgb)
            .unwrap();
        seeds.push(bytes);
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random::new(seconds);
    let (mut num_runs, mut num_pictures) = (0u64, 0u64);
    while Instant::now() < end || num_runs < 200 {
        let mut bytes = seeds[random.below(seeds.len() as u64) as usize].clone();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(5) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5) as usize],
                2 => {
                    bytes.truncate(at.max(1));
                }
                3 => {
                    let end = (at + 1 + random.below(8) as usize).min(bytes.len());
                    bytes.drain(at..end);
                    bytes.push(0);
                }
                _ => {
                    let other = &seeds[random.below(seeds.len() as u64) as usize];
                    let from = random.below(other.len() as u64) as usize;
                    let end = (from + 1 + random.below(32) as usize).min(other.len());
                    bytes.splice(at..at, other[from..end].iter().copied());
                }
            }
        }
        num_pictures += u64::from(exercise(random.below(1 << 16) as u16, &bytes));
        num_runs += 1;
    }
    println!("{num_runs} files, {num_pictures} of them pictures");
    assert!(num_pictures > num_runs / 20, "{num_pictures} of {num_runs}");
}

/// Photos of real cameras: `TMAD_PHOTOS` names a folder of them.
#[test]
fn camera_files_keep_everything_outside_the_hole() {
    let Ok(folder) = std::env::var("TMAD_PHOTOS") else {
        println!("SKIPPED: TMAD_PHOTOS names no folder of photos");
        return;
    };
    let mut num_photos = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let mut photo = decode(&std::fs::read(&path).unwrap());
        let before = photo.pixels().clone();
        let (width, height) = photo.dimensions();
        let rect = Rect {
            x: width / 3,
            y: height / 3,
            width: width / 10,
            height: height / 10,
        };
        let mask = Mask::rectangle(width, height, rect);
        let red = RgbImage::from_pixel(width, height, Rgb([200, 60, 30]));
        photo.fill_hole(&red, &mask.clone().into()).unwrap();
        let png = decode(&encode(&photo, ImageFormat::Png));
        assert_known_equal(&before, png.pixels(), &mask);
        // Coefficients are copied, and chrominance is smoothed over a block at most.
        let jpeg = decode(&encode(&photo, ImageFormat::Jpeg));
        assert_known_equal(&before, jpeg.pixels(), &mask.dilated(48));
        num_photos += 1;
    }
    assert!(num_photos > 0);
}
