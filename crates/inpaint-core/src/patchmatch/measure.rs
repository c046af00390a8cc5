//! How well the matches of a field fit.

use super::field::Match;
use super::picture::{BYTES, Picture};
use super::texture::Texture;
use pulp::NullaryFnOnce;

/// Distances of one row of a field.
pub(super) struct Measure<'a, const P: usize> {
    pub entries: &'a mut [Match],
    pub picture: &'a Picture,
    pub texture: Option<&'a Texture>,
    /// Index of the first entry in the field.
    pub first: usize,
    /// Its top-left pixel in the picture.
    pub offset: usize,
}

/// What is not inlined is not compiled for the processor at hand.
impl<const P: usize> NullaryFnOnce for Measure<'_, P> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (x, entry) in self.entries.iter_mut().enumerate() {
            if !entry.is_known() {
                continue;
            }
            let source = entry.y as usize * self.picture.width + entry.x as usize;
            let found = distance::<P>(self.picture, self.offset + x, source, u32::MAX);
            let penalty = match self.texture {
                Some(texture) => texture.penalty(self.first + x, source, found),
                None => 0,
            };
            entry.distance = found.saturating_add(penalty);
        }
    }
}

/// Sum of squared differences of two patches, given by their top-left pixels.
/// May stop early with any value of at least `limit`.
#[inline(always)]
pub(super) fn distance<const P: usize>(picture: &Picture, a: usize, b: usize, limit: u32) -> u32 {
    let stride = picture.width * BYTES;
    let a = &picture.pixels[a * BYTES..];
    let b = &picture.pixels[b * BYTES..];
    let mut sum = 0;
    for row in 0..P {
        let a = &a[row * stride..][..P * BYTES];
        let b = &b[row * stride..][..P * BYTES];
        // i16 differences compile to multiply-add instructions.
        let mut row_sum = 0i32;
        for (&a, &b) in a.iter().zip(b) {
            let difference = i16::from(a) - i16::from(b);
            row_sum += i32::from(difference) * i32::from(difference);
        }
        sum += row_sum as u32;
        if sum >= limit {
            break;
        }
    }
    sum
}
