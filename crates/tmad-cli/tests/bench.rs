//! The benchmark of the networks.

mod common;

use common::Folder;
use serde_json::Value;

#[test]
fn bench_reports_stages_and_writes_what_it_computed() {
    let folder = Folder::new();
    let run = "bench --size 72x64 --hole 40x32 --runs 1 --threads 2 --device cpu --json";
    let assert = folder
        .tmad(&format!("{run} --paper --layers --dump dump"))
        .assert()
        .success();
    let report: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(report["size"], serde_json::json!([72, 64]));
    assert_eq!(report["num_patches"], 2);
    assert_eq!(report["threads"], 2);
    assert!(number(&report["forward_ms"]) > 0.0);
    let stages = report["stages"].as_object().unwrap();
    assert_eq!(stages.len(), 4);
    let gflop: f64 = stages.values().map(|stage| number(&stage["gflop"])).sum();
    assert!((gflop / number(&report["gflop"]) - 1.0).abs() < 1e-6);
    let layers = report["layers"].as_array().unwrap();
    // The coarse network's first layer.
    assert_eq!(layers[0]["in_channels"], 4);
    assert_eq!(layers[0]["width"], 72);
    let convolutions: f64 = (layers.iter())
        .map(|layer| number(&layer["count"]) * number(&layer["gflop"]))
        .sum();
    assert!(convolutions > 0.5 * gflop && convolutions <= gflop);
    if cfg!(target_os = "linux") {
        assert!(number(&report["peak_bytes"]) > 1e6);
    }
    for file in ["bench.safetensors", "weights.safetensors"] {
        assert!(folder.path("dump").join(file).exists(), "{file}");
    }
    // The dumped weights are weights.
    folder
        .tmad(&format!("{run} --weights dump/weights.safetensors"))
        .assert()
        .success();
}

/// The built-in weights, which synthesise in register, on sides that are no multiple of anything.
#[test]
fn the_built_in_weights_are_timed() {
    let folder = Folder::new();
    let run = "bench --size 75x61 --hole 40x32 --runs 1 --threads 2 --device cpu --json --train";
    let assert = folder.tmad(run).assert().success();
    let report: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    for times in ["stages", "training"] {
        let synthesis = &report[times]["synthesis"];
        assert!(synthesis["gflop"].as_f64().unwrap() > 0.1, "{report}");
    }
}

#[test]
fn a_hole_as_large_as_the_picture_is_refused() {
    let folder = Folder::new();
    let run = "bench --size 64x64 --hole 64x32";
    folder.fails(run, 1, &["64x32", "make --hole smaller"]);
}
