//! Reading picture files.

use crate::stream::{self, is_stream};
use crate::terminal::UsageError;
use anyhow::{Context, Result, anyhow, bail};
use inpaint_photo::{Limits, Photo, PhotoError, format_of};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads and decodes a file; the content decides about the format, not the name.
///
/// # Errors
///
/// If the file is missing, a folder, no picture, incomplete, damaged, or beyond the limits.
pub fn read_photo(path: &Path, limits: &Limits) -> Result<Photo> {
    let bytes = read_picture_file(path)?;
    Photo::decode(&bytes, limits).map_err(|error| about(path.display(), &error))
}

/// Says that a photo is missing, before anything else is complained about.
///
/// # Errors
///
/// If there is nothing under this name.
pub fn check_there(path: &Path) -> Result<()> {
    if !is_stream(path) && !path.exists() {
        bail!("{} does not exist; check the path", path.display());
    }
    Ok(())
}

/// The error with the file's name, and with the option that helps.
pub fn about(name: impl fmt::Display, error: &PhotoError) -> anyhow::Error {
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
    if is_stream(path) {
        return read_picture(&mut stream::input()?).context("cannot read standard input");
    }
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("{name} does not exist; check the path"),
        _ => anyhow!("cannot open {name}: {error}"),
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(UsageError(format!("{name} is a folder; give a picture file")).into());
    }
    read_picture(&mut file).with_context(|| format!("cannot read {name}"))
}

/// The first bytes tell whether the rest is worth reading: a film may fill the memory.
fn read_picture(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(64).read_to_end(&mut bytes)?;
    if format_of(&bytes).is_ok() {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
