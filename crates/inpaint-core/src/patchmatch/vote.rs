//! Turning matches into colours: every patch votes for the pixels it covers.

use rayon::prelude::*;

use super::field::Field;
use super::picture::{BYTES, Picture};
use crate::distance::squared_distance;

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
    let rows = field.top..field.top + field.height() + P - 1;
    let source: &Picture = picture;
    let voted: Vec<Vec<(usize, [u8; 3])>> = rows
        .into_par_iter()
        .map(|y| {
            let columns = field.left..field.left + field.width + P - 1;
            columns
                .filter(|x| source.hole[y * width + x] != 0)
                .filter_map(|x| {
                    let colour = mean_colour::<P>(source, field, confidence, x, y)?;
                    Some((y * width + x, colour))
                })
                .collect()
        })
        .collect();
    for (i, colour) in voted.into_iter().flatten() {
        picture.pixels[i * BYTES..i * BYTES + 3].copy_from_slice(&colour);
    }
}

fn mean_colour<const P: usize>(
    picture: &Picture,
    field: &Field,
    confidence: &Confidence,
    x: usize,
    y: usize,
) -> Option<[u8; 3]> {
    let mut sum = [0.0f32; 3];
    let mut total = 0.0f32;
    each_vote::<P>(field, confidence, x, y, |vote| {
        let source = vote.y * picture.width + vote.x;
        let colour = &picture.pixels[source * BYTES..source * BYTES + 3];
        for (sum, &value) in sum.iter_mut().zip(colour) {
            *sum += vote.weight * f32::from(value);
        }
        total += vote.weight;
    });
    (total > 0.0).then(|| sum.map(|sum| (sum / total + 0.5) as u8))
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
