//! Reading picture files.

use crate::terminal::UsageError;
use anyhow::{Context, Result, anyhow};
use inpaint_photo::{Limits, Photo, PhotoError, format_of};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A photo and the file that it was decoded from.
#[derive(Debug)]
pub struct PhotoFile {
    /// The decoded picture.
    pub photo: Photo,
    /// The undecoded file.
    pub bytes: Vec<u8>,
}

impl PhotoFile {
    /// Reads and decodes a file; the content decides about the format, not the name.
    ///
    /// # Errors
    ///
    /// If the file is missing, a folder, no picture, incomplete, damaged, or beyond the limits.
    pub fn read(path: &Path, limits: &Limits) -> Result<Self> {
        let bytes = read_picture_file(path)?;
        let photo = Photo::decode(&bytes, limits).map_err(|error| about(path, &error))?;
        Ok(Self { photo, bytes })
    }
}

/// The error with the file's name, and with the option that helps.
pub fn about(path: impl AsRef<Path>, error: &PhotoError) -> anyhow::Error {
    let name = path.as_ref().display();
    if error.is_limit() {
        anyhow!(
            "{name} {error}; raise the limit with --max-megapixels if the picture is what you \
             expect"
        )
    } else {
        anyhow!("{name} {error}")
    }
}

/// Reads the bytes of a picture, and of anything else no more than its beginning.
///
/// # Errors
///
/// If the file is missing, a folder, or cannot be read.
pub fn read_picture_file(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("{name} does not exist; check the path"),
        _ => anyhow!("cannot open {name}: {error}"),
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(UsageError(format!("{name} is a folder; give a picture file")).into());
    }
    let cannot_read = || format!("cannot read {name}");
    // The first bytes tell whether the rest is worth reading: a film may fill the memory.
    let mut bytes = Vec::new();
    (&mut file)
        .take(64)
        .read_to_end(&mut bytes)
        .with_context(cannot_read)?;
    if format_of(&bytes).is_ok() {
        file.read_to_end(&mut bytes).with_context(cannot_read)?;
    }
    Ok(bytes)
}
