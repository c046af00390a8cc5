//! TIFF structures in memory: their directories, in both byte orders.

use super::Field;
use crate::pictures;
use std::ops::Range;

/// Type of values that are positions of directories.
pub(super) const POINTER: u16 = 13;

/// A TIFF structure in memory.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    pub is_big_endian: bool,
}

/// Where an entry of a directory lies.
pub(super) struct Entry {
    /// Where its 12 bytes begin.
    pub at: usize,
    pub tag: u16,
    pub kind: u16,
    pub count: u32,
    /// The value itself.
    pub value: Range<usize>,
}

impl<'a> Block<'a> {
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
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

    /// The same bytes read in the other order.
    pub fn reversed(&self) -> Self {
        Self {
            bytes: self.bytes,
            is_big_endian: !self.is_big_endian,
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

    pub fn main_directory(&self) -> Option<usize> {
        Some(self.u32(4)? as usize)
    }

    /// The readable entries of the directory at `at`, and where its link to the next one is.
    pub fn entries(&self, at: usize) -> Option<(Vec<Entry>, usize)> {
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
