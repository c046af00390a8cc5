//! The membrane over the hole, which knows colours at large but no texture.

use super::field::Field;
use super::picture::{BYTES, Bounds, Picture};
use crate::membrane::membrane;
use crate::{InpaintError, Mask, RgbImage};

/// Root mean squared difference of a patch and its match, in levels, at which
/// half of a colour correction is applied: exact repetitions stay exact.
pub(super) const EXACT_LEVELS: f32 = 1.0;
/// Passes of the box filter; three come close to a Gaussian.
const NUM_BLURS: usize = 3;

/// The membrane over the hole of one pyramid level.
pub(super) struct Prior {
    area: Bounds,
    /// Colours of the pixels of `area`, row by row.
    colours: Vec<[f32; 3]>,
}

impl Prior {
    /// `None` without a hole. Time and memory follow the hole: only its
    /// bounding box, grown on each side by the longer side, is read.
    pub fn new(picture: &Picture) -> Result<Option<Self>, InpaintError> {
        let Some(bounds) = picture.hole_bounds() else {
            return Ok(None);
        };
        let longer = (bounds.right - bounds.left).max(bounds.bottom - bounds.top);
        let area = grown(bounds, longer, picture);
        let (width, height) = (area.right - area.left, area.bottom - area.top);
        let at = |x: u32, y: u32| (area.top + y as usize) * picture.width + area.left + x as usize;
        let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let i = BYTES * at(x, y);
            image::Rgb([0, 1, 2].map(|c| picture.pixels[i + c]))
        });
        let mask = Mask::from_fn(width as u32, height as u32, |x, y| {
            picture.hole[at(x, y)] != 0
        });
        let colours = membrane(&image, &mask)?;
        Ok(Some(Self { area, colours }))
    }

    /// Moves the hole's colours towards the membrane by `weight`, 0 to 1.
    pub fn blend(&self, picture: &mut Picture, weight: f32) {
        for (i, prior) in self.hole_pixels(picture) {
            for (value, prior) in picture.pixels[BYTES * i..].iter_mut().zip(prior) {
                let old = f32::from(*value);
                *value = (old + weight * (prior - old) + 0.5) as u8;
            }
        }
    }

    /// Moves what is wider than about `radius` pixels towards the membrane by
    /// `weight` and leaves finer texture as it is. Where a patch of `side`
    /// pixels repeats its match exactly, nothing moves.
    pub fn correct_colours(
        &self,
        picture: &mut Picture,
        field: &Field,
        side: usize,
        radius: usize,
        weight: f32,
    ) {
        let mut changes = self.hole_pixels(picture).into_iter().map(|(i, prior)| {
            let (x, y) = (i % picture.width, i / picture.width);
            let weight = weight * doubt(field, side, x, y);
            let pixel = &picture.pixels[BYTES * i..];
            let change = [0, 1, 2].map(|c| weight * (prior[c] - f32::from(pixel[c])));
            (i, change)
        });
        let correction = blur_planes(picture, &mut changes, radius);
        for (i, _) in self.hole_pixels(picture) {
            let pixel = picture.pixels[BYTES * i..].iter_mut();
            for (value, change) in pixel.zip(correction(i)) {
                // The cast saturates.
                *value = (f32::from(*value) + change + 0.5) as u8;
            }
        }
    }

    /// Indices in the picture of the hole's pixels, and their colours here.
    fn hole_pixels(&self, picture: &Picture) -> Vec<(usize, [f32; 3])> {
        let width = self.area.right - self.area.left;
        let pixels = self.colours.iter().enumerate().map(|(j, &colour)| {
            let (x, y) = (self.area.left + j % width, self.area.top + j / width);
            (y * picture.width + x, colour)
        });
        pixels.filter(|&(i, _)| picture.hole[i] != 0).collect()
    }
}

/// Blurs values of the hole's pixels, given with their indices in the picture,
/// over about `radius` pixels; they are 0 outside the hole. The result is asked
/// by index.
pub(super) fn blur_planes(
    picture: &Picture,
    values: &mut dyn Iterator<Item = (usize, [f32; 3])>,
    radius: usize,
) -> impl Fn(usize) -> [f32; 3] + use<> {
    let nothing = Bounds {
        left: 0,
        right: 0,
        top: 0,
        bottom: 0,
    };
    let bounds = picture.hole_bounds().unwrap_or(nothing);
    let area = grown(bounds, NUM_BLURS * radius, picture);
    let (width, height) = (area.right - area.left, area.bottom - area.top);
    let columns = picture.width;
    let index = move |i: usize| (i / columns - area.top) * width + i % columns - area.left;
    let mut blurred = vec![[0.0f32; 3]; width * height];
    for (i, value) in values {
        blurred[index(i)] = value;
    }
    for _ in 0..NUM_BLURS {
        for row in blurred.chunks_exact_mut(width.max(1)) {
            blur(row, radius);
        }
        let mut column = vec![[0.0; 3]; height];
        for x in 0..width {
            for (y, value) in column.iter_mut().enumerate() {
                *value = blurred[y * width + x];
            }
            blur(&mut column, radius);
            for (y, value) in column.iter().enumerate() {
                blurred[y * width + x] = *value;
            }
        }
    }
    move |i| blurred[index(i)]
}

/// How far the patch around `(x, y)` is from an exact repetition, 0 to 1.
fn doubt(field: &Field, side: usize, x: usize, y: usize) -> f32 {
    let last_x = field.left + field.width - 1;
    let last_y = field.top + field.height() - 1;
    let x = x.saturating_sub(side / 2).clamp(field.left, last_x);
    let y = y.saturating_sub(side / 2).clamp(field.top, last_y);
    let Some(found) = field.get(x, y) else {
        return 1.0;
    };
    let squared = found.distance as f32 / (3 * side * side) as f32;
    squared / (squared + EXACT_LEVELS * EXACT_LEVELS)
}

/// The box and `margin` more pixels on each side, inside the picture.
fn grown(bounds: Bounds, margin: usize, picture: &Picture) -> Bounds {
    Bounds {
        left: bounds.left.saturating_sub(margin),
        right: (bounds.right + margin).min(picture.width),
        top: bounds.top.saturating_sub(margin),
        bottom: (bounds.bottom + margin).min(picture.height),
    }
}

/// Replaces every value by the mean of the up to `2 * radius + 1` around it.
fn blur(values: &mut [[f32; 3]], radius: usize) {
    // Sums of all values before each place, in f64: differences stay exact
    // enough for any length.
    let mut sums = vec![[0.0f64; 3]];
    let mut sum = [0.0f64; 3];
    for value in values.iter() {
        sum = [0, 1, 2].map(|c| sum[c] + f64::from(value[c]));
        sums.push(sum);
    }
    let count = values.len();
    for (i, value) in values.iter_mut().enumerate() {
        let (from, to) = (i.saturating_sub(radius), (i + radius + 1).min(count));
        let share = 1.0 / (to - from) as f64;
        *value = [0, 1, 2].map(|c| ((sums[to][c] - sums[from][c]) * share) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::Match;
    use super::*;
    use crate::Rect;
    use image::Rgb;

    /// A ramp with a hole whose pixels are black.
    fn black_hole() -> Picture {
        let hole = Rect {
            x: 20,
            y: 10,
            width: 24,
            height: 30,
        };
        let mask = Mask::rectangle(64, 48, hole);
        let image = RgbImage::from_fn(64, 48, |x, y| {
            let ramp = Rgb([2 * x as u8, 3 * y as u8, 77]);
            if mask.is_hole(x, y) {
                Rgb([0; 3])
            } else {
                ramp
            }
        });
        Picture::new(&image, &mask, 1)
    }

    #[test]
    fn blending_fully_gives_the_membrane_and_half_is_between() {
        let mut picture = black_hole();
        let prior = Prior::new(&picture).unwrap().unwrap();
        prior.blend(&mut picture, 0.5);
        let at = BYTES * (25 * 64 + 30);
        assert!(picture.pixels[at].abs_diff(30) <= 1);
        prior.blend(&mut picture, 1.0);
        for (i, pixel) in picture.pixels.chunks_exact(BYTES).enumerate() {
            let (x, y) = (i % 64, i / 64);
            assert!(pixel[0].abs_diff(2 * x as u8) <= 1, "{x} {y}");
            assert!(pixel[1].abs_diff(3 * y as u8) <= 1, "{x} {y}");
            assert_eq!(pixel[2], 77);
        }
    }

    #[test]
    fn colours_are_corrected_in_the_hole_alone_and_not_where_patches_repeat() {
        let known = black_hole();
        let prior = Prior::new(&known).unwrap().unwrap();
        let mut field = Field::new(&known, 3).unwrap();
        let mut picture = black_hole();
        prior.correct_colours(&mut picture, &field, 3, 2, 1.0);
        let centre = BYTES * (25 * 64 + 32);
        assert!(picture.pixels[centre].abs_diff(64) <= 2);
        for (i, &hole) in known.hole.iter().enumerate() {
            let pixel = BYTES * i..BYTES * (i + 1);
            assert!(hole != 0 || picture.pixels[pixel.clone()] == known.pixels[pixel]);
        }
        for found in &mut field.matches {
            *found = Match {
                x: 0,
                y: 0,
                distance: 0,
            };
        }
        let mut picture = black_hole();
        prior.correct_colours(&mut picture, &field, 3, 2, 1.0);
        assert_eq!(picture.pixels, known.pixels);
    }

    #[test]
    fn a_blur_is_a_mean_over_what_there_is() {
        let mut values = [[0.0; 3], [6.0; 3], [0.0; 3], [0.0; 3]];
        blur(&mut values, 1);
        assert_eq!(values.map(|v| v[0]), [3.0, 2.0, 2.0, 0.0]);
    }
}
