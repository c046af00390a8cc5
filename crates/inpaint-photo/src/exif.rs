//! Exif blocks: TIFF directories with what the camera noted.
//!
//! A block from a JPEG, PNG or WebP file is changed in place, so that whatever it points to stays
//! where it is. Between TIFF files, which have no such block, and the others, the fields are
//! copied one by one.
//!
//! Sources: TIFF 6.0; Exif 2.32 (CIPA DC-008).

use crate::metadata::{Density, DensityUnit, swaps_sides};
use image::metadata::Orientation;
use std::ops::Range;

/// Tags that matter here.
mod tag {
    pub const ORIENTATION: u16 = 0x0112;
    pub const X_RESOLUTION: u16 = 0x011A;
    pub const Y_RESOLUTION: u16 = 0x011B;
    pub const RESOLUTION_UNIT: u16 = 0x0128;
    pub const THUMBNAIL: u16 = 0x0201;
    pub const THUMBNAIL_LENGTH: u16 = 0x0202;
    pub const EXIF: u16 = 0x8769;
    pub const GPS: u16 = 0x8825;
    pub const PIXEL_X_DIMENSION: u16 = 0xA002;
    pub const PIXEL_Y_DIMENSION: u16 = 0xA003;
    pub const INTEROPERABILITY: u16 = 0xA005;
}

/// Tags of a picture's own directory that describe the photograph rather than its storage:
/// description, maker, model, resolution, software, time, artist, host, rating, copyright, and
/// what Windows notes.
const DESCRIPTIVE: [u16; 18] = [
    0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749,
    0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
];

/// A TIFF structure in memory.
struct Block<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

/// Where an entry of a directory lies.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// The value itself.
    value: Range<usize>,
}

impl<'a> Block<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_big_endian = match bytes.get(..4)? {
            b"II\x2A\0" => false,
            b"MM\0\x2A" => true,
            _ => return None,
        };
        Some(Self {
            bytes,
            is_big_endian,
        })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn main_directory(&self) -> Option<usize> {
        Some(self.u32(4)? as usize)
    }

    /// The readable entries of the directory at `at`, and where its link to the next one is.
    fn entries(&self, at: usize) -> Option<(Vec<Entry>, usize)> {
        let count = usize::from(self.u16(at)?);
        let end = at + 2 + 12 * count;
        let entries = (0..count).filter_map(|i| self.entry(at + 2 + 12 * i));
        Some((entries.collect(), end))
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let (kind, count) = (self.u16(at + 2)?, self.u32(at + 4)?);
        let length = size_of_kind(kind)?.checked_mul(count as usize)?;
        let start = if length <= 4 {
            at + 8
        } else {
            self.u32(at + 8)? as usize
        };
        let value = start..start.checked_add(length)?;
        self.bytes.get(value.clone())?;
        Some(Entry {
            tag: self.u16(at)?,
            kind,
            count,
            value,
        })
    }

    /// The number that an entry holds, if it holds just one.
    fn number(&self, entry: &Entry) -> Option<u32> {
        match (entry.kind, entry.count) {
            (3, 1) => self.u16(entry.value.start).map(u32::from),
            (4 | 13, 1) => self.u32(entry.value.start),
            _ => None,
        }
    }

    /// The entries of a directory that the entry `tag` points to.
    fn sub_directory(&self, entries: &[Entry], tag: u16) -> Vec<Entry> {
        let at = (entries.iter().find(|entry| entry.tag == tag))
            .and_then(|entry| self.number(entry))
            .and_then(|at| self.entries(at as usize));
        at.map(|(entries, _)| entries).unwrap_or_default()
    }

    fn field(&self, entry: &Entry) -> Field {
        let mut data = self.bytes[entry.value.clone()].to_vec();
        if self.is_big_endian != cfg!(target_endian = "big") {
            for number in data.chunks_exact_mut(size_of_number(entry.kind)) {
                number.reverse();
            }
        }
        Field {
            tag: entry.tag,
            kind: entry.kind,
            data,
        }
    }
}

/// Bytes of a value of this type; `None` for types that do not exist.
fn size_of_kind(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => return None,
    })
}

/// Bytes that change places between the byte orders.
fn size_of_number(kind: u16) -> usize {
    match kind {
        5 | 10 => 4,
        kind => size_of_kind(kind).unwrap_or(1),
    }
}

/// Makes an Exif block describe the picture after `orientation` was applied, and takes out the
/// thumbnail, which would still show what was removed.
pub(crate) fn make_upright(exif: &mut Vec<u8>, orientation: Orientation) {
    // Some writers of WebP files keep the head that belongs to JPEG.
    if exif.starts_with(b"Exif\0\0") {
        exif.drain(..6);
    }
    let Some(edits) = edits(exif, orientation) else {
        return;
    };
    for (at, bytes) in edits.writes {
        exif[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    for range in edits.wipes {
        // Ranges of a damaged block may overlap; then the block is shorter already.
        let end = range.end.min(exif.len());
        let start = range.start.min(end);
        exif[start..end].fill(0);
        if end == exif.len() {
            exif.truncate(start);
        }
    }
}

#[derive(Default)]
struct Edits {
    writes: Vec<(usize, Vec<u8>)>,
    /// Ranges inside the block, the last one first.
    wipes: Vec<Range<usize>>,
}

fn edits(exif: &[u8], orientation: Orientation) -> Option<Edits> {
    let block = Block::new(exif)?;
    let mut edits = Edits::default();
    let (main, link) = block.entries(block.main_directory()?)?;
    let is_orientation = |e: &&Entry| e.tag == tag::ORIENTATION && (e.kind, e.count) == (3, 1);
    for entry in main.iter().filter(is_orientation) {
        let upright = if block.is_big_endian { [0, 1] } else { [1, 0] };
        edits.writes.push((entry.value.start, upright.to_vec()));
    }
    if swaps_sides(orientation) {
        let photo = block.sub_directory(&main, tag::EXIF);
        let find = |tag| photo.iter().find(|entry| entry.tag == tag);
        if let (Some(x), Some(y)) = (find(tag::PIXEL_X_DIMENSION), find(tag::PIXEL_Y_DIMENSION))
            && (x.kind, x.count) == (y.kind, y.count)
        {
            let value = |entry: &Entry| exif[entry.value.clone()].to_vec();
            edits.writes.push((x.value.start, value(y)));
            edits.writes.push((y.value.start, value(x)));
        }
    }
    let next = block.u32(link).unwrap_or(0) as usize;
    if next != 0 {
        edits.writes.push((link, vec![0; 4]));
        if let Some((thumbnail, end)) = block.entries(next) {
            edits.wipes.push(next..(end + 4).min(exif.len()));
            let number = |tag| {
                let entry = thumbnail.iter().find(|entry| entry.tag == tag)?;
                block.number(entry)
            };
            if let (Some(start), Some(length)) =
                (number(tag::THUMBNAIL), number(tag::THUMBNAIL_LENGTH))
            {
                let start = (start as usize).min(exif.len());
                let end = start.saturating_add(length as usize).min(exif.len());
                edits.wipes.push(start..end);
            }
        }
        edits.wipes.retain(|range| range.start < range.end);
        // Backwards, so that wiping the end does not move what comes before.
        edits
            .wipes
            .sort_by_key(|range| std::cmp::Reverse(range.end));
        // A damaged block must not lose its own directory.
        let kept = link + 4;
        if edits.wipes.iter().any(|range| range.start < kept) {
            edits.wipes.clear();
        }
    }
    Some(edits)
}

/// A value in the byte order of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub tag: u16,
    /// The type, as TIFF numbers it.
    pub kind: u16,
    pub data: Vec<u8>,
}

/// The fields that describe a photograph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directories {
    pub main: Vec<Field>,
    pub photo: Vec<Field>,
    pub gps: Vec<Field>,
    /// There is a further picture.
    pub has_next: bool,
}

impl Directories {
    /// Of a TIFF file or an Exif block; empty if it is damaged.
    pub fn parse_tiff(bytes: &[u8]) -> Self {
        Self::parse(bytes).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let block = Block::new(bytes)?;
        let (entries, link) = block.entries(block.main_directory()?)?;
        let fields = |entries: &[Entry], keep: &dyn Fn(u16) -> bool| -> Vec<Field> {
            let entries = entries.iter().filter(|entry| keep(entry.tag));
            entries.map(|entry| block.field(entry)).collect()
        };
        let photo = block.sub_directory(&entries, tag::EXIF);
        let gps = block.sub_directory(&entries, tag::GPS);
        Some(Self {
            main: fields(&entries, &|tag| DESCRIPTIVE.contains(&tag)),
            // A pointer would point to nowhere.
            photo: fields(&photo, &|tag| tag != tag::INTEROPERABILITY),
            gps: fields(&gps, &|_| true),
            has_next: block.u32(link).is_some_and(|next| next != 0),
        })
    }

    /// As an Exif block; `None` if there is nothing to say.
    pub fn to_exif(&self) -> Option<Vec<u8>> {
        if self.main.is_empty() && self.photo.is_empty() && self.gps.is_empty() {
            return None;
        }
        let mut block = if cfg!(target_endian = "big") {
            b"MM\0\x2A\0\0\0\0".to_vec()
        } else {
            b"II\x2A\0\0\0\0\0".to_vec()
        };
        let mut main = self.main.clone();
        for (tag, fields) in [(tag::EXIF, &self.photo), (tag::GPS, &self.gps)] {
            if !fields.is_empty() {
                let at = append_directory(&mut block, fields);
                main.push(Field {
                    tag,
                    kind: 4,
                    data: at.to_ne_bytes().to_vec(),
                });
            }
        }
        let at = append_directory(&mut block, &main);
        block[4..8].copy_from_slice(&at.to_ne_bytes());
        Some(block)
    }

    pub fn density(&self) -> Option<Density> {
        let find = |tag| self.main.iter().find(|field| field.tag == tag);
        let rational = |tag| {
            let field = find(tag).filter(|field| field.kind == 5)?;
            let part = |i: usize| {
                Some(u32::from_ne_bytes(
                    field.data.get(i..i + 4)?.try_into().ok()?,
                ))
            };
            Some(f64::from(part(0)?) / f64::from(part(4)?))
        };
        let unit = find(tag::RESOLUTION_UNIT)
            .filter(|field| field.kind == 3)
            .and_then(|field| Some(u16::from_ne_bytes(field.data.get(..2)?.try_into().ok()?)));
        let density = Density {
            x: rational(tag::X_RESOLUTION)?,
            y: rational(tag::Y_RESOLUTION)?,
            unit: match unit {
                Some(1) => DensityUnit::Aspect,
                Some(3) => DensityUnit::Centimetre,
                // Inches, also where nothing is said.
                _ => DensityUnit::Inch,
            },
        };
        (density.is_telling() && density.x.is_finite() && density.y.is_finite()).then_some(density)
    }
}

/// Adds a directory and its values; returns where it begins.
fn append_directory(block: &mut Vec<u8>, fields: &[Field]) -> u32 {
    let mut fields: Vec<&Field> = fields.iter().collect();
    fields.sort_by_key(|field| field.tag);
    fields.dedup_by_key(|field| field.tag);
    let mut entries = Vec::new();
    entries.extend((fields.len() as u16).to_ne_bytes());
    for field in fields {
        let count = field.data.len() / size_of_kind(field.kind).unwrap_or(1);
        entries.extend(field.tag.to_ne_bytes());
        entries.extend(field.kind.to_ne_bytes());
        entries.extend((count as u32).to_ne_bytes());
        if field.data.len() <= 4 {
            entries.extend(&field.data);
            entries.resize(entries.len() + 4 - field.data.len(), 0);
        } else {
            entries.extend((block.len() as u32).to_ne_bytes());
            block.extend(&field.data);
            // Values and directories begin at even positions.
            block.resize(block.len().next_multiple_of(2), 0);
        }
    }
    entries.extend([0; 4]);
    let at = block.len() as u32;
    block.extend(entries);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: u16, kind: u16, data: &[u8]) -> Field {
        Field {
            tag,
            kind,
            data: data.to_vec(),
        }
    }

    fn camera() -> Directories {
        let (x, y) = (4000u32.to_ne_bytes(), 3000u32.to_ne_bytes());
        let resolution = [300u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat();
        Directories {
            main: vec![
                field(0x010F, 2, b"Maker of cameras\0"),
                field(tag::X_RESOLUTION, 5, &resolution),
                field(tag::Y_RESOLUTION, 5, &resolution),
                field(tag::RESOLUTION_UNIT, 3, &2u16.to_ne_bytes()),
            ],
            photo: vec![
                field(0x9003, 2, b"2024:02:29 12:00:00\0"),
                field(tag::PIXEL_X_DIMENSION, 4, &x),
                field(tag::PIXEL_Y_DIMENSION, 4, &y),
            ],
            gps: vec![field(0, 1, &[2, 3, 0, 0])],
            has_next: false,
        }
    }

    /// `camera`, turned, with a thumbnail behind it, as a block.
    fn with_thumbnail() -> Vec<u8> {
        let mut directories = camera();
        directories
            .main
            .push(field(tag::ORIENTATION, 3, &6u16.to_ne_bytes()));
        let mut block = directories.to_exif().unwrap();
        let link = block.len() - 4;
        let picture = block.len();
        block.extend(b"the old picture!");
        let fields = [
            field(tag::THUMBNAIL, 4, &(picture as u32).to_ne_bytes()),
            field(tag::THUMBNAIL_LENGTH, 4, &16u32.to_ne_bytes()),
        ];
        let next = append_directory(&mut block, &fields);
        block[link..link + 4].copy_from_slice(&next.to_ne_bytes());
        block
    }

    #[test]
    fn fields_survive_a_round_trip() {
        let block = camera().to_exif().unwrap();
        assert_eq!(Directories::parse_tiff(&block), camera());
        let density = camera().density().unwrap();
        assert_eq!((density.x, density.unit), (300.0, DensityUnit::Inch));
        assert_eq!(Directories::default().to_exif(), None);
    }

    #[test]
    fn upright_means_orientation_one_swapped_sides_and_no_thumbnail() {
        let mut block = with_thumbnail();
        let before = Orientation::from_exif_chunk(&block);
        assert_eq!(before, Some(Orientation::Rotate90));
        assert!(Directories::parse_tiff(&block).has_next);
        make_upright(&mut block, Orientation::Rotate90);
        let after = Orientation::from_exif_chunk(&block);
        assert_eq!(after, Some(Orientation::NoTransforms));
        assert!(!block.windows(7).any(|window| window == b"picture"));
        let directories = Directories::parse_tiff(&block);
        assert!(!directories.has_next);
        assert_eq!(directories.photo[1].data, 3000u32.to_ne_bytes());
        assert_eq!(directories.photo[2].data, 4000u32.to_ne_bytes());
        assert_eq!(directories.main, camera().main);
    }

    #[test]
    fn damaged_blocks_do_no_harm() {
        let block = with_thumbnail();
        for end in 0..block.len() {
            let mut cut = block[..end].to_vec();
            make_upright(&mut cut, Orientation::Rotate90);
            let _ = Directories::parse_tiff(&cut);
        }
        for at in 0..block.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut changed = block.clone();
                changed[at] = byte;
                let _ = Directories::parse_tiff(&changed).to_exif();
                make_upright(&mut changed, Orientation::Rotate90);
            }
        }
    }
}
