//! `tmad eval`: methods measured on the same pictures and masks.

use crate::method::{EngineArgs, Method};
use crate::terminal::{Terminal, UsageError};
use anyhow::Result;
use clap::Args;
use inpaint_core::Inpainter;
use std::io::{self, Write};
use std::path::PathBuf;
use tmad_eval::{EvalOptions, LpipsWeights, Protocol, evaluate};

const EXAMPLES: &str = "\
Examples:
  tmad eval --data kodak --protocol centre
  tmad eval --data places --protocol free-form --limit 500 --out report --lpips-weights weights
  tmad eval --data kodak --protocol masks --methods patchmatch --outputs lama=results/lama

Each picture's central square is scaled to --size. The table goes to standard output. The \
report's folder gets the masks, a line per result, and report.html; started again after an \
interruption, the run goes on.";

/// Options of `tmad eval`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArgs {
    /// Folder of pictures, searched recursively
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// centre (half of each side), rectangle, free-form, or a folder of masks
    #[arg(long, value_name = "PROTOCOL", default_value = "centre")]
    protocol: String,
    /// Methods to run, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Method::Tmad, Method::Coarse, Method::Patchmatch])]
    methods: Vec<Method>,
    /// Results made elsewhere: a name and a folder of pictures with the names of the inputs
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    outputs: Vec<(String, PathBuf)>,
    /// Folder of the report; created if it does not exist
    #[arg(long, value_name = "REPORT")]
    out: Option<PathBuf>,
    /// Pixels per side
    #[arg(long, value_name = "PX", default_value_t = 256)]
    size: u32,
    /// Seed of masks and methods
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Use the first N pictures only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Folder with squeezenet1_1.safetensors and lpips_squeeze_v0_1.safetensors, for LPIPS
    #[arg(long, value_name = "DIR")]
    lpips_weights: Option<PathBuf>,
    /// Store truths, inputs, results and a contact sheet in the report, too
    #[arg(long, requires = "out")]
    save_images: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

fn named_folder(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), folder.into()))
        }
        _ => Err("give a name and a folder, such as lama=results/lama".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
///
/// If pictures, masks or weights cannot be read, a method fails, or the report cannot be written.
pub fn run(args: &EvalArgs, terminal: &Terminal) -> Result<()> {
    let protocol: Protocol =
        (args.protocol.parse()).map_err(|error| UsageError(format!("--protocol: {error}")))?;
    args.engine.limit_threads()?;
    let methods: Vec<Box<dyn Inpainter>> = (args.methods.iter())
        .map(|&method| args.engine.load(method))
        .collect::<Result<_>>()?;
    let methods: Vec<&dyn Inpainter> = methods.iter().map(|method| &**method).collect();
    let options = EvalOptions {
        data: args.data.clone(),
        protocol,
        size: args.size,
        seed: args.seed,
        limit: args.limit,
        out: args.out.clone(),
        lpips: args.lpips_weights.as_ref().map(|folder| LpipsWeights {
            backbone: folder.join("squeezenet1_1.safetensors"),
            linear: folder.join("lpips_squeeze_v0_1.safetensors"),
        }),
        save_images: args.save_images,
    };
    let bar = terminal.progress_bar(0, "{msg:32} {wide_bar} {pos}/{len} {eta:>4}");
    let report = evaluate(&options, &methods, &args.outputs, &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} {}", progress.method, progress.picture));
    });
    bar.finish_and_clear();
    writeln!(io::stdout(), "{}", report?.to_markdown())?;
    Ok(())
}
