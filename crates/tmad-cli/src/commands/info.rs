//! `tmad info`: what this build consists of.

use crate::device::DeviceChoice;
use crate::method::load_tmad;
use anyhow::Result;
use burn::tensor::Device;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use tmad::model::{Model, ModelConfig};
use tmad::pipeline::CONFIG_KEY;
use tmad::weights::parameter_counts;
#[cfg(feature = "train")]
use tmad_train::config::TrainConfig;

const LICENCE: &str = "\
tmad and its built-in weights are under the MIT licence or the Apache License 2.0, at your choice.

";

/// Made by cargo-about; see CONTRIBUTING.md.
const THIRD_PARTY: &str = include_str!("../../third-party.txt");

/// Options of `tmad info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Weights to describe instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Machine-readable
    #[arg(long)]
    json: bool,
    /// The licences of the program and of all that it contains
    #[arg(long, alias = "licenses", conflicts_with_all = ["weights", "json"])]
    licences: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    networks: Vec<Network>,
    num_parameters: usize,
    num_parameters_paper: usize,
    weights: Weights,
    devices: Vec<DeviceInfo>,
    num_threads: usize,
}

#[derive(Serialize)]
struct Network {
    name: String,
    num_parameters: usize,
    /// With the paper's sizes, which the weights' configuration may change.
    num_parameters_paper: usize,
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
    let mut out = io::stdout().lock();
    if args.licences {
        write!(out, "{LICENCE}{THIRD_PARTY}")?;
        return Ok(());
    }
    let info = Info::collect(args)?;
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
        let paper = Model::unloaded(&ModelConfig::default(), &Device::flex());
        // Either model has networks that the other lacks.
        let (ours, paper) = (parameter_counts(tmad.model()), parameter_counts(&paper));
        let count = |counts: &[(String, usize)], name: &str| {
            let found = counts.iter().find(|(known, _)| known == name);
            found.map_or(0, |(_, count)| *count)
        };
        let missing = paper.iter().filter(|(name, _)| count(&ours, name) == 0);
        let networks: Vec<_> = (ours.iter().chain(missing))
            .map(|(name, _)| Network {
                num_parameters: count(&ours, name),
                num_parameters_paper: count(&paper, name),
                name: name.clone(),
            })
            .collect();
        let metadata = tmad.provenance().clone().into_iter().collect();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            num_parameters: networks.iter().map(|n| n.num_parameters).sum(),
            num_parameters_paper: networks.iter().map(|n| n.num_parameters_paper).sum(),
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
        writeln!(out, "tmad {}\n", self.version)?;
        let row = |out: &mut dyn Write, name: &str, ours: &str, paper: &str| {
            writeln!(out, "{name:<20}{ours:>14}{paper:>14}")
        };
        row(out, "Parameters", "these weights", "paper")?;
        for network in &self.networks {
            let ours = grouped(network.num_parameters);
            let paper = grouped(network.num_parameters_paper);
            row(out, &format!("  {}", network.name), &ours, &paper)?;
        }
        let (ours, paper) = (self.num_parameters, self.num_parameters_paper);
        row(out, "  total", &grouped(ours), &grouped(paper))?;
        self.weights.print(out)?;
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

impl Weights {
    /// Configurations as their differences to the defaults: they are long, and the defaults are
    /// the paper's.
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nWeights: {}", self.source)?;
        for (key, value) in &self.metadata {
            let default = match key.as_str() {
                CONFIG_KEY => serde_json::to_value(ModelConfig::default()),
                #[cfg(feature = "train")]
                "training" => serde_json::to_value(TrainConfig::default()),
                _ => Ok(Value::Null),
            };
            match (serde_json::from_str(value), default) {
                (Ok(value @ Value::Object(_)), Ok(default @ Value::Object(_))) => {
                    writeln!(out, "  {key}, where it is not the default:")?;
                    for (path, value) in differences(&value, &default) {
                        writeln!(out, "    {path} = {value}")?;
                    }
                }
                _ => writeln!(out, "  {key}: {value}")?,
            }
        }
        Ok(())
    }
}

/// Leaves of `value` that are not the same in `default`, by their paths. The networks' part of
/// a training configuration is left out: the weights' own configuration says the same.
fn differences(value: &Value, default: &Value) -> Vec<(String, Value)> {
    let Value::Object(fields) = value else {
        return match value == default {
            true => Vec::new(),
            false => vec![(String::new(), value.clone())],
        };
    };
    let inner = (fields.iter()).filter(|(name, _)| *name != "model");
    inner
        .flat_map(|(name, value)| {
            let below = differences(value, default.get(name).unwrap_or(&Value::Null));
            below.into_iter().map(move |(path, value)| {
                let separator = if path.is_empty() { "" } else { "." };
                (format!("{name}{separator}{path}"), value)
            })
        })
        .collect()
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
    use super::{differences, grouped};
    use serde_json::json;

    #[test]
    fn only_what_differs_is_listed() {
        let value = json!({"a": {"b": 1, "c": [1]}, "d": null, "model": 3});
        let default = json!({"a": {"b": 2, "c": [1]}, "d": null});
        assert_eq!(
            differences(&value, &default),
            [("a.b".to_owned(), json!(1))]
        );
    }

    #[test]
    fn thousands_are_grouped() {
        let text = [0, 999, 1000, 3_936_522].map(grouped);
        assert_eq!(text, ["0", "999", "1,000", "3,936,522"]);
    }
}
