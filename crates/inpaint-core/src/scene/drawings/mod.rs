//! Drawn pictures for training: what screens and paper show, and what is rare among photographs.

mod canvas;
mod interface;
mod line_art;
mod marks;
mod patterns;
mod ramps;

use crate::RgbImage;
use crate::random::{Random, stream};
use canvas::{Canvas, between, direction};
use std::f64::consts::TAU;

/// A screentone, stripes, checkers, a grid or a brick wall, straight or in perspective; a
/// program's window; a pen drawing; letter-like marks; a ramp or a sky; a flat colour with grain;
/// sometimes two of them side by side.
///
/// Edges are exact to the pixel or smoothed, patterns repeat exactly in whole pixels or do not,
/// and pictures without noise hold the same bytes wherever they show the same. Lengths are in
/// pixels whatever the size, so that a picture is drawn at the size at which it is used. The same
/// arguments give the same bytes on every machine. Any size works.
pub fn draw(width: u32, height: u32, seed: u64) -> RgbImage {
    if width == 0 || height == 0 {
        return RgbImage::new(width, height);
    }
    let mut random = Random::new(stream(seed, 0x5CE4E));
    let mut canvas = picture(width, height, &mut random);
    if random.unit() < 0.2 {
        let other = picture(width, height, &mut random);
        place(&mut canvas, &other, &mut random);
    }
    canvas.into_image()
}

/// One picture of one kind.
fn picture(width: u32, height: u32, random: &mut Random) -> Canvas {
    let kind = match random.unit() {
        u if u < 0.4 => patterns::pattern,
        u if u < 0.58 => interface::interface,
        u if u < 0.7 => line_art::line_art,
        u if u < 0.8 => marks::lettering,
        u if u < 0.9 => ramps::ramp,
        u if u < 0.96 => ramps::sky,
        _ => ramps::grain,
    };
    kind(width, height, random)
}

/// Shows another canvas in a rectangle, in a disc, or beyond a line.
fn place(canvas: &mut Canvas, other: &Canvas, random: &mut Random) {
    let (width, height) = canvas.size();
    let (x, y) = (width * random.unit(), height * random.unit());
    let size = between(0.2, 0.5, random) * width.max(height);
    let (dx, dy) = direction(TAU * random.unit());
    let colour = |u: f64, v: f64| other.at(u, v);
    match random.below(3) {
        0 => {
            let (x, y, size) = (x.round(), y.round(), size.round());
            canvas.fill(|u, v| (u - x).abs() < size && (v - y).abs() < size, colour);
        }
        1 => canvas.fill(
            |u, v| (u - x) * (u - x) + (v - y) * (v - y) < size * size,
            colour,
        ),
        _ => canvas.fill(|u, v| (u - x) * dx + (v - y) * dy > 0.0, colour),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_seed_decides() {
        assert_eq!(draw(90, 60, 1), draw(90, 60, 1));
        let pictures: HashSet<_> = (0..60).map(|seed| draw(32, 32, seed).into_raw()).collect();
        assert!(pictures.len() >= 59, "{}", pictures.len());
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(0, 0), (1, 1), (150, 3), (3, 150), (0, 5)] {
            for seed in 0..60 {
                assert_eq!(draw(width, height, seed).dimensions(), (width, height));
            }
        }
    }

    /// Whether every pixel equals the one a step further on.
    fn repeats(picture: &RgbImage, (dx, dy): (u32, u32)) -> bool {
        let (width, height) = picture.dimensions();
        let mut places = (0..height - dy).flat_map(|y| (0..width - dx).map(move |x| (x, y)));
        places.all(|(x, y)| picture.get_pixel(x, y) == picture.get_pixel(x + dx, y + dy))
    }

    #[test]
    fn many_patterns_repeat_to_the_bit() {
        let steps = || (0..48).flat_map(|dy| (0..48).map(move |dx| (dx, dy)));
        let exact = (0..80)
            .filter(|&seed| {
                let mut random = Random::new(seed);
                let picture = patterns::pattern(128, 128, &mut random).into_image();
                steps().skip(1).any(|step| repeats(&picture, step))
            })
            .count();
        assert!((20..60).contains(&exact), "{exact}");
    }

    #[test]
    fn windows_have_few_colours_and_skies_have_many() {
        let colours = |picture: RgbImage| {
            let colours: HashSet<_> = picture.pixels().copied().collect();
            colours.len()
        };
        let mut random = Random::new(3);
        for _ in 0..20 {
            let window = colours(interface::interface(128, 128, &mut random).into_image());
            assert!((3..80).contains(&window), "{window}");
            let sky = colours(ramps::sky(128, 128, &mut random).into_image());
            assert!(sky > 100, "{sky}");
        }
    }

    #[test]
    fn drawings_are_the_same_on_every_machine() {
        let hash = |seed| {
            let bytes = draw(64, 64, seed).into_raw();
            let add = |hash, byte: &u8| crate::random::mix(hash ^ u64::from(*byte));
            bytes.iter().fold(0, add)
        };
        let all = (0..40).fold(0, |sum: u64, seed| sum.wrapping_add(hash(seed)));
        assert_eq!(all, 1_813_051_233_831_237_573);
    }
}
