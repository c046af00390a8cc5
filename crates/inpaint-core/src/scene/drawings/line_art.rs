//! Pen drawings: curves, outlines with flat colours, and hatching.

use std::f64::consts::TAU;

use super::canvas::{Canvas, Point, between, direction, log_uniform, palette};
use crate::random::Random;

/// Outlines, filled or hatched or not, and open curves, with one pen.
pub(super) fn line_art(width: u32, height: u32, random: &mut Random) -> Canvas {
    let [paper, ink, third, fourth] = palette(random);
    let mut canvas = Canvas::new(width, height, paper, random.unit() < 0.3);
    let (w, h) = canvas.size();
    let pen = log_uniform(0.8, 4.5, random);
    let hatching = Hatching::new(random);
    for _ in 0..random.between(1, 6) {
        let size = log_uniform(0.1, 0.6, random) * w.max(h);
        let middle = (w * random.unit(), h * random.unit());
        let outline = outline(middle, size, random);
        match random.below(4) {
            0 => canvas.fill(|x, y| encloses(&outline, (x, y)), |_, _| third),
            1 => canvas.fill(|x, y| encloses(&outline, (x, y)), |_, _| fourth),
            2 => {
                canvas.fill(|x, y| encloses(&outline, (x, y)), |_, _| paper);
                let is_inked =
                    |x: f64, y: f64| hatching.covers((x, y)) && encloses(&outline, (x, y));
                canvas.fill(is_inked, |_, _| ink);
            }
            _ => {}
        }
        canvas.stroke(&outline, pen, ink);
    }
    for _ in 0..random.between(0, 8) {
        let curve = curve((w, h), random);
        canvas.stroke(&curve, pen, ink);
    }
    if random.unit() < 0.2 {
        let deviation = log_uniform(0.5, 4.0, random);
        canvas.add_grain(deviation, random);
    }
    canvas
}

/// Parallel lines, crossed or not.
struct Hatching {
    axis: Point,
    pitch: f64,
    line: f64,
    is_crossed: bool,
}

impl Hatching {
    fn new(random: &mut Random) -> Self {
        let pitch = log_uniform(3.0, 12.0, random);
        Self {
            axis: direction(TAU * random.unit()),
            pitch,
            line: pitch * between(0.15, 0.5, random),
            is_crossed: random.unit() < 0.4,
        }
    }

    fn covers(&self, (x, y): Point) -> bool {
        let (ax, ay) = self.axis;
        let on = |value: f64| value.rem_euclid(self.pitch) < self.line;
        on(x * ax + y * ay) || (self.is_crossed && on(y * ax - x * ay))
    }
}

/// A closed outline: a circle with some waves, or a polygon.
fn outline(middle: Point, size: f64, random: &mut Random) -> Vec<Point> {
    let is_round = random.unit() < 0.6;
    let count = if is_round { 72 } else { random.between(3, 7) };
    let waves = [2.0, 3.0, 4.0, 5.0].map(|k| {
        let height = if is_round {
            0.5 * random.normal() / k
        } else {
            0.0
        };
        (k, height, TAU * random.unit())
    });
    let turn = TAU * random.unit();
    let corner = |i: u32| {
        let angle = turn + TAU * f64::from(i % count) / f64::from(count);
        let wave = |(k, height, phase): (f64, f64, f64)| height * libm::cos(k * angle + phase);
        let radius = size * (1.0 + waves.map(wave).iter().sum::<f64>()).max(0.2);
        let (dx, dy) = direction(angle);
        (middle.0 + radius * dx, middle.1 + radius * dy)
    };
    (0..=count).map(corner).collect()
}

/// Whether a closed outline goes around a position (even-odd rule).
fn encloses(outline: &[Point], (x, y): Point) -> bool {
    let crossings = outline.windows(2).filter(|ends| {
        let (from, to) = (ends[0], ends[1]);
        (from.1 > y) != (to.1 > y) && x < from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0)
    });
    crossings.count() % 2 == 1
}

/// A smooth curve that wanders over the picture: two to five cubic arcs with a common tangent
/// where they meet.
fn curve((width, height): Point, random: &mut Random) -> Vec<Point> {
    const STEPS: u32 = 24;
    let reach = 0.35 * width.max(height);
    let mut from = (width * random.unit(), height * random.unit());
    let mut tangent = direction(TAU * random.unit());
    let mut points = vec![from];
    for _ in 0..random.between(2, 5) {
        let to = (
            from.0 + reach * random.normal(),
            from.1 + reach * random.normal(),
        );
        let next = direction(TAU * random.unit());
        for step in 1..=STEPS {
            let t = f64::from(step) / f64::from(STEPS);
            // Hermite's cubic.
            let rise = t * t * (3.0 - 2.0 * t);
            let (start, end) = (t * (1.0 - t) * (1.0 - t), t * t * (t - 1.0));
            let along = |from: f64, to: f64, first: f64, last: f64| {
                from + (to - from) * rise + reach * (first * start + last * end)
            };
            points.push((
                along(from.0, to.0, tangent.0, next.0),
                along(from.1, to.1, tangent.1, next.1),
            ));
        }
        (from, tangent) = (to, next);
    }
    points
}
