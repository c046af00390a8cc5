//! Coarse network, patch synthesis network and embedding: parameters and inputs from the formula.

use crate::common::golden::{Golden, formula_parameter, formula_tensor};
use crate::common::masks::mask_of_boxes;
use crate::common::parameters::{assert_gradients, with_parameters};
use crate::common::tensors::{autodiff, device, values};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tmad::coarse::{Coarse, CoarseConfig};
use tmad::layers::Initializer;
use tmad::patch_synthesis::{Backbone, FeatureEncoder, PatchSynthesisConfig};
use tmad::tensors::masks_to_tensor;
use tmad::texture_memory::{Embedding, MemoryConfig};

/// The parameters are named by their place in the whole model.
pub fn by_formula<M: Module>(module: M, prefix: &str) -> M {
    with_parameters(module, |name, shape| {
        formula_parameter(&format!("{prefix}{name}"), shape)
    })
}

fn coarse(device: &Device) -> Coarse {
    let config = CoarseConfig {
        widths: vec![4, 8, 8, 8],
        num_residual: 2,
        dilation: 2,
        carafe_channels: 8,
        ..Default::default()
    };
    by_formula(
        Coarse::new(&config, &mut Initializer::new(1, device)),
        "coarse.",
    )
}

/// The coarse network loses 5e-7 and 2e-6 in f32.
#[test]
fn coarse_network() {
    let golden = Golden::open("coarse");
    let mask = mask_of_boxes(16, 24, &[[4, 6, 7, 9]]);
    let mask = masks_to_tensor(&[&mask], &autodiff());
    let image: Tensor<4> = formula_tensor("coarse/image", [1, 3, 16, 24], &autodiff());
    let masked_image = (image * (1.0f32 - mask.clone())).require_grad();
    let net = coarse(&autodiff());
    let y = net.forward(masked_image.clone(), mask);
    golden.assert_close("output", &values(y.clone()), 2.5e-6);
    let cotangent = formula_tensor("coarse/cotangent", y.dims(), &autodiff());
    let grads = (y * cotangent).sum().backward();
    let grad = values(masked_image.grad(&grads).expect("the input is tracked"));
    golden.assert_close("grad.masked_image", &grad, 1e-5);
    assert_gradients(&net, &grads, &golden, "grad.coarse.", 1e-5);
}

/// Sides that are no multiple of 8 repeat their border below and to the right.
#[test]
fn coarse_network_on_ragged_sides() {
    let golden = Golden::open("coarse");
    let mask = mask_of_boxes(13, 18, &[[4, 6, 5, 12]]);
    let mask = masks_to_tensor(&[&mask], &device());
    let image: Tensor<4> = formula_tensor("coarse/ragged.image", [1, 3, 13, 18], &device());
    let y = coarse(&device()).forward(image * (1.0 - mask.clone()), mask);
    golden.assert_close("ragged.output", &values(y), 2.5e-6);
}

/// The tiny sizes of the golden vectors, reading R1.
pub fn tiny_synthesis() -> PatchSynthesisConfig {
    PatchSynthesisConfig {
        encoder_widths: vec![4, 8, 8],
        num_residual: 2,
        decoder_widths: vec![8, 8, 4],
        up_scales: vec![1, 2, 2],
        crop_margin: 0,
        feature_widths: [4, 8, 8],
        num_feature_residual: 1,
        carafe_channels: 4,
        ..Default::default()
    }
}

/// Both parts of the patch synthesis network with the formula's parameters.
pub fn synthesis(config: &PatchSynthesisConfig, device: &Device) -> (FeatureEncoder, Backbone) {
    let mut init = Initializer::new(1, device);
    (
        by_formula(
            FeatureEncoder::new(config, 4, &mut init),
            "feature_encoder.",
        ),
        by_formula(Backbone::new(config, 32, &mut init), "backbone."),
    )
}

/// PSNet loses 2e-6 and 5e-6 in f32.
#[test]
fn patch_synthesis_network() {
    let golden = Golden::open("psnet");
    let device = autodiff();
    let (encoder, backbone) = synthesis(&tiny_synthesis(), &device);
    let window = formula_tensor("psnet/window", [2, 3, 96, 96], &device).require_grad();
    let candidates = formula_tensor("psnet/candidates", [2, 12, 32, 32], &device).require_grad();
    let features = encoder.forward(candidates.clone());
    golden.assert_close("f1", &values(features.half.clone()), 1e-5);
    golden.assert_close("f2", &values(features.quarter.clone()), 1e-5);
    let y = backbone.forward(window.clone(), features);
    golden.assert_close("output", &values(y.clone()), 1e-5);
    let cotangent = formula_tensor("psnet/cotangent", y.dims(), &device);
    let grads = (y * cotangent).sum().backward();
    for (name, x) in [("grad.window", window), ("grad.candidates", candidates)] {
        golden.assert_close(name, &values(x.grad(&grads).expect("tracked")), 2.5e-5);
    }
    assert_gradients(&encoder, &grads, &golden, "grad.feature_encoder.", 2.5e-5);
    assert_gradients(&backbone, &grads, &golden, "grad.backbone.", 2.5e-5);
}

/// A single layer's tolerance: two convolutions and, pooled, a mean.
#[test]
fn embeddings() {
    let golden = Golden::open("embedding");
    let device = autodiff();
    for (prefix, embedding_pool) in [("flat.", None), ("pooled.", Some(8))] {
        let config = MemoryConfig {
            embedding_widths: (4, 2),
            embedding_pool,
            ..Default::default()
        };
        let net = Embedding::new(&config, &mut Initializer::new(1, &device));
        let net = by_formula(net, "theta.");
        let name = format!("embedding/{prefix}patch");
        let patch = formula_tensor(&name, [2, 3, 32, 32], &device).require_grad();
        let y = net.forward(patch.clone());
        golden.assert_close(&format!("{prefix}output"), &values(y.clone()), 1.5e-6);
        let cotangent = formula_tensor(&format!("embedding/{prefix}cotangent"), y.dims(), &device);
        let grads = (y * cotangent).sum().backward();
        let grad = values(patch.grad(&grads).expect("the input is tracked"));
        golden.assert_close(&format!("{prefix}grad.patch"), &grad, 1e-5);
        assert_gradients(&net, &grads, &golden, &format!("{prefix}grad.theta."), 1e-5);
    }
}
