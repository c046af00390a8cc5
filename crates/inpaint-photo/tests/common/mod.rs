//! Files made by hand.

#![allow(dead_code)] // Every test file uses its own part.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use inpaint_photo::{EncodeOptions, Limits, Photo};
use std::io::Cursor;

/// What is written.
pub const FORMATS: [ImageFormat; 5] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Tiff,
    ImageFormat::Bmp,
];

pub fn decode(bytes: &[u8]) -> Photo {
    Photo::decode(bytes, &Limits::default()).unwrap()
}

pub fn encode(photo: &Photo, format: ImageFormat) -> Vec<u8> {
    let encoded = photo.encode(Some(format), &EncodeOptions::default());
    encoded.unwrap().bytes
}

/// A file of any kind of picture, as the `image` crate writes it.
pub fn file(picture: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Slanted stripes over a gradient.
pub fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let stripe = if (x + 2 * y) % 12 < 6 { 60 } else { 0 };
        Rgb([
            (40 + stripe + x % 100) as u8,
            (90 + stripe + y % 90) as u8,
            (120 + (x * y) % 97) as u8,
        ])
    })
}

/// A JPEG file of quality 90 with these segments behind its first one.
pub fn jpeg_with_segments(picture: &RgbImage, segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    picture.write_with_encoder(encoder).unwrap();
    let mut extra = Vec::new();
    for (marker, data) in segments {
        extra.extend([0xFF, *marker]);
        extra.extend((data.len() as u16 + 2).to_be_bytes());
        extra.extend(data);
    }
    bytes.splice(20..20, extra);
    bytes
}

/// A PNG file with these chunks behind its header.
pub fn png_with(picture: &RgbImage, chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = file(&picture.clone().into(), ImageFormat::Png);
    let mut extra = Vec::new();
    for (name, data) in chunks {
        extra.extend((data.len() as u32).to_be_bytes());
        let content = [&name[..], data].concat();
        extra.extend(&content);
        extra.extend(crc(&content).to_be_bytes());
    }
    bytes.splice(33..33, extra);
    bytes
}

/// The check sum of PNG's chunks.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// An Exif block with a maker, an orientation, a date and, if wanted, a thumbnail.
pub fn exif_of_camera(orientation: u8, thumbnail: Option<&[u8]>) -> Vec<u8> {
    const MAKER: &[u8; 18] = b"Maker of cameras\0\0";
    const DATE: &[u8; 20] = b"2024:02:29 12:00:00\0";
    let mut exif = b"MM\0\x2A\0\0\0\x08".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [
            &tag.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &count.to_be_bytes(),
            &value,
        ]
        .concat()
    };
    // Three entries and the link from 8 to 50, then the values.
    let (maker_at, photo_at) = (50u32, 68u32);
    let next = if thumbnail.is_some() { 106u32 } else { 0 };
    exif.extend(3u16.to_be_bytes());
    exif.extend(entry(0x010F, 2, 17, maker_at.to_be_bytes()));
    exif.extend(entry(0x0112, 3, 1, [0, orientation, 0, 0]));
    exif.extend(entry(0x8769, 4, 1, photo_at.to_be_bytes()));
    exif.extend(next.to_be_bytes());
    exif.extend(MAKER);
    exif.extend(1u16.to_be_bytes());
    exif.extend(entry(0x9003, 2, 20, (photo_at + 18).to_be_bytes()));
    exif.extend([0; 4]);
    exif.extend(DATE);
    assert_eq!(exif.len(), 106);
    if let Some(thumbnail) = thumbnail {
        let picture_at = 106u32 + 2 + 24 + 4;
        exif.extend(2u16.to_be_bytes());
        exif.extend(entry(0x0201, 4, 1, picture_at.to_be_bytes()));
        exif.extend(entry(0x0202, 4, 1, (thumbnail.len() as u32).to_be_bytes()));
        exif.extend([0; 4]);
        exif.extend(thumbnail);
    }
    exif
}

/// Bytes that claim to be a colour profile for this colour space.
pub fn icc_profile(color_space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[8] = 4;
    profile[12..16].copy_from_slice(b"mntr");
    profile[16..20].copy_from_slice(color_space);
    profile[20..24].copy_from_slice(b"XYZ ");
    profile[36..40].copy_from_slice(b"acsp");
    profile
}
