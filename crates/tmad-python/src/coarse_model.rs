//! Another project's network in the coarse network's place.

use crate::failure::value_error;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::process::Command;
use std::{io, mem, process};
use tmad_onnx::{Coarse, Limits, OnnxError, Sandbox};

/// What is told about it.
#[derive(Clone, FromPyObject)]
#[pyo3(from_item_all)]
pub struct NetworkArgs {
    file: PathBuf,
    descriptor: Option<String>,
    /// A command that calls [`run_network`], and its arguments.
    worker: Vec<String>,
}

impl NetworkArgs {
    fn load(&self) -> Result<Coarse, OnnxError> {
        let words = self.worker.clone();
        let command = move || {
            let (program, arguments) = words.split_first().map_or(("", &[][..]), |(a, b)| (a, b));
            let mut command = Command::new(program);
            command.args(arguments);
            command
        };
        let limits = Limits::default();
        let network = Sandbox::load(command, &self.file, self.descriptor.as_deref(), limits)?;
        let name = self.file.file_name().unwrap_or_default();
        Ok(Coarse::new(name.to_string_lossy(), network))
    }
}

/// The network, in a process of its own, which belongs to the process that started it.
pub struct CoarseModel {
    args: NetworkArgs,
    process: u32,
    network: Option<Coarse>,
}

impl CoarseModel {
    /// Starts the network's process.
    ///
    /// # Errors
    ///
    /// `ValueError` if the file cannot be used.
    pub fn load(args: NetworkArgs) -> PyResult<Self> {
        let network = args.load().map_err(|error| {
            let file = args.file.display();
            value_error(format!("cannot use the network {file}: {error}"))
        })?;
        Ok(Self {
            args,
            process: process::id(),
            network: Some(network),
        })
    }

    fn is_lost(&self) -> bool {
        self.process != process::id()
    }
}

impl Inpainter for CoarseModel {
    fn name(&self) -> &str {
        self.network.as_ref().map_or("", Inpainter::name)
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        match &self.network {
            Some(network) if !self.is_lost() => network.inpaint(image, mask, control),
            // The other side of a fork talks to that process. A lock to keep a new one behind could
            // have been held by a thread that stayed there.
            _ => (self.args.load().map_err(InpaintError::method)?).inpaint(image, mask, control),
        }
    }
}

impl Drop for CoarseModel {
    fn drop(&mut self) {
        if self.is_lost() {
            // It would end the process on the other side.
            mem::forget(self.network.take());
        }
    }
}

/// Runs the network that standard input names, for a process that bounds it.
#[pyfunction]
pub fn run_network(py: Python<'_>) -> PyResult<()> {
    Ok(py.detach(|| tmad_onnx::serve(io::stdin().lock(), io::stdout()))?)
}
