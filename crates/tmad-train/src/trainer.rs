//! The training loop.

use crate::config::{Networks, StageConfig, TrainConfig};
use crate::data::{Batch, Loader, Pictures, Sampler};
use crate::{ema, losses};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tmad::model::Model;
use tmad::weights::{self, Precision};

pub struct Run {
    pub config: TrainConfig,
    pub data: PathBuf,
    pub out: PathBuf,
    pub device: Device,
    pub time_limit: Option<Duration>,
    pub init: Option<PathBuf>,
    pub checkpoint_every: Duration,
}

fn optimiser(stage: &StageConfig) -> ModuleOptimizer {
    let (beta1, beta2) = stage.betas;
    AdamConfig::new()
        .with_beta_1(beta1 as f32)
        .with_beta_2(beta2 as f32)
        .with_epsilon(1e-8)
        .init()
}

pub fn train(run: &Run) -> Result<(), Box<dyn std::error::Error>> {
    let config = &run.config;
    std::fs::create_dir_all(&run.out)?;
    let pictures = Arc::new(Pictures::open(&run.data, 64, config.data.cache_mib)?);
    let device = run.device.clone().autodiff();
    let mut model = Model::new(&config.model, config.seed, &device);
    if let Some(path) = &run.init {
        let bytes = std::fs::read(path)?;
        model = weights::WeightsFile::parse(&bytes)?.load_prefix(model, "coarse.")?;
    }
    let mut average = model.clone().valid();
    let num_train = pictures.len() - config.num_validation;
    let start = Instant::now();
    let mut last_checkpoint = Instant::now();
    for (index, stage) in config.stages.iter().enumerate() {
        let mut optimiser = optimiser(stage);
        let sampler = Sampler::new(
            pictures.clone(),
            0..num_train,
            config.data.clone(),
            stage.size_px,
            config.seed + index as u64,
        );
        let valid = Sampler::new(
            pictures.clone(),
            num_train..pictures.len(),
            config.data.clone(),
            256,
            12345,
        );
        let valid: Vec<_> = (0..config.num_validation as u64)
            .filter_map(|i| valid.sample(i))
            .collect();
        let valid: Vec<Batch> = valid
            .chunks(4)
            .map(|s| Batch::new(s, &run.device))
            .collect();
        let mut loader = Loader::start(sampler, 0);
        let mut sum = 0.0;
        let stage_start = Instant::now();
        for step in 0..stage.iterations {
            let batch = Batch::new(&loader.next_samples(stage.batch_size).unwrap(), &device);
            let masked = batch.image.clone() * (1.0 - batch.mask.clone());
            let coarse = model.coarse.forward(masked, batch.mask.clone());
            let loss = losses::reconstruction(coarse, batch.image, batch.mask, &config.losses);
            sum += loss.clone().inner().into_scalar::<f32>() as f64;
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optimiser.step(stage.learning_rate_at(step), model, grads);
            average = ema::update(average, &model, config.ema_decay);
            if (step + 1) % 100 == 0 {
                let rate = (step + 1) as f64 * stage.batch_size as f64
                    / stage_start.elapsed().as_secs_f64();
                println!(
                    "stage {index} step {} loss {:.4} {rate:.1} pictures/s {:.0} s lr {:.2e}",
                    step + 1,
                    sum / 100.0,
                    start.elapsed().as_secs_f64(),
                    stage.learning_rate_at(step)
                );
                sum = 0.0;
            }
            let over = run.time_limit.is_some_and(|limit| start.elapsed() > limit);
            if over
                || step + 1 == stage.iterations
                || last_checkpoint.elapsed() > run.checkpoint_every
            {
                last_checkpoint = Instant::now();
                let mut l1 = 0.0;
                let mut psnr = 0.0;
                let mut n = 0.0;
                for batch in &valid {
                    let masked = batch.image.clone() * (1.0 - batch.mask.clone());
                    let error = (average.coarse.forward(masked, batch.mask.clone())
                        - batch.image.clone())
                        * batch.mask.clone()
                        / 2.0;
                    let area = batch.mask.clone().sum_dim(3).sum_dim(2) * 3.0;
                    let mse =
                        error.clone().square().sum_dim(3).sum_dim(2).sum_dim(1) / area.clone();
                    let mae = error.abs().sum_dim(3).sum_dim(2).sum_dim(1) / area;
                    l1 += mae.sum().into_scalar::<f32>() as f64;
                    let m: Tensor<4> = mse;
                    for v in m.into_data().to_vec::<f32>().unwrap() {
                        psnr += -10.0 * (v as f64).log10();
                        n += 1.0;
                    }
                }
                println!(
                    "validation stage {index} step {} l1 {:.4} psnr {:.3}",
                    step + 1,
                    l1 / n * 100.0,
                    psnr / n
                );
                let bytes = weights::to_bytes(&average, Precision::F32, HashMap::new())?;
                let tmp = run.out.join("ema.safetensors.tmp");
                std::fs::write(&tmp, bytes)?;
                std::fs::rename(&tmp, run.out.join("ema.safetensors"))?;
            }
            if over {
                return Ok(());
            }
        }
        let _ = Networks::Coarse;
    }
    Ok(())
}
