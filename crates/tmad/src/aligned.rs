//! Patch synthesis in register: the network that the built-in weights are for.
//!
//! The paper's network sees candidates that lie anyhow and can take no more than a hint of style
//! from them. Here every candidate is aligned with what it is to replace, as a picture of the
//! whole hole: PatchMatch's copies, voted and from single sources, and the windows that the
//! texture memory retrieved. So the network chooses between them pixel by pixel, and repairs.
//!
//! All that it can choose is as sharp as the picture: the guess lends the best copy its colours
//! only, and the choice is a hard one, as that of the texture memory, with the straight-through
//! gradient of Eq. (5). Shares that add up to 1 would be shares of a mean: fog. What it repairs are
//! colours, over several pixels: free to draw finer detail, it learned patterns that please the
//! losses and no eye.

use crate::coarse::{check_count, check_trained_hole, check_widths};
use crate::config_error::ConfigError;
use crate::layers::{Conv2d, Down, Initializer, Residual, Up, encode_decode, padded};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};
use inpaint_core::patchmatch::NUM_RANKS;
use serde::{Deserialize, Serialize};

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlignedConfig {
    /// Channels from full resolution down to the bottleneck; each step halves the resolution.
    /// Default 24, 48, 96, 128.
    pub widths: Vec<usize>,
    /// Residual blocks at the bottleneck. Default 4.
    pub num_residual: usize,
    /// Channels from which CARAFE predicts its kernels. Default 24.
    pub carafe_channels: usize,
    /// Widest hole in pixels that the network knows from its training; about wider ones it decides
    /// at a smaller scale. In the middle of what it has never seen, the mean of all sources would be
    /// its choice: fog. Default 64.
    pub trained_hole_px: u32,
}

impl Default for AlignedConfig {
    fn default() -> Self {
        Self {
            widths: vec![24, 48, 96, 128],
            num_residual: 4,
            carafe_channels: 24,
            trained_hole_px: 64,
        }
    }
}

impl AlignedConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_widths("aligned.widths", &self.widths)?;
        check_widths("aligned.carafe_channels", &[self.carafe_channels])?;
        check_count("aligned.num_residual", self.num_residual)?;
        check_trained_hole("aligned.trained_hole_px", self.trained_hole_px)
    }
}

/// What the network chooses from, `[batch, …, height, width]` in [-1, 1]; all of it shows the
/// picture outside the hole.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Copies from single sources, [`NUM_RANKS`] · 3 channels; the first is the default.
    pub ranked: Tensor<4>,
    /// The voted copy, 3 channels.
    pub voted: Tensor<4>,
    /// Windows of the texture memory in place, `num_candidates` · 3 channels.
    pub retrieved: Tensor<4>,
    /// The guess of the structure, 3 channels; what can be chosen is [`recoloured`] with it.
    pub guess: Tensor<4>,
    /// 1 = hole, 1 channel.
    pub mask: Tensor<4>,
    /// How far the copies are from exact repetitions, 0 to 1, 1 channel.
    pub doubt: Tensor<4>,
}

impl Sources {
    /// Names and values in the order in which the network sees them.
    pub fn planes(&self) -> [(&'static str, &Tensor<4>); 6] {
        [
            ("ranked", &self.ranked),
            ("voted", &self.voted),
            ("retrieved", &self.retrieved),
            ("guess", &self.guess),
            ("mask", &self.mask),
            ("doubt", &self.doubt),
        ]
    }
}

/// An encoder and decoder with skip connections whose output is a choice and a repair.
#[derive(Module, Debug)]
pub struct AlignedSynthesis {
    input: Conv2d,
    down: Vec<Down>,
    res: Vec<Residual>,
    up: Vec<Up>,
    output: Conv2d,
}

/// Side of the box, applied twice, whose means are the colours that a guess lends or that are
/// repaired.
pub const COLOUR_BOX_PX: usize = 9;
/// Side of the box over whose mean of evidence a source is chosen, so that single pixels do not
/// stray.
pub const CHOICE_BOX_PX: usize = 5;

/// What is left of planes at scales above that of texture.
fn colours(planes: Tensor<4>) -> Tensor<4> {
    let once = tmad_ops::box_means(planes, COLOUR_BOX_PX);
    tmad_ops::box_means(once, COLOUR_BOX_PX)
}

/// The copy with the colours of the guess: what of the guess is coarser than [`COLOUR_BOX_PX`],
/// and what of the copy is finer.
///
/// # Shapes
///
/// All three `[batch, 3, height, width]`.
pub fn recoloured(copy: Tensor<4>, guess: Tensor<4>) -> Tensor<4> {
    copy.clone() + colours(guess - copy)
}

/// Numbers of the largest of every pixel's channels, and 1 for those channels and 0 for the others;
/// the gradient of these is that of the softmax (Eq. 5).
fn hard_choice(logits: Tensor<4>) -> (Tensor<4, Int>, Tensor<4>) {
    let largest = logits.clone().detach().argmax(1);
    let soft = softmax(logits, 1);
    let [batch, channels, height, width] = soft.dims();
    let numbers = Tensor::<1, Int>::arange(0..channels as i64, &soft.device());
    let numbers = numbers.reshape([1, channels as i64, 1, 1]);
    let hard = (numbers.expand([batch, channels, height, width]))
        .equal(largest.clone().expand([batch, channels, height, width]))
        .float();
    // The difference is exactly zero, and carries the gradient.
    (largest, hard + (soft.clone() - soft.detach()))
}

/// Logit of the voted copy in an untrained network; the others have 0.
const VOTED_LOGIT: f32 = 2.0;

impl AlignedSynthesis {
    /// Creates the network with fresh weights; it starts by passing the voted copy on.
    pub fn new(config: &AlignedConfig, num_candidates: usize, init: &mut Initializer) -> Self {
        let widths = &config.widths;
        // Copies by rank, voted copy, windows, guess.
        let num_sources = NUM_RANKS + 1 + num_candidates + 1;
        let mut biases = vec![0.0; num_sources + 3];
        biases[NUM_RANKS] = VOTED_LOGIT;
        Self {
            input: Conv2d::new(init, 3 * num_sources + 2, widths[0], 3),
            down: (widths.windows(2))
                .map(|pair| Down::new(init, pair[0], pair[1]))
                .collect(),
            res: (0..config.num_residual)
                .map(|_| Residual::new(init, widths[widths.len() - 1], 1))
                .collect(),
            up: (widths.windows(2).rev())
                .map(|pair| Up::new(init, pair[1], pair[0], pair[0], 2, config.carafe_channels))
                .collect(),
            output: Conv2d::new(init, widths[0], num_sources + 3, 3)
                .linear()
                .zeroed()
                .biased(&biases),
        }
    }

    /// The completed picture, `[batch, 3, height, width]`, and the numbers of the sources that the
    /// network chose, `[batch, 1, height, width]`: copies by rank, the voted copy, windows by rank,
    /// the recoloured copy. Only the hole is used.
    ///
    /// It is the source that the network chooses for the pixel, its colours repaired. What
    /// departs from the default source does so in proportion to the doubt: copies that repeat
    /// exactly pass untouched. Any size: the sides are padded to a multiple of the network's stride
    /// by repeating the border, and cropped afterwards.
    pub fn forward(&self, sources: Sources) -> (Tensor<4>, Tensor<4, Int>) {
        let seen = sources.planes().map(|(_, planes)| planes.clone());
        let seen = Tensor::cat(seen.into(), 1);
        let Sources {
            ranked,
            voted,
            retrieved,
            guess,
            doubt,
            ..
        } = sources;
        let [batch, _, height, width] = guess.dims();
        let copy = ranked.clone().narrow(1, 0, 3);
        let choices = vec![ranked, voted, retrieved, recoloured(copy.clone(), guess)];
        let choices = Tensor::cat(choices, 1);
        let num_sources = choices.dims()[1] / 3;
        let maps = self.input.forward(padded(seen, 1 << self.down.len()));
        let maps = encode_decode(maps, (&self.down, &self.res, &self.up), true);
        let output = self.output.forward(maps);
        let output = output.narrow(2, 0, height).narrow(3, 0, width);
        let evidence = tmad_ops::box_means(output.clone().narrow(1, 0, num_sources), CHOICE_BOX_PX);
        let (numbers, chosen) = hard_choice(evidence);
        let repair = colours(output.narrow(1, num_sources, 3));
        let plane = height * width;
        let others = num_sources - 1;
        let differences = choices
            .narrow(1, 3, 3 * others)
            .reshape([batch, others, 3, plane])
            - copy.clone().reshape([batch, 1, 3, plane]);
        let chosen = (chosen.narrow(1, 1, others)).reshape([batch, others, 1, plane]);
        let moved = (differences * chosen)
            .sum_dim(1)
            .reshape([batch, 3, height, width]);
        (copy + (moved + repair) * doubt, numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::tensor_values;
    use burn::tensor::{Device, TensorData};
    use inpaint_core::random::Random;

    fn noise(shape: [usize; 4], random: &mut Random) -> Tensor<4> {
        let len = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|_| random.normal() as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// With weights that do anything at all.
    #[test]
    fn copies_beyond_doubt_pass_untouched() {
        let (device, mut random) = (Device::flex(), Random::new(3));
        let config = AlignedConfig {
            widths: vec![4, 6, 8],
            num_residual: 1,
            carafe_channels: 4,
            ..AlignedConfig::default()
        };
        let mut network = AlignedSynthesis::new(&config, 2, &mut Initializer::new(1, &device));
        network.output = Conv2d::new(&mut Initializer::new(2, &device), 4, 9, 3).linear();
        let mut plane = |channels| noise([1, channels, 7, 13], &mut random);
        let sources = Sources {
            ranked: plane(6),
            voted: plane(3),
            retrieved: plane(6),
            guess: plane(3),
            mask: Tensor::ones([1, 1, 7, 13], &device),
            doubt: Tensor::zeros([1, 1, 7, 13], &device),
        };
        let copy = tensor_values(sources.ranked.clone().narrow(1, 0, 3));
        let (found, _) = network.forward(sources.clone());
        assert_eq!(tensor_values(found), copy);
        let doubtful = Sources {
            doubt: Tensor::ones([1, 1, 7, 13], &device),
            ..sources
        };
        let found = tensor_values(network.forward(doubtful).0);
        assert!(found.iter().zip(&copy).all(|(a, b)| a != b));
    }
}
