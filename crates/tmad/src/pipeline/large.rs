//! Holes much larger than in training, for networks that start from PatchMatch's filling.
//!
//! That filling exists at full resolution: copies of the picture, as sharp as it is. What the
//! coarse network knows better is structure and colour, and that is decided at the scale that it
//! was trained for. So it sees the reduced picture, and what it changes there in PatchMatch's
//! filling, but for detail, is carried over to full size. Copies are means of several patches and
//! lose a little sharpness: the texture memory gives it back at full resolution.

use super::energy::{Missing, Surroundings};
use super::explain::Trace;
use super::levels::num_halvings;
use super::refine::{reduce_whole, with_change};
use super::{CELLS_AT_ONCE, STAGE, TMad};
use crate::detail;
use crate::patches::{extract, hole_cells};
use crate::scale::{Scaled, enlarge, reduce};
use crate::tensors::{images_to_tensor, tensor_to_images};
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage, composite};

/// Shares of the work: PatchMatch, then the reduced picture; the rest is sharpening.
const COPYING: f32 = 0.7;
const STRUCTURE: f32 = 0.1;
/// Windows at most of the memory that sharpens: copies only lack a little.
const MAX_WINDOWS: usize = 768;

/// PatchMatch for holes with many scales: one search per round is enough at the largest, where
/// nearly all matches come from the scale below.
fn copying() -> PatchMatch {
    PatchMatch {
        num_searches: 1,
        ..PatchMatch::default()
    }
}

impl TMad {
    /// Fills a region whose hole is at least half as large again as in training.
    pub(super) fn fill_large(
        &self,
        full: &Scaled,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<RgbImage, InpaintError> {
        let part = control.part(0.0, COPYING);
        let copies = copying().inpaint(&full.image, &full.mask, &part)?;
        let factor = 1 << num_halvings(full);
        let reduced = reduce(full, factor);
        let before = reduce_whole(&copies, factor);
        control.check_cancelled()?;
        let after = self.restructured(&reduced, &before, trace);
        let (width, height) = full.image.dimensions();
        let [before, after] = [before, after].map(|small| enlarge(&small, width, height));
        let guess = with_change(&copies, &before?, &after?);
        let guess = composite(&full.image, &guess, &full.mask)?;
        let rest = control.part(COPYING + STRUCTURE, 1.0 - COPYING - STRUCTURE);
        self.sharpened(&guess, &full.mask, &rest, trace)
    }

    /// PatchMatch's filling of a reduced picture with what the coarse network changes in it, but
    /// for detail.
    fn restructured(&self, reduced: &Scaled, filling: &RgbImage, trace: &mut Trace) -> RgbImage {
        let (_, guess) = self.guess_from(reduced, Some(filling), trace);
        let filling = images_to_tensor(&[filling], &self.device);
        let change = guess - filling.clone();
        let detail = detail::without_coarse(change.clone());
        tensor_to_images(filling + change - detail).remove(0)
    }

    /// Adds what the hole lacks in fine detail against its surroundings and what the texture
    /// memory finds for it.
    fn sharpened(
        &self,
        picture: &RgbImage,
        mask: &Mask,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<RgbImage, InpaintError> {
        let side = self.model.config().patch_px;
        let margin = self.model.config().synthesis.detail_margin_px;
        let shown = images_to_tensor(&[picture], &self.device);
        let [_, _, height, width] = shown.dims();
        let cells = hole_cells(mask, side, 0);
        let windows = self.windows(mask, control.seed, MAX_WINDOWS);
        let memory = [self.model.remember(&shown, &windows)];
        trace.starts_level(&cells, &windows);
        let surroundings = Surroundings::new(&shown, mask);
        let mut missing = Missing::new(width, height);
        let num_groups = cells.len().div_ceil(CELLS_AT_ONCE);
        for (group, cells) in cells.chunks(CELLS_AT_ONCE).enumerate() {
            control.check_cancelled()?;
            let candidates = self.model.retrieve_cells(&shown, cells, &memory);
            trace.retrieved(&candidates);
            let patches = extract(&shown, cells, side);
            missing.add(
                &patches,
                &candidates[0].patches,
                cells,
                &surroundings,
                margin,
            );
            let done = group as f32 / num_groups as f32;
            control.report(done, STAGE);
        }
        let missing = missing.into_tensor(&shown);
        let sharp = tensor_to_images(shown + missing).remove(0);
        composite(picture, &sharp, mask)
    }
}
