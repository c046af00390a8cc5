//! Writing files: everything or nothing on the disk.

use crate::interrupt;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::Path;

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
/// file or the new one.
///
/// # Errors
///
/// If the file cannot be written; then nothing of it is left.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // Through a link to the file that it names, rather than replacing the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let write = || -> std::io::Result<()> {
        let _alive = interrupt::while_writing();
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tmad-").suffix(".tmp");
        #[cfg(unix)]
        {
            // As any new file: the process's umask takes away what it takes away.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
