//! JPEG from JPEG: every block that the hole does not touch keeps its coefficients to the bit.
//!
//! The picture stays turned as it is stored, and the EXIF orientation with it.

use crate::Photo;
use crate::coefficients::{self, Filling};
use crate::exif;
use crate::jpeg::{Segment, segments};
use crate::jpeg_segments;
use crate::metadata::{Metadata, swaps_sides};
use crate::photo::JpegFile;
use image::DynamicImage;
use image::metadata::Orientation;
use inpaint_core::Mask;
use std::borrow::Cow;

/// `None` for kinds of JPEG files whose coefficients are not read.
pub(super) fn encode(
    photo: &Photo,
    source: &JpegFile,
    metadata: &Metadata,
    dropped: &mut dyn FnMut(&'static str),
) -> Option<Vec<u8>> {
    let orientation = photo.orientation;
    let (width, height) = photo.dimensions();
    let (width, height) = if swaps_sides(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let mut frame = coefficients::decode(&source.bytes, (width as usize, height as usize))?;
    let tables: Option<Vec<[u16; 64]>> = (0..frame.components.len())
        .map(|component| source.header.table_of(component).copied())
        .collect();
    let tables = tables?;
    if let Some(filled) = &photo.filled {
        let shown = |x: u32, y: u32| shown_at(orientation, (x, y), (width, height));
        let mask = if orientation == Orientation::NoTransforms {
            Cow::Borrowed(filled)
        } else {
            Cow::Owned(Mask::from_fn(width, height, |x, y| {
                let (x, y) = shown(x, y);
                filled.is_hole(x, y)
            }))
        };
        let pixel = |x: usize, y: usize| {
            let (x, y) = shown(x as u32, y as u32);
            match photo.pixels() {
                DynamicImage::ImageLuma8(pixels) => [pixels.get_pixel(x, y).0[0]; 3],
                DynamicImage::ImageRgb8(pixels) => pixels.get_pixel(x, y).0,
                // The decoder gives no other kinds.
                _ => [0; 3],
            }
        };
        frame.fill(&Filling {
            pixel: &pixel,
            mask: &mask,
            is_rgb: source.header.is_rgb,
            tables,
        });
    }
    let scan = coefficients::encode(&frame, kind_of(source))?;
    let mut file = head(source, metadata, orientation, dropped);
    file.extend(scan);
    Some(file)
}

/// The same picture, to the bit, in one scan, and without metadata: the decoder shows files with
/// a scan for each component in wrong colours if they are sampled differently. `size` is that of
/// the stored picture. `None` if the coefficients cannot be read.
pub(crate) fn in_one_scan(source: &JpegFile, size: (u32, u32)) -> Option<Vec<u8>> {
    let frame = coefficients::decode(&source.bytes, (size.0 as usize, size.1 as usize))?;
    let mut file = vec![0xFF, 0xD8];
    put_segments(&mut file, source, |segment| {
        matches!(segment.marker, 0xDB | 0xE0 | 0xEE)
    });
    file.extend(coefficients::encode(&frame, kind_of(source))?);
    Some(file)
}

/// As the source was written.
fn kind_of(source: &JpegFile) -> coefficients::Kind {
    coefficients::Kind {
        is_wide: source.header.is_wide(),
        is_progressive: source.header.is_progressive,
    }
}

/// Everything before the frame header.
fn head(
    source: &JpegFile,
    metadata: &Metadata,
    orientation: Orientation,
    dropped: &mut dyn FnMut(&'static str),
) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let jfif = segments(&source.bytes)
        .find(|segment| segment.marker == 0xE0 && segment.data.starts_with(b"JFIF\0"));
    if let Some(density) = jfif.and_then(|jfif| jfif.data.get(5..12)) {
        // Version, density; no thumbnail.
        let plain = [density[0], density[1], 0, 0, 1, 0, 1];
        let is_kept = metadata.density.is_some();
        file.extend(b"\xFF\xE0\0\x10JFIF\0");
        file.extend(if is_kept { density } else { &plain });
        file.extend([0, 0]);
    }
    let mut metadata = metadata.clone();
    metadata.make_stored(orientation);
    // Without it the picture would lie on its side.
    if metadata.exif.is_none() && orientation != Orientation::NoTransforms {
        metadata.exif = exif::orientation_only(orientation);
    }
    file.extend(jpeg_segments::write(&metadata, dropped));
    // Adobe's segment says what the components mean.
    put_segments(&mut file, source, |segment| {
        let is_adobe = segment.marker == 0xEE && segment.data.starts_with(b"Adobe");
        is_adobe || segment.marker == 0xDB
    });
    file
}

/// Copies segments of the source.
fn put_segments(file: &mut Vec<u8>, source: &JpegFile, is_wanted: impl Fn(&Segment) -> bool) {
    for segment in segments(&source.bytes).filter(|segment| is_wanted(segment)) {
        file.extend([0xFF, segment.marker]);
        file.extend((segment.data.len() as u16 + 2).to_be_bytes());
        file.extend(segment.data);
    }
}

/// Where people see a pixel that is stored at `(x, y)` of a picture of `(width, height)`.
fn shown_at(
    orientation: Orientation,
    (x, y): (u32, u32),
    (width, height): (u32, u32),
) -> (u32, u32) {
    let (right, below) = (width - 1 - x, height - 1 - y);
    match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::FlipHorizontal => (right, y),
        Orientation::Rotate180 => (right, below),
        Orientation::FlipVertical => (x, below),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate90 => (below, x),
        Orientation::Rotate270FlipH => (below, right),
        Orientation::Rotate270 => (y, right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    #[test]
    fn pixels_are_found_where_the_decoder_shows_them() {
        let stored = GrayImage::from_fn(5, 3, |x, y| Luma([(10 * y + x) as u8]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut shown = DynamicImage::from(stored.clone());
            shown.apply_orientation(orientation);
            let shown = shown.to_luma8();
            for (x, y, pixel) in stored.enumerate_pixels() {
                let (x, y) = shown_at(orientation, (x, y), (5, 3));
                assert_eq!(shown.get_pixel(x, y), pixel, "{orientation:?}");
            }
        }
    }
}
