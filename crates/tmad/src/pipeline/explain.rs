//! Where the texture comes from (Fig. 6 and 7).

use super::levels::{at_level, num_halvings};
use super::{TMad, fill_regions};
use crate::patches::{HoleCounts, Position};
use crate::scale::{Scaled, enlarge};
use crate::tensors::tensor_to_images;
use crate::texture_memory::Candidates;
use burn::tensor::Tensor;
use inpaint_core::{
    Control, ExplainedCandidate, ExplainedPatch, Explanation, InpaintError, Mask, Rect, RgbImage,
    Square, TextureMethod, composite,
};

/// What filling a region went through. Levels overwrite each other: the finest one remains.
#[derive(Debug, Default)]
pub(super) struct Trace {
    is_on: bool,
    /// Output of the coarse network at its own scale, the input's pixels outside the hole.
    coarse: Option<RgbImage>,
    cells: Vec<Position>,
    windows: Vec<Position>,
    /// Windows by rank with their scores, for every cell.
    ranked: Vec<Vec<(usize, f32)>>,
}

impl Trace {
    /// Keeps nothing.
    pub(super) fn off() -> Self {
        Self::default()
    }

    fn on() -> Self {
        Self {
            is_on: true,
            ..Self::default()
        }
    }

    /// The coarse network has made its guess.
    pub(super) fn guessed(&mut self, guess: &Tensor<4>) {
        if self.is_on {
            self.coarse = tensor_to_images(guess.clone()).pop();
        }
    }

    /// A level will fill these cells out of these windows.
    pub(super) fn starts_level(&mut self, cells: &[Position], windows: &[Position]) {
        if self.is_on {
            self.cells = cells.to_vec();
            self.windows = windows.to_vec();
            self.ranked.clear();
        }
    }

    /// The next cells of the level have got their candidates.
    pub(super) fn retrieved(&mut self, candidates: &[Candidates]) {
        if self.is_on {
            for candidates in candidates {
                let cells = candidates.ranking.iter().zip(&candidates.ranked_scores);
                self.ranked.extend(cells.map(|(windows, scores)| {
                    windows
                        .iter()
                        .copied()
                        .zip(scores.iter().copied())
                        .collect()
                }));
            }
        }
    }

    /// The patches of the region at `context`, in pixels of the picture.
    fn patches(&self, context: Rect, side: usize) -> impl Iterator<Item = ExplainedPatch> {
        let square = move |position: Position| Square {
            x: i64::from(context.x) + i64::from(position.x),
            y: i64::from(context.y) + i64::from(position.y),
            side: side as u32,
        };
        self.cells
            .iter()
            .zip(&self.ranked)
            .map(move |(cell, ranked)| ExplainedPatch {
                place: square(*cell),
                candidates: (ranked.iter())
                    .map(|&(window, score)| ExplainedCandidate {
                        source: square(self.windows[window]),
                        score,
                    })
                    .collect(),
            })
    }
}

impl TextureMethod for TMad {
    fn refine(
        &self,
        image: &RgbImage,
        guess: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        self.refine_guess(image, guess, mask, control)
    }

    fn explain(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Explanation, InpaintError> {
        let mut coarse = image.clone();
        let mut patches: Vec<ExplainedPatch> = Vec::new();
        let counts = HoleCounts::new(mask);
        let side = self.model.config().patch_px;
        let completed = fill_regions(image, mask, control, |region, context, control| {
            let mut trace = Trace::on();
            let completed = self.fill_region(region, control, &mut trace)?;
            if let Some(guess) = trace.coarse.take() {
                let guess = enlarged_guess(guess, region)?;
                let (x, y) = (i64::from(context.x), i64::from(context.y));
                inpaint_core::image::imageops::replace(&mut coarse, &guess, x, y);
            }
            // Regions may overlap; then the later one has filled both anew.
            patches.retain(|patch| !hole_lies_in(patch.place, context, &counts));
            patches.extend(trace.patches(context, side));
            Ok(completed)
        })?;
        patches.sort_by_key(|patch| (patch.place.y, patch.place.x));
        Ok(Explanation {
            coarse: composite(image, &coarse, mask)?,
            completed,
            patches,
        })
    }
}

/// The coarse guess at full size, enlarged in the way of the method `coarse`.
fn enlarged_guess(guess: RgbImage, full: &Scaled) -> Result<RgbImage, InpaintError> {
    (0..num_halvings(full))
        .rev()
        .try_fold(guess, |guess, level| {
            let picture = at_level(full, level);
            let (width, height) = picture.image.dimensions();
            let guess = enlarge(&guess, width, height)?;
            composite(&picture.image, &guess, &picture.mask)
        })
}

/// Whether all of a patch's hole pixels lie in `context`.
fn hole_lies_in(patch: Square, context: Rect, counts: &HoleCounts) -> bool {
    let (left, top) = (patch.x.max(context.x.into()), patch.y.max(context.y.into()));
    let right = (patch.x + i64::from(patch.side)).min(i64::from(context.x + context.width));
    let bottom = (patch.y + i64::from(patch.side)).min(i64::from(context.y + context.height));
    let inside = counts.in_rectangle(
        top as i32,
        left as i32,
        (bottom - top).max(0) as i32,
        (right - left).max(0) as i32,
    );
    inside == counts.in_square(patch.y as i32, patch.x as i32, patch.side as i32)
}
