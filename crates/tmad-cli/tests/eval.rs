//! `tmad eval`: a table on standard output, a report in a folder.

mod common;

use common::{Folder, picture};

fn folder_of_pictures() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("pictures")).unwrap();
    folder.save("pictures/a.png", &picture(80, 64));
    folder.save("pictures/b.png", &picture(64, 90));
    folder
}

#[test]
fn methods_are_compared_in_a_table_and_a_report() {
    let folder = folder_of_pictures();
    let run = "eval --data pictures --protocol rectangle --methods patchmatch,coarse --size 64";
    let assert = folder.tmad(&format!("{run} --out report")).assert();
    let output = assert.success().get_output().stdout.clone();
    let table = String::from_utf8(output).unwrap();
    for words in ["2 pictures at 64 px", "| patchmatch |", "| coarse |"] {
        assert!(table.contains(words), "{table}");
    }
    let results = String::from_utf8(folder.read("report/results.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 4);
    assert!(folder.path("report/masks/a.png").exists());
}

#[test]
fn wrong_protocols_folders_and_weights_are_named() {
    let folder = folder_of_pictures();
    folder.fails(
        "eval --data pictures --protocol round",
        2,
        &["round", "free-form"],
    );
    folder.fails("eval --data gone --methods patchmatch", 1, &["gone"]);
    folder.fails(
        "eval --data pictures --outputs lama",
        2,
        &["lama=results/lama"],
    );
    let run = "eval --data pictures --methods patchmatch --lpips-weights gone";
    folder.fails(run, 1, &["gone/squeezenet1_1.safetensors"]);
}
