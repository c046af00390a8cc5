//! The training loop.

use crate::checkpoint::{self, Place, State};
use crate::config::{Networks, StageConfig, TrainConfig};
use crate::data::{self, Loader, Pictures, Sample, Sampler};
use crate::objective::objective;
use crate::run::{Ending, Event, Summary, TrainError, TrainOptions};
use crate::run_folder::RunFolder;
use crate::{ema, validation};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use inpaint_core::random::stream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tmad::model::{Inputs, Model};
use tmad::weights::WeightsFile;

/// Steps between two [`Event::Step`]s; losses are read back from the device only then.
const LOG_EVERY: u64 = 50;
/// Checkpoints that are kept.
const KEEP: usize = 3;

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
    let config = if options.resume {
        folder.read_config()?
    } else {
        folder.write_config(&options.config)?;
        options.config.clone()
    };
    config.check().map_err(TrainError::Config)?;
    let mut log = folder.open_log()?;
    let mut report = |event: Event| {
        log.append(&event);
        on_event(&event);
    };
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
    let validation = validation::samples(&config, &pictures);
    let mut run = Run {
        options,
        config: &config,
        folder: &folder,
        pictures,
        validation,
        started: Instant::now(),
    };
    loop {
        let ending = run.stage(&mut state, &mut report)?;
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
    let device = options.device.clone().autodiff();
    let mut model = Model::new(&config.model, config.seed, &device);
    if let Some(path) = &options.init {
        model = initialised(model, path)?;
    }
    Ok(State {
        average: model.clone().valid(),
        model,
        optimiser: optimiser(&config.stages[0]),
        place: Place {
            stage: 0,
            step: 0,
            total_steps: 0,
        },
    })
}

fn initialised(model: Model, path: &Path) -> Result<Model, TrainError> {
    let file_error = |error: std::io::Error| TrainError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let bytes = std::fs::read(path).map_err(file_error)?;
    WeightsFile::parse(&bytes)
        .and_then(|file| file.load_available(model))
        .map_err(|source| TrainError::Weights {
            path: path.to_owned(),
            source,
        })
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
        let loaded = checkpoint::place(path).and_then(|place| {
            let mut state = state.clone();
            // A stage's optimiser state belongs to that stage's settings.
            if let Some(stage) = config.stages.get(place.stage) {
                state.optimiser = optimiser(stage);
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
    validation: Vec<Sample>,
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
        });
        let device = self.options.device.clone().autodiff();
        let seed = stream(self.config.seed, index as u64);
        let sampler = Sampler::new(
            self.pictures.clone(),
            0..num_train,
            self.config.data.clone(),
            stage.size_px,
            seed,
        );
        let mut loader = Loader::start(sampler, state.place.step * stage.batch_size as u64);
        let mut meter = Meter::new(stage);
        let mut last_checkpoint = Instant::now();
        let mut num_damaged = 0;
        while state.place.step < stage.iterations {
            let step = state.place.step;
            let samples = loader.next_samples(stage.batch_size);
            let samples = samples.ok_or(TrainError::Damaged)?;
            let inputs = data::inputs(&samples, &self.config.model, &device);
            let learning_rate = stage.learning_rate_at(step);
            let losses = self.step(state, stage, &inputs, learning_rate, stream(seed, step));
            state.place.step += 1;
            state.place.total_steps += 1;
            meter.add(losses);
            if state.place.step.is_multiple_of(LOG_EVERY) {
                let event = meter.event(index, state.place.step, learning_rate)?;
                report(event);
            }
            for path in self.pictures.damaged_since(num_damaged) {
                num_damaged += 1;
                report(Event::Warning {
                    message: format!("{} is damaged; {num_damaged} so far", path.display()),
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

    /// One step of Adam on one batch; returns the loss terms without reading them back.
    fn step(
        &self,
        state: &mut State,
        stage: &StageConfig,
        inputs: &Inputs,
        learning_rate: f64,
        seed: u64,
    ) -> Vec<(&'static str, Tensor<1>)> {
        let model = state.model.clone();
        let terms = objective(&model, inputs, stage.networks, &self.config.losses, seed);
        let mut grads = terms.total().backward();
        let grads = match stage.networks {
            Networks::Coarse => GradientsParams::from_module(&mut grads, &model.coarse),
            Networks::Joint => GradientsParams::from_module(&mut grads, &model),
        };
        state.model = state.optimiser.step(learning_rate, model, grads);
        let decay = ema::decay_at(state.place.total_steps, self.config.ema_decay);
        state.average = ema::update(state.average.clone(), &state.model, decay);
        (terms.terms.into_iter())
            .map(|(name, value)| (name, value.inner()))
            .collect()
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
            .write_weights(&state.average, self.config, state.place)?;
        let path = state.save(&self.folder.checkpoints(), KEEP)?;
        report(Event::Checkpoint { path: path.clone() });
        let last = self.config.stages.len() - 1;
        let networks = self.config.stages[state.place.stage.min(last)].networks;
        let (psnr, previews) = validation::measure(
            &state.average,
            &self.validation,
            networks,
            &self.options.device,
        );
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

/// Sums up losses on the device and time on the clock between two reports.
struct Meter {
    sums: Vec<(&'static str, Tensor<1>)>,
    num_steps: u64,
    since: Instant,
    batch_size: usize,
    steps: u64,
}

impl Meter {
    fn new(stage: &StageConfig) -> Self {
        Self {
            sums: Vec::new(),
            num_steps: 0,
            since: Instant::now(),
            batch_size: stage.batch_size,
            steps: stage.iterations,
        }
    }

    fn add(&mut self, losses: Vec<(&'static str, Tensor<1>)>) {
        self.num_steps += 1;
        if self.sums.is_empty() {
            self.sums = losses;
            return;
        }
        for ((_, sum), (_, value)) in self.sums.iter_mut().zip(losses) {
            *sum = sum.clone() + value;
        }
    }

    /// # Errors
    ///
    /// [`TrainError::NotFinite`] if the losses are no numbers any more.
    fn event(&mut self, stage: usize, step: u64, learning_rate: f64) -> Result<Event, TrainError> {
        let count = self.num_steps as f64;
        let mut losses: Vec<(String, f64)> = (self.sums.drain(..))
            .map(|(name, sum)| (name.to_owned(), f64::from(sum.into_scalar::<f32>()) / count))
            .collect();
        let total = losses.iter().map(|(_, value)| value).sum::<f64>();
        if !total.is_finite() {
            return Err(TrainError::NotFinite {
                stage,
                step,
                value: total,
            });
        }
        losses.push(("total".to_owned(), total));
        let seconds = self
            .since
            .elapsed()
            .max(Duration::from_millis(1))
            .as_secs_f64()
            / count;
        self.num_steps = 0;
        self.since = Instant::now();
        Ok(Event::Step {
            stage,
            step,
            steps: self.steps,
            losses,
            learning_rate,
            pictures_per_second: self.batch_size as f64 / seconds,
            seconds_left: seconds * (self.steps - step) as f64,
        })
    }
}
