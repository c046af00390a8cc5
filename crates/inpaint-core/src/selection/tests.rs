//! Things with known borders in pictures with texture and noise.

use super::*;
use crate::random::Random;
use image::Rgb;

const SIZE: (u32, u32) = (240, 180);

/// A wall of stones with a thing on it, everything with noise.
fn picture(is_thing: impl Fn(u32, u32) -> bool, shades: [[i32; 3]; 2]) -> RgbImage {
    let mut random = Random::new(3);
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let joint = (x + 12 * (y / 16 % 2)) % 24 < 2 || y % 16 < 2;
        let base = if is_thing(x, y) {
            shades[usize::from(x / 9 % 2 == 0)]
        } else if joint {
            [90, 80, 70]
        } else {
            [160, 146, 130]
        };
        Rgb(base.map(|value| (value + random.below(17) as i32 - 8).clamp(0, 255) as u8))
    })
}

fn disc(x: f64, y: f64, radius: f64) -> impl Fn(u32, u32) -> bool {
    move |px, py| (f64::from(px) - x).hypot(f64::from(py) - y) <= radius
}

/// The shared area is more than `least` of the joint area.
fn assert_overlap(a: &Mask, b: &Mask, least: f64) {
    let pairs = || a.as_bytes().iter().zip(b.as_bytes());
    let both = pairs().filter(|&(a, b)| a & b == 1).count();
    let any = pairs().filter(|&(a, b)| a | b == 1).count();
    let overlap = both as f64 / any as f64;
    assert!(overlap > least, "{overlap}");
}

fn select(image: &RgbImage, marks: &Mask, bounds: Rect) -> Mask {
    select_object(image, marks, Some(bounds), &Control::default()).unwrap()
}

const EVERYTHING: Rect = Rect {
    x: 0,
    y: 0,
    width: SIZE.0,
    height: SIZE.1,
};
const RED: [[i32; 3]; 2] = [[200, 40, 30], [150, 20, 40]];

#[test]
fn a_scribble_grows_to_the_border_of_the_thing() {
    let thing = disc(120.0, 90.0, 40.0);
    let image = picture(&thing, RED);
    let truth = Mask::from_fn(SIZE.0, SIZE.1, thing);
    let scribble = Mask::from_fn(SIZE.0, SIZE.1, |x, y| {
        x.abs_diff(120) < 20 && y.abs_diff(90) < 3
    });
    let bounds = Rect {
        x: 60,
        y: 30,
        width: 120,
        height: 120,
    };
    let found = select(&image, &scribble, bounds);
    assert_overlap(&found, &truth, 0.97);
    let unbounded = select_object(&image, &scribble, None, &Control::default()).unwrap();
    assert_overlap(&unbounded, &truth, 0.97);
}

#[test]
fn a_small_mark_finds_both_shades_and_not_the_twin_elsewhere() {
    let (left, right) = (disc(70.0, 90.0, 30.0), disc(180.0, 90.0, 30.0));
    let image = picture(|x, y| left(x, y) || right(x, y), RED);
    let truth = Mask::from_fn(SIZE.0, SIZE.1, left);
    let mark = Mask::from_fn(SIZE.0, SIZE.1, disc(70.0, 90.0, 8.0));
    let found = select(&image, &mark, EVERYTHING);
    assert_overlap(&found, &truth, 0.95);
}

#[test]
fn what_the_picture_cuts_off_and_what_the_thing_surrounds_belong_to_it() {
    let thing = |x, y| disc(20.0, 170.0, 60.0)(x, y);
    let ring = |x, y| thing(x, y) && !disc(30.0, 150.0, 8.0)(x, y);
    let image = picture(ring, RED);
    let truth = Mask::from_fn(SIZE.0, SIZE.1, thing);
    let mark = Mask::from_fn(SIZE.0, SIZE.1, |x, y| {
        x.abs_diff(20) < 12 && y.abs_diff(172) < 4
    });
    let bounds = Rect {
        x: 0,
        y: 90,
        width: 120,
        height: 90,
    };
    let found = select(&image, &mark, bounds);
    assert_overlap(&found, &truth, 0.95);
    assert!(found.is_hole(30, 150));
}

#[test]
fn what_joins_a_thing_in_the_same_colours_does_not_lead_away_from_it() {
    let post = |x: u32, y: u32| x.abs_diff(180) < 20 && (30..150).contains(&y);
    let wall = |x: u32, y: u32| x <= 180 && (130..150).contains(&y);
    let image = picture(|x, y| post(x, y) || wall(x, y), RED);
    let truth = Mask::from_fn(SIZE.0, SIZE.1, post);
    let mark = Mask::from_fn(SIZE.0, SIZE.1, |x, y| {
        x.abs_diff(180) < 4 && y.abs_diff(90) < 44
    });
    let found = select(&image, &mark, EVERYTHING);
    assert_overlap(&found, &truth, 0.95);
}

#[test]
fn nothing_outside_the_bounds_is_selected_but_marks() {
    let image = picture(|x, _| x < 150, RED);
    let mark = Mask::from_fn(SIZE.0, SIZE.1, disc(60.0, 60.0, 5.0));
    let bounds = Rect {
        x: 40,
        y: 40,
        width: 50,
        height: 50,
    };
    let found = select(&image, &mark, bounds);
    let inside = |rect: Rect, x: u32, y: u32| {
        (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y)
    };
    for (x, y) in (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y))) {
        assert!(!found.is_hole(x, y) || inside(bounds, x, y), "{x}, {y}");
    }
    let elsewhere = select(
        &image,
        &mark,
        Rect {
            x: 200,
            y: 0,
            width: 900,
            height: 20,
        },
    );
    assert_eq!(elsewhere.union(&mark).unwrap(), elsewhere);
}

#[test]
fn large_pictures_are_decided_at_a_fraction_of_their_size() {
    let size = (2400, 1600);
    let thing = disc(1200.0, 800.0, 500.0);
    let image = RgbImage::from_fn(size.0, size.1, |x, y| {
        let grain = (x * 7 + y * 13) as u8 % 16;
        if thing(x, y) {
            Rgb([60 + grain, 120, 60])
        } else {
            Rgb([150 + grain, 150, 150])
        }
    });
    let truth = Mask::from_fn(size.0, size.1, &thing);
    let mark = Mask::from_fn(size.0, size.1, disc(1200.0, 800.0, 60.0));
    let found = select(
        &image,
        &mark,
        Rect {
            x: 400,
            y: 100,
            width: 1600,
            height: 1400,
        },
    );
    assert_overlap(&found, &truth, 0.98);
}

#[test]
fn odd_input_is_answered() {
    let image = picture(|_, _| false, RED);
    let none = Mask::new(SIZE.0, SIZE.1);
    assert!(select(&image, &none, EVERYTHING).is_empty());
    let all = none.inverted();
    assert!(select(&image, &all, EVERYTHING).is_full());
    let empty = Rect {
        x: 9,
        y: 9,
        width: 0,
        height: 0,
    };
    let mark = Mask::from_fn(SIZE.0, SIZE.1, |x, y| (x, y) == (5, 5));
    assert!(select(&image, &mark, empty).is_hole(5, 5));
    let one = RgbImage::new(1, 1);
    let whole = Rect {
        x: 0,
        y: 0,
        width: 1,
        height: 1,
    };
    assert!(select(&one, &Mask::new(1, 1).inverted(), whole).is_full());
    let plain = RgbImage::from_pixel(50, 50, Rgb([9; 3]));
    let mark = Mask::from_fn(50, 50, |x, _| x == 25);
    select(
        &plain,
        &mark,
        Rect {
            x: 0,
            y: 0,
            width: 50,
            height: 50,
        },
    );
    let wrong = select_object(&image, &Mask::new(3, 3), None, &Control::default());
    assert!(matches!(wrong, Err(InpaintError::MaskSize { .. })));
    let control = Control::default();
    control.cancel();
    let cancelled = select_object(&image, &mark_of(&image), None, &control);
    assert!(matches!(cancelled, Err(InpaintError::Cancelled)));
}

fn mark_of(image: &RgbImage) -> Mask {
    Mask::from_fn(image.width(), image.height(), disc(60.0, 60.0, 9.0))
}
