//! Free-form holes: brush strokes.

use std::f64::consts::PI;

use super::{MaskGenerator, scaled};
use crate::Mask;
use crate::random::Random;

/// Zigzag brush strokes, after DeepFillv2 as mmagic's `brush_stroke_mask`
/// draws them, with the random flips applied.
///
/// Each stroke starts at a uniform position and turns at every vertex: the
/// angle is U(2π/5 − a, 2π/5 + b) with a, b ~ U(0, 2π/15) drawn once per
/// stroke, mirrored (2π − angle) at every even vertex; the length is normal
/// around r̄ = √(W² + H²) / 8 with deviation r̄ / 2, clipped to \[0, 2r̄\].
/// Vertices are clipped to the image, and a disc of the brush's width sits on
/// each. Finally the mask is flipped left-right and top-bottom, each with
/// probability one half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeFormMask {
    /// Fewest and most strokes.
    pub num_strokes: (u32, u32),
    /// Fewest and most vertices per stroke after its first point.
    pub num_vertices: (u32, u32),
    /// Thinnest and widest brush, in pixels of a reference image; scaled with
    /// the short side.
    pub brush_width_px: (u32, u32),
    /// Short side of the reference image in pixels.
    pub reference_px: u32,
}

impl Default for FreeFormMask {
    fn default() -> Self {
        Self {
            num_strokes: (1, 3),
            num_vertices: (4, 11),
            brush_width_px: (12, 39),
            reference_px: 256,
        }
    }
}

impl MaskGenerator for FreeFormMask {
    fn generate(&self, width: u32, height: u32, seed: u64) -> Mask {
        let mut mask = Mask::new(width, height);
        if width == 0 || height == 0 {
            return mask;
        }
        let mut random = Random::new(seed);
        for _ in 0..random.between(self.num_strokes.0, self.num_strokes.1) {
            self.draw_stroke(&mut mask, &mut random);
        }
        let flip_x = random.below(2) == 1;
        let flip_y = random.below(2) == 1;
        Mask::from_fn(width, height, |x, y| {
            let x = if flip_x { width - 1 - x } else { x };
            let y = if flip_y { height - 1 - y } else { y };
            mask.is_hole(x, y)
        })
    }
}

impl FreeFormMask {
    fn draw_stroke(&self, mask: &mut Mask, random: &mut Random) {
        let (width, height) = mask.dimensions();
        let num_vertices = random.between(self.num_vertices.0, self.num_vertices.1);
        let min_angle = 2.0 * PI / 5.0 - random.unit() * 2.0 * PI / 15.0;
        let max_angle = 2.0 * PI / 5.0 + random.unit() * 2.0 * PI / 15.0;
        let brush = random.between(self.brush_width_px.0, self.brush_width_px.1);
        let brush = scaled(brush, width.min(height), self.reference_px).max(1);
        let diagonal_squared =
            f64::from(width) * f64::from(width) + f64::from(height) * f64::from(height);
        let mean_length = libm::sqrt(diagonal_squared) / 8.0;

        let mut from = Point {
            x: random.below(u64::from(width)) as i64,
            y: random.below(u64::from(height)) as i64,
        };
        for vertex in 0..num_vertices {
            let angle = min_angle + (max_angle - min_angle) * random.unit();
            let angle = if vertex % 2 == 0 {
                2.0 * PI - angle
            } else {
                angle
            };
            let length = mean_length + mean_length / 2.0 * random.normal();
            let length = length.clamp(0.0, 2.0 * mean_length);
            let step = |coordinate: i64, change: f64, limit: u32| {
                let moved = coordinate + libm::floor(length * change) as i64;
                moved.clamp(0, i64::from(limit) - 1)
            };
            let to = Point {
                x: step(from.x, libm::cos(angle), width),
                y: step(from.y, libm::sin(angle), height),
            };
            draw_segment(mask, from, to, brush);
            from = to;
        }
    }
}

#[derive(Clone, Copy)]
struct Point {
    x: i64,
    y: i64,
}

/// Fills every pixel at most `brush` / 2 away from the segment, ends included:
/// a thick line with a disc on each vertex.
fn draw_segment(mask: &mut Mask, from: Point, to: Point, brush: u32) {
    let brush = i64::from(brush);
    let reach = brush / 2 + 1;
    let (width, height) = (i64::from(mask.width()), i64::from(mask.height()));
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length_squared = dx * dx + dy * dy;
    let rows = (from.y.min(to.y) - reach).max(0)..=(from.y.max(to.y) + reach).min(height - 1);
    for y in rows {
        let columns = (from.x.min(to.x) - reach).max(0)..=(from.x.max(to.x) + reach).min(width - 1);
        for x in columns {
            let (px, py) = (x - from.x, y - from.y);
            let along = px * dx + py * dy;
            let near = if along <= 0 {
                4 * (px * px + py * py) <= brush * brush
            } else if along >= length_squared {
                let (qx, qy) = (x - to.x, y - to.y);
                4 * (qx * qx + qy * qy) <= brush * brush
            } else {
                // |cross| / length is the distance to the line; i128 since
                // the cross product of a gigapixel image squares past i64.
                let cross = i128::from(px * dy - py * dx);
                4 * cross * cross <= i128::from(brush * brush) * i128::from(length_squared)
            };
            if near {
                mask.set(x as u32, y as u32, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint;
    use super::*;

    #[test]
    fn a_segment_is_a_capsule() {
        let mut mask = Mask::new(20, 9);
        let (from, to) = (Point { x: 4, y: 4 }, Point { x: 14, y: 4 });
        draw_segment(&mut mask, from, to, 6);
        assert!(mask.is_hole(1, 4) && !mask.is_hole(0, 4));
        assert!(mask.is_hole(17, 4) && !mask.is_hole(18, 4));
        assert!(mask.is_hole(9, 1) && mask.is_hole(9, 7) && !mask.is_hole(9, 0));
        assert!(!mask.is_hole(1, 3), "the ends are round");
    }

    #[test]
    fn areas_are_those_of_the_protocol() {
        let generator = FreeFormMask::default();
        let fractions: Vec<f64> = (0..200)
            .map(|seed| generator.generate(256, 256, seed).hole_fraction())
            .collect();
        let mean = fractions.iter().sum::<f64>() / 200.0;
        assert!((0.1..0.4).contains(&mean), "{mean}");
        assert!(fractions.iter().all(|f| (0.005..0.9).contains(f)));
    }

    #[test]
    fn flips_are_applied() {
        // One stroke zigzags up and down to the right of its start only
        // because cos(2π/5) > 0; flipped masks lean to the left.
        let generator = FreeFormMask {
            num_strokes: (1, 1),
            ..FreeFormMask::default()
        };
        let right_heavy = (0..100)
            .filter(|&seed| {
                let mask = generator.generate(256, 256, seed);
                let right = (0..256).flat_map(|y| (128..256).map(move |x| (x, y)));
                let right = right.filter(|&(x, y)| mask.is_hole(x, y)).count();
                2 * right > mask.hole_area()
            })
            .count();
        assert!((25..=75).contains(&right_heavy), "{right_heavy}");
    }

    #[test]
    fn odd_sizes_do_not_fail() {
        for (width, height) in [(0, 0), (1, 1), (1, 300), (3, 2), (5, 0)] {
            FreeFormMask::default().generate(width, height, 1);
        }
    }

    #[test]
    fn masks_are_the_same_on_every_machine() {
        let hashes =
            [0, 1, 99].map(|seed| fingerprint(&FreeFormMask::default().generate(256, 256, seed)));
        let wide = fingerprint(&FreeFormMask::default().generate(300, 100, 7));
        assert_eq!(
            hashes,
            [
                15_791_358_041_933_468_078,
                4_584_354_605_221_851_623,
                6_498_430_875_226_933_688
            ]
        );
        assert_eq!(wide, 16_952_522_952_718_936_809);
    }
}
