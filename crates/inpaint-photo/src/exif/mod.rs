//! Exif blocks: TIFF directories with what the camera noted.
//!
//! A block from a JPEG, PNG or WebP file is changed in place, so that whatever it points to stays
//! where it is. Between TIFF files, which have no such block, and the others, the fields are
//! copied one by one.
//!
//! Sources: TIFF 6.0; Exif 2.32 (CIPA DC-008).

mod block;
mod maker_note;
mod previews;

use crate::metadata::{Density, DensityUnit};
use crate::pictures;
use block::{Block, Entry, POINTER, size_of_kind};
use image::metadata::Orientation;
pub(crate) use previews::remove_previews;
use std::cell::Cell;
use std::ops::Range;

/// Tags that matter here.
mod tag {
    pub const ORIENTATION: u16 = 0x0112;
    pub const X_RESOLUTION: u16 = 0x011A;
    pub const Y_RESOLUTION: u16 = 0x011B;
    pub const RESOLUTION_UNIT: u16 = 0x0128;
    pub const SUB_DIRECTORIES: u16 = 0x014A;
    /// Where pictures lie, and how long they are: strips, tiles, JPEG files.
    pub const PICTURES: [(u16, u16); 3] = [(0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202)];
    pub const EXIF: u16 = 0x8769;
    pub const GPS: u16 = 0x8825;
    pub const MAKER_NOTE: u16 = 0x927C;
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

/// Tags of TIFF files alone that are kept: names of document and page, the place on the page,
/// colours of the samples, and the smallest and largest sample.
const OF_TIFF: [u16; 10] = [
    0x010D, 0x0118, 0x0119, 0x011D, 0x011E, 0x011F, 0x013E, 0x013F, 0x0154, 0x0155,
];
/// Where a picture lies on earth: scale, tie points, matrices, and keys with their values.
pub(crate) const GEOGRAPHIC: [u16; 7] = [33550, 33920, 33922, 34264, 34735, 34736, 34737];
/// Private tags from here on.
const PRIVATE: u16 = 32768;
/// Private tags that have a place of their own: IPTC, Photoshop, Exif, profile, GPS.
const PLACED: [u16; 5] = [33723, 34377, tag::EXIF, 34675, tag::GPS];
/// Longest private value that is kept without being understood.
const MAX_PRIVATE: usize = 1 << 16;

/// Makes an Exif block say that its picture is to be turned by `orientation`, and exchanges width
/// and height if the picture's sides changed places.
pub(crate) fn turn(exif: &mut [u8], orientation: Orientation, are_sides_swapped: bool) {
    for (at, bytes) in turns(exif, orientation, are_sides_swapped).unwrap_or_default() {
        exif[at..at + bytes.len()].copy_from_slice(&bytes);
    }
}

/// Where a TIFF file holds the value of a tag of its first picture.
pub(crate) fn tiff_value(file: &[u8], tag: u16) -> Option<Range<usize>> {
    Some(tiff_entry(&Block::of_file(file)?, tag)?.value)
}

/// The whole numbers of a tag of a TIFF file's first picture.
pub(crate) fn tiff_numbers(file: &[u8], tag: u16) -> Vec<usize> {
    let numbers =
        Block::of_file(file).and_then(|block| Some(block.numbers(&tiff_entry(&block, tag)?)));
    numbers.unwrap_or_default()
}

fn tiff_entry(block: &Block, tag: u16) -> Option<Entry> {
    let (entries, _) = block.entries(block.main_directory()?)?;
    entries.into_iter().find(|entry| entry.tag == tag)
}

/// A block that holds an orientation and nothing else.
pub(crate) fn orientation_only(orientation: Orientation) -> Option<Vec<u8>> {
    let orientation = u16::from(orientation.to_exif());
    let directories = Directories {
        main: vec![Field {
            tag: tag::ORIENTATION,
            kind: 3,
            data: orientation.to_ne_bytes().to_vec(),
        }],
        ..Directories::default()
    };
    directories.to_exif()
}

/// Places and their new bytes.
type Writes = Vec<(usize, Vec<u8>)>;

fn turns(exif: &[u8], orientation: Orientation, are_sides_swapped: bool) -> Option<Writes> {
    let block = Block::new(exif)?;
    let mut writes = Writes::new();
    let (main, _) = block.entries(block.main_directory()?)?;
    let is_orientation = |e: &&Entry| e.tag == tag::ORIENTATION && (e.kind, e.count) == (3, 1);
    for entry in main.iter().filter(is_orientation) {
        let value = u16::from(orientation.to_exif());
        let value = if block.is_big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        writes.push((entry.value.start, value.to_vec()));
    }
    if are_sides_swapped {
        let photo = block.sub_directory(&main, tag::EXIF);
        let find = |tag| photo.iter().find(|entry| entry.tag == tag);
        if let (Some(x), Some(y)) = (find(tag::PIXEL_X_DIMENSION), find(tag::PIXEL_Y_DIMENSION))
            && (x.kind, x.count) == (y.kind, y.count)
        {
            let value = |entry: &Entry| exif[entry.value.clone()].to_vec();
            writes.push((x.value.start, value(y)));
            writes.push((y.value.start, value(x)));
        }
    }
    Some(writes)
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
    /// What only TIFF files have: where the picture lies on earth, what its values mean, and
    /// private tags.
    pub own: Vec<Field>,
    /// Private tags that are not kept.
    pub lost: Vec<u16>,
    /// There is a further picture.
    pub has_next: bool,
}

impl Directories {
    /// Of a TIFF file or an Exif block; empty if it is damaged.
    pub fn parse_tiff(bytes: &[u8]) -> Self {
        Self::parse(bytes).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let block = Block::of_file(bytes)?;
        let (entries, link) = block.entries(block.main_directory()?)?;
        // Entries of a hostile file may all hold the same large value.
        let room = Cell::new(bytes.len());
        let fields = |entries: &[Entry], keep: &dyn Fn(u16) -> bool| -> Vec<Field> {
            let has_room = |entry: &&Entry| {
                let left = room.get().checked_sub(entry.value.len());
                left.inspect(|&left| room.set(left)).is_some()
            };
            // Pointers would point to nowhere, and numbers of 64 bits are BigTIFF's alone.
            let entries = (entries.iter()).filter(|e| keep(e.tag) && e.kind < POINTER);
            (entries.filter(has_room))
                .map(|entry| block.field(entry))
                .collect()
        };
        let photo = block.sub_directory(&entries, tag::EXIF);
        let gps = block.sub_directory(&entries, tag::GPS);
        let is_private = |entry: &&Entry| {
            let tag = entry.tag;
            tag >= PRIVATE
                && ![&PLACED[..], &GEOGRAPHIC, &DESCRIPTIVE]
                    .concat()
                    .contains(&tag)
        };
        // A single number of 32 bits may be a place in the file, which will be another one.
        let may_point = |entry: &Entry| matches!(entry.kind, 4 | 9 | POINTER..);
        let is_kept = |entry: &Entry| {
            let value = &bytes[entry.value.clone()];
            value.len() <= MAX_PRIVATE && !may_point(entry) && !pictures::is_any(value)
        };
        let private: Vec<&Entry> = entries.iter().filter(is_private).collect();
        let kept: Vec<u16> = private
            .iter()
            .filter(|e| is_kept(e))
            .map(|e| e.tag)
            .collect();
        let lost = private
            .iter()
            .map(|entry| entry.tag)
            .filter(|tag| !kept.contains(tag));
        let is_own =
            |tag| OF_TIFF.contains(&tag) || GEOGRAPHIC.contains(&tag) || kept.contains(&tag);
        Some(Self {
            own: fields(&entries, &is_own),
            lost: lost.collect(),
            main: fields(&entries, &|tag| DESCRIPTIVE.contains(&tag)),
            photo: fields(&photo, &|tag| tag != tag::INTEROPERABILITY),
            gps: fields(&gps, &|_| true),
            has_next: block.position(link).is_some_and(|next| next != 0),
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

    pub(super) fn field(tag: u16, kind: u16, data: &[u8]) -> Field {
        Field {
            tag,
            kind,
            data: data.to_vec(),
        }
    }

    pub(super) fn camera() -> Directories {
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
            ..Directories::default()
        }
    }

    /// `camera`, turned, with a thumbnail behind it, as a block.
    pub(super) fn with_thumbnail() -> Vec<u8> {
        let mut directories = camera();
        directories
            .main
            .push(field(tag::ORIENTATION, 3, &6u16.to_ne_bytes()));
        let mut block = directories.to_exif().unwrap();
        let link = block.len() - 4;
        let picture = block.len();
        block.extend(b"the old picture!");
        let fields = [
            field(0x0201, 4, &(picture as u32).to_ne_bytes()),
            field(0x0202, 4, &16u32.to_ne_bytes()),
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
        assert!(remove_previews(&mut block));
        turn(&mut block, Orientation::NoTransforms, true);
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
            remove_previews(&mut cut);
            turn(&mut cut, Orientation::NoTransforms, true);
            let _ = Directories::parse_tiff(&cut);
        }
        for at in 0..block.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut changed = block.clone();
                changed[at] = byte;
                let _ = Directories::parse_tiff(&changed).to_exif();
                remove_previews(&mut changed);
                turn(&mut changed, Orientation::NoTransforms, true);
            }
        }
    }
}
