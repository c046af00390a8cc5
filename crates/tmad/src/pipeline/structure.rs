//! The stage that guesses the structure of a hole.

use super::TMad;
use crate::model::Inputs;
use crate::scale::{Scaled, enlarge, reduce, reduce_whole, reduction};
use crate::tensors::tensor_to_images;
use inpaint_core::patchmatch::Copies;
use inpaint_core::{InpaintError, RgbImage, composite};
use std::borrow::Cow;

/// Largest area in pixels on which the coarse network runs; larger regions are reduced further.
const MAX_COARSE_AREA: f64 = 768.0 * 768.0;

impl TMad {
    /// The coarse network's guess, with the picture's pixels outside the hole. It is made at the
    /// scale at which the hole is about as wide as in training, and is smooth at that scale.
    pub(super) fn structure(
        &self,
        region: &Scaled,
        copies: Option<&Copies>,
    ) -> Result<RgbImage, InpaintError> {
        let (width, height) = region.image.dimensions();
        let area = (f64::from(width) * f64::from(height) / MAX_COARSE_AREA).sqrt();
        let trained = self.model.config().coarse.trained_hole_px;
        let factor = reduction(region, trained).max(area.ceil() as u32);
        let (picture, voted) = match factor {
            1 => (
                Cow::Borrowed(region),
                copies.map(|copies| Cow::Borrowed(&copies.voted)),
            ),
            _ => (
                Cow::Owned(reduce(region, factor)),
                copies.map(|copies| Cow::Owned(reduce_whole(&copies.voted, factor))),
            ),
        };
        let voted: Vec<&RgbImage> = voted.iter().map(|voted| &**voted).collect();
        let prior = self.model.config().coarse.prior;
        let inputs = Inputs::for_coarse(
            &[&picture.image],
            vec![&picture.mask],
            &voted,
            prior,
            &self.device,
        );
        let guess = tensor_to_images(self.model.guess(&inputs)).remove(0);
        if factor == 1 {
            return composite(&region.image, &guess, &region.mask);
        }
        let guess = composite(&picture.image, &guess, &picture.mask)?;
        composite(
            &region.image,
            &enlarge(&guess, width, height)?,
            &region.mask,
        )
    }
}
