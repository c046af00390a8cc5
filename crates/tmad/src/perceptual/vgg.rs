//! VGG-19.

use super::imagenet_normalized;
use crate::weights::{WeightsError, WeightsFile};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tmad_ops::{Conv2dOptions, MaxPool};

/// Torchvision's numbers of the convolutions up to conv5_3.
const CONVS: [usize; 15] = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32];
/// Torchvision's numbers of the poolings between them.
const POOLS: [usize; 4] = [4, 9, 18, 27];
/// The taps of the perceptual loss, Eq. (8): conv_5, conv_9 and conv_15 counted from 1, which are
/// conv3_1, conv4_1 and conv5_3.
const TAPS: [usize; 3] = [10, 19, 32];

/// The convolutional part of VGG-19 (Simonyan and Zisserman, 2015) as torchvision has it, up to
/// conv5_3, the last layer that the perceptual loss looks at.
#[derive(Debug, Clone)]
pub struct Vgg19 {
    convs: Vec<(Tensor<4>, Tensor<1>)>,
}

impl Vgg19 {
    /// Shortest side of a picture that the four poolings leave something of.
    pub const MIN_SIDE_PX: usize = 16;

    /// Takes the tensors `features.*` out of a file with torchvision's names; others are ignored.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when a tensor is missing, of another shape or format, or not finite.
    pub fn load(file: &WeightsFile<'_>, device: &Device) -> Result<Self, WeightsError> {
        let widths = [
            64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512,
        ];
        Self::with_widths(file, &widths, device)
    }

    /// As [`Vgg19::load`] for a network with other widths, for tests.
    ///
    /// # Errors
    ///
    /// As [`Vgg19::load`].
    pub fn with_widths(
        file: &WeightsFile<'_>,
        widths: &[usize; 15],
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let mut input = 3;
        let mut convs = Vec::with_capacity(CONVS.len());
        for (layer, &output) in CONVS.iter().zip(widths) {
            let shape = [output, input, 3, 3];
            let weight = file.tensor(&format!("features.{layer}.weight"), shape, device)?;
            let bias = file.tensor(&format!("features.{layer}.bias"), [output], device)?;
            convs.push((weight, bias));
            input = output;
        }
        Ok(Self { convs })
    }

    /// Three feature maps ahead of their ReLU, as ESRGAN takes them: at a quarter, an eighth and
    /// a sixteenth of the picture's sides.
    ///
    /// # Shapes
    ///
    /// `x` is `[batch, 3, height, width]` in [-1, 1], not normalised.
    ///
    /// # Panics
    ///
    /// If `x` has not 3 channels, or a side below [`Self::MIN_SIDE_PX`].
    pub fn taps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let [_, channels, height, width] = x.dims();
        assert_eq!(channels, 3, "VGG-19 sees RGB");
        assert!(
            height.min(width) >= Self::MIN_SIDE_PX,
            "VGG-19 needs sides of {} px or more, not {width}×{height}",
            Self::MIN_SIDE_PX
        );
        let options = Conv2dOptions {
            stride: 1,
            padding: 1,
            dilation: 1,
            negative_slope: None,
        };
        let windows = MaxPool {
            side: 2,
            stride: 2,
            ceil_mode: false,
        };
        let mut taps = Vec::with_capacity(TAPS.len());
        let mut x = imagenet_normalized(x);
        let mut last = None;
        for (layer, (weight, bias)) in CONVS.iter().zip(&self.convs) {
            if last.is_some_and(|last| POOLS.iter().any(|p| (last..*layer).contains(p))) {
                x = tmad_ops::max_pool(x, windows);
            }
            last = Some(*layer);
            let linear = tmad_ops::conv2d(x, weight.clone(), bias.clone(), options);
            if TAPS.contains(layer) {
                taps.push(linear.clone());
            }
            x = relu(linear);
        }
        taps
    }
}
