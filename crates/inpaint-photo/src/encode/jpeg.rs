//! JPEG: the input's own quantisation and sampling where it has some.

use super::EncodeResult;
use crate::jpeg::JpegHeader;
use crate::metadata::{Density, DensityUnit, Metadata};
use image::DynamicImage;
use jpeg_encoder::{
    ColorType, Encoder, EncodingError, PixelDensity, PixelDensityUnit, QuantizationTableType,
    SamplingFactor,
};

/// Quality of pictures that come from other formats.
const DEFAULT_QUALITY: u8 = 95;
/// Longest content of a segment.
const MAX_SEGMENT: usize = 65_533;
const XMP_HEAD: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

pub(super) fn encode(
    pixels: &DynamicImage,
    metadata: &Metadata,
    source: Option<&JpegHeader>,
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
    if let Some((tables, sampling)) = source.and_then(|source| compression(source, color)) {
        // With a quality of its own choice the user still gets the sampling of the photo.
        encoder.set_sampling_factor(sampling);
        if quality.is_none() {
            let [luminance, chrominance] =
                tables.map(|table| QuantizationTableType::Custom(Box::new(table)));
            encoder.set_quantization_tables(luminance, chrominance);
        }
    }
    if let Some(density) = metadata.density.and_then(to_jfif) {
        encoder.set_density(density);
    }
    let mut segment = |number, head: &[u8], data: &Option<Vec<u8>>, what| {
        match data {
            Some(data) if head.len() + data.len() > MAX_SEGMENT => dropped(what),
            Some(data) => encoder.add_app_segment(number, [head, data].concat())?,
            None => {}
        }
        Ok::<_, EncodingError>(())
    };
    segment(1, b"Exif\0\0", &metadata.exif, "EXIF data are")?;
    segment(1, XMP_HEAD, &metadata.xmp, "XMP data are")?;
    segment(
        13,
        b"Photoshop 3.0\0",
        &metadata.photoshop,
        "captions (IPTC) are",
    )?;
    if let Some(icc) = &metadata.icc {
        encoder.add_icc_profile(icc)?;
    }
    let (width, height) = (pixels.width() as u16, pixels.height() as u16);
    encoder.encode(pixels.as_bytes(), width, height, color)?;
    insert_comments(&mut bytes, &metadata.comments);
    Ok(bytes)
}

/// Quantisation tables for luminance and chrominance, and the sampling of the luminance, if the
/// encoder can do the same as whoever made the source.
fn compression(source: &JpegHeader, color: ColorType) -> Option<([[u16; 64]; 2], SamplingFactor)> {
    let luminance = *source.table_of(0)?;
    match (color, &source.components[..]) {
        (ColorType::Luma, [_]) => Some(([luminance; 2], SamplingFactor::F_1_1)),
        (ColorType::Rgb, [y, cb, cr]) if !source.is_rgb => {
            let is_plain = cb.sampling == (1, 1) && cr.sampling == (1, 1) && cb.table == cr.table;
            let sampling = SamplingFactor::from_factors(y.sampling.0, y.sampling.1)?;
            is_plain.then_some(([luminance, *source.table_of(1)?], sampling))
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

/// Puts comment segments behind the first marker.
fn insert_comments(file: &mut Vec<u8>, comments: &[Vec<u8>]) {
    let mut segments = Vec::new();
    for comment in comments {
        let Ok(length) = u16::try_from(comment.len() + 2) else {
            continue;
        };
        segments.extend([0xFF, 0xFE]);
        segments.extend(length.to_be_bytes());
        segments.extend(comment);
    }
    // JFIF's own segment has to be the first: 18 bytes behind the start of the image.
    let at = if file.get(2..4) == Some(&[0xFF, 0xE0]) {
        20
    } else {
        2
    };
    if !segments.is_empty() && file.len() > at {
        file.splice(at..at, segments);
    }
}
