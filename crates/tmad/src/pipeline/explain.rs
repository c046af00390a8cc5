//! Where the texture comes from (Fig. 6 and 7), and texture after another method's guess, the
//! paper's "DeepFill + PSNet" (Table VII).

use super::{Filled, Retrieved, TMad, crop, fill_regions};
use crate::patches::{HoleCounts, Position};
use inpaint_core::patchmatch::{Copies, NUM_RANKS};
use inpaint_core::{
    Control, ExplainedCandidate, ExplainedPatch, Explanation, InpaintError, Mask, Origin,
    OriginKind, Rect, RgbImage, Size, Square, TextureMethod, composite,
};

/// Where the texture of the hole's pixels comes from, in pixels of the region, and what patch
/// synthesis chose for it to follow.
pub(super) fn origins(copies: &Copies, choices: &[u8], num_windows: usize) -> Vec<Option<Origin>> {
    let places = copies.sources.iter().zip(&copies.doubt).zip(choices);
    let origin = places.map(|((sources, doubt), &choice)| {
        // Exact repetitions are no matter of choice.
        let choice = if *doubt == 0 { 0 } else { choice };
        let kind = match usize::from(choice) {
            0 => OriginKind::Copy,
            rank if rank < NUM_RANKS => OriginKind::SecondCopy,
            NUM_RANKS => OriginKind::MeanOfCopies,
            number if number <= NUM_RANKS + num_windows => OriginKind::Window,
            _ => OriginKind::RecolouredCopy,
        };
        sources.map(|[(x, y), _]| Origin { kind, x, y })
    });
    origin.collect()
}

/// A cell of the region at `context` in pixels of the picture.
fn explained(patch: Retrieved, context: Rect) -> ExplainedPatch {
    let side = patch.side_px;
    let square = |position: Position| Square {
        x: i64::from(context.x) + i64::from(position.x),
        y: i64::from(context.y) + i64::from(position.y),
        side,
    };
    let candidates = patch.candidates.into_iter();
    ExplainedPatch {
        place: square(patch.cell),
        candidates: candidates
            .map(|(window, score)| ExplainedCandidate {
                source: square(window),
                score,
            })
            .collect(),
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
        if guess.dimensions() != image.dimensions() {
            return Err(InpaintError::ImageSize {
                completed: Size::from(guess.dimensions()),
                reference: Size::from(image.dimensions()),
            });
        }
        fill_regions(image, mask, control, |region, context, control| {
            let guess = crop(guess, context);
            let filled = self.fill_region(region, Some(&guess), false, control)?;
            Ok(filled.completed)
        })
    }

    fn explain(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Explanation, InpaintError> {
        let mut coarse = image.clone();
        let mut patches: Vec<ExplainedPatch> = Vec::new();
        let width = image.width() as usize;
        let mut origins = vec![None; mask.as_bytes().len()];
        let counts = HoleCounts::new(mask);
        let completed = fill_regions(image, mask, control, |region, context, control| {
            let Filled {
                structure,
                patches: retrieved,
                origins: found,
                completed,
            } = self.fill_region(region, None, true, control)?;
            let (x, y) = (i64::from(context.x), i64::from(context.y));
            inpaint_core::image::imageops::replace(&mut coarse, &structure, x, y);
            // Regions may overlap; then the later one has filled both anew.
            patches.retain(|patch| !hole_lies_in(patch.place, context, &counts));
            patches.extend(retrieved.into_iter().map(|patch| explained(patch, context)));
            let rows = found.chunks_exact(context.width as usize);
            for (row, y) in rows.zip(context.y as usize..) {
                let first = y * width + context.x as usize;
                for (whole, origin) in origins[first..].iter_mut().zip(row) {
                    let in_picture = origin.map(|origin| Origin {
                        x: origin.x + context.x,
                        y: origin.y + context.y,
                        ..origin
                    });
                    *whole = in_picture.or(*whole);
                }
            }
            Ok(completed)
        })?;
        patches.sort_by_key(|patch| (patch.place.y, patch.place.x));
        Ok(Explanation {
            coarse: composite(image, &coarse, mask)?,
            completed,
            patches,
            origins,
        })
    }
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
