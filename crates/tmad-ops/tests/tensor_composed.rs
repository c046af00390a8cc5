//! The operations with hand-written kernels and backward passes against the same operations
//! composed of Burn's own, over random shapes.

#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::tensor::Tensor;
use proptest::prelude::*;
use tensors::{assert_close, autodiff, device, tensor, values};
use tmad_ops::{
    CARAFE_TAPS, Conv2dOptions, KeptWeights, MaxPool, box_means, carafe, composed, conv2d,
    conv2d_fused, max_pool,
};

/// Both sides sum up to 2·17·29·31 products of f32 in their own order; the Winograd transforms
/// lose a few bits more. Relative to the largest value.
const TOLERANCE: f64 = 2e-5;

/// Least distance from 0 of a sample whose slope under a leaky ReLU both sides must agree on;
/// sums of the sizes drawn here differ by less.
const BEND: f32 = 2e-5;

/// Numbers in [-1, 1) without a pattern.
fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn random_tensor<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    tensor(random(shape.iter().product(), seed), shape, &autodiff())
}

#[derive(Debug, Clone)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    options: Conv2dOptions,
    has_residual: bool,
    /// Which of input, weight, bias and residual need a gradient.
    tracked: [bool; 4],
    /// Whether the input is a transposed view, as patches cut from a picture are.
    is_view: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = || prop_oneof![1..8usize, Just(12), Just(17)];
    let side = || 5..30usize;
    let kernel = prop_oneof![
        Just((3usize, 1usize, 1usize, 1usize)),
        Just((3, 2, 1, 1)),
        Just((3, 1, 2, 2)),
        Just((1, 1, 0, 1)),
        Just((4, 2, 1, 1)),
        Just((4, 1, 1, 1)),
    ];
    let tracked = (any::<bool>(), prop::array::uniform4(any::<bool>()))
        .prop_map(|(has_residual, mut tracked)| {
            tracked[3] &= has_residual;
            (has_residual, tracked)
        })
        .prop_filter("nothing to differentiate", |(_, tracked)| {
            tracked.contains(&true)
        });
    (
        1..3usize,
        channels(),
        channels(),
        side(),
        side(),
        kernel,
        any::<bool>(),
        tracked,
        any::<bool>(),
    )
        .prop_map(
            |(batch, a, b, height, width, kernel, is_leaky, (has_residual, tracked), is_view)| {
                let (k, stride, padding, dilation) = kernel;
                let negative_slope = is_leaky.then_some(0.2);
                Case {
                    x: [batch, a, height, width],
                    weight: [b, a, k, k],
                    options: Conv2dOptions {
                        stride,
                        padding,
                        dilation,
                        negative_slope,
                    },
                    has_residual,
                    tracked,
                    is_view,
                }
            },
        )
}

/// Output and gradients of sum(output · cotangent); `None` for an argument that is not tracked.
type Results = (Vec<f32>, [Option<Vec<f32>>; 4]);

fn run_conv2d(
    case: &Case,
    conv2d: fn(Tensor<4>, Tensor<4>, Tensor<1>, Option<Tensor<4>>, Conv2dOptions) -> Tensor<4>,
) -> Results {
    fn track<const D: usize>(tensor: Tensor<D>, tracked: bool) -> Tensor<D> {
        if tracked {
            tensor.require_grad()
        } else {
            tensor
        }
    }
    let [batch, a, height, width] = case.x;
    let x = track(random_tensor([batch, a, height, width], 1), case.tracked[0]);
    let weight = track(random_tensor(case.weight, 2), case.tracked[1]);
    let bias = track(random_tensor([case.weight[0]], 3), case.tracked[2]);
    let input = match case.is_view {
        // The same numbers in another order, in memory that is not contiguous.
        true => x.clone().reshape([a, batch, height, width]).swap_dims(0, 1),
        false => x.clone(),
    };
    let [out_height, out_width] =
        [height, width].map(|side| case.options.output_size(side, case.weight[2]));
    let residual = case.has_residual.then(|| {
        let shape = [batch, case.weight[0], out_height, out_width];
        track(random_tensor(shape, 8), case.tracked[3])
    });
    let y = conv2d(
        input,
        weight.clone(),
        bias.clone(),
        residual.clone(),
        case.options,
    );
    // In [0.5, 1): the bias's gradient is their sum, and one that cancels to almost nothing would
    // be mostly rounding.
    let cotangent = random_tensor(y.dims(), 4) * 0.25 + 0.75;
    let grads = (y.clone() * cotangent).sum().backward();
    let found = [
        x.grad(&grads).map(values),
        weight.grad(&grads).map(values),
        bias.grad(&grads).map(values),
        residual.and_then(|residual| residual.grad(&grads).map(values)),
    ];
    (values(y), found)
}

fn compare(found: Results, expected: Results, tracked: &[bool]) {
    assert_close(&found.0, &expected.0, TOLERANCE, "output");
    for ((found, expected), (i, &tracked)) in found
        .1
        .iter()
        .zip(&expected.1)
        .zip(tracked.iter().enumerate())
    {
        assert_eq!(found.is_some(), tracked, "gradient {i}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert_close(found, expected, TOLERANCE, &format!("gradient {i}"));
        }
    }
}

fn run_carafe(x: [usize; 4], carafe: fn(Tensor<4>, Tensor<4>) -> Tensor<4>) -> Results {
    let [batch, _, height, width] = x;
    let x = random_tensor(x, 5).require_grad();
    // Logits up to 4: kernels with a clear favourite, but not one-hot.
    let logits = random_tensor([batch, 4 * CARAFE_TAPS, height, width], 6).require_grad();
    let y = carafe(x.clone(), logits.clone() * 4.0);
    let grads = (y.clone() * random_tensor(y.dims(), 7)).sum().backward();
    (
        values(y),
        [
            x.grad(&grads).map(values),
            logits.grad(&grads).map(values),
            None,
            None,
        ],
    )
}

fn run_unary(x: [usize; 4], operation: impl Fn(Tensor<4>) -> Tensor<4>) -> Results {
    let x = random_tensor(x, 9).require_grad();
    let y = operation(x.clone());
    let grads = (y.clone() * random_tensor(y.dims(), 10)).sum().backward();
    (values(y), [x.grad(&grads).map(values), None, None, None])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolutions_agree(case in cases()) {
        let fused: fn(_, _, _, _, _) -> _ = |x, weight, bias, residual, options| {
            conv2d_fused(x, weight, bias, residual, options, None)
        };
        let expected = run_conv2d(&case, composed::conv2d_fused);
        // Where the leaky ReLU bends, rounding decides which of its two slopes a sample gets.
        let is_clear = |y: &f32| y.abs() > BEND;
        prop_assume!(case.options.negative_slope.is_none() || expected.0.iter().all(is_clear));
        compare(run_conv2d(&case, fused), expected, &case.tracked);
    }

    #[test]
    fn carafes_agree(batch in 1..3usize, channels in 1..10usize, height in 1..12usize, width in 1..20usize) {
        let x = [batch, channels, height, width];
        compare(run_carafe(x, carafe), run_carafe(x, composed::carafe), &[true, true, false, false]);
    }

    /// Boxes larger than the picture among them.
    #[test]
    fn box_means_agree(batch in 1..3usize, height in 1..30usize, width in 1..30usize, reach in 0..12usize) {
        let (x, side) = ([batch, 3, height, width], 2 * reach + 1);
        let expected = run_unary(x, |x| composed::box_means(x, side));
        compare(run_unary(x, |x| box_means(x, side)), expected, &[true, false, false, false]);
    }

    #[test]
    fn max_pools_agree(
        batch in 1..3usize,
        height in 3..30usize,
        width in 3..30usize,
        side in 2..4usize,
        ceil_mode in any::<bool>(),
    ) {
        let (x, pool) = ([batch, 5, height, width], MaxPool { side, stride: 2, ceil_mode });
        let expected = run_unary(x, |x| composed::max_pool(x, pool));
        compare(run_unary(x, |x| max_pool(x, pool)), expected, &[true, false, false, false]);
    }
}

/// Without autodiff the operations take another path through Burn's dispatch.
#[test]
fn plain_and_autodiff_devices_agree() {
    let x = random([2, 3, 9, 11].iter().product(), 1);
    let weight = random([5, 3, 3, 3].iter().product(), 2);
    let bias = random(5, 3);
    let logits = random(2 * 100 * 9 * 11, 4);
    let options = Conv2dOptions {
        stride: 1,
        padding: 1,
        dilation: 1,
        negative_slope: Some(0.2),
    };
    let [plain, tracking] = [device(), autodiff()].map(|device| {
        let x: Tensor<4> = tensor(x.clone(), [2, 3, 9, 11], &device);
        let weight = tensor(weight.clone(), [5, 3, 3, 3], &device);
        let y = conv2d(
            x.clone(),
            weight,
            tensor(bias.clone(), [5], &device),
            options,
        );
        let z = carafe(x, tensor(logits.clone(), [2, 100, 9, 11], &device));
        (values(y), values(z))
    });
    assert_eq!(plain, tracking);
}

/// What is kept between calls changes no result, and is not used for another weight.
#[test]
fn kept_weights_follow_the_weight() {
    let device = device();
    let x: Tensor<4> = tensor(random(16 * 12 * 9, 1), [1, 16, 12, 9], &device);
    let bias: Tensor<1> = tensor(random(20, 2), [20], &device);
    let options = Conv2dOptions {
        stride: 1,
        padding: 1,
        dilation: 1,
        negative_slope: None,
    };
    let kept = KeptWeights::default();
    for seed in 3..6 {
        let weight: Tensor<4> = tensor(random(20 * 16 * 9, seed), [20, 16, 3, 3], &device);
        let expected = conv2d(x.clone(), weight.clone(), bias.clone(), options);
        for call in 0..3 {
            let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
            let y = conv2d_fused(x, weight, bias, None, options, Some(&kept));
            assert_eq!(
                values(y),
                values(expected.clone()),
                "seed {seed}, call {call}"
            );
        }
        // The weight's memory is free for the next one, unless it is still in use.
        drop(weight);
    }
}

/// CARAFE of one square channel with the same logits at every pixel.
fn upsampled(channel_logits: impl Fn(usize) -> f32, x: Vec<f32>, side: usize) -> Vec<f32> {
    let plane = side * side;
    let logits = (0..100 * plane)
        .map(|i| channel_logits(i / plane))
        .collect();
    let device = device();
    let x = tensor(x, [1, 1, side, side], &device);
    values(carafe(x, tensor(logits, [1, 100, side, side], &device)))
}

/// Equal logits average 5×5 pixels; taps outside count as zero, so a corner of ones has 9/25.
#[test]
fn zero_logits_are_a_box_filter() {
    let y = upsampled(|_| 0.0, vec![1.0; 49], 7);
    for (at, expected) in [(0, 9.0), (6, 15.0), (6 * 14 + 6, 25.0), (13 * 14 + 13, 9.0)] {
        assert!((y[at] - expected / 25.0).abs() < 1e-6, "{at}: {}", y[at]);
    }
}

/// Bilinear upsampling (corners not aligned) as kernels: a quarter pixel from the centre towards
/// the neighbour, 3/4 and 1/4 in either direction. It distinguishes every tap and sub-pixel.
#[test]
fn bilinear_kernels_are_bilinear_upsampling() {
    let side = 8;
    let weight = |offset: i32, phase: usize| match (offset, phase) {
        (0, _) => 0.75f32,
        (-1, 0) | (1, 1) => 0.25,
        _ => 0.0,
    };
    let logits = |channel: usize| {
        let (tap, i, j) = (channel / 4, channel / 2 % 2, channel % 2);
        let (dy, dx) = (tap as i32 / 5 - 2, tap as i32 % 5 - 2);
        // e⁻⁴⁰ is nothing beside 1/16.
        (weight(dy, i) * weight(dx, j)).ln().max(-40.0)
    };
    let x = random(side * side, 9);
    let y = upsampled(logits, x.clone(), side);
    for (out_y, out_x) in (4..12).flat_map(|y| (4..12).map(move |x| (y, x))) {
        let (source_y, source_x) = (out_y as f32 / 2.0 - 0.25, out_x as f32 / 2.0 - 0.25);
        let (top, left) = (source_y.floor() as usize, source_x.floor() as usize);
        let (fy, fx) = (source_y.fract(), source_x.fract());
        let at = |y: usize, x_: usize| x[y * side + x_];
        let expected = (1.0 - fy) * ((1.0 - fx) * at(top, left) + fx * at(top, left + 1))
            + fy * ((1.0 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1));
        let found = y[out_y * 2 * side + out_x];
        assert!(
            (found - expected).abs() < 1e-6,
            "{out_y}, {out_x}: {found}, not {expected}"
        );
    }
}
