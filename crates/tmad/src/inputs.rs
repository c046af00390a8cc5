//! What a model gets to see: pictures and masks as tensors, and what stands in the hole before the
//! coarse network sees it.

use crate::coarse::Prior;
use crate::patches::select_hole;
use crate::tensors::{images_to_tensor, masks_to_tensor, membranes_to_tensor};
use burn::tensor::{Device, Tensor};
use inpaint_core::{Mask, RgbImage};

/// Pictures of one size with their masks, on the device and off it.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// `[batch, 3, height, width]` in [-1, 1]. What it holds inside the hole is never looked at.
    pub image: Tensor<4>,
    /// `[batch, 1, height, width]`, 1 = hole.
    pub mask: Tensor<4>,
    /// The same masks in memory.
    pub masks: Vec<&'a Mask>,
    /// What stands in the hole before the coarse network sees the picture (I_m): zeros, or a
    /// smooth filling if the configuration asks for a prior. Same shape as `image`; behind it,
    /// with [`Prior::PatchMatch`], three channels with the difference of its filling to it,
    /// 0 outside the hole.
    pub prior: Tensor<4>,
    /// The pictures themselves.
    pub pictures: Vec<&'a RgbImage>,
}

impl<'a> Inputs<'a> {
    /// Pictures, masks and what [`Prior::filling`] made of them, all of one size; `fillings` are
    /// empty if the prior has none.
    ///
    /// # Panics
    ///
    /// If there is no picture, sizes or counts differ, or the prior lacks fillings.
    pub fn new(
        images: &[&'a RgbImage],
        masks: Vec<&'a Mask>,
        fillings: &[&RgbImage],
        prior: Prior,
        device: &Device,
    ) -> Self {
        let mut inputs = Self::without_prior(images, masks, device);
        let (image, mask) = (inputs.image.clone(), inputs.mask.clone());
        inputs.prior = match prior {
            Prior::None => select_hole(mask, Tensor::zeros_like(&image), image),
            Prior::Membrane => membranes_to_tensor(images, &inputs.masks, device),
            Prior::PatchMatch => {
                assert_eq!(images.len(), fillings.len(), "a filling of every picture");
                let membrane = membranes_to_tensor(images, &inputs.masks, device);
                let added = images_to_tensor(fillings, device) - membrane.clone();
                let added = select_hole(mask, added, Tensor::zeros_like(&image));
                Tensor::cat(vec![membrane, added], 1)
            }
        };
        inputs
    }

    /// For the patch networks behind a guess from elsewhere: the coarse network must not be asked.
    ///
    /// # Panics
    ///
    /// As [`Inputs::new`].
    pub fn without_prior(images: &[&'a RgbImage], masks: Vec<&'a Mask>, device: &Device) -> Self {
        assert_eq!(images.len(), masks.len(), "one mask per picture");
        let image = images_to_tensor(images, device);
        Self {
            mask: masks_to_tensor(&masks, device),
            masks,
            prior: image.clone(),
            image,
            pictures: images.to_vec(),
        }
    }

    /// The same without autodiff.
    #[must_use]
    pub fn inner(&self) -> Self {
        Self {
            image: self.image.clone().inner(),
            mask: self.mask.clone().inner(),
            masks: self.masks.clone(),
            prior: self.prior.clone().inner(),
            pictures: self.pictures.clone(),
        }
    }
}
