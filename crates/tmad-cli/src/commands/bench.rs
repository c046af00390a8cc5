//! `tmad bench`: how long the networks take, stage by stage.

mod dump;
mod layers;
mod stages;

use crate::commands::masks::MaskSize;
use crate::method::EngineArgs;
use anyhow::{Context, Result, bail};
use clap::Args;
use inpaint_core::scene::render_background;
use inpaint_core::{Control, Mask};
use serde::Serialize;
use stages::Stages;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;
use tmad::model::{Inputs, Model, ModelConfig};
use tmad_ops::kernels::{Level, Precision, recording};

const EXAMPLES: &str = "\
Examples:
  tmad bench
  tmad bench --size 768x512 --hole 384x256 --threads 2 --json
  tmad bench --paper --train

A forward pass is what follows the reading of the picture and precedes the writing of the result: \
coarse network, embeddings, retrieval, patch synthesis, composition. Milliseconds are medians of \
warm passes, GFLOP those of the plain algorithms. TMAD_SIMD=avx512, avx2, neon or scalar \
forces an instruction set.";

/// Options of `tmad bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Size of the picture, WIDTHxHEIGHT
    #[arg(long, value_name = "PX", default_value = "256x256")]
    size: MaskSize,
    /// Size of the rectangular hole in its middle
    #[arg(long, value_name = "PX", default_value = "128x128")]
    hole: MaskSize,
    #[command(flatten)]
    engine: EngineArgs,
    /// The paper's networks with random weights instead of trained ones
    #[arg(long, conflicts_with = "weights")]
    paper: bool,
    /// Time a training step (forward and backward) of both networks too
    #[arg(long)]
    train: bool,
    /// Time every convolution by itself too
    #[arg(long)]
    layers: bool,
    /// Seed of the picture and of random weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Passes to take the median of
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Folder for bench.safetensors and weights.safetensors: what went in and came out
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Machine-readable
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    size: [u32; 2],
    hole: [u32; 2],
    num_patches: usize,
    num_windows: usize,
    threads: usize,
    simd: &'static str,
    precision: &'static str,
    /// Median of the whole pass.
    forward_ms: f64,
    gflop: f64,
    gflops: f64,
    stages: BTreeMap<&'static str, Measured>,
    /// Highest resident memory of the process, where the system tells.
    peak_bytes: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    training: BTreeMap<&'static str, Measured>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<layers::Layer>,
}

/// A median time, and what was computed in it.
#[derive(Debug, Clone, Copy, Serialize)]
struct Measured {
    ms: f64,
    gflop: f64,
    gflops: f64,
}

impl Measured {
    /// Runs `pass` once to warm up and `runs` times to measure.
    fn median_of(runs: u16, mut pass: impl FnMut()) -> Self {
        let ((), record) = recording(&mut pass);
        let mut seconds: Vec<f64> = (0..runs)
            .map(|_| {
                let start = Instant::now();
                pass();
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        Self::new(1e3 * seconds[seconds.len() / 2], record.flops as f64 * 1e-9)
    }

    fn new(ms: f64, gflop: f64) -> Self {
        let gflops = gflop / (ms * 1e-3).max(1e-9);
        Self { ms, gflop, gflops }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If the hole does not fit, weights or device cannot be used, or output cannot be written.
pub fn run(args: &BenchArgs) -> Result<()> {
    let (size, hole) = (args.size, args.hole);
    if hole.width >= size.width || hole.height >= size.height {
        bail!(
            "a hole of {}x{} leaves nothing of a picture of {}x{}; make --hole smaller",
            hole.width,
            hole.height,
            size.width,
            size.height
        );
    }
    args.engine.prepare()?;
    let device = args.engine.open_device()?;
    let paper = ModelConfig::default();
    let model = if args.paper {
        Model::new(&paper, args.seed, &device)
    } else {
        args.engine.load_tmad(&device)?.model().clone()
    };
    let image = render_background(size.width, size.height, args.seed);
    let (left, top) = (
        (size.width - hole.width) / 2,
        (size.height - hole.height) / 2,
    );
    let mask = Mask::from_fn(size.width, size.height, |x, y| {
        (left..left + hole.width).contains(&x) && (top..top + hole.height).contains(&y)
    });
    let prior = model.config().coarse.prior;
    let filling = prior.filling(&image, &mask, &Control::default())?;
    let fillings: Vec<_> = filling.iter().collect();
    let inputs = Inputs::new(&[&image], vec![&mask], &fillings, prior, &device);
    let stages = Stages::new(&model, &inputs);

    let forward = Measured::median_of(args.runs, || drop(stages.forward()));
    let timed = stages.timed(args.runs, forward);
    if let Some(folder) = &args.dump {
        dump::write(folder, &stages, &model)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        size: [size.width, size.height],
        hole: [hole.width, hole.height],
        num_patches: stages.layout.cells.len(),
        num_windows: stages.layout.windows[0].len(),
        threads: rayon::current_num_threads(),
        simd: Level::current().name(),
        precision: Precision::current().name(),
        forward_ms: forward.ms,
        gflop: forward.gflop,
        gflops: forward.gflops,
        stages: timed,
        peak_bytes: peak_bytes(),
        training: BTreeMap::new(),
        layers: Vec::new(),
    };
    if args.layers {
        let (_, record) = recording(|| stages.forward());
        report.layers = layers::measure(&record, args.runs);
    }
    if args.train {
        let device = device.autodiff();
        let trained = match args.paper {
            true => Model::new(&paper, args.seed, &device),
            false => args.engine.load_tmad(&device)?.model().clone(),
        };
        report.training = stages::training(&trained, &device, &stages, args.runs);
    }
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    } else {
        report.print(&mut out)?;
    }
    Ok(())
}

impl Report {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{}x{}, hole {}x{}: {} patches, {} windows; {} threads, {}, {}\n",
            self.size[0],
            self.size[1],
            self.hole[0],
            self.hole[1],
            self.num_patches,
            self.num_windows,
            self.threads,
            self.simd,
            self.precision
        )?;
        writeln!(
            out,
            "{:<34}{:>10}{:>10}{:>10}",
            "", "ms", "GFLOP", "GFLOP/s"
        )?;
        let row = |out: &mut dyn Write, name: &str, measured: Measured| {
            let Measured { ms, gflop, gflops } = measured;
            writeln!(out, "{name:<34}{ms:>10.2}{gflop:>10.2}{gflops:>10.0}")
        };
        for name in stages::NAMES {
            row(out, name, self.stages[name])?;
        }
        let forward = Measured::new(self.forward_ms, self.gflop);
        row(out, "whole forward", forward)?;
        for (name, measured) in &self.training {
            row(out, &format!("training, {name}"), *measured)?;
        }
        for layer in &self.layers {
            row(out, &layer.name(), layer.measured)?;
        }
        if let Some(bytes) = self.peak_bytes {
            writeln!(out, "\npeak memory {:.0} MB", bytes as f64 * 1e-6)?;
        }
        Ok(())
    }
}

/// Highest resident memory so far; Linux tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
