//! SqueezeNet 1.1.

use super::imagenet_normalized;
use crate::weights::{WeightsError, WeightsFile};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::Random;
use tmad_ops::{Conv2dOptions, MaxPool};

/// Number of feature maps that [`SqueezeNet::taps`] returns.
pub const NUM_TAPS: usize = 7;
/// Channels of each feature map.
pub const TAP_CHANNELS: [usize; NUM_TAPS] = [64, 128, 256, 384, 384, 512, 512];

/// Fire modules: torchvision's index, channels in, squeezed, out of either expansion.
const FIRES: [(usize, usize, usize, usize); 8] = [
    (3, 64, 16, 64),
    (4, 128, 16, 64),
    (6, 128, 32, 128),
    (7, 256, 32, 128),
    (9, 256, 48, 192),
    (10, 384, 48, 192),
    (11, 384, 64, 256),
    (12, 512, 64, 256),
];

/// On which side of their ReLU features are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// Ahead of it: the perceptual loss, after ESRGAN, for which sparse features say too little.
    BeforeRelu,
    /// Behind it: LPIPS.
    AfterRelu,
}

/// The convolutional part of SqueezeNet 1.1 (Iandola et al., 2016) as torchvision has it:
/// `features.0` is 3×3 stride 2 without padding, max-pooling 3×3 stride 2 in ceil mode comes
/// ahead of fire modules 3, 6 and 9, and the seven taps are those of LPIPS 0.1.
#[derive(Debug, Clone)]
pub struct SqueezeNet {
    stem: Conv,
    fires: Vec<Fire>,
}

impl SqueezeNet {
    /// Shortest side of a picture: below it a pooling window of torchvision has nothing to pool.
    pub const MIN_SIDE_PX: usize = 17;

    /// Takes the tensors `features.*` out of a file with torchvision's names; others, such as
    /// the classifier's, are ignored.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when a tensor is missing, of another shape or format, or not finite.
    pub fn load(file: &WeightsFile<'_>, device: &Device) -> Result<Self, WeightsError> {
        Self::build(|name, shape| {
            Ok(Conv {
                weight: file.tensor(&format!("{name}.weight"), shape, device)?,
                bias: file.tensor(&format!("{name}.bias"), [shape[0]], device)?,
            })
        })
    }

    /// Random weights (He-normal, biases in ±0.1): for tests of the plumbing, which need no
    /// download. Random features are no measure of anything else.
    pub fn random(seed: u64, device: &Device) -> Self {
        let mut random = Random::new(seed);
        let built = Self::build(|_, shape| -> Result<Conv, std::convert::Infallible> {
            let [out, fan_in] = [shape[0], shape[1] * shape[2] * shape[3]];
            let deviation = (2.0 / fan_in as f64).sqrt();
            let weight: Vec<f32> = (0..out * fan_in)
                .map(|_| (deviation * random.normal()) as f32)
                .collect();
            let bias: Vec<f32> = (0..out)
                .map(|_| (0.2 * random.unit() - 0.1) as f32)
                .collect();
            Ok(Conv {
                weight: Tensor::from_data(TensorData::new(weight, shape), device),
                bias: Tensor::from_data(TensorData::new(bias, [out]), device),
            })
        });
        match built {
            Ok(network) => network,
            Err(never) => match never {},
        }
    }

    fn build<E>(mut conv: impl FnMut(&str, [usize; 4]) -> Result<Conv, E>) -> Result<Self, E> {
        let stem = conv("features.0", [64, 3, 3, 3])?;
        let mut fires = Vec::with_capacity(FIRES.len());
        for (index, input, squeezed, expanded) in FIRES {
            let mut part = |name: &str, shape| conv(&format!("features.{index}.{name}"), shape);
            fires.push(Fire {
                squeeze: part("squeeze", [squeezed, input, 1, 1])?,
                expand1x1: part("expand1x1", [expanded, squeezed, 1, 1])?,
                expand3x3: part("expand3x3", [expanded, squeezed, 3, 3])?,
            });
        }
        Ok(Self { stem, fires })
    }

    /// Seven feature maps, finest first: of `features.0` and of the fire modules 4, 7, 9, 10, 11
    /// and 12.
    ///
    /// # Shapes
    ///
    /// `x` is `[batch, 3, height, width]` in [-1, 1], not normalised; map i is
    /// `[batch, TAP_CHANNELS[i], …]`. A side of 256 gives maps of 127, 63, 31 and four of 15.
    ///
    /// # Panics
    ///
    /// If `x` has not 3 channels, or a side below [`Self::MIN_SIDE_PX`].
    pub fn taps(&self, x: Tensor<4>, tap: Tap) -> Vec<Tensor<4>> {
        let [_, channels, height, width] = x.dims();
        assert_eq!(channels, 3, "SqueezeNet sees RGB");
        assert!(
            height.min(width) >= Self::MIN_SIDE_PX,
            "SqueezeNet needs sides of {} px or more, not {width}×{height}",
            Self::MIN_SIDE_PX
        );
        let mut taps = Vec::with_capacity(NUM_TAPS);
        let mut keep = |linear: &Tensor<4>, active: &Tensor<4>| {
            taps.push(match tap {
                Tap::BeforeRelu => linear.clone(),
                Tap::AfterRelu => active.clone(),
            });
        };
        let linear = self.stem.forward(imagenet_normalized(x), 2, 0);
        let mut x = relu(linear.clone());
        keep(&linear, &x);
        for ((index, ..), fire) in FIRES.iter().zip(&self.fires) {
            if matches!(index, 3 | 6 | 9) {
                x = pooled(x);
            }
            let linear = fire.forward(x);
            x = relu(linear.clone());
            if !matches!(index, 3 | 6) {
                keep(&linear, &x);
            }
        }
        taps
    }
}

fn pooled(x: Tensor<4>) -> Tensor<4> {
    let windows = MaxPool {
        side: 3,
        stride: 2,
        ceil_mode: true,
    };
    tmad_ops::max_pool(x, windows)
}

#[derive(Debug, Clone)]
struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
}

impl Conv {
    fn forward(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        let options = Conv2dOptions {
            stride,
            padding,
            dilation: 1,
            negative_slope: None,
        };
        tmad_ops::conv2d(x, self.weight.clone(), self.bias.clone(), options)
    }
}

#[derive(Debug, Clone)]
struct Fire {
    squeeze: Conv,
    expand1x1: Conv,
    expand3x3: Conv,
}

impl Fire {
    /// Ahead of the module's last ReLU.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let squeezed = relu(self.squeeze.forward(x, 1, 0));
        let pointwise = self.expand1x1.forward(squeezed.clone(), 1, 0);
        Tensor::cat(vec![pointwise, self.expand3x3.forward(squeezed, 1, 1)], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::tensor_values;

    fn ramp(height: usize, width: usize, device: &Device) -> Tensor<4> {
        let values: Vec<f32> = (0..3 * height * width)
            .map(|i| ((i * 37 % 101) as f32) / 50.0 - 1.0)
            .collect();
        Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
    }

    #[test]
    fn maps_have_torchvisions_sizes() {
        let device = Device::flex();
        let network = SqueezeNet::random(1, &device);
        // 40 → 19 → 9 → 4 → 2: the last pooling has a window that reaches beyond the border,
        // which only ceil mode keeps. 17 is the smallest: 8 → 4 → 2 → 1.
        for (side, sizes) in [
            (40, [19, 9, 4, 2, 2, 2, 2]),
            (17, [8, 4, 2, 1, 1, 1, 1]),
            (256, [127, 63, 31, 15, 15, 15, 15]),
        ] {
            let taps = network.taps(ramp(side, side, &device), Tap::AfterRelu);
            let dims: Vec<_> = taps.iter().map(|tap| tap.dims()).collect();
            let expected: Vec<_> = (0..NUM_TAPS)
                .map(|i| [1, TAP_CHANNELS[i], sizes[i], sizes[i]])
                .collect();
            assert_eq!(dims, expected);
        }
    }

    #[test]
    fn taps_differ_by_the_relu_alone() {
        let device = Device::flex();
        let network = SqueezeNet::random(2, &device);
        let x = ramp(33, 40, &device);
        let before = network.taps(x.clone(), Tap::BeforeRelu);
        let after = network.taps(x, Tap::AfterRelu);
        for (before, after) in before.into_iter().zip(after) {
            assert!(tensor_values(before.clone()).iter().any(|&v| v < 0.0));
            assert_eq!(tensor_values(relu(before)), tensor_values(after));
        }
    }

    #[test]
    fn ceil_mode_keeps_the_last_partial_window() {
        let device = Device::flex();
        let x = Tensor::from_data(
            TensorData::new((0..16).map(|v| v as f32).collect(), [1, 1, 4, 4]),
            &device,
        );
        assert_eq!(tensor_values(pooled(x)), [10.0, 11.0, 14.0, 15.0]);
    }

    #[test]
    fn a_picture_of_one_colour_gives_a_hand_computed_first_tap() {
        let device = Device::flex();
        let network = SqueezeNet::random(3, &device);
        let grey = Tensor::zeros([1, 3, 17, 17], &device);
        let first = tensor_values(network.taps(grey, Tap::BeforeRelu).swap_remove(0));
        let weights = tensor_values(network.stem.weight.clone());
        let biases = tensor_values(network.stem.bias.clone());
        let normalised = [0usize, 1, 2]
            .map(|c| (0.5 - super::super::IMAGENET_MEAN[c]) / super::super::IMAGENET_DEVIATION[c]);
        for (channel, bias) in biases.iter().enumerate() {
            let taps = &weights[27 * channel..27 * (channel + 1)];
            let sum: f32 = (taps.iter().enumerate())
                .map(|(i, weight)| weight * normalised[i / 9])
                .sum();
            // 27 products below 0.4 in f32, in another order.
            assert!((first[64 * channel] - (sum + bias)).abs() < 1e-5);
        }
    }

    #[test]
    fn gradients_reach_the_picture_through_every_tap() {
        let device = Device::flex().autodiff();
        let network = SqueezeNet::random(4, &device);
        for tap in 0..NUM_TAPS {
            let x = ramp(18, 20, &device).require_grad();
            let sum = network
                .taps(x.clone(), Tap::BeforeRelu)
                .swap_remove(tap)
                .sum();
            let gradient = x
                .grad(&sum.backward())
                .expect("the picture needs a gradient");
            let values = tensor_values(gradient);
            assert!(values.iter().all(|v| v.is_finite()) && values.iter().any(|&v| v != 0.0));
        }
    }
}
