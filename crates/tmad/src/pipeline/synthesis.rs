//! The stage that chooses from copies and retrieved windows what the texture is to follow.

use super::tiles::{Tile, tiles};
use super::{Retrieved, STAGE, TMad};
use crate::aligned::{AlignedSynthesis, Sources};
use crate::model::{Inputs, guided_copies};
use crate::patches::{HoleCounts, Position, assemble, hole_cells};
use crate::registration::registered;
use crate::scale::{Scaled, enlarge, reduce, reduce_whole, reduction, with_change};
use crate::tensors::{
    Window, colour, images_to_tensor, tensor_to_images, tensor_values, windows_to_tensor,
};
use crate::texture_memory::rankings;
use burn::tensor::Tensor;
use inpaint_core::image::Rgb;
use inpaint_core::patchmatch::Copies;
use inpaint_core::{Control, InpaintError, RgbImage, composite};
use rayon::prelude::*;

/// Hole cells that are retrieved for, or synthesised by the paper's network, at once.
const CELLS_AT_ONCE: usize = 32;
/// Windows of the memory that are embedded at once.
const WINDOWS_AT_ONCE: usize = 32;
/// Share of the stage's work that the copies are, and that is done after retrieval.
const COPYING: f32 = 0.5;
const RETRIEVED: f32 = 0.6;

/// What patch synthesis in register makes of a region.
pub(super) struct Synthesised {
    /// Only the hole has a meaning.
    pub completed: RgbImage,
    /// Size of its finest detail in pixels of the region.
    pub detail_px: u32,
    /// What was retrieved for the cells of the hole.
    pub patches: Vec<Retrieved>,
    /// Number of the source chosen for every pixel, as [`AlignedSynthesis::forward`] counts them,
    /// row by row; outside the hole without meaning.
    pub choices: Vec<u8>,
}

impl TMad {
    /// Patch synthesis in register, after a guess with detail down to `detail_px` pixels.
    ///
    /// About a hole wider than those of its training the network works at the scale at which it is
    /// as wide: copies, retrieval and choice are made there, and the guess gets what was changed.
    pub(super) fn synthesise_in_register(
        &self,
        network: &AlignedSynthesis,
        region: &Scaled,
        structure: &RgbImage,
        detail_px: u32,
        control: &Control,
    ) -> Result<Synthesised, InpaintError> {
        let sizes = self.model.config().aligned.as_ref();
        let trained = sizes.map_or(u32::MAX, |sizes| sizes.trained_hole_px);
        let factor = reduction(region, trained);
        if factor == 1 {
            return self.synthesise_at_scale(network, region, structure, detail_px, control);
        }
        let small = reduce(region, factor);
        let before = reduce_whole(structure, factor);
        let small_px = detail_px.div_ceil(factor);
        let mut made = self.synthesise_at_scale(network, &small, &before, small_px, control)?;
        let (width, height) = region.image.dimensions();
        let after = composite(&small.image, &made.completed, &small.mask)?;
        let before = composite(&small.image, &before, &small.mask)?;
        let [before, after] = [before, after].map(|small| enlarge(&small, width, height));
        for patch in &mut made.patches {
            patch.enlarge(factor, width, height);
        }
        let columns = small.image.width();
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x / factor, y / factor)));
        Ok(Synthesised {
            completed: with_change(structure, &before?, &after?),
            detail_px: detail_px.min(factor),
            patches: made.patches,
            choices: places
                .map(|(x, y)| made.choices[(y * columns + x) as usize])
                .collect(),
        })
    }

    /// The same at the scale of the region as it is, tile by tile.
    fn synthesise_at_scale(
        &self,
        network: &AlignedSynthesis,
        region: &Scaled,
        structure: &RgbImage,
        detail_px: u32,
        control: &Control,
    ) -> Result<Synthesised, InpaintError> {
        let mut choices = vec![0; region.mask.as_bytes().len()];
        let mut completed = region.image.clone();
        if region.mask.is_empty() {
            return Ok(Synthesised {
                completed,
                detail_px,
                patches: Vec::new(),
                choices,
            });
        }
        let part = control.part(0.0, COPYING);
        let copies = &guided_copies(structure, detail_px, &region.mask, &part)?;
        let patches = self.retrieve(region, copies, structure, control)?;
        let retrieved = self.in_place(region, copies, &patches);
        let width = region.image.width();
        let tiles = tiles(&region.mask);
        for (index, Tile { hole, seen }) in tiles.iter().enumerate() {
            control.check_cancelled()?;
            let window = Window {
                y: seen.y as i32,
                x: seen.x as i32,
                height: seen.height as usize,
                width: seen.width as usize,
            };
            let cut = |image: &RgbImage| self.cut(image, &[window]);
            let plane = |bytes: &[u8], number: fn(u8) -> f32| {
                windows_to_tensor(bytes, 1, width as usize, &[window], number, &self.device)
            };
            let stacked = |images: &[RgbImage]| Tensor::cat(images.iter().map(cut).collect(), 1);
            let (output, numbers) = network.forward(Sources {
                ranked: stacked(&copies.ranked),
                voted: cut(&copies.voted),
                retrieved: stacked(&retrieved),
                guess: cut(structure),
                mask: plane(region.mask.as_bytes(), f32::from),
                doubt: plane(&copies.doubt, |doubt| f32::from(doubt) / 255.0),
            });
            let tile = tensor_to_images(output).remove(0);
            let numbers = tensor_values(numbers.float());
            for v in hole.y..hole.y + hole.height {
                let inside = hole.x..hole.x + hole.width;
                for u in inside.filter(|&u| region.mask.is_hole(u, v)) {
                    let (x, y) = (u - seen.x, v - seen.y);
                    completed.put_pixel(u, v, *tile.get_pixel(x, y));
                    let number = numbers[(y * seen.width + x) as usize];
                    let at = v as usize * width as usize + u as usize;
                    choices[at] = if copies.doubt[at] == 0 {
                        0
                    } else {
                        number as u8
                    };
                }
            }
            let share = (index + 1) as f32 / tiles.len() as f32;
            control.report(RETRIEVED + (1.0 - RETRIEVED) * share, STAGE);
        }
        Ok(Synthesised {
            completed,
            detail_px: 1,
            patches,
            choices,
        })
    }

    fn cut(&self, image: &RgbImage, windows: &[Window]) -> Tensor<4> {
        let columns = image.width() as usize;
        windows_to_tensor(image.as_raw(), 3, columns, windows, colour, &self.device)
    }

    /// Candidates for every cell of the hole, moved to where they fit best.
    fn retrieve(
        &self,
        region: &Scaled,
        copies: &Copies,
        structure: &RgbImage,
        control: &Control,
    ) -> Result<Vec<Retrieved>, InpaintError> {
        let side = self.model.config().patch_px;
        let square = |position: &Position| Window {
            y: position.y,
            x: position.x,
            height: side,
            width: side,
        };
        let squares = |positions: &[Position]| positions.iter().map(square).collect::<Vec<_>>();
        let cells = hole_cells(&region.mask, side, 0);
        let windows = self.windows(&region.mask, control.seed);
        let mut keys = Vec::new();
        for windows in windows.chunks(WINDOWS_AT_ONCE) {
            keys.extend(self.model.keys(&self.cut(&copies.voted, &squares(windows))));
        }
        control.check_cancelled()?;
        let counts = HoleCounts::new(&region.mask);
        let columns = region.image.width() as usize;
        let mut patches = Vec::new();
        for cells in cells.chunks(CELLS_AT_ONCE) {
            control.check_cancelled()?;
            let places = squares(cells);
            let mask = region.mask.as_bytes();
            let mask = windows_to_tensor(mask, 1, columns, &places, f32::from, &self.device);
            let planes = vec![
                self.cut(&copies.voted, &places),
                self.cut(structure, &places),
                mask,
            ];
            let theta = self.model.theta.forward(Tensor::cat(planes, 1));
            let scores = keys.iter().map(|keys| keys.scores(theta.clone())).collect();
            let (ranking, scores) = rankings(&Tensor::cat(scores, 1), &self.model.config().memory);
            let found =
                (cells.par_iter().zip(&ranking).zip(&scores)).map(|((&cell, found), scores)| {
                    let moved = |&window: &usize| {
                        let window = windows[window];
                        registered(&copies.voted, &copies.voted, &counts, cell, window, side)
                    };
                    let candidates = found.iter().map(moved).zip(scores.iter().copied());
                    Retrieved {
                        cell,
                        side_px: side as u32,
                        candidates: candidates.collect(),
                    }
                });
            patches.par_extend(found);
        }
        Ok(patches)
    }

    /// A picture of every rank's windows in the place of their cells.
    fn in_place(&self, region: &Scaled, copies: &Copies, patches: &[Retrieved]) -> Vec<RgbImage> {
        let side = self.model.config().patch_px as i32;
        let (width, height) = (region.image.width() as i32, region.image.height() as i32);
        let num_candidates = self.model.config().memory.num_candidates;
        let in_place = |rank: usize| {
            let mut picture = region.image.clone();
            for Retrieved {
                cell, candidates, ..
            } in patches
            {
                let (window, _) = candidates[rank];
                for y in cell.y.max(0)..(cell.y + side).min(height) {
                    for x in cell.x.max(0)..(cell.x + side).min(width) {
                        let (u, v) = (window.x + x - cell.x, window.y + y - cell.y);
                        if region.mask.is_hole(x as u32, y as u32) {
                            // Pictures smaller than a window repeat their border.
                            let (u, v) = (u.clamp(0, width - 1), v.clamp(0, height - 1));
                            let pixel: Rgb<u8> = *copies.voted.get_pixel(u as u32, v as u32);
                            picture.put_pixel(x as u32, y as u32, pixel);
                        }
                    }
                }
            }
            picture
        };
        (0..num_candidates).map(in_place).collect()
    }

    /// The paper's patch synthesis, cell by cell.
    pub(super) fn synthesise_patches(
        &self,
        region: &Scaled,
        structure: &RgbImage,
        control: &Control,
    ) -> Result<(RgbImage, Vec<Retrieved>), InpaintError> {
        let cells = hole_cells(&region.mask, self.model.config().patch_px, 0);
        if cells.is_empty() {
            return Ok((region.image.clone(), Vec::new()));
        }
        let windows = self.windows(&region.mask, control.seed);
        let inputs = Inputs::without_prior(&[&region.image], vec![&region.mask], &self.device);
        let guess = images_to_tensor(&[structure], &self.device);
        let memory = [self.model.remember(&guess, &windows)];
        let (mut patches, mut retrieved) = (Vec::new(), Vec::new());
        for (index, some) in cells.chunks(CELLS_AT_ONCE).enumerate() {
            control.check_cancelled()?;
            let candidates = self.model.retrieve_cells(&guess, some, &memory);
            patches.push((self.model).synthesise_from(&guess, &inputs.mask, some, &candidates));
            let found = candidates[0]
                .ranking
                .iter()
                .zip(&candidates[0].ranked_scores);
            retrieved.extend(some.iter().zip(found).map(|(&cell, (ranking, scores))| {
                let found = ranking.iter().map(|&window| windows[window]);
                Retrieved {
                    cell,
                    side_px: self.model.config().patch_px as u32,
                    candidates: found.zip(scores.iter().copied()).collect(),
                }
            }));
            let done = ((index + 1) * CELLS_AT_ONCE).min(cells.len());
            control.report(done as f32 / cells.len() as f32, STAGE);
        }
        let patches = Tensor::cat(patches, 0);
        let completed = assemble(patches, &cells, inputs.image, &inputs.masks, inputs.mask);
        Ok((tensor_to_images(completed).remove(0), retrieved))
    }
}
