//! Patch synthesis in register for whole pictures: what training runs. The pipeline does the same
//! tile by tile, out of pictures instead of tensors ([`crate::pipeline`]).

use super::{Inputs, Layout, Model, Synthesis};
use crate::aligned::{AlignedSynthesis, Sources};
use crate::patches::{HoleCounts, Position, assemble, extract, no_patches, select_hole};
use crate::registration::registered;
use crate::tensors::{images_to_tensor, planes_to_tensor, tensor_to_images};
use crate::texture_memory::Candidates;
use burn::tensor::Tensor;
use inpaint_core::patchmatch::{Copies, NUM_RANKS, PatchMatch};
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage};
use rayon::prelude::*;

/// Copies of known patches that follow a guess with detail down to `guide_px` pixels, which shows the
/// picture outside the hole; the guess itself where nothing is known.
///
/// # Errors
///
/// As [`PatchMatch::copies`].
pub(crate) fn guided_copies(
    guess: &RgbImage,
    guide_px: u32,
    mask: &Mask,
    control: &Control,
) -> Result<Copies, InpaintError> {
    if mask.is_full() {
        return Ok(Copies::none(guess));
    }
    PatchMatch::guided(guide_px).copies(guess, mask, control)
}

/// The mean of [`guided_copies`] alone, without keeping the copies apart.
///
/// # Errors
///
/// As [`PatchMatch::copies`].
pub(crate) fn guided_texture(
    guess: &RgbImage,
    guide_px: u32,
    mask: &Mask,
    control: &Control,
) -> Result<RgbImage, InpaintError> {
    if mask.is_full() {
        return Ok(guess.clone());
    }
    PatchMatch::guided(guide_px).inpaint(guess, mask, control)
}

impl Model {
    pub(super) fn synthesise_in_register(
        &self,
        network: &AlignedSynthesis,
        guess: Tensor<4>,
        inputs: &Inputs,
        layout: &Layout,
    ) -> Synthesis {
        let device = guess.device();
        let (sources, candidates) = self.sources(guess, inputs, layout);
        let (completed, _) = network.forward(sources);
        let completed = select_hole(inputs.mask.clone(), completed, inputs.image.clone());
        let patches = match layout.cells.is_empty() {
            true => no_patches(3, self.config.patch_px, &device),
            false => extract(&completed, &layout.cells, self.config.patch_px),
        };
        Synthesis {
            patches,
            completed,
            candidates,
        }
    }

    /// What the network in register chooses from, with the candidates of every picture that has a
    /// hole; `guess` is as for [`Model::synthesise`]. Copies are made that follow it.
    pub fn sources(
        &self,
        guess: Tensor<4>,
        inputs: &Inputs,
        layout: &Layout,
    ) -> (Sources, Vec<Candidates>) {
        let device = guess.device();
        let guesses = tensor_to_images(guess.clone().detach());
        let copies: Vec<_> = (guesses.par_iter().zip(&inputs.masks))
            .map(|(guess, mask)| {
                guided_copies(guess, 1, mask, &Control::default())
                    .expect("a mask has the size of its picture, and nobody cancels")
            })
            .collect();
        let stacked = |of: &dyn Fn(&Copies) -> &RgbImage| {
            images_to_tensor(&copies.iter().map(of).collect::<Vec<_>>(), &device)
        };
        let voted = stacked(&|copies| &copies.voted);
        let ranked = (0..NUM_RANKS).map(|rank| stacked(&|copies: &Copies| &copies.ranked[rank]));
        let doubt: Vec<_> = copies.iter().map(|copies| &copies.doubt[..]).collect();
        let [_, _, height, width] = guess.dims();
        let (retrieved, candidates) =
            self.retrieve_in_register(&copies, &voted, &guess, inputs, layout);
        let sources = Sources {
            ranked: Tensor::cat(ranked.collect(), 1),
            voted,
            retrieved,
            guess,
            mask: inputs.mask.clone(),
            doubt: planes_to_tensor(&doubt, [height, width], &device),
        };
        (sources, candidates)
    }

    /// The retrieved windows by rank, each moved to where it fits best, in the place of their
    /// cells: `[batch, num_candidates · 3, height, width]`.
    ///
    /// The gradient of a moved window is that of the window that was found (Eq. 5).
    fn retrieve_in_register(
        &self,
        copies: &[Copies],
        voted: &Tensor<4>,
        guess: &Tensor<4>,
        inputs: &Inputs,
        layout: &Layout,
    ) -> (Tensor<4>, Vec<Candidates>) {
        let (side, num_candidates) = (self.config.patch_px, self.config.memory.num_candidates);
        if layout.cells.is_empty() {
            let ranks = vec![inputs.image.clone(); num_candidates];
            return (Tensor::cat(ranks, 1), Vec::new());
        }
        let memories: Vec<_> = (layout.windows.iter())
            .map(|windows| self.remember(voted, windows))
            .collect();
        let planes = vec![voted.clone(), guess.clone(), inputs.mask.clone()];
        let queries = Tensor::cat(planes, 1);
        let mut candidates = self.retrieve_cells(&queries, &layout.cells, &memories);
        let runs = layout.cells.chunk_by(|a, b| a.image == b.image);
        for (cells, candidates) in runs.zip(&mut candidates) {
            let image = cells[0].image;
            let windows = &layout.windows[image];
            let counts = HoleCounts::new(inputs.masks[image]);
            let (picture, target) = (inputs.pictures[image], &copies[image].voted);
            let moved: Vec<Position> = (cells.par_iter().zip(&candidates.ranking))
                .flat_map_iter(|(&cell, ranking)| {
                    let moved = |&window: &usize| {
                        registered(picture, target, &counts, cell, windows[window], side)
                    };
                    ranking.iter().map(moved).collect::<Vec<_>>()
                })
                .collect();
            let shape = candidates.patches.dims();
            let moved = extract(&voted.clone().detach(), &moved, side).reshape(shape);
            let found = candidates.patches.clone();
            // The difference is exactly zero, and carries the gradient.
            candidates.patches = moved + (found.clone() - found.detach());
        }
        let patches = candidates.iter().map(|c| c.patches.clone()).collect();
        let patches = Tensor::cat(patches, 0);
        let ranks = (0..num_candidates).map(|rank| {
            assemble(
                patches.clone().narrow(1, 3 * rank, 3),
                &layout.cells,
                inputs.image.clone(),
                &inputs.masks,
                inputs.mask.clone(),
            )
        });
        (Tensor::cat(ranks.collect(), 1), candidates)
    }
}
