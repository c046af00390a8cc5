//! Measures of inpainting quality that need no network weights.
//!
//! Papers differ in where they measure, so every metric takes a [`Region`]:
//! the hole alone, or the whole image. Pass *composited* images (known pixels
//! restored by [`crate::composite`]); then "whole" measures the hole too,
//! diluted by the known pixels, except that SSIM and TV also see the seam.
//!
//! Values are per image; protocols average them over images.

mod l1;
mod psnr;
mod sliced_wasserstein;
mod ssim;
mod total_variation;

pub use l1::l1_percent;
pub use psnr::psnr;
pub use sliced_wasserstein::{SlicedWasserstein, SlicedWassersteinOptions, SlicedWassersteinScore};
pub use ssim::ssim;
pub use total_variation::{picnet_total_variation, total_variation};

use crate::composite::check_images;
use crate::{InpaintError, Mask, RgbImage, check_sizes};

/// Where a metric is measured.
#[derive(Debug, Clone, Copy)]
pub enum Region<'a> {
    /// Every pixel.
    Whole,
    /// The hole pixels of this mask.
    Hole(&'a Mask),
}

impl<'a> Region<'a> {
    fn check(self, image: &RgbImage) -> Result<(), InpaintError> {
        match self {
            Region::Whole => Ok(()),
            Region::Hole(mask) => check_sizes(image, mask),
        }
    }

    /// The mask's bytes, or nothing for the whole image.
    fn holes(self) -> Option<&'a [u8]> {
        match self {
            Region::Whole => None,
            Region::Hole(mask) => Some(mask.as_bytes()),
        }
    }
}

/// Mean of `term` over all channel values of the region.
fn mean_difference(
    metric: &'static str,
    reference: &RgbImage,
    completed: &RgbImage,
    region: Region<'_>,
    term: impl Fn(u64) -> u64,
) -> Result<f64, InpaintError> {
    check_images(reference, completed)?;
    region.check(reference)?;
    let holes = region.holes();
    // Whole numbers, so that neither order nor platform can matter.
    let (mut sum, mut count) = (0u64, 0u64);
    let pairs = reference.chunks_exact(3).zip(completed.chunks_exact(3));
    for (i, (a, b)) in pairs.enumerate() {
        if holes.is_none_or(|holes| holes[i] != 0) {
            let terms = a.iter().zip(b).map(|(a, b)| term(a.abs_diff(*b).into()));
            sum += terms.sum::<u64>();
            count += 3;
        }
    }
    if count == 0 {
        return Err(InpaintError::EmptyRegion {
            metric,
            reason: "the region holds no pixel",
        });
    }
    Ok(sum as f64 / count as f64)
}
