//! `tmad explain` and `tmad refine`.

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};
use image::{Rgb, RgbImage};
use serde_json::Value;

#[test]
fn a_figure_and_numbers() {
    let folder = Folder::with_photo(120, 96);
    let run = "explain photo.png --mask mask.png --device cpu";
    let output = folder
        .tmad(&format!("{run} -o figure.png --json -"))
        .assert();
    let output = output.success().get_output().stdout.clone();
    let json: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!((&json["width"], &json["height"]), (&120.into(), &96.into()));
    let patches = json["patches"].as_array().unwrap();
    assert!(!patches.is_empty());
    for patch in patches {
        let candidates = patch["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 2);
        assert_eq!(candidates[1]["rank"], 2);
        assert!(candidates[0]["score"].as_f64() >= candidates[1]["score"].as_f64());
        for candidate in candidates {
            let end =
                |key: &str| candidate[key].as_u64().unwrap() + candidate["side"].as_u64().unwrap();
            assert!(end("x") <= 120 && end("y") <= 96, "{candidate}");
        }
    }
    let chosen = json["chosen"].as_object().unwrap();
    let sum: f64 = chosen.values().map(|share| share.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{chosen:?}");
    assert!(folder.open("figure.png").width() > 1000);
    folder.succeeds(&format!("{run} --json again.json"));
    assert_eq!(folder.read("again.json"), output);
    folder.fails(run, 2, &["--output", "--json"]);
    folder.fails(&format!("{run} -o gone/figure.png"), 1, &["gone"]);
}

#[test]
fn another_methods_result_is_refined() {
    let folder = Folder::with_photo(100, 90);
    let before = folder.open("photo.png");
    let mask = middle(100, 90);
    folder.save("grey.png", &RgbImage::from_pixel(100, 90, Rgb([128; 3])));
    let run = "refine photo.png --mask mask.png --device cpu -o out.png --coarse";
    let said = folder.succeeds(&format!("{run} grey.png"));
    assert!(said.contains("refining adds"), "{said}");
    let after = folder.open("out.png");
    assert_known_equal(&before, &after, &mask);
    assert!(hole_changed(&before, &after, &mask));

    folder.save("small.png", &picture(50, 45));
    folder.fails(&format!("{run} small.png"), 1, &["50×45", "100×90"]);
    folder.fails(&format!("{run} gone.png"), 1, &["gone.png", "coarse"]);
}

#[test]
fn a_mask_without_a_hole_has_nothing_to_explain_or_refine() {
    let folder = Folder::with_photo(40, 30);
    folder.save("mask.png", &RgbImage::new(40, 30));
    folder.fails(
        "explain photo.png -m mask.png -o f.png",
        1,
        &["--invert-mask"],
    );
    folder.succeeds("refine photo.png -m mask.png --coarse photo.png -o out.png");
    assert!(folder.open("out.png") == folder.open("photo.png"));
}
