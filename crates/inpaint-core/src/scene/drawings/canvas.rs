//! A canvas of real-valued pixels, with edges to the pixel or smoothed.

use crate::RgbImage;
use crate::random::Random;
use crate::scene::noise::blend;
use crate::scene::to_pixel;

/// Red, green and blue from 0 to 255.
pub(super) type Colour = [f64; 3];

/// A position in pixels; pixel centres lie at halves.
pub(super) type Point = (f64, f64);

/// Samples per side of a pixel where edges are smoothed.
const SAMPLES: u32 = 4;

#[derive(Debug, Clone)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<Colour>,
    /// Whether a pixel has one colour or another, never a mixture at an edge.
    is_exact: bool,
}

impl Canvas {
    pub fn new(width: u32, height: u32, paper: Colour, is_exact: bool) -> Self {
        Self {
            width,
            height,
            pixels: vec![paper; width as usize * height as usize],
            is_exact,
        }
    }

    pub fn size(&self) -> (f64, f64) {
        (self.width.into(), self.height.into())
    }

    /// Gives every pixel the colour of its place.
    pub fn paint(&mut self, colour: impl Fn(f64, f64) -> Colour) {
        self.fill(|_, _| true, colour);
    }

    /// Gives the pixels of a region the colour of their place.
    pub fn fill(
        &mut self,
        contains: impl Fn(f64, f64) -> bool,
        colour: impl Fn(f64, f64) -> Colour,
    ) {
        let samples = if self.is_exact { 1 } else { SAMPLES };
        let share = 1.0 / f64::from(samples * samples);
        let at = |pixel: u32, sample: u32| {
            f64::from(pixel) + (f64::from(sample) + 0.5) / f64::from(samples)
        };
        for y in 0..self.height {
            for x in 0..self.width {
                let pixel = &mut self.pixels[(y * self.width + x) as usize];
                let under = *pixel;
                let mut sum = [0.0; 3];
                for i in 0..samples * samples {
                    let (u, v) = (at(x, i % samples), at(y, i / samples));
                    let sample = if contains(u, v) { colour(u, v) } else { under };
                    for (sum, value) in sum.iter_mut().zip(sample) {
                        *sum += value;
                    }
                }
                *pixel = sum.map(|value| value * share);
            }
        }
    }

    /// Colour of the pixel at a position, or of the nearest one.
    pub fn at(&self, x: f64, y: f64) -> Colour {
        let x = (x as u32).min(self.width.saturating_sub(1));
        let y = (y as u32).min(self.height.saturating_sub(1));
        self.pixels[(y * self.width + x) as usize]
    }

    /// Mixes a colour into a pixel; outside the canvas nothing happens.
    pub fn mix(&mut self, x: i64, y: i64, colour: Colour, opacity: f64) {
        if (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y) {
            let pixel = &mut self.pixels[y as usize * self.width as usize + x as usize];
            *pixel = blend(*pixel, colour, opacity);
        }
    }

    /// A rectangle of whole pixels: left, top, width and height.
    pub fn rectangle(&mut self, [left, top, width, height]: [i64; 4], colour: Colour) {
        let rows = top.max(0)..(top + height).min(self.height.into());
        for y in rows {
            for x in left.max(0)..(left + width).min(self.width.into()) {
                self.mix(x, y, colour, 1.0);
            }
        }
    }

    /// The rim of a rectangle, one pixel wide.
    pub fn frame(&mut self, [left, top, width, height]: [i64; 4], colour: Colour) {
        self.rectangle([left, top, width, 1], colour);
        self.rectangle([left, top + height - 1, width, 1], colour);
        self.rectangle([left, top, 1, height], colour);
        self.rectangle([left + width - 1, top, 1, height], colour);
    }

    /// A line through points, drawn by a round pen of `pen` pixels.
    pub fn stroke(&mut self, points: &[Point], pen: f64, colour: Colour) {
        let reach = pen / 2.0 + 1.0;
        let span = |values: &mut dyn Iterator<Item = f64>, limit: u32| {
            let (low, high) = values.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
            let clamp = |value: f64| value.clamp(0.0, limit.into()) as i64;
            clamp(low - reach)..clamp(high + reach + 1.0)
        };
        let columns = span(&mut points.iter().map(|p| p.0), self.width);
        let rows = span(&mut points.iter().map(|p| p.1), self.height);
        let stride = columns.clone().count();
        // What several segments cover is covered once.
        let mut covered = vec![0.0f64; stride * rows.clone().count()];
        for ends in points.windows(2) {
            let (x0, x1) = (ends[0].0.min(ends[1].0), ends[0].0.max(ends[1].0));
            let (y0, y1) = (ends[0].1.min(ends[1].1), ends[0].1.max(ends[1].1));
            let first = |low: f64, start: i64| ((low - reach).floor() as i64).max(start);
            let last = |high: f64, end: i64| ((high + reach).ceil() as i64).min(end);
            for y in first(y0, rows.start)..last(y1, rows.end) {
                for x in first(x0, columns.start)..last(x1, columns.end) {
                    let distance = distance((x as f64 + 0.5, y as f64 + 0.5), ends[0], ends[1]);
                    let place = (y - rows.start) as usize * stride + (x - columns.start) as usize;
                    let cover = coverage(distance, pen, self.is_exact);
                    covered[place] = covered[place].max(cover);
                }
            }
        }
        for (place, cover) in covered.into_iter().enumerate() {
            if cover > 0.0 {
                let (x, y) = ((place % stride) as i64, (place / stride) as i64);
                self.mix(columns.start + x, rows.start + y, colour, cover);
            }
        }
    }

    /// Adds noise with a standard deviation in levels: grey or of each channel, of single pixels
    /// or spread over neighbours as film grain is.
    pub fn add_grain(&mut self, deviation: f64, random: &mut Random) {
        let is_grey = random.unit() < 0.5;
        let is_soft = random.unit() < 0.4;
        let (stride, count) = (self.width as usize, self.pixels.len());
        let mut noise: Vec<Colour> = (0..count)
            .map(|_| match is_grey {
                true => [random.normal(); 3],
                false => [(); 3].map(|()| random.normal()),
            })
            .collect();
        if is_soft {
            // A cross whose squared weights sum up to 1.
            let spread = |i: usize, c: usize| {
                let near = [i + 1, i + count - 1, i + stride, i + count - stride];
                let sum: f64 = near.iter().map(|j| noise[j % count][c]).sum();
                (2.0 * noise[i][c] + sum) / 8f64.sqrt()
            };
            noise = (0..count)
                .map(|i| [0, 1, 2].map(|c| spread(i, c)))
                .collect();
        }
        for (pixel, noise) in self.pixels.iter_mut().zip(noise) {
            for (value, noise) in pixel.iter_mut().zip(noise) {
                *value += deviation * noise;
            }
        }
    }

    pub fn into_image(self) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |x, y| {
            to_pixel(self.pixels[(y * self.width + x) as usize])
        })
    }
}

/// How much of a pixel a line of width `pen` covers whose middle is `distance` away.
pub(super) fn coverage(distance: f64, pen: f64, is_exact: bool) -> f64 {
    if is_exact {
        // A line of a pixel must not have holes.
        return f64::from(distance <= (pen / 2.0).max(0.5));
    }
    (pen / 2.0 + 0.5 - distance).clamp(0.0, pen.min(1.0))
}

/// From a position to the line between two others.
pub(super) fn distance((x, y): Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (x - from.0, y - from.1);
    let length_squared = (dx * dx + dy * dy).max(1e-12);
    let along = ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0);
    let (qx, qy) = (px - along * dx, py - along * dy);
    (qx * qx + qy * qy).sqrt()
}

/// Paper, ink and two more colours: ink on paper, light on dark, or any colours that differ.
pub(super) fn palette(random: &mut Random) -> [Colour; 4] {
    let mut any = |low: f64, high: f64| [(); 3].map(|()| low + (high - low) * random.unit());
    let (light, dark) = (any(225.0, 262.0), any(-30.0, 60.0));
    let (first, second) = (any(0.0, 255.0), any(0.0, 255.0));
    let accents = [any(0.0, 255.0), any(0.0, 255.0)];
    let (paper, ink) = match random.unit() {
        u if u < 0.15 => ([255.0; 3], [0.0; 3]),
        u if u < 0.4 => (light, dark),
        u if u < 0.55 => (dark, light),
        // Little contrast, as of wallpaper.
        u if u < 0.7 => (first, blend(first, second, 0.2)),
        _ => (first, second),
    };
    let shown = |colour: Colour| colour.map(|value| value.clamp(0.0, 255.0).round());
    [paper, ink, accents[0], accents[1]].map(shown)
}

/// A number between two others.
pub(super) fn between(low: f64, high: f64, random: &mut Random) -> f64 {
    low + (high - low) * random.unit()
}

/// As likely in one octave as in the next.
pub(super) fn log_uniform(low: f64, high: f64, random: &mut Random) -> f64 {
    low * libm::pow(high / low, random.unit())
}

/// The direction of an angle.
pub(super) fn direction(angle: f64) -> Point {
    (libm::cos(angle), libm::sin(angle))
}
