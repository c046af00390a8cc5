//! The `tmad` command: fills holes in photographs, trains the networks that do so, and measures
//! them.

#![forbid(unsafe_code)]

mod coarse_model;
mod commands;
mod device;
mod interrupt;
mod job;
mod location;
mod mask_file;
mod mask_names;
mod method;
#[cfg(feature = "eval")]
mod method_spec;
mod output;
mod photo;
mod precision;
mod remote;
mod shard;
mod stream;
mod terminal;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Networks allocate and free the same large blocks again and again.
#[global_allocator]
static ALLOCATOR: tmad_ops::memory::Keeping = tmad_ops::memory::Keeping;

const EXAMPLES: &str = "\
Examples:
  tmad inpaint photo.jpg --mask mask.png -o out.jpg
  tmad masks --protocol free-form --size 256 --count 100 --seed 0 -o masks
  tmad train --data pictures --out run --time-limit 8h
  tmad eval --data pictures --protocol centre --out report
  tmad serve
  tmad explain photo.jpg --mask mask.png -o figure.png
  tmad info

Options of `serve` and of the networks can be given as environment variables, too (TMAD_…, see \
their help). Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// Fill holes in photographs with T-MAD, texture memory-augmented patch-based inpainting.
#[derive(Parser)]
#[command(name = "tmad", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print errors only: no notes, no progress bars
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more: what computes, how long each stage takes, more of the service's log
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

#[derive(Subcommand)]
enum Command {
    /// Fill the hole of a picture, or of all pictures in a folder
    Inpaint(commands::inpaint::InpaintArgs),
    /// Add texture to another method's result
    Refine(commands::refine::RefineArgs),
    /// Show where the texture of a filled hole comes from
    Explain(commands::explain::ExplainArgs),
    /// Train the networks on a folder of pictures
    #[cfg(feature = "train")]
    Train(commands::train::TrainArgs),
    /// Pack a folder of pictures into one file for `tmad train`
    #[cfg(feature = "train")]
    Pack(commands::pack::PackArgs),
    /// Measure methods, and results made elsewhere, on the same pictures and masks
    #[cfg(feature = "eval")]
    Eval(commands::eval::EvalArgs),
    /// Draw masks for training or evaluation, the same for a seed on every machine
    Masks(commands::masks::MasksArgs),
    /// Open a web page and an HTTP API for the methods
    #[cfg(feature = "serve")]
    Serve(commands::serve::ServeArgs),
    /// Show the networks' sizes, where the weights come from, and the devices
    Info(commands::info::InfoArgs),
    /// Time the networks, stage by stage
    Bench(commands::bench::BenchArgs),
    /// Turn a checkpoint into weights for `tmad inpaint`, or weights into ONNX files
    #[cfg(feature = "train")]
    Export(commands::export::ExportArgs),
    /// Print completions for a shell
    Completions(commands::shell::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(commands::shell::ManArgs),
    /// Run the network that standard input names, for a process that bounds it
    #[cfg(feature = "onnx")]
    #[command(name = coarse_model::WORKER, hide = true)]
    OnnxWorker,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let terminal = terminal::Terminal::new(match (cli.quiet, cli.verbose) {
        (true, _) => terminal::Verbosity::Errors,
        (false, false) => terminal::Verbosity::Notes,
        (false, true) => terminal::Verbosity::Details,
    });
    let result = match cli.command {
        Command::Inpaint(args) => commands::inpaint::run(&args, &terminal),
        Command::Refine(args) => commands::refine::run(&args, &terminal),
        Command::Explain(args) => commands::explain::run(&args, &terminal),
        #[cfg(feature = "train")]
        Command::Train(args) => commands::train::run(&args, &terminal),
        #[cfg(feature = "train")]
        Command::Pack(args) => commands::pack::run(&args, &terminal),
        #[cfg(feature = "eval")]
        Command::Eval(args) => commands::eval::run(&args, &terminal),
        Command::Masks(args) => commands::masks::run(&args, &terminal),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::run(&args, &terminal),
        Command::Info(args) => commands::info::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        #[cfg(feature = "train")]
        Command::Export(args) => commands::export::run(&args, &terminal),
        Command::Completions(args) => commands::shell::completions(&args, Cli::command()),
        Command::Man(args) => commands::shell::man(&args, Cli::command()),
        #[cfg(feature = "onnx")]
        Command::OnnxWorker => coarse_model::work(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if terminal::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.error(&error);
            terminal::exit_code(&error)
        }
    }
}
