//! The hole grid.

use crate::common::masks::mask_of_boxes;
use inpaint_core::{Mask, Rect};
use proptest::prelude::*;
use tmad::patches::{HoleCounts, Position, hole_cells};

/// Unions of boxes and single pixels; possibly empty, possibly everything.
pub fn masks(max_side: u32) -> impl Strategy<Value = Mask> {
    let boxes = prop::collection::vec((0.0..1.0f64, 0.0..1.0f64, 0.0..1.0f64, 0.0..1.0f64), 0..4);
    let pixels = prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 0..4);
    (1..=max_side, 1..=max_side, boxes, pixels).prop_map(|(width, height, boxes, pixels)| {
        let at = |fraction: f64, side: u32| (fraction * f64::from(side)) as u32;
        let mut mask = Mask::new(width, height);
        for (x, y, w, h) in boxes {
            let (x, y) = (at(x, width), at(y, height));
            let (w, h) = (at(w, width - x) + 1, at(h, height - y) + 1);
            mask.fill_rect(Rect {
                x,
                y,
                width: w.min(width - x),
                height: h.min(height - y),
            });
        }
        for (x, y) in pixels {
            mask.set(at(x, width), at(y, height), true);
        }
        mask
    })
}

fn hole_pixels(mask: &Mask) -> impl Iterator<Item = (i32, i32)> {
    let (width, height) = mask.dimensions();
    (0..height)
        .flat_map(move |y| (0..width).map(move |x| (y, x)))
        .filter(|&(y, x)| mask.is_hole(x, y))
        .map(|(y, x)| (y as i32, x as i32))
}

fn covers(cell: &Position, (y, x): (i32, i32), side: i32) -> bool {
    (cell.y..cell.y + side).contains(&y) && (cell.x..cell.x + side).contains(&x)
}

/// Cells that an anchor needs, counted pixel by pixel.
fn num_cells(pixels: &[(i32, i32)], anchor: (i32, i32), side: i32) -> usize {
    let cell = |&(y, x): &(i32, i32)| {
        (
            (y - anchor.0).div_euclid(side),
            (x - anchor.1).div_euclid(side),
        )
    };
    let mut cells: Vec<_> = pixels.iter().map(cell).collect();
    cells.sort_unstable();
    cells.dedup();
    cells.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_hole_pixel_lies_in_exactly_one_cell(mask in masks(90), side in 4..33usize) {
        let cells = hole_cells(&mask, side, 5);
        for pixel in hole_pixels(&mask) {
            let num_covering = cells.iter().filter(|c| covers(c, pixel, side as i32)).count();
            prop_assert_eq!(num_covering, 1, "pixel {:?}", pixel);
        }
        for cell in &cells {
            let is_used = hole_pixels(&mask).any(|pixel| covers(cell, pixel, side as i32));
            prop_assert!(is_used, "{:?} covers no hole pixel", cell);
            prop_assert_eq!(cell.image, 5);
        }
        let order: Vec<_> = cells.iter().map(|c| (c.y, c.x)).collect();
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn no_anchor_needs_fewer_cells(mask in masks(40)) {
        let side = 8;
        let found = hole_cells(&mask, side as usize, 0).len();
        let pixels: Vec<_> = hole_pixels(&mask).collect();
        let fewest = (0..side)
            .flat_map(|y| (0..side).map(move |x| (y, x)))
            .map(|anchor| num_cells(&pixels, anchor, side))
            .min();
        prop_assert_eq!(Some(found), fewest);
    }

    #[test]
    fn squares_are_counted_as_pixel_by_pixel(
        mask in masks(20), y in -25..25i32, x in -25..25i32, side in 1..30i32,
    ) {
        let square = Position { image: 0, y, x };
        let expected = hole_pixels(&mask).filter(|&pixel| covers(&square, pixel, side)).count();
        prop_assert_eq!(HoleCounts::new(&mask).in_square(y, x, side), expected as u32);
    }
}

/// Wherever a 128² hole lies, sixteen cells cut it exactly.
#[test]
fn a_hole_of_four_patches_squared_has_sixteen_cells() {
    for (top, left) in [(64, 64), (50, 70), (0, 0), (128, 127)] {
        let cells = hole_cells(&mask_of_boxes(256, 256, &[[top, left, 128, 128]]), 32, 0);
        assert_eq!(cells.len(), 16);
        assert_eq!((i64::from(cells[0].y), i64::from(cells[0].x)), (top, left));
    }
}

#[test]
fn no_hole_has_no_cells() {
    assert!(hole_cells(&Mask::new(40, 50), 32, 0).is_empty());
}
