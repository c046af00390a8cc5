//! The networks behind the command line: built-in weights, own weights, training, export.

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};
use serde_json::{Value, json};

#[test]
fn tmad_and_coarse_fill_the_hole_and_nothing_else() {
    let folder = Folder::with_photo(72, 56);
    let before = folder.open("photo.png");
    let mask = middle(72, 56);
    for method in ["tmad", "coarse"] {
        let run = format!("inpaint photo.png --mask mask.png --method {method} --device cpu -o");
        let said = folder.succeeds(&format!("{run} {method}.png --threads 2"));
        assert!(said.contains(&format!("filled by {method}")), "{said}");
        let after = folder.open(&format!("{method}.png"));
        assert_known_equal(&before, &after, &mask);
        assert!(hole_changed(&before, &after, &mask));
        folder.succeeds(&format!("{run} again.png --threads 1"));
        assert!(folder.open("again.png") == after, "threads do not matter");
    }
}

#[test]
fn info_states_sizes_origin_and_devices() {
    let folder = Folder::new();
    let assert = folder.tmad("info").assert().success();
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    for words in ["2,839,967", "3,936,522", "Weights: built in", "Devices"] {
        assert!(text.contains(words), "{text}");
    }
    let assert = folder.tmad("info --json").assert().success();
    let info: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let networks = info["networks"].as_array().unwrap();
    let sum: u64 = (networks.iter())
        .map(|network| network["num_parameters"].as_u64().unwrap())
        .sum();
    assert_eq!(info["num_parameters"], sum);
    assert_eq!(info["num_parameters_paper"], 3_936_522);
    assert!(info["weights"]["metadata"]["config"].is_string());
    assert_eq!(info["devices"][0]["name"], "cpu");
}

/// Networks and crops so small that training takes no time.
fn tiny_config() -> Value {
    let stage = |networks: &str| {
        json!({
            "networks": networks, "size_px": 64, "batch_size": 2, "iterations": 2,
            "learning_rate": 1e-4, "betas": [0.9, 0.999], "cycles": [1.0],
        })
    };
    json!({
        "num_validation": 2,
        "stages": [stage("coarse"), stage("joint")],
    })
}

#[test]
fn a_folder_of_pictures_becomes_weights() {
    let folder = Folder::with_photo(64, 64);
    std::fs::create_dir(folder.path("pictures")).unwrap();
    for i in 0..6 {
        folder.save(&format!("pictures/{i}.png"), &picture(64 + i, 70));
    }
    folder.write("config.json", tiny_config().to_string().as_bytes());
    let said = folder.succeeds("train --data pictures --out run --config config.json");
    assert!(said.contains("training is finished"), "{said}");
    let weights = (said.lines().find_map(|line| line.strip_prefix("weights: "))).unwrap();
    let checkpoint = (said
        .lines()
        .find_map(|line| line.strip_prefix("checkpoint: ")))
    .unwrap();

    // A run is not overwritten by mistake.
    folder.fails("train --data pictures --out run", 1, &["--resume"]);

    let run = "inpaint photo.png --mask mask.png -o out.png --weights";
    folder.succeeds(&format!("{run} {weights}"));
    folder.succeeds(&format!("export {checkpoint} -o half.safetensors"));
    folder.succeeds(&format!(
        "export {checkpoint} -o full.safetensors --precision f32"
    ));
    let (half, full) = (
        folder.read("half.safetensors"),
        folder.read("full.safetensors"),
    );
    assert!(full.len() > half.len() * 19 / 10);
    folder.succeeds(&format!("{run} half.safetensors"));
    let mix = format!("export {checkpoint} -o mixed.safetensors --mix full.safetensors");
    folder.succeeds(&format!("{mix} --share 0.3"));
    folder.succeeds(&format!("{run} mixed.safetensors"));
    folder.fails(&format!("{mix} --share 1.3"), 2, &["from 0 to 1"]);
    if cfg!(feature = "onnx") {
        folder.succeeds(&format!("export --onnx {checkpoint} -o networks"));
        assert!(folder.path("networks/coarse.onnx").exists());
        folder.succeeds("export --onnx full.safetensors --size 61x40 -o networks");
        let run = "export --onnx full.safetensors -o full.safetensors";
        folder.fails(run, 2, &["full.safetensors is a file"]);
        folder.fails("export --onnx --size 61 -o new", 2, &["512x384"]);
    }
    folder.fails(
        &format!("export {checkpoint} -o mixed.safetensors --mix photo.png"),
        1,
        &["photo.png"],
    );
    folder
        .tmad("info --weights half.safetensors")
        .assert()
        .success();

    folder.write("half.safetensors", &half[..half.len() - 1]);
    folder.fails(
        &format!("{run} half.safetensors"),
        1,
        &["truncated", "tensor `"],
    );
}

#[test]
fn training_says_what_is_missing() {
    let folder = Folder::new();
    folder.fails(
        "train --data gone --out run",
        1,
        &["gone is no folder", "pictures"],
    );
    std::fs::create_dir(folder.path("pictures")).unwrap();
    folder.write("config.json", b"{\"stagse\": []}");
    let run = "train --data pictures --out run --config config.json";
    folder.fails(run, 2, &["config.json", "unknown field `stagse`"]);
    folder.fails(
        "train --data pictures --out run --time-limit soon",
        2,
        &["--time-limit"],
    );
    folder.fails(
        "train --data pictures --out run --resume",
        1,
        &["without --resume"],
    );
    folder.fails(
        "export gone -o weights.safetensors",
        1,
        &["gone is no folder"],
    );
}
