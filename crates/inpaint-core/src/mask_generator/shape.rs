//! Shapes of objects: unions of simple parts, scaled and placed as one.

use std::f64::consts::TAU;

use crate::Mask;
use crate::random::Random;

/// A position or a direction.
pub(super) type Point = (f64, f64);

/// A simple closed region.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A line with round ends, whose radius goes evenly from one end's to the other's.
    Limb { ends: [Point; 2], radii: [f64; 2] },
    /// An ellipse; `axis` is the direction of the first radius, of length 1.
    Ellipse {
        centre: Point,
        radii: [f64; 2],
        axis: Point,
    },
    /// An upright rectangle from its middle.
    Rectangle { centre: Point, half: [f64; 2] },
    /// A closed outline given by its radius at [`NUM_ANGLES`] angles.
    Star { radius: Vec<f64> },
}

/// Angles at which an outline is tabulated.
const NUM_ANGLES: usize = 256;

impl Part {
    /// A closed outline around the origin with a mean radius of about 1: a Fourier series whose
    /// waves fall with their number, the more gently the larger `roughness` (0 to 1) is.
    pub fn star(roughness: f64, random: &mut Random) -> Self {
        let waves: Vec<_> = (2..12)
            .map(|k| {
                let falling = libm::pow(f64::from(k), -2.2 + 0.8 * roughness);
                (
                    f64::from(k),
                    0.65 * falling * random.normal(),
                    TAU * random.unit(),
                )
            })
            .collect();
        let radius = (0..NUM_ANGLES).map(|i| {
            let angle = TAU * i as f64 / NUM_ANGLES as f64;
            let sum: f64 = (waves.iter())
                .map(|(k, size, phase)| size * libm::cos(k * angle + phase))
                .sum();
            (1.0 + sum).max(0.15)
        });
        Self::Star {
            radius: radius.collect(),
        }
    }

    /// Whether the part covers a position.
    fn covers(&self, (x, y): Point) -> bool {
        match self {
            Self::Limb { ends, radii } => {
                let (dx, dy) = (ends[1].0 - ends[0].0, ends[1].1 - ends[0].1);
                let (px, py) = (x - ends[0].0, y - ends[0].1);
                let length_squared = (dx * dx + dy * dy).max(1e-12);
                let along = ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0);
                let (qx, qy) = (px - along * dx, py - along * dy);
                let radius = radii[0] + along * (radii[1] - radii[0]);
                qx * qx + qy * qy <= radius * radius
            }
            Self::Ellipse {
                centre,
                radii,
                axis,
            } => {
                let (px, py) = (x - centre.0, y - centre.1);
                let u = (px * axis.0 + py * axis.1) / radii[0];
                let v = (py * axis.0 - px * axis.1) / radii[1];
                u * u + v * v <= 1.0
            }
            Self::Rectangle { centre, half } => {
                (x - centre.0).abs() <= half[0] && (y - centre.1).abs() <= half[1]
            }
            Self::Star { radius } => {
                let turns = libm::atan2(y, x) / TAU + 1.0;
                let index = (turns * NUM_ANGLES as f64) as usize % NUM_ANGLES;
                x * x + y * y <= radius[index] * radius[index]
            }
        }
    }

    /// The farthest that the part reaches from the origin.
    fn reach(&self) -> f64 {
        let length = |(x, y): Point| (x * x + y * y).sqrt();
        match self {
            Self::Limb { ends, radii } => {
                (length(ends[0]) + radii[0]).max(length(ends[1]) + radii[1])
            }
            Self::Ellipse { centre, radii, .. } => length(*centre) + radii[0].max(radii[1]),
            Self::Rectangle { centre, half } => length(*centre) + length((half[0], half[1])),
            Self::Star { radius } => radius.iter().copied().fold(0.0, f64::max),
        }
    }
}

/// Parts that make up one object, in units of its own, bent by a wave and then stretched along
/// one direction.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub parts: Vec<Part>,
    /// Height of the wave in units.
    pub bend: f64,
    /// Radians of the wave per unit, and its start.
    pub wave: [f64; 2],
    /// How much longer than wide the shape becomes, at least 1, and along which direction.
    pub stretch: f64,
    pub axis: Point,
}

impl Shape {
    /// The parts as they are.
    pub const fn straight(parts: Vec<Part>) -> Self {
        Self {
            parts,
            bend: 0.0,
            wave: [0.0; 2],
            stretch: 1.0,
            axis: (1.0, 0.0),
        }
    }

    fn covers(&self, (x, y): Point) -> bool {
        let (ax, ay) = self.axis;
        let along = (x * ax + y * ay) / self.stretch;
        let across = y * ax - x * ay;
        let (mut x, mut y) = (along * ax - across * ay, along * ay + across * ax);
        if self.bend != 0.0 {
            let [rate, start] = self.wave;
            x += self.bend * libm::sin(rate * y + start);
            y += self.bend * libm::sin(rate * x - start);
        }
        self.parts.iter().any(|part| part.covers((x, y)))
    }

    /// Left, top, right and bottom in units, as far as a grid of 96² positions tells.
    pub fn bounds(&self) -> [f64; 4] {
        const GRID: i32 = 96;
        let reach = self.parts.iter().map(Part::reach).fold(0.0, f64::max);
        let reach = (reach + 2.0 * self.bend) * self.stretch;
        let step = 2.0 * reach / f64::from(GRID);
        let at = |i: i32| (f64::from(i) + 0.5) * step - reach;
        let mut bounds = [reach, reach, -reach, -reach];
        for (row, column) in (0..GRID).flat_map(|row| (0..GRID).map(move |column| (row, column))) {
            let (x, y) = (at(column), at(row));
            if self.covers((x, y)) {
                bounds = [
                    bounds[0].min(x - step / 2.0),
                    bounds[1].min(y - step / 2.0),
                    bounds[2].max(x + step / 2.0),
                    bounds[3].max(y + step / 2.0),
                ];
            }
        }
        if bounds[0] > bounds[2] {
            // Too thin for the grid.
            return [-reach, -reach, reach, reach];
        }
        bounds
    }

    /// Adds the shape to the holes of `mask`, its origin at `origin` and its unit `scale` pixels
    /// long.
    pub fn draw(&self, mask: &mut Mask, origin: Point, scale: f64, bounds: [f64; 4]) {
        let (width, height) = mask.dimensions();
        let range = |low: f64, high: f64, origin: f64, limit: u32| {
            // The bounds are those of a grid: half a cell may be missing at each end.
            let slack = 2.0 + 0.03 * scale * (high - low);
            let first = (origin + low * scale - slack).max(0.0) as u32;
            let last = (origin + high * scale + slack).clamp(0.0, f64::from(limit)) as u32;
            first..last
        };
        for y in range(bounds[1], bounds[3], origin.1, height) {
            for x in range(bounds[0], bounds[2], origin.0, width) {
                let u = (f64::from(x) + 0.5 - origin.0) / scale;
                let v = (f64::from(y) + 0.5 - origin.1) / scale;
                if self.covers((u, v)) {
                    mask.set(x, y, true);
                }
            }
        }
    }
}
