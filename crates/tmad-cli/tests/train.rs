//! `tmad pack` and `tmad train` as programs: packed pictures, and a run that is killed.

mod common;

use common::{Folder, picture};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn folder_of_pictures() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("pictures")).unwrap();
    for i in 0..6 {
        folder.save(&format!("pictures/{i}.png"), &picture(64 + i, 70));
    }
    folder
}

/// Networks whose checkpoint is written in no time, again and again.
fn config(iterations: u32) -> Value {
    json!({
        "num_validation": 1,
        "model": {"coarse": {"widths": [4, 4], "num_residual": 1, "carafe_channels": 4}},
        "stages": [{
            "networks": "coarse", "size_px": 64, "batch_size": 2, "iterations": iterations,
            "learning_rate": 1e-4, "betas": [0.9, 0.999], "cycles": [1.0],
        }],
    })
}

#[test]
fn packed_pictures_are_trained_on() {
    let folder = folder_of_pictures();
    folder.write("pictures/broken.jpg", b"no picture");
    let said = folder.succeeds("pack pictures -o pictures.tmad --short-side 64 --quality 90");
    for words in ["6 pictures", "broken.jpg", "1 damaged files left out"] {
        assert!(said.contains(words), "{said}");
    }
    folder.write("config.json", config(2).to_string().as_bytes());
    let run = "train --config config.json --device cpu --data";
    let said = folder.succeeds(&format!("{run} pictures.tmad --out run --workers 2"));
    assert!(said.contains("training is finished"), "{said}");

    let bytes = folder.read("pictures.tmad");
    folder.write("pictures.tmad", &bytes[..bytes.len() / 2]);
    let error = ["pictures.tmad", "cut off"];
    let assert = folder
        .tmad(&format!("{run} pictures.tmad --out run2"))
        .assert()
        .code(1);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(error.iter().all(|words| said.contains(words)), "{said}");
    folder.fails("pack gone -o pictures.tmad", 1, &["gone is no folder"]);
}

/// `kill -9` while a checkpoint is being written, as often as it takes to hit one: the run goes
/// on from the checkpoint before, and nothing of the torn one stays.
#[test]
fn a_run_that_is_killed_while_writing_a_checkpoint_goes_on() {
    let folder = folder_of_pictures();
    folder.write("config.json", config(1_000_000).to_string().as_bytes());
    let checkpoints = folder.path("run/checkpoints");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&checkpoints).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    };
    let mut start = "--config config.json";
    let mut num_torn = 0;
    for _ in 0..40 {
        let arguments =
            format!("train --data pictures --out run {start} --device cpu --checkpoint-every 0s");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tmad"))
            .current_dir(folder.path("."))
            .args(arguments.split_whitespace())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        // Once a checkpoint is there to go on from, in the middle of the next; what the kill
        // before left behind is cleared away first.
        let is_whole = |name: &String| !name.contains("unfinished");
        let mut is_clear = false;
        loop {
            let names = names();
            is_clear |= names.iter().all(is_whole);
            if is_clear && names.iter().any(is_whole) && !names.iter().all(is_whole) {
                break;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "no checkpoint: {names:?}"
            );
            assert!(
                child.try_wait().unwrap().is_none(),
                "the run ended by itself"
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
        start = "--resume";
        num_torn += usize::from(names().iter().any(|name| name.contains("unfinished")));
        if num_torn == 2 {
            break;
        }
    }
    assert_eq!(num_torn, 2, "no kill came at the right time");
    let newest = || {
        names()
            .into_iter()
            .filter(|n| !n.contains("unfinished"))
            .max()
            .unwrap()
    };
    let before = newest();
    let said = folder.succeeds(
        "train --data pictures --out run --resume --device cpu --time-limit 1s --checkpoint-every 0s",
    );
    assert!(
        said.contains("the time is up") && !said.contains("warning: checkpoint"),
        "{said}"
    );
    assert!(newest() > before, "{} and {before}", newest());
    assert!(names().iter().all(|name| !name.contains("unfinished")));
}
