//! JPEG to JPEG: blocks that the hole does not touch are the same to the bit.

mod common;

use common::{decode, encode, exif_of_camera, jpeg_with_segments, picture};
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};
use inpaint_core::{Mask, Rect};
use inpaint_photo::{EncodeOptions, Photo};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

const HOLE: Rect = Rect {
    x: 40,
    y: 25,
    width: 21,
    height: 18,
};

/// A filling that differs from everything around it.
fn filled(photo: &mut Photo, mask: &Mask) -> RgbImage {
    let (width, height) = photo.dimensions();
    let red = RgbImage::from_pixel(width, height, image::Rgb([200, 60, 30]));
    photo.fill_hole(&red, &mask.clone().into()).unwrap();
    red
}

/// Checks a file that shows `picture`: it is decoded, filled, encoded and decoded again.
fn check(file: &[u8], picture: &DynamicImage, what: &str) {
    let mut photo = decode(file);
    let before = photo.pixels().to_rgb8();
    let differences = before.iter().zip(picture.to_rgb8().into_raw());
    let sum: u64 = differences.map(|(a, b)| u64::from(a.abs_diff(b))).sum();
    assert!(
        sum / (before.len() as u64) < 25,
        "{what}: wrong from the beginning"
    );
    let (width, height) = photo.dimensions();
    let mask = Mask::rectangle(width, height, HOLE);
    filled(&mut photo, &mask);
    let wanted = photo.pixels().to_rgb8();
    let encoded = photo.encode(None, &EncodeOptions::default()).unwrap();
    assert_eq!(encoded.warnings, [], "{what}");
    assert_eq!(is_progressive(&encoded.bytes), is_progressive(file));
    let after = decode(&encoded.bytes).pixels().to_rgb8();
    assert_eq!(after.dimensions(), before.dimensions());
    // Blocks of 32 pixels at most, and one more that smooth chrominance reaches into.
    let near = mask.dilated(2 * 33);
    let mut sums = [0u64; 2];
    for (x, y, pixel) in after.enumerate_pixels() {
        if !near.is_hole(x, y) {
            assert_eq!(pixel, before.get_pixel(x, y), "{what}: {x}, {y}");
        }
        let inside = usize::from(mask.is_hole(x, y));
        let pairs = pixel.0.iter().zip(wanted.get_pixel(x, y).0);
        sums[inside] += pairs.map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>();
    }
    let area = mask.hole_area() as u64;
    let mean_inside = sums[1] as f64 / (3 * area) as f64;
    assert!(mean_inside < 20.0, "{what}: {mean_inside} in the hole");
    let others = u64::from(width * height) - area;
    let mean = sums[0] as f64 / (3 * others) as f64;
    assert!(mean < 1.0, "{what}: {mean} outside");
    assert!(!near.is_full(), "the test looks at something");
}

/// Whether the frame comes in passes (T.81, table B.1).
fn is_progressive(file: &[u8]) -> bool {
    file.windows(4).any(|bytes| bytes == [0xFF, 0xC2, 0, 17])
        || file.windows(4).any(|bytes| bytes == [0xFF, 0xC2, 0, 11])
}

/// A file as the encoder makes it, with these settings.
fn file(picture: &DynamicImage, settings: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    settings(&mut encoder);
    let color = match picture {
        DynamicImage::ImageLuma8(_) => ColorType::Luma,
        _ => ColorType::Rgb,
    };
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    encoder
        .encode(picture.as_bytes(), width, height, color)
        .unwrap();
    bytes
}

#[test]
fn all_samplings_sequential_and_progressive() {
    use SamplingFactor as S;
    for (width, height) in [(256, 200), (211, 173)] {
        let picture = DynamicImage::from(picture(width, height));
        for sampling in [S::F_1_1, S::F_2_1, S::F_1_2, S::F_2_2, S::F_4_1, S::F_2_4] {
            check(
                &file(&picture, |encoder| encoder.set_sampling_factor(sampling)),
                &picture,
                &format!("{sampling:?}, sequential"),
            );
            let progressive = file(&picture, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(true);
            });
            check(
                &progressive,
                &picture,
                &format!("{sampling:?}, progressive"),
            );
        }
    }
}

#[test]
fn good_codes_and_grey() {
    let colour = DynamicImage::from(picture(230, 170));
    let grey = DynamicImage::from(colour.to_luma8());
    for (picture, what) in [(&colour, "colour"), (&grey, "grey")] {
        let bytes = file(picture, |encoder| {
            encoder.set_optimized_huffman_tables(true);
        });
        check(&bytes, picture, what);
        check(
            &file(picture, |encoder| encoder.set_progressive(true)),
            picture,
            what,
        );
    }
}

#[test]
fn restarts_change_nothing() {
    let colour = DynamicImage::from(picture(230, 170));
    let grey = DynamicImage::from(colour.to_luma8());
    for picture in [&colour, &grey] {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            let with_restarts = |interval: u16| {
                let bytes = file(picture, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_restart_interval(interval);
                });
                encode(&decode(&bytes), ImageFormat::Jpeg)
            };
            let plain = with_restarts(0);
            for interval in [1, 5, 15] {
                assert!(
                    with_restarts(interval) == plain,
                    "{sampling:?}, every {interval}"
                );
            }
        }
    }
}

#[test]
fn without_a_filling_nothing_changes() {
    let bytes = jpeg_with_segments(&picture(90, 70), &[]);
    let photo = decode(&bytes);
    let again = encode(&photo, ImageFormat::Jpeg);
    assert_eq!(decode(&again).pixels(), photo.pixels());
}

#[test]
fn turned_pictures_stay_turned_in_the_file_and_upright_for_people() {
    for orientation in 1..=8 {
        let exif = [b"Exif\0\0", &exif_of_camera(orientation, None)[..]].concat();
        let bytes = jpeg_with_segments(&picture(256, 200), &[(0xE1, exif)]);
        let mut shown = DynamicImage::from(picture(256, 200));
        shown.apply_orientation(Orientation::from_exif(orientation).unwrap());
        check(&bytes, &shown, &format!("orientation {orientation}"));
        let photo = decode(&bytes);
        for strip in [false, true] {
            let options = EncodeOptions {
                strip,
                ..EncodeOptions::default()
            };
            let encoded = photo.encode(None, &options).unwrap();
            assert_eq!(decode(&encoded.bytes).pixels(), photo.pixels());
            let found = Orientation::from_exif_chunk(exif_of(&encoded.bytes).unwrap_or_default());
            let found = found.map_or(1, Orientation::to_exif);
            assert_eq!(found, orientation);
        }
    }
}

/// The Exif block of a JPEG file.
fn exif_of(file: &[u8]) -> Option<&[u8]> {
    let at = file.windows(6).position(|window| window == b"Exif\0\0")?;
    let length = u16::from_be_bytes([file[at - 2], file[at - 1]]);
    Some(&file[at + 6..at - 2 + usize::from(length)])
}

#[test]
fn a_quality_of_ones_own_encodes_anew() {
    let bytes = jpeg_with_segments(&picture(256, 200), &[]);
    let mut photo = decode(&bytes);
    filled(&mut photo, &Mask::rectangle(256, 200, HOLE));
    let length = |jpeg_quality| {
        let options = EncodeOptions {
            jpeg_quality,
            ..EncodeOptions::default()
        };
        photo.encode(None, &options).unwrap().bytes.len()
    };
    assert!(length(Some(20)) < length(None) / 2);
    assert!(length(None) < bytes.len() * 11 / 10);
}

/// Copying often loses the end of a file.
#[test]
fn only_the_end_marker_may_be_missing() {
    let picture = DynamicImage::from(picture(64, 48));
    for progressive in [false, true] {
        let whole = file(&picture, |encoder| encoder.set_progressive(progressive));
        let pixels = decode(&whole).pixels().to_rgb8();
        for missing in 1..=2 {
            let photo = decode(&whole[..whole.len() - missing]);
            assert_eq!(photo.pixels().to_rgb8(), pixels);
            let again = photo.encode(None, &EncodeOptions::default()).unwrap();
            assert_eq!(decode(&again.bytes).pixels().to_rgb8(), pixels);
        }
        let limits = inpaint_photo::Limits::default();
        for missing in [6, 40, whole.len() / 2] {
            let cut = &whole[..whole.len() - missing];
            assert!(Photo::decode(cut, &limits).is_err(), "{missing}");
        }
    }
}

/// Files that look right to the first glance, and are cut or changed anywhere.
#[test]
fn damaged_files_give_a_picture_or_an_error_and_never_a_panic() {
    let picture = DynamicImage::from(picture(64, 48));
    let sequential = file(&picture, |encoder| encoder.set_restart_interval(3));
    let progressive = file(&picture, |encoder| encoder.set_progressive(true));
    let limits = inpaint_photo::Limits::megapixels(1);
    for file in [sequential, progressive] {
        for at in (0..file.len()).step_by(7) {
            let mut changed = file.clone();
            changed[at] ^= 1 << (at % 8);
            let Ok(mut photo) = Photo::decode(&changed, &limits) else {
                continue;
            };
            let (width, height) = photo.dimensions();
            filled(&mut photo, &Mask::rectangle(width, height, HOLE));
            let encoded = photo.encode(None, &EncodeOptions::default()).unwrap();
            assert_eq!(decode(&encoded.bytes).dimensions(), (width, height));
        }
    }
}
