//! What a step minimises: which networks its gradients reach, and that the parts of several
//! workers add up to the whole batch's.

#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;
mod tiny;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use image::{Rgb, RgbImage};
use inpaint_core::{Mask, Rect};
use std::collections::BTreeMap;
use tensors::{assert_close, assert_same, autodiff, scalar, values};
use tmad::model::Model;
use tmad::perceptual::{FeatureNetwork, SqueezeNet};
use tmad_train::adversary::{Adversary, Discriminators, Evidence, Named};
use tmad_train::config::{LossConfig, Networks, PerceptualRegion, StageConfig, TrainConfig};
use tmad_train::data::Sample;
use tmad_train::objective::{objective, total};
use tmad_train::shard::{Shard, in_parallel, split, summed};

const SEED: u64 = 3;

/// A stripy picture with a hole of `width` × `height`.
fn sample(index: u32, width: u32, height: u32) -> Sample {
    let stripe = |x: u32, y: u32| ((x / (3 + index) + y / 5) % 2) as u8;
    let hole = Rect {
        x: 7 + index,
        y: 11,
        width,
        height,
    };
    Sample {
        image: RgbImage::from_fn(96, 96, |x, y| {
            Rgb([stripe(x, y) * 200, (x + 2 * y) as u8 / 2, 40 * index as u8])
        }),
        mask: Mask::rectangle(96, 96, hole),
        filling: None,
    }
}

/// Holes so different that a worker's mean is not the batch's.
fn batch() -> Vec<Sample> {
    vec![
        sample(0, 64, 64),
        sample(1, 10, 40),
        sample(2, 30, 5),
        sample(3, 20, 60),
        sample(4, 33, 33),
    ]
}

fn stage(networks: Networks, detach_coarse: bool) -> StageConfig {
    StageConfig {
        networks,
        size_px: 96,
        detach_coarse,
        ..StageConfig::joint()
    }
}

fn losses() -> LossConfig {
    LossConfig {
        known: 1.0,
        squared: 0.5,
        log_squared: 0.7,
        coarse_perceptual: 0.1,
        completed_log_squared: 0.3,
        judge_seams: true,
        judged_windows: Some(6),
        ..LossConfig::default()
    }
}

fn features() -> FeatureNetwork {
    FeatureNetwork::SqueezeNet(Box::new(SqueezeNet::random(5, &autodiff())))
}

fn adversary() -> Adversary {
    let config = TrainConfig {
        model: tiny::model(),
        discriminators: tiny::discriminators(),
        ..TrainConfig::default()
    };
    let mut adversary = Adversary {
        discriminators: Discriminators::new(&config, &autodiff()),
        optimiser: AdamConfig::new().init(),
    };
    adversary.iterate();
    adversary
}

/// Gradients by the parameters' names.
fn by_name<M: Module>(module: &M, grads: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    struct Collector<'a> {
        grads: &'a GradientsParams,
        path: Vec<String>,
        found: BTreeMap<String, Vec<f32>>,
    }
    impl ModuleVisitor for Collector<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                self.found.insert(self.path.join("."), values(grad));
            }
        }
    }
    let mut collector = Collector {
        grads,
        path: Vec::new(),
        found: BTreeMap::new(),
    };
    module.visit(&mut collector);
    collector.found
}

/// All terms of a shard with their gradients, and the discriminators' own.
struct Step {
    terms: Named,
    grads: GradientsParams,
    judged: Named,
    judges_grads: GradientsParams,
}

fn step(
    model: &Model,
    judges: &Discriminators,
    shard: &Shard,
    stage: &StageConfig,
    losses: &LossConfig,
) -> Step {
    let model = model.clone().fork(&autodiff());
    let judges = judges.clone().fork(&autodiff());
    let objective = objective(&model, shard, stage, losses, Some(&features()));
    let mut terms = objective.terms;
    let forward = objective.forward.expect("the patch networks take part");
    let evidence = Evidence::new(shard, &forward, losses, SEED);
    let (judged, judges_grads) = judges.judge(&evidence, losses);
    terms.extend(judges.generator_terms(&evidence, losses, 1.0));
    let grads = GradientsParams::from_grads(total(&terms).backward(), &model);
    Step {
        terms,
        grads,
        judged,
        judges_grads,
    }
}

#[test]
fn detaching_zeroes_exactly_the_patch_losses_gradient_of_the_coarse_network() {
    let model = Model::new(&tiny::model(), 1, &autodiff());
    let judges = adversary().discriminators;
    let samples = &batch()[..2];
    let joint = |detach| stage(Networks::Joint, detach);
    let shards = split(samples, &model, &joint(true), &[autodiff()], SEED);
    let detached = step(&model, &judges, &shards[0], &joint(true), &losses());
    let attached = step(&model, &judges, &shards[0], &joint(false), &losses());
    let names: Vec<_> = detached.terms.iter().map(|(name, _)| *name).collect();
    let all = [
        "reconstruction",
        "log_squared",
        "coarse_perceptual",
        "completed_log_squared",
        "patch_l1",
        "perceptual",
        "total_variation",
        "patch_adversarial",
        "global_adversarial",
    ];
    assert_eq!(names, all);

    let alone = objective(
        &model,
        &shards[0],
        &stage(Networks::Coarse, false),
        &losses(),
        Some(&features()),
    );
    let alone = GradientsParams::from_grads(total(&alone.terms).backward(), &model);
    let alone = by_name(&model, &alone);
    let (detached, attached) = (
        by_name(&model, &detached.grads),
        by_name(&model, &attached.grads),
    );
    let mut moved = 0;
    for (name, found) in &detached {
        if name.starts_with("coarse.") {
            assert_same(found, &alone[name], name);
            moved += usize::from(found != &attached[name]);
        } else {
            // The same sums, of which some may be added up in another order.
            assert_close(found, &attached[name], 1e-6, name);
        }
    }
    assert_eq!(
        moved,
        alone.len(),
        "without detaching, every layer is reached"
    );
    assert_eq!(attached.len(), detached.len());
}

#[test]
fn behind_a_frozen_coarse_network_nothing_of_it_gets_a_gradient() {
    let model = Model::new(&tiny::model(), 1, &autodiff());
    let judges = adversary().discriminators;
    let samples = &batch()[..2];
    let stage = stage(Networks::Patches, false);
    let shards = split(samples, &model, &stage, &[autodiff()], SEED);
    let found = step(&model, &judges, &shards[0], &stage, &losses());
    assert!(
        found
            .terms
            .iter()
            .all(|(name, _)| *name != "reconstruction")
    );
    let grads = by_name(&model, &found.grads);
    assert!(grads.keys().all(|name| !name.starts_with("coarse.")));
    for part in ["theta.", "phi.", "feature_encoder.", "backbone."] {
        assert!(grads.keys().any(|name| name.starts_with(part)), "{part}");
    }
}

/// The sum of the values of the same name.
fn sums(parts: &[Named]) -> BTreeMap<&'static str, f64> {
    let mut sums = BTreeMap::new();
    for (name, value) in parts.iter().flatten() {
        *sums.entry(*name).or_insert(0.0) += scalar(value.clone());
    }
    sums
}

/// Several workers on parts of a batch equal one on the whole of it, which is what data-parallel
/// training promises: all terms, all gradients, those of the discriminators too.
#[test]
fn workers_add_up_to_the_whole_batch() {
    let model = Model::new(&tiny::model(), 1, &autodiff());
    let judges = adversary().discriminators;
    let samples = batch();
    let stage = stage(Networks::Joint, false);
    for region in [PerceptualRegion::Patches, PerceptualRegion::Picture] {
        let losses = LossConfig {
            perceptual_region: region,
            ..losses()
        };
        let run = |num_workers: usize| {
            let devices = vec![autodiff(); num_workers];
            let shards = split(&samples, &model, &stage, &devices, SEED);
            assert_eq!(shards.len(), num_workers);
            if num_workers == 2 {
                let share = shards[0].share;
                assert!((share.cells - share.hole).abs() > 0.01, "{share:?}");
                assert!((share.cells - share.pictures).abs() > 0.01, "{share:?}");
            }
            let workers = shards
                .into_iter()
                .map(|shard| (model.clone(), judges.clone(), shard));
            let steps = in_parallel(workers.collect(), |(model, judges, shard)| {
                step(&model, &judges, &shard, &stage, &losses)
            });
            let mut values = [Vec::new(), Vec::new()];
            let mut grads = [Vec::new(), Vec::new()];
            for step in steps {
                values[0].push(step.terms);
                values[1].push(step.judged);
                grads[0].push(step.grads);
                grads[1].push(step.judges_grads);
            }
            let device = Device::flex();
            let [of_model, of_judges] = grads;
            let of_model = by_name(&model, &summed(&model, of_model, &device));
            let of_judges = by_name(&judges, &summed(&judges, of_judges, &device));
            let values = values.map(|parts| sums(&parts));
            (values, of_model, of_judges)
        };
        let one = run(1);
        for num_workers in [2, 3] {
            let several = run(num_workers);
            for (several, one) in several.0.iter().zip(&one.0) {
                assert_eq!(
                    several.keys().collect::<Vec<_>>(),
                    one.keys().collect::<Vec<_>>()
                );
                for (name, value) in one {
                    // Margins are differences of scores that are nearly the same.
                    let tolerance = 1e-5 * value.abs().max(0.1);
                    let error = (several[name] - value).abs();
                    assert!(error < tolerance, "{name}: {} and {value}", several[name]);
                }
            }
            for (several, one) in [(&several.1, &one.1), (&several.2, &one.2)] {
                assert_eq!(several.len(), one.len());
                for (name, value) in one {
                    if name == "patch.linear.bias" {
                        // Relativistic scores are differences, in which it cancels out.
                        let largest = several[name]
                            .iter()
                            .chain(value)
                            .fold(0f32, |m, g| m.max(g.abs()));
                        assert!(largest < 1e-5, "{largest}");
                        continue;
                    }
                    // Sums of thousands of terms in f32, in another order.
                    assert_close(&several[name], value, 1e-4, name);
                }
            }
        }
    }
}
