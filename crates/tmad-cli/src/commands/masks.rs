//! `tmad masks`: seeded masks as files.

use crate::output::write_file;
use crate::terminal::Terminal;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use image::ImageFormat;
use inpaint_core::Mask;
use inpaint_core::mask_generator::{FreeFormMask, MaskGenerator, RectangleMask, centre_rectangle};
use inpaint_core::random::stream;
use serde::Serialize;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  tmad masks --protocol rectangle --count 24 -o masks
  tmad masks --protocol free-form --size 512x768 --count 1000 --seed 7 -o masks

Writes mask-00000.png, mask-00001.png, … and masks.jsonl, which holds a line per mask: its file, \
its seed, and the area of its hole.";

/// Kinds of masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// A rectangle of 96 to 128 pixels per side (at 256) at a random place
    Rectangle,
    /// One to three random brush strokes
    FreeForm,
    /// The central half of each side, the same for every mask
    Centre,
}

impl Protocol {
    fn generate(self, size: MaskSize, seed: u64) -> Mask {
        let MaskSize { width, height } = size;
        match self {
            Self::Rectangle => RectangleMask::default().generate(width, height, seed),
            Self::FreeForm => FreeFormMask::default().generate(width, height, seed),
            Self::Centre => centre_rectangle(width, height),
        }
    }
}

/// Options of `tmad masks`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MasksArgs {
    /// Kind of masks
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// Pixels per side, or WIDTHxHEIGHT
    #[arg(long, value_name = "PX", default_value = "256")]
    size: MaskSize,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// The same seed gives the same masks, on every machine
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Folder to write to; created if it does not exist
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Width and height of a mask, or of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskSize {
    pub width: u32,
    pub height: u32,
}

impl FromStr for MaskSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Enough for any picture, and a mask still fits into memory.
        const LARGEST: u32 = 32_768;
        let (width, height) = text.split_once(['x', '×']).unwrap_or((text, text));
        let side = |text: &str| {
            text.parse()
                .ok()
                .filter(|side| (1..=LARGEST).contains(side))
                .ok_or_else(|| {
                    format!("give a number of pixels such as 256, or 640x480, up to {LARGEST}")
                })
        };
        Ok(Self {
            width: side(width)?,
            height: side(height)?,
        })
    }
}

/// A line of masks.jsonl.
#[derive(Serialize)]
struct Entry {
    file: String,
    seed: u64,
    width: u32,
    height: u32,
    hole_area_px: usize,
    hole_fraction: f64,
}

/// Runs the command.
///
/// # Errors
///
/// If the folder or a file cannot be written.
pub fn run(args: &MasksArgs, terminal: &Terminal) -> Result<()> {
    let folder = args.output.display();
    fs::create_dir_all(&args.output).with_context(|| format!("cannot create {folder}"))?;
    let bar = terminal.progress_bar(args.count.into(), "masks {wide_bar} {pos}/{len} {eta:>4}");
    let mut list = Vec::new();
    let mut fractions = 0.0;
    for index in 0..args.count {
        let seed = stream(args.seed, index.into());
        let mask = args.protocol.generate(args.size, seed);
        let file = format!("mask-{index:05}.png");
        let mut png = Cursor::new(Vec::new());
        mask.to_gray().write_to(&mut png, ImageFormat::Png)?;
        write_file(&args.output.join(&file), png.get_ref())?;
        let entry = Entry {
            file,
            seed,
            width: mask.width(),
            height: mask.height(),
            hole_area_px: mask.hole_area(),
            hole_fraction: mask.hole_fraction(),
        };
        fractions += entry.hole_fraction;
        serde_json::to_writer(&mut list, &entry)?;
        list.push(b'\n');
        bar.inc(1);
    }
    write_file(&args.output.join("masks.jsonl"), &list)?;
    bar.finish_and_clear();
    terminal.note(format_args!(
        "{} masks in {folder}, holes of {:.1} % on average",
        args.count,
        100.0 * fractions / f64::from(args.count.max(1))
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_side_or_two() {
        let size = |width, height| Ok(MaskSize { width, height });
        assert_eq!("256".parse(), size(256, 256));
        assert_eq!("640x480".parse(), size(640, 480));
        for wrong in ["", "0", "x", "3x", "-1", "99999"] {
            assert!(wrong.parse::<MaskSize>().is_err(), "{wrong}");
        }
    }
}
