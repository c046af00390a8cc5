//! The configuration files of the repository.

use std::path::{Path, PathBuf};
use tmad::model::ModelConfig;
use tmad_train::config::{Adversarial, TrainConfig};

fn read(path: &Path) -> TrainConfig {
    let text = std::fs::read_to_string(path).unwrap();
    let config: TrainConfig =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    config
        .check()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    config
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

#[test]
fn every_file_is_a_valid_configuration() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            read(&path);
            count += 1;
        }
    }
    assert!(count >= 9, "only {count} files were found");
}

/// The paper's rectangles are the defaults: no switch that departs from it is on.
#[test]
fn the_papers_configuration_has_no_switch_of_ours() {
    let config = read(&folder().join("paper-rectangle.json"));
    assert_eq!(config.model, ModelConfig::default());
    assert_eq!(config, TrainConfig::default());
}

/// Rows of a table differ in nothing but their switch.
#[test]
fn rows_of_a_table_differ_in_their_switch_only() {
    let base = read(&folder().join("paper-rectangle.json"));
    for count in [1, 2, 4, 6] {
        let mut config = read(&folder().join(format!("table-v-candidates-{count}.json")));
        assert_eq!(config.model.memory.num_candidates, count);
        config.model.memory.num_candidates = base.model.memory.num_candidates;
        assert_eq!(config, base);
    }
    let mut plain = read(&folder().join("table-vi-plain-gan.json"));
    assert_eq!(plain.losses.adversarial, Adversarial::Plain);
    plain.losses.adversarial = base.losses.adversarial;
    assert_eq!(plain, base);
}
