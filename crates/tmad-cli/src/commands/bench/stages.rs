//! A forward pass in its parts.

use super::Measured;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::hint::black_box;
use tmad::aligned::Sources;
use tmad::model::{Inputs, Layout, Memory, Model};
use tmad::patches::{Position, assemble, select_hole};
use tmad::texture_memory::Candidates;

/// The stages, in the order in which they run.
pub const NAMES: [&str; 4] = ["coarse", "memory", "synthesis", "rest"];

/// Hole cells at once, as in the pipeline.
const CELLS_AT_ONCE: usize = 32;

/// A model and a picture.
pub struct Stages<'a> {
    pub model: &'a Model,
    pub inputs: &'a Inputs<'a>,
    pub layout: Layout,
}

/// What a forward pass leaves.
pub struct Outcome {
    pub guess: Tensor<4>,
    pub patches: Tensor<4>,
    pub completed: Tensor<4>,
    pub ranking: Vec<Vec<usize>>,
}

impl<'a> Stages<'a> {
    pub fn new(model: &'a Model, inputs: &'a Inputs<'a>) -> Self {
        let layout = model.layout(&inputs.masks);
        Self {
            model,
            inputs,
            layout,
        }
    }

    fn chunks(&self) -> impl Iterator<Item = &[Position]> {
        let cells = &self.layout.cells;
        cells.chunks(CELLS_AT_ONCE)
    }

    /// The whole pass.
    pub fn forward(&self) -> Outcome {
        let guess = self.guess();
        if self.model.aligned.is_some() {
            let synthesis = (self.model).synthesise(guess.clone(), self.inputs, &self.layout);
            let candidates = synthesis.candidates.into_iter();
            return Outcome {
                guess,
                patches: synthesis.patches,
                completed: synthesis.completed,
                ranking: candidates.flat_map(|c| c.ranking).collect(),
            };
        }
        let memory = [self.remember(&guess)];
        let mask = &self.inputs.mask;
        let mut patches = Vec::new();
        let mut ranking = Vec::new();
        for chunk in self.chunks() {
            let candidates = self.model.retrieve_cells(&guess, chunk, &memory);
            patches.push((self.model).synthesise_from(&guess, mask, chunk, &candidates));
            ranking.extend(candidates.into_iter().flat_map(|c| c.ranking));
        }
        let patches = Tensor::cat(patches, 0);
        Outcome {
            guess,
            completed: self.assemble(patches.clone()),
            patches,
            ranking,
        }
    }

    fn guess(&self) -> Tensor<4> {
        let guess = self.model.guess(self.inputs);
        select_hole(self.inputs.mask.clone(), guess, self.inputs.image.clone())
    }

    fn remember(&self, guess: &Tensor<4>) -> Memory {
        self.model.remember(guess, &self.layout.windows[0])
    }

    fn retrieve(&self, guess: &Tensor<4>, memory: &Memory, cells: &[Position]) -> Vec<Candidates> {
        let memories = std::slice::from_ref(memory);
        self.model.retrieve_cells(guess, cells, memories)
    }

    fn assemble(&self, patches: Tensor<4>) -> Tensor<4> {
        let Inputs {
            image, mask, masks, ..
        } = self.inputs;
        assemble(
            patches,
            &self.layout.cells,
            image.clone(),
            masks,
            mask.clone(),
        )
    }

    /// Medians of memory and synthesis apart.
    fn timed_patches(&self, runs: u16) -> [Measured; 2] {
        let guess = self.guess();
        if let Some(network) = &self.model.aligned {
            let sources = || {
                (self.model)
                    .sources(guess.clone(), self.inputs, &self.layout)
                    .0
            };
            let memory = Measured::median_of(runs, || drop(black_box(sources())));
            let sources = sources();
            let synthesis = Measured::median_of(runs, || {
                black_box(network.forward(sources.clone()));
            });
            return [memory, synthesis];
        }
        let memory = self.remember(&guess);
        let retrieved: Vec<_> = (self.chunks())
            .map(|chunk| self.retrieve(&guess, &memory, chunk))
            .collect();
        let remember_and_ask = Measured::median_of(runs, || {
            let memory = self.remember(&guess);
            for chunk in self.chunks() {
                black_box(self.retrieve(&guess, &memory, chunk));
            }
        });
        let synthesis = Measured::median_of(runs, || {
            let mask = &self.inputs.mask;
            for (chunk, candidates) in self.chunks().zip(&retrieved) {
                black_box(self.model.synthesise_from(&guess, mask, chunk, candidates));
            }
        });
        [remember_and_ask, synthesis]
    }

    /// Medians of the stages apart; the rest is what they leave of the `whole`.
    pub fn timed(&self, runs: u16, whole: Measured) -> BTreeMap<&'static str, Measured> {
        let coarse = Measured::median_of(runs, || drop(black_box(self.guess())));
        let [remember_and_ask, synthesis] = self.timed_patches(runs);
        let stages = [coarse, remember_and_ask, synthesis];
        let sum = |part: fn(&Measured) -> f64| stages.iter().map(part).sum::<f64>();
        let rest = Measured::new(
            (whole.ms - sum(|stage| stage.ms)).max(0.0),
            (whole.gflop - sum(|stage| stage.gflop)).max(0.0),
        );
        let [coarse, memory, synthesis] = stages;
        NAMES
            .into_iter()
            .zip([coarse, memory, synthesis, rest])
            .collect()
    }
}

/// Forward and backward pass of the coarse network on the picture, and of the patch synthesis
/// network on the hole's patches, at most 16, or in register on the picture, with the mean of the
/// output as loss.
/// `device` is the model's, with autodiff.
pub fn training(
    model: &Model,
    device: &Device,
    stages: &Stages,
    runs: u16,
) -> BTreeMap<&'static str, Measured> {
    const NUM_PATCHES: usize = 16;
    let guess = stages.guess();
    let on_device = |tensor: Tensor<4>| Tensor::from_data(tensor.into_data(), device);
    let prior = on_device(stages.inputs.prior.clone());
    let mask = on_device(stages.inputs.mask.clone());
    let coarse = Measured::median_of(runs, || {
        let output = model.coarse.forward(prior.clone(), mask.clone());
        black_box(output.mean().backward());
    });
    let synthesis = if let Some(network) = &model.aligned {
        let (sources, _) = (stages.model).sources(guess, stages.inputs, &stages.layout);
        let sources = Sources {
            ranked: on_device(sources.ranked),
            voted: on_device(sources.voted),
            retrieved: on_device(sources.retrieved),
            guess: on_device(sources.guess),
            mask,
            doubt: on_device(sources.doubt),
        };
        Measured::median_of(runs, || {
            black_box(network.forward(sources.clone()).0.mean().backward());
        })
    } else {
        let cells = &stages.layout.cells[..NUM_PATCHES.min(stages.layout.cells.len())];
        let memory = stages.remember(&guess);
        let mut candidates = stages.retrieve(&guess, &memory, cells);
        for candidates in &mut candidates {
            candidates.patches = on_device(candidates.patches.clone());
        }
        let guess = on_device(guess);
        Measured::median_of(runs, || {
            let output = model.synthesise_from(&guess, &mask, cells, &candidates);
            black_box(output.mean().backward());
        })
    };
    BTreeMap::from([("coarse", coarse), ("synthesis", synthesis)])
}
