//! Letter-like marks: an alphabet of a picture's own, so that signs come again and again.

use std::f64::consts::PI;

use super::canvas::{Canvas, Colour, Point, between, coverage, direction, distance, log_uniform};
use super::ramps::bare_ramp;
use crate::random::Random;

/// Signs of an alphabet.
const NUM_SIGNS: usize = 24;

/// An alphabet drawn once: how much of each pixel of a sign the pen covers.
pub(super) struct Font {
    signs: [Vec<f64>; NUM_SIGNS],
    /// Width and height of a sign's picture, in pixels.
    pub sign_px: (i64, i64),
    /// From one sign to the next, and from one line to the next, in pixels.
    pub advance: (i64, i64),
}

impl Font {
    /// An alphabet whose signs are `height` pixels high.
    pub fn new(height: f64, is_exact: bool, random: &mut Random) -> Self {
        let wide = (height * between(0.45, 0.75, random)).round().max(3.0);
        let pen = if height < 10.0 {
            1.0
        } else {
            height * log_uniform(0.06, 0.22, random)
        };
        // The pen reaches over the nodes of the signs.
        let rim = (pen / 2.0 + 0.5).ceil();
        let (columns, rows) = (
            (wide + 2.0 * rim) as i64,
            (height.round() + 2.0 * rim) as i64,
        );
        let signs = [(); NUM_SIGNS].map(|()| {
            let strokes = strokes(random);
            let place = |(x, y): Point| {
                // On pixel centres, so that thin stems stay sharp.
                let at = |value: f64, span: f64| rim + ((span - 1.0) * value).round() + 0.5;
                (at(x, wide), at(y, height.round()))
            };
            let cover = |i: i64| {
                let pixel = ((i % columns) as f64 + 0.5, (i / columns) as f64 + 0.5);
                let of_segment = |ends: &[Point]| {
                    coverage(
                        distance(pixel, place(ends[0]), place(ends[1])),
                        pen,
                        is_exact,
                    )
                };
                let segments = strokes.iter().flat_map(|stroke| stroke.windows(2));
                segments.map(of_segment).fold(0.0, f64::max)
            };
            (0..columns * rows).map(cover).collect()
        });
        let gap = (height * between(0.12, 0.3, random)).max(1.0) + pen.floor();
        Self {
            signs,
            sign_px: (columns, rows),
            advance: (
                (wide + gap).round() as i64,
                (height * between(1.35, 2.0, random)).round() as i64,
            ),
        }
    }

    /// Writes words from a place to the right, up to `end`; returns where the line ended.
    pub fn write(
        &self,
        canvas: &mut Canvas,
        (left, top): (i64, i64),
        end: i64,
        colour: Colour,
        random: &mut Random,
    ) -> i64 {
        let mut x = left;
        let mut letters = random.between(1, 9);
        while x + self.sign_px.0 <= end {
            if letters > 0 {
                self.stamp(
                    canvas,
                    (x, top),
                    random.below(NUM_SIGNS as u64) as usize,
                    colour,
                );
                letters -= 1;
            } else {
                letters = random.between(1, 9);
            }
            x += self.advance.0;
        }
        x
    }

    /// One sign.
    fn stamp(&self, canvas: &mut Canvas, (left, top): (i64, i64), sign: usize, colour: Colour) {
        for (i, cover) in (0..).zip(&self.signs[sign]) {
            if *cover > 0.0 {
                let (x, y) = (left + i % self.sign_px.0, top + i / self.sign_px.0);
                canvas.mix(x, y, colour, *cover);
            }
        }
    }
}

/// Two to four stems, bars, slants and bows in a square of side 1.
fn strokes(random: &mut Random) -> Vec<Vec<Point>> {
    const LEVELS: [f64; 3] = [0.0, 0.5, 1.0];
    let count = random.between(2, 4);
    let mut level = || LEVELS[random.below(3) as usize];
    (0..count)
        .map(|i| {
            let (a, b, c) = (level(), level(), level());
            match (i, (4.0 * a + 2.0 * b + c) as u32) {
                // Most signs have a stem.
                (0, _) => vec![(a, 0.0), (a, 1.0)],
                (_, 0..=2) => vec![(0.0, b), (1.0, b)],
                (_, 3) => vec![(a, 0.0), (1.0 - a, 1.0)],
                (_, 4) => vec![(0.0, c), (0.5, 0.5), (1.0, c)],
                _ => {
                    let start = PI * (a + b);
                    let bow = |k: u32| {
                        let (dx, dy) = direction(start + PI * f64::from(k) / 8.0);
                        (0.5 + 0.5 * dx, 0.25 + 0.5 * c + 0.25 * dy)
                    };
                    (0..=12).map(bow).collect()
                }
            }
        })
        .collect()
}

/// Lines of marks, small or large, on a ramp or on a flat colour.
pub(super) fn lettering(width: u32, height: u32, random: &mut Random) -> Canvas {
    let mut canvas = bare_ramp(width, height, random);
    let (right, bottom) = (i64::from(width), i64::from(height));
    let font_px = log_uniform(7.0, 60.0, random).round();
    let font = Font::new(font_px, random.unit() < 0.25, random);
    let paper = canvas.at(right as f64 / 2.0, bottom as f64 / 2.0);
    let is_light = paper.iter().sum::<f64>() > 380.0;
    let tint = [(); 3].map(|()| 90.0 * random.unit());
    let ink = if is_light {
        tint
    } else {
        tint.map(|value| 255.0 - value)
    };
    let margin = (f64::from(width) * between(-0.05, 0.15, random)) as i64;
    let shadow = (font_px >= 20.0 && random.unit() < 0.3).then_some([20.0; 3]);
    let mut y = (font_px * between(-0.5, 1.5, random)) as i64;
    while y < bottom {
        // Ends of lines are ragged.
        let end = right - margin - (f64::from(width) * 0.4 * random.unit() * random.unit()) as i64;
        let mut line = random.clone();
        if let Some(colour) = shadow {
            font.write(
                &mut canvas,
                (margin + 2, y + 2),
                end + 2,
                colour,
                &mut line.clone(),
            );
        }
        font.write(&mut canvas, (margin, y), end, ink, &mut line);
        *random = line;
        y += font.advance.1 * if random.unit() < 0.15 { 2 } else { 1 };
    }
    if random.unit() < 0.3 {
        let deviation = log_uniform(0.5, 3.0, random);
        canvas.add_grain(deviation, random);
    }
    canvas
}
