//! LPIPS against values of the package lpips 0.1.4 (`tools/golden/vectors/lpips.json`).
//!
//! The weights are not part of the project: the test runs when `TMAD_WEIGHTS_DIR` names a folder
//! with `squeezenet1_1.safetensors` (backbone in f16) and `lpips_squeeze_v0_1.safetensors`.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use tmad::tensors::{images_to_tensor, tensor_values};
use tmad_eval::{Lpips, LpipsWeights};

/// 24 bits by name and index; the formula is in `tools/golden/README.md`.
fn bits(name: &str, index: u32) -> u32 {
    let seed = (name.bytes()).fold(0x811C_9DC5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mut x = index.wrapping_mul(0x9E37_79B9).wrapping_add(seed);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    (x ^ (x >> 16)) >> 8
}

fn smooth_picture(name: &str, side: u32) -> RgbImage {
    let columns = side / 8 + 2;
    let grain = format!("{name}.grain");
    RgbImage::from_fn(side, side, |x, y| {
        let (fx, fy) = (x % 8, y % 8);
        Rgb([0, 1, 2].map(|channel| {
            let knot = |dx: u32, dy: u32| {
                let at = (y / 8 + dy) * columns + x / 8 + dx;
                bits(name, 3 * at + channel) >> 16
            };
            let blended = (knot(0, 0) * (8 - fy) * (8 - fx)
                + knot(1, 0) * (8 - fy) * fx
                + knot(0, 1) * fy * (8 - fx)
                + knot(1, 1) * fy * fx)
                / 64;
            let noise = bits(&grain, 3 * (y * side + x) + channel) >> 20;
            (blended * 240 / 256 + noise) as u8
        }))
    })
}

#[test]
fn equals_the_reference_implementation() {
    let Some(folder) = std::env::var_os("TMAD_WEIGHTS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: TMAD_WEIGHTS_DIR names no folder of weights");
        return;
    };
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/golden/vectors/lpips.json");
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let a = smooth_picture("lpips/a", 64);
    let b = smooth_picture("lpips/b", 64);
    let mut mixed = a.clone();
    for (mixed, &b) in mixed.iter_mut().zip(b.iter()) {
        *mixed = ((3 * u32::from(*mixed) + u32::from(b)) / 4) as u8;
    }
    for (name, picture) in [("a", &a), ("b", &b), ("mixed", &mixed)] {
        let sum: u64 = picture.iter().map(|&v| u64::from(v)).sum();
        assert_eq!(golden["checksums"][name], sum, "{name}");
    }
    let device = Device::flex();
    let weights = LpipsWeights {
        backbone: folder.join("squeezenet1_1.safetensors"),
        linear: folder.join("lpips_squeeze_v0_1.safetensors"),
    };
    let lpips = Lpips::load(&weights, &device).unwrap();
    for (pair, other) in [("a_b", &b), ("a_mixed", &mixed)] {
        let expected = &golden["pairs"][pair];
        let tensor = |picture| images_to_tensor(&[picture], &device);
        let parts = lpips.parts(tensor(&a), tensor(other));
        for (tap, part) in parts.into_iter().enumerate() {
            let part = f64::from(tensor_values(part)[0]);
            let expected = expected["layers"][tap].as_f64().unwrap();
            // Nine layers in f32, each right to a few times 1e-7 of its largest value. The vectors
            // compared have length 1, so that such errors count against 1, not against the small
            // difference of two of them: √0.002 for the smallest part here, a factor of 20.
            assert!(
                (part - expected).abs() < 1e-4 * expected,
                "{pair} tap {tap}: {part} {expected}"
            );
        }
        let total = lpips.distance(&a, other).unwrap();
        let expected = expected["lpips"].as_f64().unwrap();
        assert!(
            (total - expected).abs() < 2e-5 * expected,
            "{pair}: {total} {expected}"
        );
    }
}
