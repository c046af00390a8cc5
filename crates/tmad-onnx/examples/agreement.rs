//! Runs the networks that `tools/onnx/make.py` has put into a folder, at any size, and prints how
//! far each is from what ONNX Runtime made of the same picture, and how long it takes:
//!
//! `cargo run --release -p tmad-onnx --example agreement -- FOLDER [THREADS]`

use inpaint_core::{Mask, RgbImage};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;
use tmad_onnx::Network;

/// Runs of which the median is taken.
const NUM_RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let threads = arguments.next().map_or(Ok(1), |count| count.parse())?;
    let folder = Path::new(&folder);
    let mask = fs::read(folder.join("mask.bin"))?;
    let side = mask.len().isqrt() as u32;
    let mask = Mask::from_bytes(side, side, mask)?;
    let image = RgbImage::from_raw(side, side, fs::read(folder.join("image.bin"))?);
    let image = image.ok_or("image.bin has another size than mask.bin")?;
    let mut files: Vec<_> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "onnx")
    });
    files.sort();
    println!("| network | taken for | error, relative to the range | ms |\n|---|---|---:|---:|");
    for path in files {
        let network = Network::load(&path, None)?.with_threads(threads);
        let mut times = Vec::new();
        let mut found = Vec::new();
        for _ in 0..NUM_RUNS {
            let start = Instant::now();
            found = network.raw(&image, &mask)?.planes;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let expected: Vec<f32> = (fs::read(path.with_extension("bin"))?.chunks_exact(4))
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        let range = expected.iter().copied().fold(f32::MIN, f32::max)
            - expected.iter().copied().fold(f32::MAX, f32::min);
        let errors = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        println!(
            "| {} | {} | {:.1e} | {:.1} |",
            path.file_stem().unwrap_or_default().display(),
            network.family().unwrap_or_default(),
            errors.fold(0.0, f32::max) / range,
            times[NUM_RUNS / 2],
        );
    }
    Ok(())
}
