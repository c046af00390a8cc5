//! The other side of the adversarial losses: both discriminators, their optimiser, and what they
//! are shown.

use crate::config::{Adversarial, LossConfig, TrainConfig};
use crate::discriminators::{GlobalDiscriminator, PatchDiscriminator};
use crate::losses::{
    patch_distribution_discriminator, patch_distribution_generator, plain_discriminator,
    plain_generator,
};
use crate::objective::{Forward, total};
use crate::shard::{Shard, Share};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::{Random, stream};
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

/// What the discriminators see of a batch, or of a worker's part of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    patches: Vec<Exhibits>,
    completed: Tensor<4>,
    image: Tensor<4>,
    share: Share,
}

impl Evidence {
    /// Collects the evidence of a forward pass. Only what the generator made carries a gradient:
    /// candidates are real data here, and an adversary that reached the retrieval through them
    /// would train it.
    ///
    /// `seed` chooses the windows if [`LossConfig::judged_windows`] bounds them.
    pub fn new(shard: &Shard, forward: &Forward, losses: &LossConfig, seed: u64) -> Self {
        let inputs = &shard.inputs;
        let Forward { output, truth } = forward;
        let [_, _, side, _] = truth.dims();
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
                let seed = |part| stream(stream(seed, (shard.first + image) as u64), part);
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
            share: shard.share,
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
            share: self.share,
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
    /// One power iteration of spectral normalisation, due before every step.
    pub fn iterate(&mut self) {
        self.discriminators = self.discriminators.clone().iterated();
    }

    /// One step of both discriminators.
    pub fn step(&mut self, gradients: GradientsParams, learning_rate: f64) {
        let discriminators = self.discriminators.clone();
        self.discriminators = (self.optimiser).step(learning_rate, discriminators, gradients);
    }
}

impl Discriminators {
    fn iterated(self) -> Self {
        Self {
            patch: self.patch.iterated(),
            global: self.global.iterated(),
        }
    }

    /// Their own losses, the mean differences of real and fake scores, and the losses' gradient.
    /// Those of all shards of a batch add up to the batch's.
    pub fn judge(&self, evidence: &Evidence, losses: &LossConfig) -> (Named, GradientsParams) {
        let evidence = evidence.detached();
        let share = evidence.share;
        let mut terms: Named = Vec::new();
        let mut news: Named = Vec::new();
        if !evidence.patches.is_empty() {
            let scores = score(&self.patch, &evidence.patches, false);
            let margin = |s: &Scores| s.real.clone().mean() - s.fake.clone().mean();
            let margin = mean(scores.iter().map(margin).collect());
            news.push(("patch_margin", margin * share.judged));
            let loss = |s: Scores| match losses.adversarial {
                Adversarial::PatchDistribution => patch_distribution_discriminator(s.real, s.fake),
                _ => plain_discriminator(s.real, s.fake),
            };
            let loss = mean(scores.into_iter().map(loss).collect());
            terms.push(("patch", loss * share.judged));
        }
        if losses.judges_pictures() {
            let judge =
                |pictures: Tensor<4>| -> Tensor<1> { self.global.forward(pictures).flatten(0, 3) };
            let (real, fake) = (judge(evidence.image), judge(evidence.completed));
            let margin = real.clone().mean() - fake.clone().mean();
            news.push(("global_margin", margin * share.pictures));
            let loss = plain_discriminator(real, fake);
            terms.push(("global", loss * share.pictures));
        }
        let gradients = if terms.is_empty() {
            GradientsParams::new()
        } else {
            GradientsParams::from_grads(total(&terms).backward(), self)
        };
        let values = terms.into_iter().chain(news);
        let values = values.map(|(name, value)| (name, value.inner())).collect();
        (values, gradients)
    }

    /// The generator's adversarial terms with their weights, times `factor`. The discriminators
    /// stand still.
    pub fn generator_terms(&self, evidence: &Evidence, losses: &LossConfig, factor: f64) -> Named {
        let frozen = self.clone().no_grad();
        let share = evidence.share;
        let mut terms: Named = Vec::new();
        if !evidence.patches.is_empty() {
            let with_memory = losses.adversarial == Adversarial::PatchDistribution;
            let values = score(&frozen.patch, &evidence.patches, with_memory);
            let loss = |s: Scores| match s.memory {
                Some(memory) => patch_distribution_generator(memory, s.real, s.fake),
                None => plain_generator(s.fake),
            };
            let loss = mean(values.into_iter().map(loss).collect());
            let weight = losses.patch_adversarial * factor * share.judged;
            terms.push(("patch_adversarial", loss * weight));
        }
        if losses.judges_pictures() {
            let logits = frozen.global.forward(evidence.completed.clone());
            let loss = plain_generator(logits.flatten(0, 3));
            let weight = losses.global_adversarial * factor * share.pictures;
            terms.push(("global_adversarial", loss * weight));
        }
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Networks, StageConfig};
    use crate::objective::objective;
    use inpaint_core::{Mask, Rect, RgbImage, image::Rgb};
    use tmad::coarse::CoarseConfig;
    use tmad::model::{Inputs, Model, ModelConfig};
    use tmad::patch_synthesis::PatchSynthesisConfig;

    fn model(device: &Device) -> Model {
        let config = ModelConfig {
            coarse: CoarseConfig {
                widths: vec![4, 4],
                num_residual: 1,
                carafe_channels: 4,
                ..CoarseConfig::default()
            },
            synthesis: PatchSynthesisConfig {
                encoder_widths: vec![4; 3],
                num_residual: 1,
                decoder_widths: vec![4; 3],
                feature_widths: [4; 3],
                num_feature_residual: 1,
                carafe_channels: 4,
                ..PatchSynthesisConfig::default()
            },
            ..ModelConfig::default()
        };
        Model::new(&config, 1, device)
    }

    /// Candidates are real texture to the discriminator, and the memory is data: only what was
    /// synthesised may carry the adversaries' wishes back into the networks.
    #[test]
    fn only_what_was_synthesised_carries_a_gradient() {
        let device = Device::flex().autodiff();
        let model = model(&device);
        let picture = RgbImage::from_fn(128, 128, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let hole = Rect {
            x: 32,
            y: 32,
            width: 64,
            height: 64,
        };
        let mask = Mask::rectangle(128, 128, hole);
        let shard = Shard {
            inputs: Inputs::new(
                &[&picture],
                vec![&mask],
                &[],
                model.config().coarse.prior,
                &device,
            ),
            layout: model.sampled_layout(&[&mask], 1),
            first: 0,
            share: Share::WHOLE,
        };
        let losses = LossConfig {
            judge_seams: true,
            judged_windows: Some(6),
            ..LossConfig::default()
        };
        let stage = StageConfig {
            networks: Networks::Joint,
            ..StageConfig::joint()
        };
        let objective = objective(&model, &shard, &stage, &losses, None);
        let forward = objective.forward.expect("the patch networks take part");
        assert!(forward.output.synthesis.candidates[0].patches.is_tracked());

        let evidence = Evidence::new(&shard, &forward, &losses, 1);
        let [exhibits] = &evidence.patches[..] else {
            panic!("one picture");
        };
        // Four cells and the one window across their seams; as real ones, their truths and the
        // candidates that `judged_windows` leaves.
        assert_eq!(exhibits.fake.dims()[0], 4 + 1);
        assert_eq!(exhibits.real.dims()[0], 4 + 1 + 6);
        assert_eq!(exhibits.memory.dims()[0], 6);
        assert!(exhibits.fake.is_tracked() && evidence.completed.is_tracked());
        assert!(!exhibits.real.is_tracked() && !exhibits.memory.is_tracked());
        assert!(!evidence.image.is_tracked());

        let evidence = evidence.detached();
        assert!(!evidence.patches[0].fake.is_tracked() && !evidence.completed.is_tracked());
    }
}
