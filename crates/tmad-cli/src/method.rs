//! The choice of an inpainting method.

use crate::coarse_model;
use crate::device::DeviceChoice;
use crate::precision::PrecisionChoice;
use crate::terminal::UsageError;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage, Telea};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::{fmt, fs};
use tmad::WithTexture;
use tmad::pipeline::TMad;
use tmad::texture_memory::{Retrieval, Sampling};

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

/// A method with switches for ablations, such as `tmad:candidates=1:retrieval=soft`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodSpec {
    method: Method,
    switches: Vec<Switch>,
    /// Another project's network in the coarse network's place.
    network: Option<PathBuf>,
}

/// A switch of T-MAD that needs no training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    /// Only so many different candidates (Table V).
    Candidates(usize),
    Retrieval(Retrieval),
    Memory(Sampling),
}

impl FromStr for MethodSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (network, method) = match text.strip_suffix("+tmad") {
            Some(network) => (network, Method::Tmad),
            None => (text, Method::Coarse),
        };
        if network.to_ascii_lowercase().ends_with(".onnx") {
            return Ok(Self {
                method,
                switches: Vec::new(),
                network: Some(network.into()),
            });
        }
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let method = Method::from_str(name, true).map_err(|_| {
            format!(
                "`{name}` is no method; there are tmad, coarse, patchmatch, telea, \
                 and files such as lama.onnx and lama.onnx+tmad"
            )
        })?;
        let switches = parts.map(Switch::from_str).collect::<Result<Vec<_>, _>>()?;
        if method != Method::Tmad && !switches.is_empty() {
            return Err(format!("`{name}` has no switches; only tmad has"));
        }
        Ok(Self {
            method,
            switches,
            network: None,
        })
    }
}

impl fmt::Display for MethodSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = &self.network {
            let texture = if self.method == Method::Tmad {
                "+tmad"
            } else {
                ""
            };
            let name = network.file_name().unwrap_or_default();
            return write!(f, "{}{texture}", name.display());
        }
        // Results get a folder of this name, in which some systems allow no colon.
        let method = self.method.to_possible_value().expect("none is hidden");
        f.write_str(method.get_name())?;
        self.switches.iter().try_for_each(|switch| match switch {
            Switch::Candidates(count) => write!(f, " candidates={count}"),
            Switch::Retrieval(Retrieval::Hard) => f.write_str(" retrieval=hard"),
            Switch::Retrieval(Retrieval::Soft) => f.write_str(" retrieval=soft"),
            Switch::Retrieval(Retrieval::Random) => f.write_str(" retrieval=random"),
            Switch::Memory(Sampling::All) => f.write_str(" memory=all"),
            Switch::Memory(Sampling::Paper) => f.write_str(" memory=paper"),
        })
    }
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "`{text}` is no switch; there are candidates=N, retrieval=hard|soft|random, memory=all|paper"
            )
        };
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        Ok(match (name, value) {
            ("candidates", count) => Self::Candidates(count.parse().map_err(|_| unknown())?),
            ("retrieval", "hard") => Self::Retrieval(Retrieval::Hard),
            ("retrieval", "soft") => Self::Retrieval(Retrieval::Soft),
            ("retrieval", "random") => Self::Retrieval(Retrieval::Random),
            ("memory", "all") => Self::Memory(Sampling::All),
            ("memory", "paper") => Self::Memory(Sampling::Paper),
            _ => return Err(unknown()),
        })
    }
}

/// T-MAD with switches, under a name of its own.
struct Ablation {
    name: String,
    method: TMad,
}

impl Inpainter for Ablation {
    fn name(&self) -> &str {
        &self.name
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        self.method.inpaint(image, mask, control)
    }
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

    /// Makes a method with its switches ready to run.
    ///
    /// # Errors
    ///
    /// If the weights or the device cannot be used, or the weights do not allow a switch.
    pub fn load_spec(&self, spec: &MethodSpec) -> Result<Box<dyn Inpainter>> {
        if let Some(network) = &spec.network {
            return self.load_with_network(spec.method, network);
        }
        if spec.switches.is_empty() {
            return self.load(spec.method);
        }
        let method = self.load_tmad(&self.open_device()?)?.with_memory(|memory| {
            for switch in &spec.switches {
                match *switch {
                    Switch::Candidates(count) => memory.num_distinct = Some(count),
                    Switch::Retrieval(retrieval) => memory.retrieval = retrieval,
                    Switch::Memory(sampling) => memory.sampling = sampling,
                }
            }
        });
        Ok(Box::new(Ablation {
            name: spec.to_string(),
            method: method.map_err(|reason| UsageError(format!("{spec}: {reason}")))?,
        }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_and_named() {
        let name = |text: &str| text.parse::<MethodSpec>().unwrap().to_string();
        assert_eq!(name("telea"), "telea");
        assert_eq!(
            name("tmad:candidates=1:retrieval=soft:memory=paper"),
            "tmad candidates=1 retrieval=soft memory=paper"
        );
        assert_eq!(name("nets/lama.onnx"), "lama.onnx");
        assert_eq!(name("nets/lama.onnx+tmad"), "lama.onnx+tmad");
        let error = |text: &str| text.parse::<MethodSpec>().unwrap_err();
        assert!(error("lama").contains("patchmatch"));
        assert!(error("telea:candidates=1").contains("switches"));
        for text in ["tmad:candidates", "tmad:candidates=x", "tmad:memory=half"] {
            assert!(error(text).contains("candidates=N"), "{text}");
        }
    }
}
