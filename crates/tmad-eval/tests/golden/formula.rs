//! Values from the vectors' formula (`tools/golden/README.md`), and the stored ones.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use tmad::tensors::tensor_values;
use tmad::weights::WeightsFile;

/// 24 bits by name and index.
fn bits(name: &str, index: u32) -> u32 {
    let seed = (name.bytes()).fold(0x811C_9DC5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    mixed(seed, index)
}

fn mixed(seed: u32, index: u32) -> u32 {
    let mut x = index.wrapping_mul(0x9E37_79B9).wrapping_add(seed);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    (x ^ (x >> 16)) >> 8
}

fn uniform(name: &str, count: usize, bound: f64) -> impl Iterator<Item = f32> {
    let seed = (name.bytes()).fold(0x811C_9DC5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (0..count as u32).map(move |i| bound as f32 * (mixed(seed, i) as f32 / (1 << 23) as f32 - 1.0))
}

/// A network's tensor as `cases_evaluation.py` makes it.
pub fn network_values(network: &str, tensor: &str, shape: &[usize]) -> Vec<f32> {
    let name = format!("{network}/{tensor}");
    let count = shape.iter().product();
    if tensor.ends_with("running_var") || tensor.ends_with("bn.weight") {
        // Added in f64 there; the sum is exact to half a place of f32 in either.
        uniform(&name, count, 0.25)
            .map(|v| (1.0 + f64::from(v)) as f32)
            .collect()
    } else if tensor.ends_with("bias") || tensor.ends_with("running_mean") {
        uniform(&name, count, 0.1).collect()
    } else if tensor.starts_with("lin") {
        uniform(&name, count, 1.0).map(f32::abs).collect()
    } else {
        let fan_in: usize = shape[1..].iter().product();
        uniform(&name, count, (6.0 / (1.04 * fan_in as f64)).sqrt()).collect()
    }
}

pub fn smooth_picture(name: &str, height: u32, width: u32) -> RgbImage {
    let columns = width / 8 + 2;
    let grain = format!("{name}.grain");
    RgbImage::from_fn(width, height, |x, y| {
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
            let noise = bits(&grain, 3 * (y * width + x) + channel) >> 20;
            (blended * 240 / 256 + noise) as u8
        }))
    })
}

/// A file of vectors.
pub fn vectors(file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/golden/vectors");
    folder.join(file)
}

/// The stored tensors of a case.
pub struct Vectors(Vec<u8>);

impl Vectors {
    pub fn open(case: &str) -> Self {
        Self(std::fs::read(vectors(&format!("{case}.safetensors"))).unwrap())
    }

    pub fn values<const D: usize>(&self, name: &str, shape: [usize; D]) -> Vec<f64> {
        let file = WeightsFile::parse(&self.0).unwrap();
        let tensor = file.tensor(name, shape, &Device::flex()).unwrap();
        tensor_values(tensor).into_iter().map(f64::from).collect()
    }

    /// Compares with a sampled tensor: every k-th value, to `tolerance`.
    pub fn assert_sampled(&self, name: &str, values: &[f32], tolerance: f64) {
        let step = values.len().div_ceil(256);
        let sample: Vec<f32> = values.iter().copied().step_by(step).collect();
        let expected = self.values(&format!("{name}.sample"), [sample.len()]);
        for (value, expected) in sample.into_iter().zip(expected) {
            let difference = (f64::from(value) - expected).abs();
            assert!(difference <= tolerance, "{name}: {value} {expected}");
        }
        let norm = values
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        let expected = self.values(&format!("{name}.norm"), [1])[0];
        assert!(
            (norm - expected).abs() < 1e-6 * expected,
            "{name}: {norm} {expected}"
        );
    }
}
