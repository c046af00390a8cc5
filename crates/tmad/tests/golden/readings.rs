//! Every reading of the paper's Table I, with and without a margin around the crop.

use super::networks::{synthesis, tiny_synthesis};
use crate::common::golden::{Golden, formula_tensor};
use crate::common::tensors::{assert_close, device, values};
use burn::tensor::Tensor;
use tmad::patch_synthesis::PatchSynthesisConfig;

/// The decoder's widths follow the size of a block's output: 4 at 32 and above, 8 at 16 and 8.
fn reading(name: &str) -> PatchSynthesisConfig {
    let (reading, margin) = name.split_once("_margin").unwrap_or((name, "0"));
    let (encoder, decoder, scales): (&[usize], &[usize], &[usize]) = match reading {
        "r1" => (&[4, 8, 8], &[8, 8, 4], &[1, 2, 2]),
        "r1b" => (&[4, 8, 8], &[8, 4, 4], &[2, 2, 1]),
        "r2" => (&[4, 8, 8, 8], &[8, 8, 4], &[2, 2, 2]),
        "r3" => (&[4, 8, 8], &[8, 4], &[2, 2]),
        "r5" => (&[4, 8, 8], &[8, 4, 4], &[2, 2, 2]),
        _ => panic!("unknown reading {reading}"),
    };
    PatchSynthesisConfig {
        encoder_widths: encoder.to_vec(),
        decoder_widths: decoder.to_vec(),
        up_scales: scales.to_vec(),
        crop_margin: margin.parse().unwrap(),
        ..tiny_synthesis()
    }
}

#[test]
fn all_readings() {
    let golden = Golden::open("psnet_readings");
    let device = device();
    let window: Tensor<4> = formula_tensor("psnet_readings/window", [1, 3, 96, 96], &device);
    let candidates: Tensor<4> =
        formula_tensor("psnet_readings/candidates", [1, 12, 32, 32], &device);
    let mut seen = Vec::new();
    for stored in golden.names("") {
        let Some(name) = stored.strip_suffix(".output") else {
            continue;
        };
        seen.push(name);
        let (encoder, backbone) = synthesis(&reading(name), &device);
        let features = encoder.forward(candidates.clone());
        let y = values(backbone.forward(window.clone(), features));
        assert_eq!(y.len(), 3 * 32 * 32, "{name}");
        let odd: Vec<f32> = (y.chunks_exact(32).skip(1).step_by(2))
            .flat_map(|row| row.iter().skip(1).step_by(2).copied())
            .collect();
        // PSNet loses 2e-6 in f32.
        assert_close(&odd, &golden.values(stored), 1e-5, name);
        let norm = y.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let expected = f64::from(golden.values(&format!("{stored}.norm"))[0]);
        assert!(
            (norm / expected - 1.0).abs() < 1e-5,
            "{name}: norm {norm} instead of {expected}"
        );
    }
    let expected = [
        "r1",
        "r1_margin2",
        "r1b",
        "r1b_margin2",
        "r2",
        "r2_margin1",
        "r3",
        "r5",
        "r5_margin1",
    ];
    assert_eq!(seen, expected);
}
