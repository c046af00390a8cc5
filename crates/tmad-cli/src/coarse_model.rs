//! Another project's network in the coarse network's place.

#[cfg(feature = "onnx")]
pub use onnx::{WORKER, load, work};

#[cfg(feature = "onnx")]
mod onnx {
    use anyhow::{Context, Result};
    use inpaint_core::Inpainter;
    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::Command;
    use std::{env, fs, io};
    use tmad_onnx::{Coarse, Limits, Sandbox};

    /// Name of the hidden command that runs a network in a process of its own.
    pub const WORKER: &str = "onnx-worker";

    /// Reads an ONNX file, and the descriptor of the same name beside it if there is one. The
    /// network runs on so many `threads`, or one per core.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is no network that can be used.
    pub fn load(path: &Path, threads: Option<u16>) -> Result<Box<dyn Inpainter>> {
        let beside = path.with_extension("json");
        let descriptor = match beside.is_file() {
            true => Some(
                fs::read_to_string(&beside)
                    .with_context(|| format!("cannot read the descriptor {}", beside.display()))?,
            ),
            false => None,
        };
        let program = env::current_exe().context("cannot find this program itself")?;
        let command = move || {
            let mut command = Command::new(&program);
            command.arg(WORKER);
            command
        };
        let limits = Limits {
            threads: threads.map(usize::from),
            ..Limits::default()
        };
        let network = Sandbox::load(command, path, descriptor.as_deref(), limits)
            .with_context(|| format!("cannot use the network {}", path.display()))?;
        let name = path.file_name().map(OsStr::to_string_lossy);
        Ok(Box::new(Coarse::new(name.unwrap_or_default(), network)))
    }

    /// The other side of [`load`].
    ///
    /// # Errors
    ///
    /// If the process that asks for it is gone.
    pub fn work() -> Result<()> {
        Ok(tmad_onnx::serve(io::stdin().lock(), io::stdout())?)
    }
}

/// Says that this build reads no such files.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "onnx"))]
pub fn load(
    path: &std::path::Path,
    _: Option<u16>,
) -> anyhow::Result<Box<dyn inpaint_core::Inpainter>> {
    anyhow::bail!(
        "{}: this build reads no ONNX files; build tmad-cli with its feature `onnx`",
        path.display()
    )
}
