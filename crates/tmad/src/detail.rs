//! The candidates' own detail, which a patch may take over as it is
//! ([`PatchSynthesisConfig::candidate_detail`](crate::patch_synthesis::PatchSynthesisConfig)).

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

/// Bands that [`bands`] splits a candidate into.
pub(crate) const NUM_BANDS: usize = 2;
/// Sides of the boxes between the bands, in pixels: what is finer than the first is fine, what is
/// finer than the second is middle, and the rest is left to the coarse guess.
const BOXES: [usize; NUM_BANDS] = [5, 17];

/// Biases of the backbone's output from which training starts: half of the best candidate's
/// detail, none of the others'.
pub(crate) fn initial_biases(num_candidates: usize) -> Vec<f32> {
    let mut biases = vec![0.0; 3 + NUM_BANDS * num_candidates];
    for band in 0..NUM_BANDS {
        biases[3 + band * num_candidates] = 0.5;
    }
    biases
}

/// Fine and middle frequencies of every channel.
///
/// # Shapes
///
/// `[n, channels, k, k]` → two of the same shape.
fn bands(x: Tensor<4>) -> [Tensor<4>; NUM_BANDS] {
    let [finer, coarser] = BOXES.map(|side| blurred(x.clone(), side));
    [x - finer.clone(), finer - coarser]
}

/// Mean over the box around every pixel, as far as it lies inside.
fn blurred(x: Tensor<4>, side: usize) -> Tensor<4> {
    let options = AvgPoolOptions::new([side; 2])
        .with_stride([1; 2])
        .with_padding([side / 2; 2])
        .with_count_include_pad(false);
    avg_pool2d(x, options)
}

/// Every candidate's bands side by side, for [`mixed`].
///
/// # Shapes
///
/// `candidates` `[n, num_candidates · 3, k, k]` → `[n, num_candidates · NUM_BANDS · 3, k, k]`.
pub(crate) fn all_bands(candidates: Tensor<4>) -> Tensor<4> {
    Tensor::cat(bands(candidates).to_vec(), 1)
}

/// The sum of all bands, each weighted pixel by pixel by its share.
///
/// # Shapes
///
/// `bands` `[n, num · 3, h, w]`, `shares` `[n, num, h, w]` → `[n, 3, h, w]`.
pub(crate) fn mixed(bands: Tensor<4>, shares: Tensor<4>) -> Tensor<4> {
    let [n, num, height, width] = shares.dims();
    let bands = bands.reshape([n, num, 3, height * width]);
    let shares = shares.reshape([n, num, 1, height * width]);
    (bands * shares).sum_dim(1).reshape([n, 3, height, width])
}
