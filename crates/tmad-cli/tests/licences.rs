//! `tmad info --licences`: the notices of everything that the binary contains.

mod common;

use common::Folder;
use std::process::Command;

#[test]
fn every_crate_in_the_binary_is_named_with_its_licence() {
    let folder = Folder::new();
    let assert = folder.tmad("info --licences").assert().success();
    let notices = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    for words in [
        "Mozilla Public License",
        "Independent JPEG Group",
        "TERMS AND CONDITIONS FOR USE",
    ] {
        assert!(notices.contains(words), "{words}");
    }
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-p", "tmad-cli"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    // `name v1.2.3`, with the folder behind it for the crates of the workspace.
    let packages = tree.lines().filter(|line| !line.contains('/'));
    let packages: Vec<String> = packages
        .map(|line| line.replacen(" v", " ", 1))
        // Notes behind the version: (proc-macro), (*).
        .map(|line| line.split(" (").next().unwrap_or_default().to_owned())
        .collect();
    assert!(packages.len() > 100, "{tree}");
    for package in packages {
        assert!(
            notices.contains(&format!("\n  {package}")),
            "{package} is not in third-party.txt; CONTRIBUTING.md has the command that renews it"
        );
    }
}
