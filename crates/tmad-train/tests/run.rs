//! Whole runs on pictures made here: resuming, damage, divergence.

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tmad::coarse::CoarseConfig;
use tmad::model::ModelConfig;
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::texture_memory::MemoryConfig;
use tmad_train::config::{DataConfig, Networks, StageConfig, TrainConfig};
use tmad_train::discriminators::DiscriminatorConfig;
use tmad_train::{Ending, Event, Summary, TrainError, TrainOptions, checkpoint, train};

/// Networks that are trained within a second.
fn tiny_model() -> ModelConfig {
    ModelConfig {
        coarse: CoarseConfig {
            widths: vec![4, 8, 8],
            num_residual: 1,
            carafe_channels: 4,
            ..CoarseConfig::default()
        },
        memory: MemoryConfig {
            num_pool: 8,
            embedding_widths: (4, 2),
            ..MemoryConfig::default()
        },
        synthesis: PatchSynthesisConfig {
            encoder_widths: vec![4, 4, 4],
            num_residual: 1,
            decoder_widths: vec![4, 4, 4],
            feature_widths: [4, 4, 4],
            num_feature_residual: 1,
            carafe_channels: 4,
            ..PatchSynthesisConfig::default()
        },
        ..ModelConfig::default()
    }
}

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
        model: tiny_model(),
        stages: vec![stage(Networks::Coarse, 2), stage(Networks::Joint, 2)],
        data: DataConfig {
            rectangle_fraction: 0.5,
            ..DataConfig::default()
        },
        discriminators: DiscriminatorConfig {
            patch_widths: vec![4, 4, 4, 4],
            global_widths: [4, 4, 4, 4],
            ..DiscriminatorConfig::default()
        },
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
        device: Device::flex(),
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

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let (whole, _) = run(&options(folder.path(), "whole", config()), None).unwrap();
    assert_eq!(whole.ending, Ending::Finished);

    let bytes = |summary: &Summary| std::fs::read(&summary.weights).unwrap();
    // Interrupted in the middle of each stage.
    let mut parts = options(folder.path(), "parts", config());
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
    std::fs::create_dir(checkpoints[1].with_extension("unfinished")).unwrap();
    let model = checkpoints[1].join("model.bpk");
    let bytes = std::fs::read(&model).unwrap();
    std::fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();

    let (summary, events) = run(&options, None).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    let names_the_file = |event: &Event| matches!(event, Event::Warning { message } if message.contains("model.bpk"));
    assert!(events.iter().any(names_the_file), "{events:?}");
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
