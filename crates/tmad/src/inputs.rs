//! What a model gets to see: pictures and masks as tensors, and what stands in the hole before the
//! coarse network sees it.

use crate::coarse::Prior;
use crate::model::ModelConfig;
use crate::patches::select_hole;
use crate::tensors::{images_to_tensor, masks_to_tensor, membranes_to_tensor};
use burn::tensor::{Device, Tensor};
use inpaint_core::{Control, Mask, RgbImage};

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
    /// with [`Prior::PatchMatch`], three channels with the difference of that filling, 0 outside
    /// the hole.
    pub prior: Tensor<4>,
}

impl<'a> Inputs<'a> {
    /// Pictures and masks of one size, ready for a model with this configuration.
    ///
    /// # Panics
    ///
    /// If there is no picture, or sizes or counts differ.
    pub fn new(
        images: &[&RgbImage],
        masks: Vec<&'a Mask>,
        config: &ModelConfig,
        device: &Device,
    ) -> Self {
        let fillings: Vec<_> = (images.iter().zip(&masks))
            .filter_map(|(image, mask)| {
                let filling = config
                    .coarse
                    .prior
                    .filling(image, mask, &Control::default());
                filling.expect("a mask has the size of its picture, and nobody cancels")
            })
            .collect();
        Self::with_fillings(
            images,
            masks,
            &fillings.iter().collect::<Vec<_>>(),
            config,
            device,
        )
    }

    /// As [`Inputs::new`], where [`Prior::filling`] was already asked; `fillings` are empty if it
    /// has none.
    ///
    /// # Panics
    ///
    /// As [`Inputs::new`], and if the prior lacks fillings.
    pub fn with_fillings(
        images: &[&RgbImage],
        masks: Vec<&'a Mask>,
        fillings: &[&RgbImage],
        config: &ModelConfig,
        device: &Device,
    ) -> Self {
        let mut inputs = Self::without_prior(images, masks, device);
        let (image, mask) = (inputs.image.clone(), inputs.mask.clone());
        inputs.prior = match config.coarse.prior {
            Prior::None => select_hole(mask, Tensor::zeros_like(&image), image),
            Prior::Membrane => membranes_to_tensor(images, &inputs.masks, device),
            Prior::PatchMatch => {
                assert_eq!(images.len(), fillings.len(), "one filling per picture");
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
    pub fn without_prior(images: &[&RgbImage], masks: Vec<&'a Mask>, device: &Device) -> Self {
        assert_eq!(images.len(), masks.len(), "one mask per picture");
        let image = images_to_tensor(images, device);
        Self {
            mask: masks_to_tensor(&masks, device),
            masks,
            prior: image.clone(),
            image,
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
        }
    }
}
