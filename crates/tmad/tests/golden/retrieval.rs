//! Scores, ranking, candidates and their gradients (Eq. 2 to 5): everything is stored.

use crate::common::golden::Golden;
use crate::common::tensors::{assert_same, autodiff, device, tensor, values};
use burn::tensor::Tensor;
use tmad::texture_memory::{MemoryConfig, Retrieval, retrieve, scores};

/// As single layers: the scores are one matrix product.
const OUTPUT: f64 = 1.5e-6;
/// u_j − Σ S_k u_k is a difference of numbers up to fifty times its size, each of them a sum of
/// products in f32; the README measures 5e-5 for it inside the whole model.
const GRADIENT: f64 = 2.5e-5;

fn config(retrieval: Retrieval) -> MemoryConfig {
    MemoryConfig {
        retrieval,
        ..Default::default()
    }
}

fn as_rows(golden: &Golden, name: &str) -> Vec<Vec<usize>> {
    let rows = golden.rows::<4>(name);
    rows.iter()
        .map(|row| row.iter().map(|&i| i as usize).collect())
        .collect()
}

/// Scores and candidates of the stored θ and φ, and the gradients of both embeddings; the
/// cotangent belongs to the first `num_ranks` candidates.
fn check(prefix: &str, retrieval: Retrieval, num_ranks: usize) {
    let golden = Golden::open("retrieval");
    let device = autodiff();
    let theta = golden
        .tensor::<2>(&format!("{prefix}theta"), &device)
        .require_grad();
    let phi = golden
        .tensor::<2>(&format!("{prefix}phi"), &device)
        .require_grad();
    let memory = golden
        .tensor::<4>(&format!("{prefix}memory"), &device)
        .require_grad();
    let c = scores(theta.clone(), phi.clone(), 1.0 / 32.0);
    golden.assert_close(&format!("{prefix}c"), &values(c.clone()), OUTPUT);

    let found = retrieve(c, memory.clone(), &config(retrieval));
    let ranking = as_rows(&golden, &format!("{prefix}ranking"));
    assert_eq!(found.ranking, ranking, "{prefix}");
    let [n, channels, side, _] = found.patches.dims();
    assert_eq!(channels, 3 * 4, "four candidates");
    let first = found.patches.narrow(1, 0, 3 * num_ranks);
    let output = golden.values(&format!("{prefix}output"));
    match retrieval {
        // Copies: not a bit may differ.
        Retrieval::Hard => assert_same(&values(first.clone()), &output, prefix),
        Retrieval::Random => unreachable!("no reference draws the same windows"),
        Retrieval::Soft => {
            golden.assert_close(&format!("{prefix}output"), &values(first.clone()), OUTPUT)
        }
    }
    let cotangent = golden.values(&format!("{prefix}cotangent"));
    let cotangent = tensor(cotangent, [n, 3 * num_ranks, side, side], &device);
    let grads = (first * cotangent).sum().backward();
    for (name, x) in [("theta", theta), ("phi", phi)] {
        let grad = values(
            x.grad(&grads)
                .expect("the embeddings are trained by retrieval"),
        );
        golden.assert_close(&format!("{prefix}grad.{name}"), &grad, GRADIENT);
    }
    assert!(memory.grad(&grads).is_none(), "the memory is data");
}

#[test]
fn hard_retrieval() {
    check("hard.", Retrieval::Hard, 4);
}

/// With three windows for four candidates, rank r takes window r mod 3.
#[test]
fn fewer_windows_than_candidates() {
    check("short.", Retrieval::Hard, 4);
}

/// One blended patch, which takes all four places.
#[test]
fn soft_retrieval() {
    check("soft.", Retrieval::Soft, 1);
    let golden = Golden::open("retrieval");
    let c = golden.tensor("soft.c", &device());
    let memory: Tensor<4> = golden.tensor("soft.memory", &device());
    let patches = retrieve(c, memory, &config(Retrieval::Soft)).patches;
    let first = values(patches.clone().narrow(1, 0, 3));
    for rank in 1..4 {
        assert_same(
            &values(patches.clone().narrow(1, 3 * rank, 3)),
            &first,
            "a later place",
        );
    }
}

#[test]
fn ties_go_to_the_lower_index() {
    let golden = Golden::open("retrieval");
    let c = golden.tensor("ties.c", &device());
    let memory = Tensor::zeros([5, 3, 1, 1], &device());
    let found = retrieve(c, memory, &config(Retrieval::Hard));
    assert_eq!(found.ranking, as_rows(&golden, "ties.ranking"));
}

#[test]
fn windows_by_chance_differ_from_the_best_and_stay_the_same() {
    let scores = Tensor::from_data([[9.0, 8.0, 7.0, 1.0, 2.0, 3.0, 4.0, 5.0]; 6], &device());
    let memory = Tensor::zeros([8, 3, 1, 1], &device());
    let found = || retrieve(scores.clone(), memory.clone(), &config(Retrieval::Random)).ranking;
    assert_eq!(found(), found());
    let best = retrieve(scores.clone(), memory.clone(), &config(Retrieval::Hard)).ranking;
    let differ = found().iter().zip(&best).filter(|(a, b)| a != b).count();
    assert!(differ >= 5, "{:?}", found());
}
