//! From scale to scale, for networks that start from nothing that exists at full resolution.

use super::explain::Trace;
use super::levels::{Scale, at_level, num_halvings, part_of_level};
use super::{Start, TMad};
use crate::scale::{Scaled, enlarge};
use inpaint_core::{Control, InpaintError, RgbImage, composite};

impl TMad {
    /// The result of each scale is doubled in size, and the texture memory and the patch synthesis
    /// network of the next one replace what doubling blurred.
    pub(super) fn fill_by_doubling(
        &self,
        full: &Scaled,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<RgbImage, InpaintError> {
        let num_halvings = num_halvings(full);
        let mut completed: Option<RgbImage> = None;
        for level in (0..=num_halvings).rev() {
            let picture = &*at_level(full, level);
            // Outside the hole as sharp as inside, so that texture can be compared with it.
            let guess = match completed {
                None => None,
                Some(smaller) => {
                    let (width, height) = picture.image.dimensions();
                    Some(enlarge(&smaller, width, height)?)
                }
            };
            let control = part_of_level(control, level, num_halvings);
            completed = Some(match &guess {
                // Behind the coarse network there is nothing to add at larger scales.
                Some(guess) if self.coarse_only => composite(&picture.image, guess, &picture.mask)?,
                _ => {
                    let scale = Scale::new(level, num_halvings);
                    let start = guess.as_ref().map_or(Start::Hole, Start::Guess);
                    self.fill_at_scale(picture, start, scale, &control, trace)?
                }
            });
        }
        Ok(completed.expect("there is at least one level"))
    }
}
