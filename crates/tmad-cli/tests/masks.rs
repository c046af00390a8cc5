//! `tmad masks`: the same files for the same seed.

mod common;

use common::Folder;
use inpaint_core::Mask;
use serde_json::Value;

#[test]
fn masks_are_numbered_listed_and_repeatable() {
    let folder = Folder::new();
    let said = folder.succeeds("masks --protocol free-form --count 3 --seed 5 -o a/b");
    assert!(said.contains("3 masks in a/b"), "{said}");
    folder.succeeds("masks --protocol free-form --count 2 --seed 5 -o again");
    folder.succeeds("masks --protocol free-form --count 2 --seed 6 -o other");
    let list = String::from_utf8(folder.read("a/b/masks.jsonl")).unwrap();
    let entries: Vec<Value> = (list.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries.len(), 3);
    for entry in &entries {
        let file = entry["file"].as_str().unwrap();
        let mask = folder.open(&format!("a/b/{file}"));
        let mask = Mask::from_gray(mask.as_luma8().unwrap(), 128);
        assert_eq!(mask.dimensions(), (256, 256));
        assert_eq!(entry["hole_area_px"], mask.hole_area());
    }
    assert_eq!(
        folder.read("a/b/mask-00001.png"),
        folder.read("again/mask-00001.png")
    );
    assert_ne!(
        folder.read("a/b/mask-00001.png"),
        folder.read("other/mask-00001.png")
    );
    assert_ne!(
        folder.read("again/mask-00000.png"),
        folder.read("again/mask-00001.png")
    );
}

#[test]
fn protocols_and_sizes() {
    let folder = Folder::new();
    folder.succeeds("masks --protocol rectangle --size 320x200 -o masks");
    let mask = folder.open("masks/mask-00000.png");
    let mask = Mask::from_gray(mask.as_luma8().unwrap(), 128);
    assert_eq!(mask.dimensions(), (320, 200));
    let hole = mask.hole_bounds().unwrap();
    assert_eq!(mask.hole_area() as u32, hole.width * hole.height);
    folder.succeeds("masks --protocol centre --size 64 -o masks");
    let mask = folder.open("masks/mask-00000.png");
    assert_eq!(
        Mask::from_gray(mask.as_luma8().unwrap(), 128).hole_area(),
        32 * 32
    );
}

#[test]
fn wrong_sizes_and_folders() {
    let folder = Folder::new();
    folder.fails(
        "masks --protocol rectangle --size 0 -o masks",
        2,
        &["640x480"],
    );
    folder.fails("masks --protocol circle -o masks", 2, &["free-form"]);
    folder.write("file", b"");
    folder.fails("masks --protocol rectangle -o file", 1, &["file"]);
}
