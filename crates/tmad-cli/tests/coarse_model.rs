//! Another project's network in the coarse network's place.

#![cfg(feature = "onnx")]

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};

/// A folder with a photo, and two networks with random weights: LaMa and AOT-GAN in small.
fn folder_with_networks() -> Folder {
    let folder = Folder::with_photo(72, 56);
    for name in ["lama.onnx", "aotgan.onnx"] {
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../tmad-onnx/tests/data");
        let network = std::fs::read(format!("{tests}/{name}")).unwrap();
        folder.write(name, &network);
    }
    folder
}

#[test]
fn a_network_guesses_and_tmad_adds_texture() {
    let folder = folder_with_networks();
    let before = folder.open("photo.png");
    let mask = middle(72, 56);
    let run = "inpaint photo.png --mask mask.png --device cpu";
    let mut results = Vec::new();
    for (options, name) in [
        ("--method coarse", "coarse"),
        ("--method coarse --coarse-model lama.onnx", "lama.onnx"),
        ("--method coarse --coarse-model aotgan.onnx", "aotgan.onnx"),
        ("--coarse-model lama.onnx", "lama.onnx+tmad"),
    ] {
        let said = folder.succeeds(&format!("{run} {options} -o out.png"));
        assert!(said.contains(&format!("filled by {name}")), "{said}");
        let after = folder.open("out.png");
        assert_known_equal(&before, &after, &mask);
        assert!(hole_changed(&before, &after, &mask), "{name}");
        assert!(!results.contains(&after), "{name} is one of the others");
        folder.succeeds(&format!("{run} {options} --threads 1 -o again.png"));
        assert!(folder.open("again.png") == after, "threads do not matter");
        results.push(after);
    }
    // A descriptor beside the file is heard: the picture comes out darker.
    folder.write("lama.json", br#"{"output": {"range": [0, 1000]}}"#);
    let options = "--method coarse --coarse-model lama.onnx";
    folder.succeeds(&format!("{run} {options} -o out.png"));
    assert!(!results.contains(&folder.open("out.png")));
}

#[test]
fn what_is_wrong_with_a_network_is_told() {
    let folder = folder_with_networks();
    let run = "inpaint photo.png --mask mask.png -o out.png --coarse-model";
    folder.fails(&format!("{run} gone.onnx"), 1, &["gone.onnx"]);
    let foreign = ["photo.png", "no ONNX model"];
    folder.fails(&format!("{run} photo.png"), 1, &foreign);
    let whole = folder.read("lama.onnx");
    folder.write("half.onnx", &whole[..whole.len() / 2]);
    folder.fails(&format!("{run} half.onnx"), 1, &["half.onnx"]);
    let method = format!("{run} lama.onnx --method telea");
    folder.fails(&method, 2, &["tmad and coarse only"]);
    folder.write("lama.json", br#"{"side": 0}"#);
    folder.fails(&format!("{run} lama.onnx"), 1, &["0 px", "descriptor"]);
}

#[test]
fn networks_are_rows_of_an_evaluation() {
    let folder = folder_with_networks();
    std::fs::create_dir(folder.path("pictures")).unwrap();
    folder.save("pictures/a.png", &picture(64, 64));
    let run = "eval --data pictures --protocol rectangle --size 64 \
               --methods lama.onnx,lama.onnx+tmad,tmad --out report --save-images";
    let assert = folder.tmad(run).assert().success();
    let table = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    for row in ["lama.onnx", "lama.onnx+tmad", "tmad"] {
        assert!(
            table.contains(&format!("| {row} | hole |")),
            "{row}: {table}"
        );
    }
    let of = |method: &str| folder.read(&format!("report/results/{method}/a.png"));
    assert!(of("lama.onnx") != of("lama.onnx+tmad"));
    assert!(of("tmad") != of("lama.onnx+tmad"));
    let gone = "eval --data pictures --methods gone.onnx";
    folder.fails(gone, 1, &["gone.onnx"]);
}
