//! The object to remove.

use super::noise::{blend, cell, shade};
use crate::random::stream;

/// A striped balloon with a basket, in design pixels.
pub(super) struct Balloon {
    x: f64,
    y: f64,
    radius: f64,
    colours: [[f64; 3]; 2],
}

impl Balloon {
    pub fn new(width: f64, seed: u64) -> Self {
        let seed = stream(seed, 0xBA_1100);
        let palettes = [
            [[226.0, 62.0, 50.0], [246.0, 236.0, 214.0]],
            [[40.0, 104.0, 178.0], [248.0, 202.0, 66.0]],
            [[112.0, 54.0, 142.0], [244.0, 170.0, 62.0]],
        ];
        let choice = (cell(seed, 2, 0) * 3.0) as usize;
        Self {
            x: width * (0.42 + 0.16 * cell(seed, 0, 0)),
            y: 138.0 + 24.0 * cell(seed, 1, 0),
            radius: 58.0,
            colours: palettes[choice.min(2)],
        }
    }

    /// Colour and opacity (0 to 1) at `(x, y)`; `None` outside the object.
    /// Edges are `soft` design pixels wide.
    pub fn colour(&self, x: f64, y: f64, soft: f64) -> Option<([f64; 3], f64)> {
        let (dx, dy) = (x - self.x, y - self.y);
        self.envelope(dx, dy, soft)
            .or_else(|| self.basket(dx, dy))
            .or_else(|| self.ropes(dx, dy))
    }

    /// The envelope: a ball whose lower half narrows to the mouth.
    fn envelope(&self, dx: f64, dy: f64, soft: f64) -> Option<([f64; 3], f64)> {
        let r = self.radius;
        let v = dy / r;
        let half = if v < 0.0 {
            (1.0 - v * v).max(0.0).sqrt()
        } else if v < 1.25 {
            let t = v / 1.25;
            (1.0 - t * t * (0.35 + 0.65 * t)).max(0.0).sqrt().max(0.2)
        } else {
            return None;
        };
        let inside = half * r - dx.abs();
        if inside <= 0.0 || v <= -1.0 {
            return None;
        }
        // Gores: stripes of equal angle on the round envelope.
        let across = (dx / (half * r)).clamp(-1.0, 1.0);
        let angle = libm::asin(across) / std::f64::consts::PI;
        let stripe = ((angle + 0.5) * 8.0).floor() as i64;
        let mut colour = self.colours[(stripe % 2) as usize];
        let seam = ((angle + 0.5) * 8.0).fract();
        colour = shade(colour, 0.9 + 0.1 * (4.0 * seam * (1.0 - seam)));
        // Light from above left.
        let light = 0.98 - 0.3 * across * across - 0.22 * across - 0.16 * v;
        colour = shade(colour, light);
        let (sx, sy) = (across + 0.4, v + 0.45);
        let shine = 1.0 - (sx * sx + sy * sy) * 7.0;
        colour = blend(colour, [255.0; 3], 0.5 * shine.max(0.0));
        Some((colour, (inside / soft).min(1.0)))
    }

    fn ropes(&self, dx: f64, dy: f64) -> Option<([f64; 3], f64)> {
        let (top, bottom) = (1.25 * self.radius, 1.62 * self.radius);
        if !(top..bottom).contains(&dy) {
            return None;
        }
        let near = [-10.0, -3.5, 3.5, 10.0]
            .iter()
            .any(|rope| (dx - rope).abs() < 0.9);
        near.then_some(([92.0, 74.0, 58.0], 1.0))
    }

    fn basket(&self, dx: f64, dy: f64) -> Option<([f64; 3], f64)> {
        let (top, bottom) = (1.62 * self.radius, 2.0 * self.radius);
        if !(top..bottom).contains(&dy) || dx.abs() > 13.0 - 2.0 * (dy - top) / (bottom - top) {
            return None;
        }
        let (column, row) = ((dx / 3.2).floor() as i64, (dy / 3.2).floor() as i64);
        let weave = if (column + row).rem_euclid(2) == 0 {
            1.0
        } else {
            0.74
        };
        let rim = if dy - top < 3.0 { 0.66 } else { 1.0 };
        let round = 1.0 - 0.002 * dx * dx - 0.008 * dx;
        Some((shade([176.0, 122.0, 68.0], weave * rim * round), 1.0))
    }
}
