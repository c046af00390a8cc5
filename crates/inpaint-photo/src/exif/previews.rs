//! Taking the previews out of an Exif block: they would still show what was removed.
//!
//! A preview is a directory behind the main one or below it, with all that it points to, or a
//! whole file inside a value, above all inside the maker's note. Whatever is no preview keeps its
//! bytes and its place, because notes point to places in the block.

use super::block::{Block, Entry};
use super::{Writes, maker_note, tag};
use crate::pictures;
use std::ops::Range;

/// Most directories that are followed; a block made for it may have circles.
const MAX_DIRECTORIES: usize = 32;

/// Takes out every preview. Returns whether the block could be read; one that cannot is not to be
/// kept, for nobody knows what is in it.
pub(crate) fn remove_previews(exif: &mut Vec<u8>) -> bool {
    // Some writers of WebP files keep the head that belongs to JPEG.
    if exif.starts_with(b"Exif\0\0") {
        exif.drain(..6);
    }
    let Some(edits) = edits(exif) else {
        return false;
    };
    for range in edits.wipes {
        exif[range].fill(0);
    }
    for (at, bytes) in edits.writes {
        exif[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    exif.truncate(edits.length);
    true
}

struct Edits {
    wipes: Vec<Range<usize>>,
    writes: Writes,
    /// Of the block, without wiped bytes at its end.
    length: usize,
}

fn edits(exif: &[u8]) -> Option<Edits> {
    let block = Block::new(exif)?;
    let main_at = block.main_directory()?;
    let (main, link) = block.entries(main_at)?;
    exif.get(main_at..link + 4)?;
    let photo = block.sub_directory(&main, tag::EXIF);
    let kept = [
        &main,
        &photo,
        &block.sub_directory(&main, tag::GPS),
        &block.sub_directory(&photo, tag::INTEROPERABILITY),
    ];
    let tables = tables(&block, &main, main_at, &photo);
    let mut wipes = Vec::new();
    // What further directories claim for themselves may be the main one's in a damaged block.
    let values = kept.iter().flat_map(|entries| entries.iter());
    let values: Vec<Range<usize>> = (values.filter(|entry| !is_of_picture(entry)))
        .map(|entry| entry.value.clone())
        .chain(tables.iter().cloned())
        .collect();
    for range in further_directories(&block, &main, link, exif.len()) {
        subtract(range, &values, &mut wipes);
    }
    let found = pictures_in(exif, &kept);
    for range in &found {
        subtract(range.clone(), &tables, &mut wipes);
    }
    let note = photo.iter().find(|entry| entry.tag == tag::MAKER_NOTE);
    let mut writes = note.map_or_else(Vec::new, |note| {
        maker_note::forget_pictures(&block, note.value.clone(), &found)
    });
    writes.push((
        main_at,
        without_pictures(exif, &block, &main, main_at, link),
    ));
    let end = values.iter().map(|range| range.end).max().unwrap_or(0);
    let is_last = |range: &&Range<usize>| range.end == exif.len();
    let length = wipes
        .iter()
        .find(is_last)
        .map_or(exif.len(), |r| r.start.max(end));
    Some(Edits {
        wipes,
        writes,
        length,
    })
}

/// The main directory without the entries that point to pictures, and without a next one.
fn without_pictures(exif: &[u8], block: &Block, main: &[Entry], at: usize, link: usize) -> Vec<u8> {
    let gone: Vec<usize> = main
        .iter()
        .filter(|e| is_of_picture(e))
        .map(|e| e.at)
        .collect();
    let entries = (at + 2..link).step_by(12).filter(|at| !gone.contains(at));
    let entries: Vec<u8> = entries.flat_map(|at| exif[at..at + 12].to_vec()).collect();
    let count = (entries.len() / 12) as u16;
    let count = if block.is_big_endian {
        count.to_be_bytes()
    } else {
        count.to_le_bytes()
    };
    let mut table = [&count[..], &entries].concat();
    table.resize(link + 4 - at, 0);
    table
}

/// Whether an entry says where a picture is.
fn is_of_picture(entry: &Entry) -> bool {
    let of_picture = tag::PICTURES
        .iter()
        .any(|(at, length)| [*at, *length].contains(&entry.tag));
    of_picture || entry.tag == tag::SUB_DIRECTORIES
}

/// Where the directories themselves lie that are kept.
fn tables(block: &Block, main: &[Entry], main_at: usize, photo: &[Entry]) -> Vec<Range<usize>> {
    let pointers = [
        (main, tag::EXIF),
        (main, tag::GPS),
        (photo, tag::INTEROPERABILITY),
    ];
    let below = pointers.into_iter().filter_map(|(entries, tag)| {
        let entry = entries.iter().find(|entry| entry.tag == tag)?;
        Some(block.number(entry)? as usize)
    });
    let mut tables: Vec<Range<usize>> = below
        .chain([main_at])
        .filter_map(|at| Some(at..at + 2 + 12 * usize::from(block.u16(at)?) + 4))
        .collect();
    tables.push(0..8);
    tables
}

/// Everything that belongs to directories behind or below the main one, and the pictures that the
/// main one points to.
fn further_directories(
    block: &Block,
    main: &[Entry],
    link: usize,
    length: usize,
) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut pending = vec![block.u32(link).unwrap_or(0) as usize];
    add_pictures(block, main, length, &mut ranges, &mut pending);
    let mut seen = vec![0];
    while let Some(at) = pending.pop() {
        if seen.contains(&at) || seen.len() > MAX_DIRECTORIES {
            continue;
        }
        seen.push(at);
        let Some((entries, link)) = block.entries(at) else {
            continue;
        };
        ranges.push(at..(link + 4).min(length));
        ranges.extend(entries.iter().map(|entry| entry.value.clone()));
        add_pictures(block, &entries, length, &mut ranges, &mut pending);
        pending.push(block.u32(link).unwrap_or(0) as usize);
    }
    ranges.retain(|range| range.start < range.end);
    ranges
}

/// The pictures of a directory, and the directories below it.
fn add_pictures(
    block: &Block,
    entries: &[Entry],
    length: usize,
    ranges: &mut Vec<Range<usize>>,
    pending: &mut Vec<usize>,
) {
    let numbers = |tag| {
        let entry = entries.iter().find(|entry| entry.tag == tag);
        entry.map_or_else(Vec::new, |entry| block.numbers(entry))
    };
    for (places, lengths) in tag::PICTURES {
        let lengths = numbers(lengths);
        for (i, start) in numbers(places).into_iter().enumerate() {
            // To the end if nobody knows how much.
            let long = lengths.get(i).copied().unwrap_or(length);
            let start = start.min(length);
            ranges.push(start..start.saturating_add(long).min(length));
        }
    }
    pending.extend(numbers(tag::SUB_DIRECTORIES));
}

/// Whole files inside the block. One without an end ends with the value that it is in.
fn pictures_in(exif: &[u8], directories: &[&Vec<Entry>]) -> Vec<Range<usize>> {
    let mut found = pictures::find(exif);
    for picture in &mut found {
        let values = directories.iter().flat_map(|entries| entries.iter());
        let values = values
            .map(|entry| &entry.value)
            .filter(|v| v.contains(&picture.start));
        if picture.end == exif.len()
            && let Some(end) = values.map(|value| value.end).min()
        {
            picture.end = end;
        }
    }
    found
}

/// Adds what is left of `range` without `others`.
fn subtract(range: Range<usize>, others: &[Range<usize>], left: &mut Vec<Range<usize>>) {
    let mut parts = vec![range];
    for other in others {
        parts = (parts.into_iter())
            .flat_map(|part| {
                [
                    part.start..part.end.min(other.start),
                    part.start.max(other.end)..part.end,
                ]
            })
            .filter(|part| part.start < part.end)
            .collect();
    }
    left.extend(parts);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{camera, field, with_thumbnail};
    use super::super::{Directories, Field, append_directory};
    use super::*;
    use crate::pictures::tests::preview;
    use image::ImageFormat;

    /// The camera's block with `note` as the maker's note, and where that begins.
    fn with_note(note: impl Fn(usize) -> Vec<u8>) -> (Vec<u8>, usize) {
        let block = |note: Vec<u8>| {
            let mut directories = camera();
            directories.photo.push(field(tag::MAKER_NOTE, 7, &note));
            directories.to_exif().unwrap()
        };
        let length = note(0).len();
        let place = block(vec![0xA5; length]);
        let place = place
            .windows(length)
            .position(|w| w.iter().all(|&b| b == 0xA5))
            .unwrap();
        (block(note(place)), place)
    }

    fn directory(fields: &[Field], before: &[u8]) -> Vec<u8> {
        let mut bytes = before.to_vec();
        append_directory(&mut bytes, fields);
        bytes
    }

    fn number(tag: u16, value: usize) -> Field {
        field(tag, 4, &(value as u32).to_ne_bytes())
    }

    /// A note as Olympus and Minolta wrote them: a directory that counts from the block's start,
    /// with a preview behind it. `altered` is what Minolta made of the preview's first byte.
    fn plain_note(place: usize, altered: Option<u8>) -> Vec<u8> {
        let mut picture = preview(ImageFormat::Jpeg);
        let length = picture.len();
        picture[0] = altered.unwrap_or(0xFF);
        let fields = |at| {
            let quality = field(0x0001, 4, &7u32.to_ne_bytes());
            [
                quality,
                number(0x0088, at),
                number(0x0089, length),
                number(0x0100, 99),
            ]
        };
        let size = directory(&fields(0), b"").len();
        [
            directory(&fields(place + size), b""),
            picture,
            b"behind it".to_vec(),
        ]
        .concat()
    }

    #[test]
    fn previews_in_notes_go_and_the_rest_of_the_note_stays() {
        for altered in [None, Some(2)] {
            let (mut block, place) = with_note(|place| plain_note(place, altered));
            let before = block.clone();
            assert!(remove_previews(&mut block));
            assert!(!pictures::is_any(&block));
            assert_eq!(block.len(), before.len());
            let note = &block[place..];
            let entry = |i: usize| &note[2 + 12 * i + 8..2 + 12 * (i + 1)];
            assert_eq!(entry(0), 7u32.to_ne_bytes());
            // No place, no length, for there is nothing.
            assert_eq!([entry(1), entry(2)], [[0; 4]; 2]);
            assert_eq!(entry(3), 99u32.to_ne_bytes());
            assert!(block.windows(9).any(|w| w == b"behind it"));
            assert_eq!(block[..place], before[..place]);
        }
    }

    #[test]
    fn nikons_previews_are_found_in_the_directory_below_their_own_header() {
        let picture = preview(ImageFormat::Jpeg);
        let (mut block, place) = with_note(|_| {
            let order = if cfg!(target_endian = "big") {
                b"MM\0\x2A"
            } else {
                b"II\x2A\0"
            };
            let below = |at| [number(0x0201, at), number(0x0202, picture.len())];
            let size = 2 + 2 * 12 + 4;
            let main = directory(&[number(0x0011, 26), number(0x0012, 5)], b"");
            assert_eq!(main.len(), size + 2 - 2);
            let below = directory(&below(8 + main.len() + size), b"");
            let first = 8u32.to_ne_bytes();
            // The first directory is behind the header of 8 bytes, the next one behind that.
            let mut note = [&b"Nikon\0\x02\x10\0\0"[..], order, &first, &main, &below].concat();
            let at = note.len() - below.len() - 10;
            note[20 + 8..20 + 12].copy_from_slice(&(at as u32).to_ne_bytes());
            [note, picture.clone()].concat()
        });
        assert!(pictures::is_any(&block));
        assert!(remove_previews(&mut block));
        assert!(!pictures::is_any(&block));
        let below = place + 10 + 8 + 30;
        for i in 0..2 {
            let value = below + 2 + 12 * i + 8;
            assert_eq!(block[value..value + 4], [0; 4], "{i}");
        }
        assert!(block[place..].starts_with(b"Nikon"));
    }

    #[test]
    fn plain_samples_and_directories_below_go_wherever_they_lie() {
        // The samples before all directories, and a directory below the main one.
        let mut block = b"II\x2A\0\0\0\0\0".to_vec();
        if cfg!(target_endian = "big") {
            block[..4].copy_from_slice(b"MM\0\x2A");
        }
        let samples = block.len();
        block.extend([0xE7; 48]);
        let strips = [number(0x0111, samples), number(0x0117, 48)];
        let below = append_directory(&mut block, &strips);
        let more = block.len();
        block.extend([0xE6; 48]);
        let own = [
            field(0x010F, 2, b"Maker of cameras\0"),
            number(0x0111, more),
            number(0x0117, 48),
            field(0x014A, 4, &below.to_ne_bytes()),
        ];
        let main = append_directory(&mut block, &own);
        block[4..8].copy_from_slice(&main.to_ne_bytes());
        assert!(remove_previews(&mut block));
        assert!(!block.contains(&0xE7) && !block.contains(&0xE6));
        let left = Directories::parse_tiff(&block);
        assert_eq!(left.main, [field(0x010F, 2, b"Maker of cameras\0")]);
        assert!(!left.has_next);
    }

    #[test]
    fn what_cannot_be_read_is_not_to_be_kept() {
        assert!(!remove_previews(&mut b"no Exif block at all".to_vec()));
        assert!(!remove_previews(&mut with_thumbnail()[..6].to_vec()));
        let mut within_the_header = b"MM\0\x2A\0\0\0\x05\0\0\0\0\0\0\0\0\0".to_vec();
        assert!(!remove_previews(&mut within_the_header));
        let mut twice = with_thumbnail();
        assert!(remove_previews(&mut twice));
        let once = twice.clone();
        assert!(remove_previews(&mut twice));
        assert_eq!(once, twice);
    }
}
