//! The training loop.

use crate::adversary::{Adversary, Discriminators, Evidence, Named};
use crate::checkpoint::{self, Place, State};
use crate::config::{Networks, StageConfig, TrainConfig};
use crate::data::{self, Loader, Pictures, Sample, Sampler};
use crate::objective::{objective, total};
use crate::run::{Ending, Event, Summary, TrainError, TrainOptions};
use crate::run_folder::RunFolder;
use crate::{ema, validation};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use inpaint_core::random::stream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tmad::model::{Inputs, Model};
use tmad::perceptual::FeatureNetwork;
use tmad::weights::{WeightsError, WeightsFile};

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
    let mut log = folder.open_log(&config)?;
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
    let features = feature_network(&config, options, &mut report)?;
    let validation = validation::samples(&config, &pictures);
    let mut run = Run {
        options,
        config: &config,
        folder: &folder,
        pictures,
        features,
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
    let device = options.device.clone().autodiff();
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

/// The network of the perceptual loss, if a stage needs it and its file is given.
fn feature_network(
    config: &TrainConfig,
    options: &TrainOptions,
    report: &mut dyn FnMut(Event),
) -> Result<Option<FeatureNetwork>, TrainError> {
    let is_wanted = config.losses.perceptual != 0.0
        && config
            .stages
            .iter()
            .any(|stage| stage.networks.synthesise());
    match &options.perceptual_weights {
        _ if !is_wanted => Ok(None),
        None => {
            report(Event::Warning {
                message: "the perceptual loss is left out: its feature network is not given"
                    .to_owned(),
            });
            Ok(None)
        }
        Some(path) => {
            let device = options.device.clone().autodiff();
            read_weights(path, |file| FeatureNetwork::load(file, &device)).map(Some)
        }
    }
}

fn read_weights<T>(
    path: &Path,
    load: impl FnOnce(&WeightsFile<'_>) -> Result<T, WeightsError>,
) -> Result<T, TrainError> {
    let bytes = std::fs::read(path).map_err(|error| TrainError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    WeightsFile::parse(&bytes)
        .and_then(|file| load(&file))
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
    features: Option<FeatureNetwork>,
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
            let measured = self.step(state, stage, &inputs, learning_rate, stream(seed, step));
            state.place.step += 1;
            state.place.total_steps += 1;
            meter.add(measured);
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

    /// One step of Adam on one batch: the discriminators first, on what the generator makes of
    /// it, then the generator. Nothing is read back from the device.
    fn step(
        &self,
        state: &mut State,
        stage: &StageConfig,
        inputs: &Inputs,
        learning_rate: f64,
        seed: u64,
    ) -> Measured {
        let model = state.model.clone();
        let losses = &self.config.losses;
        let features = self.features.as_ref();
        let objective = objective(&model, inputs, stage, losses, features, seed);
        let mut terms = objective.terms;
        let mut news = Named::new();
        if let (Some(forward), Some(adversary)) = (&objective.forward, &mut state.adversary) {
            let side = self.config.model.patch_px;
            let evidence =
                Evidence::new(inputs, &forward.output, &forward.truth, side, losses, seed);
            news = adversary.step(&evidence, losses, learning_rate);
            let factor = stage.adversarial_factor_at(state.place.step);
            terms.extend(adversary.generator_terms(&evidence, losses, factor));
        }
        let mut grads = total(&terms).backward();
        let grads = match stage.networks {
            Networks::Coarse => GradientsParams::from_module(&mut grads, &model.coarse),
            _ => GradientsParams::from_module(&mut grads, &model),
        };
        if stage.networks.synthesise() {
            let norm = |embedding| gradient_norm(embedding, &grads, &self.options.device);
            news.push(("theta_gradient", norm(&model.theta)));
            news.push(("phi_gradient", norm(&model.phi)));
        }
        state.model = state.optimiser.step(learning_rate, model, grads);
        let decay = ema::decay_at(state.place.total_steps, self.config.ema_decay);
        state.average = ema::update(state.average.clone(), &state.model, decay);
        Measured {
            losses: (terms.into_iter())
                .map(|(name, value)| (name, value.inner()))
                .collect(),
            news,
        }
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

/// Norm of the gradient of a module's parameters, `[1]`, without autodiff.
fn gradient_norm<M: Module>(module: &M, grads: &GradientsParams, device: &Device) -> Tensor<1> {
    struct Squares<'a> {
        grads: &'a GradientsParams,
        sum: Option<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                let square = grad.square().sum();
                self.sum = Some(match self.sum.take() {
                    Some(sum) => sum + square,
                    None => square,
                });
            }
        }
    }
    let mut squares = Squares { grads, sum: None };
    module.visit(&mut squares);
    match squares.sum {
        Some(sum) => sum.sqrt(),
        None => Tensor::zeros([1], device),
    }
}

/// What a step leaves on the device to be read later.
struct Measured {
    losses: Named,
    news: Named,
}

/// Sums up values on the device and time on the clock between two reports.
struct Meter {
    losses: Named,
    news: Named,
    num_steps: u64,
    since: Instant,
    batch_size: usize,
    steps: u64,
}

impl Meter {
    fn new(stage: &StageConfig) -> Self {
        Self {
            losses: Named::new(),
            news: Named::new(),
            num_steps: 0,
            since: Instant::now(),
            batch_size: stage.batch_size,
            steps: stage.iterations,
        }
    }

    fn add(&mut self, measured: Measured) {
        self.num_steps += 1;
        add_up(&mut self.losses, measured.losses);
        add_up(&mut self.news, measured.news);
    }

    /// # Errors
    ///
    /// [`TrainError::NotFinite`] if the losses are no numbers any more.
    fn event(&mut self, stage: usize, step: u64, learning_rate: f64) -> Result<Event, TrainError> {
        let count = self.num_steps as f64;
        let read = |sums: Named| -> Vec<(String, f64)> {
            (sums.into_iter())
                .map(|(name, sum)| (name.to_owned(), f64::from(sum.into_scalar::<f32>()) / count))
                .collect()
        };
        let mut losses = read(std::mem::take(&mut self.losses));
        let news = read(std::mem::take(&mut self.news));
        let total = losses.iter().map(|(_, value)| value).sum::<f64>();
        let everything = total + news.iter().map(|(_, value)| value).sum::<f64>();
        if !everything.is_finite() {
            return Err(TrainError::NotFinite {
                stage,
                step,
                value: everything,
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
            news,
            learning_rate,
            pictures_per_second: self.batch_size as f64 / seconds,
            seconds_left: seconds * (self.steps - step) as f64,
        })
    }
}

/// Adds values to sums of the same names.
fn add_up(sums: &mut Named, values: Named) {
    for (name, value) in values {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.clone() + value,
            None => sums.push((name, value)),
        }
    }
}
