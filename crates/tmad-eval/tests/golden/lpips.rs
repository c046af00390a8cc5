//! LPIPS against values of the package lpips 0.1.4.
//!
//! AlexNet and VGG-16 run with weights from the vectors' formula. SqueezeNet runs with the
//! published ones, which are not part of the project: when `TMAD_WEIGHTS_DIR` names a folder with
//! `squeezenet1_1.safetensors` (backbone in f16) and `lpips_squeeze_v0_1.safetensors`.

use std::convert::Infallible;
use std::path::PathBuf;

use burn::tensor::Device;
use tmad::tensors::{images_to_tensor, tensor_values};
use tmad_eval::{Lpips, LpipsNetwork};

use crate::formula::{Vectors, network_values, smooth_picture, vectors};

#[test]
fn alex_and_vgg_with_weights_from_the_formula() {
    let device = Device::flex();
    let golden = Vectors::open("lpips_networks");
    for (network, name) in [(LpipsNetwork::Alex, "alex"), (LpipsNetwork::Vgg, "vgg")] {
        let lpips = Lpips::from_values(network, &device, |tensor, shape| {
            Ok::<_, Infallible>(network_values(&format!("lpips_{name}"), tensor, shape))
        });
        let lpips = lpips.unwrap();
        let [a, b] = ["lpips/a", "lpips/b"]
            .map(|name| images_to_tensor(&[&smooth_picture(name, 64, 64)], &device));
        let parts = lpips.parts(a, b);
        let expected = golden.values(&format!("{name}.parts"), [parts.len()]);
        for (part, expected) in parts.into_iter().zip(expected) {
            let part = f64::from(tensor_values(part)[0]);
            // Features of unit length, right to a few times 1e-7 per layer, of which there are 13
            // at most; they differ by about as much as they are long.
            assert!(
                (part - expected).abs() < 1e-5 * expected,
                "{name}: {part} {expected}"
            );
        }
    }
}

#[test]
fn squeeze_with_published_weights() {
    let Some(folder) = std::env::var_os("TMAD_WEIGHTS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: TMAD_WEIGHTS_DIR names no folder of weights");
        return;
    };
    let vectors = vectors("lpips.json");
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let a = smooth_picture("lpips/a", 64, 64);
    let b = smooth_picture("lpips/b", 64, 64);
    let mut mixed = a.clone();
    for (mixed, &b) in mixed.iter_mut().zip(b.iter()) {
        *mixed = ((3 * u32::from(*mixed) + u32::from(b)) / 4) as u8;
    }
    for (name, picture) in [("a", &a), ("b", &b), ("mixed", &mixed)] {
        let sum: u64 = picture.iter().map(|&v| u64::from(v)).sum();
        assert_eq!(golden["checksums"][name], sum, "{name}");
    }
    let device = Device::flex();
    let network = LpipsNetwork::Squeeze;
    let backbone = folder.join(network.backbone_file());
    let linear = folder.join(network.linear_file());
    let lpips = Lpips::load(network, &backbone, &linear, &device).unwrap();
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
