//! `tmad export`: a checkpoint in, weights to ship out.

use crate::output::{check_folder, write_file};
use crate::terminal::Terminal;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tmad::weights::Precision;
use tmad_train::Mix;

const EXAMPLES: &str = "\
Examples:
  tmad export run/checkpoints/step-00020000 -o tmad.safetensors --precision f16
  tmad export run/checkpoints/step-00020000 -o tmad.safetensors --mix before.safetensors --share 0.25";

/// Options of `tmad export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Folder of a checkpoint that `tmad train` wrote
    checkpoint: PathBuf,
    /// Where the weights go
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
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
    if !args.checkpoint.is_dir() {
        let name = args.checkpoint.display();
        bail!("{name} is no folder; give one of RUN/checkpoints, such as run/checkpoints/step-…");
    }
    let mix = args.mix.as_deref().map(|file| Mix {
        file,
        share: args.share,
    });
    let bytes = tmad_train::export(&args.checkpoint, args.precision.into(), mix.as_ref())?;
    write_file(&args.output, &bytes)?;
    terminal.note(format_args!(
        "{}: {:.1} MB",
        args.output.display(),
        bytes.len() as f64 / 1e6
    ));
    Ok(())
}
