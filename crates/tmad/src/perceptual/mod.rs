//! Features of ImageNet classifiers, in which pictures are compared the way people see them: by
//! the perceptual loss of the training (Section III-E of the paper) and by the LPIPS metric.
//!
//! These networks are frozen: their weights are constants, and gradients flow to the pictures
//! only. The weights are files of the user's, with torchvision's names.

mod squeezenet;

pub use squeezenet::{NUM_TAPS, SqueezeNet, TAP_CHANNELS, Tap};

use burn::tensor::{Tensor, TensorData};

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
