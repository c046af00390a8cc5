//! CMYK pictures by their profile, without which every printing process would look the same.
//!
//! Sources: ITU-T T.872 (CMYK in JPEG files), ICC.1:2022.

use crate::{Limits, tiff_file};
use image::{DynamicImage, ImageBuffer, ImageFormat};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};
use std::io::Cursor;
use tiff::decoder::DecodingResult;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The picture in sRGB, and the profile that says so; `None` if the profile cannot be used or the
/// samples cannot be read as they are stored.
pub(crate) fn to_srgb(
    file: &[u8],
    format: ImageFormat,
    profile: &[u8],
    (width, height): (u32, u32),
    limits: &Limits,
) -> Option<(DynamicImage, Vec<u8>)> {
    let source = ColorProfile::new_from_slice(profile).ok()?;
    if source.color_space != DataColorSpace::Cmyk {
        return None;
    }
    let target = ColorProfile::new_srgb();
    // The intent that is meant for photographs, and moxcms' default.
    let options = TransformOptions::default();
    let num_pixels = width as usize * height as usize;
    let pixels = match ink(file, format, limits)? {
        Ink::Bytes(ink) => {
            let transform =
                source.create_transform_8bit(Layout::Rgba, &target, Layout::Rgb, options);
            let samples = converted(&*transform.ok()?, ink.get(..4 * num_pixels)?)?;
            DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, samples)?)
        }
        Ink::Words(ink) => {
            let transform =
                source.create_transform_16bit(Layout::Rgba, &target, Layout::Rgb, options);
            let samples = converted(&*transform.ok()?, ink.get(..4 * num_pixels)?)?;
            DynamicImage::ImageRgb16(ImageBuffer::from_raw(width, height, samples)?)
        }
    };
    Some((pixels, target.encode().ok()?))
}

fn converted<T: Copy + Default>(
    transform: &(impl TransformExecutor<T> + ?Sized),
    ink: &[T],
) -> Option<Vec<T>> {
    let mut samples = vec![T::default(); ink.len() / 4 * 3];
    transform.transform(ink, &mut samples).ok()?;
    Some(samples)
}

/// Cyan, magenta, yellow and black of every pixel; 0 is none.
enum Ink {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

fn ink(file: &[u8], format: ImageFormat, limits: &Limits) -> Option<Ink> {
    match format {
        ImageFormat::Jpeg => jpeg_ink(file).map(Ink::Bytes),
        ImageFormat::Tiff => {
            let reader = tiff::decoder::Decoder::new(Cursor::new(file)).ok()?;
            let mut reader = reader.with_limits(tiff_file::decoder_limits(limits));
            let layout = reader.image_buffer_layout().ok()?;
            if layout.planes != 1 {
                return None;
            }
            match (reader.colortype().ok()?, reader.read_image().ok()?) {
                (tiff::ColorType::CMYK(8), DecodingResult::U8(ink)) => Some(Ink::Bytes(ink)),
                (tiff::ColorType::CMYK(16), DecodingResult::U16(ink)) => Some(Ink::Words(ink)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn jpeg_ink(file: &[u8]) -> Option<Vec<u8>> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().ok()?;
    let stored = decoder.input_colorspace()?;
    if !matches!(stored, ColorSpace::CMYK | ColorSpace::YCCK) {
        return None;
    }
    decoder.set_options(options.jpeg_set_out_colorspace(stored));
    let mut ink = decoder.decode().ok()?;
    for pixel in ink.chunks_exact_mut(4) {
        if stored == ColorSpace::YCCK {
            // T.871; the three are ink, and black is not.
            let [y, cb, cr] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let (cb, cr) = (cb - 128.0, cr - 128.0);
            pixel[0] = (y + 1.402 * cr).round() as u8;
            pixel[1] = (y - 0.344_14 * cb - 0.714_14 * cr).round() as u8;
            pixel[2] = (y + 1.772 * cb).round() as u8;
            pixel[3] = 255 - pixel[3];
        } else {
            // As Adobe stores it.
            for sample in pixel {
                *sample = 255 - *sample;
            }
        }
    }
    Some(ink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Photo, Warning};
    use image::metadata::Orientation;

    /// A profile with a grid of two points to the ink, in L*a*b*, without curves.
    fn profile() -> Vec<u8> {
        let inks: [[f32; 3]; 4] = [
            [55.0, -37.0, -50.0],
            [48.0, 74.0, -3.0],
            [89.0, -5.0, 93.0],
            [10.0, 0.0, 0.0],
        ];
        let mut grid = Vec::new();
        for corner in 0..16 {
            let is_on = |ink: usize| corner >> (3 - ink) & 1 == 1;
            let [mut l, mut a, mut b] = [100.0, 0.0, 0.0];
            for (_, ink) in inks.iter().enumerate().filter(|(i, _)| is_on(*i)) {
                [l, a, b] = [l * ink[0] / 100.0, a + ink[1], b + ink[2]];
            }
            if is_on(3) {
                [a, b] = [0.0; 2];
            }
            let byte = |value: f32| value.round() as u8;
            grid.extend([byte(l * 2.55), byte(a + 128.0), byte(b + 128.0)]);
        }
        let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
        for i in 0..9 {
            table.extend(if i % 4 == 0 { 65_536i32 } else { 0 }.to_be_bytes());
        }
        let curve: Vec<u8> = (0..=255).collect();
        table.extend(curve.repeat(4));
        table.extend(grid);
        table.extend(curve.repeat(3));
        let white: Vec<u8> = [63_190i32, 65_536, 54_061]
            .into_iter()
            .flat_map(i32::to_be_bytes)
            .collect();
        let mut description = b"desc\0\0\0\0\0\0\0\x05test\0".to_vec();
        description.resize(description.len() + 78, 0);
        let tags = [
            (b"desc", description),
            (b"A2B0", table),
            (b"wtpt", [&b"XYZ \0\0\0\0"[..], &white].concat()),
            (b"cprt", b"text\0\0\0\0none\0".to_vec()),
        ];
        let mut profile = vec![0; 128];
        profile[8..10].copy_from_slice(&[2, 0x10]);
        profile[12..24].copy_from_slice(b"prtrCMYKLab ");
        profile[36..40].copy_from_slice(b"acsp");
        profile[68..80].copy_from_slice(&white);
        profile.extend((tags.len() as u32).to_be_bytes());
        let mut at = profile.len() + 12 * tags.len();
        for (name, data) in &tags {
            profile.extend(*name);
            profile.extend((at as u32).to_be_bytes());
            profile.extend((data.len() as u32).to_be_bytes());
            at += data.len().next_multiple_of(4);
        }
        for (_, mut data) in tags {
            data.resize(data.len().next_multiple_of(4), 0);
            profile.extend(data);
        }
        let length = (profile.len() as u32).to_be_bytes();
        profile[..4].copy_from_slice(&length);
        profile
    }

    /// Ink in 255ths, and what Little CMS 2 makes of it by [`profile`] (relative colorimetric,
    /// black point not compensated). One ink at a time: between the points of so coarse a grid,
    /// mixtures depend on how a program interpolates.
    const COLOURS: [([u8; 4], [u8; 3]); 6] = [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([0, 0, 0, 255], [28, 28, 28]),
        ([128, 0, 0, 0], [123, 203, 237]),
        ([0, 100, 0, 0], [248, 177, 201]),
        ([0, 0, 100, 0], [255, 242, 171]),
        ([0, 0, 0, 128], [131, 131, 131]),
    ];
    const SIDE: u32 = 32;

    fn ink() -> Vec<u8> {
        let pixel = |i: u32| COLOURS[(i % (6 * SIDE) / SIDE) as usize].0;
        (0..6 * SIDE * SIDE).flat_map(pixel).collect()
    }

    fn jpeg(kind: jpeg_encoder::ColorType, profile: Option<&[u8]>) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut file, 100);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
        if let Some(profile) = profile {
            encoder.add_icc_profile(profile).unwrap();
        }
        let (width, height) = (6 * SIDE as u16, SIDE as u16);
        encoder.encode(&ink(), width, height, kind).unwrap();
        file
    }

    fn tiff<C: tiff::encoder::colortype::ColorType>(samples: &[C::Inner]) -> Vec<u8>
    where
        [C::Inner]: tiff::encoder::TiffValue,
    {
        let mut file = Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
        let mut image = encoder.new_image::<C>(6 * SIDE, SIDE).unwrap();
        let profile = profile();
        (image.encoder())
            .write_tag(tiff::tags::Tag::IccProfile, &profile[..])
            .unwrap();
        image.write_data(samples).unwrap();
        file.into_inner()
    }

    #[test]
    fn colours_are_those_of_the_profile() {
        use jpeg_encoder::ColorType::{Cmyk, CmykAsYcck};
        use tiff::encoder::colortype::{CMYK8, CMYK16};
        let profile = profile();
        let deep: Vec<u16> = ink().into_iter().map(|ink| u16::from(ink) * 257).collect();
        for (name, file) in [
            ("CMYK", jpeg(Cmyk, Some(&profile))),
            ("YCCK", jpeg(CmykAsYcck, Some(&profile))),
            ("TIFF", tiff::<CMYK8>(&ink())),
            ("16 bits", tiff::<CMYK16>(&deep)),
        ] {
            let photo = Photo::decode(&file, &Limits::default()).unwrap();
            assert_eq!(photo.warnings(), [Warning::CmykConverted { managed: true }]);
            for (i, (ink, expected)) in COLOURS.into_iter().enumerate() {
                let found = photo.to_rgb().get_pixel(i as u32 * SIDE + 16, 16).0;
                let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3);
                assert!(near, "{name} {ink:?}: {found:?} for {expected:?}");
            }
            // The result says what its numbers mean.
            let png = photo.encode(Some(ImageFormat::Png), &Default::default());
            let png = Photo::decode(&png.unwrap().bytes, &Limits::default()).unwrap();
            let profile = png.metadata.icc.as_deref().unwrap();
            let read = ColorProfile::new_from_slice(profile).unwrap();
            assert_eq!(read.color_space, DataColorSpace::Rgb);
            assert_eq!(photo.orientation, Orientation::NoTransforms);
        }
    }

    #[test]
    fn without_a_usable_profile_the_colours_are_called_a_guess() {
        let damaged = &profile()[..200];
        for profile in [None, Some(damaged)] {
            let file = jpeg(jpeg_encoder::ColorType::Cmyk, profile);
            let photo = Photo::decode(&file, &Limits::default()).unwrap();
            let guessed = Warning::CmykConverted { managed: false };
            assert_eq!(photo.warnings(), [guessed]);
        }
    }
}
