//! Random numbers and smooth noise by position. Sums, products and roots only:
//! the platform's other functions differ in the last bit.

use crate::random::stream;

/// A number in `[0, 1)` that belongs to a cell of a grid.
pub(super) fn cell(seed: u64, x: i64, y: i64) -> f64 {
    let bits = stream(stream(seed, x as u64), y as u64);
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Smooth noise in `[0, 1)`: values of grid cells, blended in between.
pub(super) fn smooth(seed: u64, x: f64, y: f64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let ease = |t: f64| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (ease(x - left), ease(y - top));
    let (left, top) = (left as i64, top as i64);
    let row = |y: i64| {
        let (a, b) = (cell(seed, left, y), cell(seed, left + 1, y));
        a + (b - a) * tx
    };
    let (a, b) = (row(top), row(top + 1));
    a + (b - a) * ty
}

/// Octaves of smooth noise, each half as strong and twice as fine.
pub(super) fn fractal(seed: u64, x: f64, y: f64, octaves: u32) -> f64 {
    let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
    let mut scale = 1.0;
    for octave in 0..octaves {
        sum += weight * smooth(seed ^ u64::from(octave), x * scale, y * scale);
        total += weight;
        weight *= 0.5;
        scale *= 2.0;
    }
    sum / total
}

/// `a` at 0, `b` at 1.
pub(super) fn blend(a: [f64; 3], b: [f64; 3], t: f64) -> [f64; 3] {
    let t = t.clamp(0.0, 1.0);
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * t)
}

/// Multiplies the brightness.
pub(super) fn shade(colour: [f64; 3], factor: f64) -> [f64; 3] {
    colour.map(|value| value * factor)
}
