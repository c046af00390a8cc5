//! The networks can learn: one picture by heart, in seconds.

#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Tensor;
use inpaint_core::image::Rgb;
use inpaint_core::{Mask, Rect, RgbImage};
use tensors::{autodiff, scalar};
use tmad::coarse::CoarseConfig;
use tmad::model::{Inputs, Model, ModelConfig};
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::texture_memory::MemoryConfig;
use tmad_train::config::LossConfig;
use tmad_train::losses::{patch_l1, reconstruction};

/// Stripes over a gradient: structure and texture, but nothing random.
fn picture() -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| {
        let stripe = if (x + y) / 8 % 2 == 0 { 30 } else { 0 };
        Rgb([60 + 2 * x + stripe, 40 + 3 * y, 150 - x].map(|v| v as u8))
    })
}

fn config() -> ModelConfig {
    ModelConfig {
        patch_px: 32,
        coarse: CoarseConfig {
            widths: vec![8, 16, 16],
            num_residual: 1,
            dilation: 2,
            carafe_channels: 8,
            ..Default::default()
        },
        memory: MemoryConfig {
            embedding_widths: (4, 2),
            ..Default::default()
        },
        synthesis: PatchSynthesisConfig {
            encoder_widths: vec![8, 16, 16],
            num_residual: 1,
            decoder_widths: vec![16, 16, 8],
            feature_widths: [8, 16, 16],
            num_feature_residual: 1,
            carafe_channels: 8,
            ..Default::default()
        },
        aligned: None,
    }
}

/// Steps of Adam until `loss` is below `goal`; the last value after `max_steps`.
fn train(
    model: &mut Model,
    max_steps: usize,
    goal: f64,
    loss: impl Fn(&Model) -> Tensor<1>,
) -> f64 {
    let mut optimiser = AdamConfig::new().with_epsilon(1e-8).init();
    let mut value = f64::INFINITY;
    for step in 0..max_steps {
        let current = loss(model);
        value = scalar(current.clone());
        if value < goal {
            break;
        }
        // A large rate to get there, a smaller one to settle.
        let rate = 3e-3 * (1.0 - 0.9 * step as f64 / max_steps as f64);
        let grads = GradientsParams::from_grads(current.backward(), model);
        *model = optimiser.step(rate, model.clone(), grads);
    }
    value
}

#[test]
fn one_picture_is_learnt_by_heart() {
    let device = autodiff();
    let mut model = Model::new(&config(), 1, &device);
    let hole = Rect {
        x: 20,
        y: 22,
        width: 24,
        height: 20,
    };
    let mask = Mask::rectangle(64, 64, hole);
    let picture = picture();
    let inputs = Inputs::new(
        &[&picture],
        vec![&mask],
        &[],
        model.config().coarse.prior,
        &device,
    );
    let layout = model.layout(&inputs.masks);

    let losses = LossConfig {
        hole: 1.0,
        known: 0.0,
        squared: 0.0,
        ..Default::default()
    };
    let coarse = |model: &Model| {
        let guess = model.guess(&inputs);
        reconstruction(guess, inputs.image.clone(), inputs.mask.clone(), &losses)
    };
    let before = scalar(coarse(&model));
    let value = train(&mut model, 800, 0.02, coarse);
    assert!(
        before > 0.1 && value < 0.02,
        "L_recon fell from {before} to {value}"
    );

    let joint = |model: &Model| {
        let output = model.forward(&inputs, layout.clone());
        patch_l1(
            output.synthesis.patches,
            model.true_patches(&inputs, &layout),
            0.0,
        )
    };
    let before = scalar(joint(&model));
    let value = train(&mut model, 800, 0.02, joint);
    assert!(
        before > 0.1 && value < 0.02,
        "L_l1 fell from {before} to {value}"
    );
}
