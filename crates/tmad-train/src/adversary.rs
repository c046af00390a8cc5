//! The other side of the adversarial losses: both discriminators, their optimiser, and what they
//! are shown.

use crate::config::{Adversarial, LossConfig, TrainConfig};
use crate::discriminators::{GlobalDiscriminator, PatchDiscriminator};
use crate::losses::{
    patch_distribution_discriminator, patch_distribution_generator, plain_discriminator,
    plain_generator,
};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::{Random, stream};
use tmad::model::{Inputs, Output};
use tmad::patches::{Position, centre, extract};

/// Both discriminators.
#[derive(Module, Debug)]
pub struct Discriminators {
    /// C of Eq. (6) and (7).
    pub patch: PatchDiscriminator,
    /// D of Eq. (9).
    pub global: GlobalDiscriminator,
}

impl Discriminators {
    /// Fresh weights from `config`'s seed.
    pub fn new(config: &TrainConfig, device: &Device) -> Self {
        let seed = |index| stream(config.seed ^ 0xD15C, index);
        let sizes = &config.discriminators;
        Self {
            patch: PatchDiscriminator::new(sizes, config.model.patch_px, seed(0), device),
            global: GlobalDiscriminator::new(sizes, seed(1), device),
        }
    }
}

/// The discriminators being trained.
#[derive(Clone)]
pub struct Adversary {
    /// Their weights.
    pub discriminators: Discriminators,
    /// Adam's means.
    pub optimiser: ModuleOptimizer,
}

/// Patches of one picture of a batch.
#[derive(Debug, Clone)]
struct Exhibits {
    /// p̂ and, if wanted, patches across the seams.
    fake: Tensor<4>,
    /// T_c ∪ p_gt for the patch distribution loss, p_gt for the plain one.
    real: Tensor<4>,
    /// T.
    memory: Tensor<4>,
}

/// What the discriminators see of a batch.
#[derive(Debug, Clone)]
pub struct Evidence {
    patches: Vec<Exhibits>,
    completed: Tensor<4>,
    image: Tensor<4>,
}

impl Evidence {
    /// Collects the evidence of a forward pass. Only what the generator made carries a gradient:
    /// candidates are real data here, and an adversary that reached the retrieval through them
    /// would train it.
    ///
    /// `seed` chooses the windows if [`LossConfig::judged_windows`] bounds them.
    pub fn new(
        inputs: &Inputs,
        output: &Output,
        truth: &Tensor<4>,
        side: usize,
        losses: &LossConfig,
        seed: u64,
    ) -> Self {
        let synthesis = &output.synthesis;
        let mut patches = Vec::new();
        if losses.judges_patches() {
            let mut first = 0;
            let runs = (output.layout.cells).chunk_by(|a, b| a.image == b.image);
            for (cells, candidates) in runs.zip(&synthesis.candidates) {
                let start = first;
                first += cells.len();
                let own = |t: &Tensor<4>| t.clone().narrow(0, start, cells.len());
                let image = cells[0].image;
                let seed = |part| stream(stream(seed, image as u64), part);
                let mut fake = vec![own(&synthesis.patches)];
                let mut real = vec![own(truth)];
                let seams = if losses.judge_seams {
                    across_seams(cells, side)
                } else {
                    Vec::new()
                };
                if !seams.is_empty() {
                    fake.push(extract(&synthesis.completed, &seams, side));
                    real.push(extract(&inputs.image, &seams, side));
                }
                let windows = &output.layout.windows[image];
                let memory = extract(&inputs.image, &chosen(windows, losses, seed(0)), side);
                if losses.adversarial == Adversarial::PatchDistribution {
                    let all = centre(candidates.patches.clone().detach(), side);
                    let [n, channels, ..] = all.dims();
                    let all = all.reshape([n * channels / 3, 3, side, side]);
                    real.push(some_of(all, losses, seed(1)));
                }
                patches.push(Exhibits {
                    fake: Tensor::cat(fake, 0),
                    real: Tensor::cat(real, 0),
                    memory,
                });
            }
        }
        Self {
            patches,
            completed: synthesis.completed.clone(),
            image: inputs.image.clone(),
        }
    }

    /// The same without the generator's gradient, for the discriminators' own step.
    fn detached(&self) -> Self {
        let patches = self.patches.iter().map(|exhibits| Exhibits {
            fake: exhibits.fake.clone().detach(),
            ..exhibits.clone()
        });
        Self {
            patches: patches.collect(),
            completed: self.completed.clone().detach(),
            image: self.image.clone(),
        }
    }
}

/// Windows that lie across the corner where four cells of the hole meet.
fn across_seams(cells: &[Position], side: usize) -> Vec<Position> {
    let side = side as i32;
    let is_cell = |y, x| cells.iter().any(|c| (c.y, c.x) == (y, x));
    (cells.iter())
        .filter(|c| {
            let (bottom, right) = (c.y + side, c.x + side);
            is_cell(bottom, c.x) && is_cell(c.y, right) && is_cell(bottom, right)
        })
        .map(|c| c.shifted(side / 2))
        .collect()
}

fn chosen(windows: &[Position], losses: &LossConfig, seed: u64) -> Vec<Position> {
    match losses.judged_windows {
        Some(count) => tmad::texture_memory::sample_windows(windows.to_vec(), count, seed),
        None => windows.to_vec(),
    }
}

fn some_of(patches: Tensor<4>, losses: &LossConfig, seed: u64) -> Tensor<4> {
    let [available, ..] = patches.dims();
    match losses.judged_windows {
        Some(count) if count < available => {
            let mut random = Random::new(seed);
            let indices: Vec<i64> = (0..count)
                .map(|_| random.below(available as u64) as i64)
                .collect();
            let device = patches.device();
            patches.select(
                0,
                Tensor::from_data(TensorData::new(indices, [count]), &device),
            )
        }
        _ => patches,
    }
}

/// Named scalar values, `[1]` each.
pub type Named = Vec<(&'static str, Tensor<1>)>;

/// Scores of one picture's patches.
struct Scores {
    fake: Tensor<1>,
    real: Tensor<1>,
    memory: Option<Tensor<1>>,
}

/// Scores all patches in one pass.
fn score(net: &PatchDiscriminator, patches: &[Exhibits], with_memory: bool) -> Vec<Scores> {
    let mut parts = Vec::new();
    for exhibits in patches {
        parts.extend([exhibits.fake.clone(), exhibits.real.clone()]);
        if with_memory {
            parts.push(exhibits.memory.clone());
        }
    }
    let counts: Vec<_> = parts.iter().map(|part| part.dims()[0]).collect();
    let scores = net.forward(Tensor::cat(parts, 0));
    let mut first = 0;
    let mut next = counts.into_iter().map(|count| {
        first += count;
        scores.clone().narrow(0, first - count, count)
    });
    let mut take = || next.next().expect("one score per patch");
    (patches.iter())
        .map(|_| Scores {
            fake: take(),
            real: take(),
            memory: with_memory.then(&mut take),
        })
        .collect()
}

fn mean(values: Vec<Tensor<1>>) -> Tensor<1> {
    let count = values.len() as f64;
    let sum = values.into_iter().reduce(|a, b| a + b);
    sum.expect("there is a picture with a hole") / count
}

impl Adversary {
    /// One step of both discriminators on what the generator has just made; returns their losses
    /// and the mean difference of real and fake scores.
    pub fn step(&mut self, evidence: &Evidence, losses: &LossConfig, learning_rate: f64) -> Named {
        let evidence = evidence.detached();
        self.discriminators = Discriminators {
            patch: self.discriminators.patch.clone().iterated(),
            global: self.discriminators.global.clone().iterated(),
        };
        let mut terms: Named = Vec::new();
        let mut news: Named = Vec::new();
        if !evidence.patches.is_empty() {
            let scores = score(&self.discriminators.patch, &evidence.patches, false);
            let margin = |s: &Scores| s.real.clone().mean() - s.fake.clone().mean();
            news.push(("patch_margin", mean(scores.iter().map(margin).collect())));
            let loss = |s: Scores| match losses.adversarial {
                Adversarial::PatchDistribution => patch_distribution_discriminator(s.real, s.fake),
                _ => plain_discriminator(s.real, s.fake),
            };
            terms.push(("patch", mean(scores.into_iter().map(loss).collect())));
        }
        if losses.judges_pictures() {
            let judge = |pictures: Tensor<4>| -> Tensor<1> {
                self.discriminators.global.forward(pictures).flatten(0, 3)
            };
            let (real, fake) = (judge(evidence.image), judge(evidence.completed));
            news.push(("global_margin", real.clone().mean() - fake.clone().mean()));
            terms.push(("global", plain_discriminator(real, fake)));
        }
        let total = terms.iter().map(|(_, value)| value.clone());
        let Some(total) = total.reduce(|a, b| a + b) else {
            return Vec::new();
        };
        let mut grads = total.backward();
        let grads = GradientsParams::from_module(&mut grads, &self.discriminators);
        self.discriminators =
            (self.optimiser).step(learning_rate, self.discriminators.clone(), grads);
        (terms.into_iter().chain(news))
            .map(|(name, value)| (name, value.inner()))
            .collect()
    }

    /// The generator's adversarial terms with their weights, times `factor`. The discriminators
    /// stand still.
    pub fn generator_terms(&self, evidence: &Evidence, losses: &LossConfig, factor: f64) -> Named {
        let frozen = self.discriminators.clone().no_grad();
        let mut terms: Named = Vec::new();
        if !evidence.patches.is_empty() {
            let with_memory = losses.adversarial == Adversarial::PatchDistribution;
            let values = score(&frozen.patch, &evidence.patches, with_memory);
            let loss = |s: Scores| match s.memory {
                Some(memory) => patch_distribution_generator(memory, s.real, s.fake),
                None => plain_generator(s.fake),
            };
            let loss = mean(values.into_iter().map(loss).collect());
            terms.push((
                "patch_adversarial",
                loss * (losses.patch_adversarial * factor),
            ));
        }
        if losses.judges_pictures() {
            let logits = frozen.global.forward(evidence.completed.clone());
            let loss = plain_generator(logits.flatten(0, 3));
            terms.push((
                "global_adversarial",
                loss * (losses.global_adversarial * factor),
            ));
        }
        terms
    }
}
