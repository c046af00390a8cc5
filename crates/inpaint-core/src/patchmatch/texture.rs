//! How textured patches are, and how textured those of the hole should be.
//!
//! The sum of squared differences prefers smooth sources: against detail that
//! lies anywhere else than the target's, no detail at all is the safer bet.
//! Round by round a hole so loses the texture that is all around it. A source
//! smoother than what the hole's rim lets expect therefore pays for it.

use super::field::Field;
use super::picture::{BYTES, Picture};
use super::prior::EXACT_LEVELS;
use super::sources::Sources;
use crate::membrane::fill_membrane;
use rayon::prelude::*;

/// Steps per doubling in which strengths are carried into the hole.
const STEPS: f32 = 28.0;
/// Sources beside the targets from which strengths are carried in. One would do; the scales of
/// the membrane begin at even pixels.
const RIM: usize = 2;
/// Rows of strengths that one task computes.
const BAND_ROWS: usize = 64;

/// Strengths of patches: the root of the sum of squared differences to their
/// mean colour.
pub(super) struct Texture {
    /// By position of the patch in the picture.
    strengths: Vec<f32>,
    /// By index in the field: what is expected there.
    expected: Vec<f32>,
    weight: f32,
    /// Distance below which a match counts as a repetition.
    exact: f32,
}

impl Texture {
    /// Of the known patches of `P` pixels, and of the targets of `field`, for
    /// which geometric means of the strengths around the hole are taken.
    pub fn new<const P: usize>(
        picture: &Picture,
        field: &Field,
        sources: &Sources,
        weight: f32,
    ) -> Self {
        let strengths = strengths::<P>(picture);
        // The box of the targets and the sources beside it.
        let (left, top) = (
            field.left.saturating_sub(RIM),
            field.top.saturating_sub(RIM),
        );
        let right = (field.left + field.width + RIM).min(picture.width + 1 - P);
        let bottom = (field.top + field.height() + RIM).min(picture.height + 1 - P);
        let (width, height) = (right - left, bottom - top);
        let place = |j: usize| (left + j % width, top + j / width);
        let unknown = (0..width * height).map(|j| {
            let (x, y) = place(j);
            u8::from(!sources.contains(x, y))
        });
        let unknown: Vec<u8> = unknown.collect();
        let expected = if !unknown.contains(&0) {
            vec![0.0; field.matches.len()]
        } else {
            let logarithms = (0..width * height).map(|j| {
                let (x, y) = place(j);
                let strength = strengths[y * picture.width + x];
                [(STEPS * (1.0 + strength / P as f32).log2())
                    .min(255.0)
                    .floor()]
            });
            let mut carried: Vec<[f32; 1]> = logarithms.collect();
            fill_membrane(width, &mut carried, &unknown);
            (0..field.matches.len())
                .map(|i| {
                    let (x, y) = (i % field.width, i / field.width);
                    let j = (field.top + y - top) * width + field.left + x - left;
                    ((carried[j][0] / STEPS).exp2() - 1.0) * P as f32
                })
                .collect()
        };
        Self {
            strengths,
            expected,
            weight,
            exact: EXACT_LEVELS.powi(2) * (3 * P * P) as f32,
        }
    }

    /// What source `offset` (its top-left pixel), as the match of target `index`
    /// of the field, pays on top of their `distance`. An exact repetition, to
    /// a level, pays less or nothing: there is no better source.
    #[inline(always)]
    pub fn penalty(&self, index: usize, offset: usize, distance: u32) -> u32 {
        let lacking = (self.expected[index] - self.strengths[offset]).max(0.0);
        let doubt = (distance as f32 / self.exact).min(1.0);
        (self.weight * doubt * lacking * lacking) as u32
    }
}

fn strengths<const P: usize>(picture: &Picture) -> Vec<f32> {
    let width = picture.width;
    let mut strengths = vec![0.0; width * picture.height];
    let known = &mut strengths[..width * (picture.height + 1 - P)];
    let bands = known.par_chunks_mut(width * BAND_ROWS).enumerate();
    bands.for_each(|(band, rows)| strengths_of_rows::<P>(picture, band * BAND_ROWS, rows));
    strengths
}

/// Strengths of the patches whose first rows are `top` and those that follow.
fn strengths_of_rows<const P: usize>(picture: &Picture, top: usize, strengths: &mut [f32]) {
    let width = picture.width;
    // Sums over a column of `P` pixels: of each channel, and of all squares.
    let mut columns = vec![[0u32; 4]; width];
    let change = |columns: &mut [[u32; 4]], y: usize, add: bool| {
        let row = &picture.pixels[BYTES * y * width..][..BYTES * width];
        for (sums, pixel) in columns.iter_mut().zip(row.chunks_exact(BYTES)) {
            for (c, &value) in pixel[..3].iter().enumerate() {
                let value = u32::from(value);
                let (value, square) = if add {
                    (value, value * value)
                } else {
                    (value.wrapping_neg(), (value * value).wrapping_neg())
                };
                sums[c] = sums[c].wrapping_add(value);
                sums[3] = sums[3].wrapping_add(square);
            }
        }
    };
    for y in top..top + P - 1 {
        change(&mut columns, y, true);
    }
    for (y, strengths) in (top..).zip(strengths.chunks_exact_mut(width)) {
        change(&mut columns, y + P - 1, true);
        let mut sums = [0u32; 4];
        for x in 0..width {
            for (sum, value) in sums.iter_mut().zip(columns[x]) {
                *sum += value;
            }
            if x + 1 < P {
                continue;
            }
            let first = x + 1 - P;
            let mean_squares: f32 = sums[..3].iter().map(|&s| (s as f32).powi(2)).sum();
            let energy = sums[3] as f32 - mean_squares / (P * P) as f32;
            strengths[first] = energy.max(0.0).sqrt();
            for (sum, value) in sums.iter_mut().zip(columns[first]) {
                *sum -= value;
            }
        }
        change(&mut columns, y, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::{Mask, RgbImage};
    use image::Rgb;

    /// Noise of this strength, in levels either way.
    fn noise(width: u32, height: u32, strength: impl Fn(u32) -> f64) -> RgbImage {
        let mut random = Random::new(5);
        RgbImage::from_fn(width, height, |x, _| {
            let mut value = || 128.0 + strength(x) * (2.0 * random.unit() - 1.0);
            Rgb([(); 3].map(|()| value() as u8))
        })
    }

    #[test]
    fn strength_is_the_distance_to_the_mean_colour() {
        let image = noise(11, 8, |_| 100.0);
        let picture = Picture::new(&image, &Mask::new(11, 8), 3);
        let found = strengths::<3>(&picture);
        for (top, left) in (0..6).flat_map(|y| (0..9).map(move |x| (y, x))) {
            let values = |c: usize| (0..9).map(move |i| (top + i / 3, left + i % 3, c));
            let value = |(y, x, c): (u32, u32, usize)| f64::from(image.get_pixel(x, y).0[c]);
            let energy: f64 = (0..3)
                .map(|c| {
                    let mean = values(c).map(value).sum::<f64>() / 9.0;
                    values(c).map(|at| (value(at) - mean).powi(2)).sum::<f64>()
                })
                .sum();
            let expected = energy.sqrt() as f32;
            let found = found[top as usize * 11 + left as usize];
            assert!(
                (found - expected).abs() < 0.01 * expected,
                "{found} {expected}"
            );
        }
    }

    /// Strong on the left of the hole, weak on its right; a patch that is flat pays for it.
    #[test]
    fn more_texture_is_expected_towards_more_of_it() {
        let strength = |x: u32| if x < 40 { 60.0 } else { 10.0 };
        let mut image = noise(80, 40, strength);
        for (x, y) in (0..12).flat_map(|x| (0..12).map(move |y| (x, y))) {
            image.put_pixel(x, y, Rgb([128; 3]));
        }
        let mask = Mask::from_fn(80, 40, |x, y| {
            (30..50).contains(&x) && (10..30).contains(&y)
        });
        let picture = Picture::new(&image, &mask, 5);
        let field = Field::new(&picture, 5).unwrap();
        let sources = Sources::new(&picture, 5);
        let texture = Texture::new::<5>(&picture, &field, &sources, 1.0);
        let row = 12 * field.width;
        let expected: Vec<_> = (0..24).map(|x| texture.expected[row + x]).collect();
        assert!(expected[2] > 2.0 * expected[21], "{expected:?}");
        let (flat, strong, weak) = (2 * 80 + 2, 30 * 80 + 10, 30 * 80 + 70);
        let at = row + 2;
        assert!(texture.penalty(at, flat, 10_000) > texture.penalty(at, weak, 10_000));
        assert!(texture.penalty(at, weak, 10_000) > 4 * texture.penalty(at, strong, 10_000));
        assert_eq!(texture.penalty(row + 21, strong, 10_000), 0);
        assert_eq!(texture.penalty(at, flat, 0), 0);
    }

    #[test]
    fn without_a_known_patch_nothing_is_expected() {
        let mask = Mask::from_fn(12, 12, |x, y| x % 4 == 0 && y % 4 == 0);
        let picture = Picture::new(&noise(12, 12, |_| 50.0), &mask, 5);
        let field = Field::new(&picture, 5).unwrap();
        let sources = Sources::new(&picture, 5);
        let texture = Texture::new::<5>(&picture, &field, &sources, 1.0);
        assert!(texture.expected.iter().all(|&expected| expected == 0.0));
    }
}
