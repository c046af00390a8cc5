//! `tmad train`: a folder of pictures in, weights out.

use crate::device::DeviceChoice;
use crate::interrupt;
use crate::precision::PrecisionChoice;
use crate::terminal::{Terminal, UsageError};
use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tmad_train::config::TrainConfig;
use tmad_train::{Ending, Event, TrainOptions};

const EXAMPLES: &str = "\
Examples:
  tmad train --data pictures --out run
  tmad train --data pictures --out run --resume
  tmad pack pictures -o pictures.tmad && tmad train --data pictures.tmad --out run
  tmad train --data pictures --out run --config rectangle.json --time-limit 8h

The folder of the run holds the configuration with every default written out (config.json, a \
template for --config), a log with a JSON object per line (log.jsonl), the same for TensorBoard, \
checkpoints, a preview for each of them, and the averaged weights that `tmad inpaint --weights` \
takes. Ctrl-C writes a checkpoint and ends the run.";

/// Options of `tmad train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArgs {
    /// Folder of pictures (JPEG, PNG, WebP), searched recursively, or a file that `tmad pack` made
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Folder of the run; created if it does not exist
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Configuration as JSON; what it leaves out keeps its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on from the newest intact checkpoint of the run
    #[arg(long, conflicts_with_all = ["config", "init"])]
    resume: bool,
    /// Start from these weights instead of random ones
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// Feature network of the perceptual loss: VGG-19 or SqueezeNet 1.1 with torchvision's names,
    /// as safetensors or PyTorch's .pth. Without it that loss is left out
    #[arg(long, value_name = "FILE")]
    perceptual_weights: Option<PathBuf>,
    /// End with a checkpoint after this time, such as 25m or 8h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    time_limit: Option<Duration>,
    /// Time between checkpoints, and with them previews
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    checkpoint_every: Duration,
    /// Checkpoints that are kept
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
    /// What to train on
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// How exactly convolutions multiply [default: that of the configuration, or auto: the fastest
    /// that the processor has]. The run keeps it
    #[arg(long, value_enum, conflicts_with = "resume")]
    precision: Option<PrecisionChoice>,
    /// Split every batch among so many devices of that kind, whose gradients are added up
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

/// Runs the command.
///
/// # Errors
///
/// If the configuration, the pictures or the run's folder cannot be used, or the training
/// diverges.
pub fn run(args: &TrainArgs, terminal: &Terminal) -> Result<()> {
    // Before anything is created in the run's folder.
    if !args.data.is_file() {
        check_is_folder(&args.data, "give the folder of the training pictures")?;
    }
    if args.resume {
        check_is_folder(&args.out, "start without --resume")?;
    }
    let mut config =
        (args.config.as_deref()).map_or_else(|| Ok(TrainConfig::default()), read_config)?;
    if let Some(precision) = args.precision {
        config.precision = precision.of_a_run();
    }
    let options = TrainOptions {
        data: args.data.clone(),
        out: args.out.clone(),
        config,
        resume: args.resume,
        init: args.init.clone(),
        perceptual_weights: args.perceptual_weights.clone(),
        time_limit: args.time_limit,
        checkpoint_every: args.checkpoint_every,
        keep: args.keep.into(),
        devices: args.device.open_several(args.workers.into())?,
        stop: interrupt::stop_flag(),
    };
    let mut display = Display::new(*terminal);
    let summary = tmad_train::train(&options, &mut |event| display.show(event));
    display.bar.finish_and_clear();
    let summary = summary?;
    let ending = match summary.ending {
        Ending::Finished => "training is finished",
        Ending::TimeLimit => "the time is up; go on with --resume",
        Ending::Stopped => "stopped; go on with --resume",
    };
    terminal.note(format_args!(
        "{ending}\nweights: {}\ncheckpoint: {}",
        summary.weights.display(),
        summary.checkpoint.display()
    ));
    Ok(())
}

fn check_is_folder(path: &Path, advice: &str) -> Result<()> {
    if !path.is_dir() {
        bail!("{} is no folder; {advice}", path.display());
    }
    Ok(())
}

fn read_config(path: &Path) -> Result<TrainConfig> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text)
        .map_err(|error| UsageError(format!("{name} is no training configuration: {error}")).into())
}

/// Events as a bar on a terminal and as lines everywhere.
struct Display {
    terminal: Terminal,
    bar: ProgressBar,
}

impl Display {
    fn new(terminal: Terminal) -> Self {
        Self {
            bar: terminal.progress_bar(1, "{prefix} {wide_bar} {pos}/{len} {msg}"),
            terminal,
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Stage {
                stage,
                step,
                steps,
                pictures,
                precision,
            } => {
                self.bar.set_prefix(format!("stage {}", stage + 1));
                self.bar.set_length(*steps);
                self.bar.set_position(*step);
                self.line(format!(
                    "stage {}: step {step} of {steps}, {pictures} pictures, {precision}",
                    stage + 1
                ));
            }
            Event::Step {
                step,
                steps,
                losses,
                news,
                pictures_per_second,
                seconds_left,
                ..
            } => {
                let left = Duration::from_secs(seconds_left.max(0.0) as u64);
                let message = format!(
                    "{}{}{pictures_per_second:.1} pictures/s, {} left",
                    listed(losses, 4),
                    listed(news, 4),
                    humantime::format_duration(left)
                );
                self.bar.set_position(*step);
                if self.bar.is_hidden() {
                    self.line(format!("step {step}/{steps}: {message}"));
                } else {
                    self.bar.set_message(message);
                }
            }
            Event::Validation { step, psnr, .. } => {
                let psnr = listed(psnr, 2);
                self.line(format!("step {step}: PSNR over the hole {psnr}dB"));
            }
            Event::Checkpoint { path } => self.line(format!("checkpoint {}", path.display())),
            Event::Warning { message } => self.line(format!("warning: {message}")),
        }
    }

    fn line(&self, text: String) {
        self.bar.suspend(|| self.terminal.note(text));
    }
}

/// `name value, name value, `
fn listed(values: &[(String, f64)], digits: usize) -> String {
    values
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            let _ = write!(text, "{name} {value:.digits$}, ");
            text
        })
}
