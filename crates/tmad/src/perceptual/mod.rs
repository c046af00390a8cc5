//! Features of ImageNet classifiers, in which pictures are compared the way people see them: by
//! the perceptual loss of the training (Section III-E of the paper) and by the LPIPS metric.
//!
//! These networks are frozen: their weights are constants, and gradients flow to the pictures
//! only. The weights are files of the user's, with torchvision's names.

mod squeezenet;
mod vgg;

pub use squeezenet::{NUM_TAPS, SqueezeNet, TAP_CHANNELS, Tap};
pub use vgg::Vgg19;

use crate::weights::{WeightsError, WeightsFile};
use burn::tensor::{Device, Tensor, TensorData};

/// Mean of ImageNet's pictures per channel on [0, 1], for torchvision's networks.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's pictures per channel on [0, 1].
pub const IMAGENET_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// From [-1, 1] to what torchvision's networks were trained on: ((x + 1)/2 − mean) / deviation.
///
/// This is the `ScalingLayer` of LPIPS too: its constants are 2·mean − 1 and 2·deviation.
///
/// # Shapes
///
/// `[batch, 3, height, width]` in and out.
pub fn imagenet_normalized(x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    let per_channel = |values: [f32; 3]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
    };
    let shift = per_channel(IMAGENET_MEAN.map(|mean| 2.0 * mean - 1.0));
    let scale = per_channel(IMAGENET_DEVIATION.map(|deviation| 2.0 * deviation));
    (x - shift) / scale
}

/// The network whose features the perceptual loss compares, Eq. (8).
#[derive(Debug, Clone)]
pub enum FeatureNetwork {
    /// VGG-19, the paper's.
    Vgg19(Vgg19),
    /// SqueezeNet 1.1, which is much smaller.
    SqueezeNet(Box<SqueezeNet>),
}

impl FeatureNetwork {
    /// Whichever of the two a file with torchvision's names holds.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] names the first tensor that neither network finds.
    pub fn load(file: &WeightsFile<'_>, device: &Device) -> Result<Self, WeightsError> {
        match Vgg19::load(file, device) {
            Ok(network) => Ok(Self::Vgg19(network)),
            // Both begin with features.0; if it has VGG's shape, VGG's complaint is the one.
            Err(error @ (WeightsError::Missing { .. } | WeightsError::Shape { .. })) => {
                SqueezeNet::load(file, device)
                    .map(|network| Self::SqueezeNet(Box::new(network)))
                    .map_err(|other| match other {
                        WeightsError::Missing { .. }
                            if file.names().contains(&"features.34.weight") =>
                        {
                            error
                        }
                        other => other,
                    })
            }
            Err(error) => Err(error),
        }
    }

    /// For the metadata of weights that were trained with it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Vgg19(_) => "vgg19",
            Self::SqueezeNet(_) => "squeezenet1_1",
        }
    }

    /// Feature maps ahead of their ReLU.
    ///
    /// # Shapes
    ///
    /// `[batch, 3, height, width]` in [-1, 1], sides of 17 px or more.
    pub fn taps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Self::Vgg19(network) => network.taps(x),
            Self::SqueezeNet(network) => network.taps(x, Tap::BeforeRelu),
        }
    }
}
