//! The stage that guesses the structure of a hole.

use super::TMad;
use crate::model::Inputs;
use crate::scale::{Scaled, enlarge, reduce, reduction};
use crate::tensors::tensor_to_images;
use inpaint_core::{Control, InpaintError, RgbImage, composite};
use std::borrow::Cow;

/// Largest area in pixels on which the coarse network runs; larger regions are reduced further.
const MAX_COARSE_AREA: f64 = 768.0 * 768.0;

impl TMad {
    /// The coarse network's guess, with the picture's pixels outside the hole, and the size in pixels
    /// of its finest detail. It is made at the scale at which the hole is about as wide as in
    /// training, and is smooth at that scale.
    pub(super) fn structure(
        &self,
        region: &Scaled,
        control: &Control,
    ) -> Result<(RgbImage, u32), InpaintError> {
        let (width, height) = region.image.dimensions();
        let area = (f64::from(width) * f64::from(height) / MAX_COARSE_AREA).sqrt();
        let trained = self.model.config().coarse.trained_hole_px;
        let factor = reduction(region, trained).max(area.ceil() as u32);
        let picture = match factor {
            1 => Cow::Borrowed(region),
            _ => Cow::Owned(reduce(region, factor)),
        };
        let (image, mask) = (&picture.image, &picture.mask);
        let prior = self.model.config().coarse.prior;
        let filling = prior.filling(image, mask, control)?;
        let fillings: Vec<_> = filling.iter().collect();
        let inputs = Inputs::new(&[image], vec![mask], &fillings, prior, &self.device);
        let guess = tensor_to_images(self.model.guess(&inputs)).remove(0);
        if factor == 1 {
            return Ok((composite(&region.image, &guess, &region.mask)?, 1));
        }
        let guess = composite(&picture.image, &guess, &picture.mask)?;
        let guess = enlarge(&guess, width, height)?;
        Ok((composite(&region.image, &guess, &region.mask)?, factor))
    }
}
