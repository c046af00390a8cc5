//! What `tmad inpaint` says when it cannot do its work, and that it leaves nothing behind.

mod common;

use common::{Folder, middle, picture};
use inpaint_core::Mask;

const RUN: &str = "inpaint photo.png --mask mask.png --method patchmatch -o";

#[test]
fn a_photo_that_is_missing_or_a_folder_or_empty() {
    let folder = Folder::with_photo(20, 20);
    let run = |photo: &str| format!("inpaint {photo} --mask mask.png -o out.png");
    folder.fails(
        &run("gone.png"),
        1,
        &["gone.png does not exist", "check the path"],
    );
    // More than an output that cannot be.
    for run in [
        "inpaint gone.png --mask mask.png -o out.gif",
        "refine gone.png --coarse gone.png --mask mask.png -o out.gif",
        "explain gone.png --mask mask.png -o out.gif",
    ] {
        folder.fails(run, 1, &["gone.png does not exist"]);
    }
    folder.fails(&run("."), 2, &[". is a folder", "give a picture file"]);
    folder.write("empty.png", b"");
    folder.fails(&run("empty.png"), 1, &["empty.png is empty"]);
}

#[test]
fn a_photo_that_is_no_picture() {
    let folder = Folder::with_photo(20, 20);
    folder.write("photo.png", b"Dear Sir or Madam,");
    folder.fails(
        &format!("{RUN} out.png"),
        1,
        &["photo.png is in no format that can be read", "JPEG, PNG"],
    );
    folder.write("photo.png", b"GIF89a\x01\0\x01\0\0\0\0");
    let run = format!("{RUN} out.png");
    folder.fails(&run, 1, &["photo.png is GIF", "convert it to PNG"]);
}

#[test]
fn damaged_photos() {
    let folder = Folder::with_photo(64, 64);
    let png = folder.read("photo.png");
    folder.write("photo.png", &png[..png.len() / 2]);
    folder.fails(
        &format!("{RUN} out.png"),
        1,
        &["photo.png cannot be decoded", "incomplete"],
    );

    folder.save("photo.jpg", &picture(64, 64));
    let jpeg = folder.read("photo.jpg");
    let run = "inpaint photo.jpg --mask mask.png --method patchmatch -o out.jpg";
    for length in [3, jpeg.len() / 2] {
        folder.write("photo.jpg", &jpeg[..length]);
        folder.fails(run, 1, &["photo.jpg is truncated", "copy the file again"]);
    }
    // All of the picture is there without the end marker.
    folder.write("photo.jpg", &jpeg[..jpeg.len() - 2]);
    folder.succeeds(run);
}

#[test]
fn a_mask_of_another_size() {
    let folder = Folder::with_photo(20, 30);
    folder.save_mask("mask.png", &middle(20, 31));
    let words = ["mask.png is 20×31", "the photo is 20×30", "exact size"];
    folder.fails(&format!("{RUN} out.png"), 1, &words);
}

#[test]
fn a_mask_that_is_no_picture_or_missing() {
    let folder = Folder::with_photo(20, 20);
    folder.write("mask.png", b"\0\x01\x02");
    folder.fails(
        &format!("{RUN} out.png"),
        1,
        &["mask", "mask.png is in no format that can be read"],
    );
    std::fs::remove_file(folder.path("mask.png")).unwrap();
    folder.fails(&format!("{RUN} out.png"), 1, &["mask.png does not exist"]);
}

#[test]
fn a_full_mask_and_one_of_more_than_half() {
    let folder = Folder::with_photo(20, 20);
    folder.save_mask("mask.png", &Mask::new(20, 20).inverted());
    folder.fails(
        &format!("{RUN} out.png"),
        1,
        &["covers the whole", "--invert-mask"],
    );
    folder.save_mask("mask.png", &middle(20, 20).inverted());
    let said = folder.succeeds(&format!("{RUN} out.png"));
    assert!(said.contains("warning: 88 % of the picture"), "{said}");
    folder.save("photo.png", &picture(100, 100));
    let run = "inpaint photo.png --method telea -o out.png --box 0,0,100,99 --box 0,99,98,1";
    let said = folder.succeeds(run);
    assert!(said.contains("more than 99 %"), "{said}");
    assert!(said.contains("(99.9 %)"), "{said}");
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = Folder::with_photo(20, 20);
    folder.fails(
        &format!("{RUN} no/where/out.png"),
        1,
        &["folder no/where does not exist", "mkdir"],
    );
    folder.fails(
        &format!("{RUN} out.gif"),
        2,
        &["out.gif", ".jpg", ".png", ".webp", ".tif"],
    );
    folder.fails(&format!("{RUN} out"), 2, &["format", ".png"]);
    folder.fails(&format!("{RUN} ."), 2, &["is a folder"]);
}

#[test]
fn too_large_for_the_format_or_the_limit() {
    let folder = Folder::with_photo(20_000, 2);
    // WebP ends at 16383 pixels.
    folder.fails(&format!("{RUN} out.webp"), 1, &["cannot encode out.webp"]);

    // The size in a header costs nothing: 40000 × 40000 pixels in a few bytes.
    let mut bomb = vec![0u8; 54];
    bomb[..2].copy_from_slice(b"BM");
    bomb[10] = 54;
    bomb[14] = 40;
    bomb[18..22].copy_from_slice(&40_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&40_000u32.to_le_bytes());
    bomb[26] = 1;
    bomb[28] = 24;
    folder.write("photo.png", &bomb);
    let words = ["40000×40000", "200 megapixels", "--max-megapixels"];
    folder.fails(&format!("{RUN} out.png"), 1, &words);
}

#[test]
fn weights_that_are_none() {
    let folder = Folder::with_photo(20, 20);
    folder.write("weights.safetensors", b"no weights");
    let run = "inpaint photo.png --mask mask.png --weights weights.safetensors -o out.png";
    folder.fails(run, 1, &["cannot use the weights weights.safetensors"]);
    let run = "inpaint photo.png --mask mask.png --weights gone.safetensors -o out.png";
    folder.fails(run, 1, &["cannot read gone.safetensors"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_part_of_the_build() {
    let folder = Folder::with_photo(20, 20);
    let run = "inpaint photo.png --mask mask.png --device cuda -o out.png";
    folder.fails(run, 1, &["--device cuda", "--features cuda"]);
}

#[test]
fn wrong_usage_is_told_apart() {
    let folder = Folder::with_photo(20, 20);
    folder.fails("", 2, &["Usage"]);
    let run = "inpaint photo.png -o out.png";
    folder.fails(run, 2, &["--mask", "--box", "--polygon"]);
    folder.fails(&format!("{RUN} out.png --threads 0"), 2, &["--threads"]);
    let run = "inpaint photo.png --mask mask.png --method magic -o out.png";
    folder.fails(run, 2, &["magic", "patchmatch"]);
    folder.fails(
        &format!("{RUN} out.jpg --jpeg-quality 101"),
        2,
        &["1..=100"],
    );
}

/// Ctrl-C at whatever moment ends the program soon, with neither a result nor a temporary file.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = Folder::with_photo(1600, 1600);
    let before = folder.list();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tmad"))
        .args(RUN.split(' '))
        .arg("out.png")
        .current_dir(folder.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let start = Instant::now();
    let status = child.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
    // Before the handler is there, the signal itself ends the program.
    assert!(matches!(status.code(), Some(130) | None), "{status}");
    assert_eq!(folder.list(), before);
}
