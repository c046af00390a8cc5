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

mod field;
mod level;
mod picture;
mod smooth_fill;
mod sources;
mod vote;

use crate::{Control, InpaintError, Inpainter, Mask, RgbImage, check_sizes};
use level::Plan;

/// Settings of PatchMatch inpainting; see the [module text](self).
#[derive(Debug, Clone, PartialEq)]
pub struct PatchMatch {
    /// Side of a patch in pixels: 3, 5, 7, 9 or 11. Larger patches keep larger
    /// structures, smaller ones mix more freely. A smaller side is used where
    /// no known patch of this side exists.
    pub patch_px: usize,
    /// Rounds of matching and voting at the finest level.
    pub num_rounds: usize,
    /// Additional rounds per coarser level, where they cost little and decide
    /// about structure.
    pub extra_rounds_per_level: usize,
    /// Iterations of the randomised search in each round.
    pub num_searches: usize,
    /// How strongly votes prefer the most similar patches. Higher is sharper,
    /// 1 is the mean of Wexler et al.
    pub sharpness: f32,
}

impl Default for PatchMatch {
    fn default() -> Self {
        Self {
            patch_px: 7,
            num_rounds: 3,
            extra_rounds_per_level: 2,
            num_searches: 2,
            sharpness: 4.0,
        }
    }
}

impl Inpainter for PatchMatch {
    fn name(&self) -> &str {
        "patchmatch"
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        check_sizes(image, mask)?;
        if mask.is_empty() {
            return Ok(image.clone());
        }
        if mask.is_full() {
            return Err(InpaintError::NoKnownPixels {
                size: image.dimensions().into(),
            });
        }
        let plan = Plan::new(self, image, mask);
        plan.run(control)
    }
}
