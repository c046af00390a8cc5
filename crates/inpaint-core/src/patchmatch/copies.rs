//! What PatchMatch's matches say of every pixel of the hole, kept apart instead of averaged.
//!
//! Voting takes means of overlapping patches, and a mean of texture has less
//! of it. The texture memory of T-MAD wants the copies themselves: for every
//! pixel the sources that most of the patches over it agree on.

use rayon::prelude::*;

use super::field::Field;
use super::picture::{BYTES, Picture};
use super::prior::{EXACT_LEVELS, blur_plane};
use super::vote::{Confidence, each_vote};
use crate::RgbImage;

/// Copies of every pixel of the hole, best first.
pub const NUM_RANKS: usize = 2;

/// A hole filled with copies of known pixels; outside the hole every picture
/// is the input.
#[derive(Debug, Clone)]
pub struct Copies {
    /// The mean of the patches over every pixel, colours corrected: what
    /// [`PatchMatch`](super::PatchMatch) as an inpainter gives.
    pub voted: RgbImage,
    /// Every pixel from one source, the one that the patches over it give most
    /// weight to, and from the one with the second most (the first again
    /// where all agree). Their colours at scales above that of texture are
    /// moved to those of `voted`.
    pub ranked: [RgbImage; NUM_RANKS],
    /// How far every pixel is from an exact repetition: 0 where the patches
    /// over it agree with their matches in every bit (and outside the hole),
    /// towards 255 where they do not. Row by row.
    pub doubt: Vec<u8>,
    /// Column and row of the pixels that those of `ranked` come from, row by row; `None` outside
    /// the hole.
    pub sources: Vec<Option<[(u32, u32); NUM_RANKS]>>,
}

impl Copies {
    /// Where there is nothing to copy: `picture` itself, all of it in doubt.
    pub fn none(picture: &RgbImage) -> Self {
        let num_pixels = picture.width() as usize * picture.height() as usize;
        Self {
            voted: picture.clone(),
            ranked: [(); NUM_RANKS].map(|()| picture.clone()),
            doubt: vec![u8::MAX; num_pixels],
            sources: vec![None; num_pixels],
        }
    }
}

/// [`Copies`] of the hole's pixels of one working picture.
pub(super) struct Ranked {
    /// Index in the picture, colours, sources and doubt of every hole pixel.
    pub pixels: Vec<(usize, RankedPixel)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct RankedPixel {
    pub colours: [[u8; 3]; NUM_RANKS],
    pub sources: [(u32, u32); NUM_RANKS],
    pub doubt: u8,
}

impl Ranked {
    /// Of the finest level, whose hole `picture` shows as voted and corrected.
    /// Colours wider than `radius` are taken from there.
    pub fn new<const P: usize>(
        picture: &Picture,
        field: &Field,
        confidence: &Confidence,
        radius: usize,
    ) -> Self {
        let width = picture.width;
        let rows = field.top..field.top + field.height() + P - 1;
        let rows = rows.into_par_iter().map(|y| {
            let columns = field.left..field.left + field.width + P - 1;
            let mut votes = Vec::new();
            let hole = columns.filter(|x| picture.hole[y * width + x] != 0);
            let pixels = hole.filter_map(|x| {
                let pixel = ranked::<P>(picture, field, confidence, x, y, &mut votes)?;
                Some((y * width + x, pixel))
            });
            pixels.collect()
        });
        let rows: Vec<Vec<_>> = rows.collect();
        let mut pixels = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        pixels.extend(rows.into_iter().flatten());
        for (rank, c) in (0..NUM_RANKS).flat_map(|rank| (0..3).map(move |c| (rank, c))) {
            let mut changes = pixels.iter().map(|(i, pixel)| {
                let voted = f32::from(picture.pixels[BYTES * i + c]);
                (*i, voted - f32::from(pixel.colours[rank][c]))
            });
            let changes = blur_plane(picture, &mut changes, radius);
            for (i, pixel) in &mut pixels {
                let value = &mut pixel.colours[rank][c];
                // The cast saturates.
                *value = (f32::from(*value) + changes(*i) + 0.5).floor() as u8;
            }
        }
        Self { pixels }
    }
}

/// The sources with the most votes for one pixel. `votes` is room to work in.
fn ranked<const P: usize>(
    picture: &Picture,
    field: &Field,
    confidence: &Confidence,
    x: usize,
    y: usize,
    votes: &mut Vec<((usize, usize), f32)>,
) -> Option<RankedPixel> {
    votes.clear();
    let (mut total, mut distance) = (0.0, 0.0);
    each_vote::<P>(field, confidence, x, y, |vote| {
        total += vote.weight;
        distance += vote.weight * vote.distance as f32;
        let source = (vote.x, vote.y);
        match votes.iter_mut().rev().find(|(known, _)| *known == source) {
            Some((_, weight)) => *weight += vote.weight,
            None => votes.push((source, vote.weight)),
        }
    });
    let most = |votes: &[((usize, usize), f32)], but: Option<(usize, usize)>| {
        let votes = votes.iter().filter(|(source, _)| Some(*source) != but);
        // The first of equals, so that the order of threads does not matter.
        votes.fold(
            None,
            |best: Option<((usize, usize), f32)>, &vote| match best {
                Some(best) if best.1 >= vote.1 => Some(best),
                _ => Some(vote),
            },
        )
    };
    let (first, _) = most(votes, None)?;
    let (second, _) = most(votes, Some(first)).unwrap_or((first, 0.0));
    let colour = |(x, y): (usize, usize)| {
        let pixel = &picture.pixels[BYTES * (y * picture.width + x)..];
        [pixel[0], pixel[1], pixel[2]]
    };
    let squared = distance / (total * (3 * P * P) as f32);
    let doubt = squared / (squared + EXACT_LEVELS * EXACT_LEVELS);
    Some(RankedPixel {
        colours: [colour(first), colour(second)],
        sources: [first, second].map(|(x, y)| (x as u32, y as u32)),
        doubt: (255.0 * doubt).ceil() as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::super::PatchMatch;
    use crate::random::Random;
    use crate::{Control, Inpainter, Mask, RgbImage};
    use image::Rgb;

    /// Where a pattern repeats, all copies are the pattern, and nothing about them is in doubt.
    #[test]
    fn copies_of_what_repeats_are_exact_and_beyond_doubt() {
        let image = RgbImage::from_fn(96, 96, |x, y| {
            let dark = (x / 3 + y / 3) % 2 == 0;
            Rgb(if dark { [20, 30, 40] } else { [200, 190, 250] })
        });
        let mask = Mask::from_fn(96, 96, |x, y| x.abs_diff(48) < 14 && y.abs_diff(40) < 11);
        let mut damaged = image.clone();
        for (x, y, pixel) in damaged.enumerate_pixels_mut() {
            if mask.is_hole(x, y) {
                *pixel = Rgb([255, 0, 255]);
            }
        }
        let copies = PatchMatch::default()
            .copies(&damaged, &mask, &Control::default())
            .unwrap();
        assert_eq!(copies.voted, image);
        assert_eq!(copies.ranked[0], image);
        assert!(copies.doubt.iter().all(|&doubt| doubt == 0));
        for (i, source) in copies.sources.iter().enumerate() {
            let (x, y) = (i as u32 % 96, i as u32 / 96);
            assert_eq!(source.is_some(), mask.is_hole(x, y));
            for (from_x, from_y) in source.iter().copied().flatten() {
                assert!(!mask.is_hole(from_x, from_y));
                assert_eq!(image.get_pixel(from_x, from_y), image.get_pixel(x, y));
            }
        }
    }

    /// In noise a mean of copies is smoother than the copies are.
    #[test]
    fn single_copies_keep_the_texture_that_voting_loses() {
        let mut random = Random::new(4);
        let noise = RgbImage::from_fn(128, 128, |_, _| {
            Rgb([(); 3].map(|()| (60.0 + 130.0 * random.unit()) as u8))
        });
        let mask = Mask::from_fn(128, 128, |x, y| x.abs_diff(64) < 20 && y.abs_diff(64) < 20);
        let settings = PatchMatch::default();
        let copies = settings.copies(&noise, &mask, &Control::default()).unwrap();
        let voted = settings
            .inpaint(&noise, &mask, &Control::default())
            .unwrap();
        assert_eq!(copies.voted, voted);
        let energy = |image: &RgbImage| -> i64 {
            let pixels = (44..83).flat_map(|y| (45..83).map(move |x| (x, y)));
            let steps = pixels.map(|(x, y)| {
                let [a, b] = [x, x + 1].map(|x| i64::from(image.get_pixel(x, y).0[1]));
                (a - b) * (a - b)
            });
            steps.sum()
        };
        let [truth, voted, single] = [&noise, &copies.voted, &copies.ranked[0]].map(energy);
        assert!(
            single * 10 > truth * 8 && single > voted,
            "{truth} {voted} {single}"
        );
    }
}
