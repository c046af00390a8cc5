//! Inception-v3 and its preprocessing against pytorch-fid's network and Pillow.

use std::convert::Infallible;

use burn::tensor::Device;
use tmad_eval::{Inception, InceptionResize, NUM_FEATURES, inception_input};

use crate::formula::{Vectors, network_values, smooth_picture};

const CASES: [(InceptionResize, &str); 2] = [
    (InceptionResize::PytorchFid, "pytorch_fid"),
    (InceptionResize::CleanFid, "clean_fid"),
];

#[test]
fn inputs_are_scaled_as_the_references_do() {
    let golden = Vectors::open("inception");
    let small = smooth_picture("inception/a", 80, 56);
    let large = smooth_picture("inception/large", 328, 360);
    for (resize, name) in CASES {
        // Levels up to 255 are rounded to f32 after rows and after columns, by 8e-6 each, and
        // are divided by 127.5.
        let input = inception_input(&small, resize);
        golden.assert_sampled(&format!("{name}.input"), &input, 3e-7);
        let input = inception_input(&large, resize);
        golden.assert_sampled(&format!("{name}.large_input"), &input, 3e-7);
    }
}

#[test]
fn features_of_the_whole_network() {
    let golden = Vectors::open("inception");
    let network = Inception::from_values(&Device::flex(), |tensor, shape| {
        Ok::<_, Infallible>(network_values("inception", tensor, shape))
    });
    let network = network.unwrap();
    let picture = smooth_picture("inception/a", 80, 56);
    for (resize, name) in CASES {
        let features = network.features(&picture, resize);
        let expected = golden.values(&format!("{name}.features"), [NUM_FEATURES]);
        let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (value, expected) in features.into_iter().zip(expected) {
            // A path has some 47 convolutions in f32, each right to a few times 1e-7 of its
            // largest value.
            let difference = (f64::from(value) - expected).abs();
            assert!(difference < 1e-5 * largest, "{name}: {value} {expected}");
        }
    }
}
