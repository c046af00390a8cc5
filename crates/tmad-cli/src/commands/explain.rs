//! `tmad explain`: where the texture of a result comes from, as a figure and as numbers.

use crate::interrupt::{self, Interrupted};
use crate::mask_file::MaskArgs;
use crate::method::EngineArgs;
use crate::output::{OutputFile, check_folder, write_file};
use crate::photo::{check_there, read_photo};
use crate::terminal::Terminal;
use anyhow::{Result, bail};
use clap::Args;
use image::DynamicImage;
use inpaint_core::{ExplainedPatch, InpaintError, OriginKind, Square, TextureMethod, figure};
use inpaint_photo::{ImageFormat, Limits};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tmad explain photo.png --mask mask.png -o figure.png
  tmad explain photo.png --mask mask.png --json - | jq '.patches[0].candidates'

The figure shows input, coarse guess, result and the place that every pixel's texture comes from \
(redder from further right, greener from further down), and for some patches of the hole the \
windows that the texture memory retrieved: by rank, with their scores, and where in the picture \
they lie. The JSON holds all patches, in pixels of the photo, and the shares of the hole by the \
kind of source that patch synthesis chose.";

/// Options of `tmad explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("outputs").required(true).multiple(true))]
pub struct ExplainArgs {
    /// Picture with a part to replace (JPEG, PNG, WebP, TIFF, BMP)
    photo: PathBuf,
    #[command(flatten)]
    mask: MaskArgs,
    /// Where the figure goes; its extension is the format
    #[arg(short, long, value_name = "FILE", group = "outputs")]
    output: Option<PathBuf>,
    /// Where all patches and candidates go as JSON; `-` is standard output
    #[arg(long, value_name = "FILE", group = "outputs")]
    json: Option<PathBuf>,
    /// Patches in the figure at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    patches: u8,
    #[command(flatten)]
    engine: EngineArgs,
    /// Seed, for weights whose memory holds a random choice of windows
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Largest picture to decode; small files can hold pictures that fill the memory
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_megapixels: u32,
}

#[derive(Serialize)]
struct Json {
    width: u32,
    height: u32,
    patches: Vec<JsonPatch>,
    /// Shares of the hole's pixels by what was chosen for them.
    chosen: BTreeMap<&'static str, f64>,
}

/// A patch of the hole; `x` and `y` are below 0 where it reaches beyond the photo.
#[derive(Serialize)]
struct JsonPatch {
    x: i64,
    y: i64,
    side: u32,
    candidates: Vec<JsonCandidate>,
}

#[derive(Serialize)]
struct JsonCandidate {
    rank: usize,
    x: i64,
    y: i64,
    side: u32,
    score: f32,
}

impl JsonPatch {
    fn new(patch: &ExplainedPatch) -> Self {
        let Square { x, y, side } = patch.place;
        let candidates = (patch.candidates.iter().zip(1..))
            .map(|(candidate, rank)| JsonCandidate {
                rank,
                x: candidate.source.x,
                y: candidate.source.y,
                side: candidate.source.side,
                score: candidate.score,
            })
            .collect();
        Self {
            x,
            y,
            side,
            candidates,
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If anything cannot be read, filled or written.
pub fn run(args: &ExplainArgs, terminal: &Terminal) -> Result<()> {
    check_there(&args.photo)?;
    let output = args.output.as_deref().map(OutputFile::new).transpose()?;
    if let Some(path) = args.json.as_deref() {
        check_folder(path)?;
    }
    let limits = Limits::megapixels(args.max_megapixels);
    let photo = read_photo(&args.photo, &limits)?;
    let hole = args.mask.read(&photo, &limits)?;
    let mask = hole.mask();
    if mask.is_empty() {
        bail!(
            "the mask marks nothing, so there is nothing to explain; {}",
            args.mask.inversion_hint()
        );
    }

    args.engine.prepare()?;
    terminal.detail(&args.engine);
    let method = args.engine.load_tmad(&args.engine.open_device()?)?;
    let (control, bar) = terminal.control(args.seed, interrupt::stop_flag());
    let image = photo.to_rgb().into_owned();
    let explanation = method.explain(&image, mask, &control);
    bar.finish_and_clear();
    let explanation = match explanation {
        Err(InpaintError::Cancelled) => return Err(Interrupted.into()),
        explanation => explanation?,
    };
    if let Some(output) = output {
        let figure = figure(&image, mask, &explanation, args.patches.into());
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(figure)
            .write_to(&mut bytes, output.format().unwrap_or(ImageFormat::Png))?;
        output.write_bytes(bytes.get_ref())?;
    }
    if let Some(path) = args.json.as_deref() {
        let json = Json {
            width: image.width(),
            height: image.height(),
            patches: explanation.patches.iter().map(JsonPatch::new).collect(),
            chosen: (OriginKind::ALL.map(OriginKind::name).into_iter())
                .zip(explanation.shares())
                .collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&json)?;
        bytes.push(b'\n');
        write_file(path, &bytes)?;
    }
    Ok(())
}
