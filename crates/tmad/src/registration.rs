//! Retrieved windows, moved to where they fit best.
//!
//! The memory's windows lie on a grid. Texture that is shifted by a few pixels against what it is
//! to replace can only be blended into fog, so each candidate is moved within its picture until it
//! agrees best with the copy in the hole and the known pixels around.

use crate::patches::{HoleCounts, Position};
use inpaint_core::RgbImage;

/// How far a window is moved in each direction.
const REACH_PX: i32 = 6;
/// Rows and columns that are compared: every second one tells enough.
const STEP: usize = 2;

/// The window of `side` pixels within [`REACH_PX`] of `window` that is most similar to `cell` of
/// `target`, a picture of the same size, and holds no pixel of the hole; `window` itself if none
/// is better, or if it lies partly in the hole.
pub(crate) fn registered(
    picture: &RgbImage,
    target: &RgbImage,
    hole: &HoleCounts,
    cell: Position,
    window: Position,
    side: usize,
) -> Position {
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    let length = side as i32;
    let is_valid = |y: i32, x: i32| {
        (0..=height - length).contains(&y)
            && (0..=width - length).contains(&x)
            && hole.in_square(y, x, length) == 0
    };
    if !is_valid(window.y, window.x) {
        return window;
    }
    // The part of the cell that lies inside the picture.
    let inside = |start: i32, limit: i32| (-start).max(0)..(limit - start).min(length);
    let rows: Vec<_> = inside(cell.y, height).step_by(STEP).collect();
    let columns: Vec<_> = inside(cell.x, width).step_by(STEP).collect();
    let pixel = |image: &RgbImage, y: i32, x: i32| {
        let at = 3 * (y as usize * width as usize + x as usize);
        let pixel = &image.as_raw()[at..at + 3];
        [pixel[0], pixel[1], pixel[2]].map(i32::from)
    };
    let wanted: Vec<_> = (rows.iter())
        .flat_map(|row| (columns.iter()).map(move |column| (cell.y + row, cell.x + column)))
        .map(|(y, x)| pixel(target, y, x))
        .collect();
    let distance = |top: i32, left: i32, limit: u64| {
        let mut sum = 0;
        for (row, wanted) in rows.iter().zip(wanted.chunks_exact(columns.len().max(1))) {
            for (column, wanted) in columns.iter().zip(wanted) {
                let found = pixel(picture, top + row, left + column);
                let squares = [0, 1, 2].map(|c| (found[c] - wanted[c]).pow(2) as u64);
                sum += squares.iter().sum::<u64>();
            }
            if sum >= limit {
                break;
            }
        }
        sum
    };
    let mut best = (distance(window.y, window.x, u64::MAX), window);
    for y in window.y - REACH_PX..=window.y + REACH_PX {
        for x in window.x - REACH_PX..=window.x + REACH_PX {
            if (y, x) != (window.y, window.x) && is_valid(y, x) {
                let found = distance(y, x, best.0);
                if found < best.0 {
                    best = (found, Position { y, x, ..window });
                }
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use inpaint_core::Mask;
    use inpaint_core::image::Rgb;
    use inpaint_core::random::mix;

    #[test]
    fn a_shifted_window_is_found_but_not_inside_the_hole() {
        let place = |x: u32, y: u32| u64::from(y) << 32 | u64::from(x);
        let noise = |x: u32, y: u32| Rgb([mix(place(x, y)) as u8; 3]);
        let picture = RgbImage::from_fn(96, 64, noise);
        // The cell shows what lies 3 px further left and 2 px further down than the window.
        let target = RgbImage::from_fn(96, 64, |x, y| noise(x.wrapping_sub(45), y + 12));
        let at = |y, x| Position { image: 0, y, x };
        let (cell, window) = (at(8, 56), at(18, 14));
        let empty = HoleCounts::new(&Mask::new(96, 64));
        let found = registered(&picture, &target, &empty, cell, window, 32);
        assert_eq!(found, at(20, 11));
        let hole = Mask::from_fn(96, 64, |x, y| x == 11 && y == 40);
        let found = registered(&picture, &target, &HoleCounts::new(&hole), cell, window, 32);
        assert_ne!(found, at(20, 11));
        assert!(!(found.x <= 11 && found.y > 8), "{found:?}");
    }
}
