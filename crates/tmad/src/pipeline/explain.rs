//! Where the texture comes from (Fig. 6 and 7), and texture after another method's guess, the
//! paper's "DeepFill + PSNet" (Table VII).

use super::synthesis::Synthesised;
use super::{Filled, Retrieved, TMad, crop, fill_regions};
use crate::patches::{HoleCounts, Position};
use crate::scale::Scaled;
use inpaint_core::patchmatch::{Copies, NUM_RANKS};
use inpaint_core::{
    Control, ExplainedCandidate, ExplainedPatch, Explanation, InpaintError, Mask, Origin,
    OriginKind, Rect, RgbImage, Size, Square, TextureMethod, composite,
};

/// Where the texture of the hole's pixels comes from, in pixels of the region.
pub(super) fn origins(region: &Scaled, copies: &Copies, made: &Synthesised) -> Vec<Option<Origin>> {
    let width = region.image.width() as usize;
    let num_windows = made.patches.first().map_or(0, |p| p.candidates.len());
    let mut origins: Vec<_> = (copies.sources.iter().zip(&made.choices))
        .map(|(sources, &choice)| {
            let kind = match usize::from(choice) {
                0 => OriginKind::Copy,
                rank if rank < NUM_RANKS => OriginKind::SecondCopy,
                NUM_RANKS => OriginKind::MeanOfCopies,
                number if number <= NUM_RANKS + num_windows => OriginKind::Window,
                _ => OriginKind::RecolouredCopy,
            };
            let rank = usize::from(kind == OriginKind::SecondCopy);
            sources.map(|sources| {
                let (x, y) = sources[rank];
                Origin { kind, x, y }
            })
        })
        .collect();
    let (last_x, last_y) = (region.image.width() - 1, region.image.height() - 1);
    for patch in &made.patches {
        let side = patch.side_px as i32;
        let (rows, columns) = (
            patch.cell.y..patch.cell.y + side,
            patch.cell.x..patch.cell.x + side,
        );
        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
            if !(0..=last_x as i32).contains(&x) || !(0..=last_y as i32).contains(&y) {
                continue;
            }
            let at = y as usize * width + x as usize;
            let number = usize::from(made.choices[at]);
            if let Some(origin) = &mut origins[at]
                && origin.kind == OriginKind::Window
            {
                let (window, _) = patch.candidates[number - NUM_RANKS - 1];
                let moved = |start: i32, along: i32, last: u32| {
                    (start + along).clamp(0, last as i32) as u32
                };
                origin.x = moved(window.x, x - patch.cell.x, last_x);
                origin.y = moved(window.y, y - patch.cell.y, last_y);
            }
        }
    }
    origins
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
            Ok(self.fill_region(region, Some(&guess), control)?.completed)
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
            } = self.fill_region(region, None, control)?;
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
