//! Smooth pictures: ramps, skies and flat colours, with grain or without.

use std::f64::consts::{PI, TAU};

use super::canvas::{Canvas, Colour, between, direction, log_uniform, palette};
use crate::random::Random;
use crate::scene::noise::{blend, fractal};

/// From one colour to another and perhaps a third, linear or radial, with noise of 0.5 to 4
/// levels or none, in which case equal steps show as bands.
pub(super) fn ramp(width: u32, height: u32, random: &mut Random) -> Canvas {
    let mut canvas = bare_ramp(width, height, random);
    if random.unit() < 0.5 {
        let deviation = log_uniform(0.5, 4.0, random);
        canvas.add_grain(deviation, random);
    }
    canvas
}

/// A ramp without noise.
pub(super) fn bare_ramp(width: u32, height: u32, random: &mut Random) -> Canvas {
    let [first, second, third, _] = palette(random);
    // A few levels only, as on walls and in backgrounds, or strong.
    let strength = log_uniform(0.04, 1.0, random);
    let stops = [
        first,
        blend(first, second, strength),
        blend(first, third, strength),
    ];
    let num_steps = if random.unit() < 0.7 { 1.0 } else { 2.0 };
    let colour = move |t: f64| -> Colour {
        let t = num_steps * t.clamp(0.0, 1.0);
        if t < 1.0 {
            blend(stops[0], stops[1], t)
        } else {
            blend(stops[1], stops[2], t - 1.0)
        }
    };
    let mut canvas = Canvas::new(width, height, first, true);
    let (w, h) = canvas.size();
    let middle = (
        w * between(-0.3, 1.3, random),
        h * between(-0.3, 1.3, random),
    );
    let reach = between(0.4, 1.6, random) * w.max(h);
    match random.below(3) {
        0 => canvas.paint(|x, y| {
            let (x, y) = (x - middle.0, y - middle.1);
            colour((x * x + y * y).sqrt() / reach)
        }),
        kind => {
            let angle = if kind == 1 {
                PI / 2.0 * random.below(4) as f64
            } else {
                TAU * random.unit()
            };
            let (dx, dy) = direction(angle);
            canvas.paint(|x, y| colour(0.5 + ((x - w / 2.0) * dx + (y - h / 2.0) * dy) / reach));
        }
    }
    canvas
}

/// A sky that grows paler downwards, clear or with clouds, always with grain.
pub(super) fn sky(width: u32, height: u32, random: &mut Random) -> Canvas {
    let any = |from: Colour, to: Colour, random: &mut Random| blend(from, to, random.unit());
    let top = any([40.0, 90.0, 170.0], [130.0, 140.0, 160.0], random);
    let low = any([170.0, 205.0, 235.0], [250.0, 190.0, 130.0], random);
    let clouds = [0.0, 0.0, 0.1, 0.5, 1.0][random.below(5) as usize];
    let (seed, scale) = (random.bits(), log_uniform(0.004, 0.05, random));
    let (start, span) = (between(-0.5, 0.3, random), between(0.8, 3.0, random));
    let mut canvas = Canvas::new(width, height, top, true);
    let (_, h) = canvas.size();
    canvas.paint(|x, y| {
        let clear = blend(top, low, start + y / h / span);
        let cloud = fractal(seed, x * scale, 2.0 * y * scale, 5);
        blend(clear, [248.0, 247.0, 245.0], clouds * (cloud - 0.45) * 3.5)
    });
    let deviation = log_uniform(0.7, 6.0, random);
    canvas.add_grain(deviation, random);
    canvas
}

/// One colour with grain.
pub(super) fn grain(width: u32, height: u32, random: &mut Random) -> Canvas {
    let [paper, ..] = palette(random);
    let mut canvas = Canvas::new(width, height, paper, true);
    let deviation = log_uniform(0.5, 14.0, random);
    canvas.add_grain(deviation, random);
    canvas
}
