//! TIFF, whose own directories hold what other formats keep in an Exif block.

use super::EncodeResult;
use crate::exif::{Directories, Field};
use crate::metadata::{DensityUnit, Metadata};
use fax::{Color, VecWriter};
use image::{DynamicImage, GrayImage};
use std::io::Cursor;
use tiff::encoder::colortype::{
    ColorType, Gray8, Gray16, RGB8, RGB16, RGB32Float, RGBA8, RGBA16, RGBA32Float,
};
use tiff::encoder::{
    Compression, DeflateLevel, DirectoryEncoder, Predictor, Rational, TiffEncoder,
    TiffKindStandard, TiffValue,
};
use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, ResolutionUnit, SampleFormat, Tag,
    Type,
};
use tiff::{Directory, TiffResult};

const XMP: Tag = Tag::Unknown(700);
const PHOTOSHOP: Tag = Tag::Unknown(34377);
const EXIF: Tag = Tag::Unknown(0x8769);
const GPS: Tag = Tag::Unknown(0x8825);
/// The encoder of group 4 counts two positions in a row in 16 bits.
const MAX_FAX_WIDTH: u32 = 32_767;

pub(super) fn encode(
    pixels: &DynamicImage,
    is_bilevel: bool,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    let is_fax = (metadata.tiff_packing)
        .is_some_and(|packing| packing.compression == CompressionMethod::Fax4.to_u16());
    let fax =
        (pixels.as_luma8()).filter(|_| is_bilevel && is_fax && pixels.width() <= MAX_FAX_WIDTH);
    let writer = Writer {
        size: (pixels.width(), pixels.height()),
        has_alpha: pixels.color().has_alpha(),
        is_packed: fax.is_some(),
        metadata,
    };
    if let Some(pixels) = fax {
        return Ok(writer.write::<Bilevel>(&fax4(pixels), dropped)?);
    }
    let bytes = match pixels {
        DynamicImage::ImageLuma8(pixels) if is_bilevel => {
            writer.write::<Bilevel>(&super::packed(pixels), dropped)
        }
        // Alpha that the type of the samples does not count is declared beside it.
        DynamicImage::ImageLumaA8(pixels) => writer.write::<Gray8>(pixels, dropped),
        DynamicImage::ImageLumaA16(pixels) => writer.write::<Gray16>(pixels, dropped),
        DynamicImage::ImageLuma8(pixels) => writer.write::<Gray8>(pixels, dropped),
        DynamicImage::ImageLuma16(pixels) => writer.write::<Gray16>(pixels, dropped),
        DynamicImage::ImageRgb8(pixels) => writer.write::<RGB8>(pixels, dropped),
        DynamicImage::ImageRgb16(pixels) => writer.write::<RGB16>(pixels, dropped),
        DynamicImage::ImageRgba8(pixels) => writer.write::<RGBA8>(pixels, dropped),
        DynamicImage::ImageRgba16(pixels) => writer.write::<RGBA16>(pixels, dropped),
        DynamicImage::ImageRgb32F(pixels) => writer.write::<RGB32Float>(pixels, dropped),
        DynamicImage::ImageRgba32F(pixels) => writer.write::<RGBA32Float>(pixels, dropped),
        other => writer.write::<RGBA16>(&other.to_rgba16(), dropped),
    }?;
    Ok(bytes)
}

/// Black and white as facsimile machines send it: CCITT group 4.
fn fax4(pixels: &GrayImage) -> Vec<u8> {
    let mut encoder = fax::encoder::Encoder::new(VecWriter::new());
    for row in pixels.rows() {
        let colours = row.map(|pixel| {
            if pixel.0[0] < 128 {
                Color::Black
            } else {
                Color::White
            }
        });
        let Ok(()) = encoder.encode_line(colours, pixels.width() as u16);
    }
    let Ok(writer) = encoder.finish();
    writer.finish()
}

/// Black and white; a sample is a byte of eight pixels.
struct Bilevel;

impl ColorType for Bilevel {
    type Inner = u8;
    const TIFF_VALUE: PhotometricInterpretation = PhotometricInterpretation::BlackIsZero;
    const BITS_PER_SAMPLE: &'static [u16] = &[1];
    const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::Uint];

    fn horizontal_predict(row: &[u8], result: &mut Vec<u8>) {
        // Never asked for.
        result.extend(row);
    }
}

struct Writer<'a> {
    size: (u32, u32),
    has_alpha: bool,
    /// The samples are compressed already.
    is_packed: bool,
    metadata: &'a Metadata,
}

impl Writer<'_> {
    fn write<C: ColorType>(
        &self,
        samples: &[C::Inner],
        dropped: &mut dyn FnMut(&'static str),
    ) -> TiffResult<Vec<u8>>
    where
        [C::Inner]: TiffValue,
    {
        let metadata = self.metadata;
        let mut bytes = Cursor::new(Vec::new());
        let (compression, predictor) = self.packing::<C>();
        let mut encoder = TiffEncoder::new(&mut bytes)?
            .with_compression(compression)
            .with_predictor(predictor);
        let directories = metadata.exif.as_deref().map(Directories::parse_tiff);
        let directories = directories.unwrap_or_default();
        if metadata.exif.is_some() && directories == Directories::default() {
            dropped("EXIF data that cannot be read are");
        }
        let mut pointers = Vec::new();
        for (tag, fields) in [(EXIF, &directories.photo), (GPS, &directories.gps)] {
            if !fields.is_empty() {
                let mut directory = encoder.extra_directory()?;
                write_fields(&mut directory, fields)?;
                pointers.push((tag, directory.finish_with_offsets()?.offset));
            }
        }
        let (width, height) = self.size;
        let is_bilevel = C::BITS_PER_SAMPLE == Bilevel::BITS_PER_SAMPLE;
        let samples_per_row = if is_bilevel { width.div_ceil(8) } else { width };
        // Data that are packed already go through the encoder as a single row.
        let size = match self.is_packed {
            true => (u32::try_from(samples.len())?, 1),
            false => (samples_per_row, height),
        };
        let mut image = encoder.new_image::<C>(size.0, size.1)?;
        if is_bilevel {
            image.encoder().write_tag(Tag::ImageWidth, width)?;
        }
        if self.is_packed {
            let directory = image.encoder();
            directory.write_tag(Tag::ImageLength, height)?;
            directory.write_tag(Tag::RowsPerStrip, height)?;
            directory.write_tag(Tag::Compression, CompressionMethod::Fax4.to_u16())?;
            let white_is_zero = PhotometricInterpretation::WhiteIsZero.to_u16();
            directory.write_tag(Tag::PhotometricInterpretation, white_is_zero)?;
        }
        let alpha = if metadata.is_alpha_associated {
            ExtraSamples::AssociatedAlpha
        } else {
            ExtraSamples::UnassociatedAlpha
        };
        if self.has_alpha && C::BITS_PER_SAMPLE.len() == 1 {
            image.extra_samples(&[alpha])?;
        } else if self.has_alpha {
            // Without it a fourth sample may mean anything.
            let alpha = [alpha.to_u16()];
            image.encoder().write_tag(Tag::ExtraSamples, &alpha[..])?;
        }
        if let Some(density) = metadata.density {
            let (unit, (x, y)) = match density.unit {
                DensityUnit::Aspect => (ResolutionUnit::None, (density.x, density.y)),
                DensityUnit::Centimetre => (ResolutionUnit::Centimeter, (density.x, density.y)),
                DensityUnit::Inch | DensityUnit::Metre => {
                    let per_inch = density.per_inch().unwrap_or((density.x, density.y));
                    (ResolutionUnit::Inch, per_inch)
                }
            };
            image.resolution_unit(unit);
            image.x_resolution(rational(x));
            image.y_resolution(rational(y));
        }
        let directory = image.encoder();
        write_fields(directory, &directories.main)?;
        write_fields(directory, &metadata.tiff_fields)?;
        // Said, because not every reader knows what is meant where nothing is.
        directory.write_tag(Tag::Orientation, 1u16)?;
        for (tag, offset) in pointers {
            directory.write_tag(tag, offset)?;
        }
        if let Some(icc) = &metadata.icc {
            write_bytes(directory, Tag::IccProfile, Type::UNDEFINED, icc)?;
        }
        if let Some(xmp) = &metadata.xmp {
            write_bytes(directory, XMP, Type::BYTE, xmp)?;
        }
        if let Some(photoshop) = &metadata.photoshop {
            write_bytes(directory, PHOTOSHOP, Type::BYTE, photoshop)?;
        }
        image.write_data(samples)?;
        Ok(bytes.into_inner())
    }

    /// As the source is compressed, or without loss where it is compressed in a way that is not
    /// written.
    fn packing<C: ColorType>(&self) -> (Compression, Predictor) {
        let Some(packing) = self.metadata.tiff_packing else {
            return (Compression::Uncompressed, Predictor::None);
        };
        if self.is_packed {
            return (Compression::Uncompressed, Predictor::None);
        }
        let compression = match packing.compression {
            1 => Compression::Uncompressed,
            5 => Compression::Lzw,
            32_773 => Compression::Packbits,
            _ => Compression::Deflate(DeflateLevel::default()),
        };
        // The encoder does not count alpha beside grey, and predicts no numbers in floating point.
        let is_predictable = C::SAMPLE_FORMAT[0] == SampleFormat::Uint
            && C::BITS_PER_SAMPLE[0] > 1
            && (C::BITS_PER_SAMPLE.len() > 1 || !self.has_alpha);
        let is_packed = matches!(compression, Compression::Lzw | Compression::Deflate(_));
        if packing.is_predicted && is_packed && is_predictable {
            (compression, Predictor::Horizontal)
        } else {
            (compression, Predictor::None)
        }
    }
}

type Fields<'a, 'b> = DirectoryEncoder<'a, &'b mut Cursor<Vec<u8>>, TiffKindStandard>;

fn write_fields(directory: &mut Fields<'_, '_>, fields: &[Field]) -> TiffResult<()> {
    for field in fields {
        if let Some(kind) = Type::from_u16(field.kind) {
            write_bytes(
                directory,
                Tag::from_u16_exhaustive(field.tag),
                kind,
                &field.data,
            )?;
        }
    }
    Ok(())
}

/// Writes a value that is in the byte order of this machine, as the file is.
fn write_bytes(
    directory: &mut Fields<'_, '_>,
    tag: Tag,
    kind: Type,
    data: &[u8],
) -> TiffResult<()> {
    let entry = directory.write_entry_bytes(kind, data)?;
    let mut entries = Directory::empty();
    entries.extend([(tag, entry)]);
    directory.extend_from(&entries);
    Ok(())
}

fn rational(value: f64) -> Rational {
    let d = if value.fract() == 0.0 { 1 } else { 10_000 };
    Rational {
        n: (value * f64::from(d)).round() as u32,
        d,
    }
}
