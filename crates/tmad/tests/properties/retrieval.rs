//! Retrieval as a function of scores and memory.

use crate::common::golden::formula;
use crate::common::tensors::{assert_close, assert_same, autodiff, device, tensor, values};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use tmad::texture_memory::{Candidates, MemoryConfig, Retrieval, retrieve, scores};

const SIDE: usize = 3;
const PATCH_LEN: usize = 3 * SIDE * SIDE;

fn memory(num_windows: usize, device: &Device) -> Tensor<4> {
    let values = formula("memory", num_windows * PATCH_LEN, 1.0);
    tensor(values, [num_windows, 3, SIDE, SIDE], device)
}

fn hard(scores: Tensor<2>, memory: Tensor<4>, num_candidates: usize) -> Candidates {
    let config = MemoryConfig {
        num_candidates,
        ..Default::default()
    };
    retrieve(scores, memory, &config)
}

/// Rows of `width` from a list of distinct or repeated scores.
fn matrix(rows: &[Vec<f32>], device: &Device) -> Tensor<2> {
    tensor(rows.concat(), [rows.len(), rows[0].len()], device)
}

/// Few distinct values, so that ties are common.
fn score_rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
    (1..5usize, 1..12usize).prop_flat_map(|(rows, columns)| {
        let score = (-4..4i8).prop_map(|s| f32::from(s) / 4.0);
        prop::collection::vec(prop::collection::vec(score, columns), rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Against a plain stable sort; with and without autodiff, whose straight-through term must
    /// not change a bit of the candidates.
    #[test]
    fn candidates_are_the_best_windows(rows in score_rows(), num_candidates in 1..7usize) {
        for device in [device(), autodiff()] {
            let num_windows = rows[0].len();
            let found = hard(matrix(&rows, &device), memory(num_windows, &device), num_candidates);
            let windows = formula("memory", num_windows * PATCH_LEN, 1.0);
            let mut patches = Vec::new();
            for (row, scores) in rows.iter().enumerate() {
                let mut order: Vec<usize> = (0..num_windows).collect();
                order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
                let expected: Vec<usize> = (0..num_candidates).map(|r| order[r % num_windows]).collect();
                prop_assert_eq!(&found.ranking[row], &expected);
                let in_order: Vec<f32> = expected.iter().map(|&i| scores[i]).collect();
                prop_assert_eq!(&found.ranked_scores[row], &in_order);
                let first = num_candidates.min(num_windows);
                prop_assert!(in_order[..first].is_sorted_by(|a, b| a >= b), "scores fall");
                for i in expected {
                    patches.extend_from_slice(&windows[i * PATCH_LEN..(i + 1) * PATCH_LEN]);
                }
            }
            assert_same(&values(found.patches), &patches, "candidates");
        }
    }

    #[test]
    fn the_order_of_the_memory_does_not_matter(
        order in Just((0..9usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let device = device();
        let theta = tensor(formula("theta", 4 * 30, 1.0), [4, 30], &device);
        let phi = formula("phi", 9 * 30, 1.0);
        let windows = formula("memory", 9 * PATCH_LEN, 1.0);
        let run = |order: &[usize]| {
            let pick = |values: &[f32], len: usize| -> Vec<f32> {
                order.iter().flat_map(|&i| values[i * len..(i + 1) * len].to_vec()).collect()
            };
            let phi = tensor(pick(&phi, 30), [9, 30], &device);
            let memory = tensor(pick(&windows, PATCH_LEN), [9, 3, SIDE, SIDE], &device);
            hard(scores(theta.clone(), phi, 1.0 / 32.0), memory, 4)
        };
        let plain = run(&(0..9).collect::<Vec<_>>());
        let shuffled = run(&order);
        let renamed: Vec<Vec<usize>> =
            shuffled.ranking.iter().map(|ranks| ranks.iter().map(|&i| order[i]).collect()).collect();
        prop_assert_eq!(renamed, plain.ranking);
        assert_same(&values(shuffled.patches), &values(plain.patches), "candidates");
    }

    #[test]
    fn the_order_of_the_hole_patches_is_kept(
        order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let rows: Vec<Vec<f32>> = (0..5).map(|i| formula(&format!("row {i}"), 8, 1.0)).collect();
        let shuffled: Vec<_> = order.iter().map(|&i| rows[i].clone()).collect();
        let plain = hard(matrix(&rows, &device()), memory(8, &device()), 4);
        let found = hard(matrix(&shuffled, &device()), memory(8, &device()), 4);
        let expected: Vec<_> = order.iter().map(|&i| plain.ranking[i].clone()).collect();
        prop_assert_eq!(found.ranking, expected);
    }
}

#[test]
fn equal_scores_rank_by_index() {
    let found = hard(Tensor::ones([2, 300], &device()), memory(300, &device()), 4);
    assert_eq!(found.ranking, [[0, 1, 2, 3], [0, 1, 2, 3]]);
}

/// φ is normalised: a brighter window is not more similar. Scaling θ changes S but no order.
#[test]
fn scales_of_the_embeddings() {
    let device = device();
    let theta = || tensor(formula("theta", 3 * 40, 2.0), [3, 40], &device);
    let phi = || tensor(formula("phi", 6 * 40, 2.0), [6, 40], &device);
    let weights = |theta, phi| softmax(scores(theta, phi, 1.0 / 32.0), 1);
    let plain = values(weights(theta(), phi()));
    // 7·φ rounds, as do the norm and the quotient: a few units in the last place.
    assert_close(&values(weights(theta(), phi() * 7.0)), &plain, 1e-6, "S");
    let ranking = |theta| hard(scores(theta, phi(), 1.0 / 32.0), memory(6, &device), 4).ranking;
    assert_eq!(ranking(theta() * 7.0), ranking(theta()));
    assert_ne!(
        plain,
        values(weights(theta() * 7.0, phi())),
        "θ is not normalised"
    );
}

fn gradient_of_scores(rows: &Tensor<2>, config: &MemoryConfig, cotangent: &[f32]) -> Vec<f32> {
    let rows = rows.clone().require_grad();
    let [n, num_windows] = rows.dims();
    let patches = retrieve(rows.clone(), memory(num_windows, &autodiff()), config).patches;
    let cotangent = tensor(cotangent.to_vec(), [n, 4 * 3, SIDE, SIDE], &autodiff());
    values(
        rows.grad(&(patches * cotangent).sum().backward())
            .expect("tracked"),
    )
}

/// The same cotangent at any rank gives the same gradient: all ranks share one Jacobian, the one
/// of the weighted sum.
#[test]
fn the_gradient_cannot_tell_ranks_apart() {
    let rows = tensor(formula("scores", 2 * 6, 1.0), [2, 6], &autodiff());
    let at_rank = |rank: usize| {
        let mut cotangent = vec![0.0; 2 * 4 * PATCH_LEN];
        for patch in 0..2 {
            let start = (patch * 4 + rank) * PATCH_LEN;
            let g = formula(&format!("g {patch}"), PATCH_LEN, 1.0);
            cotangent[start..start + PATCH_LEN].copy_from_slice(&g);
        }
        cotangent
    };
    let hard = MemoryConfig::default();
    let first = gradient_of_scores(&rows, &hard, &at_rank(0));
    assert!(first.iter().any(|&g| g != 0.0));
    for rank in 1..4 {
        assert_close(
            &gradient_of_scores(&rows, &hard, &at_rank(rank)),
            &first,
            1e-6,
            "rank",
        );
    }
    let soft = MemoryConfig {
        retrieval: Retrieval::Soft,
        ..hard
    };
    assert_close(
        &gradient_of_scores(&rows, &soft, &at_rank(2)),
        &first,
        1e-6,
        "weighted sum",
    );
}

/// A window without any feature has similarity 0 and must not turn gradients into NaN.
#[test]
fn a_window_without_features_is_harmless() {
    let device = autodiff();
    let theta = tensor(formula("theta", 2 * 5, 1.0), [2, 5], &device).require_grad();
    let mut phi = formula("phi", 3 * 5, 1.0);
    phi[5..10].fill(0.0);
    let phi = tensor(phi, [3, 5], &device).require_grad();
    let c = scores(theta.clone(), phi.clone(), 1.0);
    let found = values(c.clone());
    assert_eq!((found[1], found[4]), (0.0, 0.0));
    let cotangent = tensor(formula("cotangent", 6, 1.0), [2, 3], &device);
    let grads = (c * cotangent).sum().backward();
    for grad in [theta.grad(&grads), phi.grad(&grads)] {
        assert!(values(grad.expect("tracked")).iter().all(|g| g.is_finite()));
    }
}
