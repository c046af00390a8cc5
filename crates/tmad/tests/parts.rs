//! Every part of the method has a say in what the built-in weights make of a picture.

use burn::tensor::Device;
use inpaint_core::image::Rgb;
use inpaint_core::metrics::{Region, l1_percent, total_variation};
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::scene::render_background;
use inpaint_core::{Control, Inpainter, Mask, RgbImage, TextureMethod};
use tmad::pipeline::TMad;
use tmad::texture_memory::Retrieval;

static BUILT_IN: &[u8] = include_bytes!("../weights/tmad.safetensors");

/// The built-in weights with zeros in the place of every tensor whose name starts with `prefix`.
fn without(prefix: &str) -> TMad {
    let mut bytes = BUILT_IN.to_vec();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    let mut num_tensors = 0;
    for (name, tensor) in header.as_object().unwrap() {
        if name.starts_with(prefix) {
            let at = |i: usize| tensor["data_offsets"][i].as_u64().unwrap() as usize + 8 + len;
            bytes[at(0)..at(1)].fill(0);
            num_tensors += 1;
        }
    }
    assert!(num_tensors > 0, "no tensor is called {prefix}…");
    TMad::from_bytes(&bytes, &Device::flex()).unwrap()
}

/// Mean absolute difference over the hole in levels.
fn difference(a: &RgbImage, b: &RgbImage, mask: &Mask) -> f64 {
    2.55 * l1_percent(a, b, Region::Hole(mask)).unwrap()
}

#[test]
fn no_part_can_be_left_out_without_effect() {
    let built_in = || TMad::built_in(&Device::flex()).unwrap();
    // A small hole, and one that is wider than those that the coarse network was trained on.
    for (radius, width, height) in [(18u32, 160, 128), (70, 288, 224)] {
        let image = render_background(width, height, 4);
        let squared = |a: u32, b: u32| a.abs_diff(b).pow(2);
        let mask = Mask::from_fn(width, height, |x, y| {
            squared(x, width / 2) + squared(y, height / 2) < radius * radius
        });
        let control = Control::default();
        let filled = |method: TMad| method.inpaint(&image, &mask, &control).unwrap();
        let whole = filled(built_in());
        let random = built_in().with_memory(|memory| memory.retrieval = Retrieval::Random);
        let grey = RgbImage::from_pixel(width, height, Rgb([128; 3]));
        let without_coarse = built_in().refine(&image, &grey, &mask, &control).unwrap();
        for (part, changed) in [
            ("patch synthesis", filled(without("aligned."))),
            ("retrieval", filled(random.unwrap())),
            ("coarse network", without_coarse),
            ("copies", filled(built_in().coarse_only())),
        ] {
            let difference = difference(&whole, &changed, &mask);
            assert!(
                difference > 0.1,
                "{part} changes a hole of radius {radius} by {difference} levels only"
            );
        }
    }
}

/// A floor of quality: in disc-shaped holes, small and large, in drawn landscapes, results are about
/// as near to the truth as PatchMatch's or nearer, and as sharp as the truth.
#[test]
fn results_are_near_to_the_truth_and_sharp() {
    let control = Control::default();
    let method = TMad::built_in(&Device::flex()).unwrap();
    for radius in [16u32, 60] {
        let (mut errors, mut sharpness) = ([0.0; 2], [0.0; 2]);
        for seed in 1..=4 {
            let image = render_background(256, 192, seed);
            let squared = |a: u32, b: u32| a.abs_diff(b).pow(2);
            let mask = Mask::from_fn(256, 192, |x, y| {
                squared(x, 128) + squared(y, 90) < radius * radius
            });
            let steps = |image: &RgbImage| total_variation(image, Region::Hole(&mask)).unwrap();
            let methods: [&dyn Inpainter; 2] = [&method, &PatchMatch::default()];
            for (i, method) in methods.into_iter().enumerate() {
                let filled = method.inpaint(&image, &mask, &control).unwrap();
                errors[i] += difference(&filled, &image, &mask) / 4.0;
                sharpness[i] += steps(&filled) / steps(&image) / 4.0;
            }
        }
        assert!(errors[0] < 1.05 * errors[1], "{errors:?}");
        assert!(sharpness[0] > 0.7 && sharpness[0] < 1.15, "{sharpness:?}");
    }
}

/// What repeats exactly is a matter of copies alone: nothing repairs them.
#[test]
fn a_screentone_comes_back_to_the_bit() {
    let tone = RgbImage::from_fn(200, 160, |x, y| {
        let (x, y) = (x % 8, y % 8);
        let dot = x.abs_diff(3).pow(2) + y.abs_diff(3).pow(2) < 6;
        Rgb(if dot { [12, 12, 20] } else { [250, 248, 240] })
    });
    for side in [10, 40, 80] {
        let mask = Mask::from_fn(200, 160, |x, y| {
            x.abs_diff(100) < side / 2 && y.abs_diff(80) < side / 2
        });
        let mut damaged = tone.clone();
        for (x, y, pixel) in damaged.enumerate_pixels_mut() {
            if mask.is_hole(x, y) {
                *pixel = Rgb([200, 0, 0]);
            }
        }
        let method = TMad::built_in(&Device::flex()).unwrap();
        let filled = method.inpaint(&damaged, &mask, &Control::default());
        assert!(filled.unwrap() == tone, "a hole of {side} px");
    }
}
