//! Where files are: on the disk, or in an object store.

use crate::output::{check_folder, write_file};
use crate::photo::read_picture_file;
use crate::remote::Remote;
use crate::stream::is_stream;
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder.
#[derive(Debug, Clone)]
pub enum Location {
    /// On the disk.
    Disk(PathBuf),
    /// In an object store.
    Store(Remote),
}

impl Location {
    /// Reads an argument: `scheme://…` is an object store, everything else a path.
    ///
    /// # Errors
    ///
    /// In words, if the URL cannot be used.
    pub fn parse(argument: &OsStr) -> Result<Self, String> {
        match argument.to_str() {
            Some(url) if is_url(url) => Ok(Self::Store(Remote::open(url)?)),
            Some("") => Err("an empty path".to_owned()),
            _ => Ok(Self::Disk(argument.into())),
        }
    }

    /// The name of the file itself, as [`Self::list`] gives names.
    pub fn name(&self) -> String {
        match self {
            Self::Disk(path) => text_of(path.file_name().unwrap_or(path.as_os_str())),
            Self::Store(remote) => {
                let name = remote.to_string();
                name.rsplit('/').next().unwrap_or(&name).to_owned()
            }
        }
    }

    /// Whether it is standard input or output.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Disk(path) if is_stream(path))
    }

    /// Whether it is a folder; in a store, whether there is anything below it and no file of this
    /// name.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    pub fn is_folder(&self) -> Result<bool> {
        match self {
            Self::Disk(path) => Ok(path.is_dir()),
            Self::Store(remote) => remote.is_folder(),
        }
    }

    /// Whether there is a file of this name.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    pub fn exists(&self) -> Result<bool> {
        match self {
            Self::Disk(path) => Ok(path.exists()),
            Self::Store(remote) => remote.exists(),
        }
    }

    /// A file below a folder; `name` has `/` between its parts.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Disk(path) => Self::Disk(
                name.split('/')
                    .fold(path.clone(), |p, n| p.join(os_name_of(n))),
            ),
            Self::Store(remote) => Self::Store(remote.join(name)),
        }
    }

    /// Names of the files in a folder, sorted, with `/` between their parts. `skip` names folders
    /// that are left out. Bytes that are no UTF-8, as names on Linux may have, are written as
    /// characters that nobody uses; [`Self::join`] makes them bytes again.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read.
    pub fn list(&self, recursive: bool, skip: &[&Location]) -> Result<Vec<String>> {
        let mut names = match self {
            Self::Disk(path) => {
                let skip: Vec<PathBuf> = (skip.iter())
                    .filter_map(|location| match location {
                        Self::Disk(path) => fs::canonicalize(path).ok(),
                        Self::Store(_) => None,
                    })
                    .collect();
                let mut names = Vec::new();
                list_folder(path, "", recursive, &skip, &mut names)?;
                names
            }
            Self::Store(remote) => {
                let skip: Vec<&Remote> = (skip.iter())
                    .filter_map(|location| match location {
                        Self::Disk(_) => None,
                        Self::Store(remote) => Some(remote),
                    })
                    .collect();
                remote.list(recursive, &skip)?
            }
        };
        names.sort();
        Ok(names)
    }

    /// The bytes of a picture file.
    ///
    /// # Errors
    ///
    /// If it is missing or cannot be read.
    pub fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Disk(path) => read_picture_file(path),
            Self::Store(remote) => remote.read(),
        }
    }

    /// Writes a whole file or nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, bytes: Vec<u8>) -> Result<()> {
        match self {
            Self::Disk(path) => write_file(path, &bytes),
            Self::Store(remote) => remote.write(bytes),
        }
    }

    /// Checks, before any work is done, that a file can be put here.
    ///
    /// # Errors
    ///
    /// If the folder does not exist.
    pub fn check_parent(&self) -> Result<()> {
        match self {
            Self::Disk(path) => check_folder(path),
            Self::Store(_) => Ok(()),
        }
    }

    /// Makes the folder that the file is in.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn create_parent(&self) -> Result<()> {
        match self {
            Self::Disk(path) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))
            }
            Self::Store(_) => Ok(()),
        }
    }

    /// Checks that results may be put into this folder, which need not exist.
    ///
    /// # Errors
    ///
    /// If it is a file, or the folder that the photos are in.
    pub fn check_result_folder(&self, photos: &Location) -> Result<()> {
        let is_same = match (self, photos) {
            (Self::Disk(path), Self::Disk(photos)) => {
                if path.is_file() {
                    bail!("{self} is a file; photos from a folder need a folder for the results");
                }
                fs::canonicalize(path)
                    .is_ok_and(|path| fs::canonicalize(photos).is_ok_and(|photos| path == photos))
            }
            (Self::Store(results), Self::Store(photos)) => results.is_same(photos),
            _ => false,
        };
        if is_same {
            bail!("{self} is the folder of the photos; give another one for the results");
        }
        Ok(())
    }

    /// The name behind the last dot, without it.
    pub fn extension(&self) -> String {
        let name = self.to_string();
        extension(&name).to_owned()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => path.display().fmt(f),
            Self::Store(remote) => remote.fmt(f),
        }
    }
}

/// The part of a name behind its last dot; empty without one.
pub fn extension(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_url(argument: &str) -> bool {
    argument.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

fn list_folder(
    folder: &Path,
    prefix: &str,
    recursive: bool,
    skip: &[PathBuf],
    names: &mut Vec<String>,
) -> Result<()> {
    let cannot_read = || format!("cannot read the folder {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let name = text_of(path.file_name().unwrap_or_default());
        // Hidden files are no photos: previews, rubbish bins, our own temporary files.
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if !path.is_dir() {
            names.push(name);
        } else if recursive
            // A link to a folder may lead in circles.
            && !path.is_symlink()
            && !fs::canonicalize(&path).is_ok_and(|path| skip.contains(&path))
        {
            list_folder(&path, &format!("{name}/"), recursive, skip, names)?;
        }
    }
    Ok(())
}

/// The first of 256 characters for private use that stand for bytes which are no UTF-8.
#[cfg(unix)]
const FIRST_BYTE: u32 = 0x10_FE00;

/// A name as text, without loss.
#[cfg(unix)]
fn text_of(name: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    let byte = |byte: &u8| char::from_u32(FIRST_BYTE + u32::from(*byte)).unwrap_or_default();
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if (FIRST_BYTE..FIRST_BYTE + 256).contains(&c.into()) {
                // So that it does not become a byte.
                text.extend(c.encode_utf8(&mut [0; 4]).as_bytes().iter().map(byte));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(byte));
    }
    text
}

/// The name that [`text_of`] wrote as text.
#[cfg(unix)]
fn os_name_of(text: &str) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::new();
    for c in text.chars() {
        match u32::from(c).checked_sub(FIRST_BYTE).map(u8::try_from) {
            Some(Ok(byte)) => bytes.push(byte),
            _ => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(not(unix))]
fn text_of(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn os_name_of(text: &str) -> OsString {
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_utf8_pass_through_text() {
        use std::os::unix::ffi::OsStringExt;
        for name in [
            &b"caf\xE9.jpg"[..],
            b"plain.jpg",
            "\u{10FEE9}.jpg".as_bytes(),
            b"\xFF\xC3\xA9\xC3",
        ] {
            let name = OsString::from_vec(name.to_vec());
            assert_eq!(os_name_of(&text_of(&name)), name);
        }
        assert_ne!(
            text_of(OsStr::new("\u{10FEE9}")),
            text_of(&OsString::from_vec(vec![0xE9]))
        );
    }

    #[test]
    fn urls_paths_and_extensions_are_told_apart() {
        assert!(is_url("s3://bucket/photo.jpg"));
        for path in ["photo.jpg", "C:\\photo.jpg", "c://photo.jpg", "a b://c"] {
            assert!(!is_url(path), "{path}");
        }
        assert_eq!(extension("a.b/photo"), "");
        assert_eq!(extension("a/photo.tar.JPG"), "JPG");
    }
}
