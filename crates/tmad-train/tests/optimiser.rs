//! Adam and the learning rate against PyTorch's.

#[path = "../../tmad/tests/common/golden.rs"]
mod golden;
#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Tensor;
use golden::Golden;
use tensors::{autodiff, values};
use tmad_train::config::StageConfig;

#[derive(Module, Debug)]
struct Weight {
    weight: Param<Tensor<2>>,
}

/// Three steps of Burn's Adam with the trainer's ε. The change is of 1e-4 while the weight is of
/// 1e-2, so rounding the weight costs up to 2⁻³⁰/1e-4 = 1e-5 of the change; Burn computes
/// 1 − β₂ᵗ in f32, which costs 2⁻²⁵/(2·2e-3) = 7e-6.
#[test]
fn adam_agrees_with_pytorch() {
    let golden = Golden::open("adam");
    let device = autodiff();
    for (name, stage) in [
        ("coarse", StageConfig::coarse()),
        ("joint", StageConfig::joint()),
    ] {
        let start: Tensor<2> = golden.tensor("start", &device);
        let mut model = Weight {
            weight: Param::from_tensor(start.clone().require_grad()),
        };
        let (beta1, beta2) = stage.betas;
        let mut optimiser = AdamConfig::new()
            .with_beta_1(beta1 as f32)
            .with_beta_2(beta2 as f32)
            .with_epsilon(1e-8)
            .init();
        for step in 0..3 {
            let gradient = golden.tensor(&format!("grad{step}"), &device);
            let loss = (model.weight.val() * gradient).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optimiser.step(stage.learning_rate, model, grads);
            let change = values(model.weight.val() - start.clone());
            golden.assert_close(&format!("{name}.change{step}"), &change, 3e-5);
        }
    }
}

/// The stored rates are rounded to f32: 6e-8.
#[test]
fn learning_rates_agree_with_pytorch() {
    let golden = Golden::open("schedule");
    for (name, learning_rate) in [("lr_1e-4", 1e-4), ("lr_2e-4", 2e-4)] {
        let stage = StageConfig {
            learning_rate,
            iterations: 400_000,
            ..StageConfig::joint()
        };
        let steps = golden.integers("steps");
        for (step, expected) in steps.into_iter().zip(golden.values(name)) {
            let found = stage.learning_rate_at(step as u64);
            let error = (found / f64::from(expected) - 1.0).abs();
            assert!(
                error < 1e-7,
                "{name} at {step}: {found} instead of {expected}"
            );
        }
    }
}
