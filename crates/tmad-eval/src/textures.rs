//! The sliced Wasserstein distance, which compares all results of a method at once.

use std::collections::BTreeMap;

use inpaint_core::metrics::{Region, SlicedWasserstein, SlicedWassersteinOptions};
use inpaint_core::{InpaintError, Mask, RgbImage};

use crate::report::TextureDistance;
use crate::{EvalError, EvalOptions};

/// Descriptors per method and pyramid level for the sliced Wasserstein distance. Pictures share
/// them, so that memory does not grow with the number of pictures; up to 128 pictures have
/// PGGAN's 128 each.
const SWD_DESCRIPTORS: usize = 128 * 128;

/// The sliced Wasserstein distance of each method, over all its pictures.
pub(crate) struct Textures {
    methods: Vec<Texture>,
    descriptors_per_image: usize,
    is_too_small: bool,
}

impl Textures {
    pub fn new<'a>(
        methods: impl Iterator<Item = &'a str>,
        options: &EvalOptions,
        pictures: usize,
    ) -> Self {
        let descriptors_per_image = (SWD_DESCRIPTORS / pictures.max(1)).clamp(1, 128);
        let settings = SlicedWassersteinOptions {
            descriptors_per_image,
            seed: options.seed,
            ..SlicedWassersteinOptions::for_size(options.size, options.size)
        };
        Self {
            methods: methods
                .map(|name| Texture {
                    method: name.to_owned(),
                    distance: SlicedWasserstein::new(settings.clone()),
                    num_lost: 0,
                })
                .collect(),
            descriptors_per_image,
            is_too_small: false,
        }
    }

    pub fn add(
        &mut self,
        at: usize,
        truth: &RgbImage,
        composited: &RgbImage,
        mask: &Mask,
    ) -> Result<(), EvalError> {
        match self.methods[at]
            .distance
            .add(truth, composited, Region::Hole(mask))
        {
            Ok(()) => Ok(()),
            Err(InpaintError::TooSmall { .. }) => {
                self.is_too_small = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A result of an earlier run whose picture is gone.
    pub fn lose(&mut self, at: usize) {
        self.methods[at].num_lost += 1;
    }

    pub fn finish(self, notes: &mut Vec<String>) -> BTreeMap<String, TextureDistance> {
        if self.is_too_small {
            notes.push("SWD is left out: it needs pictures of 16 px or more".to_owned());
            return BTreeMap::new();
        }
        let mut distances = BTreeMap::new();
        for Texture {
            method,
            distance,
            num_lost,
        } in self.methods
        {
            if num_lost > 0 {
                notes.push(format!(
                    "SWD of {method} is left out: {num_lost} of its results are from an earlier run that did \
                     not save its images, and SWD compares all of them at once"
                ));
            } else if let Ok(score) = distance.finish() {
                let distance = TextureDistance {
                    mean: score.mean,
                    levels: score.levels,
                    descriptors_per_image: self.descriptors_per_image,
                };
                distances.insert(method, distance);
            }
        }
        distances
    }
}

struct Texture {
    method: String,
    distance: SlicedWasserstein,
    /// Results whose pictures are gone.
    num_lost: usize,
}
