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
    let run = "eval --data pictures --methods patchmatch --metric-weights gone";
    folder.fails(run, 1, &["gone"]);
    let run = "eval --data pictures --methods tmad:candidates=9";
    folder.fails(run, 2, &["9", "1..=2"]);
    let run = "eval --data pictures --refine lama";
    folder.fails(run, 1, &["--outputs lama"]);
}

#[test]
fn ablations_and_refined_results_are_rows() {
    let folder = folder_of_pictures();
    let run = "eval --data pictures --methods telea --size 48 --out report --save-images";
    folder.succeeds(run);
    let run = "eval --data pictures --size 48 --outputs t=report/results/telea --refine t \
               --methods tmad,tmad:candidates=1,tmad:memory=paper";
    let output = folder
        .tmad(run)
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let table = String::from_utf8(output).unwrap();
    for row in [
        "tmad",
        "tmad candidates=1",
        "tmad memory=paper",
        "t",
        "t+tmad",
        "truth",
    ] {
        assert!(
            table.contains(&format!("| {row} | hole |")),
            "{row}: {table}"
        );
    }
    assert!(
        table.contains("lpips_alex is left out: add alexnet.safetensors and"),
        "{table}"
    );
    assert!(
        table.contains("FID, KID, P-IDS and U-IDS are left out"),
        "{table}"
    );
}
