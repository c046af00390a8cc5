//! `tmad pack`: a folder of pictures in one file.

use crate::interrupt::{self, Interrupted};
use crate::output::check_folder;
use crate::terminal::{Terminal, UsageError};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tmad_train::data::DataError;
use tmad_train::pack::{PackFormat, PackOptions};

const EXAMPLES: &str = "\
Examples:
  tmad pack pictures -o pictures.tmad
  tmad train --data pictures.tmad --out run

Training cuts crops of 256 px, so larger pictures are scaled down, once, instead of being decoded \
at full size again and again. Damaged files are named and left out.";

/// Options of `tmad pack`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PackArgs {
    /// Folder of pictures (JPEG, PNG, WebP), searched recursively
    folder: PathBuf,
    /// File to write, for `tmad train --data`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Short side that larger pictures are scaled down to
    #[arg(long, value_name = "PX", default_value_t = 288, value_parser = clap::value_parser!(u32).range(16..=8192))]
    short_side: u32,
    /// How the pictures are stored; png loses nothing and is some five times as large
    #[arg(long, value_enum, default_value_t = Format::Jpeg)]
    format: Format,
    /// Quality of JPEG
    #[arg(long, value_name = "Q", default_value_t = 85, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
}

/// Formats of packed pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jpeg,
    Png,
}

/// Runs the command.
///
/// # Errors
///
/// If the folder holds no intact picture or the file cannot be written.
pub fn run(args: &PackArgs, terminal: &Terminal) -> Result<()> {
    if !args.folder.is_dir() {
        bail!(
            "{} is no folder; give a folder of pictures",
            args.folder.display()
        );
    }
    if args.output.is_dir() {
        let name = args.output.display();
        let message = format!("{name} is a folder; give the name of the file to write");
        return Err(UsageError(message).into());
    }
    check_folder(&args.output)?;
    let options = PackOptions {
        short_side: args.short_side,
        format: match args.format {
            Format::Jpeg => PackFormat::Jpeg {
                quality: args.quality,
            },
            Format::Png => PackFormat::Png,
        },
    };
    let bar = terminal.progress_bar(1, "packing {wide_bar} {pos}/{len} {eta:>4}");
    let mut progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let stop = interrupt::stop_flag();
    let packed = tmad_train::pack::pack(&args.folder, &args.output, options, &stop, &mut progress);
    bar.finish_and_clear();
    let packed = match packed {
        Err(DataError::Stopped) => return Err(Interrupted.into()),
        packed => packed?,
    };
    for path in &packed.skipped {
        terminal.warn(format_args!("{} is damaged and left out", path.display()));
    }
    let left_out = match packed.skipped.len() {
        0 => String::new(),
        count => format!(", {count} damaged files left out"),
    };
    terminal.note(format_args!(
        "{}: {} pictures, {:.1} MB{left_out}",
        args.output.display(),
        packed.num_pictures,
        packed.num_bytes as f64 / 1e6
    ));
    Ok(())
}
