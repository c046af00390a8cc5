//! The choice of an inpainting method.

use crate::coarse_model;
use crate::device::DeviceChoice;
use crate::precision::PrecisionChoice;
use crate::terminal::UsageError;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Inpainter, Telea};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};
use tmad::WithTexture;
use tmad::pipeline::TMad;

/// What fills the hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// T-MAD: coarse network, texture memory, patch synthesis, and texture copied from the picture
    Tmad,
    /// T-MAD's coarse network alone: structure without texture
    Coarse,
    /// Patches copied from the rest of the picture, without a network
    Patchmatch,
    /// Colours carried inwards from the hole's rim (fast marching), without a network
    Telea,
}

/// Options of whatever runs methods.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Weights from `tmad train` or `tmad export` instead of the built-in ones
    #[arg(long, env = "TMAD_WEIGHTS", value_name = "FILE")]
    weights: Option<PathBuf>,
    /// What the networks run on
    #[arg(long, env = "TMAD_DEVICE", value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// CPU threads; all cores if not given. The result is the same
    #[arg(long, env = "TMAD_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// How exactly convolutions multiply
    #[arg(long, env = "TMAD_PRECISION", value_enum, default_value_t = PrecisionChoice::F32)]
    precision: PrecisionChoice,
}

/// What computes.
impl fmt::Display for EngineArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = self.precision.to_possible_value().expect("none is hidden");
        write!(f, "device {}, ", self.device.name())?;
        write!(f, "{} threads, ", rayon::current_num_threads())?;
        write!(f, "precision {}, weights ", precision.get_name())?;
        match &self.weights {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str("built in"),
        }
    }
}

impl EngineArgs {
    /// Decides on threads and precision of everything that computes on the CPU. To be called
    /// once, before any work.
    ///
    /// # Errors
    ///
    /// If the threads cannot be started, or the processor lacks the precision.
    pub fn prepare(&self) -> Result<()> {
        self.precision.make_default()?;
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads.into())
                .build_global()
                .with_context(|| format!("cannot start {threads} threads"))?;
        }
        Ok(())
    }

    /// The device.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn open_device(&self) -> Result<Device> {
        self.device.open()
    }

    /// T-MAD with the weights asked for, on `device`.
    ///
    /// # Errors
    ///
    /// If the weights cannot be used.
    pub fn load_tmad(&self, device: &Device) -> Result<TMad> {
        load_tmad(self.weights.as_deref(), device)
    }

    /// Makes a method ready to run.
    ///
    /// # Errors
    ///
    /// If the weights or the device cannot be used.
    pub fn load(&self, method: Method) -> Result<Box<dyn Inpainter>> {
        let load = || self.load_tmad(&self.open_device()?);
        Ok(match method {
            Method::Tmad => Box::new(load()?),
            Method::Coarse => Box::new(load()?.coarse_only()),
            Method::Patchmatch => Box::new(PatchMatch::default()),
            Method::Telea => Box::new(Telea::default()),
        })
    }

    /// Another project's network by itself.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn load_network(&self, path: &Path) -> Result<Box<dyn Inpainter>> {
        coarse_model::load(path, self.threads)
    }

    /// Makes a method ready in which the ONNX file `network` takes the coarse network's place.
    ///
    /// # Errors
    ///
    /// If the network or the weights cannot be used, or the method has no coarse network.
    pub fn load_with_network(&self, method: Method, network: &Path) -> Result<Box<dyn Inpainter>> {
        Ok(match method {
            Method::Coarse => self.load_network(network)?,
            Method::Tmad => {
                let coarse = self.load_network(network)?;
                let texture = self.load_tmad(&self.open_device()?)?;
                Box::new(WithTexture::new(coarse.into(), Arc::new(texture)))
            }
            Method::Patchmatch | Method::Telea => {
                let message = "--coarse-model goes with the methods tmad and coarse only";
                return Err(UsageError(message.to_owned()).into());
            }
        })
    }
}

/// T-MAD with the weights of a file, or with the built-in ones.
///
/// # Errors
///
/// If the file cannot be read or holds no weights of T-MAD.
pub fn load_tmad(weights: Option<&Path>, device: &Device) -> Result<TMad> {
    let Some(path) = weights else {
        return TMad::built_in(device).context("the built-in weights are damaged");
    };
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    TMad::from_bytes(&bytes, device).with_context(|| format!("cannot use the weights {name}"))
}
