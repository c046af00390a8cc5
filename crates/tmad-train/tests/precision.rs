//! The precision of a run.

mod tiny;

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tmad_ops::Precision;
use tmad_ops::kernels::Level;
use tmad_train::config::{Networks, PrecisionChoice, StageConfig, TrainConfig};
use tmad_train::{Event, TrainOptions, train};

fn options(folder: &Path, out: &str, precision: PrecisionChoice) -> TrainOptions {
    let config = TrainConfig {
        model: tiny::model(),
        discriminators: tiny::discriminators(),
        stages: vec![StageConfig {
            networks: Networks::Coarse,
            size_px: 64,
            batch_size: 1,
            iterations: 2,
            ..StageConfig::coarse()
        }],
        num_validation: 1,
        precision,
        ..TrainConfig::default()
    };
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

/// What is reported; `is_stopped` asks for a stop at once, so that one step is made.
fn events(options: &TrainOptions, is_stopped: bool) -> Vec<Event> {
    options.stop.store(is_stopped, Ordering::Relaxed);
    let mut events = Vec::new();
    train(options, &mut |event| events.push(event.clone())).unwrap();
    events
}

fn precisions(events: &[Event]) -> Vec<&str> {
    let precision = |event: &Event| match event {
        Event::Stage { precision, .. } => Some(*precision),
        _ => None,
    };
    events.iter().filter_map(precision).collect()
}

fn warned(events: &[Event]) -> bool {
    let of_bf16 =
        |event: &Event| matches!(event, Event::Warning { message } if message.contains("bf16"));
    events.iter().any(of_bf16)
}

/// It is that decided on when the run was started; where the processor has no bf16, the run goes
/// on without, and says so.
#[test]
fn a_run_keeps_its_precision() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    for i in 0..3 {
        let picture = RgbImage::from_fn(80, 80, |x, y| Rgb([x as u8, y as u8, 40 * i]));
        picture.save(pictures.join(format!("{i}.png"))).unwrap();
    }
    let stored = |out: &str| {
        let config = folder.path().join(out).join("config.json");
        let config: TrainConfig = serde_json::from_slice(&std::fs::read(config).unwrap()).unwrap();
        config.precision
    };
    let fastest = match Precision::fastest() {
        Precision::F32 => PrecisionChoice::F32,
        Precision::Bf16 => PrecisionChoice::Bf16,
    };
    for (out, precision, expected) in [
        ("exact", PrecisionChoice::F32, PrecisionChoice::F32),
        ("fast", PrecisionChoice::Auto, fastest),
    ] {
        let events = events(&options(folder.path(), out, precision), false);
        assert_eq!(precisions(&events), [expected.here().name()]);
        assert!(!warned(&events));
        assert_eq!(stored(out), expected);
    }
    let mut moved = options(folder.path(), "moved", PrecisionChoice::Bf16);
    events(&moved, true);
    moved.resume = true;
    let events = Level::Scalar.force(|| events(&moved, false));
    assert_eq!(precisions(&events), ["f32"]);
    assert!(warned(&events));
    assert_eq!(stored("moved"), PrecisionChoice::Bf16);
}
