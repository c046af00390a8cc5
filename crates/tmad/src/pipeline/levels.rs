//! The scales at which a region is filled.

use crate::scale::{Scaled, reduce};
use inpaint_core::Control;
use std::borrow::Cow;

/// Widest hole in pixels that the networks were trained on.
const TRAINED_THICKNESS_PX: u32 = 128;
/// Largest area in pixels on which the coarse network runs; larger regions are reduced further.
const MAX_COARSE_AREA: f64 = 768.0 * 768.0;

/// Where a scale stands on the way from the smallest to full size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub is_smallest: bool,
    pub is_full: bool,
}

impl Scale {
    /// Of a region halved `level` times, out of `num_halvings`.
    pub fn new(level: u32, num_halvings: u32) -> Self {
        Self {
            is_smallest: level == num_halvings,
            is_full: level == 0,
        }
    }
}

/// How often a region must be halved until its hole is about as wide as in training and the region
/// small enough for the coarse network.
///
/// A hole that is somewhat wider than in training is filled as it is: a scale more costs more
/// detail than the networks' surprise.
pub(super) fn num_halvings(region: &Scaled) -> u32 {
    let (width, height) = region.image.dimensions();
    let thickness = f64::from(region.mask.hole_thickness()) / f64::from(TRAINED_THICKNESS_PX);
    let area = (f64::from(width) * f64::from(height) / MAX_COARSE_AREA).sqrt();
    let halvings = thickness.log2().round().max(area.log2().ceil());
    halvings.max(0.0) as u32
}

/// A region halved `level` times.
pub(super) fn at_level(full: &Scaled, level: u32) -> Cow<'_, Scaled> {
    match level {
        0 => Cow::Borrowed(full),
        _ => Cow::Owned(reduce(full, 1 << level)),
    }
}

/// The part of the work that level `level` is: every level costs a quarter of the next one.
pub(super) fn part_of_level(control: &Control, level: u32, num_halvings: u32) -> Control {
    let end = 0.25f32.powi(level as i32);
    let start = if level == num_halvings {
        0.0
    } else {
        end / 4.0
    };
    control.part(start, end - start)
}
