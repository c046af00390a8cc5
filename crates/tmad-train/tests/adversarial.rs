//! Adversarial losses, discriminators and spectral normalisation against PyTorch's.

#[path = "../../tmad/tests/common/golden.rs"]
mod golden;
#[path = "../../tmad/tests/common/parameters.rs"]
mod parameters;
#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use golden::{Golden, formula, formula_parameter, formula_tensor};
use inpaint_core::random::Random;
use parameters::{assert_gradients, with_parameters};
use tensors::{assert_close, autodiff, scalar, tensor, values};
use tmad_train::discriminators::{DiscriminatorConfig, GlobalDiscriminator, PatchDiscriminator};
use tmad_train::losses::{
    patch_distribution_discriminator, patch_distribution_generator, plain_discriminator,
    plain_generator,
};
use tmad_train::spectral_norm::SpectralNorm;

/// Sums of a handful of softplus values, and of their slopes, in f32.
const VALUE: f64 = 5e-7;
const GRADIENT: f64 = 1e-6;
/// A network of seven layers loses 1e-6 and 5e-6 in f32.
const NETWORK: f64 = 5e-6;
const NETWORK_GRADIENT: f64 = 2.5e-5;

/// The mean over two pictures, as the golden vectors have it.
fn mean(losses: [Tensor<1>; 2]) -> Tensor<1> {
    let [a, b] = losses;
    (a + b) / 2.0
}

struct Scores {
    names: Vec<String>,
    tensors: Vec<Tensor<1>>,
}

impl Scores {
    /// `KIND0` and `KIND1` of the file.
    fn read(golden: &Golden, kind: &str) -> Self {
        let names: Vec<_> = (0..2).map(|i| format!("{kind}{i}")).collect();
        let read = |name: &String| golden.tensor::<1>(name, &autodiff()).require_grad();
        Self {
            tensors: names.iter().map(read).collect(),
            names,
        }
    }

    fn of(&self, picture: usize) -> Tensor<1> {
        self.tensors[picture].clone()
    }

    fn check(&self, golden: &Golden, prefix: &str, grads: &Gradients) {
        for (name, x) in self.names.iter().zip(&self.tensors) {
            let grad = x.grad(grads).expect("the loss depends on it");
            golden.assert_close(&format!("{prefix}grad.{name}"), &values(grad), GRADIENT);
        }
    }
}

#[test]
fn patch_distribution_loss() {
    let golden = Golden::open("gan");
    let [real, fake, memory] = ["real", "fake", "memory"].map(|kind| Scores::read(&golden, kind));

    let loss = mean([0, 1].map(|i| patch_distribution_discriminator(real.of(i), fake.of(i))));
    golden.assert_close("patch_d.output", &values(loss.clone()), VALUE);
    let grads = loss.backward();
    real.check(&golden, "patch_d.", &grads);
    fake.check(&golden, "patch_d.", &grads);

    let frozen = |scores: &Scores, i| scores.of(i).detach();
    let loss =
        mean([0, 1].map(|i| {
            patch_distribution_generator(frozen(&memory, i), frozen(&real, i), fake.of(i))
        }));
    golden.assert_close("patch_g.output", &values(loss.clone()), VALUE);
    fake.check(&golden, "patch_g.", &loss.backward());
}

/// Where logarithm and exponential would overflow.
#[test]
fn far_scores_stay_finite() {
    let golden = Golden::open("gan");
    let fake = golden.tensor::<1>("far.fake", &autodiff());
    let loss = patch_distribution_discriminator(-fake.clone(), fake);
    golden.assert_close("far.patch_d", &values(loss), VALUE);
}

/// Section 7 of the reading: with equal scores both losses are 2 ln 2, and the gradients of real
/// and fake scores cancel, so that the last bias of C gets none.
#[test]
fn equal_scores_give_two_logarithms_of_two_and_no_push_on_the_bias() {
    let ones = |n| tensor(vec![1.5; n], [n], &autodiff()).require_grad();
    let (real, fake, memory) = (ones(10), ones(2), ones(7));
    let loss = patch_distribution_discriminator(real.clone(), fake.clone());
    let two_ln_two = 2.0 * std::f64::consts::LN_2;
    assert!((scalar(loss.clone()) - two_ln_two).abs() < 1e-6);
    let grads = loss.backward();
    let sum = |x: &Tensor<1>| values(x.grad(&grads).unwrap()).iter().sum::<f32>();
    assert!(sum(&real).abs() > 0.1, "the real scores are pushed");
    assert!((sum(&real) + sum(&fake)).abs() < 1e-6);
    let loss = patch_distribution_generator(memory, real, fake);
    assert!((scalar(loss) - two_ln_two).abs() < 1e-6);
}

#[test]
fn plain_losses() {
    let golden = Golden::open("gan");
    let map = |name: &str| golden.tensor::<4>(name, &autodiff()).require_grad();
    let (real, fake) = (map("real_map"), map("fake_map"));
    let flat = |x: &Tensor<4>| -> Tensor<1> { x.clone().flatten(0, 3) };
    let check = |prefix: &str, loss: Tensor<1>, inputs: &[(&str, &Tensor<4>)]| {
        golden.assert_close(&format!("{prefix}output"), &values(loss.clone()), VALUE);
        let grads = loss.backward();
        for (name, x) in inputs {
            let grad = values(x.grad(&grads).expect("the loss depends on it"));
            golden.assert_close(&format!("{prefix}grad.{name}"), &grad, GRADIENT);
        }
    };
    let inputs = [("real_map", &real), ("fake_map", &fake)];
    check(
        "global_d.",
        plain_discriminator(flat(&real), flat(&fake)),
        &inputs,
    );
    check("global_g.", plain_generator(flat(&fake)), &inputs[1..]);
}

/// The widths of the golden vectors, without spectral normalisation.
fn tiny() -> DiscriminatorConfig {
    DiscriminatorConfig {
        patch_widths: vec![4, 6, 8, 8],
        global_widths: [4, 6, 8, 8],
        spectral_norm: false,
    }
}

fn by_formula<M: Module>(module: M, prefix: &str) -> M {
    with_parameters(module, |name, shape| {
        formula_parameter(&format!("{prefix}{name}"), shape)
    })
}

#[test]
fn patch_discriminator() {
    let golden = Golden::open("discriminators");
    let net = by_formula(
        PatchDiscriminator::new(&tiny(), 32, 1, &autodiff()),
        "patch.",
    );
    let image: Tensor<4> =
        formula_tensor("discriminators/patch.image", [3, 3, 32, 32], &autodiff()).require_grad();
    let scores = net.forward(image.clone());
    golden.assert_close("patch.output", &values(scores.clone()), NETWORK);
    let cotangent = formula_tensor("discriminators/patch.cotangent", [3], &autodiff());
    let grads = (scores * cotangent).sum().backward();
    let grad = values(image.grad(&grads).expect("tracked"));
    golden.assert_close("patch.grad.image", &grad, NETWORK_GRADIENT);
    assert_gradients(&net, &grads, &golden, "patch.grad.", NETWORK_GRADIENT);
}

#[test]
fn global_discriminator() {
    let golden = Golden::open("discriminators");
    let net = by_formula(GlobalDiscriminator::new(&tiny(), 1, &autodiff()), "global.");
    let image: Tensor<4> =
        formula_tensor("discriminators/global.image", [1, 3, 64, 48], &autodiff()).require_grad();
    let logits = net.forward(image.clone());
    golden.assert_close("global.output", &values(logits.clone()), NETWORK);
    let cotangent = formula_tensor(
        "discriminators/global.cotangent",
        logits.dims(),
        &autodiff(),
    );
    let grads = (logits * cotangent).sum().backward();
    let grad = values(image.grad(&grads).expect("tracked"));
    golden.assert_close("global.grad.image", &grad, NETWORK_GRADIENT);
    assert_gradients(&net, &grads, &golden, "global.grad.", NETWORK_GRADIENT);
}

/// The sizes of the reading: 583,457 and 2,764,737 parameters, a score for each patch, and a map
/// of 30² for a picture of 256².
#[test]
fn sizes() {
    let config = DiscriminatorConfig {
        spectral_norm: false,
        ..DiscriminatorConfig::default()
    };
    let device = autodiff();
    let patch = PatchDiscriminator::new(&config, 32, 1, &device);
    assert_eq!(patch.num_params(), 583_457);
    let global = GlobalDiscriminator::new(&config, 1, &device);
    assert_eq!(global.num_params(), 2_764_737);
    let small = GlobalDiscriminator::new(&tiny(), 1, &device);
    let side = |px| small.forward(Tensor::zeros([1, 3, px, px], &device)).dims()[2];
    assert_eq!(side(256), 30);
    assert_eq!(side(GlobalDiscriminator::MIN_SIDE_PX), 1);
}

/// Three steps of training, each with one power iteration.
#[test]
fn spectral_normalisation() {
    let golden = Golden::open("spectral_norm");
    for name in ["conv", "linear"] {
        let shape = golden.shape(&format!("{name}.weight")).to_vec();
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        let matrix = |suffix: &str| -> Tensor<2> {
            tensor(
                golden.values(&format!("{name}.{suffix}")),
                [rows, columns],
                &autodiff(),
            )
        };
        let mut norm = SpectralNorm::new(rows, columns, &mut Random::new(1), &autodiff());
        let start = golden.tensor::<1>(&format!("{name}.u"), &autodiff());
        norm.left = norm.left.map(|_| start);
        let mut weight = matrix("weight").require_grad();
        for step in 0..3 {
            norm = norm.iterated(weight.clone());
            let sigma = norm.sigma(weight.clone());
            let normalised = weight.clone() / sigma.clone().reshape([1, 1]);
            let grads = (normalised.clone() * matrix("cotangent")).sum().backward();
            let grad = weight.grad(&grads).expect("tracked");
            let found = [
                ("normalised", values(normalised)),
                ("u", values(norm.left.val())),
                ("v", values(norm.right.val())),
                ("sigma", values(sigma)),
                ("grad", values(grad.clone())),
            ];
            for (what, found) in found {
                // A few dozen products in f32.
                golden.assert_close(&format!("{name}.step{step}.{what}"), &found, 2e-6);
            }
            let moved = weight.detach().inner() - grad * 0.1;
            weight = Tensor::from_inner(moved).require_grad();
        }
    }
}

/// After some iterations a discriminator's output cannot change faster than its input times the
/// product of its layers' norms, which is what the normalisation is for: doubling all weights
/// changes nothing but the biases' share.
#[test]
fn scores_do_not_depend_on_the_weights_length() {
    let config = DiscriminatorConfig {
        spectral_norm: true,
        ..tiny()
    };
    let device = autodiff();
    let net = PatchDiscriminator::new(&config, 32, 7, &device).iterated();
    let doubled = with_doubled_weights(net.clone()).iterated();
    let net = net.iterated();
    let image: Tensor<4> = formula_tensor("spectral/image", [2, 3, 32, 32], &device);
    let expected = values(net.forward(image.clone()));
    assert_close(&values(doubled.forward(image)), &expected, 1e-5, "scores");
}

fn with_doubled_weights(net: PatchDiscriminator) -> PatchDiscriminator {
    use burn::module::{ModuleMapper, Param};
    struct Double;
    impl ModuleMapper for Double {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // Weights have two dimensions or more; biases are zero, and the norms' vectors stay.
            if D == 1 {
                return param;
            }
            param.map(|weight| Tensor::from_inner(weight.inner() * 2.0).require_grad())
        }
    }
    net.map(&mut Double)
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

fn average(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = (values.into_iter()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / count
}

/// Mean of softplus(sign·x + shift).
fn mean_softplus(x: &[f64], sign: f64, shift: f64) -> f64 {
    average(x.iter().map(|x| (sign * x + shift).exp().ln_1p()))
}

/// Eq. (6) and (7) and the plain losses as they stand in the paper, differentiated in f64.
#[test]
fn losses_have_the_gradients_of_their_definitions() {
    let scores = |name: &str, len| formula(&format!("scores/{name}"), len, 2.0);
    let (real, fake, memory) = (scores("real", 7), scores("fake", 3), scores("memory", 9));
    let wide = |x: &[f32]| -> Vec<f64> { x.iter().copied().map(f64::from).collect() };
    let (real64, fake64, memory64) = (wide(&real), wide(&fake), wide(&memory));
    let mean = |x: &[f64]| average(x.iter().copied());

    let patch_d = |real: &[f64], fake: &[f64]| {
        mean_softplus(real, -1.0, mean(fake)) + mean_softplus(fake, 1.0, -mean(real))
    };
    let patch_g = |fake: &[f64]| {
        mean_softplus(&memory64, 1.0, -mean(fake)) + mean_softplus(fake, -1.0, mean(&real64))
    };
    let plain_d =
        |real: &[f64], fake: &[f64]| mean_softplus(real, -1.0, 0.0) + mean_softplus(fake, 1.0, 0.0);

    let device = autodiff();
    let leaf = |x: &[f32]| tensor(x.to_vec(), [x.len()], &device).require_grad();
    let check = |loss: Tensor<1>, value: f64, leaves: &[(&Tensor<1>, Vec<f32>)]| {
        assert!((scalar(loss.clone()) - value).abs() < 1e-6 * value);
        let grads = loss.backward();
        for (leaf, expected) in leaves {
            let found = values(leaf.grad(&grads).expect("the loss depends on it"));
            assert_close(&found, expected, GRADIENT, "gradient");
        }
    };
    type Loss = fn(Tensor<1>, Tensor<1>) -> Tensor<1>;
    type Definition<'a> = &'a dyn Fn(&[f64], &[f64]) -> f64;
    let cases: [(Loss, Definition); 2] = [
        (patch_distribution_discriminator, &patch_d),
        (plain_discriminator, &plain_d),
    ];
    for (function, definition) in cases {
        let (real_t, fake_t) = (leaf(&real), leaf(&fake));
        let of_real = derivative(&real64, |real| definition(real, &fake64));
        let of_fake = derivative(&fake64, |fake| definition(&real64, fake));
        check(
            function(real_t.clone(), fake_t.clone()),
            definition(&real64, &fake64),
            &[(&real_t, of_real), (&fake_t, of_fake)],
        );
    }
    let fake_t = leaf(&fake);
    let loss = patch_distribution_generator(leaf(&memory), leaf(&real), fake_t.clone());
    let of_fake = derivative(&fake64, patch_g);
    check(loss, patch_g(&fake64), &[(&fake_t, of_fake)]);
    let of_fake = derivative(&fake64, |fake| mean_softplus(fake, -1.0, 0.0));
    let value = mean_softplus(&fake64, -1.0, 0.0);
    check(
        plain_generator(fake_t.clone()),
        value,
        &[(&fake_t, of_fake)],
    );
}

/// A weight divided by its σ, whose two vectors stand still.
#[test]
fn the_normalised_weight_has_the_gradient_of_its_definition() {
    let (rows, columns) = (5, 7);
    let device = autodiff();
    let weight = formula("sigma/weight", rows * columns, 1.0);
    let cotangent = formula("sigma/cotangent", rows * columns, 1.0);
    let matrix = |x: &[f32]| -> Tensor<2> { tensor(x.to_vec(), [rows, columns], &device) };
    let leaf = matrix(&weight).require_grad();
    let norm = SpectralNorm::new(rows, columns, &mut Random::new(1), &device);
    let norm = norm.iterated(leaf.clone()).iterated(leaf.clone());
    let sigma = norm.sigma(leaf.clone()).reshape([1, 1]);
    let loss = (leaf.clone() / sigma * matrix(&cotangent)).sum();

    let wide = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
    let (u, v) = (
        wide(values(norm.left.val())),
        wide(values(norm.right.val())),
    );
    let cotangent = wide(cotangent);
    let definition = |weight: &[f64]| {
        let sigma: f64 = (weight.iter().enumerate())
            .map(|(i, w)| u[i / columns] * w * v[i % columns])
            .sum();
        weight
            .iter()
            .zip(&cotangent)
            .map(|(w, c)| w * c)
            .sum::<f64>()
            / sigma
    };
    let expected = derivative(&wide(weight), definition);
    let found = values(leaf.grad(&loss.backward()).expect("tracked"));
    // A sum of 35 products, divided by σ twice.
    assert_close(&found, &expected, 5e-6, "gradient");
}

/// diag(3, 2, 1), turned: σ is 3.
#[test]
fn power_iterations_find_the_largest_singular_value() {
    let device = autodiff();
    let (sin, cos) = (0.6, 0.8);
    let weight = vec![
        3.0 * cos,
        -2.0 * sin,
        0.0,
        3.0 * sin,
        2.0 * cos,
        0.0,
        0.0,
        0.0,
        1.0,
    ];
    let weight: Tensor<2> = tensor(weight, [3, 3], &device);
    let mut norm = SpectralNorm::new(3, 3, &mut Random::new(2), &device);
    for _ in 0..40 {
        norm = norm.iterated(weight.clone());
    }
    assert!((scalar(norm.sigma(weight)) - 3.0).abs() < 1e-5);
}
