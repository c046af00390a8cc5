//! TIFF structures in memory: their directories, in both byte orders, and BigTIFF's.
//!
//! Sources: TIFF 6.0; the BigTIFF design of libtiff (positions and counts of 64 bits).

use super::Field;
use crate::pictures;
use std::ops::Range;

/// Type of values that are positions of directories.
pub(super) const POINTER: u16 = 13;
/// BigTIFF's types of 64 bits: numbers without and with sign, and positions of directories.
const OF_64_BITS: std::ops::RangeInclusive<u16> = 16..=18;

/// A TIFF structure in memory.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    pub is_big_endian: bool,
    is_big_tiff: bool,
}

/// Where an entry of a directory lies.
pub(super) struct Entry {
    /// Where its bytes begin.
    pub at: usize,
    pub tag: u16,
    pub kind: u16,
    pub count: u32,
    /// The value itself.
    pub value: Range<usize>,
}

impl<'a> Block<'a> {
    /// Of an Exif block, which is never BigTIFF.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        Self::of_file(bytes).filter(|block| !block.is_big_tiff)
    }

    /// Of a TIFF file or an Exif block.
    pub fn of_file(bytes: &'a [u8]) -> Option<Self> {
        let (is_big_endian, is_big_tiff) = match bytes.get(..4)? {
            b"II\x2A\0" => (false, false),
            b"MM\0\x2A" => (true, false),
            b"II\x2B\0" => (false, true),
            b"MM\0\x2B" => (true, true),
            _ => return None,
        };
        Some(Self {
            bytes,
            is_big_endian,
            is_big_tiff,
        })
    }

    /// The same bytes read in the other order.
    pub fn reversed(&self) -> Self {
        Self {
            is_big_endian: !self.is_big_endian,
            ..*self
        }
    }

    pub fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    pub fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn u64(&self, at: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self.is_big_endian {
            u64::from_be_bytes(bytes)
        } else {
            u64::from_le_bytes(bytes)
        })
    }

    /// A place in the file, or a count, as wide as the file has them.
    pub fn position(&self, at: usize) -> Option<usize> {
        match self.is_big_tiff {
            true => usize::try_from(self.u64(at)?).ok(),
            false => Some(self.u32(at)? as usize),
        }
    }

    /// `None` if it lies in the header, which would change with it.
    pub fn main_directory(&self) -> Option<usize> {
        let (link, end) = if self.is_big_tiff { (8, 16) } else { (4, 8) };
        self.position(link).filter(|&at| at >= end)
    }

    /// The readable entries of the directory at `at`, and where its link to the next one is.
    pub fn entries(&self, at: usize) -> Option<(Vec<Entry>, usize)> {
        let (count, first, size) = match self.is_big_tiff {
            true => (self.position(at)?, at + 8, 20),
            false => (usize::from(self.u16(at)?), at + 2, 12),
        };
        let end = first.checked_add(count.checked_mul(size)?)?;
        let possible = count.min(self.bytes.len() / size);
        let entries = (0..possible).filter_map(|i| self.entry(first + i * size));
        Some((entries.collect(), end))
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let kind = self.u16(at + 2)?;
        let count = u32::try_from(self.position(at + 4)?).ok()?;
        let is_of_64_bits = self.is_big_tiff && OF_64_BITS.contains(&kind);
        let size = size_of_kind(kind).or(is_of_64_bits.then_some(8))?;
        let length = size.checked_mul(count as usize)?;
        let (room, inline) = match self.is_big_tiff {
            true => (8, at + 12),
            false => (4, at + 8),
        };
        let start = if length <= room {
            inline
        } else {
            self.position(inline)?
        };
        let value = start..start.checked_add(length)?;
        self.bytes.get(value.clone())?;
        Some(Entry {
            at,
            tag: self.u16(at)?,
            kind,
            count,
            value,
        })
    }

    /// The number that an entry holds, if it holds just one.
    pub fn number(&self, entry: &Entry) -> Option<u32> {
        match (entry.kind, entry.count) {
            (3, 1) => self.u16(entry.value.start).map(u32::from),
            (4 | POINTER, 1) => self.u32(entry.value.start),
            (16 | 18, 1) => u32::try_from(self.u64(entry.value.start)?).ok(),
            _ => None,
        }
    }

    /// All numbers that an entry holds; none if they are of another type.
    pub fn numbers(&self, entry: &Entry) -> Vec<usize> {
        let number = |i: usize| match entry.kind {
            3 => self.u16(entry.value.start + 2 * i).map(usize::from),
            4 | POINTER => self.u32(entry.value.start + 4 * i).map(|n| n as usize),
            _ => None,
        };
        (0..entry.count as usize).map_while(number).collect()
    }

    /// The entries of a directory that the entry `tag` points to.
    pub fn sub_directory(&self, entries: &[Entry], tag: u16) -> Vec<Entry> {
        let at = (entries.iter().find(|entry| entry.tag == tag))
            .and_then(|entry| self.number(entry))
            .and_then(|at| self.entries(at as usize));
        at.map(|(entries, _)| entries).unwrap_or_default()
    }

    pub fn field(&self, entry: &Entry) -> Field {
        let mut data = self.bytes[entry.value.clone()].to_vec();
        // Notes of the maker, and whatever else may hold a preview.
        pictures::blank(&mut data);
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
pub(super) fn size_of_kind(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | POINTER => 4,
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
