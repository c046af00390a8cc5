//! `tmad refine`: texture after another method's result.

use crate::interrupt::{self, Interrupted};
use crate::mask_file::MaskArgs;
use crate::method::EngineArgs;
use crate::output::OutputFile;
use crate::photo::{check_there, read_photo};
use crate::terminal::Terminal;
use anyhow::{Context, Result, bail};
use clap::Args;
use inpaint_core::{InpaintError, Size, TextureMethod};
use inpaint_photo::{EncodeOptions, Limits};
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  tmad refine photo.png --mask mask.png --coarse lama.png -o out.png
  tmad refine photo.jpg --mask mask.png --coarse deepfill.png -o out.jpg --weights mine.safetensors

The coarse picture is another method's result, of the photo's size. Its hole is taken as the \
guess of the structure, to which texture memory and patch synthesis network add texture; outside \
the hole it is not looked at.";

/// Options of `tmad refine`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RefineArgs {
    /// Picture with a part to replace (JPEG, PNG, WebP, TIFF, BMP); - is standard input
    photo: PathBuf,
    #[command(flatten)]
    mask: MaskArgs,
    /// The photo with its hole filled by another method
    #[arg(long, value_name = "FILE")]
    coarse: PathBuf,
    /// Where the result goes; its extension is the format. May be the photo itself, or - for
    /// standard output in the photo's format
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
    /// Seed, for weights whose memory holds a random choice of windows
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Quality of JPEG output; if not given, that of a JPEG photo itself, and 95 for others
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    jpeg_quality: Option<u8>,
    /// Largest picture to decode; small files can hold pictures that fill the memory
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_megapixels: u32,
}

/// Runs the command.
///
/// # Errors
///
/// If anything cannot be read, refined or written; then the output file is as it was before.
pub fn run(args: &RefineArgs, terminal: &Terminal) -> Result<()> {
    check_there(&args.photo)?;
    let output = OutputFile::new(&args.output)?;
    let limits = Limits::megapixels(args.max_megapixels);
    let mut photo = read_photo(&args.photo, &limits)?;
    let hole = args.mask.read(&photo, &limits)?;
    let mask = hole.mask();
    let coarse = read_photo(&args.coarse, &limits).context("the coarse picture cannot be used")?;
    if coarse.dimensions() != photo.dimensions() {
        bail!(
            "{} is {}, the photo is {}; a result to refine needs the photo's exact size",
            args.coarse.display(),
            Size::from(coarse.dimensions()),
            Size::from(photo.dimensions()),
        );
    }
    if mask.is_empty() {
        terminal.note(format_args!(
            "the mask marks nothing, so the output is the input ({})",
            args.mask.inversion_hint()
        ));
    }

    args.engine.prepare()?;
    terminal.detail(&args.engine);
    let method = args.engine.load_tmad(&args.engine.open_device()?)?;
    let (control, bar) = terminal.control(args.seed, interrupt::stop_flag());
    let (image, guess) = (photo.to_rgb().into_owned(), coarse.to_rgb());
    let start = Instant::now();
    let refined = method.refine(&image, &guess, mask, &control);
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let refined = match refined {
        Err(InpaintError::Cancelled) => return Err(Interrupted.into()),
        refined => refined?,
    };
    drop(image);
    photo.fill_hole(&refined, &hole)?;
    let options = EncodeOptions {
        jpeg_quality: args.jpeg_quality,
        ..EncodeOptions::default()
    };
    output.write(&photo, &options, terminal)?;
    terminal.note(format_args!(
        "{}: {} pixels refined; refining adds {seconds:.2} s",
        args.output.display(),
        mask.hole_area(),
    ));
    Ok(())
}
