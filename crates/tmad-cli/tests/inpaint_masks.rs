//! The ways to say where the hole is.

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};
use image::{DynamicImage, Rgba, RgbaImage};
use inpaint_core::{Mask, Rect};

const RUN: &str = "inpaint photo.png --method patchmatch -o out.png";

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

#[test]
fn boxes_and_polygons_need_no_file_and_add_to_one() {
    let folder = Folder::with_photo(60, 40);
    let before = folder.open("photo.png");
    let mut mask = Mask::rectangle(60, 40, rect(5, 6, 7, 8));
    mask.fill_rect(rect(50, 30, 10, 10));
    let filled = |options: &str| {
        folder.succeeds(&format!("{RUN} {options}"));
        folder.open("out.png")
    };
    let after = filled("--box 5,6,7,8 --box 50,30,100,100");
    assert_known_equal(&before, &after, &mask);
    assert!(hole_changed(
        &before,
        &after,
        &Mask::rectangle(60, 40, rect(50, 30, 10, 10))
    ));

    let with_file = filled("--mask mask.png --box 5,6,7,8 --box 50,30,100,100");
    let all = mask.union(&middle(60, 40)).unwrap();
    assert_known_equal(&before, &with_file, &all);
    assert!(hole_changed(&before, &with_file, &middle(60, 40)));

    let mut command = folder.tmad(RUN);
    command
        .args(["--polygon", "20,10 40,10 40,30 20,30"])
        .assert()
        .success();
    let polygon = Mask::rectangle(60, 40, rect(20, 10, 20, 20));
    assert_known_equal(&before, &folder.open("out.png"), &polygon);
    assert!(hole_changed(&before, &folder.open("out.png"), &polygon));
}

#[test]
fn shapes_that_make_no_sense() {
    let folder = Folder::with_photo(20, 20);
    folder.fails(RUN, 2, &["--mask"]);
    folder.fails(&format!("{RUN} --box 1,2,3"), 2, &["--box 40,60,120,80"]);
    folder.fails(&format!("{RUN} --box 1,2,3,0"), 2, &["must not be 0"]);
    folder.fails(&format!("{RUN} --polygon 1,2"), 2, &["three corners"]);
    folder.fails(
        &format!("{RUN} --box 1,2,3,4 --invert-mask"),
        2,
        &["--mask"],
    );
    folder.fails(
        &format!("{RUN} --box 0,0,20,20"),
        1,
        &["covers the whole", "coordinates"],
    );
    let said = folder.succeeds(&format!("{RUN} --box 30,30,5,5"));
    assert!(said.contains("marks nothing"), "{said}");
}

#[test]
fn the_transparent_area_is_filled_and_becomes_opaque() {
    let folder = Folder::new();
    let hole = Mask::rectangle(40, 30, rect(10, 8, 12, 9));
    let cutout = RgbaImage::from_fn(40, 30, |x, y| {
        let [r, g, b] = picture(40, 30).get_pixel(x, y).0;
        let alpha = match (hole.is_hole(x, y), x) {
            (true, _) => 0,
            (false, 0) => 200,
            (false, _) => 255,
        };
        Rgba([r, g, b, alpha])
    });
    cutout.save(folder.path("photo.png")).unwrap();
    folder.succeeds(&format!("{RUN} --mask alpha"));
    let after = folder.open("out.png");
    assert_known_equal(&DynamicImage::from(cutout.clone()), &after, &hole);
    let after = after.to_rgba8();
    for (x, y, pixel) in after.enumerate_pixels() {
        let expected = if hole.is_hole(x, y) {
            255
        } else {
            cutout.get_pixel(x, y).0[3]
        };
        assert_eq!(pixel.0[3], expected);
    }
    // A little transparency is enough if that is said.
    folder.succeeds(&format!("{RUN} --mask alpha --mask-threshold 1"));
    assert_eq!(folder.open("out.png").to_rgba8().get_pixel(0, 20).0[3], 255);

    folder.save("photo.png", &picture(40, 30));
    folder.fails(
        "inpaint photo.png --mask alpha -o new.png",
        1,
        &["photo.png has no transparency", "give a mask"],
    );
}

#[test]
fn feathering_blends_inside_its_band_only() {
    let folder = Folder::with_photo(60, 60);
    let before = folder.open("photo.png");
    let (mask, wide) = (middle(60, 60), middle(60, 60).dilated(5));
    folder.succeeds(&format!("{RUN} --mask mask.png --grow 5"));
    let sharp = folder.open("out.png");
    folder.succeeds(&format!("{RUN} --mask mask.png --feather 5"));
    let soft = folder.open("out.png");
    assert_known_equal(&before, &soft, &wide);
    // The filling is the same; inside the mask nothing of the old picture is left.
    let outside = Mask::from_fn(60, 60, |x, y| !mask.is_hole(x, y));
    assert_known_equal(&sharp, &soft, &outside);
    let (before, sharp, soft) = (before.to_rgb8(), sharp.to_rgb8(), soft.to_rgb8());
    let mut num_blended = 0;
    for (x, y, pixel) in soft.enumerate_pixels() {
        for channel in 0..3 {
            let ends = [
                before.get_pixel(x, y).0[channel],
                sharp.get_pixel(x, y).0[channel],
            ];
            let value = pixel.0[channel];
            assert!(ends.iter().min() <= Some(&value) && ends.iter().max() >= Some(&value));
            num_blended += usize::from(!ends.contains(&value));
        }
    }
    assert!(num_blended > 500, "{num_blended}");
}

#[test]
fn a_mask_of_another_size_can_be_stretched() {
    let folder = Folder::with_photo(60, 40);
    folder.save_mask("mask.png", &middle(30, 20));
    let run = format!("{RUN} --mask mask.png");
    let words = [
        "mask.png is 30×20",
        "the photo is 60×40",
        "exact size",
        "--fit-mask",
    ];
    folder.fails(&run, 1, &words);
    folder.succeeds(&format!("{run} --fit-mask"));
    let mask = middle(60, 40);
    // Half of a pixel of the small mask is a pixel of the photo.
    let (before, after) = (folder.open("photo.png"), folder.open("out.png"));
    assert_known_equal(&before, &after, &mask.dilated(2));
    assert!(hole_changed(&before, &after, &mask));
}

#[test]
fn what_a_soft_eraser_leaves_is_said_and_jpeg_shows_the_background() {
    let folder = Folder::new();
    let soft = RgbaImage::from_fn(40, 30, |x, y| {
        let distance = x.abs_diff(20).max(y.abs_diff(15));
        let alpha = (distance.saturating_sub(4) * 40).min(255) as u8;
        Rgba([x as u8 * 5, 120, 60, alpha])
    });
    soft.save(folder.path("photo.png")).unwrap();
    let said = folder.succeeds("inpaint photo.png --mask alpha --method telea -o out.png");
    assert!(said.contains("still half transparent"), "{said}");
    let all = "inpaint photo.png --mask alpha --mask-threshold 1 --method telea -o out.png";
    assert!(!folder.succeeds(all).contains("half transparent"));
    let flat = "inpaint photo.png --box 1,1,4,4 --method telea --background 0000ff -o out.jpg";
    folder.succeeds(flat);
    let [r, g, b] = folder.open("out.jpg").to_rgb8().get_pixel(20, 15).0;
    assert!(r < 60 && g < 60 && b > 200, "{r} {g} {b}");
    folder.fails(
        "inpaint photo.png --mask alpha --background white -o out.jpg",
        2,
        &["six"],
    );
}
