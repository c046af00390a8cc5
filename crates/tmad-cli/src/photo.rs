//! Reading pictures: any format, upright, with everything that has to survive.

use crate::terminal::UsageError;
use anyhow::{Context, Result, anyhow, bail};
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, Pixel, RgbImage,
};
use inpaint_core::Mask;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// What can be read, for messages.
pub const READABLE: &str = "JPEG, PNG, WebP, TIFF or BMP";

/// A decoded picture as people see it: its EXIF orientation is applied.
#[derive(Debug)]
pub struct Photo {
    /// The file's own samples: grey or colour, 8 or 16 bits, with or without alpha.
    pub pixels: DynamicImage,
    /// Colour profile.
    pub icc_profile: Option<Vec<u8>>,
    /// Format of the file.
    pub format: ImageFormat,
    /// The turn that was applied to the stored picture.
    pub orientation: Orientation,
    /// The undecoded file.
    pub file: Vec<u8>,
}

impl Photo {
    /// Reads and decodes a file; the content decides about the format, not the name.
    ///
    /// # Errors
    ///
    /// If the file is missing, a folder, no picture, incomplete, damaged, or of more than
    /// `max_megapixels`.
    pub fn read(path: &Path, max_megapixels: u32) -> Result<Self> {
        let name = path.display();
        let file = read_picture_file(path)?;
        let format = image::guess_format(&file)
            .map_err(|_| anyhow!("{name} is no picture that can be read ({READABLE})"))?;
        if !format.reading_enabled() {
            bail!("{name} is {format:?}, which cannot be read; convert it to PNG first");
        }
        if format == ImageFormat::Jpeg && !jpeg_is_complete(&file) {
            bail!(
                "{name} is truncated: the JPEG data ends before the picture does; copy the file again"
            );
        }
        let damaged = || format!("{name} cannot be decoded; the file may be damaged or incomplete");
        let max_pixels = u64::from(max_megapixels) * 1_000_000;
        let mut limits = Limits::no_limits();
        // 16-bit RGBA once for the picture, and as much again for what the decoder needs.
        limits.max_alloc = Some(max_pixels.saturating_mul(16).max(64 << 20));
        let mut reader = ImageReader::with_format(Cursor::new(&file), format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().with_context(damaged)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > max_pixels {
            bail!(
                "{name} has {width}×{height} pixels, more than {max_megapixels} megapixels; \
                 raise the limit with --max-megapixels if the picture is what you expect"
            );
        }
        // Metadata that cannot be read must not cost the picture.
        let orientation = (decoder.orientation()).unwrap_or(Orientation::NoTransforms);
        let icc_profile = decoder.icc_profile().ok().flatten();
        let mut pixels = DynamicImage::from_decoder(decoder).with_context(damaged)?;
        pixels.apply_orientation(orientation);
        Ok(Self {
            pixels,
            icc_profile,
            format,
            orientation,
            file,
        })
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.pixels.width(), self.pixels.height())
    }

    /// The picture for an inpainting method: 8 bits, colour, no alpha.
    pub fn to_rgb(&self) -> RgbImage {
        self.pixels.to_rgb8()
    }

    /// Takes the hole's colours from `completed`; alpha and every sample outside the hole stay as
    /// they were in the file.
    pub fn fill_hole(&mut self, completed: &RgbImage, mask: &Mask) {
        match &mut self.pixels {
            DynamicImage::ImageLuma8(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageLumaA8(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgb8(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgba8(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageLuma16(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageLumaA16(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgb16(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgba16(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgb32F(pixels) => fill(pixels, completed, mask),
            DynamicImage::ImageRgba32F(pixels) => fill(pixels, completed, mask),
            // A kind of picture that a later version of the decoder may add.
            other => {
                let mut pixels = other.to_rgba16();
                fill(&mut pixels, completed, mask);
                *other = DynamicImage::ImageRgba16(pixels);
            }
        }
    }
}

fn read_picture_file(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("{name} does not exist; check the path"),
        _ => anyhow!("cannot open {name}: {error}"),
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(UsageError(format!("{name} is a folder; give a picture file")).into());
    }
    let cannot_read = || format!("cannot read {name}");
    // The first bytes tell whether the rest is worth reading: a film may fill the memory.
    let mut bytes = Vec::new();
    (&mut file)
        .take(64)
        .read_to_end(&mut bytes)
        .with_context(cannot_read)?;
    if bytes.is_empty() {
        bail!("{name} is empty");
    }
    if image::guess_format(&bytes).is_ok() {
        file.read_to_end(&mut bytes).with_context(cannot_read)?;
    }
    Ok(bytes)
}

/// Whether an end-of-image marker follows the first scan. The decoder would fill a missing rest
/// with grey without a word; markers of an embedded thumbnail come before the first scan.
fn jpeg_is_complete(file: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[0xFF, marker]) = file.get(at..at + 2) {
        if marker == START_OF_SCAN {
            return file[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        // Fill bytes and markers that stand alone have no length.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            at += 2;
            continue;
        }
        let Some(&[high, low]) = file.get(at + 2..at + 4) else {
            return false;
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
    }
    // Cut off between two markers, or something that the decoder has to judge.
    at + 2 <= file.len()
}

/// A number format of samples.
trait Sample {
    fn from_byte(byte: u8) -> Self;
}

impl Sample for u8 {
    fn from_byte(byte: u8) -> Self {
        byte
    }
}

impl Sample for u16 {
    fn from_byte(byte: u8) -> Self {
        u16::from(byte) * 257
    }
}

impl Sample for f32 {
    fn from_byte(byte: u8) -> Self {
        f32::from(byte) / 255.0
    }
}

fn fill<P>(pixels: &mut ImageBuffer<P, Vec<P::Subpixel>>, completed: &RgbImage, mask: &Mask)
where
    P: Pixel<Subpixel: Sample>,
{
    let is_grey = P::CHANNEL_COUNT <= 2;
    let pairs = pixels.pixels_mut().zip(completed.pixels());
    for ((pixel, new), &hole) in pairs.zip(mask.as_bytes()) {
        if hole == 0 {
            continue;
        }
        let samples = pixel.channels_mut();
        if is_grey {
            samples[0] = Sample::from_byte(new.to_luma().0[0]);
        } else {
            for (sample, &byte) in samples.iter_mut().zip(&new.0) {
                *sample = Sample::from_byte(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, Luma, LumaA, Rgb, Rgba};

    fn photo(pixels: DynamicImage) -> Photo {
        Photo {
            pixels,
            icc_profile: None,
            format: ImageFormat::Png,
            orientation: Orientation::NoTransforms,
            file: Vec::new(),
        }
    }

    #[test]
    fn sixteen_bits_and_alpha_stay_outside_and_inside_the_hole() {
        let before = Rgba([1000u16, 2001, 3002, 4003]);
        let mut photo = photo(DynamicImage::ImageRgba16(ImageBuffer::from_pixel(
            2, 1, before,
        )));
        let completed = RgbImage::from_pixel(2, 1, Rgb([1, 2, 255]));
        photo.fill_hole(&completed, &Mask::from_fn(2, 1, |x, _| x == 1));
        let pixels = photo.pixels.as_rgba16().unwrap();
        assert_eq!(pixels.get_pixel(0, 0), &before);
        assert_eq!(pixels.get_pixel(1, 0).0, [257, 514, 65535, 4003]);
    }

    #[test]
    fn grey_stays_grey() {
        let grey = GrayAlphaImage::from_pixel(1, 1, LumaA([9, 77]));
        let mut photo = photo(DynamicImage::ImageLumaA8(grey));
        let completed = RgbImage::from_pixel(1, 1, Rgb([200; 3]));
        photo.fill_hole(&completed, &Mask::new(1, 1).inverted());
        assert_eq!(photo.pixels.as_luma_alpha8().unwrap().as_raw(), &[200, 77]);
        assert_eq!(photo.to_rgb().as_raw(), &[200; 3]);
    }

    #[test]
    fn the_end_of_a_jpeg_is_looked_for_behind_its_first_scan() {
        let mut file = Cursor::new(Vec::new());
        let picture = image::GrayImage::from_pixel(40, 30, Luma([90]));
        picture.write_to(&mut file, ImageFormat::Jpeg).unwrap();
        let mut file = file.into_inner();
        assert!(jpeg_is_complete(&file));
        file.extend(*b"what some cameras append");
        assert!(jpeg_is_complete(&file));
        let scan = file.windows(2).position(|p| p == [0xFF, 0xDA]).unwrap();
        for end in [2, 3, 20, scan, scan + 4, scan + 12] {
            assert!(!jpeg_is_complete(&file[..end]), "{end} bytes");
        }
    }
}
