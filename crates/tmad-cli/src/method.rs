//! The choice of an inpainting method.

use crate::device::DeviceChoice;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use inpaint_core::Inpainter;
use inpaint_core::patchmatch::PatchMatch;
use std::fs;
use std::path::{Path, PathBuf};
use tmad::pipeline::TMad;

/// What fills the hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// T-MAD: coarse network, texture memory, patch synthesis
    Tmad,
    /// T-MAD's coarse network alone: structure without texture
    Coarse,
    /// Patches copied from the rest of the picture, without a network
    Patchmatch,
}

/// Options of whatever runs methods.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Weights from `tmad train` or `tmad export` instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// What the networks run on
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// CPU threads; all cores if not given. The result is the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl EngineArgs {
    /// Bounds the threads of everything that computes on the CPU. To be called once, before any
    /// work.
    ///
    /// # Errors
    ///
    /// If the threads cannot be started.
    pub fn limit_threads(&self) -> Result<()> {
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
    pub fn load_tmad_on(&self, device: &Device) -> Result<TMad> {
        load_tmad(self.weights.as_deref(), device)
    }

    /// Makes a method ready to run.
    ///
    /// # Errors
    ///
    /// If the weights or the device cannot be used.
    pub fn load(&self, method: Method) -> Result<Box<dyn Inpainter>> {
        Ok(match method {
            Method::Tmad => Box::new(self.load_tmad()?),
            Method::Coarse => Box::new(self.load_tmad()?.coarse_only()),
            Method::Patchmatch => Box::new(PatchMatch::default()),
        })
    }

    /// Makes T-MAD ready to run.
    ///
    /// # Errors
    ///
    /// If the weights or the device cannot be used.
    pub fn load_tmad(&self) -> Result<TMad> {
        load_tmad(self.weights.as_deref(), &self.device.open()?)
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
