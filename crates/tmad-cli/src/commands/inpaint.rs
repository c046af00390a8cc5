//! `tmad inpaint`: a picture and a mask in, the picture with its hole filled out; or a folder of
//! them.

use crate::commands::inpaint_folder::{self, FolderArgs, Items};
use crate::interrupt;
use crate::job::{Engine, Filled, Job};
use crate::location::Location;
use crate::mask_file::MaskArgs;
use crate::method::{EngineArgs, Method};
use crate::stream;
use crate::terminal::{Terminal, UsageError};
use anyhow::Result;
use clap::Args;
use inpaint_core::Control;
use inpaint_photo::{EncodeOptions, ImageFormat, Limits, WRITABLE, format_of_extension};
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  tmad inpaint photo.jpg --mask mask.png -o out.jpg
  tmad inpaint photo.jpg --box 1200,800,300,450 --feather 4 -o out.jpg
  tmad inpaint cutout.png --mask alpha -o whole.png
  tmad inpaint scan.tif -m scratches.png --grow 3 -o scan-clean.tif
  tmad inpaint a.jpg b.jpg -m masks -o clean
  curl https://example.org/photo.jpg | tmad inpaint - --box 40,60,120,80 -o - > out.jpg
  tmad inpaint photo.jpg --mask mask.png --coarse-model lama.onnx -o out.jpg
  tmad inpaint photos -m watermark.png -o clean --recursive --skip-existing

White in the mask is filled, black is kept. The mask has the photo's size as people see it: an \
EXIF rotation is applied to the photo before. Outside the hole nothing changes, not even \
the last bit, if the output is PNG, TIFF, WebP (written without loss) or BMP of the same depth.

Several photos, or a folder's, are written under the same names, in the same formats. Object stores (s3://, \
gs://, az://) take the place of files and folders in builds with the feature `object-store`.";

/// Options of `tmad inpaint`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InpaintArgs {
    /// Picture with a part to replace (JPEG, PNG, WebP, TIFF, BMP), several, or a folder of them;
    /// - is standard input
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<OsString>,
    #[command(flatten)]
    mask: MaskArgs,
    /// Where the result goes; its extension is the format. May be the photo itself. For several
    /// photos a folder, for a folder of photos another one. - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: OsString,
    /// Format of the result (png, jpg, webp, tiff, bmp), whatever its name; if not given, by the
    /// extension, and on standard output the photo's own
    #[arg(long, value_parser = parse_format)]
    format: Option<ImageFormat>,
    /// What fills the hole
    #[arg(long, value_enum, default_value_t = Method::Tmad)]
    method: Method,
    /// Another project's network (ONNX) in the coarse network's place; a JSON file of the same
    /// name beside it may describe it (docs/onnx.md)
    #[arg(long, value_name = "FILE")]
    coarse_model: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Seed of methods that draw random numbers: patchmatch, and tmad, which starts from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Quality of JPEG output; if not given, that of a JPEG photo itself, and 95 for others
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    jpeg_quality: Option<u8>,
    /// Colour under transparent parts where the output format holds none (JPEG): red, green and
    /// blue in hexadecimal digits
    #[arg(long, value_name = "RRGGBB", default_value = "ffffff", value_parser = parse_colour)]
    background: Colour,
    /// Leave out EXIF, XMP, colour profile, density, captions and comments
    #[arg(long)]
    strip: bool,
    /// Largest picture to decode; small files can hold pictures that fill the memory
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_megapixels: u32,
    /// Print a line of JSON for each picture on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

/// Runs the command.
///
/// # Errors
///
/// If anything cannot be read, filled or written; then the output file is as it was before.
pub fn run(args: &InpaintArgs, terminal: &Terminal) -> Result<()> {
    let location = |name: &str, argument: &OsStr| {
        let usage = |reason| UsageError(format!("{name} {}: {reason}", argument.display()));
        Location::parse(argument).map_err(usage)
    };
    let output = location("--output", &args.output)?;
    let mut photos = Vec::new();
    for photo in &args.photos {
        photos.push(location("the photo", photo)?);
    }
    let num_folders = photos.iter().map(Location::is_folder);
    let num_folders = num_folders
        .collect::<Result<Vec<bool>>>()?
        .into_iter()
        .filter(|&f| f)
        .count();
    if (num_folders > 0 || photos.len() > 1) && (args.format.is_some() || output.is_stream()) {
        let message = "the results of a folder or of several photos keep their formats and names; \
                       give --output a folder and leave --format away";
        return Err(UsageError(message.to_owned()).into());
    }
    let what = match (&photos[..], num_folders) {
        ([photo], 0) => {
            args.folder.refuse(&photo.to_string())?;
            // What is wrong with the photo itself is said first.
            let file = photo.read()?;
            What::One(photo, file, check_output(&output, args.format)?)
        }
        ([folder], _) => {
            if !args.folder.is_batch() && output_format(&output).is_ok() {
                let message = format!(
                    "{folder} is a folder; give a picture file, or a folder for the results with \
                     --output"
                );
                return Err(UsageError(message).into());
            }
            What::Folder(folder)
        }
        (several, 0) => {
            args.folder.refuse("a list of photos")?;
            if output_format(&output).is_ok() && !output.is_folder()? {
                let message = format!("{output} is one file; several photos need a folder");
                return Err(UsageError(message).into());
            }
            What::Several(several)
        }
        _ => {
            let message = "give one folder, or several photos".to_owned();
            return Err(UsageError(message).into());
        }
    };
    if args.json && output.is_stream() {
        let message = "--json and --output - both want standard output".to_owned();
        return Err(UsageError(message).into());
    }
    let report = Report {
        json: args.json,
        names_photos: !matches!(what, What::One(..)),
        terminal,
    };
    if let What::One(photo, ..) = what
        && args.folder.skips_existing()
        && output.exists()?
    {
        terminal.note(format_args!("{output} is there already; left alone"));
        report.skipped(&photo.to_string(), &output.to_string());
        return Ok(());
    }
    let masks = args.mask.open()?;
    let masks = match what {
        What::One(..) => masks.of_one_photo()?,
        _ => masks,
    };
    let job = Job {
        engine: Engine::new(&args.engine, args.method, args.coarse_model.as_deref()),
        mask_args: &args.mask,
        masks,
        limits: Limits::megapixels(args.max_megapixels),
        options: EncodeOptions {
            jpeg_quality: args.jpeg_quality,
            background: args.background.0,
            strip: args.strip,
        },
    };
    args.engine.prepare()?;
    terminal.detail(&args.engine);
    let stop = interrupt::stop_flag();
    let control = || Control::with_seed(args.seed).with_cancel_flag(Arc::clone(&stop));
    let many =
        |items: Items| inpaint_folder::run(&args.folder, &job, &items, &control(), &stop, &report);
    match what {
        What::One(photo, file, format) => {
            let output = (&output, format);
            one(
                args,
                &job,
                (photo, file),
                output,
                Arc::clone(&stop),
                &report,
            )
        }
        What::Folder(folder) => many(Items::of_folder(&args.folder, &job, folder, &output)?),
        What::Several(photos) => many(Items::listed(photos, &output)?),
    }
}

/// What there is to fill.
enum What<'a> {
    /// A photo, its file, and the format of the result; none is the photo's own.
    One(&'a Location, Vec<u8>, Option<ImageFormat>),
    Several(&'a [Location]),
    Folder(&'a Location),
}

/// Red, green and blue.
#[derive(Debug, Clone, Copy)]
struct Colour([u8; 3]);

fn parse_colour(text: &str) -> Result<Colour, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let number = u32::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 6);
    let [_, r, g, b] = number
        .ok_or("give six hexadecimal digits, as in ffffff for white")?
        .to_be_bytes();
    Ok(Colour([r, g, b]))
}

/// Fills one picture.
fn one(
    args: &InpaintArgs,
    job: &Job,
    (photo, file): (&Location, Vec<u8>),
    (output, format): (&Location, Option<ImageFormat>),
    stop: Arc<AtomicBool>,
    report: &Report,
) -> Result<()> {
    let (control, bar) = (report.terminal).control(args.seed, Arc::clone(&stop));
    let start = Instant::now();
    let (mut name, mut target) = (photo.to_string(), output.to_string());
    if photo.is_stream() {
        name = "standard input".to_owned();
    }
    if output.is_stream() {
        target = "standard output".to_owned();
    }
    let filled = job.run(&name, file, &target, format, &control);
    bar.finish_and_clear();
    let filled = filled.and_then(|mut filled| {
        if stop.load(Ordering::Relaxed) {
            return Err(interrupt::Interrupted.into());
        }
        output.write(std::mem::take(&mut filled.bytes))?;
        Ok(filled)
    });
    match filled {
        Ok(filled) => {
            report.done(&name, &target, &filled, start.elapsed());
            if filled.num_pixels > 0 {
                report.terminal.note(format_args!(
                    "{target}: {} pixels ({:.1} %) filled by {} in {:.1} s",
                    filled.num_pixels,
                    // Rounding must not make a part the whole.
                    (100.0 * filled.fraction).min(99.9),
                    job.engine.get()?.name(),
                    start.elapsed().as_secs_f64(),
                ));
            }
            Ok(())
        }
        Err(error) => {
            report.failed(&name, &error);
            Err(error)
        }
    }
}

/// The format that is asked for, by name or by the output's extension. The output must be a file
/// or standard output.
fn check_output(output: &Location, named: Option<ImageFormat>) -> Result<Option<ImageFormat>> {
    if output.is_stream() {
        stream::check_output()?;
        return Ok(named);
    }
    if output.is_folder()? {
        let message = format!("{output} is a folder; give the name of the file to write");
        return Err(UsageError(message).into());
    }
    let format = match named {
        Some(format) => format,
        None => output_format(output)?,
    };
    output.check_parent()?;
    Ok(Some(format))
}

fn parse_format(name: &str) -> Result<ImageFormat, String> {
    format_of_extension(name).ok_or_else(|| format!("use one of {WRITABLE}"))
}

fn output_format(output: &Location) -> Result<ImageFormat, UsageError> {
    format_of_extension(&output.extension()).ok_or_else(|| {
        UsageError(format!(
            "{output} does not end in a format that can be written; use one of {WRITABLE}"
        ))
    })
}

/// Tells about pictures, to people and to programs.
pub struct Report<'a> {
    pub json: bool,
    /// Warnings say which photo they are about.
    pub names_photos: bool,
    pub terminal: &'a Terminal,
}

impl Report<'_> {
    /// A picture is written.
    pub fn done(&self, photo: &str, output: &str, filled: &Filled, took: Duration) {
        for warning in &filled.warnings {
            if self.names_photos {
                self.terminal.warn(format_args!("{photo}: {warning}"));
            } else {
                self.terminal.warn(warning);
            }
        }
        self.line(&json!({
            "photo": photo,
            "output": output,
            "status": if filled.num_pixels > 0 { "filled" } else { "copied" },
            "pixels": filled.num_pixels,
            "fraction": filled.fraction,
            "seconds": took.as_secs_f64(),
            "warnings": filled.warnings,
        }));
    }

    /// The result was there already.
    pub fn skipped(&self, photo: &str, output: &str) {
        self.line(&json!({ "photo": photo, "output": output, "status": "skipped" }));
    }

    /// Nothing is written for a picture.
    pub fn failed(&self, photo: &str, error: &anyhow::Error) {
        self.line(&json!({
            "photo": photo,
            "status": "failed",
            "error": Terminal::words(error),
        }));
    }

    fn line(&self, line: &serde_json::Value) {
        static ONE_LINE_AT_A_TIME: Mutex<()> = Mutex::new(());
        if self.json {
            let _one = ONE_LINE_AT_A_TIME
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Whoever stops reading has seen enough; the pictures are still wanted.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}
