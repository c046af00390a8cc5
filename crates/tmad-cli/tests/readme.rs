//! README.md and the code that it shows cannot drift apart.

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
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let paper = include_str!("../../../PAPER.md");
    for (document, text) in [("README.md", README), ("PAPER.md", paper)] {
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let path = std::path::Path::new(root).join(target);
            assert!(
                path.exists(),
                "{document} names {target}, which does not exist"
            );
        }
    }
}
