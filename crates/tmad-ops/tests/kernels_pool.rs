//! Max pooling against the plain loop, over random shapes.

mod common;

use common::random;
use proptest::prelude::*;
use tmad_ops::MaxPool;
use tmad_ops::kernels::{max_pool, max_pool_backward, reference};

fn windows() -> impl Strategy<Value = MaxPool> {
    (1..4usize, 1..4usize, any::<bool>()).prop_map(|(side, stride, ceil_mode)| MaxPool {
        side,
        stride: stride.min(side),
        ceil_mode,
    })
}

/// As it is, and with few different values, so that windows have several largest ones.
fn picture(len: usize, is_stepped: bool) -> Vec<f32> {
    let step = |v: f32| if is_stepped { (v * 2.0).round() } else { v };
    random(len, 1).into_iter().map(step).collect()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// Values are equal to the last bit, gradients up to the order of at most nine addends.
    #[test]
    fn agrees_with_the_plain_loop(
        planes in 1..5usize,
        height in 3..40usize,
        width in 3..50usize,
        pool in windows(),
        is_stepped in any::<bool>(),
    ) {
        let shape = [planes, height, width];
        let x = picture(planes * height * width, is_stepped);
        let expected = reference::max_pool(shape, pool, &x);
        let mut largest = vec![f32::NAN; expected.len()];
        max_pool(shape, pool, &x, &mut largest);
        prop_assert_eq!(widened(&largest), expected);

        let grad_out = random(largest.len(), 2);
        let expected = reference::max_pool_backward(shape, pool, &x, &grad_out);
        let mut grad_x = vec![f32::NAN; x.len()];
        max_pool_backward(shape, pool, &x, &grad_out, &mut grad_x);
        for (found, expected) in grad_x.into_iter().zip(expected) {
            prop_assert!((f64::from(found) - expected).abs() < 1e-5);
        }
    }

    /// Also where a window reaches beyond the picture in `ceil_mode`.
    #[test]
    fn a_window_with_nan_has_nan(at in 0..49usize, pool in windows()) {
        let mut x = random(49, 3);
        x[at] = f32::NAN;
        let sides = [pool.output_size(7); 2];
        let mut largest = vec![0.0; sides[0] * sides[1]];
        max_pool([1, 7, 7], pool, &x, &mut largest);
        let is_in = |index: usize, at: usize| {
            (index * pool.stride..index * pool.stride + pool.side).contains(&at)
        };
        for (out, largest) in largest.into_iter().enumerate() {
            let has_nan = is_in(out / sides[1], at / 7) && is_in(out % sides[1], at % 7);
            prop_assert_eq!(largest.is_nan(), has_nan);
        }
    }
}

#[test]
#[should_panic(expected = "no window of 3 px in 2 px")]
fn a_picture_without_a_window_is_refused() {
    let pool = MaxPool {
        side: 3,
        stride: 2,
        ceil_mode: false,
    };
    pool.output_size(2);
}
