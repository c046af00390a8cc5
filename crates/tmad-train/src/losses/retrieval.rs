//! What the retrieval should have found.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};

/// Side of the cells whose mean colours are compared: what is finer changes with the last few
/// pixels of a window's place, which are found later.
const CELL_PX: usize = 4;
/// Distances are measured in this part of a patch's mean distance to the windows.
const SHARPNESS: f64 = 0.1;

/// Cross entropy of the retrieval's softmax, Eq. (3), against windows weighted by how similar they
/// are to the truth: it tells every window apart, where the straight-through gradient of Eq. (5)
/// only says in which direction the few that were taken should change.
///
/// # Shapes
///
/// `scores` `[n, N]`, `truth` `[n, 3, k, k]`, `windows` `[N, 3, k, k]` with k a multiple of 4; the
/// result is a scalar `[1]`.
pub fn retrieval(scores: Tensor<2>, truth: Tensor<4>, windows: Tensor<4>) -> Tensor<1> {
    let (truth, windows) = (cells(truth), cells(windows));
    let squares = |x: &Tensor<2>| x.clone().square().sum_dim(1);
    let distances =
        squares(&truth) + squares(&windows).transpose() - truth.matmul(windows.transpose()) * 2.0;
    let scale = distances.clone().mean_dim(1) * SHARPNESS + 1e-6;
    let wanted = softmax(-distances / scale, 1).detach();
    -(wanted * log_softmax(scores, 1)).sum_dim(1).mean()
}

/// Mean colours, flattened.
fn cells(patches: Tensor<4>) -> Tensor<2> {
    let [n, channels, side, _] = patches.dims();
    let rows = side / CELL_PX;
    (patches.detach())
        .reshape([n * channels * rows, CELL_PX, rows, CELL_PX])
        .mean_dim(3)
        .mean_dim(1)
        .reshape([n, channels * rows * rows])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_window_that_shows_the_truth_should_have_the_highest_score() {
        let device = Device::flex();
        let shade = |values: &[f32]| {
            Tensor::<1>::from_floats(values, &device)
                .reshape([values.len(), 1, 1, 1])
                .expand([values.len(), 3, 8, 8])
        };
        let windows = || shade(&[-0.9, 0.1, 0.8]);
        let loss = |scores: [f32; 3]| {
            let scores = Tensor::<1>::from_floats(scores, &device).reshape([1, 3]);
            retrieval(scores, shade(&[0.8]), windows()).into_scalar::<f32>()
        };
        // Squared distances of 2.89, 0.49 and 0, their mean 1.127: weights exp(−25.6), exp(−4.35)
        // and 1. The second window keeps 0.0128 of them, and its score 9 nats too few.
        let right = loss([0.0, 0.0, 9.0]);
        let weight = f64::exp(-0.49 * 10.0 / (3.38 / 3.0));
        let missed = 9.0 * weight / (1.0 + weight);
        let partition = (1.0 + 2.0 * f64::exp(-9.0)).ln();
        let expected = (missed + partition) as f32;
        assert!((right - expected).abs() < 1e-4, "{right} {expected}");
        assert!(loss([9.0, 0.0, 0.0]) > 5.0);
        assert!((loss([0.0; 3]) - 3f32.ln()).abs() < 1e-4);
    }
}
