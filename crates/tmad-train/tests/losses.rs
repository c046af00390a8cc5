//! Loss terms against PyTorch's, and against their definition in f64 where the golden vectors
//! have no case.

#[path = "../../tmad/tests/common/golden.rs"]
mod golden;
#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::tensor::Tensor;
use golden::{Golden, formula};
use tensors::{assert_close, autodiff, device, scalar, tensor, values};
use tmad_train::config::LossConfig;
use tmad_train::losses::{patch_l1, reconstruction, total_variation};

/// Five times what PyTorch's own f32 loses: losses 1e-7, their gradients 2e-7.
const VALUE: f64 = 5e-7;
const GRADIENT: f64 = 1e-6;

fn weights(hole: f64, known: f64) -> LossConfig {
    LossConfig {
        hole,
        known,
        squared: 0.0,
        ..Default::default()
    }
}

/// Compares a loss and its gradient with the stored `PREFIXoutput` and `PREFIXgrad.NAME`.
fn check(prefix: &str, name: &str, loss: impl Fn(Tensor<4>) -> Tensor<1>) {
    let golden = Golden::open("pixel_losses");
    let x = golden.tensor::<4>(name, &autodiff()).require_grad();
    let value = loss(x.clone());
    golden.assert_close(&format!("{prefix}output"), &values(value.clone()), VALUE);
    let grad = x.grad(&value.backward()).expect("the loss depends on it");
    golden.assert_close(&format!("{prefix}grad.{name}"), &values(grad), GRADIENT);
}

#[test]
fn reconstruction_agrees_with_pytorch() {
    let golden = Golden::open("pixel_losses");
    for (prefix, hole, known) in [("recon_5_0.", 5.0, 0.0), ("recon_6_1.", 6.0, 1.0)] {
        check(prefix, "coarse", |coarse| {
            let image = golden.tensor("image", &autodiff());
            let mask = golden.tensor("mask", &autodiff());
            reconstruction(coarse, image, mask, &weights(hole, known))
        });
    }
}

#[test]
fn total_variation_agrees_with_pytorch() {
    let golden = Golden::open("pixel_losses");
    check("tv.", "coarse", |picture| {
        total_variation(picture, golden.tensor("mask", &autodiff()), [1.0; 2])
    });
}

#[test]
fn patch_l1_agrees_with_pytorch() {
    let golden = Golden::open("pixel_losses");
    check("l1.", "completed", |completed| {
        patch_l1(completed, golden.tensor("truth", &autodiff()), 0.0)
    });
}

/// Without a hole both quotients are 0/ε: the values are known, and no gradient may be NaN.
#[test]
fn an_empty_mask_is_harmless() {
    let golden = Golden::open("pixel_losses");
    let device = autodiff();
    let coarse = golden.tensor::<4>("coarse", &device).require_grad();
    let image = golden.tensor("image", &device);
    let mask: Tensor<4> = Tensor::zeros_like(&golden.tensor("mask", &device));
    let recon = reconstruction(coarse.clone(), image, mask.clone(), &weights(6.0, 1.0));
    golden.assert_close("empty.recon_6_1", &values(recon.clone()), VALUE);
    let tv = total_variation(coarse.clone(), mask, [1.0; 2]);
    assert_eq!(golden.values("empty.tv"), [0.0]);
    assert_eq!(scalar(tv.clone()), 0.0);
    let grad = coarse
        .grad(&(recon + tv).backward())
        .expect("known pixels count");
    assert!(values(grad).iter().all(|v| v.is_finite()));
}

/// Without a known pixel, too.
#[test]
fn a_full_mask_is_harmless() {
    let golden = Golden::open("pixel_losses");
    let device = autodiff();
    let coarse = golden.tensor::<4>("coarse", &device).require_grad();
    let image: Tensor<4> = golden.tensor("image", &device);
    let mask: Tensor<4> = Tensor::ones_like(&golden.tensor("mask", &device));
    let mean = scalar((coarse.clone() - image.clone()).abs().mean());
    let recon = reconstruction(coarse.clone(), image, mask, &weights(6.0, 1.0));
    assert!((scalar(recon.clone()) / (6.0 * mean) - 1.0).abs() < 1e-6);
    let grad = values(coarse.grad(&recon.backward()).expect("the hole counts"));
    assert!(grad.iter().all(|v| v.is_finite()));
}

/// |e| + w·h(e), where h is e² up to 1 and a straight line beyond, has no golden vector. The
/// definition is evaluated in f64 and differentiated there by central differences with a step of
/// 1e-6. It is piecewise quadratic, so the step itself costs nothing as long as no error crosses
/// a joint within it, which is asserted; rounding costs 1e-16/1e-6.
#[test]
fn squared_errors_follow_their_definition() {
    let (squared, step) = (0.7, 1e-6);
    let truth = formula("truth", 24, 1.0);
    let found = formula("found", 24, 1.0);
    let errors: Vec<f64> = found
        .iter()
        .zip(&truth)
        .map(|(&f, &t)| f64::from(f) - f64::from(t))
        .collect();
    let is_smooth_at = |e: f64| e > step && (e - 1.0).abs() > step;
    assert!(errors.iter().all(|e| is_smooth_at(e.abs())));
    assert!(
        errors.iter().any(|e| e.abs() > 1.0),
        "or the line is not seen"
    );
    let hole = |i: usize| i % 4 < 2;
    // Two pixels in three channels: 12 values in the hole, 12 known.
    let definition = |errors: &[f64], weight: &dyn Fn(usize) -> f64| -> f64 {
        let terms = errors.iter().enumerate();
        terms
            .map(|(i, e)| {
                let h = if e.abs() <= 1.0 {
                    e * e
                } else {
                    2.0 * e.abs() - 1.0
                };
                weight(i) * (e.abs() + squared * h)
            })
            .sum()
    };
    let derivative = |weight: &dyn Fn(usize) -> f64| -> Vec<f32> {
        let at = |i: usize, step: f64| {
            let mut moved = errors.clone();
            moved[i] += step;
            definition(&moved, weight)
        };
        (0..errors.len())
            .map(|i| ((at(i, step) - at(i, -step)) / (2.0 * step)) as f32)
            .collect()
    };
    let device = autodiff();
    let shape = [1, 3, 2, 4];
    let image = tensor(truth.clone(), shape, &device);

    let x = tensor(found.clone(), shape, &device).require_grad();
    let loss = patch_l1(x.clone(), image.clone(), squared);
    let even = |_: usize| 1.0 / 24.0;
    assert!((scalar(loss.clone()) / definition(&errors, &even) - 1.0).abs() < 1e-6);
    let grad = values(x.grad(&loss.backward()).expect("tracked"));
    assert_close(&grad, &derivative(&even), GRADIENT, "patch_l1");

    let x = tensor(found, shape, &device).require_grad();
    let mask = (0..8).map(|i| if hole(i) { 1.0 } else { 0.0 }).collect();
    let mask = tensor(mask, [1, 1, 2, 4], &device);
    let losses = LossConfig {
        squared,
        ..weights(6.0, 1.0)
    };
    let loss = reconstruction(x.clone(), image, mask, &losses);
    let by_region = |i: usize| if hole(i) { 6.0 / 12.0 } else { 1.0 / 12.0 };
    assert!((scalar(loss.clone()) / definition(&errors, &by_region) - 1.0).abs() < 1e-6);
    let grad = values(x.grad(&loss.backward()).expect("tracked"));
    assert_close(&grad, &derivative(&by_region), GRADIENT, "reconstruction");
}

/// Pairs with both pixels known do not count, pairs across the hole's border do, once each.
#[test]
fn total_variation_sees_pairs_that_touch_the_hole() {
    let picture = vec![0.0, 1.0, 3.0, 7.0, 0.0, 0.0, 0.0, 0.0];
    let picture = Tensor::cat(vec![tensor(picture, [1, 1, 2, 4], &device()); 3], 1);
    let mask = tensor(
        vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1, 1, 2, 4],
        &device(),
    );
    // Across: |1 − 0| and |3 − 1|; down: |0 − 1|.
    assert_eq!(scalar(total_variation(picture, mask, [1.0; 2])), 1.5 + 1.0);
}
