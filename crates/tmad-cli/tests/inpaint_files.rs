//! What comes out of `tmad inpaint` for all kinds of files: nothing outside the hole changes.

mod common;

use common::{
    Folder, assert_known_equal, exif_with_orientation, hole_changed, icc_profile, middle, picture,
    save_with,
};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageReader, Luma, Rgb, Rgba, RgbaImage,
};
use inpaint_core::{Mask, Rect};
use std::fs::File;

const RUN: &str = "inpaint photo.png --mask mask.png --method patchmatch -o";

#[test]
fn lossless_formats_keep_every_known_byte() {
    let folder = Folder::with_photo(60, 44);
    let before = folder.open("photo.png");
    let mask = middle(60, 44);
    for name in ["out.png", "out.webp", "out.tif", "out.TIFF", "out.bmp"] {
        let said = folder.succeeds(&format!("{RUN} {name}"));
        assert!(said.contains("300 pixels"), "{said}");
        let after = folder.open(name);
        assert_known_equal(&before, &after, &mask);
        assert!(hole_changed(&before, &after, &mask));
    }
}

#[test]
fn jpeg_quality_is_that_of_the_option() {
    let folder = Folder::with_photo(60, 44);
    folder.succeeds(&format!("{RUN} good.jpg"));
    folder.succeeds(&format!("{RUN} small.jpeg --jpeg-quality 30"));
    assert!(folder.read("small.jpeg").len() < folder.read("good.jpg").len() / 2);
    assert_eq!(folder.open("good.jpg").width(), 60);
}

#[test]
fn sixteen_bits_stay_sixteen_bits() {
    let folder = Folder::with_photo(36, 30);
    let deep = ImageBuffer::from_fn(36, 30, |x, y| {
        Rgb([(x * 1801) as u16, (y * 2111) as u16, (x * y * 61) as u16])
    });
    let deep = DynamicImage::ImageRgb16(deep);
    deep.save(folder.path("photo.png")).unwrap();
    for name in ["out.png", "out.tiff"] {
        folder.succeeds(&format!("{RUN} {name}"));
        let after = folder.open(name);
        assert_known_equal(&deep, &after, &middle(36, 30));
        assert!(hole_changed(&deep, &after, &middle(36, 30)));
    }
    let said = folder.succeeds(&format!("{RUN} out.webp"));
    assert!(said.contains("16 bits per sample become 8"), "{said}");
}

#[test]
fn alpha_is_untouched_even_inside_the_hole() {
    let folder = Folder::with_photo(40, 40);
    let clear = RgbaImage::from_fn(40, 40, |x, y| {
        Rgba([x as u8 * 3, y as u8 * 5, 99, (x * y % 256) as u8])
    });
    clear.save(folder.path("photo.png")).unwrap();
    for name in ["out.png", "out.webp", "out.tif"] {
        folder.succeeds(&format!("{RUN} {name}"));
        let after = folder.open(name);
        assert_known_equal(&clear.clone().into(), &after, &middle(40, 40));
        let alphas = after.as_rgba8().unwrap().pixels().map(|p| p.0[3]);
        assert!(alphas.eq(clear.pixels().map(|p| p.0[3])));
    }
    let said = folder.succeeds(&format!("{RUN} out.jpg"));
    assert!(said.contains("no transparency"), "{said}");
}

#[test]
fn grey_stays_grey() {
    let folder = Folder::with_photo(40, 40);
    let grey = GrayImage::from_fn(40, 40, |x, y| Luma([(x * 5 + y * 3 % 50) as u8]));
    grey.save(folder.path("photo.png")).unwrap();
    for name in ["out.png", "out.tif", "out.jpg"] {
        folder.succeeds(&format!("{RUN} {name}"));
        assert!(!folder.open(name).color().has_color(), "{name}");
    }
    assert_known_equal(&grey.into(), &folder.open("out.png"), &middle(40, 40));
}

#[test]
fn the_picture_is_worked_on_as_it_is_shown() {
    let folder = Folder::new();
    let stored = DynamicImage::from(picture(50, 30));
    let path = folder.path("photo.png");
    let exif = Some(exif_with_orientation(6));
    let file = File::create(&path).unwrap();
    save_with(&path, &stored, PngEncoder::new(file), exif, None);
    let shown = stored.rotate90();

    let hole = Rect {
        x: 3,
        y: 30,
        width: 12,
        height: 12,
    };
    let mask = Mask::rectangle(30, 50, hole);
    folder.save_mask("mask.png", &mask);
    folder.succeeds(&format!("{RUN} out.png"));
    assert_known_equal(&shown, &folder.open("out.png"), &mask);

    // A mask drawn on the picture as it is stored is refused, with the reason.
    folder.save_mask("mask.png", &Mask::rectangle(50, 30, hole));
    let words = ["50×30", "30×50", "EXIF orientation"];
    folder.fails(&format!("{RUN} new.png"), 1, &words);
}

#[test]
fn colour_profiles_survive() {
    let folder = Folder::with_photo(40, 40);
    let photo = DynamicImage::from(picture(40, 40));
    let path = folder.path("photo.png");
    let store = |profile: &[u8]| {
        let file = File::create(&path).unwrap();
        let profile = Some(profile.to_vec());
        save_with(&path, &photo, PngEncoder::new(file), None, profile);
    };
    let profile = icc_profile(b"RGB ");
    store(&profile);
    for name in ["out.png", "out.jpg", "out.webp", "out.tif"] {
        folder.succeeds(&format!("{RUN} {name}"));
        let reader = ImageReader::open(folder.path(name)).unwrap();
        let mut decoder = reader.into_decoder().unwrap();
        assert_eq!(
            decoder.icc_profile().unwrap(),
            Some(profile.clone()),
            "{name}"
        );
    }
    // A profile of another colour space would show wrong colours.
    store(&icc_profile(b"CMYK"));
    let said = folder.succeeds(&format!("{RUN} other.png"));
    assert!(said.contains("profile is left out"), "{said}");
}

#[test]
fn an_empty_mask_copies_the_file() {
    let folder = Folder::with_photo(40, 30);
    folder.save_mask("mask.png", &Mask::new(40, 30));
    let said = folder.succeeds(&format!("{RUN} out.png"));
    assert!(said.contains("marks nothing"), "{said}");
    assert!(folder.read("out.png") == folder.read("photo.png"));
    folder.succeeds(&format!("{RUN} out.tif"));
    assert!(folder.open("out.tif") == folder.open("photo.png"));
}

#[test]
fn the_result_may_replace_the_photo() {
    let folder = Folder::with_photo(40, 30);
    let before = folder.open("photo.png");
    folder.succeeds(&format!("{RUN} photo.png"));
    assert!(hole_changed(
        &before,
        &folder.open("photo.png"),
        &middle(40, 30)
    ));
    assert_eq!(folder.list(), ["mask.png", "photo.png"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_new_files_are_readable_by_others() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::with_photo(40, 30);
    folder.write("real.png", b"old");
    symlink(folder.path("real.png"), folder.path("link.png")).unwrap();
    folder.succeeds(&format!("{RUN} link.png"));
    assert!(folder.path("link.png").is_symlink());
    assert_eq!(folder.open("real.png").width(), 40);
    // As a file that the test itself creates has it, whatever the umask is.
    folder.write("reference", b"");
    let mode = |name| folder.path(name).metadata().unwrap().permissions().mode();
    assert_eq!(mode("real.png"), mode("reference"));
}

/// Whoever could not read the old file cannot read the new one.
#[cfg(unix)]
#[test]
fn files_that_are_written_over_keep_their_permissions() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with_photo(40, 30);
    for mode in [0o600, 0o664, 0o444] {
        folder.write("out.png", b"old");
        let path = folder.path("out.png");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        folder.succeeds(&format!("{RUN} out.png"));
        assert_eq!(folder.open("out.png").width(), 40);
        let permissions = path.metadata().unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode);
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(folder.list(), ["mask.png", "photo.png"]);
}

#[test]
fn a_result_that_is_there_can_be_skipped() {
    let folder = Folder::with_photo(40, 30);
    folder.write("out.png", b"older");
    let said = folder.succeeds(&format!("{RUN} out.png --skip-existing"));
    assert!(said.contains("out.png is there already"), "{said}");
    assert_eq!(folder.read("out.png"), b"older");
    let run = format!("{RUN} out.png --skip-existing --json");
    let assert = folder.tmad(&run).assert().success();
    let line: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(line["status"], "skipped");
    folder.succeeds(&format!("{RUN} new.png --skip-existing"));
    assert_eq!(folder.open("new.png").width(), 40);
    folder.fails(
        "inpaint gone.png --box 1,1,2,2 --skip-existing -o out.png",
        1,
        &["gone.png does not exist"],
    );
}

#[test]
fn the_content_decides_about_the_format_of_the_input() {
    let folder = Folder::with_photo(40, 30);
    std::fs::rename(folder.path("photo.png"), folder.path("photo.jpg")).unwrap();
    folder.succeeds("inpaint photo.jpg --mask mask.png --method patchmatch -o out.png");
}

#[test]
fn masks_can_be_inverted_thresholded_and_grown() {
    let folder = Folder::with_photo(48, 48);
    let before = folder.open("photo.png");
    let mask = middle(48, 48);
    let run = |options: &str| {
        folder.succeeds(&format!("{RUN} out.png {options}"));
        folder.open("out.png")
    };
    folder.save_mask("mask.png", &mask.inverted());
    assert_known_equal(&before, &run("--invert-mask"), &mask);

    // Grey 100 is hole from threshold 100 on, and not by default where there are other greys, too.
    let grey = GrayImage::from_fn(48, 48, |x, y| match mask.is_hole(x, y) {
        true => Luma([100]),
        false => Luma([50 * u8::from(x == 0)]),
    });
    grey.save(folder.path("mask.png")).unwrap();
    assert!(run("") == before);
    let filled = run("--mask-threshold 100");
    assert_known_equal(&before, &filled, &mask);
    assert!(hole_changed(&before, &filled, &mask));

    let grown = run("--mask-threshold 100 --grow 3");
    assert_known_equal(&before, &grown, &mask.dilated(3));
    let rim = Mask::from_fn(48, 48, |x, y| {
        mask.dilated(3).is_hole(x, y) && !mask.is_hole(x, y)
    });
    assert!(hole_changed(&before, &grown, &rim));
}

#[test]
fn threads_do_not_change_the_result_and_seeds_may() {
    let folder = Folder::with_photo(64, 64);
    folder.succeeds(&format!("{RUN} one.png --threads 1"));
    folder.succeeds(&format!("{RUN} three.png --threads 3"));
    assert!(folder.read("one.png") == folder.read("three.png"));
}

#[test]
fn a_strip_of_20000_by_3_pixels_is_filled() {
    let folder = Folder::new();
    folder.save("photo.png", &picture(20_000, 3));
    let hole = Rect {
        x: 9_000,
        y: 0,
        width: 40,
        height: 2,
    };
    let mask = Mask::rectangle(20_000, 3, hole);
    folder.save_mask("mask.png", &mask);
    folder.succeeds(&format!("{RUN} out.png"));
    assert_known_equal(&folder.open("photo.png"), &folder.open("out.png"), &mask);
}

#[test]
fn a_single_pixel_passes_through_an_empty_mask() {
    let folder = Folder::new();
    folder.save("photo.png", &picture(1, 1));
    folder.save_mask("mask.png", &Mask::new(1, 1));
    folder.succeeds(&format!("{RUN} out.png"));
    assert!(folder.open("out.png") == folder.open("photo.png"));
    folder.save_mask("mask.png", &Mask::new(1, 1).inverted());
    folder.fails(&format!("{RUN} new.png"), 1, &["covers the whole picture"]);
}

#[test]
fn quiet_says_nothing_and_standard_output_stays_empty() {
    let folder = Folder::with_photo(40, 30);
    let assert = folder.tmad(&format!("{RUN} out.png")).assert().success();
    assert.stdout("");
    assert_eq!(folder.succeeds(&format!("--quiet {RUN} out.png")), "");
}

#[test]
fn jpegs_with_data_behind_their_end_are_fine() {
    let folder = Folder::with_photo(40, 30);
    let path = folder.path("photo.jpg");
    let file = File::create(&path).unwrap();
    let photo = DynamicImage::from(picture(40, 30));
    save_with(&path, &photo, JpegEncoder::new(file), None, None);
    let mut bytes = folder.read("photo.jpg");
    bytes.extend([7; 100]);
    folder.write("photo.jpg", &bytes);
    folder.succeeds("inpaint photo.jpg --mask mask.png --method patchmatch -o out.jpg");
}
