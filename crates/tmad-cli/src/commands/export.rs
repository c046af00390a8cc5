//! `tmad export`: a checkpoint in, weights to ship out; or the networks as ONNX files.

use crate::output::{check_folder, write_file};
use crate::terminal::{Terminal, UsageError};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use tmad::weights::Precision;
use tmad_train::Mix;

const EXAMPLES: &str = "\
Examples:
  tmad export run/checkpoints/step-00020000 -o tmad.safetensors --precision f16
  tmad export run/checkpoints/step-00020000 -o tmad.safetensors --mix before.safetensors --share 0.25
  tmad export --onnx -o networks
  tmad export --onnx tmad.safetensors --size 512x384 -o networks";

/// Options of `tmad export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Folder of a checkpoint that `tmad train` wrote; with --onnx also a file of weights, or
    /// nothing for the built-in ones
    #[arg(required_unless_present = "onnx")]
    checkpoint: Option<PathBuf>,
    /// Where the weights go; with --onnx the folder for the networks
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The networks as ONNX files (opset 17) for other runtimes (docs/onnx.md)
    #[arg(long, conflicts_with_all = ["precision", "mix", "share"])]
    onnx: bool,
    /// Size of the pictures that the networks take; free if not given
    #[arg(long, value_name = "WxH", requires = "onnx", value_parser = size)]
    size: Option<[usize; 2]>,
    /// f16 is half the size; the difference cannot be seen
    #[arg(long, value_enum, default_value_t = Format::F16)]
    precision: Format,
    /// Average with these weights of the same networks: of two runs of which one started from
    /// the other, the average is often better than either
    #[arg(long, value_name = "WEIGHTS")]
    mix: Option<PathBuf>,
    /// Part of the average that --mix gets, from 0 to 1
    #[arg(long, value_name = "S", default_value_t = 0.5, requires = "mix", value_parser = share)]
    share: f64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1 is needed".to_owned()),
    }
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=8192).contains(side));
    (text.split_once('x'))
        .and_then(|(width, height)| Some([side(width)?, side(height)?]))
        .ok_or_else(|| "width and height are needed, such as 512x384, up to 8192".to_owned())
}

/// Number formats of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    F16,
    F32,
}

impl From<Format> for Precision {
    fn from(format: Format) -> Self {
        match format {
            Format::F16 => Self::F16,
            Format::F32 => Self::F32,
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If the checkpoint cannot be read or the file cannot be written.
pub fn run(args: &ExportArgs, terminal: &Terminal) -> Result<()> {
    check_folder(&args.output)?;
    if args.onnx {
        return export_onnx(args, terminal);
    }
    // Without it, the arguments are refused.
    let checkpoint = args.checkpoint.as_deref().unwrap_or(Path::new(""));
    if !checkpoint.is_dir() {
        let name = checkpoint.display();
        bail!("{name} is no folder; give one of RUN/checkpoints, such as run/checkpoints/step-…");
    }
    let mix = args.mix.as_deref().map(|file| Mix {
        file,
        share: args.share,
    });
    let bytes = tmad_train::export(checkpoint, args.precision.into(), mix.as_ref())?;
    write_file(&args.output, &bytes)?;
    terminal.note(format_args!(
        "{}: {:.1} MB",
        args.output.display(),
        bytes.len() as f64 / 1e6
    ));
    Ok(())
}

#[cfg(feature = "onnx")]
fn export_onnx(args: &ExportArgs, terminal: &Terminal) -> Result<()> {
    use crate::method::load_tmad;
    use anyhow::Context;
    use burn::tensor::Device;
    use std::fs;
    use tmad::pipeline::TMad;

    let device = Device::flex();
    let tmad = match args.checkpoint.as_deref() {
        Some(folder) if folder.is_dir() => {
            let weights = tmad_train::export(folder, Precision::F32, None)?;
            TMad::from_bytes(&weights, &device)?
        }
        file => load_tmad(file, &device)?,
    };
    let folder = args.output.display();
    if args.output.is_file() {
        let message = format!("{folder} is a file; there are several networks, so name a folder");
        return Err(UsageError(message).into());
    }
    let files = tmad::onnx::export(tmad.model(), args.size, tmad.provenance());
    fs::create_dir_all(&args.output).with_context(|| format!("cannot create {folder}"))?;
    for file in files {
        let path = args.output.join(format!("{}.onnx", file.name));
        write_file(&path, &file.bytes)?;
        let megabytes = file.bytes.len() as f64 / 1e6;
        terminal.note(format_args!("{}: {megabytes:.1} MB", path.display()));
    }
    Ok(())
}

#[cfg(not(feature = "onnx"))]
fn export_onnx(_: &ExportArgs, _: &Terminal) -> Result<()> {
    let message = "this build writes no ONNX files; build tmad-cli with its feature `onnx`";
    Err(UsageError(message.to_owned()).into())
}
