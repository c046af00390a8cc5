//! What holds for every method, and Telea's against OpenCV's.

use inpaint_core::image::Rgb;
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::random::Random;
use inpaint_core::{Control, Inpainter, Mask, Rect, RgbImage, Telea, membrane};

fn fill(method: &dyn Inpainter, image: &RgbImage, mask: &Mask) -> RgbImage {
    method.inpaint(image, mask, &Control::default()).unwrap()
}

fn rectangle(size: (u32, u32), [x, y, width, height]: [u32; 4]) -> Mask {
    let rect = Rect {
        x,
        y,
        width,
        height,
    };
    Mask::rectangle(size.0, size.1, rect)
}

/// What is in the hole is unknown: no method may look at it.
#[test]
fn the_content_of_the_hole_never_matters() {
    let size = (61, 47);
    let scene = |x: u32, y: u32| {
        Rgb([
            (x * 4) as u8,
            (y * 5) as u8,
            ((x / 6 + y / 7) % 2 * 90) as u8,
        ])
    };
    let mut random = Random::new(7);
    let masks = [
        rectangle(size, [14, 12, 27, 21]),
        rectangle(size, [0, 20, 61, 4]),
        Mask::from_fn(size.0, size.1, |x, y| (x + 3 * y) % 17 < 3),
        Mask::from_fn(size.0, size.1, |_, _| random.below(6) == 0),
    ];
    for (i, mask) in masks.iter().enumerate() {
        let mut with = |content: u64| {
            RgbImage::from_fn(size.0, size.1, |x, y| match (mask.is_hole(x, y), content) {
                (false, _) => scene(x, y),
                (true, 0) => Rgb([0; 3]),
                (true, 1) => Rgb([255; 3]),
                (true, _) => Rgb([0; 3].map(|_| random.below(256) as u8)),
            })
        };
        let images = [0, 1, 2].map(&mut with);
        for method in [&Telea::default() as &dyn Inpainter, &PatchMatch::default()] {
            let filled = images.each_ref().map(|image| fill(method, image, mask));
            assert_eq!(filled[0], filled[1], "{}, mask {i}", method.name());
            assert_eq!(filled[0], filled[2], "{}, mask {i}", method.name());
        }
        let smooth = images
            .each_ref()
            .map(|image| membrane(image, mask).unwrap());
        assert!(smooth[0] == smooth[1] && smooth[0] == smooth[2], "mask {i}");
    }
}

#[test]
fn telea_continues_ramps_and_gradients() {
    let size = (120, 90);
    for (across, down) in [(1, 0), (0, 2), (2, 2), (4, 0), (3, 1), (-2, 3)] {
        let value = |x: u32, y: u32| {
            let quarters = 4 * 128 + across * (x as i32 - 60) + down * (y as i32 - 45);
            ((quarters + 2) / 4) as u8
        };
        let image = RgbImage::from_fn(size.0, size.1, |x, y| {
            let value = value(x, y);
            Rgb([value, 255 - value, 77])
        });
        // Scratches to two levels; in a large hole the steps of whole levels, which are all that
        // is known of a faint slope, add up to a few more.
        for (hole, tolerance) in [
            ([30, 10, 5, 70], 2),
            ([20, 40, 80, 4], 2),
            ([40, 30, 36, 28], 5),
        ] {
            let mask = rectangle(size, hole);
            let filled = fill(&Telea::default(), &image, &mask);
            let pairs = filled.iter().zip(image.iter());
            let differences = pairs.map(|(a, b)| i32::from(*a) - i32::from(*b));
            let largest = differences.clone().map(i32::abs).max().unwrap();
            let num_values = 3.0 * mask.hole_area() as f64;
            let mean = f64::from(differences.clone().map(i32::abs).sum::<i32>()) / num_values;
            let bias = f64::from(differences.sum::<i32>()) / num_values;
            assert!(
                largest <= tolerance,
                "{across}, {down}, {hole:?}: {largest}"
            );
            assert!(
                mean < 1.2 && bias.abs() < 0.2,
                "{across}, {down}, {hole:?}: {mean}, {bias}"
            );
        }
    }
}

/// Slopes are followed with their own length here and by their direction alone there, and OpenCV
/// rounds after every pixel: the values are within six levels on average, on scratches across
/// steep slopes and edges, and nearer to the truth.
#[test]
fn telea_is_near_opencvs_on_scratches() {
    let pictures: [fn(i32, i32) -> i32; 3] = [
        |x, y| 40 + 2 * x + y,
        |x, y| (x - 20).pow(2) / 8 + (y - 15).pow(2) / 6 + 20,
        |x, y| (if (x + 2 * y) % 24 < 12 { 90 } else { 140 }) + (x * y) % 7,
    ];
    let mask = Mask::from_fn(48, 36, |x, y| (x as i32 - y as i32 - 6).abs() <= 2 && x > 9);
    let lines = include_str!("golden/telea.txt").lines();
    for (i, (picture, line)) in pictures.iter().zip(lines).enumerate() {
        let expected = line.split(' ').map(|value| value.parse::<i32>().unwrap());
        let image = RgbImage::from_fn(48, 36, |x, y| Rgb([picture(x as i32, y as i32) as u8; 3]));
        let filled = fill(&Telea::default(), &image, &mask);
        let in_hole = |picture: &RgbImage| -> Vec<i32> {
            let pixels = picture
                .enumerate_pixels()
                .filter(|(x, y, _)| mask.is_hole(*x, *y));
            pixels.map(|(_, _, pixel)| pixel[0].into()).collect()
        };
        let mean = |a: &[i32], b: &[i32]| {
            assert_eq!(a.len(), b.len());
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from((a - b).abs()))
                .sum::<f64>()
                / a.len() as f64
        };
        let (found, truth) = (in_hole(&filled), in_hole(&image));
        let expected: Vec<i32> = expected.collect();
        let distance = mean(&found, &expected);
        let (error, theirs) = (mean(&found, &truth), mean(&expected, &truth));
        println!("picture {i}: {distance} from OpenCV's, {error} and {theirs} from the truth");
        assert!(distance < 6.0, "picture {i}: {distance}");
        assert!(error < theirs, "picture {i}: {error}, OpenCV's {theirs}");
    }
}
