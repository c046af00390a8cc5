//! Encoding: the nearest kind of picture that a format holds, with its metadata.

mod bmp;
mod jpeg;
mod jpeg_blocks;
mod png;
mod tiff;
mod webp;

use crate::metadata::{Metadata, swaps_sides};
use crate::png_chunks::PngChunk;
use crate::{Photo, PhotoError, Warning, content_type, xmp};
use image::{ColorType, DynamicImage, GrayImage, ImageFormat, Rgba};
use std::borrow::Cow;

pub(crate) use jpeg_blocks::in_one_scan;

/// How a photo is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Quality of JPEG output, 1 to 100. If not given, that of the photo where it is JPEG itself,
    /// 95 otherwise.
    pub jpeg_quality: Option<u8>,
    /// Colour under transparent parts where the format holds no transparency.
    pub background: [u8; 3],
    /// Leaves out EXIF, XMP, colour profile, density, captions and comments.
    pub strip: bool,
}

impl Default for EncodeOptions {
    /// The photo's own quality, on white, with everything that belongs to it.
    fn default() -> Self {
        Self {
            jpeg_quality: None,
            background: [u8::MAX; 3],
            strip: false,
        }
    }
}

/// An encoded picture.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its format.
    pub format: ImageFormat,
    /// What the format could not hold.
    pub warnings: Vec<Warning>,
}

impl Encoded {
    /// The media type, as HTTP headers name it.
    pub fn content_type(&self) -> &'static str {
        content_type(self.format)
    }
}

impl Photo {
    /// Encodes the photo, in its own format if none is given, and with its metadata.
    ///
    /// # Errors
    ///
    /// If the format is not written, or does not hold pictures of this size.
    pub fn encode(
        &self,
        format: Option<ImageFormat>,
        options: &EncodeOptions,
    ) -> Result<Encoded, PhotoError> {
        let format = format.unwrap_or(self.format());
        check_size(self.dimensions(), format)?;
        let mut warnings = self.warnings().to_vec();
        let flattened = flattened(self, format, options.background);
        if flattened.is_some() {
            warnings.push(Warning::AlphaDropped);
        }
        let pixels = flattened.as_ref().unwrap_or(self.pixels());
        let pixels = fit_to_format(pixels, format, &mut warnings);
        let stripped = Metadata {
            // No word about the picture, but what its samples are.
            is_alpha_associated: self.metadata.is_alpha_associated,
            tiff_packing: self.metadata.tiff_packing,
            webp_quantiser: self.metadata.webp_quantiser,
            ..Metadata::default()
        };
        let mut metadata = Cow::Borrowed(if options.strip {
            &stripped
        } else {
            &self.metadata
        });
        if (metadata.icc.as_ref()).is_some_and(|profile| !profile_fits(profile, pixels.color())) {
            warnings.push(Warning::ProfileOfOtherKind);
            metadata.to_mut().icc = None;
        }
        if format != ImageFormat::Jpeg
            && let Some(extension) = &metadata.xmp_extension
        {
            // Other formats have no bound that would need it.
            let whole = metadata
                .xmp
                .as_deref()
                .map(|xmp| xmp::merge(xmp, extension));
            if let Some(Some(whole)) = whole {
                metadata.to_mut().xmp = Some(whole);
            } else {
                warnings.push(Warning::MetadataDropped {
                    what: "extended XMP data are",
                    format,
                });
            }
        }
        let mut dropped = |what| warnings.push(Warning::MetadataDropped { what, format });
        if format != ImageFormat::Jpeg && !metadata.comments.is_empty() {
            dropped("JPEG comments are");
        }
        if format != ImageFormat::Jpeg && !metadata.app_segments.is_empty() {
            dropped("segments of the camera's own are");
        }
        if format != ImageFormat::Tiff && !metadata.tiff_fields.is_empty() {
            dropped("TIFF's own tags, such as GeoTIFF's, are");
        }
        if format != ImageFormat::Png && metadata.png_chunks.iter().any(PngChunk::is_text) {
            dropped("PNG texts are");
        }
        if format != ImageFormat::Png && metadata.png_chunks.iter().any(PngChunk::is_unknown) {
            dropped("chunks of the program's own are");
        }
        let bytes = match format {
            ImageFormat::Jpeg => self.encode_jpeg(&pixels, &metadata, options, &mut dropped),
            ImageFormat::Png => png::encode(&pixels, self.is_bilevel, &metadata, &mut dropped),
            ImageFormat::WebP => webp::encode(&pixels, &metadata, &mut dropped),
            ImageFormat::Tiff => tiff::encode(&pixels, self.is_bilevel, &metadata, &mut dropped),
            ImageFormat::Bmp => bmp::encode(&pixels, &metadata, &mut dropped),
            format => return Err(PhotoError::NotWritable { format }),
        }
        .map_err(|reason| PhotoError::encode(format, reason))?;
        Ok(Encoded {
            bytes,
            format,
            warnings,
        })
    }

    fn encode_jpeg(
        &self,
        pixels: &DynamicImage,
        metadata: &Metadata,
        options: &EncodeOptions,
        dropped: &mut dyn FnMut(&'static str),
    ) -> EncodeResult {
        if options.jpeg_quality.is_none()
            && let Some(source) = &self.jpeg
            && let Some(bytes) = jpeg_blocks::encode(self, source, metadata, dropped)
        {
            return Ok(bytes);
        }
        let source = self.jpeg.as_ref().map(|jpeg| &jpeg.header);
        let is_turned = swaps_sides(self.orientation);
        let quality = options.jpeg_quality;
        jpeg::encode(pixels, metadata, source, is_turned, quality, dropped)
    }
}

/// Every encoder has errors of its own type.
type EncodeResult = Result<Vec<u8>, Box<dyn std::error::Error>>;

fn check_size((width, height): (u32, u32), format: ImageFormat) -> Result<(), PhotoError> {
    let max_side = match format {
        ImageFormat::Jpeg => 65_535,
        ImageFormat::WebP => 16_383,
        _ => return Ok(()),
    };
    if width.max(height) > max_side {
        return Err(PhotoError::TooLongForFormat {
            size: (width, height).into(),
            format,
            max_side,
        });
    }
    Ok(())
}

/// The nearest kind of picture that the format holds; losses are warned about.
fn fit_to_format<'a>(
    pixels: &'a DynamicImage,
    format: ImageFormat,
    warnings: &mut Vec<Warning>,
) -> Cow<'a, DynamicImage> {
    let color = pixels.color();
    let holds_alpha = format != ImageFormat::Jpeg;
    let sample_bits = match format {
        ImageFormat::Png => 16,
        ImageFormat::Tiff => 32,
        _ => 8,
    };
    let alpha = color.has_alpha() && holds_alpha;
    let bits = bits_per_sample(color).min(sample_bits);
    // Its encoder knows grey without alpha only.
    let is_colour_only = alpha && format == ImageFormat::Bmp;
    let grey = !color.has_color() && !is_colour_only;
    if bits < bits_per_sample(color) {
        warnings.push(Warning::BitsReduced {
            from: bits_per_sample(color),
            to: bits,
            format,
        });
    }
    if bits < 32
        && let Some(samples) = float_samples(pixels)
        && samples.iter().any(|sample| !(0.0..=1.0).contains(sample))
    {
        warnings.push(Warning::Clipped { format });
    }
    let is_fitting = (bits, grey, alpha)
        == (
            bits_per_sample(color),
            !color.has_color(),
            color.has_alpha(),
        );
    if is_fitting {
        return Cow::Borrowed(pixels);
    }
    let fitting = match (bits, grey, alpha) {
        (8, true, false) => DynamicImage::ImageLuma8(pixels.to_luma8()),
        (8, true, true) => DynamicImage::ImageLumaA8(pixels.to_luma_alpha8()),
        (8, false, false) => DynamicImage::ImageRgb8(pixels.to_rgb8()),
        (8, false, true) => DynamicImage::ImageRgba8(pixels.to_rgba8()),
        (16, true, false) => DynamicImage::ImageLuma16(pixels.to_luma16()),
        (16, true, true) => DynamicImage::ImageLumaA16(pixels.to_luma_alpha16()),
        (16, false, false) => DynamicImage::ImageRgb16(pixels.to_rgb16()),
        (16, false, true) => DynamicImage::ImageRgba16(pixels.to_rgba16()),
        // 32 bits come from TIFF and stay in TIFF.
        _ => return Cow::Borrowed(pixels),
    };
    Cow::Owned(fitting)
}

/// The picture over a background if the format does not hold what is transparent.
fn flattened(photo: &Photo, format: ImageFormat, background: [u8; 3]) -> Option<DynamicImage> {
    let pixels = photo.pixels();
    if format != ImageFormat::Jpeg || is_opaque(pixels) {
        return None;
    }
    let is_grey = !pixels.color().has_color() && background == [background[0]; 3];
    let mut pixels = pixels.to_rgba8();
    for Rgba([colour @ .., alpha]) in pixels.pixels_mut() {
        let alpha = u32::from(*alpha);
        for (sample, under) in colour.iter_mut().zip(background) {
            // Colours that are multiplied already are smaller than alpha.
            let over = if photo.metadata.is_alpha_associated {
                u32::from(*sample).min(alpha) * 255
            } else {
                u32::from(*sample) * alpha
            };
            *sample = ((over + u32::from(under) * (255 - alpha) + 127) / 255) as u8;
        }
    }
    let pixels = DynamicImage::ImageRgba8(pixels);
    Some(if is_grey {
        DynamicImage::ImageLuma8(pixels.to_luma8())
    } else {
        DynamicImage::ImageRgb8(pixels.to_rgb8())
    })
}

/// Whether alpha hides nothing anywhere.
fn is_opaque(pixels: &DynamicImage) -> bool {
    match pixels {
        DynamicImage::ImageLumaA8(pixels) => pixels.pixels().all(|p| p.0[1] == u8::MAX),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().all(|p| p.0[3] == u8::MAX),
        DynamicImage::ImageLumaA16(pixels) => pixels.pixels().all(|p| p.0[1] == u16::MAX),
        DynamicImage::ImageRgba16(pixels) => pixels.pixels().all(|p| p.0[3] == u16::MAX),
        DynamicImage::ImageRgba32F(pixels) => pixels.pixels().all(|p| p.0[3] >= 1.0),
        other => !other.color().has_alpha(),
    }
}

/// The samples of a picture of floating-point numbers.
pub(crate) fn float_samples(pixels: &DynamicImage) -> Option<&[f32]> {
    match pixels {
        DynamicImage::ImageRgb32F(pixels) => Some(pixels),
        DynamicImage::ImageRgba32F(pixels) => Some(pixels),
        _ => None,
    }
}

/// Eight pixels to the byte, the first in the highest bit; rows begin with a byte (in PNG and TIFF).
fn packed(pixels: &GrayImage) -> Vec<u8> {
    let byte = |pixels: &[u8]| {
        let bits = pixels.iter().zip((0..8).rev());
        bits.fold(0, |byte, (&pixel, bit)| byte | (pixel >> 7) << bit)
    };
    let rows = pixels.chunks_exact(pixels.width().max(1) as usize);
    rows.flat_map(|row| row.chunks(8).map(byte)).collect()
}

fn bits_per_sample(color: ColorType) -> u16 {
    color.bits_per_pixel() / u16::from(color.channel_count())
}

/// Whether a profile describes this kind of picture. CMYK pictures, for instance, are decoded to
/// RGB, and their profile with RGB samples would show wrong colours.
fn profile_fits(profile: &[u8], color: ColorType) -> bool {
    let color_space = if color.has_color() { b"RGB " } else { b"GRAY" };
    // ICC.1:2022, 7.2.6: data colour space.
    profile.get(16..20) == Some(color_space)
}
