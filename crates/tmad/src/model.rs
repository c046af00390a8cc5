//! The whole of T-MAD on one screen: [`Model::forward`].

use crate::coarse::{Coarse, CoarseConfig};
use crate::layers::Initializer;
use crate::patch_synthesis::{Backbone, FeatureEncoder, PatchSynthesisConfig};
use crate::patches::{Position, assemble, extract, hole_cells, no_patches, select_hole};
use crate::texture_memory::{
    Candidates, Embedding, MemoryConfig, memory_windows, retrieve, sample_windows, scores,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use inpaint_core::Mask;
use inpaint_core::random::stream;
use serde::{Deserialize, Serialize};

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
    /// Patch synthesis network.
    pub synthesis: PatchSynthesisConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            patch_px: 32,
            coarse: CoarseConfig::default(),
            memory: MemoryConfig::default(),
            synthesis: PatchSynthesisConfig::default(),
        }
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
    /// Encoder of the candidates.
    pub feature_encoder: FeatureEncoder,
    /// Patch synthesis network.
    pub backbone: Backbone,
    #[module(skip)]
    config: ModelConfig,
}

/// Pictures of one size with their masks, on the device and off it.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// `[batch, 3, height, width]` in [-1, 1]. What it holds inside the hole is never looked at.
    pub image: Tensor<4>,
    /// `[batch, 1, height, width]`, 1 = hole.
    pub mask: Tensor<4>,
    /// The same masks in memory.
    pub masks: Vec<&'a Mask>,
}

/// Where the hole's patches and the memory's windows lie.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Cells of the hole grid, by picture.
    pub cells: Vec<Position>,
    /// Windows of every picture's memory.
    pub windows: Vec<Vec<Position>>,
}

/// What the patch networks make of a coarse guess.
#[derive(Debug, Clone)]
pub struct Synthesis {
    /// p̂, `[num_cells, 3, k, k]`.
    pub patches: Tensor<4>,
    /// Î_p, `[batch, 3, height, width]`: patches in the hole, the input elsewhere.
    pub completed: Tensor<4>,
    /// Candidates by picture; `None` for a picture without a hole.
    pub candidates: Vec<Option<Candidates>>,
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
        let mut init = Initializer::new(seed, device);
        Self {
            coarse: Coarse::new(&config.coarse, &mut init),
            theta: Embedding::new(&config.memory, &mut init),
            phi: Embedding::new(&config.memory, &mut init),
            feature_encoder: FeatureEncoder::new(
                &config.synthesis,
                config.memory.num_candidates,
                &mut init,
            ),
            backbone: Backbone::new(&config.synthesis, config.patch_px, &mut init),
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
        let guess = select_hole(inputs.mask.clone(), coarse.clone(), inputs.image.clone());
        let synthesis = self.synthesise(guess, inputs, &layout);
        Output {
            coarse,
            layout,
            synthesis,
        }
    }

    /// I_s of Section III-A.
    pub fn guess(&self, inputs: &Inputs) -> Tensor<4> {
        let nothing = Tensor::zeros_like(&inputs.image);
        let masked_image = select_hole(inputs.mask.clone(), nothing, inputs.image.clone());
        self.coarse.forward(masked_image, inputs.mask.clone())
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
        let side = self.config.patch_px;
        let device = guess.device();
        let batch = guess.dims()[0];
        if layout.cells.is_empty() {
            return Synthesis {
                patches: no_patches(3, side, &device),
                completed: inputs.image.clone(),
                candidates: vec![None; batch],
            };
        }
        let hole_patches = extract(&guess, &layout.cells, side);
        let theta = self.theta.forward(hole_patches.clone());
        // Partly masked windows show the guess, which gets no gradient through them.
        let known = guess.clone().detach();
        let mut first = 0;
        let mut candidates = Vec::with_capacity(batch);
        for (image, windows) in layout.windows.iter().enumerate() {
            let num_cells = (layout.cells.iter()).filter(|c| c.image == image).count();
            if num_cells == 0 {
                candidates.push(None);
                continue;
            }
            let memory = extract(&known, windows, side);
            let scores = scores(
                theta.clone().narrow(0, first, num_cells),
                self.phi.forward(memory.clone()),
                self.config.memory.temperature,
            );
            candidates.push(Some(retrieve(scores, memory, &self.config.memory)));
            first += num_cells;
        }
        let retrieved = (candidates.iter().flatten())
            .map(|candidates| candidates.patches.clone())
            .collect();
        let features = self.feature_encoder.forward(Tensor::cat(retrieved, 0));

        let context: Vec<_> = (layout.cells.iter())
            .map(|cell| cell.shifted(-(side as i32)))
            .collect();
        let mut windows = extract(&guess, &context, 3 * side);
        if self.config.synthesis.mask_plane {
            let mask = extract(&inputs.mask, &context, 3 * side);
            windows = Tensor::cat(vec![windows, mask], 1);
        }
        let mut patches = self.backbone.forward(windows, features);
        if self.config.synthesis.residual_output {
            patches = patches + hole_patches;
        }
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
