//! `tmad inpaint` on folders.

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const RUN: &str = "inpaint photos --method patchmatch -o out";

/// A tree of photos, all of one size, and a mask for all of them.
fn tree() -> Folder {
    let folder = Folder::new();
    for name in ["photos", "photos/below", "photos/below/deep"] {
        fs::create_dir(folder.path(name)).unwrap();
    }
    for name in [
        "a.jpg",
        "a.png",
        "below/a.png",
        "below/deep/b.webp",
        "c.bmp",
    ] {
        folder.save(&format!("photos/{name}"), &picture(40, 30));
    }
    folder.write("photos/notes.txt", b"no picture");
    folder.write("photos/.hidden.png", b"no picture");
    folder.save_mask("mask.png", &middle(40, 30));
    folder
}

/// Names of all files below a folder.
fn files(folder: &Folder, name: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Ok(entries) = fs::read_dir(folder.path(name)) else {
        return names;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            names.extend(files(folder, &name));
        } else {
            names.insert(name);
        }
    }
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn the_tree_and_the_formats_are_kept() {
    let folder = tree();
    let said = folder.succeeds(&format!("{RUN} --mask mask.png"));
    assert!(said.contains("3 written"), "{said}");
    assert!(said.contains("pictures per second"), "{said}");
    assert_eq!(
        files(&folder, "out"),
        set(&["out/a.jpg", "out/a.png", "out/c.bmp"])
    );

    folder.succeeds(&format!("{RUN} --mask mask.png --recursive --jobs 3"));
    let all = [
        "a.jpg",
        "a.png",
        "below/a.png",
        "below/deep/b.webp",
        "c.bmp",
    ];
    let expected = all.iter().map(|name| format!("out/{name}")).collect();
    assert_eq!(files(&folder, "out"), expected);
    for name in all {
        let format = image::guess_format(&folder.read(&format!("out/{name}"))).unwrap();
        assert_eq!(
            Some(format),
            image::ImageFormat::from_path(name).ok(),
            "{name}"
        );
    }
    for name in ["a.png", "below/a.png", "below/deep/b.webp", "c.bmp"] {
        let before = folder.open(&format!("photos/{name}"));
        let after = folder.open(&format!("out/{name}"));
        assert_known_equal(&before, &after, &middle(40, 30));
        assert!(hole_changed(&before, &after, &middle(40, 30)), "{name}");
    }
}

#[test]
fn every_photo_can_have_its_own_mask() {
    let folder = tree();
    fs::create_dir_all(folder.path("masks/below")).unwrap();
    let own = middle(40, 30).dilated(3);
    folder.save_mask("masks/a.jpg.png", &middle(40, 30));
    folder.save_mask("masks/a.png", &own);
    folder.save_mask("masks/below/a.png", &middle(40, 30));
    folder.save_mask("masks/c.png", &middle(40, 30));
    let assert = folder.tmad(&format!("{RUN} -m masks -r")).assert().code(1);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    let words = "there is no mask for below/deep/b.webp";
    assert!(
        said.contains(words) && said.contains("1 of 5 pictures failed"),
        "{said}"
    );
    let (before, after) = (folder.open("photos/a.png"), folder.open("out/a.png"));
    assert_known_equal(&before, &after, &own);
    let rim = inpaint_core::Mask::from_fn(40, 30, |x, y| {
        own.is_hole(x, y) && !middle(40, 30).is_hole(x, y)
    });
    assert!(hole_changed(&before, &after, &rim));

    // Masks beside their photos are no photos.
    folder.save_mask("photos/a_mask.png", &middle(40, 30));
    let assert = folder
        .tmad(&format!("{RUN} --mask photos --skip-existing"))
        .assert();
    assert.success();
    assert!(!folder.path("out/a_mask.png").exists());
}

#[test]
fn failures_are_told_at_the_end_and_others_go_on() {
    let folder = tree();
    folder.write("photos/b.jpg", b"\xFF\xD8\xFF\xE0broken");
    folder.write("photos/d.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    folder.save("photos/e.png", &picture(41, 30));
    let run = format!("{RUN} --mask mask.png --json");
    let assert = folder.tmad(&run).assert().code(1);
    let output = assert.get_output();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    for words in [
        "3 written, 3 failed",
        "b.jpg is truncated",
        "d.heic is HEIC, which cannot be read",
        "mask mask.png is 40×30, the photo is 41×30",
        "3 of 6 pictures failed",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let lines: Vec<Value> = (String::from_utf8(output.stdout.clone()).unwrap().lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |status: &str| lines.iter().filter(|l| l["status"] == status).count();
    assert_eq!((lines.len(), count("filled"), count("failed")), (6, 3, 3));
    let filled = lines
        .iter()
        .find(|line| line["status"] == "filled")
        .unwrap();
    assert_eq!(filled["pixels"], 14 * 10);
    assert!(
        lines
            .iter()
            .any(|line| line["error"].as_str().is_some_and(|e| e.contains("HEIC")))
    );

    fs::remove_dir_all(folder.path("out")).unwrap();
    folder.write("photos/a.jpg", b"");
    let assert = folder
        .tmad(&format!("{RUN} -m mask.png --fail-fast -j 1"))
        .assert()
        .code(1);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(said.contains("0 written, 1 failed, 5 not tried"), "{said}");
}

#[test]
fn results_that_are_there_can_be_skipped() {
    let folder = tree();
    fs::create_dir(folder.path("out")).unwrap();
    folder.write("out/a.jpg", b"older");
    let said = folder.succeeds(&format!("{RUN} --mask mask.png --skip-existing"));
    assert!(said.contains("2 written, 1 there already"), "{said}");
    assert_eq!(folder.read("out/a.jpg"), b"older");
    folder.succeeds(&format!("{RUN} --mask mask.png"));
    assert_ne!(folder.read("out/a.jpg"), b"older");
}

#[test]
fn shards_share_the_work_without_overlap() {
    let folder = tree();
    let mut sum = 0;
    for index in 0..3 {
        let run = format!("inpaint photos --method patchmatch -m mask.png -r -o out{index}");
        folder.succeeds(&format!("{run} --shard {index}/3"));
        sum += files(&folder, &format!("out{index}")).len();
    }
    let merged: BTreeSet<String> = (0..3)
        .flat_map(|index| {
            let prefix = format!("out{index}");
            files(&folder, &prefix)
                .into_iter()
                .map(move |name| name[prefix.len()..].to_owned())
        })
        .collect();
    assert_eq!((sum, merged.len()), (5, 5));

    let mut command = folder.tmad(&format!("{RUN} -m mask.png -r --shard auto"));
    command
        .env("SLURM_ARRAY_TASK_ID", "1")
        .env("SLURM_ARRAY_TASK_COUNT", "3");
    command.assert().success();
    assert_eq!(files(&folder, "out").len(), files(&folder, "out1").len());
    let mut command = folder.tmad(&format!("{RUN} -m mask.png -r --shard auto"));
    for (name, number) in [("ID", "4"), ("MIN", "1"), ("MAX", "9"), ("COUNT", "3")] {
        command.env(format!("SLURM_ARRAY_TASK_{name}"), number);
    }
    let refused = command.assert().code(2);
    let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(said.contains("irregular array lists"), "{said}");
    folder.fails(
        &format!("{RUN} -m mask.png --shard 3/3"),
        2,
        &["the last 2"],
    );
}

#[test]
fn folders_that_make_no_sense() {
    let folder = tree();
    folder.save("photo.png", &picture(40, 30));
    let run = "inpaint photos --method patchmatch -m mask.png";
    folder.fails(&format!("{run} -o photos"), 1, &["folder of the photos"]);
    folder.fails(&format!("{run} -r -o mask.png"), 1, &["mask.png is a file"]);
    folder.fails(&format!("{run} -o out.png"), 2, &["photos is a folder"]);
    fs::create_dir(folder.path("empty")).unwrap();
    let run = "inpaint empty --method patchmatch -m mask.png -o out";
    folder.fails(run, 1, &["no photos in empty", "--recursive"]);
    let run = "inpaint photo.png -m mask.png -o out.png --recursive";
    folder.fails(run, 2, &["for folders"]);
    let run = "inpaint photos -m mask.png -o out --fail-fast --keep-going";
    folder.fails(run, 2, &["cannot be used with"]);
}

#[test]
fn results_inside_the_folder_of_the_photos_are_not_photos() {
    let folder = tree();
    let run = "inpaint photos --method patchmatch -m mask.png -r -o photos/done";
    folder.succeeds(run);
    let said = folder.succeeds(run);
    assert!(said.contains("5 written"), "{said}");
    assert_eq!(files(&folder, "photos/done").len(), 5);
}

#[cfg(not(feature = "object-store"))]
#[test]
fn object_stores_that_are_not_part_of_the_build() {
    let folder = tree();
    let run = "inpaint s3://bucket/photo.png -m mask.png -o out.png";
    folder.fails(run, 2, &["s3://bucket", "--features object-store"]);
}

/// Ctrl-C ends the work soon; what is written by then is whole.
#[cfg(unix)]
#[test]
fn an_interrupted_folder_has_whole_results_only() {
    use std::process::{Command, Stdio};
    let folder = tree();
    for name in ["photos/x.png", "photos/y.png", "photos/z.png"] {
        folder.save(name, &picture(1400, 1400));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_tmad"))
        .args(RUN.split(' '))
        .args(["--box", "500,400,300,300", "--box", "5,5,20,9"])
        .current_dir(folder.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = std::time::Instant::now();
    // The small ones are done, the large ones have begun.
    while files(&folder, "out").len() < 3 && start.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed().as_secs() < 60);
    for name in files(&folder, "out") {
        assert!(image::open(folder.path(&name)).is_ok(), "{name}");
    }
}

/// A photo that takes for ever to read: the first Ctrl-C cannot end that, the second does.
#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_the_program_at_once() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = Folder::new();
    fs::create_dir(folder.path("photos")).unwrap();
    let pipe = folder.path("photos/endless.png");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tmad"))
        .args(RUN.split(' '))
        .args(["--box", "5,5,20,9"])
        .current_dir(folder.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Opens when the program does, whose handler is there by then.
    let _writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let id = child.id().to_string();
    let interrupt = || {
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
    };
    interrupt();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None);
    interrupt();
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(folder.list(), ["photos"]);
}

#[cfg(unix)]
#[test]
fn names_are_bytes_and_masks_are_found_whatever_their_case() {
    use std::os::unix::ffi::OsStringExt;
    let folder = Folder::new();
    for name in ["photos", "masks"] {
        fs::create_dir(folder.path(name)).unwrap();
    }
    let odd = std::ffi::OsString::from_vec(b"caf\xE9.png".to_vec());
    folder.save("photos/IMG_1.PNG", &picture(40, 30));
    fs::copy(
        folder.path("photos/IMG_1.PNG"),
        folder.path("photos").join(&odd),
    )
    .unwrap();
    folder.save_mask("masks/img_1.bmp", &middle(40, 30));
    fs::copy(
        folder.path("masks/img_1.bmp"),
        folder.path("masks").join(&odd),
    )
    .unwrap();
    folder.succeeds(&format!("{RUN} --mask masks"));
    for name in ["IMG_1.PNG".into(), odd] {
        assert!(folder.path("out").join(&name).exists(), "{name:?}");
    }
}

#[test]
fn several_photos_go_into_a_folder() {
    let folder = tree();
    let said =
        folder.succeeds("inpaint photos/a.jpg photos/c.bmp --mask mask.png --method telea -o out");
    assert!(said.contains("2 written"), "{said}");
    assert_eq!(files(&folder, "out"), set(&["out/a.jpg", "out/c.bmp"]));
    for (photos, words) in [
        (
            "photos/a.png photos/below/a.png -o out",
            "would have one result",
        ),
        (
            "photos/a.jpg photos/c.bmp -o out.png",
            "several photos need a folder",
        ),
        (
            "photos/a.jpg photos/c.bmp -o photos",
            "would be written over",
        ),
        (
            "photos photos/c.bmp -o out",
            "one folder, or several photos",
        ),
    ] {
        folder.fails(&format!("inpaint {photos} --mask mask.png"), 2, &[words]);
    }
    // One that cannot be read is no reason to leave the others out.
    folder.write("bad.png", b"no picture");
    let run = "inpaint bad.png photos/c.bmp --mask mask.png --method telea -o some";
    let assert = folder.tmad(run).assert().code(1);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(said.contains("bad.png"), "{said}");
    assert_eq!(files(&folder, "some"), set(&["some/c.bmp"]));
}
