//! What a training step of the generator minimises, but for the adversarial terms, which are the
//! [`Adversary`](crate::adversary::Adversary)'s.

use crate::adversary::Named;
use crate::config::{LossConfig, Networks, PerceptualRegion, StageConfig};
use crate::losses;
use crate::shard::Shard;
use burn::module::Module;
use burn::tensor::Tensor;
use tmad::model::{Inputs, Layout, Model, Output, Synthesis};
use tmad::patches::{extract, select_hole};
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
    let coarse_terms = |coarse: Tensor<4>| {
        let (image, mask) = (inputs.image.clone(), inputs.mask.clone());
        let scaled = LossConfig {
            hole: weights.hole * share.hole,
            known: weights.known * share.known,
            ..weights.clone()
        };
        let value = losses::reconstruction(coarse.clone(), image.clone(), mask.clone(), &scaled);
        let mut terms = vec![("reconstruction", value)];
        if weights.log_squared != 0.0 {
            let boxes = &weights.log_squared_boxes_px;
            let weight = weights.log_squared * share.pictures / boxes.len() as f64;
            let of_boxes = |&side: &usize| {
                losses::log_squared(coarse.clone(), image.clone(), mask.clone(), side)
            };
            let sum = boxes.iter().map(of_boxes).reduce(|sum, value| sum + value);
            terms.extend(sum.map(|sum| ("log_squared", sum * weight)));
        }
        if let Some(features) = features.filter(|_| weights.coarse_perceptual != 0.0) {
            let found = select_hole(mask, coarse, image.clone());
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
    let coarse = if stage.networks == Networks::Joint {
        let guess = model.guess(inputs);
        terms.extend(coarse_terms(guess.clone()));
        guess
    } else {
        // Without a graph: nothing would ever be asked of it.
        Tensor::from_inner(model.valid().guess(&inputs.inner()))
    };
    let detached = stage.detach_coarse || stage.networks == Networks::Patches;
    let seen = coarse.clone();
    let seen = if detached { seen.detach() } else { seen };
    let start = select_hole(inputs.mask.clone(), seen, inputs.image.clone());
    let truth = model.true_patches(inputs, layout);
    let synthesis = model.synthesise(start, inputs, layout);
    if weights.completed_log_squared != 0.0 {
        let (completed, truth) = (synthesis.completed.clone(), inputs.image.clone());
        let value = losses::log_squared(completed, truth, inputs.mask.clone(), 1);
        let weight = weights.completed_log_squared * share.pictures;
        terms.push(("completed_log_squared", value * weight));
    }
    if !layout.cells.is_empty() {
        let patches = synthesis.patches.clone();
        let completed = || (synthesis.completed.clone(), inputs.image.clone());
        if weights.completed_l1 != 0.0 {
            let scaled = LossConfig {
                hole: weights.completed_l1 * share.hole,
                known: 0.0,
                ..weights.clone()
            };
            let ((found, wanted), mask) = (completed(), inputs.mask.clone());
            let means = |x: Tensor<4>| match weights.completed_l1_box_px {
                1 => x,
                side => tmad_ops::box_means(x, side),
            };
            let value = losses::reconstruction(means(found), means(wanted), mask, &scaled);
            terms.push(("completed_l1", value));
        }
        if weights.patch_l1 != 0.0 {
            let value = losses::patch_l1(patches.clone(), truth.clone(), weights.squared);
            terms.push(("patch_l1", value * (weights.patch_l1 * share.cells)));
        }
        if let Some(features) = features.filter(|_| weights.perceptual != 0.0) {
            let value = match weights.perceptual_region {
                PerceptualRegion::Patches => {
                    let (found, wanted) = (features.taps(patches), features.taps(truth.clone()));
                    losses::perceptual(found, wanted) * share.cells
                }
                PerceptualRegion::Picture => {
                    let (found, wanted) = completed();
                    let (found, wanted) = (features.taps(found), features.taps(wanted));
                    losses::perceptual(found, wanted) * share.pictures
                }
                PerceptualRegion::Hole => {
                    let (found, wanted) = completed();
                    let (found, wanted) = (features.taps(found), features.taps(wanted));
                    let hole = inputs.mask.clone().mean() + 1e-6;
                    losses::perceptual_of_unit_length(found, wanted) / hole * share.hole
                }
            };
            terms.push(("perceptual", value * weights.perceptual));
        }
        if weights.retrieval != 0.0 {
            let value = retrieval(inputs, layout, &synthesis, &truth);
            terms.push(("retrieval", value * (weights.retrieval * share.cells)));
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

/// [`losses::retrieval`] as a mean over the cells of all pictures.
fn retrieval(
    inputs: &Inputs,
    layout: &Layout,
    synthesis: &Synthesis,
    truth: &Tensor<4>,
) -> Tensor<1> {
    let mut first = 0;
    let values = synthesis.candidates.iter().map(|candidates| {
        let scores = candidates.scores.clone();
        let [count, _] = scores.dims();
        let image = layout.cells[first].image;
        let own = truth.clone().narrow(0, first, count);
        let windows = extract(&inputs.image, &layout.windows[image], own.dims()[2]);
        first += count;
        losses::retrieval(scores, own, windows) * count as f64
    });
    let sum = values.reduce(|a, b| a + b);
    sum.expect("a picture with cells has candidates") / layout.cells.len() as f64
}
