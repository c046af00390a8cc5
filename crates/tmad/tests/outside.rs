//! A crate outside of this workspace, made of README.md's example, needs nothing but `tmad` and
//! `image`.

use std::fs;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "outside"
version = "0.0.0"
edition = "2024"

[dependencies]
tmad = { path = "TMAD" }
image = { version = "0.25", default-features = false, features = ["png"] }

# None of its parents' workspaces.
[workspace]
"#;

#[test]
#[ignore = "compiles all dependencies once more"]
fn the_readmes_example_compiles_in_somebody_elses_crate() {
    let tmad = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tmad.join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let (uses, statements) = example.split_once("\n\n").unwrap();
    let program = format!(
        "{uses}\nfn main() -> Result<(), Box<dyn std::error::Error>> {{\n\
         let photo = image::RgbImage::new(768, 512);\n{statements}\nOk(())\n}}\n"
    );

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    fs::create_dir_all(folder.join("src")).unwrap();
    // In quotes, so that Windows' backslashes stay what they are.
    let path = tmad.to_str().unwrap().replace('\\', "/");
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("TMAD", &path)).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    // The versions that this workspace was tested with.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["check", "--offline"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .status()
        .unwrap();
    assert!(status.success());
}
