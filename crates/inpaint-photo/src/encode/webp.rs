//! WebP: without loss, or with the loss that the input had.

use super::EncodeResult;
use crate::metadata::Metadata;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, RgbImage};
use image_webp::{ColorType, EncoderParams, WebPEncoder};
use std::io::Cursor;

/// Mean difference between a picture and its encoding that no quantiser explains, in levels.
const MAX_DIFFERENCE: f64 = 40.0;

pub(super) fn encode(
    pixels: &DynamicImage,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    if metadata.photoshop.is_some() {
        dropped("captions (IPTC) are");
    }
    if let Some(quantiser) = metadata.webp_quantiser {
        let mut params = EncoderParams::default();
        params.use_lossy = true;
        params.lossy_quality = quality(quantiser);
        let bytes = encode_by(params, pixels, metadata)?;
        // VP8 has bounds that the encoder does not watch (512 KB for how pixels are predicted).
        if is_readable(&bytes, pixels) {
            return Ok(bytes);
        }
    }
    encode_by(EncoderParams::default(), pixels, metadata)
}

fn encode_by(params: EncoderParams, pixels: &DynamicImage, metadata: &Metadata) -> EncodeResult {
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    encoder.set_params(params);
    if let Some(icc) = &metadata.icc {
        encoder.set_icc_profile(icc.clone());
    }
    if let Some(exif) = &metadata.exif {
        encoder.set_exif_metadata(exif.clone());
    }
    if let Some(xmp) = &metadata.xmp {
        encoder.set_xmp_metadata(xmp.clone());
    }
    let color = match (pixels.color().has_color(), pixels.color().has_alpha()) {
        (false, false) => ColorType::L8,
        (false, true) => ColorType::La8,
        (true, false) => ColorType::Rgb8,
        (true, true) => ColorType::Rgba8,
    };
    encoder.encode(pixels.as_bytes(), pixels.width(), pixels.height(), color)?;
    Ok(bytes)
}

/// The encoder's quality, from 0 to 100, for a picture that was quantised once already.
///
/// Its index falls by 1.27 per step. At half of the former one, photos of 640 px lose 34 dB (of a
/// file of quality 10) to 41 dB (of 97 and more) against the decoded picture, in 1.3 to 0.8 times
/// the room; 37 to 38 dB in 1.13 times the room at the usual quality of 75.
fn quality(quantiser: u8) -> u8 {
    let index = f32::from(quantiser) / 2.0;
    (100.0 - index / 1.27).round() as u8
}

/// Whether the file is decoded to a picture like this one.
fn is_readable(file: &[u8], pixels: &DynamicImage) -> bool {
    let decoded = WebPDecoder::new(Cursor::new(file)).and_then(DynamicImage::from_decoder);
    decoded.is_ok_and(|decoded| {
        let (decoded, pixels): (RgbImage, RgbImage) = (decoded.to_rgb8(), pixels.to_rgb8());
        let differences = decoded
            .iter()
            .zip(pixels.iter())
            .map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / pixels.len().max(1) as f64;
        decoded.dimensions() == pixels.dimensions() && mean < MAX_DIFFERENCE
    })
}
