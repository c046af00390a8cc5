//! BMP, which holds little but samples.

use super::EncodeResult;
use crate::metadata::Metadata;
use image::codecs::bmp::BmpEncoder;
use image::{DynamicImage, ImageEncoder};

pub(super) fn encode(
    pixels: &DynamicImage,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> EncodeResult {
    let mut bytes = Vec::new();
    BmpEncoder::new(&mut bytes).write_image(
        pixels.as_bytes(),
        pixels.width(),
        pixels.height(),
        pixels.color().into(),
    )?;
    if let Some((x, y)) = metadata.density.and_then(|density| density.per_metre())
        && let Some(field) = bytes.get_mut(38..46)
    {
        field[..4].copy_from_slice(&(x.round() as i32).to_le_bytes());
        field[4..].copy_from_slice(&(y.round() as i32).to_le_bytes());
    }
    let others = [&metadata.exif, &metadata.xmp, &metadata.photoshop];
    if metadata.icc.is_some() {
        dropped("the colour profile is");
    }
    if others.into_iter().any(Option::is_some) {
        dropped("EXIF, XMP and captions are");
    }
    Ok(bytes)
}
