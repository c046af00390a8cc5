//! What a training step minimises.

use crate::config::{LossConfig, Networks};
use crate::losses;
use burn::tensor::Tensor;
use tmad::model::{Inputs, Model};

/// The terms of a step's loss, each a scalar `[1]` with its weight applied.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Name and weighted value.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

impl Terms {
    /// L_total, Eq. (10).
    ///
    /// # Panics
    ///
    /// If there is no term.
    pub fn total(&self) -> Tensor<1> {
        let values = self.terms.iter().map(|(_, value)| value.clone());
        values.reduce(|a, b| a + b).expect("a step has a loss")
    }
}

/// The loss of a batch.
///
/// `seed` chooses the windows of the texture memory. The adversarial and perceptual terms of
/// Eq. (8) and (9) belong beside `patch_l1` and `total_variation` here.
pub fn objective(
    model: &Model,
    inputs: &Inputs,
    networks: Networks,
    weights: &LossConfig,
    seed: u64,
) -> Terms {
    let reconstruction = |coarse: Tensor<4>| {
        losses::reconstruction(coarse, inputs.image.clone(), inputs.mask.clone(), weights)
    };
    match networks {
        Networks::Coarse => Terms {
            terms: vec![("reconstruction", reconstruction(model.guess(inputs)))],
        },
        Networks::Joint => {
            let layout = model.sampled_layout(&inputs.masks, seed);
            let truth = model.true_patches(inputs, &layout);
            let output = model.forward(inputs, layout);
            let patch_l1 = losses::patch_l1(output.synthesis.patches, truth, weights.squared);
            let variation =
                losses::total_variation(output.synthesis.completed, inputs.mask.clone());
            Terms {
                terms: vec![
                    ("reconstruction", reconstruction(output.coarse)),
                    ("patch_l1", patch_l1 * weights.patch_l1),
                    ("total_variation", variation * weights.total_variation),
                ],
            }
        }
    }
}
