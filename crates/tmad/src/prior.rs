//! What the coarse network starts from, and what its output means.

use crate::layers::{Conv2d, Initializer};
use burn::tensor::Tensor;
use inpaint_core::image::Rgb;
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage};
use serde::{Deserialize, Serialize};
use tmad_ops::box_means;

/// Side in pixels of the boxes whose means are the structure of a copy: four of the pixels that a
/// network sees that works on a picture halved `num_halvings` times.
pub(crate) const fn structure_px(num_halvings: usize) -> usize {
    (4 << num_halvings) + 1
}

/// What stands in the hole before the coarse network sees the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Zeros, mid grey; the network predicts the picture.
    #[default]
    None,
    /// The smoothest filling ([`inpaint_core::membrane`]); the network predicts the difference to
    /// it, so that it starts from there instead of having to learn to carry colours inwards.
    Membrane,
    /// The membrane, and beside it what the filling of [`PatchMatch`] adds to it. The network
    /// predicts the difference to the membrane, and pixel by pixel how much of the structure of
    /// PatchMatch's to take over.
    #[serde(rename = "patchmatch")]
    PatchMatch,
}

impl Prior {
    /// Channels of [`Inputs::prior`](crate::model::Inputs::prior).
    pub(crate) fn num_channels(self) -> usize {
        match self {
            Self::None | Self::Membrane => 3,
            Self::PatchMatch => 6,
        }
    }

    /// PatchMatch's filling of a picture, where this prior is made of it; mid grey, like the
    /// membrane, where there is not one known pixel.
    ///
    /// # Errors
    ///
    /// [`InpaintError`] if the sizes differ, or `control` was cancelled.
    pub fn filling(
        self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Option<RgbImage>, InpaintError> {
        match self {
            Self::None | Self::Membrane => Ok(None),
            Self::PatchMatch if mask.is_full() => {
                let (width, height) = image.dimensions();
                Ok(Some(RgbImage::from_pixel(width, height, Rgb([128; 3]))))
            }
            Self::PatchMatch => PatchMatch::default()
                .inpaint(image, mask, control)
                .map(Some),
        }
    }

    /// The guess that the network's output stands for.
    ///
    /// # Shapes
    ///
    /// `prior` as the network saw it, `output` as it came from `num_halvings` below; the guess is
    /// `[batch, 3, height, width]`.
    pub(crate) fn guess(
        self,
        prior: Tensor<4>,
        output: Tensor<4>,
        num_halvings: usize,
    ) -> Tensor<4> {
        match self {
            Self::None => output,
            Self::Membrane => prior + output,
            Self::PatchMatch => {
                let (membrane, copied) = (prior.clone().narrow(1, 0, 3), prior.narrow(1, 3, 3));
                let (change, share) = (output.clone().narrow(1, 0, 3), output.narrow(1, 3, 1));
                membrane + change + box_means(copied, structure_px(num_halvings)) * share
            }
        }
    }

    /// The last layer, such that an untrained network's guess is a sensible one.
    pub(crate) fn output_layer(self, init: &mut Initializer, in_channels: usize) -> Conv2d {
        let layer =
            |init: &mut _, out_channels| Conv2d::new(init, in_channels, out_channels, 1).linear();
        match self {
            Self::None => layer(init, 3),
            Self::Membrane => layer(init, 3).zeroed(),
            Self::PatchMatch => layer(init, 4).zeroed().biased(&[0.0, 0.0, 0.0, 0.5]),
        }
    }
}
