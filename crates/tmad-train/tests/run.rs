//! Whole runs on pictures made here: resuming, damage, divergence.

mod tiny;

use burn::module::Module;
use burn::tensor::Device;
use image::{Rgb, RgbImage};
use inpaint_core::random::Random;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tmad::model::Model;
use tmad::weights::{Precision, WeightsFile, to_bytes};
use tmad_train::config::{DataConfig, Networks, StageConfig, TrainConfig};
use tmad_train::{
    Ending, Event, Mix, Summary, TrainError, TrainOptions, checkpoint, export, train,
};

const OUTPUT: &str = "backbone.output.weight";

fn stage(networks: Networks, iterations: u64) -> StageConfig {
    StageConfig {
        size_px: 96,
        batch_size: 2,
        iterations,
        learning_rate: 1e-3,
        ..match networks {
            Networks::Coarse => StageConfig::coarse(),
            _ => StageConfig {
                networks,
                ..StageConfig::joint()
            },
        }
    }
}

fn config() -> TrainConfig {
    TrainConfig {
        model: tiny::model(),
        stages: vec![stage(Networks::Coarse, 2), stage(Networks::Joint, 2)],
        data: DataConfig {
            rectangle_fraction: 0.5,
            ..DataConfig::default()
        },
        discriminators: tiny::discriminators(),
        num_validation: 2,
        ..TrainConfig::default()
    }
}

/// A folder of striped pictures.
fn pictures(folder: &Path) -> PathBuf {
    let path = folder.join("pictures");
    std::fs::create_dir(&path).unwrap();
    for i in 0..6u32 {
        let picture = RgbImage::from_fn(120 + 8 * i, 100, |x, y| {
            let stripe = ((x / (3 + i) + y / 5) % 2) as u8;
            Rgb([stripe * 200, 40 * i as u8, (x + y) as u8])
        });
        picture.save(path.join(format!("{i}.png"))).unwrap();
    }
    path
}

/// Random weights of SqueezeNet under torchvision's names.
fn squeezenet(folder: &Path) -> PathBuf {
    let mut random = Random::new(1);
    let mut tensors = Vec::new();
    let mut conv = |name: String, shape: [usize; 4]| {
        let fan_in = shape[1] * shape[2] * shape[3];
        let deviation = (2.0 / fan_in as f64).sqrt();
        let weight: Vec<u8> = (0..shape[0] * fan_in)
            .flat_map(|_| ((deviation * random.normal()) as f32).to_le_bytes())
            .collect();
        tensors.push((format!("features.{name}.weight"), shape.to_vec(), weight));
        let bias = vec![0; 4 * shape[0]];
        tensors.push((format!("features.{name}.bias"), vec![shape[0]], bias));
    };
    conv("0".to_owned(), [64, 3, 3, 3]);
    let mut input = 64;
    for (index, squeezed, out) in [
        (3, 16, 64),
        (4, 16, 64),
        (6, 32, 128),
        (7, 32, 128),
        (9, 48, 192),
        (10, 48, 192),
        (11, 64, 256),
        (12, 64, 256),
    ] {
        conv(format!("{index}.squeeze"), [squeezed, input, 1, 1]);
        conv(format!("{index}.expand1x1"), [out, squeezed, 1, 1]);
        conv(format!("{index}.expand3x3"), [out, squeezed, 3, 3]);
        input = 2 * out;
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name, view)
    });
    let path = folder.join("squeezenet.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

/// All tensors of a file of f32 weights.
fn values(bytes: &[u8]) -> BTreeMap<String, Vec<f64>> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let float = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
    let tensors = file.iter();
    tensors
        .map(|(name, view)| {
            (
                name.to_owned(),
                view.data().chunks_exact(4).map(float).collect(),
            )
        })
        .collect()
}

/// What a weights file says of its training.
fn metadata(bytes: &[u8]) -> BTreeMap<String, String> {
    WeightsFile::parse(bytes).unwrap().metadata().clone()
}

fn options(folder: &Path, out: &str, config: TrainConfig) -> TrainOptions {
    TrainOptions {
        data: folder.join("pictures"),
        out: folder.join(out),
        config,
        resume: false,
        init: None,
        perceptual_weights: None,
        time_limit: None,
        checkpoint_every: Duration::from_secs(3600),
        keep: 3,
        devices: vec![Device::flex()],
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Trains, and asks for a stop as stage `stop_in_stage` begins: one more step is made.
fn run(
    options: &TrainOptions,
    stop_in_stage: Option<usize>,
) -> Result<(Summary, Vec<Event>), TrainError> {
    options.stop.store(false, Ordering::Relaxed);
    let mut events = Vec::new();
    let summary = train(options, &mut |event| {
        if matches!(event, Event::Stage { stage, .. } if Some(*stage) == stop_in_stage) {
            options.stop.store(true, Ordering::Relaxed);
        }
        events.push(event.clone());
    })?;
    Ok((summary, events))
}

/// With all losses on.
#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let perceptual_weights = Some(squeezenet(folder.path()));
    let options = |out| TrainOptions {
        perceptual_weights: perceptual_weights.clone(),
        ..options(folder.path(), out, config())
    };
    let (whole, _) = run(&options("whole"), None).unwrap();
    assert_eq!(whole.ending, Ending::Finished);

    let bytes = |summary: &Summary| std::fs::read(&summary.weights).unwrap();
    // Interrupted in the middle of each stage.
    let mut parts = options("parts");
    let (first, _) = run(&parts, Some(0)).unwrap();
    assert_eq!(first.ending, Ending::Stopped);
    assert!(bytes(&whole) != bytes(&first), "training changes weights");
    parts.resume = true;
    let (second, _) = run(&parts, Some(1)).unwrap();
    assert_eq!(second.ending, Ending::Stopped);
    let (third, _) = run(&parts, None).unwrap();
    assert_eq!(third.ending, Ending::Finished);
    assert!(bytes(&whole) == bytes(&third));
}

/// Two workers: the same run to within what Adam makes of rounding, and bit-exact in itself.
#[test]
fn several_workers_train_as_one() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let config = || TrainConfig {
        stages: vec![stage(Networks::Joint, 3)],
        ..config()
    };
    let weights = |out: &str, num_workers: usize| {
        let options = TrainOptions {
            devices: vec![Device::flex(); num_workers],
            ..options(folder.path(), out, config())
        };
        let (summary, _) = run(&options, None).unwrap();
        std::fs::read(summary.weights).unwrap()
    };
    let (one, two, again) = (weights("one", 1), weights("two", 2), weights("again", 2));
    assert!(two == again, "threads do not matter");
    let fresh = Model::new(&config().model, config().seed, &Device::flex());
    let fresh = to_bytes(&fresh, Precision::F32, &BTreeMap::new()).unwrap();
    let distance = |a: &[u8], b: &[u8]| {
        let (a, b) = (values(a), values(b));
        let squares = a
            .iter()
            .flat_map(|(name, a)| a.iter().zip(&b[name]).map(|(a, b)| (a - b) * (a - b)));
        squares.sum::<f64>().sqrt()
    };
    // Adam's first steps go a whole step in the direction of a gradient's sign, also where the
    // gradient is next to nothing and its sign is chance.
    let relative = distance(&one, &two) / distance(&one, &fresh);
    assert!(relative < 0.02, "{relative}");
    assert!(relative > 0.0, "the sums are added up in another order");
}

/// The run says, and its weights remember, which network the perceptual loss had.
#[test]
fn the_perceptual_loss_is_used_when_its_weights_are_given() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let config = || TrainConfig {
        stages: vec![stage(Networks::Joint, 2)],
        ..config()
    };
    let is_warning = |event: &Event| matches!(event, Event::Warning { message } if message.contains("perceptual loss is left out"));
    let (without, events) = run(&options(folder.path(), "without", config()), None).unwrap();
    assert!(events.iter().any(is_warning), "{events:?}");
    let weights_without = without.weights;
    let without = std::fs::read(&weights_without).unwrap();
    assert_eq!(metadata(&without)["perceptual"], "none");

    let mut options = TrainOptions {
        perceptual_weights: Some(squeezenet(folder.path())),
        ..options(folder.path(), "with", config())
    };
    let (with, events) = run(&options, Some(0)).unwrap();
    assert!(!events.iter().any(is_warning), "{events:?}");
    let exported = export(&with.checkpoint, Precision::F16, None).unwrap();
    let error = export(with.checkpoint.parent().unwrap(), Precision::F16, None).unwrap_err();
    assert!(error.to_string().contains("no checkpoint"), "{error}");
    assert_eq!(metadata(&exported)["perceptual"], "squeezenet1_1");

    // Both together, weighted.
    let mixed = |share| {
        let file = weights_without.as_path();
        let mix = Mix { file, share };
        let bytes = export(&with.checkpoint, Precision::F32, Some(&mix)).unwrap();
        assert!(metadata(&bytes)["mixed_with"].contains("weights.safetensors"));
        values(&bytes).remove(OUTPUT).unwrap()
    };
    let [first, mixed] = [0.0, 0.25].map(mixed);
    let second = values(&without).remove(OUTPUT).unwrap();
    assert_ne!(first, second);
    for ((a, b), found) in first.iter().zip(&second).zip(mixed) {
        assert!(
            (0.75 * a + 0.25 * b - found).abs() < 1e-6,
            "{a} {b} {found}"
        );
    }

    // A run that had it does not go on without, unless it is told to.
    options.resume = true;
    let perceptual_weights = options.perceptual_weights.take();
    let error = run(&options, None).unwrap_err();
    assert!(error.to_string().contains("squeezenet1_1"), "{error}");
    options.perceptual_weights = perceptual_weights;
    let (with, _) = run(&options, None).unwrap();
    let with = std::fs::read(with.weights).unwrap();
    assert_eq!(metadata(&with)["perceptual"], "squeezenet1_1");
    assert!(values(&with)[OUTPUT] != second, "the loss does nothing");
}

#[test]
fn a_stage_of_patches_leaves_the_coarse_network_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let config = TrainConfig {
        stages: vec![stage(Networks::Patches, 3)],
        ..config()
    };
    let fresh = Model::new(&config.model, config.seed, &Device::flex());
    let (summary, _) = run(&options(folder.path(), "run", config), None).unwrap();
    fn bytes<M: Module>(module: &M) -> Vec<u8> {
        to_bytes(module, Precision::F32, &BTreeMap::new()).unwrap()
    }
    for name in ["model.bpk", "average.bpk"] {
        let trained = (fresh.clone().try_load_file(summary.checkpoint.join(name))).unwrap();
        assert!(bytes(&trained.coarse) == bytes(&fresh.coarse), "{name}");
        assert!(bytes(&trained.backbone) != bytes(&fresh.backbone), "{name}");
        assert!(bytes(&trained.theta) != bytes(&fresh.theta), "{name}");
    }
}

#[test]
fn as_many_checkpoints_are_kept_as_wanted() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let config = TrainConfig {
        stages: vec![stage(Networks::Coarse, 4)],
        ..config()
    };
    let options = TrainOptions {
        checkpoint_every: Duration::ZERO,
        keep: 2,
        ..options(folder.path(), "run", config)
    };
    run(&options, None).unwrap();
    let checkpoints = checkpoint::list(&options.out.join("checkpoints"));
    let steps = checkpoints
        .iter()
        .map(|path| checkpoint::record(path).unwrap().place.total_steps);
    assert_eq!(steps.collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_run_that_died_while_writing_goes_on_from_the_checkpoint_before() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let mut options = options(folder.path(), "run", config());
    run(&options, Some(0)).unwrap();
    options.resume = true;
    run(&options, Some(1)).unwrap();
    let checkpoints = checkpoint::list(&options.out.join("checkpoints"));
    assert_eq!(checkpoints.len(), 2);
    // What a kill leaves behind, and what a failing disk makes of the newest checkpoint.
    let unfinished = checkpoints[1].with_extension("unfinished");
    std::fs::create_dir(&unfinished).unwrap();
    let model = checkpoints[1].join("model.bpk");
    let bytes = std::fs::read(&model).unwrap();
    std::fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();

    let (summary, events) = run(&options, None).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    let names_the_file = |event: &Event| matches!(event, Event::Warning { message } if message.contains("model.bpk"));
    assert!(events.iter().any(names_the_file), "{events:?}");
    assert!(!unfinished.exists(), "leftovers are cleared away");
}

#[test]
fn damaged_pictures_are_named_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = pictures(folder.path());
    for i in 0..10 {
        std::fs::write(path.join(format!("damaged{i}.jpg")), [0xFF, 0xD8, i]).unwrap();
    }
    let mut config = config();
    config.stages = vec![stage(Networks::Coarse, 40)];
    config.num_validation = 1;
    let (summary, events) = run(&options(folder.path(), "run", config), None).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    let named = events
        .iter()
        .filter(|event| matches!(event, Event::Warning { message } if message.contains("damaged")))
        .count();
    assert!((5..=10).contains(&named), "{named} of 10 in 80 samples");
}

#[test]
fn divergence_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let mut config = config();
    config.stages = vec![StageConfig {
        learning_rate: 1e30,
        ..stage(Networks::Coarse, 60)
    }];
    let mut options = options(folder.path(), "run", config);
    options.checkpoint_every = Duration::ZERO;
    let error = run(&options, None).unwrap_err();
    assert!(error.to_string().contains("finite"), "{error}");
    let checkpoints = checkpoint::list(&options.out.join("checkpoints"));
    assert_eq!(checkpoints.len(), 1, "the first step was still good");
}

#[test]
fn a_new_run_does_not_mix_with_an_old_one() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let mut options = options(folder.path(), "run", config());
    run(&options, Some(0)).unwrap();
    let again = run(&options, None);
    assert!(matches!(again, Err(TrainError::Exists { .. })));
    options.out = folder.path().join("other");
    options.resume = true;
    assert!(run(&options, None).is_err(), "nothing to resume");
}

#[test]
fn too_few_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    let error = run(&options(folder.path(), "run", config()), None).unwrap_err();
    assert!(error.to_string().contains("at least 3"), "{error}");
}
