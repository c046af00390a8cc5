//! `-` as standard input and standard output.

mod common;

use common::{Folder, picture};
use image::ImageFormat;

const RUN: &str = "--mask mask.png --method patchmatch";

/// Runs the program with a file's content as its input; returns its output.
fn piped(folder: &Folder, arguments: &str, input: &str) -> Vec<u8> {
    let mut command = folder.tmad(arguments);
    let assert = command.write_stdin(folder.read(input)).assert().success();
    assert.get_output().stdout.clone()
}

#[test]
fn a_pipe_gives_what_files_give() {
    let folder = Folder::with_photo(40, 32);
    folder.succeeds(&format!("inpaint photo.png {RUN} -o out.png"));
    let before = folder.list();
    let piped_photo = piped(&folder, &format!("inpaint - {RUN} -o -"), "photo.png");
    assert_eq!(piped_photo, folder.read("out.png"));
    let run = "inpaint photo.png --mask - --method patchmatch -o -";
    assert_eq!(piped(&folder, run, "mask.png"), folder.read("out.png"));
    assert_eq!(folder.list(), before, "nothing is written beside it");
    // To a file, too.
    piped(
        &folder,
        &format!("inpaint - {RUN} -o piped.png"),
        "photo.png",
    );
    assert_eq!(folder.read("piped.png"), folder.read("out.png"));
}

#[test]
fn the_format_is_the_photos_or_the_one_that_is_named() {
    let folder = Folder::with_photo(40, 32);
    folder.save("photo.jpg", &picture(40, 32));
    let format = |bytes: &[u8]| image::guess_format(bytes).unwrap();
    let photo = piped(&folder, &format!("inpaint - {RUN} -o -"), "photo.jpg");
    assert_eq!(format(&photo), ImageFormat::Jpeg);
    let named = format!("inpaint - {RUN} -o - --format webp");
    assert_eq!(
        format(&piped(&folder, &named, "photo.jpg")),
        ImageFormat::WebP
    );
    folder.succeeds(&format!("inpaint photo.png {RUN} -o out.part --format bmp"));
    assert_eq!(format(&folder.read("out.part")), ImageFormat::Bmp);
    folder.fails(
        &format!("inpaint photo.png {RUN} -o - --format gif"),
        2,
        &[".webp"],
    );
}

#[test]
fn the_other_commands_read_and_write_streams() {
    let folder = Folder::with_photo(40, 32);
    let refine = "refine - --mask mask.png --coarse photo.png -o -";
    let refined = piped(&folder, refine, "photo.png");
    assert_eq!(image::guess_format(&refined).unwrap(), ImageFormat::Png);
    let figure = piped(&folder, "explain - --mask mask.png -o -", "photo.png");
    assert_eq!(image::guess_format(&figure).unwrap(), ImageFormat::Png);
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = Folder::with_photo(40, 32);
    let run = "inpaint - --mask - --method patchmatch -o out.png";
    let mut command = folder.tmad(run);
    let assert = command.write_stdin(folder.read("photo.png")).assert();
    assert
        .code(2)
        .stderr(predicates::str::contains("can be read once"));
    folder.fails(
        &format!("inpaint - {RUN} -o out.png"),
        1,
        &["standard input"],
    );
    let both = format!("inpaint photo.png {RUN} -o - --json");
    folder.fails(&both, 2, &["both want standard output"]);
    for run in [
        format!("inpaint . {RUN} -o -"),
        format!("inpaint . {RUN} -o out --format png"),
    ] {
        folder.fails(&run, 2, &["give --output a folder"]);
    }
}
