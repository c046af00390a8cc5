//! Every convolution path against the plain loops, over random shapes.

mod common;

use common::{abs, assert_close, levels, random};
use proptest::prelude::*;
use tmad_ops::kernels::{
    Activation, Algorithm, Conv2dShape, PackedWeights, conv2d, conv2d_backward_input,
    conv2d_backward_weight, conv2d_with, reference,
};

/// A sum of `n` products in f32, in any order, differs from the exact one by at most
/// `n · 2⁻²⁴ · Σ|x||w|` to first order, and by about `√n` of that in practice. 10⁻⁵ is 168
/// units of 2⁻²⁴; the longest sums here have some thousands of terms.
const DIRECT: f64 = 1e-5;

/// Winograd's transforms amplify rounding by a factor that its authors do not bound tightly;
/// relative to the largest output, some 10⁻⁶ are usual.
const WINOGRAD: f64 = 1e-4;

/// The largest magnitude, for every element.
fn largest(values: &[f64]) -> Vec<f64> {
    vec![values.iter().fold(0.0, |max, v| v.abs().max(max)); values.len()]
}

fn shapes() -> impl Strategy<Value = Conv2dShape> {
    let channels = prop_oneof![
        1..6usize,
        6..40usize,
        Just(16),
        Just(32),
        Just(64),
        Just(100)
    ];
    let size = prop_oneof![1..4usize, 4..20usize, Just(16), Just(33)];
    (
        1..3usize,
        channels.clone(),
        channels,
        size.clone(),
        size,
        prop_oneof![
            Just(1usize),
            Just(2),
            3..=3usize,
            3..=3usize,
            Just(4),
            Just(5)
        ],
        1..4usize,
        prop_oneof![1..2usize, 1..4usize, Just(20)],
        0..4usize,
    )
        .prop_map(
            |(batch, ci, co, height, width, kernel, stride, dilation, extra)| {
                // Mostly the padding that keeps the size, sometimes none or another.
                let same = dilation * (kernel - 1) / 2;
                let padding = [same, same, 0, 3][extra];
                Conv2dShape {
                    batch,
                    in_channels: ci,
                    out_channels: co,
                    height,
                    width,
                    kernel,
                    stride,
                    dilation,
                    padding,
                }
            },
        )
        .prop_filter("plain loops must stay quick", |s| s.flops() < 8_000_000)
}

fn check(s: &Conv2dShape) {
    let x = random(s.input_len(), 1);
    let weight = random(s.weight_len(), 2);
    let bias = random(s.out_channels, 3);
    let residual = random(s.output_len(), 4);
    let grad_out = random(s.output_len(), 5);
    let act = Activation::LeakyRelu(0.2);

    let exact = reference::conv2d(s, &x, &weight, Some(&bias), Some(&residual), act);
    let (ax, aw, ag) = (abs(&x), abs(&weight), abs(&grad_out));
    let none = Activation::None;
    let scale = reference::conv2d(s, &ax, &aw, Some(&abs(&bias)), Some(&abs(&residual)), none);
    let exact_in = reference::conv2d_backward_input(s, &grad_out, &weight);
    let scale_in = reference::conv2d_backward_input(s, &ag, &aw);
    let (exact_w, exact_b) = reference::conv2d_backward_weight(s, &x, &grad_out);
    let (scale_w, scale_b) = reference::conv2d_backward_weight(s, &ax, &ag);

    for level in levels() {
        level.force(|| {
            let name = level.name();
            let mut out = vec![f32::NAN; s.output_len()];
            conv2d(
                s,
                &x,
                weight.as_slice(),
                Some(&bias),
                Some(&residual),
                act,
                &mut out,
            );
            let chosen = Algorithm::choose(s, level);

            for algorithm in Algorithm::ALL {
                if !algorithm.supports(s, level) {
                    continue;
                }
                let mut with = vec![f32::NAN; s.output_len()];
                let (bias, residual) = (Some(bias.as_slice()), Some(residual.as_slice()));
                let weight = weight.as_slice();
                conv2d_with(
                    Some(algorithm),
                    s,
                    &x,
                    weight,
                    bias,
                    residual,
                    act,
                    &mut with,
                );
                let what = format!("{name} {algorithm:?}");
                if algorithm == Algorithm::Winograd {
                    assert_close(&with, &exact, &largest(&exact), WINOGRAD, &what);
                } else {
                    assert_close(&with, &exact, &scale, DIRECT, &what);
                }
                if algorithm == chosen {
                    assert_eq!(out, with, "{name}: {algorithm:?} is not what was chosen");
                }
            }

            let packed = PackedWeights::new(&weight, s.out_channels, s.in_channels, s.kernel);
            let mut again = vec![f32::NAN; s.output_len()];
            conv2d(
                s,
                &x,
                &packed,
                Some(&bias),
                Some(&residual),
                act,
                &mut again,
            );
            assert_eq!(out, again, "{name}: packed weights give another result");

            let mut grad_in = vec![f32::NAN; s.input_len()];
            conv2d_backward_input(s, &grad_out, &weight, &mut grad_in);
            let what = format!("{name} grad_in");
            // Where Winograd's algorithm may have been chosen.
            if s.kernel == 3 && s.stride == 1 {
                assert_close(&grad_in, &exact_in, &largest(&exact_in), WINOGRAD, &what);
            } else {
                assert_close(&grad_in, &exact_in, &scale_in, DIRECT, &what);
            }

            let mut grad_weight = vec![f32::NAN; s.weight_len()];
            let mut grad_bias = vec![f32::NAN; s.out_channels];
            conv2d_backward_weight(s, &x, &grad_out, &mut grad_weight, Some(&mut grad_bias));
            let what = format!("{name} grad_weight");
            if s.kernel == 3 && s.stride == 1 {
                assert_close(&grad_weight, &exact_w, &largest(&exact_w), WINOGRAD, &what);
            } else {
                assert_close(&grad_weight, &exact_w, &scale_w, DIRECT, &what);
            }
            assert_close(
                &grad_bias,
                &exact_b,
                &scale_b,
                DIRECT,
                &format!("{name} grad_bias"),
            );
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_plain_loops(shape in shapes()) {
        check(&shape);
    }
}

/// The shapes that exercise what random ones seldom reach.
#[test]
fn agrees_on_corner_cases() {
    let base = Conv2dShape {
        batch: 1,
        in_channels: 16,
        out_channels: 16,
        height: 8,
        width: 8,
        kernel: 3,
        stride: 1,
        dilation: 1,
        padding: 1,
    };
    for s in [
        base,
        Conv2dShape {
            height: 1,
            width: 40,
            ..base
        },
        Conv2dShape {
            height: 40,
            width: 1,
            ..base
        },
        Conv2dShape {
            height: 5,
            width: 7,
            dilation: 9,
            padding: 9,
            ..base
        },
        Conv2dShape {
            dilation: 2,
            padding: 2,
            height: 13,
            width: 10,
            ..base
        },
        Conv2dShape {
            in_channels: 64,
            out_channels: 100,
            batch: 2,
            ..base
        },
        // Enough tiles for every gradient by Winograd, and borders inside tiles.
        Conv2dShape {
            in_channels: 35,
            out_channels: 50,
            height: 18,
            width: 21,
            ..base
        },
        Conv2dShape {
            in_channels: 20,
            height: 33,
            width: 30,
            dilation: 2,
            padding: 2,
            ..base
        },
        Conv2dShape {
            batch: 3,
            height: 17,
            width: 19,
            padding: 0,
            ..base
        },
        // Several tiles of stride 2 with borders inside them, odd and even sides.
        Conv2dShape {
            batch: 2,
            in_channels: 20,
            out_channels: 50,
            height: 37,
            width: 42,
            stride: 2,
            ..base
        },
        Conv2dShape {
            in_channels: 32,
            height: 40,
            width: 23,
            stride: 2,
            padding: 0,
            ..base
        },
        Conv2dShape {
            in_channels: 1,
            out_channels: 1,
            height: 30,
            width: 30,
            ..base
        },
        Conv2dShape {
            kernel: 4,
            stride: 2,
            height: 17,
            width: 9,
            ..base
        },
        Conv2dShape {
            kernel: 1,
            stride: 2,
            padding: 0,
            ..base
        },
        Conv2dShape { padding: 4, ..base },
        Conv2dShape {
            padding: 0,
            height: 2,
            width: 2,
            ..base
        },
        Conv2dShape { batch: 0, ..base },
    ] {
        check(&s);
    }
}

/// Every result has the same bits with one thread and with several.
#[test]
fn thread_count_changes_nothing() {
    let base = Conv2dShape {
        batch: 3,
        in_channels: 32,
        out_channels: 40,
        height: 37,
        width: 30,
        kernel: 3,
        stride: 1,
        dilation: 1,
        padding: 1,
    };
    for s in [
        base,
        Conv2dShape {
            dilation: 2,
            padding: 2,
            ..base
        },
        Conv2dShape { stride: 2, ..base },
        Conv2dShape {
            kernel: 1,
            padding: 0,
            ..base
        },
        Conv2dShape {
            in_channels: 3,
            ..base
        },
    ] {
        let (x, weight) = (random(s.input_len(), 1), random(s.weight_len(), 2));
        let grad_out = random(s.output_len(), 3);
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut out = vec![0.0; s.output_len()];
                let act = Activation::LeakyRelu(0.2);
                conv2d(&s, &x, weight.as_slice(), None, None, act, &mut out);
                let mut grad_in = vec![0.0; s.input_len()];
                conv2d_backward_input(&s, &grad_out, &weight, &mut grad_in);
                let mut grad_weight = vec![0.0; s.weight_len()];
                let mut grad_bias = vec![0.0; s.out_channels];
                conv2d_backward_weight(&s, &x, &grad_out, &mut grad_weight, Some(&mut grad_bias));
                [out, grad_in, grad_weight, grad_bias]
            })
        };
        let one = with_threads(1);
        for threads in [2, 3, 7] {
            assert_eq!(one, with_threads(threads), "{threads} threads, {s:?}");
        }
    }
}

/// A map that contains NaN must not come out clean.
#[test]
fn nan_is_not_hidden() {
    let s = Conv2dShape {
        batch: 1,
        in_channels: 1,
        out_channels: 1,
        height: 3,
        width: 3,
        kernel: 1,
        stride: 1,
        dilation: 1,
        padding: 0,
    };
    let mut x = vec![1.0; 9];
    x[4] = f32::NAN;
    for level in levels() {
        level.force(|| {
            let mut out = vec![0.0; 9];
            let act = Activation::LeakyRelu(0.2);
            conv2d(&s, &x, [1.0].as_slice(), None, None, act, &mut out);
            assert!(out[4].is_nan(), "{}", level.name());
        });
    }
}

#[test]
#[should_panic(expected = "x has 3 elements, its shape 4")]
fn lengths_are_checked() {
    let s = Conv2dShape {
        batch: 1,
        in_channels: 1,
        out_channels: 1,
        height: 2,
        width: 2,
        kernel: 1,
        stride: 1,
        dilation: 1,
        padding: 0,
    };
    conv2d(
        &s,
        &[0.0; 3],
        [1.0].as_slice(),
        None,
        None,
        Activation::None,
        &mut [0.0; 4],
    );
}
