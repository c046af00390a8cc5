//! Methods as `tmad eval` names them: with switches for ablations, or with another network.

use crate::method::{EngineArgs, Method};
use crate::terminal::UsageError;
use anyhow::Result;
use clap::ValueEnum;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use tmad::pipeline::TMad;
use tmad::texture_memory::{Retrieval, Sampling};

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

impl EngineArgs {
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
