//! A decoded picture with everything that has to survive.

use crate::encode::in_one_scan;
use crate::fill::fill;
use crate::format::format_of;
use crate::jpeg::{self, JpegHeader};
use crate::levels::Levels;
use crate::metadata::{Metadata, swaps_sides};
use crate::tiff_file::{self, TiffDecoder};
use crate::{Hole, Limits, PhotoError, Warning, cmyk, coefficients};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader};
use inpaint_core::{InpaintError, Mask, RgbImage};
use std::borrow::Cow;
use std::io::Cursor;

/// A decoded picture as people see it: its EXIF orientation is applied.
#[derive(Debug, Clone)]
pub struct Photo {
    /// The file's own samples: grey or colour, 8 or 16 bits, with or without alpha.
    pixels: DynamicImage,
    format: ImageFormat,
    /// The turn that was applied to the stored picture.
    pub(crate) orientation: Orientation,
    pub(crate) metadata: Metadata,
    /// Black and white, one bit to the pixel.
    pub(crate) is_bilevel: bool,
    /// How the file was compressed, if it is JPEG.
    pub(crate) jpeg: Option<JpegFile>,
    /// What was filled, as people see the picture.
    pub(crate) filled: Option<Mask>,
    warnings: Vec<Warning>,
}

/// A JPEG file, kept because what is not filled is copied from it.
#[derive(Debug, Clone)]
pub(crate) struct JpegFile {
    pub header: JpegHeader,
    pub bytes: Vec<u8>,
}

/// Reads the header.
fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<Box<dyn ImageDecoder + 'a>, PhotoError> {
    if format == ImageFormat::Tiff
        && let Some(decoder) = TiffDecoder::open(bytes, limits)
    {
        return Ok(Box::new(decoder));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.for_decoder());
    match reader.into_decoder() {
        Ok(decoder) => Ok(Box::new(decoder)),
        Err(error) => Err(PhotoError::decode(bytes, format, error)),
    }
}

impl Photo {
    /// Decodes a file; the content decides about the format.
    ///
    /// # Errors
    ///
    /// If the bytes are no picture, of a format that is not read, incomplete, damaged, or beyond
    /// the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, PhotoError> {
        let format = format_of(bytes)?;
        let mut bytes = Cow::Borrowed(bytes);
        if format == ImageFormat::Jpeg {
            if let Some(kind) = jpeg::unreadable_kind(&bytes) {
                return Err(PhotoError::unsupported(format, kind));
            }
            if !jpeg::is_complete(&bytes) {
                let (width, height) = jpeg::stored_size(&bytes).ok_or(PhotoError::Truncated)?;
                limits.check((width, height))?;
                bytes = Cow::Owned(jpeg::with_end(&bytes));
                // Every bit is there but for the end; the decoder would fill a gap with grey.
                coefficients::decode(&bytes, (width as usize, height as usize))
                    .ok_or(PhotoError::Truncated)?;
            }
        }
        let bytes = &*bytes;
        if format == ImageFormat::Tiff
            && let Some(kind) = tiff_file::misread(bytes)
        {
            return Err(PhotoError::unsupported(format, kind));
        }
        let mut decoder = open(bytes, format, limits)?;
        let stored_size = decoder.dimensions();
        limits.check(stored_size)?;
        // Metadata that cannot be read must not cost the picture.
        let orientation = (decoder.orientation()).unwrap_or(Orientation::NoTransforms);
        let mut warnings = Vec::new();
        let jpeg = (format == ImageFormat::Jpeg).then(|| JpegFile {
            header: JpegHeader::parse(bytes),
            bytes: bytes.to_vec(),
        });
        let is_cmyk = match decoder.original_color_type() {
            ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => true,
            _ => (jpeg.as_ref()).is_some_and(|jpeg| jpeg.header.components.len() == 4),
        };
        // Depth and colour type in PNG's header; its decoder tells of neither.
        let is_bilevel = decoder.original_color_type() == ExtendedColorType::L1
            || format == ImageFormat::Png && bytes.get(24..26) == Some(&[1, 0]);
        let mut metadata = Metadata::read(bytes, format, &mut decoder);
        if metadata.is_first_of_several {
            warnings.push(Warning::FirstPictureOnly);
        }
        let one_scan = (jpeg.as_ref())
            .filter(|jpeg| jpeg.header.is_split)
            .and_then(|jpeg| in_one_scan(jpeg, stored_size));
        let file = one_scan.as_deref().unwrap_or(bytes);
        let by_profile = (metadata.icc.as_deref().filter(|_| is_cmyk))
            .and_then(|profile| cmyk::to_srgb(file, format, profile, stored_size, limits));
        if is_cmyk {
            let managed = by_profile.is_some();
            warnings.push(Warning::CmykConverted { managed });
        }
        let mut pixels = match (by_profile, &one_scan) {
            (Some((pixels, profile)), _) => {
                metadata.icc = Some(profile);
                Ok(pixels)
            }
            (None, None) => DynamicImage::from_decoder(decoder),
            (None, Some(file)) => DynamicImage::from_decoder(open(file, format, limits)?),
        }
        .map_err(|error| PhotoError::decode(bytes, format, error))?;
        pixels.apply_orientation(orientation);
        metadata.make_upright(orientation);
        if !metadata.lost.is_empty() {
            let what = std::mem::take(&mut metadata.lost).join(", ");
            warnings.push(Warning::NotKept { what });
        }
        Ok(Self {
            pixels,
            format,
            orientation,
            metadata,
            is_bilevel,
            jpeg,
            filled: None,
            warnings,
        })
    }

    /// A picture that comes from no file: without metadata, and of the format PNG.
    pub fn from_pixels(pixels: DynamicImage) -> Self {
        Self {
            pixels,
            format: ImageFormat::Png,
            orientation: Orientation::NoTransforms,
            metadata: Metadata::default(),
            is_bilevel: false,
            jpeg: None,
            filled: None,
            warnings: Vec::new(),
        }
    }

    /// The format of the file.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// The samples, as people see the picture.
    pub fn pixels(&self) -> &DynamicImage {
        &self.pixels
    }

    /// The samples alone.
    pub fn into_pixels(self) -> DynamicImage {
        self.pixels
    }

    /// Width and height in pixels, as people see the picture.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.pixels.width(), self.pixels.height())
    }

    /// Whether the file stores the picture lying on its side.
    pub fn is_stored_turned(&self) -> bool {
        swaps_sides(self.orientation)
    }

    /// What reading the file has cost already, and what was found while filling.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Tells about something that was found while filling.
    pub(crate) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The picture for an inpainting method: 8 bits, colour, no alpha. Borrowed where the file has
    /// just that.
    pub fn to_rgb(&self) -> Cow<'_, RgbImage> {
        match &self.pixels {
            DynamicImage::ImageRgb8(pixels) => Cow::Borrowed(pixels),
            other => Cow::Owned(other.to_rgb8()),
        }
    }

    /// Takes the hole's colours from `completed`. Every sample outside the hole stays as it was in
    /// the file, and alpha stays everywhere, unless the hole [is the transparent
    /// area](Hole::is_transparent_area): then its alpha becomes opaque.
    ///
    /// # Errors
    ///
    /// [`InpaintError::MaskSize`] or [`InpaintError::ImageSize`] when the sizes differ.
    pub fn fill_hole(&mut self, completed: &RgbImage, hole: &Hole) -> Result<(), InpaintError> {
        self.fill_levels(completed, hole, Levels::FULL)
    }

    /// Refuses a hole of another size.
    pub(crate) fn check_size(&self, hole: &Hole) -> Result<(), InpaintError> {
        if hole.mask().dimensions() == self.dimensions() {
            return Ok(());
        }
        Err(InpaintError::MaskSize {
            mask: hole.mask().dimensions().into(),
            image: self.dimensions().into(),
        })
    }

    /// [`Self::fill_hole`] with samples of more than 8 bits on `levels`.
    pub(crate) fn fill_levels(
        &mut self,
        completed: &RgbImage,
        hole: &Hole,
        levels: Levels,
    ) -> Result<(), InpaintError> {
        let size = self.dimensions();
        self.check_size(hole)?;
        if completed.dimensions() != size {
            return Err(InpaintError::ImageSize {
                completed: completed.dimensions().into(),
                reference: size.into(),
            });
        }
        self.filled = Some(match &self.filled {
            None => hole.mask().clone(),
            Some(filled) => filled.union(hole.mask())?,
        });
        match &mut self.pixels {
            DynamicImage::ImageLuma8(pixels) => {
                fill(pixels, completed, hole, levels);
                if self.is_bilevel {
                    for sample in pixels.iter_mut() {
                        *sample = if *sample < 128 { 0 } else { 255 };
                    }
                }
            }
            DynamicImage::ImageLumaA8(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgb8(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgba8(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageLuma16(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageLumaA16(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgb16(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgba16(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgb32F(pixels) => fill(pixels, completed, hole, levels),
            DynamicImage::ImageRgba32F(pixels) => fill(pixels, completed, hole, levels),
            // A kind of picture that a later version of the decoder may add.
            other => {
                let mut pixels = other.to_rgba16();
                fill(&mut pixels, completed, hole, levels);
                *other = DynamicImage::ImageRgba16(pixels);
            }
        }
        Ok(())
    }
}
