//! Every convolution path against the plain loops, over random shapes.

mod common;

use common::{abs, assert_close, levels, random};
use proptest::prelude::*;
use tmad_ops::kernels::{
    Activation, Conv2dShape, PackedWeights, conv2d, conv2d_backward_input, conv2d_backward_weight,
    reference,
};

/// A sum of `n` products in f32, in any order, differs from the exact one by at most
/// `n · 2⁻²⁴ · Σ|x||w|` to first order, and by about `√n` of that in practice. 10⁻⁵ is 168
/// units of 2⁻²⁴; the longest sums here have some thousands of terms.
const DIRECT: f64 = 1e-5;

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

fn check(s: &Conv2dShape, tolerance: f64) {
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
            assert_close(&out, &exact, &scale, tolerance, &format!("{name} out"));

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
            assert_close(
                &grad_in,
                &exact_in,
                &scale_in,
                tolerance,
                &format!("{name} grad_in"),
            );

            let mut grad_weight = vec![f32::NAN; s.weight_len()];
            let mut grad_bias = vec![f32::NAN; s.out_channels];
            conv2d_backward_weight(s, &x, &grad_out, &mut grad_weight, Some(&mut grad_bias));
            let what = format!("{name} grad_weight");
            assert_close(&grad_weight, &exact_w, &scale_w, tolerance, &what);
            assert_close(
                &grad_bias,
                &exact_b,
                &scale_b,
                tolerance,
                &format!("{name} grad_bias"),
            );
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_plain_loops(shape in shapes()) {
        check(&shape, 1e-4);
    }
}
