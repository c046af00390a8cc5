//! Writing results: format by the name, everything or nothing on the disk.

use crate::interrupt;
use crate::stream::{self, is_stream};
use crate::terminal::{Terminal, UsageError};
use anyhow::{Context, Result, anyhow, bail};
use inpaint_photo::{EncodeOptions, ImageFormat, Photo, WRITABLE, format_of_extension};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where a picture goes, checked before any work is done for it.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    /// The photo's own if there is none.
    format: Option<ImageFormat>,
}

impl OutputFile {
    /// Takes the format from the extension.
    ///
    /// # Errors
    ///
    /// If the extension is unknown, the path is a folder, or its folder does not exist.
    pub fn new(path: &Path) -> Result<Self> {
        let name = path.display();
        if is_stream(path) {
            stream::check_output()?;
            return Ok(Self {
                path: path.to_owned(),
                format: None,
            });
        }
        if path.is_dir() {
            let message = format!("{name} is a folder; give the name of the file to write");
            return Err(UsageError(message).into());
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let Some(format) = format_of_extension(&extension) else {
            let message = format!(
                "{name} does not end in a format that can be written; use one of {WRITABLE}"
            );
            return Err(UsageError(message).into());
        };
        check_folder(path)?;
        Ok(Self {
            path: path.to_owned(),
            format: Some(format),
        })
    }

    /// Format by the name; standard output has none.
    pub fn format(&self) -> Option<ImageFormat> {
        self.format
    }

    /// Encodes and writes. What the format cannot hold is warned about.
    ///
    /// # Errors
    ///
    /// If the picture is too large for the format or the file cannot be written; then nothing of
    /// it is left.
    pub fn write(&self, photo: &Photo, options: &EncodeOptions, terminal: &Terminal) -> Result<()> {
        let encoded = photo.encode(self.format, options).map_err(|error| {
            anyhow!("cannot encode {}: the picture {error}", self.path.display())
        })?;
        for warning in &encoded.warnings {
            terminal.warn(warning);
        }
        self.write_bytes(&encoded.bytes)
    }

    /// Writes a file that is encoded already.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; then nothing of it is left.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<()> {
        write_file(&self.path, bytes)
    }
}

/// Whether the folder that `path` is to be written into exists.
///
/// # Errors
///
/// If it does not.
pub fn check_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        let folder = folder.display();
        bail!("the folder {folder} does not exist; create it first (mkdir -p \"{folder}\")");
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes a temporary file beside `path` and renames it, so that `path` is always whole: the old
/// file or the new one. `-` is standard output.
///
/// # Errors
///
/// If the file cannot be written; then nothing of it is left.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_stream(path) {
        return stream::write(bytes);
    }
    // Through a link to the file that it names, rather than replacing the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let write = || -> std::io::Result<()> {
        let _alive = interrupt::while_writing();
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tmad-").suffix(".tmp");
        // Whom the user lets read a file is no business of the new content.
        #[cfg(unix)]
        let kept = fs::metadata(path).map(|old| old.permissions()).ok();
        #[cfg(unix)]
        {
            // As any new file: the process's umask takes away what it takes away.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        #[cfg(unix)]
        if let Some(kept) = kept {
            file.as_file().set_permissions(kept)?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
