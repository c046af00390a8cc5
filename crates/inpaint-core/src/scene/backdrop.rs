//! Sky, brick wall, wooden fence and grass.

use super::noise::{blend, cell, fractal, shade, smooth};
use crate::random::stream;

const WALL_TOP: f64 = 118.0;
const FENCE_TOP: f64 = 178.0;
const GRASS_TOP: f64 = 288.0;

/// Where things stand, in design pixels.
pub(super) struct Layout {
    /// The wall's right edge; the fence goes on behind it.
    wall_right: f64,
    seed: u64,
}

impl Layout {
    pub fn new(width: f64, seed: u64) -> Self {
        let seed = stream(seed, 0x5CE4E);
        Self {
            wall_right: width * (0.5 + 0.12 * cell(seed, 0, 0)),
            seed,
        }
    }
}

/// Colour of the scene behind the object at `(x, y)` in design pixels.
pub(super) fn backdrop(layout: &Layout, x: f64, y: f64) -> [f64; 3] {
    let seed = layout.seed;
    // Blades of grass reach over the edge.
    let blades = 10.0 * smooth(stream(seed, 1), x * 0.45, 0.0);
    if y > GRASS_TOP - blades {
        return grass(stream(seed, 2), x, y);
    }
    if x < layout.wall_right && y > WALL_TOP {
        return wall(stream(seed, 3), x, y, layout.wall_right);
    }
    if x >= layout.wall_right
        && let Some(colour) = fence(stream(seed, 4), x - layout.wall_right, y)
    {
        // The wall's shadow on the fence.
        let shadow = (x - layout.wall_right) / 14.0;
        return shade(colour, 0.7 + 0.3 * shadow.min(1.0));
    }
    let hedge_top = 146.0 + 44.0 * fractal(stream(seed, 5), x * 0.02, 0.5, 4);
    if y > hedge_top {
        let leaf = fractal(stream(seed, 6), x * 0.18, y * 0.18, 3);
        return blend([24.0, 52.0, 30.0], [92.0, 128.0, 62.0], 1.6 * leaf - 0.35);
    }
    sky(stream(seed, 7), x, y)
}

fn sky(seed: u64, x: f64, y: f64) -> [f64; 3] {
    let clear = blend([92.0, 148.0, 212.0], [206.0, 226.0, 240.0], y / 230.0);
    let cloud = fractal(seed, x * 0.009, y * 0.022, 5);
    blend(clear, [250.0, 249.0, 246.0], (cloud - 0.52) * 4.5)
}

fn wall(seed: u64, x: f64, y: f64, right: f64) -> [f64; 3] {
    // A stone coping on top.
    if y < WALL_TOP + 11.0 {
        let grain = fractal(seed, x * 0.3, y * 0.3, 3);
        let joint = x.rem_euclid(46.0) < 1.6 || y > WALL_TOP + 9.0;
        return shade(
            [188.0, 181.0, 168.0],
            (0.82 + 0.3 * grain) * if joint { 0.7 } else { 1.0 },
        );
    }
    const BRICK: (f64, f64) = (31.0, 12.5);
    let depth = y - WALL_TOP - 11.0;
    let row = (depth / BRICK.1).floor();
    // Every other row starts with half a brick.
    let shifted = x + if row.rem_euclid(2.0) < 1.0 {
        0.0
    } else {
        BRICK.0 / 2.0
    };
    let column = (shifted / BRICK.0).floor();
    let (u, v) = (shifted - column * BRICK.0, depth - row * BRICK.1);
    let rough = fractal(seed ^ 1, x * 0.35, y * 0.35, 3);
    let edge = u.min(BRICK.0 - u).min(v).min(BRICK.1 - v) + 0.8 * (rough - 0.5);
    let stain = 0.86 + 0.28 * fractal(seed ^ 2, x * 0.015, y * 0.015, 3);
    if edge < 1.0 {
        return shade([176.0, 166.0, 152.0], stain * (0.82 + 0.3 * rough));
    }
    let tone = cell(seed, column as i64, row as i64);
    let mut brick = blend([132.0, 58.0, 44.0], [186.0, 98.0, 70.0], tone);
    if cell(seed ^ 3, column as i64, row as i64) > 0.9 {
        brick = blend(brick, [88.0, 60.0, 62.0], 0.6);
    }
    // Light from above left, and the wall's end in the light.
    let bevel = if v < 2.2 {
        1.1
    } else if v > BRICK.1 - 2.2 {
        0.9
    } else {
        1.0
    };
    let end = if right - x < 5.0 { 1.12 } else { 1.0 };
    shade(brick, stain * bevel * end * (0.78 + 0.44 * rough))
}

/// `None` beside and between the boards.
fn fence(seed: u64, x: f64, y: f64) -> Option<[f64; 3]> {
    const BOARD: f64 = 23.0;
    let board = (x / BOARD).floor();
    let u = x - board * BOARD;
    let index = board as i64;
    let top = FENCE_TOP + 5.0 * cell(seed, index, 0);
    // Pointed tops.
    let middle = (u - BOARD / 2.0).abs();
    let rail = (y - 206.0).abs() < 5.0 || (y - 262.0).abs() < 5.0;
    if y < top + 0.7 * middle {
        return None;
    }
    let tone = 0.84 + 0.26 * cell(seed, index, 1);
    if u < 2.4 {
        let behind = shade([104.0, 76.0, 50.0], if rail { 0.72 } else { 0.36 });
        return Some(behind);
    }
    // Grain runs along the board and bends around knots.
    let knot = (
        BOARD * (0.3 + 0.4 * cell(seed, index, 2)),
        200.0 + 80.0 * cell(seed, index, 3),
    );
    let (kx, ky) = (u - knot.0, (y - knot.1) / 2.2);
    let near = 1.0 / (1.0 + (kx * kx + ky * ky) / 9.0);
    let across = u + 3.5 * kx.signum() * near;
    let lines = smooth(seed ^ stream(9, board as u64), across * 0.95, y * 0.022);
    let fibre = fractal(seed ^ 5, u * 1.1, y * 0.06, 2);
    let wood = blend(
        [122.0, 84.0, 52.0],
        [196.0, 152.0, 102.0],
        0.55 * lines + 0.45 * fibre,
    );
    let wood = blend(wood, [70.0, 44.0, 28.0], 1.3 * near * near);
    let bulge = middle / (BOARD / 2.0);
    let round = 1.06 - 0.2 * bulge * bulge * bulge;
    let nail = rail && (middle - 5.0).abs() < 1.1 && (y - 206.0).abs().min((y - 262.0).abs()) < 1.1;
    Some(shade(wood, tone * round * if nail { 0.4 } else { 1.0 }))
}

fn grass(seed: u64, x: f64, y: f64) -> [f64; 3] {
    let depth = (y - GRASS_TOP) / (384.0 - GRASS_TOP);
    // Blades grow longer towards the viewer.
    let stretch = 0.16 - 0.07 * depth.clamp(0.0, 1.0);
    let lean = 7.0 * smooth(seed, x * 0.06, y * 0.03);
    let blade = fractal(seed ^ 1, (x + lean) * (0.75 - 0.25 * depth), y * stretch, 3);
    let patch = fractal(seed ^ 2, x * 0.012, y * 0.03, 3);
    let base = blend([44.0, 84.0, 30.0], [136.0, 172.0, 66.0], 1.7 * blade - 0.35);
    let dry = blend(base, [168.0, 158.0, 84.0], (patch - 0.5) * 1.6);
    shade(dry, 0.82 + 0.22 * depth)
}
