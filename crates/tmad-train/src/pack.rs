//! Pictures of a folder in one file, scaled down once, so that training does not decode thousands
//! of large photographs again and again.
//!
//! The file holds [`MAGIC`], the pictures one after the other, each as a JPEG or PNG file of its
//! own, the index as JSON, and a footer: where the index starts, how long it is, its checksum (all
//! little-endian), and the magic again. The footer comes last, so that a file that was cut off is
//! noticed when it is opened; every picture has a checksum of its own.

use crate::data::{DataError, list_pictures, resize_area};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// First and last bytes of the file.
pub const MAGIC: [u8; 8] = *b"TMADPIC1";
/// Offset, length and checksum of the index, and the magic.
const FOOTER_LEN: u64 = 8 + 8 + 4 + 8;
/// Pictures that are in memory at a time.
const CHUNK: usize = 64;

/// How pictures are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackOptions {
    /// Short side that larger pictures are scaled down to, in pixels.
    pub short_side: u32,
    /// How they are stored.
    pub format: PackFormat,
}

/// How a packed picture is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackFormat {
    /// With loss.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// Without loss, some five times as large.
    Png,
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Pictures in the file.
    pub num_pictures: usize,
    /// Length of the file.
    pub num_bytes: u64,
    /// Pictures that are left out because they are damaged.
    pub skipped: Vec<PathBuf>,
}

/// A picture's place in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Path below the packed folder.
    name: String,
    offset: u64,
    length: u64,
    crc32: u32,
}

/// Packs the pictures below `folder` (JPEG, PNG, WebP) into the file `output`, in the order of
/// their paths. `progress` hears how many of how many are done.
///
/// The file is written under another name and renamed, so that it is whole or not there.
///
/// # Errors
///
/// [`DataError`] if the folder cannot be read, holds no intact picture, or the file cannot be
/// written; [`DataError::Stopped`] once `stop` is set.
pub fn pack(
    folder: &Path,
    output: &Path,
    options: PackOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Packed, DataError> {
    let paths = list_pictures(folder)?;
    let mut name = output.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    let packed = write_pack(folder, &paths, &unfinished, options, stop, progress);
    let packed = packed.and_then(|packed| {
        std::fs::rename(&unfinished, output).map_err(|error| failed(output, error))?;
        Ok(packed)
    });
    if packed.is_err() {
        // The error says enough; there may be nothing to remove.
        let _ = std::fs::remove_file(&unfinished);
    }
    packed
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError::Pack {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn write_pack(
    folder: &Path,
    paths: &[PathBuf],
    output: &Path,
    options: PackOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Packed, DataError> {
    let failed = |error: std::io::Error| failed(output, error);
    let mut file = BufWriter::new(File::create(output).map_err(failed)?);
    file.write_all(&MAGIC).map_err(failed)?;
    let mut offset = MAGIC.len() as u64;
    let mut entries = Vec::with_capacity(paths.len());
    let mut skipped = Vec::new();
    for (chunk, paths_of_chunk) in paths.chunks(CHUNK).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(DataError::Stopped);
        }
        let encoded: Vec<_> = (paths_of_chunk.par_iter())
            .map(|path| encoded(path, options))
            .collect();
        for (path, bytes) in paths_of_chunk.iter().zip(encoded) {
            let Some(bytes) = bytes else {
                skipped.push(path.clone());
                continue;
            };
            file.write_all(&bytes).map_err(failed)?;
            let length = bytes.len() as u64;
            entries.push(Entry {
                name: name_below(folder, path),
                offset,
                length,
                crc32: crc32fast::hash(&bytes),
            });
            offset += length;
        }
        progress(
            (chunk * CHUNK + paths_of_chunk.len()).min(paths.len()),
            paths.len(),
        );
    }
    if entries.is_empty() {
        return Err(DataError::TooFew {
            path: folder.to_owned(),
            found: 0,
            needed: 1,
        });
    }
    let index = serde_json::to_vec(&entries).map_err(|error| failed(error.into()))?;
    let length = index.len() as u64;
    for part in [
        index.as_slice(),
        &offset.to_le_bytes(),
        &length.to_le_bytes(),
        &crc32fast::hash(&index).to_le_bytes(),
        &MAGIC,
    ] {
        file.write_all(part).map_err(failed)?;
    }
    let file = file.into_inner().map_err(|error| failed(error.into()))?;
    file.sync_all().map_err(failed)?;
    Ok(Packed {
        num_pictures: entries.len(),
        num_bytes: offset + length + FOOTER_LEN,
        skipped,
    })
}

/// With slashes on every system.
fn name_below(folder: &Path, path: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The picture scaled down and encoded; `None` if it is damaged.
fn encoded(path: &Path, options: PackOptions) -> Option<Vec<u8>> {
    let picture = image::open(path).ok()?.to_rgb8();
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    let picture = if short > options.short_side {
        let scaled = |side: u32| {
            let side = f64::from(side) * f64::from(options.short_side) / f64::from(short);
            side.round() as u32
        };
        let everything = (0.0, 0.0, f64::from(width), f64::from(height));
        resize_area(&picture, everything, scaled(width), scaled(height))
    } else {
        picture
    };
    let mut bytes = Cursor::new(Vec::new());
    match options.format {
        PackFormat::Jpeg { quality } => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
            picture.write_with_encoder(encoder)
        }
        PackFormat::Png => picture.write_to(&mut bytes, ImageFormat::Png),
    }
    .ok()?;
    Some(bytes.into_inner())
}

/// A file of pictures, open for reading from any thread.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    file: Mutex<File>,
    entries: Vec<Entry>,
}

impl Pack {
    /// Reads the index.
    ///
    /// # Errors
    ///
    /// [`DataError::Pack`] if this is no file of pictures, or it is damaged or cut off.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |reason: &dyn std::fmt::Display| failed(path, reason);
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        let mut magic = [0; MAGIC.len()];
        let is_pack = file.read_exact(&mut magic).is_ok() && magic == MAGIC;
        if !is_pack {
            return Err(failed(
                &"this is no file of packed pictures; give a folder, or a file that `tmad pack` wrote",
            ));
        }
        let damaged = "the file is damaged or cut off; pack the pictures again";
        let entries = read_index(&mut file)
            .map_err(|error| failed(&error))?
            .ok_or_else(|| failed(&damaged))?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            entries,
        })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// File and name of a picture, for messages.
    pub fn name(&self, index: usize) -> String {
        format!("{} in {}", self.entries[index].name, self.path.display())
    }

    /// Decodes a picture; `None` if it is damaged.
    pub fn read(&self, index: usize) -> Option<RgbImage> {
        let entry = &self.entries[index];
        let mut bytes = vec![0; usize::try_from(entry.length).ok()?];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(entry.offset)).ok()?;
            file.read_exact(&mut bytes).ok()?;
        }
        if crc32fast::hash(&bytes) != entry.crc32 {
            return None;
        }
        Some(image::load_from_memory(&bytes).ok()?.to_rgb8())
    }
}

/// The index that the footer points to; `None` if it makes no sense.
fn read_index(file: &mut File) -> std::io::Result<Option<Vec<Entry>>> {
    let file_len = file.seek(SeekFrom::End(0))?;
    let Some(footer_start) = file_len.checked_sub(FOOTER_LEN) else {
        return Ok(None);
    };
    let mut footer = [0; FOOTER_LEN as usize];
    file.seek(SeekFrom::Start(footer_start))?;
    file.read_exact(&mut footer)?;
    let number = |at: usize| {
        let bytes = footer[at..at + 8].try_into();
        u64::from_le_bytes(bytes.expect("eight bytes"))
    };
    let (offset, length) = (number(0), number(8));
    let crc32 = u32::from_le_bytes(footer[16..20].try_into().expect("four bytes"));
    if footer[20..] != MAGIC || offset.checked_add(length) != Some(footer_start) {
        return Ok(None);
    }
    let mut index = vec![0; length as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut index)?;
    if crc32fast::hash(&index) != crc32 {
        return Ok(None);
    }
    let entries: Vec<Entry> = serde_json::from_slice(&index)?;
    let fits = |e: &Entry| {
        e.offset
            .checked_add(e.length)
            .is_some_and(|end| end <= offset)
    };
    Ok(entries.iter().all(fits).then_some(entries))
}
