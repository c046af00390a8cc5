//! The two discriminators of Section III-D: one scores patches, the other judges the completed
//! picture everywhere.

use crate::spectral_norm::SpectralNorm;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::Random;
use serde::{Deserialize, Serialize};
use tmad::ConfigError;
use tmad::layers::NEGATIVE_SLOPE;
use tmad_ops::Conv2dOptions;

/// Sizes of the discriminators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// Channels of the patch discriminator from full resolution down; each step halves the
    /// resolution. Default 32, 64, 128, 128.
    pub patch_widths: Vec<usize>,
    /// Channels of the global discriminator's first four convolutions. Default 64, 128, 256, 512
    /// (CycleGAN's).
    pub global_widths: [usize; 4],
    /// Whether weights are spectrally normalised. Default on (as DeepFillv2 and EdgeConnect).
    pub spectral_norm: bool,
}

impl Default for DiscriminatorConfig {
    fn default() -> Self {
        Self {
            patch_widths: vec![32, 64, 128, 128],
            global_widths: [64, 128, 256, 512],
            spectral_norm: true,
        }
    }
}

impl DiscriminatorConfig {
    /// Checks what the types cannot, for patches of side `patch_px`.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self, patch_px: usize) -> Result<(), ConfigError> {
        let widths = self.patch_widths.iter().chain(&self.global_widths);
        if let Some(width) = widths.into_iter().find(|w| !(1..=1024).contains(*w)) {
            let problem = format!("width {width} is not in 1..=1024");
            return Err(ConfigError::new("discriminators", problem));
        }
        let halvings = self.patch_widths.len().saturating_sub(1);
        if self.patch_widths.is_empty() || halvings > 8 || !patch_px.is_multiple_of(1 << halvings) {
            let problem = format!(
                "{} widths do not fit patches of {patch_px} px",
                self.patch_widths.len()
            );
            return Err(ConfigError::new("discriminators.patch_widths", problem));
        }
        Ok(())
    }
}

/// A convolution whose weight may be spectrally normalised.
#[derive(Module, Debug)]
pub struct Conv {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    norm: Option<SpectralNorm>,
    #[module(skip)]
    options: Conv2dOptions,
}

/// Where fresh discriminators come from.
struct Fresh<'a> {
    random: Random,
    spectral_norm: bool,
    device: &'a Device,
}

impl Fresh<'_> {
    /// He-initialised for leaky ReLU, as the generator's layers.
    fn conv(&mut self, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Conv {
        let [input, output] = channels;
        let (weight, bias, norm) =
            self.parameters([output, input, kernel, kernel], input * kernel * kernel);
        Conv {
            weight,
            bias,
            norm,
            options: Conv2dOptions {
                stride,
                padding,
                dilation: 1,
                negative_slope: Some(NEGATIVE_SLOPE),
            },
        }
    }

    fn parameters<const D: usize>(
        &mut self,
        shape: [usize; D],
        fan_in: usize,
    ) -> (Param<Tensor<D>>, Param<Tensor<1>>, Option<SpectralNorm>) {
        let slope = f64::from(NEGATIVE_SLOPE);
        let deviation = (2.0 / ((1.0 + slope * slope) * fan_in as f64)).sqrt();
        let weight: Vec<f32> = (0..shape[0] * fan_in)
            .map(|_| (deviation * self.random.normal()) as f32)
            .collect();
        let bias = TensorData::new(vec![0.0f32; shape[0]], [shape[0]]);
        let norm = (self.spectral_norm)
            .then(|| SpectralNorm::new(shape[0], fan_in, &mut self.random, self.device));
        (
            Param::from_data(TensorData::new(weight, shape), self.device),
            Param::from_data(bias, self.device),
            norm,
        )
    }
}

impl Conv {
    fn linear(mut self) -> Self {
        self.options.negative_slope = None;
        self
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let weight = match &self.norm {
            Some(norm) => weight.clone() / norm.sigma(weight.flatten(1, 3)).reshape([1, 1, 1, 1]),
            None => weight,
        };
        tmad_ops::conv2d(x, weight, self.bias.val(), self.options)
    }

    fn iterated(mut self) -> Self {
        let weight = self.weight.val().flatten(1, 3);
        self.norm = self.norm.map(|norm| norm.iterated(weight));
        self
    }
}

/// Two convolutions of which the second halves the resolution.
#[derive(Module, Debug)]
pub struct Halving {
    conv1: Conv,
    conv2: Conv,
}

/// The last layer of the patch discriminator.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    norm: Option<SpectralNorm>,
}

/// C of Eq. (6) and (7): how much a patch looks like texture of the picture.
#[derive(Module, Debug)]
pub struct PatchDiscriminator {
    input: Conv,
    down: Vec<Halving>,
    conv: Conv,
    linear: Linear,
}

impl PatchDiscriminator {
    /// Fresh weights from `seed`, for patches of side `patch_px`.
    pub fn new(config: &DiscriminatorConfig, patch_px: usize, seed: u64, device: &Device) -> Self {
        let mut fresh = Fresh {
            random: Random::new(seed),
            spectral_norm: config.spectral_norm,
            device,
        };
        let widths = &config.patch_widths;
        let last = *widths
            .last()
            .expect("the patch discriminator needs a width");
        let side = patch_px >> (widths.len() - 1);
        let input = fresh.conv([3, widths[0]], 1, 1, 0);
        let down = (widths.windows(2))
            .map(|pair| Halving {
                conv1: fresh.conv([pair[0], pair[0]], 3, 1, 1),
                conv2: fresh.conv([pair[0], pair[1]], 3, 2, 1),
            })
            .collect();
        let conv = fresh.conv([last, last], 3, 1, 1);
        let (weight, bias, norm) = fresh.parameters([1, last * side * side], last * side * side);
        Self {
            input,
            down,
            conv,
            linear: Linear { weight, bias, norm },
        }
    }

    /// `[n, 3, k, k]` → one score each, `[n]`.
    pub fn forward(&self, patches: Tensor<4>) -> Tensor<1> {
        let mut x = self.input.forward(patches);
        for block in &self.down {
            x = block.conv2.forward(block.conv1.forward(x));
        }
        let x: Tensor<2> = self.conv.forward(x).flatten(1, 3);
        let weight = self.linear.weight.val();
        let weight = match &self.linear.norm {
            Some(norm) => weight.clone() / norm.sigma(weight).reshape([1, 1]),
            None => weight,
        };
        let [n, _] = x.dims();
        x.matmul(weight.transpose()).reshape([n]) + self.linear.bias.val()
    }

    /// With one power iteration for every weight; to be done once per training step.
    #[must_use]
    pub fn iterated(mut self) -> Self {
        self.input = self.input.iterated();
        self.down = (self.down.into_iter())
            .map(|block| Halving {
                conv1: block.conv1.iterated(),
                conv2: block.conv2.iterated(),
            })
            .collect();
        self.conv = self.conv.iterated();
        let weight = self.linear.weight.val();
        self.linear.norm = self.linear.norm.map(|norm| norm.iterated(weight));
        self
    }
}

/// The discriminator of the blending loss, Eq. (9): CycleGAN's, which judges every patch of
/// 70 × 70 pixels, without normalisation layers.
#[derive(Module, Debug)]
pub struct GlobalDiscriminator {
    conv: Vec<Conv>,
}

impl GlobalDiscriminator {
    /// Fresh weights from `seed`.
    pub fn new(config: &DiscriminatorConfig, seed: u64, device: &Device) -> Self {
        let mut fresh = Fresh {
            random: Random::new(seed),
            spectral_norm: config.spectral_norm,
            device,
        };
        let [a, b, c, d] = config.global_widths;
        Self {
            conv: vec![
                fresh.conv([3, a], 4, 2, 1),
                fresh.conv([a, b], 4, 2, 1),
                fresh.conv([b, c], 4, 2, 1),
                fresh.conv([c, d], 4, 1, 1),
                fresh.conv([d, 1], 4, 1, 1).linear(),
            ],
        }
    }

    /// Shortest side of a picture that leaves a logit.
    pub const MIN_SIDE_PX: usize = 24;

    /// `[batch, 3, height, width]` → a map of logits, `[batch, 1, …]`; 256² gives 30².
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<4> {
        (self.conv.iter()).fold(pictures, |x, conv| conv.forward(x))
    }

    /// With one power iteration for every weight; to be done once per training step.
    #[must_use]
    pub fn iterated(mut self) -> Self {
        self.conv = self.conv.into_iter().map(Conv::iterated).collect();
        self
    }
}
