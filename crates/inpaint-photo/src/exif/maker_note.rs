//! Makers' notes, as far as they say where a preview is.
//!
//! Most are directories like Exif's own, behind a head of a few bytes, and count from the start of
//! the block, of the note, or of a header of its own in the note. Which of it is tried rather than
//! looked up by the maker: the place that has to be forgotten is known.

use super::block::{Block, POINTER};
use std::cell::Cell;
use std::ops::Range;

/// Where the directory may begin, from the start of the note.
const HEADS: [usize; 9] = [0, 6, 8, 10, 12, 14, 16, 18, 20];
/// Where places may be counted from, from the start of the note; the start of the block is a
/// further one.
const BASES: [usize; 3] = [0, 10, 12];
const MAX_ENTRIES: usize = 512;
const MAX_DEPTH: usize = 2;
/// Most directories that are looked at in all, for a note made to take up time.
const MAX_DIRECTORIES: u32 = 2048;

/// Overwrites the place and the length of pictures that are gone, so that nobody looks for them.
pub(super) fn forget_pictures(
    block: &Block,
    note: Range<usize>,
    pictures: &[Range<usize>],
) -> Vec<(usize, Vec<u8>)> {
    let mut writes = Vec::new();
    if pictures.is_empty() {
        return writes;
    }
    let left = Cell::new(MAX_DIRECTORIES);
    let bases = BASES.map(|base| note.start + base);
    for block in [block, &block.reversed()] {
        for base in [&[0], &bases[..]].concat() {
            for head in HEADS {
                let search = Search {
                    block,
                    base,
                    pictures,
                    left: &left,
                };
                search.directory(note.start + head, 0, &mut writes);
            }
        }
    }
    writes
}

struct Search<'a> {
    block: &'a Block<'a>,
    base: usize,
    pictures: &'a [Range<usize>],
    left: &'a Cell<u32>,
}

impl Search<'_> {
    fn directory(&self, at: usize, depth: usize, writes: &mut Vec<(usize, Vec<u8>)>) {
        let Some(entries) = self.entries(at) else {
            return;
        };
        for (i, &(at, kind, count)) in entries.iter().enumerate() {
            let Some(value) = self.block.u32(at + 8).map(|value| value as usize) else {
                return;
            };
            let place = self.base.saturating_add(value);
            let is_number = count == 1 && matches!(kind, 4 | 9 | POINTER);
            if is_number && self.pictures.iter().any(|picture| picture.start == place) {
                writes.push((at + 8, vec![0; 4]));
                // The length is the next entry.
                if let Some(&(at, 3 | 4 | 9, 1)) = entries.get(i + 1) {
                    writes.push((at + 8, vec![0; 4]));
                }
            } else if depth < MAX_DEPTH && (is_number || kind == 7 && count > 12) {
                self.directory(place, depth + 1, writes);
            }
        }
    }

    /// Place, type and count of every entry, if it looks like a directory.
    fn entries(&self, at: usize) -> Option<Vec<(usize, u16, u32)>> {
        let count = usize::from(self.block.u16(at)?);
        if !(1..=MAX_ENTRIES).contains(&count) {
            return None;
        }
        self.left.set(self.left.get().checked_sub(1)?);
        let entry = |i: usize| {
            let at = at + 2 + 12 * i;
            let kind = self
                .block
                .u16(at + 2)
                .filter(|kind| (1..=13).contains(kind))?;
            // The value has to lie in the block, too.
            self.block.u32(at + 8)?;
            Some((at, kind, self.block.u32(at + 4)?))
        };
        (0..count).map(entry).collect()
    }
}
