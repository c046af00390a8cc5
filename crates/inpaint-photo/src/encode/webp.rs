//! WebP, without loss.

use super::EncodeResult;
use crate::metadata::Metadata;
use image::DynamicImage;
use image_webp::{ColorType, WebPEncoder};

pub(super) fn encode(
    pixels: &DynamicImage,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    if let Some(icc) = &metadata.icc {
        encoder.set_icc_profile(icc.clone());
    }
    if let Some(exif) = &metadata.exif {
        encoder.set_exif_metadata(exif.clone());
    }
    if let Some(xmp) = &metadata.xmp {
        encoder.set_xmp_metadata(xmp.clone());
    }
    if metadata.photoshop.is_some() {
        dropped("captions (IPTC) are");
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
