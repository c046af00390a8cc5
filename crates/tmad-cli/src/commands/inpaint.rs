//! `tmad inpaint`: a picture and a mask in, the picture with its hole filled out.

use crate::interrupt::{self, Interrupted};
use crate::mask_file::MaskArgs;
use crate::method::{EngineArgs, Method};
use crate::output::OutputFile;
use crate::photo::PhotoFile;
use crate::terminal::Terminal;
use anyhow::{Result, bail};
use clap::Args;
use inpaint_core::{Control, InpaintError};
use inpaint_photo::{EncodeOptions, Limits};
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  tmad inpaint photo.jpg --mask mask.png -o out.jpg
  tmad inpaint scan.tif -m scratches.png --grow 3 -o scan-clean.tif
  tmad inpaint photo.png -m keep.png --invert-mask --method patchmatch -o out.png

White in the mask is filled, black is kept. The mask has the photo's size as people see it: an \
EXIF rotation is applied to the photo before. Outside the hole nothing changes, not even \
the last bit, if the output is PNG, TIFF, WebP (written without loss) or BMP of the same depth.";

/// Options of `tmad inpaint`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InpaintArgs {
    /// Picture with a part to replace (JPEG, PNG, WebP, TIFF, BMP)
    photo: PathBuf,
    #[command(flatten)]
    mask: MaskArgs,
    /// Where the result goes; its extension is the format. May be the photo itself
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What fills the hole
    #[arg(long, value_enum, default_value_t = Method::Tmad)]
    method: Method,
    #[command(flatten)]
    engine: EngineArgs,
    /// Seed of methods that draw random numbers (patchmatch)
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Quality of JPEG output; if not given, that of a JPEG photo itself, and 95 for others
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    jpeg_quality: Option<u8>,
    /// Leave out EXIF, XMP, colour profile, density, captions and comments
    #[arg(long)]
    strip: bool,
    /// Largest picture to decode; small files can hold pictures that fill the memory
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_megapixels: u32,
}

/// Runs the command.
///
/// # Errors
///
/// If anything cannot be read, filled or written; then the output file is as it was before.
pub fn run(args: &InpaintArgs, terminal: &Terminal) -> Result<()> {
    let output = OutputFile::new(&args.output)?;
    let limits = Limits::megapixels(args.max_megapixels);
    let mut file = PhotoFile::read(&args.photo, &limits)?;
    let hole = args.mask.read(&file.photo, &limits)?;
    let mask = hole.mask();
    let options = EncodeOptions {
        jpeg_quality: args.jpeg_quality,
        strip: args.strip,
    };
    if mask.is_empty() {
        terminal.note(format_args!(
            "the mask marks nothing, so the output is the input ({})",
            args.mask.inversion_hint()
        ));
        return copy(&file, &output, &options, terminal);
    }
    if mask.is_full() {
        bail!(
            "the mask covers the whole picture, so there is nothing to fill it from; {}",
            args.mask.inversion_hint()
        );
    }
    let percent = 100.0 * mask.hole_fraction();
    if percent > 50.0 {
        terminal.warn(format_args!(
            "{percent:.0} % of the picture will be replaced; {}",
            args.mask.inversion_hint()
        ));
    }

    args.engine.limit_threads()?;
    let method = args.engine.load(args.method)?;
    let bar = terminal.progress_bar(1000, "{msg:24} {wide_bar} {percent:>3} % {eta:>4}");
    let control = Control::with_seed(args.seed)
        .with_cancel_flag(interrupt::stop_flag())
        .on_progress({
            let bar = bar.clone();
            move |fraction, stage| {
                bar.set_message(stage.to_owned());
                bar.set_position((fraction * 1000.0) as u64);
            }
        });
    let start = Instant::now();
    let completed = method.inpaint(&file.photo.to_rgb(), mask, &control);
    bar.finish_and_clear();
    let completed = match completed {
        Err(InpaintError::Cancelled) => return Err(Interrupted.into()),
        completed => completed?,
    };
    let seconds = start.elapsed().as_secs_f64();
    file.photo.fill_hole(&completed, &hole)?;
    output.write(&file.photo, &options, terminal)?;
    terminal.note(format_args!(
        "{}: {} pixels ({percent:.1} %) filled by {} in {seconds:.1} s",
        args.output.display(),
        mask.hole_area(),
        method.name(),
    ));
    Ok(())
}

/// The photo as it is: byte by byte if nothing else is asked for, so that a JPEG loses nothing.
fn copy(
    file: &PhotoFile,
    output: &OutputFile,
    options: &EncodeOptions,
    terminal: &Terminal,
) -> Result<()> {
    if file.photo.format() == output.format() && *options == EncodeOptions::default() {
        return output.write_bytes(&file.bytes);
    }
    output.write(&file.photo, options, terminal)
}
