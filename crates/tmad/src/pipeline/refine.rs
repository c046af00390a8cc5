//! Texture after another method's guess: the paper's "DeepFill + PSNet" (Table VII).

use super::explain::Trace;
use super::levels::{Scale, at_level, num_halvings, part_of_level};
use super::{Start, TMad, crop, fill_regions};
use crate::scale::{Scaled, enlarge, reduce};
use inpaint_core::{Control, InpaintError, Mask, RgbImage, Size, composite};

impl TMad {
    /// [`TextureMethod::refine`](inpaint_core::TextureMethod::refine).
    pub(super) fn refine_guess(
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
            self.refine_region(region, crop(guess, context), control)
        })
    }

    /// Refines a region at the scales at which the pipeline fills it.
    ///
    /// A level gets the guess reduced to its scale, plus what the level below changed in its own:
    /// so the texture of every scale is replaced, as in the pipeline, and detail that only the
    /// full-size guess has is not lost on the way through the small ones. A hole of the trained
    /// size has one level, which is the paper's experiment.
    fn refine_region(
        &self,
        full: &Scaled,
        guess: RgbImage,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        let guess = composite(&full.image, &guess, &full.mask)?;
        if self.coarse_only {
            return Ok(guess);
        }
        let num_halvings = num_halvings(full);
        let mut below: Option<(RgbImage, RgbImage)> = None;
        for level in (0..=num_halvings).rev() {
            let picture = &*at_level(full, level);
            let own = reduce_whole(&guess, 1 << level);
            let own = composite(&picture.image, &own, &picture.mask)?;
            let corrected = match below {
                None => own.clone(),
                Some((before, after)) => {
                    let (width, height) = own.dimensions();
                    let before = enlarge(&before, width, height)?;
                    let after = enlarge(&after, width, height)?;
                    let corrected = with_change(&own, &before, &after);
                    composite(&picture.image, &corrected, &picture.mask)?
                }
            };
            let control = &part_of_level(control, level, num_halvings);
            let scale = Scale::new(level, num_halvings);
            let trace = &mut Trace::off();
            let start = Start::Guess(&corrected);
            let refined = self.fill_at_scale(picture, start, scale, control, trace)?;
            below = Some((own, refined));
        }
        Ok(below.expect("there is at least one level").1)
    }
}

/// A picture without a hole, reduced by a whole factor.
pub(super) fn reduce_whole(image: &RgbImage, factor: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let whole = Scaled {
        image: image.clone(),
        mask: Mask::new(width, height),
    };
    reduce(&whole, factor).image
}

/// own + (after − before).
pub(super) fn with_change(own: &RgbImage, before: &RgbImage, after: &RgbImage) -> RgbImage {
    let mut sum = own.clone();
    let changes = before.iter().zip(after.iter());
    for (value, (&before, &after)) in sum.iter_mut().zip(changes) {
        let changed = i16::from(*value) + i16::from(after) - i16::from(before);
        *value = changed.clamp(0, 255) as u8;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use inpaint_core::image::Rgb;

    #[test]
    fn changes_are_added_and_clamped() {
        let plain = |value: u8| RgbImage::from_pixel(2, 1, Rgb([value, 250, 3]));
        let sum = with_change(&plain(100), &plain(40), &plain(70));
        assert_eq!(sum.get_pixel(1, 0).0, [130, 250, 3]);
        let dark = RgbImage::from_pixel(1, 1, Rgb([0; 3]));
        let bright = RgbImage::from_pixel(1, 1, Rgb([255; 3]));
        assert_eq!(with_change(&bright, &dark, &bright), bright);
        assert_eq!(with_change(&dark, &bright, &dark), dark);
    }
}
