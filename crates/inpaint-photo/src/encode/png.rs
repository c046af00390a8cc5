//! PNG.

use super::EncodeResult;
use crate::metadata::{DensityUnit, Metadata};
use crate::png_chunks;
use image::DynamicImage;
use png::{BitDepth, ColorType, Encoder, Info, PixelDimensions, Unit};
use std::borrow::Cow;

pub(super) fn encode(
    pixels: &DynamicImage,
    is_bilevel: bool,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    let color = pixels.color();
    let mut info = Info::with_size(pixels.width(), pixels.height());
    info.color_type = match (color.has_color(), color.has_alpha()) {
        (false, false) => ColorType::Grayscale,
        (false, true) => ColorType::GrayscaleAlpha,
        (true, false) => ColorType::Rgb,
        (true, true) => ColorType::Rgba,
    };
    let is_deep = super::bits_per_sample(color) == 16;
    let bilevel = pixels.as_luma8().filter(|_| is_bilevel);
    info.bit_depth = if is_deep {
        BitDepth::Sixteen
    } else if bilevel.is_some() {
        BitDepth::One
    } else {
        BitDepth::Eight
    };
    info.icc_profile = metadata.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = metadata.exif.as_deref().map(Cow::Borrowed);
    info.pixel_dims = metadata.density.map(|density| {
        let (x, y) = density.per_metre().unwrap_or((density.x, density.y));
        PixelDimensions {
            // The casts saturate.
            xppu: x.round() as u32,
            yppu: y.round() as u32,
            unit: if density.unit == DensityUnit::Aspect {
                Unit::Unspecified
            } else {
                Unit::Meter
            },
        }
    });
    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info)?;
    if let Some(xmp) = &metadata.xmp {
        match String::from_utf8(xmp.clone()) {
            Ok(xmp) => encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), xmp)?,
            Err(_) => dropped("XMP data are"),
        }
    }
    if let Some(resources) = &metadata.photoshop {
        let text = png_chunks::profile_text("8bim", resources);
        encoder.add_ztxt_chunk("Raw profile type 8bim".to_owned(), text)?;
    }
    let mut writer = encoder.write_header()?;
    let depth = super::bits_per_sample(color) as u8;
    let depth = if bilevel.is_some() { 1 } else { depth };
    for chunk in &metadata.png_chunks {
        if let Some(data) = chunk.fitting(color, depth) {
            writer.write_chunk(png::chunk::ChunkType(chunk.name), &data)?;
        }
    }
    let samples = pixels.as_bytes();
    if let Some(pixels) = bilevel {
        writer.write_image_data(&super::packed(pixels))?;
    } else if is_deep && cfg!(target_endian = "little") {
        let swapped: Vec<u8> = (samples.chunks_exact(2))
            .flat_map(|sample| [sample[1], sample[0]])
            .collect();
        writer.write_image_data(&swapped)?;
    } else {
        writer.write_image_data(samples)?;
    }
    writer.finish()?;
    Ok(bytes)
}
