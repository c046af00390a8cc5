//! Everything that decides a training run, as one JSON file.

use crate::discriminators::{DiscriminatorConfig, GlobalDiscriminator};
use serde::{Deserialize, Serialize};
use tmad::ConfigError;
use tmad::model::ModelConfig;

pub use crate::precision::PrecisionChoice;

mod data;

pub use data::DataConfig;

/// Configuration of a run. It is stored beside the run's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The networks.
    pub model: ModelConfig,
    /// Seed of the initial weights, of every crop and of every mask.
    pub seed: u64,
    /// What a training sample is.
    pub data: DataConfig,
    /// The stages, one after the other.
    pub stages: Vec<StageConfig>,
    /// Weights of the losses.
    pub losses: LossConfig,
    /// The discriminators of the adversarial losses.
    pub discriminators: DiscriminatorConfig,
    /// Decay of the exponential moving average of the weights, which is what gets shipped.
    /// Default 0.999.
    pub ema_decay: f64,
    /// Pictures kept away from training, whose loss is reported at every checkpoint. Default 48.
    pub num_validation: usize,
    /// Of the products of convolutions. Default `auto`.
    pub precision: PrecisionChoice,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            seed: 0,
            data: DataConfig::default(),
            stages: vec![StageConfig::coarse(), StageConfig::joint()],
            losses: LossConfig::default(),
            discriminators: DiscriminatorConfig::default(),
            ema_decay: 0.999,
            num_validation: 48,
            precision: PrecisionChoice::Auto,
        }
    }
}

impl TrainConfig {
    /// Whether a stage has a perceptual loss, which needs a feature network.
    pub fn compares_features(&self) -> bool {
        self.stages.iter().any(|stage| {
            let of_coarse =
                stage.networks != Networks::Patches && self.losses.coarse_perceptual != 0.0;
            let of_patches = stage.networks.synthesise() && self.losses.perceptual != 0.0;
            of_coarse || of_patches
        })
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.stages.is_empty() {
            return Err(ConfigError::new("stages", "at least one is needed"));
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if stage.batch_size == 0 || stage.size_px == 0 || stage.cycles.is_empty() {
                return Err(ConfigError::new(
                    format!("stages[{index}]"),
                    "batch_size, size_px and the number of cycles must not be 0",
                ));
            }
        }
        let mut bounds = self.stages.iter().filter_map(|s| s.max_gradient_norm);
        if let Some(bound) = bounds.find(|bound| bound.is_nan() || *bound <= 0.0) {
            return Err(ConfigError::new(
                "stages",
                format!("max_gradient_norm of {bound} is not above 0"),
            ));
        }
        let is_judged = self.losses.judges_pictures();
        let least = GlobalDiscriminator::MIN_SIDE_PX as u32;
        let small = |stage: &&StageConfig| stage.networks.synthesise() && stage.size_px < least;
        if let Some(stage) = self.stages.iter().find(small).filter(|_| is_judged) {
            return Err(ConfigError::new(
                "stages",
                format!(
                    "the global discriminator needs size_px of {least} or more, not {}; \
                 enlarge it or switch losses.blend off",
                    stage.size_px
                ),
            ));
        }
        self.model.check()?;
        self.discriminators.check(self.model.patch_px)?;
        self.data.check()?;
        let LossConfig {
            completed_l1_box_px,
            log_squared_boxes_px: boxes,
            ..
        } = &self.losses;
        if completed_l1_box_px.is_multiple_of(2) {
            return Err(ConfigError::new(
                "losses.completed_l1_box_px",
                format!("{completed_l1_box_px} is not an odd number"),
            ));
        }
        if boxes.is_empty() || boxes.iter().any(|side| side.is_multiple_of(2)) {
            return Err(ConfigError::new(
                "losses.log_squared_boxes_px",
                format!("{boxes:?} are not odd numbers, one or more"),
            ));
        }
        if !(0.0..1.0).contains(&self.ema_decay) {
            return Err(ConfigError::new(
                "ema_decay",
                format!("{} is not in [0, 1)", self.ema_decay),
            ));
        }
        Ok(())
    }
}

/// What a stage trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Networks {
    /// The coarse network alone (Section IV, first stage).
    Coarse,
    /// Everything, end to end (second stage).
    Joint,
    /// Texture memory and patch synthesis behind a coarse network that stays as it is.
    Patches,
}

impl Networks {
    /// Whether patches are synthesised.
    pub fn synthesise(self) -> bool {
        self != Self::Coarse
    }
}

/// One stage of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// What is trained.
    pub networks: Networks,
    /// Side of the training crops in pixels.
    pub size_px: u32,
    /// Crops per step.
    pub batch_size: usize,
    /// Steps.
    pub iterations: u64,
    /// Learning rate at the start of the first cycle.
    pub learning_rate: f64,
    /// Decay of Adam's two running means.
    pub betas: (f64, f64),
    /// Steps over which the learning rate rises from 0 at the start.
    #[serde(default)]
    pub warmup: u64,
    /// Relative height of each cosine cycle; the cycles share the stage evenly.
    pub cycles: Vec<f64>,
    /// Whether the losses of the patches leave the coarse network alone. The paper trains end to
    /// end, so the default is no.
    #[serde(default)]
    pub detach_coarse: bool,
    /// Steps over which the adversarial terms rise from 0, so that fresh discriminators do not
    /// mislead a trained generator. Default 0 (the paper's).
    #[serde(default)]
    pub discriminator_warmup: u64,
    /// Largest norm of the generator's gradient, all parameters together; longer ones are scaled
    /// down to it. Default `null`, no bound (the paper's).
    #[serde(default)]
    pub max_gradient_norm: Option<f64>,
}

impl StageConfig {
    /// First stage: Adam 2e-4, (0.9, 0.999), constant-to-zero cosine.
    pub fn coarse() -> Self {
        Self {
            networks: Networks::Coarse,
            size_px: 256,
            batch_size: 4,
            iterations: 100_000,
            learning_rate: 2e-4,
            betas: (0.9, 0.999),
            warmup: 0,
            cycles: vec![1.0],
            detach_coarse: false,
            discriminator_warmup: 0,
            max_gradient_norm: None,
        }
    }

    /// Second stage: Adam 1e-4, (0.5, 0.999), four cosine cycles.
    pub fn joint() -> Self {
        Self {
            networks: Networks::Joint,
            size_px: 256,
            batch_size: 4,
            iterations: 400_000,
            learning_rate: 1e-4,
            betas: (0.5, 0.999),
            warmup: 0,
            cycles: vec![1.0, 0.5, 0.5, 0.5],
            detach_coarse: false,
            discriminator_warmup: 0,
            max_gradient_norm: None,
        }
    }

    /// Share of the adversarial terms' weights at `step` of this stage.
    pub fn adversarial_factor_at(&self, step: u64) -> f64 {
        ((step + 1) as f64 / self.discriminator_warmup.max(1) as f64).min(1.0)
    }

    /// Learning rate at `step` of this stage: cosine restarts, Section IV,
    /// η + ½·wᵢ·(lr − η)·(1 + cos(π·t/T)), times the warm-up.
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        const FLOOR: f64 = 1e-7;
        let num_cycles = self.cycles.len().max(1) as u64;
        let period = self.iterations.div_ceil(num_cycles).max(1);
        let cycle = (step / period).min(num_cycles - 1);
        let height = self.cycles.get(cycle as usize).copied().unwrap_or(1.0);
        let phase = (step - cycle * period) as f64 / period as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * phase.min(1.0)).cos());
        let rate = FLOOR + height * (self.learning_rate - FLOOR) * cosine;
        let rising = (step + 1) as f64 / self.warmup.max(1) as f64;
        rate * rising.min(1.0)
    }
}

/// Which loss judges the texture of the patches (Table VI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adversarial {
    /// None.
    None,
    /// The classical GAN loss, with the true patches as the real ones (the ablation).
    Plain,
    /// The patch distribution loss, Eq. (6) and (7) (the paper's).
    PatchDistribution,
}

/// What the perceptual loss compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PerceptualRegion {
    /// Every patch with its truth (the paper's).
    Patches,
    /// The whole completed picture with the input, so that seams count too.
    Picture,
    /// The same in features of unit length, as LPIPS compares them, per pixel of the hole, so
    /// that holes of every size count alike.
    Hole,
}

/// Weights of the loss terms (Table II).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// λ_m: reconstruction inside the hole. Default 5 (rectangles; the paper's free-form: 6).
    pub hole: f64,
    /// λ_v: reconstruction of known pixels. Default 0 (rectangles; the paper's free-form: 1).
    pub known: f64,
    /// Weight of squared error against absolute error in the reconstruction losses:
    /// |e| + w·e² (e on the scale [-1, 1], linear beyond 1). The paper's value and the default
    /// is 0.
    pub squared: f64,
    /// Weight of ln(mean squared error over a picture's hole), averaged over pictures, in the
    /// reconstruction loss of the coarse network: mean PSNR up to a factor. A picture then counts
    /// as much as any other, while with [`Self::squared`] those that nobody could guess drown the
    /// others. The paper's value and the default is 0.
    pub log_squared: f64,
    /// Sides in pixels, odd, of the boxes over whose means the error of [`Self::log_squared`] is
    /// taken, with equal shares. Most of the error of pixels is fine detail that nobody can know;
    /// larger boxes ask for the right colours. Default 1, pixels alone.
    pub log_squared_boxes_px: Vec<usize>,
    /// Weight of the features of the coarse network's completed picture against the truth's; needs the weights of a feature network. With it, texture that lies a
    /// pixel beside the truth's is no longer punished like texture that is wrong. The paper's value
    /// and the default is 0.
    pub coarse_perceptual: f64,
    /// Weight of the logarithm of [`Self::log_squared`] for the completed picture, in steps with the
    /// patch networks. The paper's value and the default is 0.
    pub completed_log_squared: f64,
    /// Weight of the completed picture's mean absolute error over the hole's pixels, in the place
    /// of [`Self::patch_l1`], in which a thin hole hardly counts. The paper's value and the default
    /// is 0.
    pub completed_l1: f64,
    /// Side in pixels, odd, of the box over whose mean the error of [`Self::completed_l1`] is
    /// taken: from 3 on it asks for the right colours and leaves texture to the other losses.
    /// Default 1.
    pub completed_l1_box_px: usize,
    /// λ_l1: patches against the truth. Default 1.
    pub patch_l1: f64,
    /// Weight of the cross entropy of the retrieval against windows that are similar to the truth
    /// ([`losses::retrieval`](crate::losses::retrieval)). The paper's value and the default is 0.
    pub retrieval: f64,
    /// Which adversarial loss the patches get. Default `patch_distribution`.
    pub adversarial: Adversarial,
    /// λ_gan^pd: weight of that loss. Default 0.05.
    pub patch_adversarial: f64,
    /// Windows of a picture's memory, and as many of its candidates, that the patch
    /// discriminator sees in a step; `null` for all. Default all (the paper's).
    pub judged_windows: Option<usize>,
    /// Whether the patch discriminator also judges the patches that lie across the seams of the
    /// hole's cells. Default no (the paper's).
    pub judge_seams: bool,
    /// λ_percep: features of the patches against the truth's; needs the weights of a feature
    /// network. Default 0.02.
    pub perceptual: f64,
    /// Where features are compared. Default `patches`.
    pub perceptual_region: PerceptualRegion,
    /// Whether the blending loss, Eq. (9), is on. Default yes.
    pub blend: bool,
    /// λ_gan^gl: adversarial part of the blending loss. Default 0.02.
    pub global_adversarial: f64,
    /// λ_tv: total variation at the hole, part of the blending loss. Default 0.02.
    pub total_variation: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            hole: 5.0,
            known: 0.0,
            squared: 0.0,
            log_squared: 0.0,
            log_squared_boxes_px: vec![1],
            coarse_perceptual: 0.0,
            completed_log_squared: 0.0,
            completed_l1: 0.0,
            completed_l1_box_px: 1,
            patch_l1: 1.0,
            retrieval: 0.0,
            adversarial: Adversarial::PatchDistribution,
            patch_adversarial: 0.05,
            judged_windows: None,
            judge_seams: false,
            perceptual: 0.02,
            perceptual_region: PerceptualRegion::Patches,
            blend: true,
            global_adversarial: 0.02,
            total_variation: 0.02,
        }
    }
}

impl LossConfig {
    /// Whether the patch discriminator takes part.
    pub fn judges_patches(&self) -> bool {
        self.adversarial != Adversarial::None && self.patch_adversarial != 0.0
    }

    /// Whether the global discriminator takes part.
    pub fn judges_pictures(&self) -> bool {
        self.blend && self.global_adversarial != 0.0
    }
}
