//! Event files for TensorBoard: scalars of a run, as TensorFlow records of protocol buffers.
//!
//! The format is small and frozen, so it is written out here: a record is the length, its
//! checksum, the bytes, and their checksum; the bytes are an `Event` message (fields `wall_time`
//! = 1, `step` = 2, `file_version` = 3, `summary` = 5) whose summary holds `Value`s (`tag` = 1,
//! `simple_value` = 2).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file that grows.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Starts a new file in `folder`; TensorBoard joins the files of one folder.
    ///
    /// # Errors
    ///
    /// If the file cannot be created.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let now = since_epoch();
        // A run that is resumed at once must not meet its own file.
        let (file, _) = (0..1000)
            .find_map(|attempt| {
                let seconds = now as u64;
                let name = format!("events.out.tfevents.{seconds}.tmad.{attempt}");
                let file = File::options()
                    .write(true)
                    .create_new(true)
                    .open(folder.join(name));
                match file {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                    file => Some(file.map(|file| (file, attempt))),
                }
            })
            .unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
        let mut events = Self { file };
        let mut event = Vec::new();
        field_double(&mut event, 1, now);
        field_bytes(&mut event, 3, b"brain.Event:2");
        events.record(&event)?;
        Ok(events)
    }

    /// Adds scalars of one step.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut message = Vec::new();
            field_bytes(&mut message, 1, tag.as_bytes());
            message.push(2 << 3 | 5);
            message.extend((value as f32).to_le_bytes());
            field_bytes(&mut summary, 1, &message);
        }
        let mut event = Vec::new();
        field_double(&mut event, 1, since_epoch());
        event.push(2 << 3);
        varint(&mut event, step);
        field_bytes(&mut event, 5, &summary);
        self.record(&event)
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_checksum(&length).to_le_bytes());
        record.extend(bytes);
        record.extend(masked_checksum(bytes).to_le_bytes());
        // At once, so that a killed run leaves whole records behind.
        self.file.write_all(&record)
    }
}

fn since_epoch() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |duration| duration.as_secs_f64())
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field_double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn field_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// CRC-32C, rotated and shifted as TensorFlow does.
fn masked_checksum(bytes: &[u8]) -> u32 {
    let crc = crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli), bit by bit: records are a few hundred bytes every few seconds.
fn crc32c(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let reduce = if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            crc >> 1 ^ reduce
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn numbers_are_split_into_groups_of_seven_bits() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xAC, 0x02]);
    }

    /// Walks over the records as a reader does.
    #[test]
    fn a_file_is_made_of_whole_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path()).unwrap();
        events
            .scalars(7, [("loss/total", 0.5), ("rate", 1e-4)])
            .unwrap();
        let again = EventFile::create(folder.path()).unwrap();
        drop((events, again));
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 2);
        let bytes = std::fs::read(&files[0]).unwrap();
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let body = &rest[12..12 + length];
            let sum = u32::from_le_bytes(rest[12 + length..16 + length].try_into().unwrap());
            assert_eq!(sum, masked_checksum(body));
            records.push(body.to_vec());
            rest = &rest[16 + length..];
        }
        assert_eq!(records.len(), 2);
        let holds = |record: &[u8], part: &[u8]| record.windows(part.len()).any(|w| w == part);
        assert!(holds(&records[0], b"brain.Event:2"));
        assert!(holds(&records[1], b"loss/total") && holds(&records[1], &0.5f32.to_le_bytes()));
        assert_eq!(records[1][9..11], [2 << 3, 7], "the step");
    }
}
