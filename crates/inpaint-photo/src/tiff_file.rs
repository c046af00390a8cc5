//! TIFF files of kinds that the `image` crate leaves out: palettes, and grey with alpha.
//!
//! Source: TIFF 6.0.

use crate::{Limits, exif};
use image::error::{DecodingError, LimitError, LimitErrorKind, UnsupportedError};
use image::error::{ImageError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageResult};
use std::borrow::Cow;
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{SampleFormat, Tag};
use tiff::{TiffError, TiffResult};

const INTERPRETATION: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

type Reader<'a> = Decoder<Cursor<Cow<'a, [u8]>>>;

/// Reads what the usual decoder refuses.
pub(crate) struct TiffDecoder<'a> {
    reader: Reader<'a>,
    size: (u32, u32),
    bits: usize,
    has_alpha: bool,
    /// The colours that the samples are numbers of; `None` if they are grey values.
    palette: Option<Vec<[u8; 3]>>,
}

impl<'a> TiffDecoder<'a> {
    /// `None` for all other kinds and for damaged files, which are the usual decoder's business.
    pub fn open(file: &'a [u8], limits: &Limits) -> Option<Self> {
        let mut reader: Reader = Decoder::new(Cursor::new(Cow::Borrowed(file))).ok()?;
        let mut palette = None;
        if interpretation(&mut reader) == Some(PALETTE) {
            palette = Some(colours(&reader.get_tag_u16_vec(Tag::ColorMap).ok()?));
            reader = Decoder::new(Cursor::new(Cow::Owned(numbers_as_grey(file)?))).ok()?;
        }
        let (bits, has_alpha) = match reader.colortype().ok()? {
            tiff::ColorType::Gray(bits) => (bits, false),
            tiff::ColorType::Multiband {
                bit_depth,
                num_samples: 2,
            } => (bit_depth, true),
            _ => return None,
        };
        let is_known = match (&palette, has_alpha) {
            (Some(palette), false) => {
                matches!(bits, 1 | 2 | 4 | 8 | 16) && palette.len() == 1 << bits
            }
            (Some(palette), true) => bits == 8 && palette.len() == 256,
            (None, has_alpha) => has_alpha && matches!(bits, 8 | 16),
        };
        let layout = reader.image_buffer_layout().ok()?;
        if !is_known || layout.planes != 1 || layout.sample_format != SampleFormat::Uint {
            return None;
        }
        let mut reader = reader.with_limits(decoder_limits(limits));
        Some(Self {
            size: reader.dimensions().ok()?,
            reader,
            bits: bits.into(),
            has_alpha,
            palette,
        })
    }

    fn read(&mut self, pixels: &mut [u8]) -> TiffResult<()> {
        let mut samples = DecodingResult::U8(Vec::new());
        self.reader.read_image_to_buffer(&mut samples)?;
        let width = self.size.0 as usize;
        match (samples, &self.palette) {
            (DecodingResult::U8(samples), None) => {
                for (pixel, sample) in pixels.iter_mut().zip(samples) {
                    *pixel = sample;
                }
            }
            (DecodingResult::U16(samples), None) => {
                for (pixel, sample) in pixels.chunks_exact_mut(2).zip(samples) {
                    pixel.copy_from_slice(&sample.to_ne_bytes());
                }
            }
            (DecodingResult::U8(samples), Some(palette)) if self.has_alpha => {
                for (pixel, sample) in pixels.chunks_exact_mut(4).zip(samples.chunks_exact(2)) {
                    pixel[..3].copy_from_slice(&palette[usize::from(sample[0])]);
                    pixel[3] = sample[1];
                }
            }
            (DecodingResult::U8(samples), Some(palette)) => {
                // Several to a byte, the first in the high bits; rows begin with a byte.
                let per_byte = 8 / self.bits;
                let rows = samples.chunks_exact(width.div_ceil(per_byte));
                for (pixels, row) in pixels.chunks_exact_mut(3 * width).zip(rows) {
                    for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                        let shift = 8 - self.bits - x % per_byte * self.bits;
                        let number = usize::from(row[x / per_byte] >> shift);
                        pixel.copy_from_slice(&palette[number & ((1 << self.bits) - 1)]);
                    }
                }
            }
            (DecodingResult::U16(samples), Some(palette)) => {
                for (pixel, sample) in pixels.chunks_exact_mut(3).zip(samples) {
                    pixel.copy_from_slice(&palette[usize::from(sample)]);
                }
            }
            // Other types belong to other sample formats.
            _ => return Err(TiffError::IntSizeError),
        }
        Ok(())
    }
}

impl ImageDecoder for TiffDecoder<'_> {
    fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    fn color_type(&self) -> ColorType {
        match (&self.palette, self.has_alpha) {
            (Some(_), false) => ColorType::Rgb8,
            (Some(_), true) => ColorType::Rgba8,
            (None, _) if self.bits == 16 => ColorType::La16,
            (None, _) => ColorType::La8,
        }
    }

    fn icc_profile(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.reader.get_tag_u8_vec(Tag::IccProfile).ok())
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.reader.get_tag_u8_vec(Tag::Unknown(700)).ok())
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let orientation = self.reader.find_tag_unsigned::<u8>(Tag::Orientation);
        let orientation = orientation.ok().flatten().and_then(Orientation::from_exif);
        Ok(orientation.unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(mut self, pixels: &mut [u8]) -> ImageResult<()> {
        self.read(pixels).map_err(|error| match error {
            TiffError::IoError(error) => ImageError::IoError(error),
            TiffError::LimitsExceeded => {
                ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory))
            }
            TiffError::UnsupportedError(error) => {
                let kind = UnsupportedErrorKind::GenericFeature(error.to_string());
                let format = ImageFormat::Tiff.into();
                ImageError::Unsupported(UnsupportedError::from_format_and_kind(format, kind))
            }
            error => ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), error)),
        })
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}

/// The limits in the decoder's terms.
pub(crate) fn decoder_limits(limits: &Limits) -> tiff::decoder::Limits {
    let mut allowed = tiff::decoder::Limits::default();
    let max_alloc = limits.for_decoder().max_alloc.unwrap_or(u64::MAX);
    allowed.decoding_buffer_size = usize::try_from(max_alloc).unwrap_or(usize::MAX);
    allowed.intermediate_buffer_size = allowed.decoding_buffer_size;
    allowed
}

fn interpretation(reader: &mut Reader) -> Option<u16> {
    let interpretation = reader.find_tag_unsigned(Tag::PhotometricInterpretation);
    interpretation.ok().flatten()
}

/// All reds, then all greens, then all blues, of 16 bits.
fn colours(map: &[u16]) -> Vec<[u8; 3]> {
    // Some writers took them for bytes.
    let shift = if map.iter().all(|&value| value < 256) {
        0
    } else {
        8
    };
    let count = map.len() / 3;
    (0..count)
        .map(|i| [0, 1, 2].map(|channel| (map[channel * count + i] >> shift) as u8))
        .collect()
}

/// The file with its numbers of colours declared to be grey values, as which the decoder gives
/// them out untouched.
fn numbers_as_grey(file: &[u8]) -> Option<Vec<u8>> {
    let value = exif::tiff_value(file, INTERPRETATION).filter(|value| value.len() == 2)?;
    let mut file = file.to_vec();
    let is_big_endian = file.starts_with(b"MM");
    file[value].copy_from_slice(&if is_big_endian {
        BLACK_IS_ZERO.to_be_bytes()
    } else {
        BLACK_IS_ZERO.to_le_bytes()
    });
    Some(file)
}

/// A kind of samples that the decoder would misread, in words.
pub(crate) fn misread(file: &[u8]) -> Option<String> {
    let mut reader: Reader = Decoder::new(Cursor::new(Cow::Borrowed(file))).ok()?;
    let format = reader.image_buffer_layout().ok()?.sample_format;
    let bits = match reader.colortype().ok()? {
        tiff::ColorType::RGB(bits) | tiff::ColorType::RGBA(bits) => bits,
        _ => 0,
    };
    // TIFF 6.0: whole numbers where nothing is said, and the high bits of a byte first.
    if bits == 32 && format != SampleFormat::IEEEFP {
        return Some(format!("{}, as whole numbers", kind(file)?));
    }
    let order = reader
        .find_tag_unsigned::<u16>(Tag::FillOrder)
        .ok()
        .flatten();
    (order == Some(2)).then(|| "bits in reverse order".to_owned())
}

/// What kind of samples a file holds, in words; `None` if not even that can be read.
pub(crate) fn kind(file: &[u8]) -> Option<String> {
    let mut reader: Reader = Decoder::new(Cursor::new(Cow::Borrowed(file))).ok()?;
    let bits = |bits: u8| format!("{bits} bits per sample");
    Some(match reader.colortype().ok()? {
        tiff::ColorType::Gray(n) => format!("grey, {}", bits(n)),
        tiff::ColorType::RGB(n) | tiff::ColorType::RGBA(n) => format!("RGB, {}", bits(n)),
        tiff::ColorType::CMYK(n) => format!("CMYK, {}", bits(n)),
        tiff::ColorType::CMYKA(n) => format!("CMYK with alpha, {}", bits(n)),
        tiff::ColorType::YCbCr(n) => format!("YCbCr, {}", bits(n)),
        tiff::ColorType::Lab(n) => format!("L*a*b*, {}", bits(n)),
        tiff::ColorType::Multiband {
            bit_depth,
            num_samples,
        } => format!("{num_samples} samples per pixel, {}", bits(bit_depth)),
        _ => return None,
    })
}
