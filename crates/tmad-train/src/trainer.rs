//! The training loop.

use crate::adversary::{Adversary, Discriminators};
use crate::checkpoint::{self, Place, State};
use crate::config::{PrecisionChoice, StageConfig, TrainConfig};
use crate::data::{Loader, Pictures, Sample, Sampler};
use crate::meter::Meter;
use crate::run::{Ending, Event, Summary, TrainError, TrainOptions};
use crate::run_folder::RunFolder;
use crate::shard::split;
use crate::step::one_step;
use crate::validation;
use crate::weights_file::{read_features, read_weights};
use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use inpaint_core::random::stream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tmad::model::Model;
use tmad::perceptual::FeatureNetwork;
use tmad_ops::Precision;

/// Steps between two [`Event::Step`]s; losses are read back from the device only then.
const LOG_EVERY: u64 = 50;

/// Trains as `options` say, and tells `on_event` how it goes.
///
/// # Errors
///
/// [`TrainError`]; the last checkpoint is always intact.
pub fn train(
    options: &TrainOptions,
    on_event: &mut dyn FnMut(&Event),
) -> Result<Summary, TrainError> {
    let folder = RunFolder::open(&options.out, options.resume)?;
    let mut config = options.config.clone();
    if options.resume {
        config = folder.read_config()?;
        if config.precision == PrecisionChoice::Auto {
            // From the time before there was a choice.
            config.precision = PrecisionChoice::F32;
        }
    } else {
        config.precision = config.precision.decided();
        folder.write_config(&config)?;
    }
    config.check()?;
    if options.devices.is_empty() {
        return Err(TrainError::NoDevice);
    }
    let mut log = folder.open_log(&config)?;
    let mut report = |event: Event| {
        log.append(&event);
        on_event(&event);
    };
    let precision = config.precision.here();
    if config.precision == PrecisionChoice::Bf16 && precision != Precision::Bf16 {
        report(Event::Warning {
            message: "this processor does not multiply bf16; the run goes on in f32".to_owned(),
        });
    }
    let needed = config.num_validation + 1;
    let pictures = Arc::new(Pictures::open(
        &options.data,
        needed,
        config.data.cache_mib,
    )?);
    let mut state = initial_state(&config, options)?;
    if options.resume {
        state = newest(&folder, &config, &options.out, &state, &mut report)?;
    }
    let features = feature_networks(&config, options, &mut report)?;
    let name = features.first().map(|network| network.name().to_owned());
    if state.perceptual.is_some() && name.is_none() && config.compares_features() {
        return Err(TrainError::LacksFeatures {
            network: state.perceptual.unwrap_or_default(),
        });
    }
    state.perceptual = name;
    let validation = validation::samples(&config, &pictures);
    let mut run = Run {
        options,
        config: &config,
        folder: &folder,
        pictures,
        features,
        validation,
        num_damaged: 0,
        started: Instant::now(),
    };
    loop {
        let ending = precision.force(|| run.stage(&mut state, &mut report))?;
        if let Some(ending) = ending {
            let checkpoint = run.checkpoint(&state, &mut report)?;
            return Ok(Summary {
                ending,
                weights: folder.weights_path(),
                checkpoint,
            });
        }
        state.place.stage += 1;
        state.place.step = 0;
        if let Some(stage) = config.stages.get(state.place.stage) {
            state.optimiser = optimiser(stage);
            if let Some(adversary) = &mut state.adversary {
                adversary.optimiser = optimiser(stage);
            }
        }
    }
}

fn optimiser(stage: &StageConfig) -> ModuleOptimizer {
    let (beta1, beta2) = stage.betas;
    AdamConfig::new()
        .with_beta_1(beta1 as f32)
        .with_beta_2(beta2 as f32)
        .with_epsilon(1e-8)
        .init()
}

fn initial_state(config: &TrainConfig, options: &TrainOptions) -> Result<State, TrainError> {
    let device = options.devices[0].clone().autodiff();
    let mut model = Model::new(&config.model, config.seed, &device);
    if let Some(path) = &options.init {
        model = initialised(model, path)?;
    }
    let is_judged = config.stages.iter().any(|s| s.networks.synthesise())
        && (config.losses.judges_patches() || config.losses.judges_pictures());
    Ok(State {
        average: model.clone().valid(),
        model,
        optimiser: optimiser(&config.stages[0]),
        adversary: is_judged.then(|| Adversary {
            discriminators: Discriminators::new(config, &device),
            optimiser: optimiser(&config.stages[0]),
        }),
        perceptual: None,
        place: Place {
            stage: 0,
            step: 0,
            total_steps: 0,
        },
    })
}

fn initialised(model: Model, path: &Path) -> Result<Model, TrainError> {
    read_weights(path, |file| file.load_available(model))
}

/// The network of the perceptual loss on every device, if a stage needs it and its file is given.
fn feature_networks(
    config: &TrainConfig,
    options: &TrainOptions,
    report: &mut dyn FnMut(Event),
) -> Result<Vec<FeatureNetwork>, TrainError> {
    match &options.perceptual_weights {
        _ if !config.compares_features() => Ok(Vec::new()),
        None => {
            report(Event::Warning {
                message: "the perceptual loss is left out: its feature network is not given"
                    .to_owned(),
            });
            Ok(Vec::new())
        }
        Some(path) => read_features(path, |file| {
            (options.devices.iter())
                .map(|device| FeatureNetwork::load(file, &device.clone().autodiff()))
                .collect()
        }),
    }
}

/// Loads the newest checkpoint that is intact, and names those that are not.
fn newest(
    folder: &RunFolder,
    config: &TrainConfig,
    out: &Path,
    state: &State,
    report: &mut dyn FnMut(Event),
) -> Result<State, TrainError> {
    for path in checkpoint::list(&folder.checkpoints()).iter().rev() {
        let loaded = checkpoint::record(path).and_then(|record| {
            let mut state = state.clone();
            // A stage's optimiser state belongs to that stage's settings.
            if let Some(stage) = config.stages.get(record.place.stage) {
                state.optimiser = optimiser(stage);
                if let Some(adversary) = &mut state.adversary {
                    adversary.optimiser = optimiser(stage);
                }
            }
            state.load(path)
        });
        match loaded {
            Ok(loaded) => return Ok(loaded),
            Err(error) => report(Event::Warning {
                message: format!("{error}; trying the one before"),
            }),
        }
    }
    Err(TrainError::NothingToResume {
        path: out.to_owned(),
    })
}

struct Run<'a> {
    options: &'a TrainOptions,
    config: &'a TrainConfig,
    folder: &'a RunFolder,
    pictures: Arc<Pictures>,
    /// One for every device, or none.
    features: Vec<FeatureNetwork>,
    validation: Vec<Sample>,
    /// Damaged pictures that were reported.
    num_damaged: usize,
    started: Instant,
}

impl Run<'_> {
    /// Runs the current stage to its end; says if and why the whole run ends with it.
    fn stage(
        &mut self,
        state: &mut State,
        report: &mut dyn FnMut(Event),
    ) -> Result<Option<Ending>, TrainError> {
        let Some(stage) = self.config.stages.get(state.place.stage) else {
            return Ok(Some(Ending::Finished));
        };
        let index = state.place.stage;
        let num_train = self.pictures.len() - self.config.num_validation;
        report(Event::Stage {
            stage: index,
            step: state.place.step,
            steps: stage.iterations,
            pictures: num_train,
            precision: Precision::current().name(),
        });
        let devices: Vec<_> = (self.options.devices.iter())
            .map(|device| device.clone().autodiff())
            .collect();
        let seed = stream(self.config.seed, index as u64);
        let sampler = Sampler::new(
            self.pictures.clone(),
            0..num_train,
            self.config.data.clone(),
            self.config.model.coarse.prior,
            stage.size_px,
            seed,
        );
        let mut loader = Loader::start(sampler, state.place.step * stage.batch_size as u64);
        let mut meter = Meter::new(stage);
        let mut last_checkpoint = Instant::now();
        while state.place.step < stage.iterations {
            let step = state.place.step;
            let samples = loader.next_samples(stage.batch_size);
            let samples = samples.ok_or(TrainError::Damaged)?;
            let step_seed = stream(seed, step);
            let shards = split(&samples, &state.model, stage, &devices, step_seed);
            let learning_rate = stage.learning_rate_at(step);
            let measured = one_step(state, self.config, &self.features, shards, step_seed);
            state.place.step += 1;
            state.place.total_steps += 1;
            meter.add(measured);
            if state.place.step.is_multiple_of(LOG_EVERY) {
                let event = meter.event(index, state.place.step, learning_rate)?;
                report(event);
            }
            for name in self.pictures.damaged_since(self.num_damaged) {
                self.num_damaged += 1;
                report(Event::Warning {
                    message: format!("{name} is damaged; {} so far", self.num_damaged),
                });
            }
            if let Some(ending) = self.interrupted() {
                return Ok(Some(ending));
            }
            if last_checkpoint.elapsed() >= self.options.checkpoint_every {
                self.checkpoint(state, report)?;
                last_checkpoint = Instant::now();
            }
        }
        Ok(None)
    }

    fn interrupted(&self) -> Option<Ending> {
        if self.options.stop.load(Ordering::Relaxed) {
            return Some(Ending::Stopped);
        }
        let limit = self.options.time_limit?;
        (self.started.elapsed() >= limit).then_some(Ending::TimeLimit)
    }

    fn checkpoint(
        &self,
        state: &State,
        report: &mut dyn FnMut(Event),
    ) -> Result<std::path::PathBuf, TrainError> {
        // Refuses weights that are not finite, before they could replace a good checkpoint.
        self.folder
            .write_weights(&state.average, self.config, &state.record())?;
        let path = state.save(&self.folder.checkpoints(), self.options.keep)?;
        report(Event::Checkpoint { path: path.clone() });
        let last = self.config.stages.len() - 1;
        let networks = self.config.stages[state.place.stage.min(last)].networks;
        let device = &self.options.devices[0];
        let (psnr, previews) = Precision::F32
            .force(|| validation::measure(&state.average, &self.validation, networks, device));
        if let Some(previews) = previews {
            self.folder.write_preview(&previews, state.place)?;
        }
        report(Event::Validation {
            stage: state.place.stage,
            step: state.place.step,
            psnr,
        });
        Ok(path)
    }
}
