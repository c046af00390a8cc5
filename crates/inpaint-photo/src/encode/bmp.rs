//! BMP, which holds little but samples.
//!
//! Source: Microsoft's BITMAPV5HEADER.

use super::EncodeResult;
use crate::metadata::{BMP_COLOUR_SPACE, BMP_EMBEDDED, BMP_PROFILE_PLACE, BMP_V5_HEADER, Metadata};
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
    if let Some(icc) = &metadata.icc
        && add_profile(&mut bytes, icc).is_none()
    {
        dropped("the colour profile is");
    }
    if others.into_iter().any(Option::is_some) {
        dropped("EXIF, XMP and captions are");
    }
    Ok(bytes)
}

/// Makes the header the one that has a place for a profile, and adds that to the end.
fn add_profile(bytes: &mut Vec<u8>, icc: &[u8]) -> Option<()> {
    const FILE_HEADER: usize = 14;
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (samples_at, length) = (number(10)?, number(FILE_HEADER)?);
    let missing = BMP_V5_HEADER.checked_sub(length)?;
    let end = FILE_HEADER + length as usize;
    bytes.splice(end..end, vec![0; missing as usize]);
    let profile_at = u32::try_from(bytes.len() - FILE_HEADER).ok()?;
    bytes.extend(icc);
    for (at, number) in [
        (2, u32::try_from(bytes.len()).ok()?),
        (10, samples_at + missing),
        (FILE_HEADER, BMP_V5_HEADER),
        // Perceptual.
        (FILE_HEADER + 108, 4),
        (BMP_PROFILE_PLACE, profile_at),
        (BMP_PROFILE_PLACE + 4, u32::try_from(icc.len()).ok()?),
    ] {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes[BMP_COLOUR_SPACE].copy_from_slice(BMP_EMBEDDED);
    Some(())
}
