//! A drawn scene with something to remove: input for tests and examples that
//! belongs to nobody.

mod backdrop;
pub mod drawings;
mod noise;
mod objects;

use crate::{Mask, RgbImage};
use backdrop::{Layout, backdrop};
use image::Rgb;
use objects::Balloon;

/// Height that the proportions of the scene are drawn for, in pixels.
const DESIGN_HEIGHT: f64 = 384.0;

/// A brick wall, a wooden fence and grass under a cloudy sky, and a balloon
/// with a basket before them; the mask is the balloon, grown by a few pixels.
///
/// The scene scales with `height`; more `width` shows more of it. The same
/// arguments give the same bytes on every machine. Any size works; an image
/// without pixels has an empty mask.
pub fn render_scene(width: u32, height: u32, seed: u64) -> (RgbImage, Mask) {
    let (mut image, balloon, scale) = parts(width, height, seed);
    let mut mask = Mask::new(width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (u, v) = ((f64::from(x) + 0.5) / scale, (f64::from(y) + 0.5) / scale);
        if let Some((colour, opacity)) = balloon.colour(u, v, 1.0 / scale) {
            let under = pixel.0.map(f64::from);
            *pixel = to_pixel([0, 1, 2].map(|c| under[c] + opacity * (colour[c] - under[c])));
            mask.set(x, y, true);
        }
    }
    // The soft rim and its shadow belong to the object.
    let grown = mask.dilated((height / 128).max(1));
    (image, grown)
}

/// The scene of [`render_scene`] without the balloon: what an ideal method
/// would find behind the mask.
pub fn render_background(width: u32, height: u32, seed: u64) -> RgbImage {
    parts(width, height, seed).0
}

fn parts(width: u32, height: u32, seed: u64) -> (RgbImage, Balloon, f64) {
    let scale = f64::from(height.max(1)) / DESIGN_HEIGHT;
    let layout = Layout::new(f64::from(width) / scale, seed);
    let image = RgbImage::from_fn(width, height, |x, y| {
        // Four samples per pixel smooth the edges.
        let mut sum = [0.0; 3];
        for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let u = (f64::from(x) + dx) / scale;
            let v = (f64::from(y) + dy) / scale;
            for (sum, value) in sum.iter_mut().zip(backdrop(&layout, u, v)) {
                *sum += value / 4.0;
            }
        }
        to_pixel(sum)
    });
    let balloon = Balloon::new(f64::from(width) / scale, seed);
    (image, balloon, scale)
}

fn to_pixel(colour: [f64; 3]) -> Rgb<u8> {
    // Truncated after adding a half: the cast saturates.
    Rgb(colour.map(|value| (value + 0.5) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composite;

    #[test]
    fn only_the_mask_differs_from_the_background() {
        let (scene, mask) = render_scene(300, 200, 4);
        let background = render_background(300, 200, 4);
        assert_eq!(composite(&background, &scene, &mask).unwrap(), scene);
        assert!(
            (0.02..0.2).contains(&mask.hole_fraction()),
            "{}",
            mask.hole_fraction()
        );
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(render_scene(90, 60, 1), render_scene(90, 60, 1));
        assert_ne!(render_scene(90, 60, 1), render_scene(90, 60, 2));
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(0, 0), (1, 1), (200, 3), (3, 200), (0, 5)] {
            assert_eq!(
                render_scene(width, height, 0).0.dimensions(),
                (width, height)
            );
        }
    }

    #[test]
    fn the_scene_is_the_same_on_every_machine() {
        let (scene, mask) = render_scene(96, 64, 0);
        let hash = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |hash, &byte| crate::random::mix(hash ^ u64::from(byte)))
        };
        assert_eq!(
            (hash(scene.as_raw()), hash(mask.as_bytes())),
            (12_135_699_586_222_801_402, 9_337_273_728_042_021_115)
        );
    }
}
