//! What a training step of the generator minimises, but for the adversarial terms, which are the
//! [`Adversary`](crate::adversary::Adversary)'s.

use crate::adversary::Named;
use crate::config::{LossConfig, Networks, PerceptualRegion, StageConfig};
use crate::losses;
use crate::shard::Shard;
use burn::module::Module;
use burn::tensor::Tensor;
use tmad::model::{Guess, Model, Output};
use tmad::patches::select_hole;
use tmad::perceptual::FeatureNetwork;

/// The loss of a batch, or of a worker's part of it.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Names and values, each a scalar `[1]` with its weight applied.
    pub terms: Named,
    /// What the patch networks made, if they took part.
    pub forward: Option<Forward>,
}

/// A forward pass through everything.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Its results.
    pub output: Output,
    /// p_gt: the truth for its patches, `[num_cells, 3, k, k]`.
    pub truth: Tensor<4>,
}

/// The sum of terms, L_total of Eq. (10).
///
/// # Panics
///
/// If there is no term.
pub fn total(terms: &Named) -> Tensor<1> {
    let values = terms.iter().map(|(_, value)| value.clone());
    values.reduce(|a, b| a + b).expect("a step has a loss")
}

/// The terms of Eq. (1), (8) and (9) that need no discriminator. Those of all shards of a batch
/// add up to the batch's.
///
/// Without `features` there is no perceptual term.
pub fn objective(
    model: &Model,
    shard: &Shard,
    stage: &StageConfig,
    weights: &LossConfig,
    features: Option<&FeatureNetwork>,
) -> Objective {
    let Shard {
        inputs,
        layout,
        share,
        ..
    } = shard;
    let coarse_terms = |guess: Guess| {
        let coarse = guess.structure.clone();
        let has_texture = guess.texture.is_some();
        let whole = guess.whole();
        let (image, mask) = (inputs.image.clone(), inputs.mask.clone());
        let scaled = LossConfig {
            hole: weights.hole * share.hole,
            known: weights.known * share.known,
            ..weights.clone()
        };
        let value = losses::reconstruction(coarse.clone(), image.clone(), mask.clone(), &scaled);
        let mut terms = vec![("reconstruction", value)];
        if weights.log_squared != 0.0 {
            let value = |guess| losses::log_squared(guess, image.clone(), mask.clone());
            let value = if has_texture {
                (value(coarse) + value(whole.clone())) * 0.5
            } else {
                value(coarse)
            };
            terms.push((
                "log_squared",
                value * (weights.log_squared * share.pictures),
            ));
        }
        if let Some(features) = features.filter(|_| weights.coarse_perceptual != 0.0) {
            let found = select_hole(mask, whole, image.clone());
            let value = losses::perceptual(features.taps(found), features.taps(image));
            let weight = weights.coarse_perceptual * share.pictures;
            terms.push(("coarse_perceptual", value * weight));
        }
        terms
    };
    if stage.networks == Networks::Coarse {
        return Objective {
            terms: coarse_terms(model.guess(inputs)),
            forward: None,
        };
    }
    let mut terms = Named::new();
    let guess = if stage.networks == Networks::Joint {
        let guess = model.guess(inputs);
        terms.extend(coarse_terms(guess.clone()));
        guess
    } else {
        // Without a graph: nothing would ever be asked of it.
        let guess = model.valid().guess(&inputs.inner());
        Guess {
            structure: Tensor::from_inner(guess.structure),
            texture: guess.texture.map(Tensor::from_inner),
        }
    };
    let detached = stage.detach_coarse || stage.networks == Networks::Patches;
    let coarse = guess.structure.clone();
    let whole = guess.whole();
    let seen = if detached { whole.detach() } else { whole };
    let start = select_hole(inputs.mask.clone(), seen, inputs.image.clone());
    let truth = model.true_patches(inputs, layout);
    let synthesis = model.synthesise(start, inputs, layout);
    if weights.completed_log_squared != 0.0 {
        let (completed, truth) = (synthesis.completed.clone(), inputs.image.clone());
        let value = losses::log_squared(completed, truth, inputs.mask.clone());
        let weight = weights.completed_log_squared * share.pictures;
        terms.push(("completed_log_squared", value * weight));
    }
    if !layout.cells.is_empty() {
        let patches = synthesis.patches.clone();
        let value = losses::patch_l1(patches.clone(), truth.clone(), weights.squared);
        terms.push(("patch_l1", value * (weights.patch_l1 * share.cells)));
        if let Some(features) = features.filter(|_| weights.perceptual != 0.0) {
            let (found, wanted, share) = match weights.perceptual_region {
                PerceptualRegion::Patches => (patches, truth.clone(), share.cells),
                PerceptualRegion::Picture => {
                    let (found, wanted) = (synthesis.completed.clone(), inputs.image.clone());
                    (found, wanted, share.pictures)
                }
            };
            let value = losses::perceptual(features.taps(found), features.taps(wanted));
            terms.push(("perceptual", value * (weights.perceptual * share)));
        }
    }
    if weights.blend && weights.total_variation != 0.0 {
        let completed = synthesis.completed.clone();
        let value = losses::total_variation(completed, inputs.mask.clone(), share.pairs);
        terms.push(("total_variation", value * weights.total_variation));
    }
    let output = Output {
        coarse,
        layout: layout.clone(),
        synthesis,
    };
    Objective {
        terms,
        forward: Some(Forward { output, truth }),
    }
}
