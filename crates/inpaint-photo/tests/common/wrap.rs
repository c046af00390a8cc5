//! Metadata of any bytes in files that are whole otherwise. Changed at random, whole files seldom
//! reach the readers of metadata: lengths, check sums and compression stand before them.

use crate::common::{FORMATS, file, jpeg_with_segments, picture, png_with};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use image_webp::{ColorType, WebPEncoder};
use inpaint_photo::{EncodeOptions, Limits, MaskOptions, Photo, PhotoError, Warning, read_mask};
use std::io::{Cursor, Write};
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::RGB8;
use tiff::tags::Tag;

const SIZE: (u32, u32) = (16, 12);
/// Number of places that [`exercise_metadata`] puts bytes into.
pub const NUM_PLACES: u8 = 22;

/// Reads `data` as the metadata that `place` stands for, and writes them in every format.
///
/// # Panics
///
/// If metadata cost the picture, if a result cannot be read, or if it holds what is not kept.
pub fn exercise_metadata(place: u8, data: &[u8]) {
    let place = place % NUM_PLACES;
    if place == 0 {
        return exercise_mask(data);
    }
    // As much as a segment holds.
    let data = &data[..data.len().min(40_000)];
    let bytes = wrapped(place, data);
    let photo = match Photo::decode(&bytes, &Limits::default()) {
        Ok(photo) => photo,
        // TIFF's tags say what the samples are, too.
        Err(_) if bytes.starts_with(b"II") => return,
        Err(error) => panic!("the picture at place {place} {error}"),
    };
    for format in FORMATS {
        let encoded = photo.encode(Some(format), &EncodeOptions::default());
        let encoded = encoded.unwrap_or_else(|error| panic!("{format:?} {error}"));
        let again = Photo::decode(&encoded.bytes, &Limits::default());
        let again = again.unwrap_or_else(|error| panic!("{format:?} {error}"));
        assert_eq!(again.dimensions(), photo.dimensions());
        let mut warnings = again.warnings().iter();
        let lost = warnings.find(|warning| matches!(warning, Warning::NotKept { .. }));
        assert_eq!(lost, None, "{format:?} of place {place}");
    }
}

fn wrapped(place: u8, data: &[u8]) -> Vec<u8> {
    let picture = picture(SIZE.0, SIZE.1);
    let headed = |head: &[u8]| [head, data].concat();
    let jpeg = |marker: u8, data: Vec<u8>| jpeg_with_segments(&picture, &[(marker, data)]);
    let png = |name: &[u8; 4], data: Vec<u8>| png_with(&picture, &[(*name, data)]);
    let (choice, rest) = data.split_at(data.len().min(4));
    match place {
        1 => jpeg(0xE1, headed(b"Exif\0\0")),
        2 => jpeg(0xE1, headed(b"http://ns.adobe.com/xap/1.0/\0")),
        3 => {
            let mut head = b"http://ns.adobe.com/xmp/extension/\0".to_vec();
            head.extend([b'A'; 32]);
            head.extend((data.len() as u32).to_be_bytes());
            head.extend([0; 4]);
            jpeg(0xE1, [&head, data].concat())
        }
        4 => jpeg(0xED, headed(b"Photoshop 3.0\0")),
        5 => jpeg(0xED, headed(b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0")),
        6 => {
            let size = (data.len() as u32).to_be_bytes();
            jpeg(
                0xED,
                [b"Photoshop 3.0\08BIM\x04\x04\0\0", &size[..], data, b"\0"].concat(),
            )
        }
        7 => jpeg(0xE0 | choice.first().unwrap_or(&0) & 15, rest.to_vec()),
        8 => jpeg(0xFE, data.to_vec()),
        9 => jpeg(0xE1, [&b"Exif\0\0"[..], &with_maker_note(data)].concat()),
        10 => png(b"eXIf", with_maker_note(data)),
        11 => png(b"eXIf", data.to_vec()),
        12 => png(b"tEXt", data.to_vec()),
        13 => png(b"zTXt", [b"Comment\0\0", &deflated(data)[..]].concat()),
        14 => png(b"iTXt", headed(b"XML:com.adobe.xmp\0\0\0\0\0")),
        15 => {
            let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            let kinds = ["exif", "8bim", "iptc", "xmp"];
            let kind = kinds[usize::from(*choice.first().unwrap_or(&0)) % kinds.len()];
            let text = format!(
                "Raw profile type {kind}\0\n{kind}\n {}\n{digits}\n",
                data.len()
            );
            png(b"tEXt", text.into_bytes())
        }
        16 => png(b"bKGD", data.to_vec()),
        17 => png(b"sBIT", data.to_vec()),
        18 => webp(&picture, data, &[]),
        19 => webp(&picture, &[], data),
        20 => tiff_file(&picture, data),
        // A directory where the file has its own.
        _ => [b"II\x2A\0\x08\0\0\0", data].concat(),
    }
}

/// An Exif block whose maker's note are these bytes.
fn with_maker_note(data: &[u8]) -> Vec<u8> {
    let mut block = b"II\x2A\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1A\0\0\0\0\0\0\0".to_vec();
    block.extend(b"\x01\0\x7C\x92\x07\0");
    block.extend((data.len() as u32).to_le_bytes());
    block.extend(b"\x2C\0\0\0\0\0\0\0");
    block.extend(data);
    block
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn webp(picture: &RgbImage, exif: &[u8], xmp: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new(&mut file);
    encoder.set_exif_metadata(exif.to_vec());
    encoder.set_xmp_metadata(xmp.to_vec());
    encoder
        .encode(picture, SIZE.0, SIZE.1, ColorType::Rgb8)
        .unwrap();
    file
}

/// A TIFF file with the bytes in every tag that is looked into.
fn tiff_file(picture: &RgbImage, data: &[u8]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.new_image::<RGB8>(SIZE.0, SIZE.1).unwrap();
    for tag in [700, 33723, 34377, 34675, 40000, 0x010E] {
        let tag = Tag::from_u16_exhaustive(tag);
        image.encoder().write_tag(tag, data).unwrap();
    }
    image.write_data(picture).unwrap();
    file.into_inner()
}

/// Reads `data` as the pixels of a mask.
fn exercise_mask(data: &[u8]) {
    let (&[kind, threshold], samples) = data.split_first_chunk().unwrap_or((&[0, 128], &[]));
    let mut samples = samples.to_vec();
    samples.resize(16 * 12 * 8, 0);
    let deep = |count: usize| -> Vec<u16> {
        let pairs = samples.chunks_exact(2).take(16 * 12 * count);
        pairs
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    };
    let few = |count: usize| samples[..16 * 12 * count].to_vec();
    let (w, h) = SIZE;
    let pixels = match kind % 6 {
        0 => image::GrayImage::from_raw(w, h, few(1)).map(DynamicImage::from),
        1 => image::GrayAlphaImage::from_raw(w, h, few(2)).map(DynamicImage::from),
        2 => RgbImage::from_raw(w, h, few(3)).map(DynamicImage::from),
        3 => image::RgbaImage::from_raw(w, h, few(4)).map(DynamicImage::from),
        4 => image::ImageBuffer::from_raw(w, h, deep(1)).map(DynamicImage::ImageLuma16),
        _ => image::ImageBuffer::from_raw(w, h, deep(4)).map(DynamicImage::ImageRgba16),
    };
    let mask = file(&pixels.unwrap(), ImageFormat::Png);
    let photo = Photo::from_pixels(picture(w, h).into());
    let options = |invert| MaskOptions {
        invert,
        threshold: threshold.max(1),
        ..MaskOptions::default()
    };
    let read = |invert| read_mask(&mask, &options(invert), &photo, &Limits::default());
    match (read(false), read(true)) {
        (Ok(hole), Ok(rest)) => assert_eq!(hole.mask().inverted(), *rest.mask()),
        (Err(PhotoError::MaskIsPhoto), Err(PhotoError::MaskIsPhoto)) => {}
        (hole, rest) => panic!("{:?}, {:?}", hole.err(), rest.err()),
    }
}
