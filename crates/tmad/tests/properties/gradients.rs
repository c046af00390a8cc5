//! Gradients that the golden vectors do not cover.
//!
//! The code under test runs in f32, where a difference quotient has an error of about
//! 2⁻²⁴·|L|/step: useless beyond three digits. So functions that are written in f64 here are
//! differentiated in f64, and linear ones are checked exactly, through their adjoint.

use super::tiny;
use crate::common::golden::formula;
use crate::common::masks::{mask_of_boxes, noise_picture};
use crate::common::tensors::{assert_close, autodiff, tensor, values};
use burn::tensor::Tensor;
use tmad::model::{Layout, Model};
use tmad::patches::{Position, assemble, extract, hole_cells, select_hole};
use tmad::tensors::masks_to_tensor;
use tmad::texture_memory::{MemoryConfig, retrieve, scores};

const TEMPERATURE: f64 = 1.0 / 8.0;

/// ⟨Σ_r g_r, Σ_j S_j T_j⟩ for every hole patch, summed: what the backward pass of hard retrieval
/// differentiates, with the upstream gradients g frozen (its forward pass is a gather, whose own
/// derivative is zero).
fn surrogate(theta: &[f64], phi: &[f64], memory: &[f64], g: &[f64], dim: usize) -> f64 {
    let (num_patches, num_windows) = (theta.len() / dim, phi.len() / dim);
    let pixels = memory.len() / num_windows;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut sum = 0.0;
    for (theta, g) in theta.chunks(dim).zip(g.chunks(g.len() / num_patches)) {
        let c = phi
            .chunks(dim)
            .map(|phi| TEMPERATURE * dot(theta, phi) / dot(phi, phi).sqrt());
        let weights: Vec<f64> = c.map(f64::exp).collect();
        let total: f64 = weights.iter().sum();
        for (weight, window) in weights.iter().zip(memory.chunks(pixels)) {
            sum += g
                .chunks(pixels)
                .map(|g| weight / total * dot(g, window))
                .sum::<f64>();
        }
    }
    sum
}

/// Central differences in f64 with a step of 1e-5: the error is 1e-10 from the step and 1e-11
/// from rounding, nothing beside the f32 of the code under test.
fn derivative(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f32> {
    let step = 1e-5;
    let at = |i: usize, step: f64| {
        let mut moved = x.to_vec();
        moved[i] += step;
        f(&moved)
    };
    (0..x.len())
        .map(|i| ((at(i, step) - at(i, -step)) / (2.0 * step)) as f32)
        .collect()
}

#[test]
fn hard_retrieval_differentiates_the_surrogate() {
    let device = autodiff();
    let (n, num_windows, dim) = (2, 5, 6);
    let [theta, phi] =
        [("theta", n), ("phi", num_windows)].map(|(s, rows)| formula(s, rows * dim, 3.0));
    let memory = formula("memory", num_windows * 3 * 4, 1.0);
    let g = formula("g", n * 4 * 3 * 4, 1.0);

    let theta_t = tensor(theta.clone(), [n, dim], &device).require_grad();
    let phi_t = tensor(phi.clone(), [num_windows, dim], &device).require_grad();
    let c = scores(theta_t.clone(), phi_t.clone(), TEMPERATURE);
    let memory_t = tensor(memory.clone(), [num_windows, 3, 2, 2], &device);
    let patches = retrieve(c, memory_t, &MemoryConfig::default()).patches;
    let grads = (patches * tensor(g.clone(), [n, 12, 2, 2], &device))
        .sum()
        .backward();

    let [theta, phi, memory, g] =
        [theta, phi, memory, g].map(|v| v.into_iter().map(f64::from).collect::<Vec<_>>());
    let of_theta = derivative(&theta, |theta| surrogate(theta, &phi, &memory, &g, dim));
    let of_phi = derivative(&phi, |phi| surrogate(&theta, phi, &memory, &g, dim));
    // f32 sums of 48 products whose mean is then subtracted.
    assert_close(&values(theta_t.grad(&grads).unwrap()), &of_theta, 1e-5, "θ");
    assert_close(&values(phi_t.grad(&grads).unwrap()), &of_phi, 1e-5, "φ");
}

/// ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩ for random x and y: the gradient of a linear map is its adjoint. The
/// products are added up in f64, so only the adjoint's own sums are rounded.
fn assert_adjoint(x: &Tensor<4>, y: &Tensor<4>, cotangent: &Tensor<4>, grad: Tensor<4>) {
    let dot = |a: Tensor<4>, b: Tensor<4>| -> (f64, f64) {
        let products = values(a)
            .into_iter()
            .zip(values(b))
            .map(|(a, b)| f64::from(a) * f64::from(b));
        products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()))
    };
    let (forward, size) = dot(y.clone(), cotangent.clone());
    let (backward, _) = dot(x.clone(), grad);
    assert!(
        (forward - backward).abs() < 1e-6 * size,
        "{forward} and {backward}"
    );
}

#[test]
fn cutting_and_pasting_are_adjoint_to_their_gradients() {
    let device = autodiff();
    let shape = [2, 3, 20, 17];
    let random = |name: &str, shape: [usize; 4]| {
        tensor(formula(name, shape.iter().product(), 1.0), shape, &device)
    };
    // Overlapping windows and windows beyond every border.
    let positions = [
        (0, -9, -4),
        (0, -7, -3),
        (1, 13, 12),
        (1, 25, 30),
        (0, 5, 5),
    ]
    .map(|(image, y, x)| Position { image, y, x });
    let images = random("images", shape).require_grad();
    let windows = extract(&images, &positions, 11);
    let cotangent = random("windows", windows.dims());
    let grads = (windows.clone() * cotangent.clone()).sum().backward();
    assert_adjoint(&images, &windows, &cotangent, images.grad(&grads).unwrap());

    let masks = [(20, 17, [[0, 0, 3, 9]]), (20, 17, [[5, 6, 15, 11]])]
        .map(|(h, w, boxes)| mask_of_boxes(h, w, &boxes));
    let mask_refs = [&masks[0], &masks[1]];
    let cells: Vec<_> = (0..2).flat_map(|i| hole_cells(&masks[i], 8, i)).collect();
    let mask = masks_to_tensor(&mask_refs, &device);
    let patches = random("patches", [cells.len(), 3, 8, 8]).require_grad();
    let known: Tensor<4> = Tensor::zeros(shape, &device);
    let pasted = assemble(patches.clone(), &cells, known, &mask_refs, mask.clone());
    let cotangent = random("pasted", shape);
    let grads = (pasted.clone() * cotangent.clone()).sum().backward();
    assert_adjoint(&patches, &pasted, &cotangent, patches.grad(&grads).unwrap());

    // Both sides of a selection get the cotangent where they are selected, and zero elsewhere.
    let (hole, known) = (
        random("hole", shape).require_grad(),
        random("known", shape).require_grad(),
    );
    let selected = select_hole(mask.clone(), hole.clone(), known.clone());
    let grads = (selected * cotangent.clone()).sum().backward();
    let in_hole = values(cotangent.clone() * mask.clone());
    assert_eq!(values(hole.grad(&grads).unwrap()), in_hole);
    assert_eq!(
        values(known.grad(&grads).unwrap()),
        values(cotangent * (1.0 - mask))
    );
}

/// The memory is data: the guess gets a gradient through the cell and its surroundings, and none
/// through a window of the memory, though φ does.
#[test]
fn the_guess_gets_no_gradient_through_the_memory() {
    let device = autodiff();
    let model = Model::new(&tiny::config(), 3, &device);
    let mask = mask_of_boxes(144, 144, &[[0, 0, 32, 32], [100, 100, 44, 44]]);
    let picture = noise_picture("memory", 144, 144);
    let inputs = tiny::inputs(&[&picture], &[&mask], &device);
    let window = |y, x| Position { image: 0, y, x };
    // One cell, whose context ends at 64, and windows beyond it, some of them masked.
    let layout = Layout {
        cells: vec![window(0, 0)],
        windows: vec![vec![
            window(112, 112),
            window(90, 100),
            window(70, 0),
            window(0, 80),
        ]],
    };
    let guess = inputs.image.clone().require_grad();
    let patches = model.synthesise(guess.clone(), &inputs, &layout).patches;
    let cotangent = tensor(
        formula("cotangent", 3 * 32 * 32, 1.0),
        [1, 3, 32, 32],
        &device,
    );
    let grads = (patches * cotangent).sum().backward();
    let grad = guess
        .grad(&grads)
        .expect("the guess is what the networks look at");
    let near = values(grad.clone().slice([0..1, 0..3, 0..64, 0..64]));
    let total = |values: Vec<f32>| values.into_iter().map(f32::abs).sum::<f32>();
    assert!(total(near) > 0.0);
    assert_eq!(
        total(values(grad.clone().slice([0..1, 0..3, 64..144, 0..144]))),
        0.0
    );
    assert_eq!(total(values(grad.slice([0..1, 0..3, 0..64, 64..144]))), 0.0);
    let phi = crate::common::parameters::gradients(&model.phi, &grads);
    assert!(total(phi["conv1.weight"].clone()) > 0.0);
}

/// The loss on known pixels of the composited picture trains nothing.
#[test]
fn known_pixels_of_the_result_carry_no_gradient() {
    let device = autodiff();
    let model = Model::new(&tiny::config(), 3, &device);
    let mask = mask_of_boxes(40, 48, &[[8, 10, 20, 17]]);
    let picture = noise_picture("known", 48, 40);
    let inputs = tiny::inputs(&[&picture], &[&mask], &device);
    let output = model.forward(&inputs, model.layout(&inputs.masks));
    let known = (output.synthesis.completed * (1.0f32 - inputs.mask)).sum();
    let found = crate::common::parameters::gradients(&model, &known.backward());
    assert!(found.values().flatten().all(|&g| g == 0.0));
}
