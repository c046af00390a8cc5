//! The whole of T-MAD on one screen: [`Model::forward`].

use crate::coarse::{Coarse, CoarseConfig, Prior};
use crate::detail;
use crate::layers::Initializer;
use crate::patch_synthesis::{Backbone, CandidateFeatures, FeatureEncoder, PatchSynthesisConfig};
use crate::patches::{Position, assemble, centre, extract, hole_cells, no_patches, select_hole};
use crate::tensors::{images_to_tensor, masks_to_tensor, membranes_to_tensor};
use crate::texture_memory::{
    Candidates, Embedding, Keys, MemoryConfig, memory_windows, retrieve, sample_windows,
};
use crate::tiles::Tiles;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use inpaint_core::random::stream;
use inpaint_core::{Control, Mask, RgbImage};
use serde::{Deserialize, Serialize};
use tmad_ops::is_plain_memory;

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

impl ModelConfig {
    /// Checks what the types cannot. [`Model::new`] panics only on what this refuses.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self) -> Result<(), String> {
        // Candidates are halved twice.
        if !self.patch_px.is_multiple_of(4) || !(4..=256).contains(&self.patch_px) {
            return Err(format!(
                "patch_px: {} is no multiple of 4 in 4..=256",
                self.patch_px
            ));
        }
        self.coarse.check()?;
        self.memory.check(self.patch_px)?;
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
    /// What stands in the hole before the coarse network sees the picture (I_m): zeros, or a
    /// smooth filling if the configuration asks for a prior. Same shape as `image`; behind it,
    /// with [`Prior::PatchMatch`], three channels with the difference of that filling, 0 outside
    /// the hole.
    pub prior: Tensor<4>,
}

impl<'a> Inputs<'a> {
    /// Pictures and masks of one size, ready for a model with this configuration.
    ///
    /// # Panics
    ///
    /// If there is no picture, or sizes or counts differ.
    pub fn new(
        images: &[&RgbImage],
        masks: Vec<&'a Mask>,
        config: &ModelConfig,
        device: &Device,
    ) -> Self {
        let fillings: Vec<_> = (images.iter().zip(&masks))
            .filter_map(|(image, mask)| {
                let filling = config
                    .coarse
                    .prior
                    .filling(image, mask, &Control::default());
                filling.expect("a mask has the size of its picture, and nobody cancels")
            })
            .collect();
        Self::with_fillings(
            images,
            masks,
            &fillings.iter().collect::<Vec<_>>(),
            config,
            device,
        )
    }

    /// As [`Inputs::new`], where [`Prior::filling`] was already asked; `fillings` are empty if it
    /// has none.
    ///
    /// # Panics
    ///
    /// As [`Inputs::new`], and if the prior lacks fillings.
    pub fn with_fillings(
        images: &[&RgbImage],
        masks: Vec<&'a Mask>,
        fillings: &[&RgbImage],
        config: &ModelConfig,
        device: &Device,
    ) -> Self {
        let mut inputs = Self::without_prior(images, masks, device);
        let (image, mask) = (inputs.image.clone(), inputs.mask.clone());
        inputs.prior = match config.coarse.prior {
            Prior::None => select_hole(mask, Tensor::zeros_like(&image), image),
            Prior::Membrane => membranes_to_tensor(images, &inputs.masks, device),
            Prior::PatchMatch => {
                assert_eq!(images.len(), fillings.len(), "one filling per picture");
                let membrane = membranes_to_tensor(images, &inputs.masks, device);
                let added = images_to_tensor(fillings, device) - membrane.clone();
                let added = select_hole(mask, added, Tensor::zeros_like(&image));
                Tensor::cat(vec![membrane, added], 1)
            }
        };
        inputs
    }

    /// For the patch networks behind a guess from elsewhere: the coarse network must not be asked.
    ///
    /// # Panics
    ///
    /// As [`Inputs::new`].
    pub fn without_prior(images: &[&RgbImage], masks: Vec<&'a Mask>, device: &Device) -> Self {
        assert_eq!(images.len(), masks.len(), "one mask per picture");
        let image = images_to_tensor(images, device);
        Self {
            mask: masks_to_tensor(&masks, device),
            masks,
            prior: image.clone(),
            image,
        }
    }

    /// The same without autodiff.
    #[must_use]
    pub fn inner(&self) -> Self {
        Self {
            image: self.image.clone().inner(),
            mask: self.mask.clone().inner(),
            masks: self.masks.clone(),
            prior: self.prior.clone().inner(),
        }
    }
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
    /// The windows, `[N, 3, k, k]`, wider by `detail_margin_px` on each side.
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
        Self {
            coarse: Coarse::new(&config.coarse, &mut init),
            theta: embedding(),
            phi: embedding(),
            feature_encoder: FeatureEncoder::new(
                &config.synthesis,
                config.memory.num_candidates,
                &mut init,
            ),
            backbone: Backbone::new(
                &config.synthesis,
                config.patch_px,
                config.memory.num_candidates,
                &mut init,
            ),
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
        let output = (self.coarse).forward(inputs.prior.clone(), inputs.mask.clone());
        (self.config.coarse.prior).guess(inputs.prior.clone(), output)
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
        let memories: Vec<_> = (layout.windows.iter())
            .map(|windows| self.remember(&guess, windows))
            .collect();
        let (patches, candidates) = if layout.cells.is_empty() {
            let device = guess.device();
            (no_patches(3, self.config.patch_px, &device), Vec::new())
        } else {
            self.synthesise_cells(&guess, &inputs.mask, &layout.cells, &memories)
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

    /// Fills a texture memory with windows of one picture. Windows that are partly masked show
    /// the guess, which gets no gradient through them.
    ///
    /// # Panics
    ///
    /// If `windows` is empty.
    pub fn remember(&self, guess: &Tensor<4>, windows: &[Position]) -> Memory {
        self.remember_as(guess, guess, windows)
    }

    /// As [`Model::remember`], with windows of `guess` that are found by what `shown`, a picture
    /// of the same size, shows in their place.
    ///
    /// Similarity is to compare texture, not focus: a guess that was made at a smaller scale is
    /// blurred, and would find whatever in the picture is blurred, too. Compared with the
    /// picture as it looks from that scale, it finds sharp texture of its kind.
    ///
    /// # Panics
    ///
    /// If `windows` is empty.
    pub fn remember_as(
        &self,
        shown: &Tensor<4>,
        guess: &Tensor<4>,
        windows: &[Position],
    ) -> Memory {
        // As many as the embedding's feature maps leave in the processor's caches.
        const CHUNK: usize = 32;
        let (side, margin) = (self.config.patch_px, self.detail_margin());
        let wider: Vec<_> = windows
            .iter()
            .map(|w| w.shifted(-(margin as i32)))
            .collect();
        let patches = extract(&guess.clone().detach(), &wider, side + 2 * margin);
        let keys = (0..windows.len())
            .step_by(CHUNK)
            .map(|start| {
                let count = CHUNK.min(windows.len() - start);
                let windows = &windows[start..start + count];
                let phi = (self.phi).forward(extract(&shown.clone().detach(), windows, side));
                Keys::new(phi, self.config.memory.temperature)
            })
            .collect();
        Memory { patches, keys }
    }

    /// Retrieves candidates for hole cells and synthesises their patches.
    ///
    /// Returns the patches, `[cells.len(), 3, k, k]`, and the candidates of every run of cells of
    /// one picture.
    ///
    /// # Panics
    ///
    /// If `cells` is empty, or not grouped by picture.
    pub fn synthesise_cells(
        &self,
        guess: &Tensor<4>,
        mask: &Tensor<4>,
        cells: &[Position],
        memories: &[Memory],
    ) -> (Tensor<4>, Vec<Candidates>) {
        let candidates = self.retrieve_cells(guess, cells, memories);
        let patches = self.synthesise_from(guess, mask, cells, &candidates);
        (patches, candidates)
    }

    /// By how much the windows of the memory are wider than a patch, on each side.
    fn detail_margin(&self) -> usize {
        self.config.synthesis.detail_margin_px
    }

    /// The tiles in which cells are synthesised.
    pub(crate) fn tiles(&self, cells: &[Position]) -> Tiles {
        Tiles::new(
            cells,
            self.config.patch_px,
            self.config.synthesis.tile_cells,
        )
    }

    /// As [`Model::synthesise_cells`], with the tiles that the cells belong to; `shown` is what
    /// candidates are to resemble, as in [`Model::remember_as`].
    pub(crate) fn synthesise_tiles(
        &self,
        shown: &Tensor<4>,
        guess: &Tensor<4>,
        mask: &Tensor<4>,
        cells: &[Position],
        tiles: &Tiles,
        memories: &[Memory],
    ) -> (Tensor<4>, Vec<Candidates>) {
        let candidates = self.retrieve_cells(shown, cells, memories);
        let patches = self.patches_of(guess, mask, cells, tiles, &candidates);
        (patches, candidates)
    }

    /// The first half of [`Model::synthesise_cells`]: candidates for hole cells.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn retrieve_cells(
        &self,
        guess: &Tensor<4>,
        cells: &[Position],
        memories: &[Memory],
    ) -> Vec<Candidates> {
        let hole_patches = extract(guess, cells, self.config.patch_px);
        let theta = self.theta.forward(hole_patches);
        let mut first = 0;
        cells
            .chunk_by(|a, b| a.image == b.image)
            .map(|run| {
                let memory = &memories[run[0].image];
                let theta = theta.clone().narrow(0, first, run.len());
                first += run.len();
                let scores = memory.keys.iter().map(|keys| keys.scores(theta.clone()));
                let scores = Tensor::cat(scores.collect(), 1);
                retrieve(scores, memory.patches.clone(), &self.config.memory)
            })
            .collect()
    }

    /// The second half of [`Model::synthesise_cells`]: patches from candidates.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn synthesise_from(
        &self,
        guess: &Tensor<4>,
        mask: &Tensor<4>,
        cells: &[Position],
        candidates: &[Candidates],
    ) -> Tensor<4> {
        self.patches_of(guess, mask, cells, &self.tiles(cells), candidates)
    }

    fn patches_of(
        &self,
        guess: &Tensor<4>,
        mask: &Tensor<4>,
        cells: &[Position],
        tiles: &Tiles,
        candidates: &[Candidates],
    ) -> Tensor<4> {
        let side = self.config.patch_px;
        let retrieved = candidates.iter().map(|c| c.patches.clone()).collect();
        let retrieved = Tensor::cat(retrieved, 0);
        let shown = [centre(retrieved.clone(), side)];
        let [half, quarter] = in_passes(CELLS_PER_PASS, shown, |[shown]| {
            let features = self.feature_encoder.forward(shown);
            [features.half, features.quarter]
        });

        let switches = &self.config.synthesis;
        let (half, quarter) = (tiles.join(half), tiles.join(quarter));
        let context = tiles.origins.iter().map(|o| o.shifted(-(side as i32)));
        let context: Vec<_> = context.collect();
        let window_px = (switches.tile_cells + 2) * side;
        let mut windows = extract(guess, &context, window_px);
        if switches.mask_plane {
            let mask = extract(mask, &context, window_px);
            windows = Tensor::cat(vec![windows, mask], 1);
        }
        let tiles_per_pass = CELLS_PER_PASS / (switches.tile_cells * switches.tile_cells);
        let inputs = [windows, half, quarter];
        let [output] = in_passes(tiles_per_pass, inputs, |[windows, half, quarter]| {
            let features = CandidateFeatures { half, quarter };
            [self.backbone.forward(windows, features)]
        });
        let num_shares = output.dims()[1] - 3;
        let mut synthesised = output.clone().narrow(1, 0, 3);
        if switches.fine_residual {
            synthesised = detail::without_coarse(synthesised);
        }
        if switches.candidate_detail {
            let shares = output.narrow(1, 3, num_shares);
            let detail = detail::of_tiles(tiles, retrieved, shares, self.detail_margin());
            synthesised = synthesised + detail;
        }
        let mut patches = tiles.split(synthesised);
        if switches.residual_output {
            patches = patches + extract(guess, cells, side);
        }
        patches
    }

    /// The truth for [`Synthesis::patches`]: the same cells of the input.
    pub fn true_patches(&self, inputs: &Inputs, layout: &Layout) -> Tensor<4> {
        if layout.cells.is_empty() {
            return no_patches(3, self.config.patch_px, &inputs.image.device());
        }
        extract(&inputs.image, &layout.cells, self.config.patch_px)
    }
}

/// Hole cells that go through the patch networks at once, outside of training.
const CELLS_PER_PASS: usize = 4;

/// Runs a network on at most `count` (and at least one) elements of a batch at a time, so that
/// its maps stay in the processor's caches: with 16 patches at once, it takes half as long again.
///
/// Training runs on the whole batch: its maps have to be kept anyway.
fn in_passes<const N: usize, const M: usize>(
    count: usize,
    inputs: [Tensor<4>; N],
    network: impl Fn([Tensor<4>; N]) -> [Tensor<4>; M],
) -> [Tensor<4>; M] {
    let (batch, count) = (inputs[0].dims()[0], count.max(1));
    if batch <= count || !is_plain_memory(&inputs[0].device()) {
        return network(inputs);
    }
    let passes: Vec<_> = (0..batch)
        .step_by(count)
        .map(|start| {
            let len = count.min(batch - start);
            network(inputs.clone().map(|input| input.narrow(0, start, len)))
        })
        .collect();
    std::array::from_fn(|i| Tensor::cat(passes.iter().map(|pass| pass[i].clone()).collect(), 0))
}
