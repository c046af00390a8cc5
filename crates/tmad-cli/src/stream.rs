//! `-` as the name of a file: standard input and standard output. A file of that name is `./-`.

use crate::terminal::UsageError;
use anyhow::{Context, Result};
use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a name stands for standard input or output.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Standard input, for the first that asks.
///
/// # Errors
///
/// If it was given to somebody before, or is a terminal, on which nobody types a picture.
pub fn input() -> Result<impl Read> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        let message = "standard input (-) can be read once; give the other file by its name";
        return Err(UsageError(message.to_owned()).into());
    }
    if stdin().is_terminal() {
        let message = "- is standard input, and that is a terminal; pipe a picture into it, as in \
                       `tmad inpaint - … < photo.jpg`";
        return Err(UsageError(message.to_owned()).into());
    }
    Ok(stdin().lock())
}

/// Checks, before any work is done, that a picture can be written to standard output.
///
/// # Errors
///
/// If it is a terminal.
pub fn check_output() -> Result<(), UsageError> {
    if stdout().is_terminal() {
        let message = "a picture is nothing for a terminal; give --output a file, or redirect \
                       standard output";
        return Err(UsageError(message.to_owned()));
    }
    Ok(())
}

/// Writes to standard output.
///
/// # Errors
///
/// If it is closed.
pub fn write(bytes: &[u8]) -> Result<()> {
    let mut out = stdout().lock();
    (out.write_all(bytes).and_then(|()| out.flush())).context("cannot write to standard output")
}
