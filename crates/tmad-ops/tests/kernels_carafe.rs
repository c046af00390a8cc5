//! CARAFE and its gradients against the plain loops, over random shapes.

mod common;

use common::{abs, assert_close, levels, random};
use proptest::prelude::*;
use tmad_ops::kernels::{
    CarafeShape, carafe, carafe_backward, carafe_from_logits, carafe_kernels,
    carafe_kernels_backward, reference,
};

/// See `kernels_conv2d.rs`; the longest sum has 100 terms, or one per channel.
const TOLERANCE: f64 = 1e-5;

fn shapes() -> impl Strategy<Value = CarafeShape> {
    let channels = prop_oneof![1..12usize, Just(16), Just(33)];
    let size = prop_oneof![1..4usize, 4..20usize, Just(16), Just(33)];
    (1..3usize, channels, size.clone(), size).prop_map(|(batch, channels, height, width)| {
        CarafeShape {
            batch,
            channels,
            height,
            width,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_plain_loops(s in shapes()) {
        let x = random(s.input_len(), 1);
        let kernels = random(s.kernels_len(), 2);
        let grad_out = random(s.output_len(), 3);
        let (ax, ak, ag) = (abs(&x), abs(&kernels), abs(&grad_out));
        let exact = reference::carafe(&s, &x, &kernels);
        let scale = reference::carafe(&s, &ax, &ak);
        let (exact_x, exact_k) = reference::carafe_backward(&s, &x, &kernels, &grad_out);
        let (scale_x, scale_k) = reference::carafe_backward(&s, &ax, &ak, &ag);
        for level in levels() {
            level.force(|| {
                let name = level.name();
                let mut out = vec![f32::NAN; s.output_len()];
                carafe(&s, &x, &kernels, &mut out);
                assert_close(&out, &exact, &scale, TOLERANCE, &format!("{name} out"));
                let mut grad_x = vec![f32::NAN; s.input_len()];
                let mut grad_k = vec![f32::NAN; s.kernels_len()];
                carafe_backward(&s, &x, &kernels, &grad_out, &mut grad_x, &mut grad_k);
                assert_close(&grad_x, &exact_x, &scale_x, TOLERANCE, &format!("{name} grad_x"));
                assert_close(&grad_k, &exact_k, &scale_k, TOLERANCE, &format!("{name} grad_kernels"));
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn kernels_are_the_softmax_of_the_logits(s in shapes(), scale in prop_oneof![Just(1.0f32), Just(20.0)]) {
        let x = random(s.input_len(), 1);
        let logits: Vec<_> = random(s.kernels_len(), 2).iter().map(|v| v * scale).collect();
        let grad = random(s.kernels_len(), 3);
        let exact = reference::carafe_kernels(&s, &logits);
        // Exact for these kernels, whose rounding is tested above.
        let exact_f32: Vec<_> = exact.iter().map(|&v| v as f32).collect();
        let mut exact_grad = vec![0.0; s.kernels_len()];
        let plane = 4 * s.height * s.width;
        for image in 0..s.batch {
            for pixel in 0..plane {
                let at = |tap: usize| (image * 25 + tap) * plane + pixel;
                let inner: f64 = (0..25).map(|t| exact[at(t)] * f64::from(grad[at(t)])).sum();
                let (y, column) = (pixel / (2 * s.width), pixel % (2 * s.width));
                for tap in 0..25 {
                    let channel = 4 * tap + 2 * (y % 2) + column % 2;
                    let row = (image * 100 + channel) * s.height + y / 2;
                    exact_grad[row * s.width + column / 2] =
                        exact[at(tap)] * (f64::from(grad[at(tap)]) - inner);
                }
            }
        }
        for level in levels() {
            level.force(|| {
                let name = level.name();
                let mut kernels = vec![f32::NAN; s.kernels_len()];
                carafe_kernels(&s, &logits, &mut kernels);
                assert_close(&kernels, &exact, &exact, TOLERANCE, &format!("{name} kernels"));
                let (mut out, mut fused) = (vec![0.0; s.output_len()], vec![f32::NAN; s.output_len()]);
                carafe(&s, &x, &kernels, &mut out);
                carafe_from_logits(&s, &x, &logits, &mut fused);
                assert_eq!(out, fused, "{name}");
                let mut grad_logits = vec![f32::NAN; s.kernels_len()];
                carafe_kernels_backward(&s, &exact_f32, &grad, &mut grad_logits);
                let ones = vec![1.0; s.kernels_len()];
                assert_close(&grad_logits, &exact_grad, &ones, TOLERANCE, &format!("{name} grad"));
            });
        }
    }
}

/// Constant kernels of 1/25 average a constant map to itself inside, and to 9/25 of it in the
/// corners, where 16 taps fall outside.
#[test]
fn box_kernels_average() {
    let s = CarafeShape {
        batch: 1,
        channels: 1,
        height: 6,
        width: 7,
    };
    let mut out = vec![0.0; s.output_len()];
    carafe(
        &s,
        &vec![2.0; s.input_len()],
        &vec![1.0 / 25.0; s.kernels_len()],
        &mut out,
    );
    assert!((out[0] - 2.0 * 9.0 / 25.0).abs() < 1e-6);
    assert!((out[5 * 14 + 6] - 2.0).abs() < 1e-6);
}

/// Kernels that are 1 at their centre copy the nearest pixel.
#[test]
fn centre_kernels_copy() {
    let s = CarafeShape {
        batch: 1,
        channels: 2,
        height: 3,
        width: 4,
    };
    let x: Vec<f32> = (0..s.input_len()).map(|i| i as f32).collect();
    let plane = s.kernels_len() / 25;
    let mut kernels = vec![0.0; s.kernels_len()];
    kernels[12 * plane..13 * plane].fill(1.0);
    let mut out = vec![0.0; s.output_len()];
    carafe(&s, &x, &kernels, &mut out);
    for c in 0..2 {
        for y in 0..6 {
            for ox in 0..8 {
                assert_eq!(out[(c * 6 + y) * 8 + ox], x[(c * 3 + y / 2) * 4 + ox / 2]);
            }
        }
    }
}

/// Every result has the same bits with one thread and with several.
#[test]
fn thread_count_changes_nothing() {
    let s = CarafeShape {
        batch: 2,
        channels: 19,
        height: 29,
        width: 23,
    };
    let (x, kernels) = (random(s.input_len(), 1), random(s.kernels_len(), 2));
    let grad_out = random(s.output_len(), 3);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut out = vec![0.0; s.output_len()];
            carafe(&s, &x, &kernels, &mut out);
            let mut grad_x = vec![0.0; s.input_len()];
            let mut grad_kernels = vec![0.0; s.kernels_len()];
            carafe_backward(&s, &x, &kernels, &grad_out, &mut grad_x, &mut grad_kernels);
            [out, grad_x, grad_kernels]
        })
    };
    let one = with_threads(1);
    for threads in [2, 5] {
        assert_eq!(one, with_threads(threads), "{threads} threads");
    }
}
