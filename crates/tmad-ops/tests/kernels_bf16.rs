//! Convolutions with products of bf16 against the plain loops in f64.
//!
//! Where the processor has none, the precision changes nothing, and the tests show that.

mod common;

use common::{abs, assert_close, random};
use proptest::prelude::*;
use tmad_ops::kernels::{
    Activation, Algorithm, Conv2dShape, Level, Precision, conv2d_backward_input,
    conv2d_backward_weight, conv2d_with, reference,
};

/// Rounding to 8 bits changes a factor by at most 2⁻⁸ of itself, a product of two by 2⁻⁷ and a
/// little, a sum by as much of the sum of magnitudes.
const DIRECT: f64 = 1.01 / 128.0;

/// Root mean square of the relative rounding of a product: a factor's is spread evenly over ±2⁻⁸
/// for mantissas near 1 and ±2⁻⁹ near 2, 0.42 · 2⁻⁸ over all of them, and there are two factors.
const PRODUCT: f64 = 1.415 * 0.42 / 256.0;

/// Winograd's transforms amplify independent errors of factors at most 6.8 times, in comparison
/// with the root of the sum of the squares of the products. Six standard deviations: of millions
/// of values none should be beyond.
const WINOGRAD: f64 = 6.0 * 6.8 * PRODUCT;

/// The same as a root mean square over all values: 4.8 times, and what few values scatter.
const WINOGRAD_MEAN: f64 = 1.5 * 4.8 * PRODUCT;

fn squares(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| v * v).collect()
}

/// The root of the largest value, for every element.
fn scale_of(squares: Vec<f64>) -> Vec<f64> {
    let largest = squares.iter().fold(0.0, |max: f64, v| v.max(max));
    vec![largest.sqrt(); squares.len()]
}

/// Winograd's products: no value far off, and all together as near as they should be.
fn assert_near(actual: &[f32], exact: &[f64], sums_of_squares: Vec<f64>, what: &str) {
    if exact.is_empty() {
        return;
    }
    let scale = scale_of(sums_of_squares);
    assert_close(actual, exact, &scale, WINOGRAD, what);
    let errors = (actual.iter().zip(exact)).map(|(&a, e)| (f64::from(a) - e).powi(2));
    let mean = (errors.sum::<f64>() / exact.len() as f64).sqrt();
    assert!(
        mean <= WINOGRAD_MEAN * scale[0],
        "{what}: {mean} of {}",
        scale[0]
    );
}

fn shapes() -> impl Strategy<Value = Conv2dShape> {
    let channels = || prop_oneof![Just(1usize), 2..40usize, Just(16), Just(24), Just(64)];
    let size = || prop_oneof![1..4usize, 4..24usize, Just(16), Just(33)];
    let kernel = prop_oneof![Just(1usize), Just(2), Just(3), Just(3), Just(3), Just(4)];
    let geometry = (kernel, 1..4usize, 1..4usize, 0..3usize);
    (1..3usize, channels(), channels(), size(), size(), geometry)
        .prop_map(|(batch, ci, co, height, width, geometry)| {
            let (kernel, stride, dilation, padding) = geometry;
            Conv2dShape {
                batch,
                in_channels: ci,
                out_channels: co,
                height,
                width,
                kernel,
                stride,
                dilation,
                // Mostly what keeps the size.
                padding: [dilation * (kernel - 1) / 2, 0, 3][padding],
            }
        })
        .prop_filter("plain loops must stay quick", |s| s.flops() < 8_000_000)
}

struct Case {
    shape: Conv2dShape,
    x: Vec<f32>,
    weight: Vec<f32>,
    grad_out: Vec<f32>,
}

struct Results {
    /// By algorithm.
    forward: Vec<(Algorithm, Vec<f32>)>,
    grad_x: Vec<f32>,
    grad_weight: Vec<f32>,
    grad_bias: Vec<f32>,
}

impl Case {
    fn new(shape: Conv2dShape, values: impl Fn(usize, u64) -> Vec<f32>) -> Self {
        Self {
            shape,
            x: values(shape.input_len(), 1),
            weight: values(shape.weight_len(), 2),
            grad_out: values(shape.output_len(), 3),
        }
    }

    fn forward(&self, algorithm: Option<Algorithm>) -> Vec<f32> {
        let (s, none) = (&self.shape, Activation::None);
        let mut out = vec![f32::NAN; s.output_len()];
        let weight = self.weight.as_slice();
        conv2d_with(algorithm, s, &self.x, weight, None, None, none, &mut out);
        out
    }

    fn results(&self) -> Results {
        let s = &self.shape;
        let mut grad_x = vec![f32::NAN; s.input_len()];
        conv2d_backward_input(s, &self.grad_out, &self.weight, &mut grad_x);
        let mut grad_weight = vec![f32::NAN; s.weight_len()];
        let mut grad_bias = vec![f32::NAN; s.out_channels];
        let bias = Some(grad_bias.as_mut_slice());
        conv2d_backward_weight(s, &self.x, &self.grad_out, &mut grad_weight, bias);
        let supported = |a: &Algorithm| a.supports(s, Level::current());
        let algorithms = Algorithm::ALL.into_iter().filter(supported);
        Results {
            forward: algorithms.map(|a| (a, self.forward(Some(a)))).collect(),
            grad_x,
            grad_weight,
            grad_bias,
        }
    }
}

fn check(shape: Conv2dShape) {
    let case = Case::new(shape, random);
    let s = &case.shape;
    let (x, weight, grad) = (&case.x, &case.weight, &case.grad_out);
    let found = Precision::Bf16.force(|| case.results());
    let none = Activation::None;
    let forward = |x: &[f32], w: &[f32]| reference::conv2d(s, x, w, None, None, none);
    let exact = forward(x, weight);
    for (algorithm, out) in found.forward {
        let what = format!("{algorithm:?}");
        if algorithm == Algorithm::Winograd {
            assert_near(&out, &exact, forward(&squares(x), &squares(weight)), &what);
        } else {
            let scale = forward(&abs(x), &abs(weight));
            assert_close(&out, &exact, &scale, DIRECT, &what);
        }
    }
    let exact = reference::conv2d_backward_input(s, grad, weight);
    let sums = reference::conv2d_backward_input(s, &squares(grad), &squares(weight));
    assert_near(&found.grad_x, &exact, sums, "the gradient of x");
    let (exact, exact_bias) = reference::conv2d_backward_weight(s, x, grad);
    let (sums, _) = reference::conv2d_backward_weight(s, &squares(x), &squares(grad));
    assert_near(
        &found.grad_weight,
        &exact,
        sums,
        "the gradient of the weight",
    );
    // No product is in it.
    let (_, scale) = reference::conv2d_backward_weight(s, &abs(x), &abs(grad));
    assert_close(
        &found.grad_bias,
        &exact_bias,
        &scale,
        1e-5,
        "the gradient of the bias",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn results_are_as_exact_as_bf16(shape in shapes()) {
        check(shape);
    }
}

fn square(batch: usize, ci: usize, co: usize, side: usize, kernel: usize) -> Conv2dShape {
    Conv2dShape {
        batch,
        in_channels: ci,
        out_channels: co,
        height: side,
        width: side,
        kernel,
        stride: 1,
        dilation: 1,
        padding: kernel / 2,
    }
}

/// Sizes of the networks, more than the random ones reach.
#[test]
fn results_are_as_exact_as_bf16_for_the_networks() {
    check(square(2, 64, 64, 24, 3));
    check(square(1, 128, 100, 17, 3));
    check(square(3, 24, 48, 21, 1));
    check(Conv2dShape {
        stride: 2,
        ..square(2, 48, 96, 31, 3)
    });
    check(Conv2dShape {
        dilation: 2,
        padding: 2,
        ..square(1, 128, 128, 16, 3)
    });
}

/// Small integers are exact in bf16, and so are their sums in f32: but for Winograd's, whose
/// factors are fractions, nothing may differ from f32 at all.
#[test]
fn small_integers_are_exact() {
    let integers = |len: usize, seed: u64| -> Vec<f32> {
        random(len, seed)
            .iter()
            .map(|v| (v * 9.0).round())
            .collect()
    };
    for stride in [1, 2] {
        for kernel in [1, 3, 4] {
            for channels in [1, 16, 37] {
                let shape = square(2, channels, 33, 13, kernel);
                let case = Case::new(Conv2dShape { stride, ..shape }, integers);
                let exact = case.results();
                let found = Precision::Bf16.force(|| case.results());
                let pairs = exact.forward.iter().zip(&found.forward);
                for ((algorithm, exact), (_, found)) in pairs {
                    if *algorithm != Algorithm::Winograd {
                        assert_eq!(exact, found, "{algorithm:?} {shape:?}");
                    }
                }
                if !(kernel == 3 && stride == 1) {
                    assert_eq!(exact.grad_x, found.grad_x, "{shape:?}");
                    assert_eq!(exact.grad_weight, found.grad_weight, "{shape:?}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let strided = Conv2dShape {
        stride: 2,
        ..square(3, 40, 48, 37, 3)
    };
    for shape in [square(3, 64, 48, 37, 3), strided, square(3, 64, 48, 37, 1)] {
        let case = Case::new(shape, random);
        let by_threads = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.expect("a pool of threads");
            pool.install(|| {
                Precision::Bf16.force(|| {
                    let Results {
                        grad_x,
                        grad_weight,
                        ..
                    } = case.results();
                    (case.forward(None), grad_x, grad_weight)
                })
            })
        });
        assert!(by_threads[1] == by_threads[0] && by_threads[2] == by_threads[0]);
    }
}

/// The switch reaches the kernels: on a machine with bf16, results differ from f32 as they must.
#[test]
fn the_precision_is_that_of_the_caller() {
    let case = Case::new(square(1, 64, 64, 32, 3), random);
    let exact = case.forward(None);
    let rounded = Precision::Bf16.force(|| {
        assert_eq!(Precision::current(), Precision::fastest());
        case.forward(None)
    });
    assert_eq!(exact != rounded, Precision::Bf16.is_supported());
    assert_eq!(Precision::current(), Precision::F32);
    // An instruction set without bf16 goes on in f32.
    let scalar =
        |precision: Precision| Level::Scalar.force(|| precision.force(|| case.forward(None)));
    assert_eq!(scalar(Precision::Bf16), scalar(Precision::F32));
}
