//! How many training samples per second the loader makes by itself:
//!
//! `cargo run --release -p tmad-train --example loader -- PICTURES [SIDE] [WORKERS]`
//!
//! PICTURES is a folder or a file that `tmad pack` made; SIDE is that of the crops (256).

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tmad::coarse::Prior;
use tmad_train::config::DataConfig;
use tmad_train::data::{Loader, Pictures, Sampler};

const BATCH_SIZE: usize = 4;
const DURATION: Duration = Duration::from_secs(8);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = (arguments.first()).ok_or("give a folder of pictures or a file of `tmad pack`")?;
    let side = arguments.get(1).map_or(Ok(256), |text| text.parse())?;
    let num_workers = arguments.get(2).map_or(Ok(2), |text| text.parse())?;
    let config = DataConfig {
        num_workers,
        ..DataConfig::default()
    };
    for (cache_mib, name) in [
        (0, "every picture decoded anew"),
        (
            config.cache_mib,
            "decoded pictures kept in memory, second pass",
        ),
    ] {
        let pictures = Arc::new(Pictures::open(Path::new(path), 1, cache_mib)?);
        if cache_mib > 0 {
            for index in 0..pictures.len() {
                pictures.get(index);
            }
        }
        let range = 0..pictures.len();
        let sampler = Sampler::new(
            pictures.clone(),
            range,
            config.clone(),
            Prior::None,
            side,
            1,
        );
        let mut loader = Loader::start(sampler, 0);
        let started = Instant::now();
        let mut count = 0;
        while started.elapsed() < DURATION {
            loader.next_samples(BATCH_SIZE).ok_or("all are damaged")?;
            count += BATCH_SIZE;
        }
        let rate = count as f64 / started.elapsed().as_secs_f64();
        let damaged = pictures.damaged_since(0).len();
        println!(
            "{name}: {rate:.0} samples/s ({num_workers} threads, {side} px, {} pictures, \
             {damaged} damaged)",
            pictures.len()
        );
    }
    Ok(())
}
