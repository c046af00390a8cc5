//! Turning matches into colours: every patch votes for the pixels it covers.

use rayon::prelude::*;

use super::field::Field;
use super::picture::{BYTES, Picture};

/// Weight of each target's vote, in the order of the field.
///
/// Wexler, Shechtman and Irani, *Space-time completion of video*, 2007: a
/// Gaussian of the patch distance whose width follows a quantile of all
/// distances, times a confidence that falls by [`CONFIDENCE_BASE`] per pixel
/// into the hole, `depth` being that of the patch centre.
pub(super) fn weights(
    field: &Field,
    depth: impl Fn(usize, usize) -> f32,
    sharpness: f32,
) -> Vec<f32> {
    let known = field.matches.iter().filter(|found| found.is_known());
    let mut distances: Vec<u32> = known.map(|found| found.distance).collect();
    if distances.is_empty() {
        return vec![0.0; field.matches.len()];
    }
    let index = distances.len() * 3 / 4;
    let (_, &mut quantile, _) = distances.select_nth_unstable(index);
    let scale = -0.5 * sharpness / (quantile.max(1) as f32);
    let log_base = libm::logf(CONFIDENCE_BASE);
    field
        .matches
        .iter()
        .enumerate()
        .map(|(i, found)| {
            if !found.is_known() {
                return 0.0;
            }
            let depth = depth(field.left + i % field.width, field.top + i / field.width);
            // Far tails keep a little weight: some pixel may have nothing else.
            let exponent = (found.distance as f32 * scale).max(-40.0) - log_base * depth;
            libm::expf(exponent).max(f32::MIN_POSITIVE)
        })
        .collect()
}

const CONFIDENCE_BASE: f32 = 1.3;

/// Replaces every hole pixel by the weighted mean of what the patches over it
/// have at its place. A pixel without votes keeps its colour.
pub(super) fn vote<const P: usize>(picture: &mut Picture, field: &Field, weights: &[f32]) {
    let width = picture.width;
    let height = field.matches.len() / field.width;
    let rows = field.top..(field.top + height + P - 1).min(picture.height);
    let source: &Picture = picture;
    let voted: Vec<Vec<(usize, [u8; 3])>> = rows
        .into_par_iter()
        .map(|y| {
            let columns = field.left..(field.left + field.width + P - 1).min(width);
            columns
                .filter(|x| source.hole[y * width + x] != 0)
                .filter_map(|x| {
                    let colour = mean_colour::<P>(source, field, weights, x, y)?;
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
    weights: &[f32],
    x: usize,
    y: usize,
) -> Option<[u8; 3]> {
    let mut sum = [0.0f32; 3];
    let mut total = 0.0f32;
    // Patches at (x − dx, y − dy) that lie in the field.
    let height = field.matches.len() / field.width;
    let (column, row) = (x - field.left, y - field.top);
    let skip_y = (row + 1).saturating_sub(height);
    let skip_x = (column + 1).saturating_sub(field.width);
    for dy in skip_y..P.min(row + 1) {
        for dx in skip_x..P.min(column + 1) {
            let i = (row - dy) * field.width + column - dx;
            let weight = weights[i];
            if weight > 0.0 {
                let found = field.matches[i];
                let source = (found.y as usize + dy) * picture.width + found.x as usize + dx;
                let colour = &picture.pixels[source * BYTES..source * BYTES + 3];
                for (sum, &value) in sum.iter_mut().zip(colour) {
                    *sum += weight * f32::from(value);
                }
                total += weight;
            }
        }
    }
    (total > 0.0).then(|| sum.map(|sum| (sum / total + 0.5) as u8))
}
