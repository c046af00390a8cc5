//! The whole of T-MAD on one screen: [`Model::forward`].

use crate::aligned::{AlignedConfig, AlignedSynthesis};
use crate::coarse::{Coarse, CoarseConfig, Prior};
use crate::config_error::ConfigError;
use crate::layers::Initializer;
use crate::patch_synthesis::{Backbone, FeatureEncoder, PatchSynthesisConfig};
use crate::patches::{Position, assemble, extract, hole_cells, no_patches, select_hole};
use crate::texture_memory::{
    Candidates, Embedding, Keys, MemoryConfig, memory_windows, sample_windows,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use inpaint_core::Mask;
use inpaint_core::random::stream;
use serde::{Deserialize, Serialize};

pub use crate::inputs::Inputs;

mod cells;
mod register;

pub(crate) use register::{guided_copies, guided_texture};

/// Channels of a hole patch by which windows are retrieved in register, beside the voted copy's:
/// the guess and the mask.
const MORE_QUERY_PLANES: usize = 4;

/// Sizes and switches of the method. It travels in the weights' metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Side k of a patch in pixels. Default 32.
    pub patch_px: usize,
    /// Coarse network.
    pub coarse: CoarseConfig,
    /// Texture memory.
    pub memory: MemoryConfig,
    /// The paper's patch synthesis network.
    pub synthesis: PatchSynthesisConfig,
    /// Patch synthesis in register in its place ([`crate::aligned`]). Default none (the paper's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aligned: Option<AlignedConfig>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            patch_px: 32,
            coarse: CoarseConfig::default(),
            memory: MemoryConfig::default(),
            synthesis: PatchSynthesisConfig::default(),
            aligned: None,
        }
    }
}

impl ModelConfig {
    /// Checks what the types cannot. [`Model::new`] panics only on what this refuses.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self) -> Result<(), ConfigError> {
        // Candidates are halved twice.
        if !self.patch_px.is_multiple_of(4) || !(4..=256).contains(&self.patch_px) {
            return Err(ConfigError::new(
                "patch_px",
                format!("{} is no multiple of 4 in 4..=256", self.patch_px),
            ));
        }
        self.coarse.check()?;
        self.memory.check(self.patch_px)?;
        if let Some(aligned) = &self.aligned {
            aligned.check()?;
            if self.coarse.prior != Prior::PatchMatch {
                return Err(ConfigError::new(
                    "aligned",
                    "set coarse.prior to patchmatch",
                ));
            }
        }
        self.synthesis.check(self.patch_px)
    }
}

/// All networks of T-MAD.
#[derive(Module, Debug)]
pub struct Model {
    /// Coarse network.
    pub coarse: Coarse,
    /// Embedding of hole patches.
    pub theta: Embedding,
    /// Embedding of the memory's windows.
    pub phi: Embedding,
    /// Encoder of the candidates; not in register.
    pub feature_encoder: Option<FeatureEncoder>,
    /// The paper's patch synthesis network; not in register.
    pub backbone: Option<Backbone>,
    /// Patch synthesis in register.
    pub aligned: Option<AlignedSynthesis>,
    #[module(skip)]
    config: ModelConfig,
}

/// Where the hole's patches and the memory's windows lie.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Cells of the hole grid, by picture.
    pub cells: Vec<Position>,
    /// Windows of every picture's memory.
    pub windows: Vec<Vec<Position>>,
}

/// A texture memory, ready to be asked.
#[derive(Debug, Clone)]
pub struct Memory {
    /// The windows, `[N, 3, k, k]`.
    pub patches: Tensor<4>,
    /// What they are found by, in parts: together they would be the largest tensor of all.
    pub keys: Vec<Keys>,
}

/// What the patch networks make of a coarse guess.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// p̂, `[num_cells, 3, k, k]`.
    pub patches: Tensor<4>,
    /// Î_p, `[batch, 3, height, width]`: patches in the hole, the input elsewhere.
    pub completed: Tensor<4>,
    /// Candidates by picture, pictures without a hole left out.
    pub candidates: Vec<Candidates>,
}

/// Everything a forward pass produces.
#[derive(Debug, Clone)]
pub struct Output {
    /// I_s, `[batch, 3, height, width]`.
    pub coarse: Tensor<4>,
    /// Where the patches lie.
    pub layout: Layout,
    /// The patches and the completed picture.
    pub synthesis: Synthesis,
}

impl Model {
    /// Fresh weights from `seed`.
    ///
    /// # Panics
    ///
    /// If the sizes in `config` do not fit together.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Self {
        // Both embeddings start as the same one: independent random features would make the
        // first retrievals, and with them the first lessons of PSNet, arbitrary.
        let embeddings = || Initializer::new(stream(seed, 1), device);
        Self::initialised(config, Initializer::new(seed, device), embeddings)
    }

    /// Without weights, that is, with zeros, for those of a file.
    ///
    /// # Panics
    ///
    /// As [`Model::new`].
    pub fn unloaded(config: &ModelConfig, device: &Device) -> Self {
        let zeros = || Initializer::zeros(device);
        Self::initialised(config, zeros(), zeros)
    }

    fn initialised<'a>(
        config: &ModelConfig,
        mut init: Initializer,
        embeddings: impl Fn() -> Initializer<'a>,
    ) -> Self {
        let embedding = || Embedding::new(&config.memory, &mut embeddings());
        let num_candidates = config.memory.num_candidates;
        let coarse = Coarse::new(&config.coarse, &mut init);
        let (mut theta, phi) = (embedding(), embedding());
        let (mut feature_encoder, mut backbone, mut aligned) = (None, None, None);
        match &config.aligned {
            Some(sizes) => {
                theta = theta.widened(MORE_QUERY_PLANES);
                aligned = Some(AlignedSynthesis::new(sizes, num_candidates, &mut init));
            }
            None => {
                let sizes = &config.synthesis;
                feature_encoder = Some(FeatureEncoder::new(sizes, num_candidates, &mut init));
                backbone = Some(Backbone::new(sizes, config.patch_px, &mut init));
            }
        }
        Self {
            coarse,
            theta,
            phi,
            feature_encoder,
            backbone,
            aligned,
            config: config.clone(),
        }
    }

    /// The configuration that the model was made with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The same networks with other switches for the memory, for ablations that need no training
    /// (all windows or the paper's 100, hard or soft).
    pub fn with_memory(mut self, memory: MemoryConfig) -> Self {
        self.config.memory = memory;
        self
    }

    /// Guess, retrieve, synthesise.
    pub fn forward(&self, inputs: &Inputs, layout: Layout) -> Output {
        let coarse = self.guess(inputs);
        let start = select_hole(inputs.mask.clone(), coarse.clone(), inputs.image.clone());
        let synthesis = self.synthesise(start, inputs, &layout);
        Output {
            coarse,
            layout,
            synthesis,
        }
    }

    /// The coarse network's guess I_s, `[batch, 3, height, width]`.
    pub fn guess(&self, inputs: &Inputs) -> Tensor<4> {
        let output = (self.coarse).forward(inputs.prior.clone(), inputs.mask.clone());
        let CoarseConfig {
            prior,
            num_halvings,
            ..
        } = self.config.coarse;
        prior.guess(inputs.prior.clone(), output, num_halvings)
    }

    /// Hole cells and all qualifying windows of every picture.
    pub fn layout(&self, masks: &[&Mask]) -> Layout {
        let side = self.config.patch_px;
        Layout {
            cells: (masks.iter().enumerate())
                .flat_map(|(image, mask)| hole_cells(mask, side, image))
                .collect(),
            windows: (masks.iter().enumerate())
                .map(|(image, mask)| memory_windows(mask, side, &self.config.memory, image))
                .collect(),
        }
    }

    /// As [`Model::layout`], with a random choice of the paper's `num_pool` windows.
    pub fn sampled_layout(&self, masks: &[&Mask], seed: u64) -> Layout {
        let Layout { cells, windows } = self.layout(masks);
        let sample = |(image, windows)| {
            let count = self.config.memory.num_pool;
            sample_windows(windows, count, stream(seed, image as u64))
        };
        Layout {
            cells,
            windows: windows.into_iter().enumerate().map(sample).collect(),
        }
    }

    /// Texture memory and patch synthesis (Sections III-B, III-C) after any coarse guess.
    ///
    /// # Shapes
    ///
    /// `guess` (Î_s) `[batch, 3, height, width]`, with the input's pixels outside the hole.
    pub fn synthesise(&self, guess: Tensor<4>, inputs: &Inputs, layout: &Layout) -> Synthesis {
        if let Some(network) = &self.aligned {
            return self.synthesise_in_register(network, guess, inputs, layout);
        }
        let memories: Vec<_> = (layout.windows.iter())
            .map(|windows| self.remember(&guess, windows))
            .collect();
        let (patches, candidates) = if layout.cells.is_empty() {
            let device = guess.device();
            (no_patches(3, self.config.patch_px, &device), Vec::new())
        } else {
            let candidates = self.retrieve_cells(&guess, &layout.cells, &memories);
            let patches = self.synthesise_from(&guess, &inputs.mask, &layout.cells, &candidates);
            (patches, candidates)
        };
        let completed = assemble(
            patches.clone(),
            &layout.cells,
            inputs.image.clone(),
            &inputs.masks,
            inputs.mask.clone(),
        );
        Synthesis {
            patches,
            completed,
            candidates,
        }
    }

    /// The truth for [`Synthesis::patches`]: the same cells of the input.
    pub fn true_patches(&self, inputs: &Inputs, layout: &Layout) -> Tensor<4> {
        if layout.cells.is_empty() {
            return no_patches(3, self.config.patch_px, &inputs.image.device());
        }
        extract(&inputs.image, &layout.cells, self.config.patch_px)
    }
}
