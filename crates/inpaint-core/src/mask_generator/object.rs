//! Holes as people make them: around objects, along strokes, over specks.

use std::f64::consts::{PI, TAU};

use super::MaskGenerator;
use super::shape::{Part, Point, Shape};
use crate::Mask;
use crate::random::Random;

/// Silhouettes, brush strokes, specks, scratches, boxes and ellipses, mostly one to a mask,
/// sometimes two or three; some are cut by the picture's border.
///
/// Half of the holes are silhouettes: figures with head and limbs, heaps of ellipses, and smooth
/// closed outlines, compact or elongated. The larger side of a hole is drawn log-uniformly, so
/// that small ones are as frequent as large ones. A mask is never empty, and never hides more
/// than [`max_fraction`](Self::max_fraction) of a picture that has more than a few pixels: a hole
/// that would is drawn smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectMask {
    /// Smallest larger side of a hole, in pixels. Specks may be smaller.
    pub min_extent_px: f64,
    /// Largest larger side of a hole, as a fraction of the picture's short side.
    pub max_extent: f64,
    /// Thinnest and widest brush of a stroke, in pixels; never wider than a third of the short
    /// side.
    pub brush_width_px: (f64, f64),
    /// Largest fraction of the picture that a mask hides.
    pub max_fraction: f64,
}

impl Default for ObjectMask {
    fn default() -> Self {
        Self {
            min_extent_px: 16.0,
            max_extent: 0.8,
            brush_width_px: (6.0, 40.0),
            max_fraction: 0.6,
        }
    }
}

impl MaskGenerator for ObjectMask {
    fn generate(&self, width: u32, height: u32, seed: u64) -> Mask {
        let mut mask = Mask::new(width, height);
        if width == 0 || height == 0 {
            return mask;
        }
        let mut random = Random::new(seed);
        let num_holes = match random.unit() {
            u if u < 0.7 => 1,
            u if u < 0.9 => 2,
            _ => 3,
        };
        for _ in 0..num_holes {
            self.add_hole(&mut mask, &mut random);
        }
        if mask.is_empty() {
            // The picture is tiny, or the hole fell between its pixels.
            let (x, y) = (random.below(width.into()), random.below(height.into()));
            mask.set(x as u32, y as u32, true);
        }
        mask
    }
}

impl ObjectMask {
    fn add_hole(&self, mask: &mut Mask, random: &mut Random) {
        let short = f64::from(mask.width().min(mask.height()));
        let largest = self.max_extent * short;
        let extent = log_uniform(self.min_extent_px.min(largest), largest, random);
        // Nobody masks to the pixel: an object's rim goes with it.
        let mut margin = 0;
        let (shape, mut scale) = match random.unit() {
            u if u < 0.5 => {
                margin = random.between(0, if extent < 40.0 { 2 } else { 5 });
                (silhouette(random), None)
            }
            u if u < 0.7 => {
                let (thin, wide) = self.brush_width_px;
                let brush = log_uniform(thin, wide, random).min(short / 3.0);
                (stroke(brush, extent, random), Some(1.0))
            }
            u if u < 0.77 => (specks(random), Some(1.0)),
            u if u < 0.84 => (scratch(extent, random), Some(1.0)),
            u if u < 0.92 => (rectangle(random), None),
            _ => (
                Shape::straight(vec![ellipse((0.0, 0.0), 1.0, random)]),
                None,
            ),
        };
        let bounds = shape.bounds();
        let (wide, high) = (bounds[2] - bounds[0], bounds[3] - bounds[1]);
        // Strokes and specks are in pixels already.
        let mut scale = *scale.get_or_insert(extent / wide.max(high));
        let is_cut = random.unit() < 0.2;
        let mut place = |low: f64, high: f64, limit: u32| {
            let limit = f64::from(limit);
            let middle = if is_cut {
                limit * random.unit()
            } else {
                let half = (scale * (high - low) / 2.0).min(limit / 2.0);
                half + (limit - 2.0 * half) * random.unit()
            };
            (middle, (low + high) / 2.0)
        };
        let (x, middle_x) = place(bounds[0], bounds[2], mask.width());
        let (y, middle_y) = place(bounds[1], bounds[3], mask.height());
        for _ in 0..16 {
            let mut hole = Mask::new(mask.width(), mask.height());
            let origin = (x - scale * middle_x, y - scale * middle_y);
            shape.draw(&mut hole, origin, scale, bounds);
            let tried = hole.dilated(margin).union(mask);
            let tried = tried.expect("both have the picture's size");
            if tried.hole_fraction() <= self.max_fraction {
                *mask = tried;
                return;
            }
            scale *= 0.8;
        }
    }
}

/// As likely in one octave as in the next.
fn log_uniform(low: f64, high: f64, random: &mut Random) -> f64 {
    low * libm::pow(high / low, random.unit())
}

fn between(low: f64, high: f64, random: &mut Random) -> f64 {
    low + (high - low) * random.unit()
}

fn direction(angle: f64) -> Point {
    (libm::cos(angle), libm::sin(angle))
}

fn silhouette(random: &mut Random) -> Shape {
    let mut shape = Shape::straight(match random.unit() {
        u if u < 0.35 => figure(random),
        u if u < 0.6 => heap(random),
        _ => vec![Part::star(random.unit(), random)],
    });
    // People, lamp posts, cars: elongated ones stand or lie more often than they lean.
    let is_figure = shape.parts.len() > 6;
    if !is_figure && random.unit() < 0.5 {
        let upright = PI / 2.0 * random.below(2) as f64;
        shape.axis = direction(upright + 0.3 * random.normal());
        shape.stretch = between(1.3, 4.5, random);
    }
    shape.bend = between(0.0, 0.12, random);
    shape.wave = [between(1.5, 6.0, random), TAU * random.unit()];
    shape
}

/// Torso, head and four limbs with joints, as of a person or an animal.
fn figure(random: &mut Random) -> Vec<Part> {
    let is_upright = random.unit() < 0.65;
    let stout = between(0.45, 1.1, random);
    let limbs = between(0.13, 0.28, random);
    let mut parts = vec![
        Part::Ellipse {
            centre: (0.0, 0.0),
            radii: [1.0, 0.62 * stout],
            axis: (0.0, 1.0),
        },
        Part::Ellipse {
            centre: (0.2 * random.normal(), -1.25),
            radii: [0.42, 0.34],
            axis: (0.0, 1.0),
        },
        Part::Limb {
            ends: [(0.0, -1.1), (0.0, -0.6)],
            radii: [0.22, 0.4 * stout],
        },
    ];
    for (hip, side) in [(false, -1.0), (false, 1.0), (true, -1.0), (true, 1.0)] {
        let from = (side * 0.4 * stout, if hip { 0.7 } else { -0.65 });
        let spread = if hip { 0.22 } else { 0.5 };
        let mut angle = PI / 2.0 - side * (spread + 0.35 * random.normal());
        let length = between(0.6, 0.95, random);
        let mut joint = from;
        let mut radius = if hip { 1.35 * limbs } else { limbs };
        for _ in 0..2 {
            let (dx, dy) = direction(angle);
            let next = (joint.0 + length * dx, joint.1 + length * dy);
            parts.push(Part::Limb {
                ends: [joint, next],
                radii: [radius, 0.75 * radius],
            });
            (joint, radius) = (next, 0.75 * radius);
            angle += 0.4 * random.normal();
        }
    }
    if !is_upright {
        for part in &mut parts {
            *part = lying(part.clone());
        }
    }
    parts
}

/// A part of an upright figure turned by a quarter.
fn lying(part: Part) -> Part {
    let turned = |(x, y): Point| (-y, x);
    match part {
        Part::Limb { ends, radii } => Part::Limb {
            ends: ends.map(turned),
            radii,
        },
        Part::Ellipse {
            centre,
            radii,
            axis,
        } => Part::Ellipse {
            centre: turned(centre),
            radii,
            axis: turned(axis),
        },
        other => other,
    }
}

/// Two to five ellipses, each around a place on an earlier one.
fn heap(random: &mut Random) -> Vec<Part> {
    let mut parts = vec![ellipse((0.0, 0.0), 1.0, random)];
    let mut centre = (0.0, 0.0);
    for _ in 0..random.between(1, 4) {
        let (dx, dy) = direction(TAU * random.unit());
        let far = between(0.4, 0.9, random);
        centre = (centre.0 + far * dx, centre.1 + far * dy);
        let size = between(0.3, 1.0, random);
        parts.push(ellipse(centre, size, random));
        if random.unit() < 0.4 {
            centre = (0.0, 0.0);
        }
    }
    parts
}

fn ellipse(centre: Point, size: f64, random: &mut Random) -> Part {
    Part::Ellipse {
        centre,
        radii: [size, size * between(0.35, 1.0, random)],
        axis: direction(PI * random.unit()),
    }
}

fn rectangle(random: &mut Random) -> Shape {
    let aspect = libm::exp(0.6 * random.normal()).clamp(0.15, 6.0);
    Shape::straight(vec![Part::Rectangle {
        centre: (0.0, 0.0),
        half: [aspect.min(1.0), (1.0 / aspect).min(1.0)],
    }])
}

/// A smooth line drawn by hand, about `length` long; everything in pixels.
fn line(radius: f64, wobble: f64, length: f64, random: &mut Random) -> Vec<Part> {
    let num_steps = 16;
    let step = length / f64::from(num_steps);
    let mut angle = TAU * random.unit();
    // A hand turns evenly for a while.
    let mut turn = wobble * 0.2 * random.normal();
    let mut from = (0.0, 0.0);
    let mut parts = Vec::new();
    for _ in 0..num_steps {
        turn = 0.8 * turn + wobble * 0.15 * random.normal();
        angle += turn;
        let (dx, dy) = direction(angle);
        let to = (from.0 + step * dx, from.1 + step * dy);
        parts.push(Part::Limb {
            ends: [from, to],
            radii: [radius; 2],
        });
        from = to;
    }
    parts
}

/// A brush stroke whose way is longer than its extent, as it bends.
fn stroke(brush: f64, extent: f64, random: &mut Random) -> Shape {
    let length = (1.3 * extent - brush).max(0.0);
    Shape::straight(line(brush / 2.0, 1.0, length, random))
}

/// A thin, nearly straight line.
fn scratch(extent: f64, random: &mut Random) -> Shape {
    let radius = between(0.8, 2.5, random);
    Shape::straight(line(radius, 0.2, extent, random))
}

/// Three to twelve small discs, within 60 px.
fn specks(random: &mut Random) -> Shape {
    let area = between(8.0, 60.0, random);
    let parts = (0..random.between(3, 12)).map(|_| {
        let centre = (area * (random.unit() - 0.5), area * (random.unit() - 0.5));
        let size = log_uniform(1.2, 7.0, random);
        ellipse(centre, size, random)
    });
    Shape::straight(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint;
    use super::*;

    fn masks(side: u32) -> Vec<Mask> {
        (0..600)
            .map(|seed| ObjectMask::default().generate(side, side, seed))
            .collect()
    }

    #[test]
    fn masks_are_neither_empty_nor_too_large() {
        for side in [128, 192] {
            let fractions: Vec<_> = masks(side).iter().map(Mask::hole_fraction).collect();
            assert!(fractions.iter().all(|f| (1e-4..=0.6).contains(f)));
            let mean = fractions.iter().sum::<f64>() / fractions.len() as f64;
            assert!((0.06..0.2).contains(&mean), "{mean}");
        }
    }

    #[test]
    fn every_octave_of_widths_is_there() {
        let mut octaves = [0; 4];
        for mask in masks(192) {
            let width = mask.hole_thickness();
            let octave = [12, 24, 48].iter().filter(|most| width > **most).count();
            octaves[octave] += 1;
        }
        assert!(octaves.iter().all(|count| *count > 60), "{octaves:?}");
    }

    #[test]
    fn some_holes_are_cut_by_the_border_and_some_masks_have_more_than_one() {
        let masks = masks(128);
        let touches = |mask: &&Mask| {
            let bounds = mask.hole_bounds().unwrap();
            bounds.x == 0 || bounds.y == 0 || bounds.x + bounds.width == 128
        };
        let count = masks.iter().filter(touches).count();
        assert!((60..300).contains(&count), "{count}");
        // No single hole is wider than 0.8 of the side.
        let wide = |mask: &&Mask| mask.hole_bounds().unwrap().width > 110;
        assert!(masks.iter().filter(wide).count() > 5);
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (1, 300), (3, 2), (20, 500), (2000, 30)] {
            for seed in 0..20 {
                let mask = ObjectMask::default().generate(width, height, seed);
                assert_eq!(mask.dimensions(), (width, height));
                assert!(!mask.is_empty());
            }
        }
        assert!(ObjectMask::default().generate(0, 5, 1).is_empty());
    }

    #[test]
    fn masks_are_the_same_on_every_machine() {
        let hashes =
            [0, 1, 99].map(|seed| fingerprint(&ObjectMask::default().generate(128, 128, seed)));
        assert_eq!(
            hashes,
            [
                8_750_425_700_893_435_821,
                276_023_404_660_090_400,
                5_523_764_984_704_768_901
            ]
        );
    }
}
