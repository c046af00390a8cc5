//! README.md and the code that it shows cannot drift apart.

use std::fs;
use std::path::Path;

const README: &str = include_str!("../../../README.md");
const EXAMPLE: &str = include_str!("../examples/fill_in_memory.rs");

#[test]
fn the_library_example_is_the_one_that_compiles() {
    let (_, rest) = EXAMPLE.split_once("// README: from here\n").unwrap();
    let (shown, _) = rest.split_once("    // README: to here").unwrap();
    let shown: String = (shown.lines())
        .map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n")
        .collect();
    assert!(README.contains(&shown), "README.md lacks:\n{shown}");
    for line in EXAMPLE.lines().filter(|line| line.starts_with("use ")) {
        assert!(README.contains(line), "README.md lacks:\n{line}");
    }
}

#[test]
fn the_files_that_the_documents_name_exist() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folders = ["", "docs", "packaging", "configs", "tools/golden"];
    let documents: Vec<_> = (folders.iter())
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    assert!(documents.len() > 10, "{documents:?}");
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let targets = (text.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let path = document.parent().unwrap().join(target);
            let document = document.display();
            assert!(
                path.exists(),
                "{document} names {target}, which does not exist"
            );
        }
    }
}

#[test]
fn the_readme_is_short_enough_to_be_read() {
    assert!(README.lines().count() <= 120);
}
