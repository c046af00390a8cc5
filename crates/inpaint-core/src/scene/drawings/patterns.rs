//! What repeats: screentones, stripes, checkers, grids, bricks and tiles.

use std::f64::consts::{PI, TAU};

use super::canvas::{Canvas, Colour, Point, between, direction, log_uniform, palette};
use crate::random::Random;
use crate::scene::noise::{blend, cell, fractal, shade};

/// The colour of every place on a plane.
type Paint = Box<dyn Fn(f64, f64) -> Colour>;

/// One pattern all over, seen from straight above, turned, or in perspective.
pub(super) fn pattern(width: u32, height: u32, random: &mut Random) -> Canvas {
    let kind = random.below(5);
    let mut is_exact = random.unit() < 0.5;
    let paint = match kind {
        0 => screentone(width, is_exact, random),
        1 => stripes(is_exact, random),
        2 => checkers(is_exact, random),
        3 => grid(is_exact, random),
        _ => bricks(is_exact, random),
    };
    // Tones lie on the paper, and their edges are the picture's own.
    let is_tilted = kind > 0 && random.unit() < 0.35;
    let is_turned = kind > 1 && random.unit() < 0.3;
    is_exact &= !is_tilted;
    let mut canvas = Canvas::new(width, height, [0.0; 3], is_exact);
    let view = View::new(canvas.size(), (is_tilted, is_turned, is_exact), random);
    canvas.paint(|x, y| {
        let (u, v) = view.to_plane((x, y));
        paint(u, v)
    });
    if random.unit() < 0.25 {
        let deviation = log_uniform(0.5, 4.0, random);
        canvas.add_grain(deviation, random);
    }
    canvas
}

/// How the plane of a pattern is seen.
struct View {
    middle: Point,
    /// The place on the plane that is seen there.
    shift: Point,
    axis: Point,
    /// Change of the distance per pixel.
    tilt: Point,
}

impl View {
    fn new(
        (width, height): (f64, f64),
        (is_tilted, is_turned, is_exact): (bool, bool, bool),
        random: &mut Random,
    ) -> Self {
        let (dx, dy) = direction(TAU * random.unit());
        // The far side is up to six times as far away as the near one.
        let steep = if is_tilted {
            between(0.25, 0.72, random)
        } else {
            0.0
        };
        let reach = dx.abs() * width / 2.0 + dy.abs() * height / 2.0;
        let angle = if is_turned { PI * random.unit() } else { 0.0 };
        // Whole pixels stay whole.
        let shift = (64.0 * random.unit(), 64.0 * random.unit());
        let shift = match is_exact {
            true => (shift.0.floor(), shift.1.floor()),
            false => shift,
        };
        Self {
            middle: ((width / 2.0).floor(), (height / 2.0).floor()),
            shift,
            axis: direction(angle),
            tilt: (steep * dx / reach.max(1.0), steep * dy / reach.max(1.0)),
        }
    }

    fn to_plane(&self, (x, y): Point) -> Point {
        let (x, y) = (x - self.middle.0, y - self.middle.1);
        let depth = 1.0 + x * self.tilt.0 + y * self.tilt.1;
        let (ax, ay) = self.axis;
        let (u, v) = ((x * ax + y * ay) / depth, (y * ax - x * ay) / depth);
        (u + self.shift.0, v + self.shift.1)
    }
}

/// Two steps of a square lattice: of whole pixels, so that the pattern repeats exactly, or at any
/// angle.
fn lattice(smallest: f64, largest: f64, is_exact: bool, random: &mut Random) -> Point {
    let pitch = log_uniform(smallest, largest, random);
    if is_exact || random.unit() < 0.3 {
        let along = pitch.round().max(1.0);
        let share = [0.0, 0.0, 0.27, 0.5, 0.58, 1.0][random.below(6) as usize];
        return (along, (share * along).round());
    }
    let angle = match random.below(3) {
        0 => PI / 12.0 * random.below(12) as f64,
        _ => PI * random.unit(),
    };
    let (x, y) = direction(angle);
    (pitch * x, pitch * y)
}

/// Dots, diamonds or lines on a lattice, as large everywhere or growing along a direction.
fn screentone(width: u32, is_exact: bool, random: &mut Random) -> Paint {
    let [paper, ink, ..] = palette(random);
    let (a, b) = lattice(3.0, 14.0, is_exact, random);
    let square = a * a + b * b;
    let (shift_u, shift_v) = (random.unit(), random.unit());
    let shape = random.below(4);
    let size = between(0.15, 0.65, random);
    let is_graded = random.unit() < 0.3;
    let (gx, gy) = direction(TAU * random.unit());
    let grade = if is_graded {
        0.6 / f64::from(width.max(1))
    } else {
        0.0
    };
    Box::new(move |x, y| {
        let u = ((x * a + y * b) / square + shift_u).rem_euclid(1.0) - 0.5;
        let v = ((y * a - x * b) / square + shift_v).rem_euclid(1.0) - 0.5;
        let from_middle = match shape {
            0 | 1 => (u * u + v * v).sqrt(),
            2 => 0.8 * (u.abs() + v.abs()),
            _ => u.abs(),
        };
        let size = size + grade * (x * gx + y * gy);
        if from_middle < size { ink } else { paper }
    })
}

/// Stripes of two to four colours, with edges or as waves.
fn stripes(is_exact: bool, random: &mut Random) -> Paint {
    let colours = palette(random);
    let (a, b) = lattice(2.0, 48.0, is_exact, random);
    // Across the lattice's first step, which is a period.
    let square = a * a + b * b;
    let count = 2 + random.below(3) as usize;
    let mut ends: Vec<f64> = (1..count).map(|_| random.unit()).collect();
    ends.sort_by(f64::total_cmp);
    let is_even = random.unit() < 0.4;
    let is_wave = !is_exact && random.unit() < 0.3;
    let shift = random.unit();
    Box::new(move |x, y| {
        let phase = ((x * a + y * b) / square + shift).rem_euclid(1.0);
        if is_wave {
            return blend(colours[0], colours[1], 0.5 + 0.5 * libm::cos(TAU * phase));
        }
        let index = if is_even {
            (2.0 * phase) as usize
        } else {
            ends.iter().filter(|end| **end < phase).count()
        };
        colours[index]
    })
}

fn checkers(is_exact: bool, random: &mut Random) -> Paint {
    let [paper, ink, third, _] = palette(random);
    let mut side = log_uniform(2.0, 40.0, random);
    if is_exact {
        side = side.round();
    }
    let colours = if random.unit() < 0.8 {
        [paper, ink, ink, paper]
    } else {
        [paper, ink, third, paper]
    };
    let aspect = if random.unit() < 0.7 {
        1.0
    } else {
        // Whole numbers of pixels stay whole.
        2.0
    };
    Box::new(move |x, y| {
        let column = (x / side).floor().rem_euclid(2.0);
        let row = (y / (side * aspect)).floor().rem_euclid(2.0);
        colours[(column + 2.0 * row) as usize]
    })
}

/// Lines at right angles; every fifth or so may be stronger.
fn grid(is_exact: bool, random: &mut Random) -> Paint {
    let [paper, ink, third, _] = palette(random);
    let mut pitch = log_uniform(5.0, 40.0, random);
    let mut line = between(0.8, 3.0, random).min(0.3 * pitch);
    if is_exact {
        (pitch, line) = (pitch.round(), line.round().max(1.0));
    }
    let every = if random.unit() < 0.5 {
        1.0
    } else {
        f64::from(random.between(2, 6))
    };
    let is_wide = random.unit() < 0.5;
    Box::new(move |x, y| {
        let on = |value: f64, period: f64, width: f64| value.rem_euclid(period) < width;
        let major = pitch * every;
        let thick = if is_wide { 2.0 * line } else { line };
        if every > 1.0 && (on(x, major, thick) || on(y, major, thick)) {
            third
        } else if on(x, pitch, line) || on(y, pitch, line) {
            ink
        } else {
            paper
        }
    })
}

/// Bricks in rows or tiles in a square, each with a tone of its own or not, plain or rough.
fn bricks(is_exact: bool, random: &mut Random) -> Paint {
    let [brick, joint, other, _] = palette(random);
    let mut height = log_uniform(6.0, 36.0, random);
    let mut width = height * [1.0, 1.0, 2.0, 2.5, 3.0][random.below(5) as usize];
    let mut gap = between(0.8, 3.5, random).min(0.25 * height);
    if is_exact {
        (width, height, gap) = (width.round(), height.round(), gap.round().max(1.0));
    }
    let offset = [0.0, 0.5, 0.5, 0.5, 0.25][random.below(5) as usize];
    let offset = if is_exact {
        (offset * width).round()
    } else {
        offset * width
    };
    let differ = [0.0, 0.0, 0.08, 0.2, 0.4][random.below(5) as usize];
    let rough = if random.unit() < 0.5 {
        0.0
    } else {
        between(0.05, 0.4, random)
    };
    let bevel = [0.0, 0.0, 0.12, 0.25][random.below(4) as usize];
    let seed = random.bits();
    Box::new(move |x, y| {
        let row = (y / height).floor();
        let shifted = x + offset * row.rem_euclid(2.0);
        let column = (shifted / width).floor();
        let (u, v) = (shifted - column * width, y - row * height);
        let grain = if rough > 0.0 {
            rough * (fractal(seed, x * 0.35, y * 0.35, 3) - 0.5)
        } else {
            0.0
        };
        if u < gap || v < gap {
            return shade(joint, 1.0 + 0.5 * grain);
        }
        let tone = cell(seed, column as i64, row as i64);
        let colour = blend(brick, other, differ * tone);
        let light = if v < gap + 1.5 {
            bevel
        } else if v > height - 1.5 {
            -bevel
        } else {
            0.0
        };
        shade(colour, 1.0 + light + grain)
    })
}
