//! What JPEG files store beside the picture, in segments of up to 64 KB.
//!
//! Sources: ITU-T T.81 and T.871; Exif 2.32; XMP specification, part 3; CIPA DC-007 (MPF).

use crate::jpeg::{Segment, picture_end, segments};
use crate::metadata::{Density, DensityUnit, Metadata};
use crate::{pictures, xmp};

/// Longest content of a segment.
pub(crate) const MAX_SEGMENT: usize = 65_533;
pub(crate) const EXIF: &[u8] = b"Exif\0\0";
pub(crate) const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const XMP_EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
/// Most bytes of segments of one maker that are kept without being understood: enough for notes,
/// too few for a picture.
const MAX_UNKNOWN: usize = 2048;

/// A segment of the camera or the program that is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppSegment {
    pub marker: u8,
    pub data: Vec<u8>,
}

/// Collects what `file` holds, but for its colour profile.
pub(crate) fn read(file: &[u8], metadata: &mut Metadata) {
    let (mut exif, mut resources) = (Vec::new(), Vec::new());
    let mut extensions: Vec<&[u8]> = Vec::new();
    let mut unknown: Vec<(u8, &[u8])> = Vec::new();
    for Segment { marker, data } in segments(file) {
        match marker {
            0xE0 if data.starts_with(b"JFIF\0") => metadata.density = jfif_density(data),
            // A preview.
            0xE0 if data.starts_with(b"JFXX\0") => {}
            0xE1 if data.starts_with(EXIF) => {
                let data = &data[EXIF.len()..];
                // A block may go on in the next segment; a second one is another program's.
                let is_next =
                    exif.is_empty() || !data.starts_with(b"II") && !data.starts_with(b"MM");
                if is_next {
                    exif.extend(data);
                }
            }
            0xE1 if data.starts_with(XMP) => {
                metadata
                    .xmp
                    .get_or_insert_with(|| data[XMP.len()..].to_vec());
            }
            0xE1 if data.starts_with(XMP_EXTENSION) => {
                extensions.push(&data[XMP_EXTENSION.len()..]);
            }
            0xE2 if data.starts_with(ICC) => {}
            0xE2 if data.starts_with(b"MPF\0") => metadata.lose("the further pictures (MPF)"),
            0xE2 if data.starts_with(b"urn:iso:std:iso:ts:21496") => metadata.lose("the gain map"),
            0xEB if data.starts_with(b"JP") => metadata.lose("the content credentials (C2PA)"),
            0xED if data.starts_with(PHOTOSHOP) => resources.extend(&data[PHOTOSHOP.len()..]),
            // Says how the samples are meant, and is written with them.
            0xEE if data.starts_with(b"Adobe") => {}
            0xE0..=0xEF => unknown.push((marker, data)),
            0xFE if pictures::is_any(data) => metadata.lose("a comment that holds a picture"),
            0xFE => metadata.comments.push(data.to_vec()),
            _ => {}
        }
    }
    metadata.exif = Some(exif).filter(|exif| !exif.is_empty());
    metadata.photoshop = Some(resources).filter(|resources| !resources.is_empty());
    metadata.xmp_extension = xmp::join(&extensions);
    if !extensions.is_empty() && metadata.xmp_extension.is_none() {
        metadata.lose("extended XMP data that are incomplete");
    }
    keep_unknown(unknown, metadata);
    let end = picture_end(file).unwrap_or(file.len());
    // Some cameras fill the file up.
    metadata.has_data_behind = file[end..].iter().any(|&byte| byte != 0);
}

/// Keeps what cannot be a picture, and says what goes.
fn keep_unknown(unknown: Vec<(u8, &[u8])>, metadata: &mut Metadata) {
    let is_same = |a: &(u8, &[u8]), b: &(u8, &[u8])| (a.0, name(a.1)) == (b.0, name(b.1));
    for segment in &unknown {
        let same = || (unknown.iter().filter(|other| is_same(other, segment))).map(|other| other.1);
        let whole = same().collect::<Vec<_>>().concat();
        // Parts of one thing may each begin with the name.
        let head = name(segment.1).len() + 1;
        let parts: Vec<&[u8]> = same()
            .map(|data| data.get(head..).unwrap_or(data))
            .collect();
        let holds_picture = pictures::is_any(&whole) || pictures::is_any(&parts.concat());
        let (marker, data) = *segment;
        if whole.len() <= MAX_UNKNOWN && !holds_picture {
            let data = data.to_vec();
            metadata.app_segments.push(AppSegment { marker, data });
        } else {
            metadata.lose(format!("segments APP{} {}", marker & 15, name(data)).trim_end());
        }
    }
}

/// What a segment calls itself.
fn name(data: &[u8]) -> String {
    let name = data
        .iter()
        .take(24)
        .take_while(|byte| byte.is_ascii_graphic());
    name.map(|&byte| char::from(byte)).collect()
}

fn jfif_density(data: &[u8]) -> Option<Density> {
    let &[unit, x1, x0, y1, y0] = data.get(7..12)? else {
        return None;
    };
    let density = Density {
        x: u16::from_be_bytes([x1, x0]).into(),
        y: u16::from_be_bytes([y1, y0]).into(),
        unit: match unit {
            1 => DensityUnit::Inch,
            2 => DensityUnit::Centimetre,
            _ => DensityUnit::Aspect,
        },
    };
    density.is_telling().then_some(density)
}

/// The segments that a file gets, markers and lengths included.
pub(crate) fn write(metadata: &Metadata, dropped: &mut dyn FnMut(&'static str)) -> Vec<u8> {
    let mut writer = Writer::default();
    if let Some(exif) = &metadata.exif
        && !writer.put(0xE1, &[EXIF, exif])
    {
        dropped("EXIF data are");
    }
    if !writer.put_xmp(metadata) {
        dropped("XMP data are");
    }
    for part in (metadata.photoshop.iter()).flat_map(|p| p.chunks(MAX_SEGMENT - PHOTOSHOP.len())) {
        writer.put(0xED, &[PHOTOSHOP, part]);
    }
    if let Some(icc) = &metadata.icc {
        // ICC.1:2022, B.4: number of the part and of all parts, from 1.
        let parts = icc.chunks(MAX_SEGMENT - ICC.len() - 2);
        if let Ok(count) = u8::try_from(parts.len()) {
            for (part, number) in parts.zip(1u8..) {
                writer.put(0xE2, &[ICC, &[number, count], part]);
            }
        } else {
            dropped("the colour profile is");
        }
    }
    for AppSegment { marker, data } in &metadata.app_segments {
        writer.put(*marker, &[data]);
    }
    for comment in &metadata.comments {
        writer.put(0xFE, &[comment]);
    }
    writer.bytes
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Returns whether it fits.
    fn put(&mut self, marker: u8, parts: &[&[u8]]) -> bool {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MAX_SEGMENT {
            return false;
        }
        self.bytes.extend([0xFF, marker]);
        self.bytes.extend((length as u16 + 2).to_be_bytes());
        self.bytes.extend(parts.concat());
        true
    }

    fn put_xmp(&mut self, metadata: &Metadata) -> bool {
        let Some(packet) = metadata.xmp.as_deref() else {
            return true;
        };
        let fits = packet.len() + XMP.len() + 128 <= MAX_SEGMENT;
        let (packet, extension) = match &metadata.xmp_extension {
            None if fits => return self.put(0xE1, &[XMP, packet]),
            Some(extension) if fits => (Some(packet), extension.clone()),
            None => (None, packet.to_vec()),
            Some(extension) => match xmp::merge(packet, extension) {
                Some(whole) => (None, whole),
                None => return false,
            },
        };
        let (guid, parts) = xmp::split(&extension, MAX_SEGMENT - XMP_EXTENSION.len());
        let Some(packet) = xmp::announce(packet, &guid) else {
            return false;
        };
        let fits = self.put(0xE1, &[XMP, &packet]);
        for part in parts {
            self.put(0xE1, &[XMP_EXTENSION, &part]);
        }
        fits
    }
}
