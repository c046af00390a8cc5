//! Whole evaluations of small pictures made here.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use inpaint_core::{Control, InpaintError, Inpainter, Mask, composite};
use tmad_eval::{EvalError, EvalOptions, Metric, Output, Protocol, Score, evaluate};

/// Fills with one colour, and fails once it has filled `limit` pictures.
struct Plain {
    name: &'static str,
    value: u8,
    fails_on: Option<u32>,
}

impl Inpainter for Plain {
    fn name(&self) -> &str {
        self.name
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        _: &Control,
    ) -> Result<RgbImage, InpaintError> {
        // A picture's brightness tells which one it is.
        if self.fails_on == Some(u32::from(image.get_pixel(0, 0).0[2])) {
            return Err(InpaintError::method("out of paint"));
        }
        let (width, height) = image.dimensions();
        composite(
            image,
            &RgbImage::from_pixel(width, height, Rgb([self.value; 3])),
            mask,
        )
    }
}

fn grey() -> Plain {
    Plain {
        name: "grey",
        value: 128,
        fails_on: None,
    }
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tmad-eval-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with_pictures(name: &str, count: u32) -> Self {
        let folder = Self::new(name);
        std::fs::create_dir_all(folder.0.join("sub")).unwrap();
        for i in 0..count {
            let picture = RgbImage::from_fn(50 + i, 40, |x, y| {
                Rgb([(5 * x) as u8, (6 * y) as u8, i as u8])
            });
            let name = if i == 0 {
                "sub/p0.png".to_owned()
            } else {
                format!("p{i}.png")
            };
            picture.save(folder.0.join(name)).unwrap();
        }
        std::fs::write(folder.0.join("notes.txt"), "no picture").unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(data: &Folder, out: Option<&Path>) -> EvalOptions {
    EvalOptions {
        data: data.0.clone(),
        size: 32,
        out: out.map(Path::to_owned),
        ..EvalOptions::default()
    }
}

fn lines(out: &Path) -> Vec<Score> {
    let text = std::fs::read_to_string(out.join("results.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Times differ between runs; nothing else may.
fn without_times(mut scores: Vec<Score>) -> Vec<Score> {
    for score in &mut scores {
        score.seconds = None;
    }
    scores
}

#[test]
fn methods_and_folders_of_results_meet_the_same_masks() {
    let (data, out) = (Folder::with_pictures("meet", 3), Folder::new("meet-out"));
    let mut options = options(&data, Some(&out.0));
    options.protocol = Protocol::FreeForm;
    options.save_images = true;
    let first = evaluate(&options, &[&grey()], &[], &mut |_| {}).unwrap();
    assert_eq!(first.methods.len(), 1);
    // What was saved, scored as a folder of another program's results: the same figures.
    let saved = [Output::from((
        "copied".to_owned(),
        out.0.join("results/grey"),
    ))];
    let second = evaluate(&options, &[], &saved, &mut |_| {}).unwrap();
    assert_eq!(second.methods[0].method, "copied");
    assert_eq!(second.methods[0].metrics, first.methods[0].metrics);
    assert_eq!(second.methods[0].swd, first.methods[0].swd);
    assert!(second.methods[0].seconds.is_none());
    // The method of the earlier run stays in the report.
    assert_eq!(second.methods[1].method, "grey");
    for file in [
        "masks/sub/p0.png",
        "inputs/p1.png",
        "truths/p2.png",
        "summary.json",
        "run.json",
    ] {
        assert!(out.0.join(file).is_file(), "{file}");
    }
    // And the truth itself is perfect.
    let truth = [Output::from(("truth".to_owned(), out.0.join("truths")))];
    let third = evaluate(&options, &[], &truth, &mut |_| {}).unwrap();
    assert_eq!(third.methods[0].metrics[&Metric::L1Hole].mean, 0.0);
    assert_eq!(third.methods[0].metrics[&Metric::SsimImage].mean, 1.0);
    assert_eq!(third.methods[0].swd.as_ref().unwrap().mean, 0.0);
}

#[test]
fn an_interrupted_run_continues() {
    let (data, out) = (Folder::with_pictures("stop", 4), Folder::new("stop-out"));
    let uninterrupted = Folder::new("stop-whole");
    let whole = options(&data, Some(&uninterrupted.0));
    let whole = evaluate(&whole, &[&grey()], &[], &mut |_| {}).unwrap();
    let mut options = options(&data, Some(&out.0));
    options.save_images = true;
    let stops = Plain {
        fails_on: Some(2),
        ..grey()
    };
    let error = evaluate(&options, &[&stops], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(error, EvalError::Method { .. }), "{error}");
    assert_eq!(lines(&out.0).len(), 1, "p1 was done");
    // The machine died while it wrote a line.
    let path = out.0.join("results.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"picture\":\"p2\",\"meth");
    std::fs::write(&path, text).unwrap();

    let continued = Cell::new(0);
    let report = evaluate(&options, &[&grey()], &[], &mut |progress| {
        assert_eq!(progress.total, 4);
        continued.set(continued.get() + u32::from(progress.continued));
    });
    let report = report.unwrap();
    assert_eq!(continued.get(), 1);
    assert_eq!(lines(&out.0).len(), 4);
    assert_eq!(without_times(report.scores), without_times(whole.scores));
    assert_eq!(report.methods[0].swd, whole.methods[0].swd);
}

#[test]
fn without_saved_images_a_continued_run_says_what_is_missing() {
    let (data, out) = (Folder::with_pictures("lost", 3), Folder::new("lost-out"));
    let mut options = options(&data, Some(&out.0));
    options.limit = Some(1);
    evaluate(&options, &[&grey()], &[], &mut |_| {}).unwrap();
    options.limit = None;
    let report = evaluate(&options, &[&grey()], &[], &mut |_| {}).unwrap();
    assert_eq!(report.methods[0].metrics[&Metric::L1Hole].count, 3);
    assert!(report.methods[0].swd.is_none());
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.starts_with("SWD of grey")),
        "{:?}",
        report.notes
    );
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("lpips_squeeze_v0_1"))
    );
}

#[test]
fn other_settings_do_not_mix() {
    let (data, out) = (Folder::with_pictures("mix", 2), Folder::new("mix-out"));
    let mut options = options(&data, Some(&out.0));
    evaluate(&options, &[&grey()], &[], &mut |_| {}).unwrap();
    options.seed = 1;
    let error = evaluate(&options, &[&grey()], &[], &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("seed is 0 there, 1 here"), "{error}");
}

#[test]
fn wrong_results_are_named_before_the_work_begins() {
    let (data, results) = (
        Folder::with_pictures("wrong", 2),
        Folder::new("wrong-results"),
    );
    let outputs = [Output::from(("lama".to_owned(), results.0.clone()))];
    let run = |methods: &[&dyn Inpainter], outputs: &[Output<'_>]| {
        evaluate(&options(&data, None), methods, outputs, &mut |_| {}).unwrap_err()
    };
    assert!(matches!(run(&[], &outputs), EvalError::NoPictures { .. }));
    RgbImage::new(32, 32)
        .save(results.0.join("p1.png"))
        .unwrap();
    assert!(
        matches!(run(&[], &outputs), EvalError::MissingResult { picture, .. } if picture == "sub/p0")
    );
    std::fs::create_dir_all(results.0.join("sub")).unwrap();
    RgbImage::new(31, 32)
        .save(results.0.join("sub/p0.png"))
        .unwrap();
    let error = run(&[], &outputs).to_string();
    assert!(
        error.contains("31×32") && error.contains("32×32"),
        "{error}"
    );
    assert!(matches!(
        run(&[&grey(), &grey()], &[]),
        EvalError::MethodName { .. }
    ));
    let outside = [Output::from(("../x".to_owned(), results.0.clone()))];
    assert!(matches!(
        run(&[], &outside),
        EvalError::MethodName { .. } | EvalError::MissingResult { .. }
    ));
    RgbImage::new(8, 8).save(data.0.join("p1.webp")).unwrap();
    assert!(matches!(run(&[&grey()], &[]), EvalError::SameName { .. }));
}

#[test]
fn masks_come_by_name_or_in_turn() {
    let (data, masks) = (
        Folder::with_pictures("masks", 3),
        Folder::new("masks-masks"),
    );
    let mask = |share: u32| {
        image::GrayImage::from_fn(20, 20, |x, _| {
            image::Luma([if x < share { 255 } else { 0 }])
        })
    };
    mask(5).save(masks.0.join("a.png")).unwrap();
    mask(10).save(masks.0.join("b.png")).unwrap();
    let mut options = options(&data, None);
    options.protocol = masks.0.to_str().unwrap().parse().unwrap();
    let fractions = |options: &EvalOptions| -> Result<Vec<(String, f64)>, EvalError> {
        let report = evaluate(options, &[&grey()], &[], &mut |_| {})?;
        Ok((report.scores.into_iter())
            .map(|s| (s.picture, s.hole_fraction))
            .collect())
    };
    let expected =
        [("p1", 0.25), ("p2", 0.5), ("sub/p0", 0.25)].map(|(name, share)| (name.to_owned(), share));
    assert_eq!(fractions(&options).unwrap(), expected);
    mask(10).save(masks.0.join("p1.png")).unwrap();
    assert!(matches!(
        fractions(&options),
        Err(EvalError::SomeMasksMissing { matched: 1, .. })
    ));
    mask(10).save(masks.0.join("p2.png")).unwrap();
    std::fs::create_dir_all(masks.0.join("sub")).unwrap();
    mask(0).save(masks.0.join("sub/p0.png")).unwrap();
    let expected = [("p1", 0.5), ("p2", 0.5)].map(|(name, share)| (name.to_owned(), share));
    assert_eq!(fractions(&options).unwrap(), expected);
    let report = evaluate(&options, &[&grey()], &[], &mut |_| {}).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("sub/p0")));
    mask(0).save(masks.0.join("p1.png")).unwrap();
    mask(0).save(masks.0.join("p2.png")).unwrap();
    assert!(
        matches!(fractions(&options), Err(EvalError::EmptyMask { picture, .. }) if picture == "p1")
    );
}
