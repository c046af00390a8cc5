//! The membrane over the hole, or a guess in its place, which knows colours at large but no texture.

use super::field::Field;
use super::picture::{BYTES, Bounds, Picture};
use crate::membrane::fill_membrane;
use rayon::prelude::*;

/// Root mean squared difference of a patch and its match, in levels, at which
/// half of a colour correction is applied: exact repetitions stay exact.
pub(super) const EXACT_LEVELS: f32 = 1.0;
/// Passes of the box filter; three come close to a Gaussian.
const NUM_BLURS: usize = 3;
/// Side of the squares that are transposed at once.
const TILE: usize = 32;

/// The membrane over the hole of one pyramid level.
pub(super) struct Prior {
    area: Bounds,
    /// Colours of the pixels of `area`, row by row.
    colours: Vec<[f32; 3]>,
}

impl Prior {
    /// `None` without a hole. Time and memory follow the hole: only its
    /// bounding box, grown on each side by the longer side, is read.
    ///
    /// With `is_guided` the hole's colours stay as they are: they are the prior.
    pub fn new(picture: &Picture, is_guided: bool) -> Option<Self> {
        let bounds = picture.hole_bounds()?;
        let longer = (bounds.right - bounds.left).max(bounds.bottom - bounds.top);
        let area = grown(bounds, longer, picture);
        let (width, height) = (area.right - area.left, area.bottom - area.top);
        let mut colours = Vec::with_capacity(width * height);
        let mut hole = Vec::with_capacity(width * height);
        for y in area.top..area.bottom {
            for i in y * picture.width + area.left..y * picture.width + area.right {
                let pixel = &picture.pixels[BYTES * i..];
                colours.push([0, 1, 2].map(|c| f32::from(pixel[c])));
                hole.push(picture.hole[i]);
            }
        }
        if !is_guided {
            fill_membrane(width, &mut colours, &hole);
        }
        Some(Self { area, colours })
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
        let pixels = self.hole_pixels(picture);
        let weights = pixels.iter().map(|&(i, _)| {
            let (x, y) = (i % picture.width, i / picture.width);
            weight * doubt(field, side, x, y)
        });
        let weights: Vec<_> = weights.collect();
        for c in 0..3 {
            let mut changes = pixels.iter().zip(&weights).map(|(&(i, prior), weight)| {
                let value = f32::from(picture.pixels[BYTES * i + c]);
                (i, weight * (prior[c] - value))
            });
            let correction = blur_plane(picture, &mut changes, radius);
            for &(i, _) in &pixels {
                let value = &mut picture.pixels[BYTES * i + c];
                // The cast saturates.
                *value = (f32::from(*value) + correction(i) + 0.5) as u8;
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
pub(super) fn blur_plane(
    picture: &Picture,
    values: &mut dyn Iterator<Item = (usize, f32)>,
    radius: usize,
) -> impl Fn(usize) -> f32 + use<> + Sync {
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
    let mut blurred = vec![0.0f32; width * height];
    for (i, value) in values {
        blurred[index(i)] = value;
    }
    let mut turned = vec![0.0f32; blurred.len()];
    for _ in 0..NUM_BLURS {
        blur_rows(&mut blurred, width, radius);
        transpose(&blurred, width, &mut turned, height);
        blur_rows(&mut turned, height, radius);
        transpose(&turned, height, &mut blurred, width);
    }
    move |i| blurred[index(i)]
}

/// Blurs every row of `width` values.
fn blur_rows(values: &mut [f32], width: usize, radius: usize) {
    let rows = values.par_chunks_exact_mut(width.max(1));
    rows.for_each_init(Vec::new, |sums, row| blur(row, radius, sums));
}

/// Writes columns of `values` as rows of `turned`, which are `turned_width` long.
fn transpose(values: &[f32], width: usize, turned: &mut [f32], turned_width: usize) {
    let tiles = turned
        .par_chunks_mut((TILE * turned_width).max(1))
        .enumerate();
    tiles.for_each(|(tile, turned)| {
        let rows = turned.len() / turned_width;
        for start in (0..turned_width).step_by(TILE) {
            for i in 0..rows {
                let row = &mut turned[i * turned_width..][..turned_width];
                let end = (start + TILE).min(turned_width);
                for (value, y) in row[start..end].iter_mut().zip(start..) {
                    *value = values[y * width + tile * TILE + i];
                }
            }
        }
    });
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
/// `sums` is room to work in.
fn blur(values: &mut [f32], radius: usize, sums: &mut Vec<f64>) {
    // Sums of all values before each place, in f64: differences stay exact
    // enough for any length.
    sums.clear();
    sums.push(0.0);
    let mut sum = 0.0;
    for &value in values.iter() {
        sum += f64::from(value);
        sums.push(sum);
    }
    let count = values.len();
    for (i, value) in values.iter_mut().enumerate() {
        let (from, to) = (i.saturating_sub(radius), (i + radius + 1).min(count));
        let share = 1.0 / (to - from) as f64;
        *value = ((sums[to] - sums[from]) * share) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::Match;
    use super::*;
    use crate::{Mask, Rect, RgbImage};
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
        let prior = Prior::new(&picture, false).unwrap();
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
        let prior = Prior::new(&known, false).unwrap();
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
        let mut values = [0.0, 6.0, 0.0, 0.0];
        blur(&mut values, 1, &mut Vec::new());
        assert_eq!(values, [3.0, 2.0, 2.0, 0.0]);
    }
}
