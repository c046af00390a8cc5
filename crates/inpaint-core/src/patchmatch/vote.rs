//! Turning matches into colours: every patch votes for the pixels it covers.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
use std::ops::Range;

use super::field::{Field, Match};
use super::picture::{BYTES, Picture};
use crate::distance::squared_distance;

/// Rows of pixels that one task gives colours.
const BAND_ROWS: usize = 32;
/// Steps per pixel in which depths are stored.
const STEPS: f32 = 16.0;

/// How much the patches of one level count when they vote.
///
/// The weight falls by a fixed factor per pixel that a patch's centre lies
/// inside the hole (the confidence of Wexler, Shechtman and Irani, *Space-time
/// completion of video*, 2007). Patches rooted in known pixels thus decide,
/// and the mean of many disagreeing ones, which blurs, is rare.
pub(super) struct Confidence {
    /// Distance of each patch's centre to the nearest known pixel in
    /// sixteenths of a pixel, in the order of the field.
    depth: Vec<u32>,
    /// Weight by depth beyond the shallowest patch over the same pixel.
    falloff: Vec<f32>,
}

impl Confidence {
    /// `factor` is the fall of weight per pixel, at least 1.
    pub fn new<const P: usize>(picture: &Picture, field: &Field, factor: f32) -> Self {
        // The box of all patches: the hole and the ring around it.
        let height = field.height();
        let (box_width, box_height) = (field.width + P - 1, height + P - 1);
        let squared = squared_distance(box_width, box_height, |i| {
            let x = field.left + i % box_width;
            let y = field.top + i / box_width;
            picture.hole[y * picture.width + x] == 0
        });
        let depth = (0..field.matches.len()).map(|i| {
            let (x, y) = (i % field.width + P / 2, i / field.width + P / 2);
            // Casts saturate; a depth without any known pixel is the same for all.
            (STEPS * (squared[y * box_width + x] as f32).sqrt()) as u32
        });
        // Two patches over one pixel differ by at most their diagonal.
        let log_factor = libm::logf(factor.max(1.0));
        let falloff = (0..=2 * P * STEPS as usize)
            .map(|steps| libm::expf(-log_factor * steps as f32 / STEPS))
            .collect();
        Self {
            depth: depth.collect(),
            falloff,
        }
    }

    /// Greatest depth of a patch's centre in whole pixels.
    pub fn deepest_px(&self) -> usize {
        let deepest = self.depth.iter().max();
        deepest.map_or(0, |&depth| depth as usize / STEPS as usize)
    }
}

/// Replaces every hole pixel by the weighted mean of what the patches over it
/// have at its place. A pixel without votes keeps its colour.
pub(super) fn vote<const P: usize>(picture: &mut Picture, field: &Field, confidence: &Confidence) {
    let width = picture.width;
    let height = field.height() + P - 1;
    let columns = field.left..field.left + field.width + P - 1;
    let source: &Picture = picture;
    let bands = (0..height.div_ceil(BAND_ROWS)).into_par_iter().map(|band| {
        let votes = Votes::<P> {
            picture: source,
            field,
            confidence,
            rows: band * BAND_ROWS..((band + 1) * BAND_ROWS).min(height),
        };
        Arch::new().dispatch(votes)
    });
    let bands: Vec<Vec<[u8; 3]>> = bands.collect();
    let mut colours = bands.into_iter().flatten();
    for y in field.top..field.top + height {
        for i in y * width + columns.start..y * width + columns.end {
            if picture.hole[i] != 0
                && let Some(colour) = colours.next()
            {
                picture.pixels[i * BYTES..i * BYTES + 3].copy_from_slice(&colour);
            }
        }
    }
}

/// The colours of some rows of hole pixels, counted from the field's first.
struct Votes<'a, const P: usize> {
    picture: &'a Picture,
    field: &'a Field,
    confidence: &'a Confidence,
    rows: Range<usize>,
}

/// Run with the widest instructions that the processor has; only what is inlined is compiled for
/// them.
impl<const P: usize> NullaryFnOnce for Votes<'_, P> {
    type Output = Vec<[u8; 3]>;

    #[inline(always)]
    fn call(self) -> Vec<[u8; 3]> {
        let (picture, field) = (self.picture, self.field);
        let mut colours = Vec::new();
        // Sides, up to `P`, of the largest squares of agreeing patches that end here and one row
        // above.
        let mut sides = vec![0u8; field.width];
        let mut above = sides.clone();
        let first = self.rows.start.saturating_sub(P - 1);
        for row in first..self.rows.end {
            std::mem::swap(&mut sides, &mut above);
            if row < field.height() {
                agreeing_sides::<P>(field, row, row > first, &above, &mut sides);
            }
            if row < self.rows.start {
                continue;
            }
            let y = field.top + row;
            for column in 0..field.width + P - 1 {
                let x = field.left + column;
                let i = y * picture.width + x;
                if picture.hole[i] == 0 {
                    continue;
                }
                let agree = row < field.height()
                    && sides.get(column).is_some_and(|&side| side as usize >= P);
                let from = if agree {
                    // The patch that begins here.
                    let found = field.matches[row * field.width + column];
                    Some(found.y as usize * picture.width + found.x as usize)
                } else {
                    None
                };
                let own = from.unwrap_or(i) * BYTES;
                let own = [0, 1, 2].map(|c| picture.pixels[own + c]);
                let mean = match from {
                    Some(_) => None,
                    None => mean_colour::<P>(picture, field, self.confidence, x, y),
                };
                colours.push(mean.unwrap_or(own));
            }
        }
        colours
    }
}

/// Sides of the largest squares of patches, ending at those of `row`, that have their matches at
/// one offset; `P` stands for more. `above` are those of the row above if `has_above`.
#[inline(always)]
fn agreeing_sides<const P: usize>(
    field: &Field,
    row: usize,
    has_above: bool,
    above: &[u8],
    sides: &mut [u8],
) {
    let start = row * field.width;
    let matches = &field.matches[start..start + field.width];
    for (x, found) in matches.iter().enumerate() {
        sides[x] = u8::from(found.is_known());
        if !(has_above && x > 0 && found.is_known()) {
            continue;
        }
        let up = &field.matches[start - field.width + x - 1..start - field.width + x + 1];
        let is_at = |other: &Match, dx: u32, dy: u32| {
            other.is_known() && other.x + dx == found.x && other.y + dy == found.y
        };
        if is_at(&matches[x - 1], 1, 0) && is_at(&up[1], 0, 1) && is_at(&up[0], 1, 1) {
            let least = sides[x - 1].min(above[x]).min(above[x - 1]);
            sides[x] = (least + 1).min(P as u8);
        }
    }
}

#[inline(always)]
fn mean_colour<const P: usize>(
    picture: &Picture,
    field: &Field,
    confidence: &Confidence,
    x: usize,
    y: usize,
) -> Option<[u8; 3]> {
    // The fourth is of the unused byte.
    let mut sum = [0.0f32; BYTES];
    let mut total = 0.0f32;
    each_vote::<P>(field, confidence, x, y, |vote| {
        let source = vote.y * picture.width + vote.x;
        let colour = &picture.pixels[source * BYTES..source * BYTES + BYTES];
        for (sum, &value) in sum.iter_mut().zip(colour) {
            *sum += vote.weight * f32::from(value);
        }
        total += vote.weight;
    });
    (total > 0.0).then(|| [0, 1, 2].map(|c| (sum[c] / total + 0.5) as u8))
}

/// What one patch over a pixel says about it.
pub(super) struct Vote {
    /// The pixel of the picture that stands in its place.
    pub x: usize,
    pub y: usize,
    pub weight: f32,
    /// Distance of the patch to its match.
    pub distance: u32,
}

/// Hands every vote for the pixel at `(x, y)`, which lies under the field, to `take`.
#[inline(always)]
pub(super) fn each_vote<const P: usize>(
    field: &Field,
    confidence: &Confidence,
    x: usize,
    y: usize,
    mut take: impl FnMut(Vote),
) {
    // Patches at (x − dx, y − dy) that lie in the field.
    let (column, row) = (x - field.left, y - field.top);
    let skip_x = (column + 1).saturating_sub(field.width);
    let skip_y = (row + 1).saturating_sub(field.height());
    let offsets = skip_x..P.min(column + 1);
    // Matches of the patches of one row over this pixel, dx rising.
    let row_of = |dy: usize| {
        let start = (row - dy) * field.width + column + 1;
        start - offsets.end..start - offsets.start
    };
    // Relative to the shallowest patch: absolute weights would underflow in
    // the middle of a large hole.
    let mut shallowest = None;
    for dy in skip_y..P.min(row + 1) {
        let patches = row_of(dy);
        let depths = &confidence.depth[patches.clone()];
        for (found, &depth) in field.matches[patches].iter().zip(depths) {
            if found.is_known() && shallowest.is_none_or(|least| depth < least) {
                shallowest = Some(depth);
            }
        }
    }
    let Some(shallowest) = shallowest else {
        return;
    };
    for dy in skip_y..P.min(row + 1) {
        let patches = row_of(dy);
        let depths = confidence.depth[patches.clone()].iter().rev();
        let matches = field.matches[patches].iter().rev();
        for ((found, depth), dx) in matches.zip(depths).zip(offsets.clone()) {
            if !found.is_known() {
                continue;
            }
            let steps = (depth - shallowest) as usize;
            take(Vote {
                x: found.x as usize + dx,
                y: found.y as usize + dy,
                weight: confidence.falloff.get(steps).copied().unwrap_or(0.0),
                distance: found.distance,
            });
        }
    }
}
