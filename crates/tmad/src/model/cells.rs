//! Texture memory and patch synthesis for any cells of the hole: what [`Model::forward`] and the
//! pipeline, which takes large holes in parts, have in common.

use super::{Memory, Model};
use crate::detail;
use crate::patch_synthesis::CandidateFeatures;
use crate::patches::{Position, centre, extract};
use crate::texture_memory::{Candidates, Keys, retrieve};
use crate::tiles::Tiles;
use burn::tensor::Tensor;
use tmad_ops::is_plain_memory;

impl Model {
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
