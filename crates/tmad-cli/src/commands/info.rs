//! `tmad info`: what this build consists of.

use crate::device::DeviceChoice;
use crate::method::load_tmad;
use anyhow::Result;
use burn::tensor::Device;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use tmad::weights::parameter_counts;

/// Options of `tmad info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Weights to describe instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Machine-readable
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    networks: Vec<Network>,
    num_parameters: usize,
    weights: Weights,
    devices: Vec<DeviceInfo>,
    num_threads: usize,
}

#[derive(Serialize)]
struct Network {
    name: String,
    num_parameters: usize,
}

#[derive(Serialize)]
struct Weights {
    source: String,
    /// Sorted, so that two builds can be compared line by line.
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct DeviceInfo {
    name: &'static str,
    is_compiled_in: bool,
}

/// Runs the command.
///
/// # Errors
///
/// If the weights cannot be read or standard output is closed.
pub fn run(args: &InfoArgs) -> Result<()> {
    let info = Info::collect(args)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &info)?;
        writeln!(out)?;
    } else {
        info.print(&mut out)?;
    }
    Ok(())
}

impl Info {
    fn collect(args: &InfoArgs) -> Result<Self> {
        let tmad = load_tmad(args.weights.as_deref(), &Device::flex())?;
        let source = match &args.weights {
            None => "built in".to_owned(),
            Some(path) => path.display().to_string(),
        };
        let networks: Vec<_> = parameter_counts(tmad.model())
            .into_iter()
            .map(|(name, num_parameters)| Network {
                name,
                num_parameters,
            })
            .collect();
        let metadata = tmad.provenance().clone().into_iter().collect();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            num_parameters: networks.iter().map(|network| network.num_parameters).sum(),
            networks,
            weights: Weights { source, metadata },
            devices: (DeviceChoice::CONCRETE.into_iter())
                .map(|device| DeviceInfo {
                    name: device.name(),
                    is_compiled_in: device.is_compiled_in(),
                })
                .collect(),
            num_threads: rayon::current_num_threads(),
        })
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "tmad {}\n\nParameters", self.version)?;
        for network in &self.networks {
            let count = grouped(network.num_parameters);
            writeln!(out, "  {:<18}{count:>12}", network.name)?;
        }
        let total = grouped(self.num_parameters);
        writeln!(out, "  {:<18}{total:>12}", "total")?;
        writeln!(out, "\nWeights: {}", self.weights.source)?;
        for (key, value) in &self.weights.metadata {
            writeln!(out, "  {key}: {value}")?;
        }
        writeln!(out, "\nDevices")?;
        for device in &self.devices {
            let state = if device.name == DeviceChoice::Cpu.name() {
                format!("yes, {} threads", self.num_threads)
            } else if device.is_compiled_in {
                "yes".to_owned()
            } else {
                format!("no (build with --features {})", device.name)
            };
            writeln!(out, "  {:<18}{state}", device.name)?;
        }
        Ok(())
    }
}

/// 3936522 → 3,936,522.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let text = [0, 999, 1000, 3_936_522].map(grouped);
        assert_eq!(text, ["0", "999", "1,000", "3,936,522"]);
    }
}
