//! `tmad eval`: methods measured on the same pictures and masks.

use crate::method::EngineArgs;
use crate::method_spec::MethodSpec;
use crate::terminal::{Terminal, UsageError};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use inpaint_core::{Inpainter, TextureMethod};
use std::io::{self, Write};
use std::path::PathBuf;
use tmad_eval::{EvalOptions, InceptionResize, Output, Protocol, evaluate};

const EXAMPLES: &str = "\
Examples:
  tmad eval --data kodak --protocol centre
  tmad eval --data places --protocol free-form --limit 500 --out report --metric-weights weights
  tmad eval --data kodak --protocol masks --methods patchmatch --outputs lama=results/lama
  tmad eval --data kodak --methods tmad,tmad:candidates=1,tmad:retrieval=soft,tmad:memory=paper
  tmad eval --data kodak --methods tmad --outputs lama=results/lama --refine lama

Files in --metric-weights: squeezenet1_1, alexnet or vgg16 with lpips_squeeze_v0_1, lpips_alex_v0_1 \
or lpips_vgg_v0_1 for LPIPS; pt_inception-2015-12-05-6726825d for FID, KID, P-IDS and U-IDS; all \
.safetensors. docs/evaluation.md says where they come from.

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
    /// Methods to run, separated by commas: tmad, coarse, patchmatch, telea; tmad with switches
    /// that need no training, separated by colons: candidates=N, retrieval=hard|soft|random,
    /// memory=all|paper; and ONNX files of other projects' networks, alone (lama.onnx) or with
    /// T-MAD's texture (lama.onnx+tmad)
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "METHODS",
        default_value = "tmad,coarse,patchmatch"
    )]
    methods: Vec<MethodSpec>,
    /// Results made elsewhere: a name and a folder of pictures with the names of the inputs
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    outputs: Vec<(String, PathBuf)>,
    /// Measure these results (a NAME of --outputs) once more with T-MAD's texture added, as
    /// NAME+tmad
    #[arg(long, value_name = "NAME")]
    refine: Vec<String>,
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
    /// Folder with weights of LPIPS and FID; what it lacks is left out
    #[arg(long, value_name = "DIR", alias = "lpips-weights")]
    metric_weights: Option<PathBuf>,
    /// How pictures are scaled for FID, KID, P-IDS and U-IDS
    #[arg(long, value_enum, default_value_t = FidResize::PytorchFid)]
    fid_resize: FidResize,
    /// Store truths, inputs, results and a contact sheet in the report, too
    #[arg(long, requires = "out")]
    save_images: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Preprocessing of the Inception network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FidResize {
    /// Bilinear without antialiasing, as pytorch-fid
    PytorchFid,
    /// Bicubic with antialiasing, as clean-fid
    CleanFid,
}

impl From<FidResize> for InceptionResize {
    fn from(resize: FidResize) -> Self {
        match resize {
            FidResize::PytorchFid => Self::PytorchFid,
            FidResize::CleanFid => Self::CleanFid,
        }
    }
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
    args.engine.prepare()?;
    let methods: Vec<Box<dyn Inpainter>> = (args.methods.iter())
        .map(|method| args.engine.load_spec(method))
        .collect::<Result<_>>()?;
    let methods: Vec<&dyn Inpainter> = methods.iter().map(|method| &**method).collect();
    let mut outputs: Vec<Output<'_>> = args.outputs.iter().cloned().map(Output::from).collect();
    let texture = match args.refine.is_empty() {
        true => None,
        false => Some(args.engine.load_tmad(&args.engine.open_device()?)?),
    };
    for name in &args.refine {
        let Some((_, folder)) = args.outputs.iter().find(|(other, _)| other == name) else {
            bail!("--refine {name} needs the results: --outputs {name}=FOLDER");
        };
        outputs.push(Output {
            name: format!("{name}+tmad"),
            folder: folder.clone(),
            refined_by: texture.as_ref().map(|tmad| tmad as &dyn TextureMethod),
        });
    }
    let options = EvalOptions {
        data: args.data.clone(),
        protocol,
        size: args.size,
        seed: args.seed,
        limit: args.limit,
        out: args.out.clone(),
        weights: args.metric_weights.clone(),
        inception_resize: args.fid_resize.into(),
        save_images: args.save_images,
    };
    let bar = terminal.progress_bar(0, "{msg:32} {wide_bar} {pos}/{len} {eta:>4}");
    let report = evaluate(&options, &methods, &outputs, &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} {}", progress.method, progress.picture));
    });
    bar.finish_and_clear();
    writeln!(io::stdout(), "{}", report?.to_markdown())?;
    Ok(())
}
