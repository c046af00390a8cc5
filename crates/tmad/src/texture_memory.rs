//! Texture memory (Section III-B): which windows of the known picture it holds, how similar they
//! are to a hole patch, and the retrieval of the most similar ones.

use crate::coarse::check_widths;
use crate::config_error::ConfigError;
use crate::layers::{Conv2d, Initializer};
use crate::patch_synthesis::average_cells;
use crate::patches::{HoleCounts, Position};
use crate::tensors::{index_tensor, tensor_values};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use inpaint_core::Mask;
use inpaint_core::random::Random;
use serde::{Deserialize, Serialize};
use tmad_ops::{matmul_bt, square_sums};

/// What the memory holds and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Distance between neighbouring windows in pixels. Default 16 (the paper's rectangles; 8
    /// for free-form masks).
    pub stride_px: usize,
    /// Which windows qualify. Default `valid`.
    pub rule: WindowRule,
    /// Windows drawn at training time, and at inference under `sampling = paper`. Default 100.
    pub num_pool: usize,
    /// How many of the qualifying windows are used at inference. Default `all`.
    pub sampling: Sampling,
    /// Candidates per hole patch. Default 4.
    pub num_candidates: usize,
    /// How many of the candidates are different; the best ones are repeated in the places of the
    /// others. For the paper's ablation with weights for more candidates. Default `None`, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_distinct: Option<usize>,
    /// Hard (the paper's) or soft (its W-Sum ablation). Default `hard`.
    pub retrieval: Retrieval,
    /// Factor of the scores before the softmax; the paper's text has 1, which saturates it.
    /// Default 1/32.
    pub temperature: f64,
    /// Channels of the embeddings' first and second convolution. Default 32 and 16.
    pub embedding_widths: (usize, usize),
    /// Side to which the embedding's map is averaged before flattening; `None` keeps it.
    /// Default `None`.
    pub embedding_pool: Option<usize>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            stride_px: 16,
            rule: WindowRule::Valid,
            num_pool: 100,
            sampling: Sampling::All,
            num_candidates: 4,
            num_distinct: None,
            retrieval: Retrieval::Hard,
            temperature: 1.0 / 32.0,
            embedding_widths: (32, 16),
            embedding_pool: None,
        }
    }
}

impl MemoryConfig {
    /// Checks what the types cannot, for patches of side `patch_px`.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self, patch_px: usize) -> Result<(), ConfigError> {
        let (hidden, channels) = self.embedding_widths;
        check_widths("memory.embedding_widths", &[hidden, channels])?;
        check_widths("memory.num_candidates", &[self.num_candidates])?;
        if let Some(distinct) = self.num_distinct
            && !(1..=self.num_candidates).contains(&distinct)
        {
            return Err(ConfigError::new(
                "memory.num_distinct",
                format!("{distinct} is not in 1..={}", self.num_candidates),
            ));
        }
        if self.stride_px == 0 || self.num_pool == 0 {
            return Err(ConfigError::new(
                "memory",
                "stride_px and num_pool must not be 0",
            ));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(ConfigError::new(
                "memory.temperature",
                format!("{} is not positive", self.temperature),
            ));
        }
        match self.embedding_pool {
            Some(pool) if pool == 0 || !patch_px.is_multiple_of(pool) => Err(ConfigError::new(
                "memory.embedding_pool",
                format!("{pool} does not divide patch_px, {patch_px}"),
            )),
            _ => Ok(()),
        }
    }
}

/// Which windows may enter the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowRule {
    /// Those without a hole pixel (the paper's rule for rectangles).
    Valid,
    /// Those with the fewest hole pixels (the paper's rule for free-form masks).
    FewestHolePixels,
}

/// How many of the qualifying windows are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// All: deterministic.
    All,
    /// A seeded random choice of `num_pool` (the paper's).
    Paper,
}

/// How candidates come out of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retrieval {
    /// The most similar windows themselves, with a straight-through gradient (Eq. 4, 5).
    Hard,
    /// One patch, the sum of all windows weighted by their similarity (ablation W-Sum); it takes
    /// every candidate's place.
    Soft,
    /// Windows by chance, the same for the same picture: what retrieval is worth shows against
    /// it. Not meant for training.
    Random,
}

/// First pixel of every window along a side: every `stride` pixels, and one flush with the end.
fn starts(side: usize, patch_px: usize, stride: usize) -> Vec<i32> {
    let last = side.saturating_sub(patch_px);
    let mut starts: Vec<_> = (0..=last).step_by(stride).map(|s| s as i32).collect();
    if starts.last() != Some(&(last as i32)) {
        starts.push(last as i32);
    }
    starts
}

/// All windows that qualify for the memory of the picture with this mask.
///
/// Under [`WindowRule::Valid`] these are the windows without a hole pixel, row by row; with
/// fewer than `num_candidates` of them, and under [`WindowRule::FewestHolePixels`], the
/// `num_pool` windows with the fewest hole pixels, leaving out those more than half masked
/// unless fewer than `num_candidates` remain. Pictures smaller than a window get one.
pub fn memory_windows(
    mask: &Mask,
    patch_px: usize,
    config: &MemoryConfig,
    image: usize,
) -> Vec<Position> {
    let counts = HoleCounts::new(mask);
    let side = patch_px as i32;
    let columns = starts(mask.width() as usize, patch_px, config.stride_px.max(1));
    let all = starts(mask.height() as usize, patch_px, config.stride_px.max(1))
        .into_iter()
        .flat_map(|y| columns.iter().map(move |&x| Position { image, y, x }));
    let counted: Vec<_> = all.map(|p| (counts.in_square(p.y, p.x, side), p)).collect();
    if config.rule == WindowRule::Valid {
        let valid: Vec<_> = counted
            .iter()
            .filter(|(c, _)| *c == 0)
            .map(|&(_, p)| p)
            .collect();
        if valid.len() >= config.num_candidates {
            return valid;
        }
    }
    let mut ordered = counted;
    ordered.sort_by_key(|&(count, _)| count);
    let half = (patch_px * patch_px / 2) as u32;
    let num_usable = ordered.iter().filter(|&&(count, _)| count <= half).count();
    if num_usable >= config.num_candidates {
        ordered.truncate(num_usable);
    }
    ordered.truncate(config.num_pool);
    ordered.into_iter().map(|(_, position)| position).collect()
}

/// A random choice of `count` windows without repetition, in their old order; all of them if
/// there are no more.
pub fn sample_windows(windows: Vec<Position>, count: usize, seed: u64) -> Vec<Position> {
    if windows.len() <= count {
        return windows;
    }
    let mut random = Random::new(seed);
    let mut left = windows.len();
    let mut wanted = count;
    windows
        .into_iter()
        .filter(|_| {
            let take = random.below(left as u64) < wanted as u64;
            left -= 1;
            wanted -= usize::from(take);
            take
        })
        .collect()
}

/// θ or φ: a patch to a vector (3×3 convolution, 1×1 convolution, flatten).
#[derive(Module, Debug)]
pub struct Embedding {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: Option<usize>,
}

impl Embedding {
    /// Creates the embedding with fresh weights.
    pub fn new(config: &MemoryConfig, init: &mut Initializer) -> Self {
        let (hidden, channels) = config.embedding_widths;
        Self {
            conv1: Conv2d::new(init, 3, hidden, 3),
            conv2: Conv2d::new(init, hidden, channels, 1).linear(),
            pool: config.embedding_pool,
        }
    }

    /// For patches with this many more channels, which have no effect yet.
    pub fn widened(self, more: usize) -> Self {
        Self {
            conv1: self.conv1.widened(more),
            ..self
        }
    }

    /// `[n, channels, k, k]` → `[n, dimensions]`.
    pub fn forward(&self, patches: Tensor<4>) -> Tensor<2> {
        let x = self.conv2.forward(self.conv1.forward(patches));
        let [n, channels, side, _] = x.dims();
        match self.pool {
            Some(pool) => average_cells(x, side / pool).reshape([n, channels * pool * pool]),
            None => x.reshape([n, channels * side * side]),
        }
    }
}

/// Windows as Eq. (2) asks for them: their embeddings φ, and τ/max(‖φ‖, 10⁻⁶).
#[derive(Debug, Clone)]
pub struct Keys {
    phi: Tensor<2>,
    factors: Tensor<2>,
}

impl Keys {
    /// From `phi`, `[N, dimensions]`.
    pub fn new(phi: Tensor<2>, temperature: f64) -> Self {
        // Clamped under the root: the root's slope at 0 is infinite, and would turn the gradient
        // of a window without features into NaN.
        let norms = square_sums(phi.clone()).clamp_min(1e-12).sqrt();
        Self {
            phi,
            factors: (norms.recip() * temperature).transpose(),
        }
    }

    /// Similarity of hole patches to the windows: `theta` `[n, dimensions]` → `[n, N]`.
    pub fn scores(&self, theta: Tensor<2>) -> Tensor<2> {
        // Factors to the products rather than to the keys, which are large.
        matmul_bt(theta, self.phi.clone()) * self.factors.clone()
    }
}

/// Similarity of hole patches to windows, Eq. (2): τ·θᵀφ/max(‖φ‖, 10⁻⁶).
///
/// # Shapes
///
/// `theta` `[n, dimensions]`, `phi` `[N, dimensions]` → `[n, N]`.
pub fn scores(theta: Tensor<2>, phi: Tensor<2>, temperature: f64) -> Tensor<2> {
    Keys::new(phi, temperature).scores(theta)
}

/// Candidates of every hole patch of one picture.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// `[n, num_candidates · 3, k, k]` in rank order.
    pub patches: Tensor<4>,
    /// Per hole patch, the windows' indices in the memory by falling score.
    pub ranking: Vec<Vec<usize>>,
    /// Per hole patch, the scores in rank order.
    pub ranked_scores: Vec<Vec<f32>>,
    /// All scores, `[n, N]`.
    pub scores: Tensor<2>,
}

/// Retrieves the `num_candidates` most similar windows of every hole patch, Eq. (3) to (5).
///
/// The hard retrieval's forward pass is a gather: candidates are bit-equal to the memory's
/// windows. Its gradient is that of the weighted sum, the same for every rank. No gradient flows
/// into `memory`. Ties go to the lower index; with fewer windows than candidates, rank r takes
/// window r modulo their number, as with `num_distinct`.
///
/// # Shapes
///
/// `scores` `[n, N]`, `memory` `[N, 3, k, k]`, with n, N > 0.
pub fn retrieve(scores: Tensor<2>, memory: Tensor<4>, config: &MemoryConfig) -> Candidates {
    let [num_patches, num_windows] = scores.dims();
    let [_, channels, side, _] = memory.dims();
    let num_candidates = config.num_candidates;
    let flat = (memory.detach()).reshape([num_windows, channels * side * side]);
    let (ranking, ranked_scores) = rankings(&scores, config);
    let is_training = scores.device().is_autodiff();
    let weighted = (is_training || config.retrieval == Retrieval::Soft).then(|| {
        softmax(scores.clone(), 1)
            .matmul(flat.clone())
            .unsqueeze_dim::<3>(1)
    });
    let patches = match config.retrieval {
        Retrieval::Hard | Retrieval::Random => {
            let indices = ranking.iter().flatten().map(|&i| i as i64).collect();
            let hard = flat
                .select(0, index_tensor(indices, &scores.device()))
                .reshape([num_patches, num_candidates, channels * side * side]);
            match weighted {
                // The difference is exactly zero, and carries the gradient.
                Some(weighted) => hard + (weighted.clone() - weighted.detach()),
                None => hard,
            }
        }
        Retrieval::Soft => {
            let weighted = weighted.expect("computed for soft retrieval");
            weighted.repeat_dim(1, num_candidates)
        }
    };
    Candidates {
        patches: patches.reshape([num_patches, num_candidates * channels, side, side]),
        ranking,
        ranked_scores,
        scores,
    }
}

/// The best windows of every hole patch, and their scores, by rank; ties go to the lower index.
///
/// # Shapes
///
/// `scores` `[n, N]` with N > 0.
pub fn rankings(scores: &Tensor<2>, config: &MemoryConfig) -> (Vec<Vec<usize>>, Vec<Vec<f32>>) {
    let [num_patches, num_windows] = scores.dims();
    let values = match config.retrieval {
        Retrieval::Random => {
            let mut random = Random::new(0);
            let values = (0..num_patches * num_windows).map(|_| random.unit() as f32);
            values.collect()
        }
        Retrieval::Hard | Retrieval::Soft => tensor_values(scores.clone().detach()),
    };
    let count = config.num_candidates;
    let distinct = config.num_distinct.unwrap_or(count);
    let rows = values.chunks_exact(num_windows);
    rows.map(|row| rank(row, distinct, count)).unzip()
}

/// The `distinct` best of `scores`, repeated up to `count`, and their values; ties go to the lower
/// index.
fn rank(scores: &[f32], distinct: usize, count: usize) -> (Vec<usize>, Vec<f32>) {
    let better = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]).then(a.cmp(&b));
    let mut order: Vec<usize> = (0..scores.len()).collect();
    if distinct < order.len() {
        order.select_nth_unstable_by(distinct, better);
        order.truncate(distinct);
    }
    order.sort_unstable_by(better);
    let ranking: Vec<usize> = order.iter().copied().cycle().take(count).collect();
    let values = ranking.iter().map(|&i| scores[i]).collect();
    (ranking, values)
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn the_best_are_repeated_where_fewer_are_wanted() {
        let scores = [0.5, 3.0, 1.0, 3.0, 2.0];
        assert_eq!(rank(&scores, 4, 4).0, [1, 3, 4, 2]);
        assert_eq!(rank(&scores, 1, 4).0, [1, 1, 1, 1]);
        assert_eq!(rank(&scores, 2, 3), (vec![1, 3, 1], vec![3.0, 3.0, 3.0]));
        assert_eq!(rank(&scores[..2], 4, 4).0, [1, 0, 1, 0]);
    }
}
