//! Texture memory and the paper's patch synthesis for any cells of the hole: what
//! [`Model::forward`] and the pipeline, which takes large holes in parts, have in common.

use super::{Memory, Model};
use crate::patches::{Position, extract};
use crate::texture_memory::{Candidates, Keys, retrieve};
use burn::tensor::Tensor;
use tmad_ops::is_plain_memory;

impl Model {
    /// Fills a texture memory with windows of one picture. Windows that are partly masked show
    /// what `picture` has there, which gets no gradient through them.
    ///
    /// # Panics
    ///
    /// If `windows` is empty.
    pub fn remember(&self, picture: &Tensor<4>, windows: &[Position]) -> Memory {
        let side = self.config.patch_px;
        let patches = extract(&picture.clone().detach(), windows, side);
        let keys = self.keys(&patches);
        Memory { patches, keys }
    }

    /// What windows `[N, 3, k, k]` are found by, in parts.
    pub(crate) fn keys(&self, patches: &Tensor<4>) -> Vec<Keys> {
        // As many as the embedding's feature maps leave in the processor's caches.
        const CHUNK: usize = 32;
        let [num_windows, ..] = patches.dims();
        (0..num_windows)
            .step_by(CHUNK)
            .map(|start| {
                let count = CHUNK.min(num_windows - start);
                let windows = patches.clone().narrow(0, start, count);
                Keys::new(self.phi.forward(windows), self.config.memory.temperature)
            })
            .collect()
    }

    /// Candidates for hole cells, of every run of cells of one picture. `queries` are the pictures
    /// that θ sees: the guess, or in register the voted copy, the guess and the mask.
    ///
    /// # Panics
    ///
    /// If `cells` is empty, or not grouped by picture.
    pub fn retrieve_cells(
        &self,
        queries: &Tensor<4>,
        cells: &[Position],
        memories: &[Memory],
    ) -> Vec<Candidates> {
        let theta = (self.theta).forward(extract(queries, cells, self.config.patch_px));
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

    /// The paper's patches `[cells.len(), 3, k, k]` from a guess and candidates.
    ///
    /// # Panics
    ///
    /// If `cells` is empty, not grouped by picture, or the model synthesises in register.
    pub fn synthesise_from(
        &self,
        guess: &Tensor<4>,
        mask: &Tensor<4>,
        cells: &[Position],
        candidates: &[Candidates],
    ) -> Tensor<4> {
        let networks = self.feature_encoder.as_ref().zip(self.backbone.as_ref());
        let (encoder, backbone) = networks.expect("the paper's networks");
        let side = self.config.patch_px;
        let retrieved = candidates.iter().map(|c| c.patches.clone()).collect();
        let context: Vec<_> = cells.iter().map(|c| c.shifted(-(side as i32))).collect();
        let mut windows = extract(guess, &context, 3 * side);
        if self.config.synthesis.mask_plane {
            windows = Tensor::cat(vec![windows, extract(mask, &context, 3 * side)], 1);
        }
        let inputs = [windows, Tensor::cat(retrieved, 0)];
        let patches = in_passes(inputs, |[windows, retrieved]| {
            backbone.forward(windows, encoder.forward(retrieved))
        });
        match self.config.synthesis.residual_output {
            true => patches + extract(guess, cells, side),
            false => patches,
        }
    }
}

/// Hole cells that go through the patch networks at once, outside of training.
const CELLS_PER_PASS: usize = 4;

/// Runs a network on some elements of a batch at a time, so that its maps stay in the processor's
/// caches: with 16 patches at once, it takes half as long again.
///
/// Training runs on the whole batch: its maps have to be kept anyway.
fn in_passes<const N: usize>(
    inputs: [Tensor<4>; N],
    network: impl Fn([Tensor<4>; N]) -> Tensor<4>,
) -> Tensor<4> {
    let batch = inputs[0].dims()[0];
    if batch <= CELLS_PER_PASS || !is_plain_memory(&inputs[0].device()) {
        return network(inputs);
    }
    let passes = (0..batch).step_by(CELLS_PER_PASS).map(|start| {
        let len = CELLS_PER_PASS.min(batch - start);
        network(inputs.clone().map(|input| input.narrow(0, start, len)))
    });
    Tensor::cat(passes.collect(), 0)
}
