//! JPEG: the input's own quantisation and sampling where it has some.

use super::EncodeResult;
use crate::jpeg::JpegHeader;
use crate::jpeg_segments;
use crate::metadata::{Density, DensityUnit, Metadata};
use image::DynamicImage;
use jpeg_encoder::{
    ColorType, Encoder, PixelDensity, PixelDensityUnit, QuantizationTableType, SamplingFactor,
};

/// Quality of pictures that come from other formats.
const DEFAULT_QUALITY: u8 = 95;

/// `is_turned` says that width and height have changed places since `source` was made.
pub(super) fn encode(
    pixels: &DynamicImage,
    metadata: &Metadata,
    source: Option<&JpegHeader>,
    is_turned: bool,
    quality: Option<u8>,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    let color = if pixels.color().has_color() {
        ColorType::Rgb
    } else {
        ColorType::Luma
    };
    let mut bytes = Vec::new();
    let source_quality = || source.and_then(JpegHeader::quality);
    let quality_or_default = quality.or_else(source_quality).unwrap_or(DEFAULT_QUALITY);
    let mut encoder = Encoder::new(&mut bytes, quality_or_default);
    let compression = source.and_then(|source| compression(source, color, is_turned));
    if let Some((tables, sampling)) = compression {
        // With a quality of its own choice the user still gets the sampling of the photo.
        encoder.set_sampling_factor(sampling);
        if quality.is_none() {
            let [luminance, chrominance] =
                tables.map(|table| QuantizationTableType::Custom(Box::new(table)));
            encoder.set_quantization_tables(luminance, chrominance);
        }
    }
    encoder.set_progressive(source.is_some_and(|source| source.is_progressive));
    if let Some(density) = metadata.density.and_then(to_jfif) {
        encoder.set_density(density);
    }
    let (width, height) = (pixels.width() as u16, pixels.height() as u16);
    encoder.encode(pixels.as_bytes(), width, height, color)?;
    // JFIF's own segment has to be the first: 18 bytes behind the start of the image.
    let is_jfif = bytes.get(2..4) == Some(&[0xFF, 0xE0]);
    let at = if is_jfif { 20 } else { 2 };
    bytes.splice(at..at, jpeg_segments::write(metadata, dropped));
    Ok(bytes)
}

/// Quantisation tables for luminance and chrominance, and the sampling of the luminance, if the
/// encoder can do the same as whoever made the source. What was horizontal there is vertical here
/// if the picture `is_turned`.
fn compression(
    source: &JpegHeader,
    color: ColorType,
    is_turned: bool,
) -> Option<([[u16; 64]; 2], SamplingFactor)> {
    let table_of = |component| {
        let table = *source.table_of(component)?;
        let transposed = || std::array::from_fn(|i| table[i % 8 * 8 + i / 8]);
        Some(if is_turned { transposed() } else { table })
    };
    let luminance = table_of(0)?;
    match (color, &source.components[..]) {
        (ColorType::Luma, [_]) => Some(([luminance; 2], SamplingFactor::F_1_1)),
        (ColorType::Rgb, [y, cb, cr]) if !source.is_rgb => {
            let is_plain = cb.sampling == (1, 1) && cr.sampling == (1, 1) && cb.table == cr.table;
            let (mut horizontal, mut vertical) = y.sampling;
            if is_turned {
                std::mem::swap(&mut horizontal, &mut vertical);
            }
            let sampling = SamplingFactor::from_factors(horizontal, vertical)?;
            is_plain.then_some(([luminance, table_of(1)?], sampling))
        }
        _ => None,
    }
}

fn to_jfif(density: Density) -> Option<PixelDensity> {
    let (x, y, unit) = match density.unit {
        DensityUnit::Aspect => (density.x, density.y, PixelDensityUnit::PixelAspectRatio),
        DensityUnit::Centimetre => (density.x, density.y, PixelDensityUnit::Centimeters),
        DensityUnit::Inch | DensityUnit::Metre => {
            let (x, y) = density.per_inch()?;
            (x, y, PixelDensityUnit::Inches)
        }
    };
    let fits = |value: f64| (1.0..65_535.5).contains(&value.round());
    (fits(x) && fits(y)).then(|| PixelDensity {
        density: (x.round() as u16, y.round() as u16),
        unit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncodeOptions, Limits, Photo};
    use image::RgbImage;
    use image::metadata::Orientation;

    /// Finer quantisers across than down, and half of the colours across.
    fn lopsided(exif_orientation: u8) -> Vec<u8> {
        let picture = RgbImage::from_fn(64, 40, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, 90]));
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 90);
        let table = |factor: usize| {
            let table = std::array::from_fn(|i| (1 + factor * (i / 8) + i % 8) as u16);
            QuantizationTableType::Custom(Box::new(table))
        };
        encoder.set_quantization_tables(table(3), table(5));
        encoder.set_sampling_factor(SamplingFactor::F_2_1);
        encoder.set_progressive(true);
        let orientation = Orientation::from_exif(exif_orientation).unwrap();
        let exif = crate::exif::orientation_only(orientation).unwrap();
        let exif = [&b"Exif\0\0"[..], &exif].concat();
        encoder.add_app_segment(1, exif).unwrap();
        encoder
            .encode(picture.as_raw(), 64, 40, ColorType::Rgb)
            .unwrap();
        file
    }

    /// Quantisers repeated between two scans, for which no coefficients are read.
    fn with_late_tables(mut file: Vec<u8>) -> Vec<u8> {
        let find = |marker, from: usize| {
            let mut pairs = file[from..].windows(2);
            from + pairs.position(|pair| pair == [0xFF, marker]).unwrap()
        };
        let tables = find(0xDB, 0);
        let length = 2 + usize::from(file[tables + 2]) * 256 + usize::from(file[tables + 3]);
        let tables = file[tables..tables + length].to_vec();
        let second = find(0xDA, find(0xDA, 0) + 2);
        file.splice(second..second, tables);
        file
    }

    #[test]
    fn files_that_are_encoded_anew_keep_their_quantisers_with_the_picture() {
        for exif_orientation in 1..=8 {
            let file = with_late_tables(lopsided(exif_orientation));
            let before = JpegHeader::parse(&file);
            let photo = Photo::decode(&file, &Limits::default()).unwrap();
            let encoded = photo.encode(None, &EncodeOptions::default()).unwrap();
            let after = JpegHeader::parse(&encoded.bytes);
            let again = Photo::decode(&encoded.bytes, &Limits::default()).unwrap();
            // Written upright, not as it was stored.
            assert!(!again.is_stored_turned());
            assert_eq!(again.dimensions(), photo.dimensions());
            let is_turned = exif_orientation >= 5;
            let sampling = if is_turned { (1, 2) } else { (2, 1) };
            assert_eq!(after.components[0].sampling, sampling, "{exif_orientation}");
            for component in 0..3 {
                let (before, after) = (before.table_of(component), after.table_of(component));
                let (before, after) = (before.unwrap(), after.unwrap());
                for (i, &quantiser) in after.iter().enumerate() {
                    let from = if is_turned { i % 8 * 8 + i / 8 } else { i };
                    assert_eq!(quantiser, before[from], "{exif_orientation}, {i}");
                }
            }
        }
    }
}
