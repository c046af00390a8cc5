//! Matrix products against the plain loops, over random shapes.

mod common;

use common::{abs, assert_close, levels, random};
use proptest::prelude::*;
use tmad_ops::kernels::{matmul, matmul_bt, reference, square_sums};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// For the tolerance see `kernels_conv2d.rs`.
    #[test]
    fn agrees_with_plain_loops(
        m in prop_oneof![1..20usize, Just(64)],
        n in prop_oneof![1..40usize, Just(300)],
        k in prop_oneof![0..40usize, Just(300), Just(5000)],
    ) {
        prop_assume!(m * n * k < 2_000_000);
        let (a, b) = (random(m * k, 1), random(n * k, 2));
        for transposed in [false, true] {
            let exact = reference::matmul(m, n, k, &a, &b, transposed);
            let scale = reference::matmul(m, n, k, &abs(&a), &abs(&b), transposed);
            for level in levels() {
                level.force(|| {
                    let mut c = vec![f32::NAN; m * n];
                    if transposed {
                        matmul_bt(m, n, k, &a, &b, &mut c);
                    } else {
                        matmul(m, n, k, &a, &b, &mut c);
                    }
                    assert_close(&c, &exact, &scale, 1e-5, level.name());
                });
            }
        }
    }
}

#[test]
fn squares_are_those_of_the_product() {
    let (m, k) = (5, 5001);
    let a = random(m * k, 3);
    for level in levels() {
        level.force(|| {
            let mut sums = vec![f32::NAN; m];
            square_sums(m, k, &a, &mut sums);
            let exact: Vec<f64> = (a.chunks_exact(k))
                .map(|row| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum())
                .collect();
            assert_close(&sums, &exact, &exact, 1e-5, level.name());
        });
    }
}

/// Every result has the same bits with one thread and with several.
#[test]
fn thread_count_changes_nothing() {
    let (m, n, k) = (21, 530, 300);
    let (a, b) = (random(m * k, 1), random(n * k, 2));
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut c = [vec![0.0; m * n], vec![0.0; m * n]];
            matmul(m, n, k, &a, &b, &mut c[0]);
            matmul_bt(m, n, k, &a, &b, &mut c[1]);
            c
        })
    };
    let one = with_threads(1);
    for threads in [2, 5] {
        assert_eq!(one, with_threads(threads), "{threads} threads");
    }
}
