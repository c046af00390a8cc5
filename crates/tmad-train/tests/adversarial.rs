//! Adversarial losses, discriminators and spectral normalisation against PyTorch's.

#[path = "../../tmad/tests/common/golden.rs"]
mod golden;
#[path = "../../tmad/tests/common/parameters.rs"]
mod parameters;
#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use golden::{Golden, formula_parameter, formula_tensor};
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
