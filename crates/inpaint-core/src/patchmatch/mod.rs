//! PatchMatch inpainting: patches copied from the rest of the image.
//!
//! No network and no training. It repeats texture at full resolution, and it
//! is the classical baseline of every learned method.
//!
//! The hole is filled from coarse to fine. At each pyramid level two steps
//! alternate: every patch that touches the hole finds a similar known patch
//! (randomised search of Barnes et al., *PatchMatch*, 2009), and overlapping
//! patches vote for the colours of the hole (Wexler, Shechtman and Irani,
//! *Space-time completion of video*, 2007).
//!
//! Patches know texture, but not which colour belongs where. That comes from
//! the [membrane](crate::membrane) over the hole: it is the first guess, it
//! pulls the estimates of the coarse levels, and at the end it corrects colours
//! at scales above that of texture.
//!
//! Memory and time follow the hole: only patches that touch it are matched,
//! and in an image of more than 4 megapixels only a window around each group
//! of neighbouring holes is read, grown on each side by the longer side of the
//! group's box and at least 512 pixels.

mod coarse_to_fine;
mod copies;
mod field;
mod measure;
mod picture;
mod prior;
mod sources;
mod texture;
mod vote;
mod windows;

use crate::{Control, InpaintError, Inpainter, Mask, Rect, RgbImage, check_sizes};
use copies::Ranked;
pub use copies::{Copies, NUM_RANKS};
use picture::Picture;
use sources::Sources;

/// Searches for single patches at one level from which on it gets fewer rounds and searches than
/// the settings say. Holes of more than 600,000 pixels have so many levels below that nearly all
/// matches are found there.
const MOST_SEARCHES: f32 = 4e6;
/// Share of the searches wanted below which random patches are tried near the best match only.
const LOCAL_SHARE: f32 = 0.25;
/// How near that is, in pixels.
const LOCAL_PX: usize = 32;

/// Rounds of a level, searches per round, and how far random patches lie from the best match.
struct Effort {
    rounds: usize,
    searches: usize,
    radius: usize,
}

/// Settings of PatchMatch inpainting; see the [module text](self).
#[derive(Debug, Clone, PartialEq)]
pub struct PatchMatch {
    /// Side of a patch in pixels: 3, 5, 7, 9 or 11. Larger patches keep larger
    /// structures and give higher PSNR, smaller ones mix more freely. Where no
    /// known patch of this side exists, the next smaller side is used, down to
    /// single pixels.
    pub patch_px: usize,
    /// Rounds of matching and voting at the finest level, at least 1.
    pub num_rounds: usize,
    /// Additional rounds, and additional searches per round, for each coarser
    /// level: they cost little there and decide about structure.
    pub extra_per_level: usize,
    /// Iterations of the randomised search per round at the finest level, at
    /// least 1.
    pub num_searches: usize,
    /// Factor by which a patch's vote falls per pixel that its centre lies
    /// inside the hole, at least 1. Higher is sharper; Wexler et al. take 1.3
    /// and weigh by similarity too, which brought nothing here.
    pub confidence_falloff: f32,
    /// If what the input shows in the hole is a guess of the structure, to which
    /// copies of known patches are wanted, the size in pixels of its finest
    /// detail: it guides the levels that are coarser. `None`: the hole's content
    /// does not matter, and the membrane takes the place of the guess.
    pub guide_px: Option<u32>,
    /// Weight, 0 to 1, with which each estimate of the coarsest level is drawn
    /// to the membrane or the guess; it falls evenly to none at the finest
    /// level, that to a guess faster, as the power 1.5 of the share that is
    /// left. Keeps the matches near the colours around the hole.
    pub prior: f32,
    /// Weight, 0 to 1, with which the final colours are moved to the
    /// membrane's or the guess's wherever they differ over more than a third of a patch or a
    /// twentieth of the hole's depth, so that texture remains. Patches that
    /// repeat exactly keep their colours.
    pub prior_colours: f32,
    /// Weight of what a source lacks in texture against what is expected in the
    /// hole, on the scale of squared differences; 0 leaves the choice to
    /// similarity alone, which prefers smooth sources. With 1, 48 training
    /// pictures lose 0.15 dB, and LPIPS goes from .112 to .106, SWD from 69 to
    /// 45.
    pub texture: f32,
}

/// Chosen on training pictures with a hole in the middle, by PSNR, SSIM and
/// LPIPS together.
impl Default for PatchMatch {
    fn default() -> Self {
        Self {
            patch_px: 9,
            num_rounds: 3,
            extra_per_level: 2,
            num_searches: 2,
            confidence_falloff: 3.0,
            guide_px: None,
            prior: 0.2,
            prior_colours: 0.7,
            texture: 1.0,
        }
    }
}

impl PatchMatch {
    /// For holes that hold a guess with detail down to `guide_px` pixels: it is
    /// followed closely at coarse levels, by smaller patches than without one,
    /// and with more regard to texture, since guesses are smooth. Chosen on 96
    /// training pictures with silhouettes by LPIPS and SWD.
    pub fn guided(guide_px: u32) -> Self {
        Self {
            guide_px: Some(guide_px),
            patch_px: 7,
            prior: 1.0,
            prior_colours: 0.85,
            texture: 2.0,
            ..Self::default()
        }
    }

    /// What to do for `area` hole pixels at `level` (0 is the finest).
    fn effort(&self, level: usize, area: f32) -> Effort {
        let extra = self.extra_per_level * level;
        let (rounds, searches) = (self.num_rounds + extra, self.num_searches + extra);
        let share = MOST_SEARCHES / (area * (rounds * searches) as f32);
        if share >= 1.0 {
            return Effort {
                rounds,
                searches,
                radius: usize::MAX,
            };
        }
        let less = share.sqrt();
        Effort {
            rounds: ((rounds as f32 * less).ceil() as usize).max(rounds.min(2)),
            searches: ((searches as f32 * less).round() as usize).max(1),
            radius: if share < LOCAL_SHARE {
                LOCAL_PX
            } else {
                usize::MAX
            },
        }
    }

    fn check(&self) -> Result<(), InpaintError> {
        let setting = |name, value: String, allowed| InpaintError::Setting {
            name,
            value,
            allowed,
        };
        if ![3, 5, 7, 9, 11].contains(&self.patch_px) {
            let value = self.patch_px.to_string();
            return Err(setting("patch_px", value, "3, 5, 7, 9 or 11"));
        }
        for (name, value) in [
            ("num_rounds", self.num_rounds),
            ("num_searches", self.num_searches),
        ] {
            if value == 0 {
                return Err(setting(name, value.to_string(), "1 or more"));
            }
        }
        if !(self.confidence_falloff >= 1.0 && self.confidence_falloff.is_finite()) {
            let value = self.confidence_falloff.to_string();
            return Err(setting("confidence_falloff", value, "1 or more"));
        }
        if !(self.texture >= 0.0 && self.texture.is_finite()) {
            return Err(setting("texture", self.texture.to_string(), "0 or more"));
        }
        for (name, value) in [("prior", self.prior), ("prior_colours", self.prior_colours)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(setting(name, value.to_string(), "0 to 1"));
            }
        }
        Ok(())
    }

    /// Fills one window with the largest patches that it has an example of.
    fn fill_window(
        &self,
        image: &RgbImage,
        mask: &Mask,
        keep_copies: bool,
        control: &Control,
        report: &dyn Fn(f32),
    ) -> Result<(Picture, Option<Ranked>), InpaintError> {
        for side in [11, 9, 7, 5, 3] {
            if side > self.patch_px {
                continue;
            }
            let picture = Picture::new(image, mask, side);
            if Sources::new(&picture, side).len() == 0 {
                continue;
            }
            return match side {
                11 => coarse_to_fine::fill::<11>(picture, self, keep_copies, control, report),
                9 => coarse_to_fine::fill::<9>(picture, self, keep_copies, control, report),
                7 => coarse_to_fine::fill::<7>(picture, self, keep_copies, control, report),
                5 => coarse_to_fine::fill::<5>(picture, self, keep_copies, control, report),
                _ => coarse_to_fine::fill::<3>(picture, self, keep_copies, control, report),
            };
        }
        let picture = Picture::new(image, mask, 1);
        coarse_to_fine::fill::<1>(picture, self, keep_copies, control, report)
    }

    /// Fills the hole, and keeps the copies of every pixel apart. The image
    /// shows the guess in the hole if there is one ([`Self::guided`]).
    ///
    /// # Errors
    ///
    /// As [`PatchMatch::inpaint`](Inpainter::inpaint).
    pub fn copies(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Copies, InpaintError> {
        let num_pixels = image.width() as usize * image.height() as usize;
        let mut copies = Copies {
            voted: image.clone(),
            ranked: [(); NUM_RANKS].map(|()| image.clone()),
            doubt: vec![0; num_pixels],
            sources: vec![None; num_pixels],
        };
        self.fill(image, mask, true, control, |window, picture, ranked| {
            picture.write_hole(&mut copies.voted, mask, window);
            let Some(ranked) = ranked else { return };
            for (i, pixel) in ranked.pixels {
                let (x, y) = ((i % picture.width) as u32, (i / picture.width) as u32);
                // Pictures smaller than a patch were extended.
                if x >= window.width || y >= window.height {
                    continue;
                }
                let (x, y) = (window.x + x, window.y + y);
                for (ranked, colour) in copies.ranked.iter_mut().zip(pixel.colours) {
                    ranked.get_pixel_mut(x, y).0 = colour;
                }
                let at = y as usize * image.width() as usize + x as usize;
                copies.doubt[at] = pixel.doubt;
                let source = |at: u32, start: u32, length: u32| start + at.min(length - 1);
                copies.sources[at] = Some(pixel.sources.map(|(x, y)| {
                    let x = source(x, window.x, window.width);
                    (x, source(y, window.y, window.height))
                }));
            }
        })?;
        Ok(copies)
    }

    /// Fills the hole window by window; `done` gets each with its filling.
    fn fill(
        &self,
        image: &RgbImage,
        mask: &Mask,
        keep_copies: bool,
        control: &Control,
        mut done: impl FnMut(Rect, &Picture, Option<Ranked>),
    ) -> Result<(), InpaintError> {
        check_sizes(image, mask)?;
        self.check()?;
        if mask.is_full() {
            return Err(InpaintError::NoKnownPixels {
                size: image.dimensions().into(),
            });
        }
        let windows = windows::windows(mask);
        for (index, window) in windows.iter().enumerate() {
            let part =
                image::imageops::crop_imm(image, window.x, window.y, window.width, window.height);
            let part_mask = mask.cropped(*window);
            let report = |fraction: f32| {
                control.report(
                    (index as f32 + fraction) / windows.len() as f32,
                    self.name(),
                );
            };
            let (picture, ranked) =
                self.fill_window(&part.to_image(), &part_mask, keep_copies, control, &report)?;
            done(*window, &picture, ranked);
        }
        Ok(())
    }
}

impl Inpainter for PatchMatch {
    fn name(&self) -> &str {
        "patchmatch"
    }

    /// # Errors
    ///
    /// Also [`InpaintError::Setting`] when a setting is out of range.
    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        let mut filled = image.clone();
        self.fill(image, mask, false, control, |window, picture, _| {
            picture.write_hole(&mut filled, mask, window);
        })?;
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
