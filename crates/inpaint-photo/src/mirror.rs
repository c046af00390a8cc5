//! Continuing a picture where it shows nothing.

use inpaint_core::{Mask, RgbImage};

/// No pixel.
const NONE: u32 = u32::MAX;

/// Gives hidden pixels outside the hole the colours that lie on the other side of the nearest pixel
/// which is seen, so that a texture goes on; nothing that was hidden remains.
pub(crate) fn into_hidden(image: &mut RgbImage, hidden: &Mask, hole: &Mask) {
    let (width, height) = image.dimensions();
    let is_seen = |i: usize| hidden.as_bytes()[i] == 0 && hole.as_bytes()[i] == 0;
    let nearest = nearest(width, height, is_seen);
    let place = |i: usize| (i as u32 % width, i as u32 / width);
    let mirrored = |at: u32, axis: u32, end: u32| {
        let mirrored = (2 * u64::from(axis)).checked_sub(at.into())?;
        u32::try_from(mirrored).ok().filter(|&at| at < end)
    };
    for (i, &axis) in nearest.iter().enumerate() {
        if is_seen(i) || hole.as_bytes()[i] != 0 || axis == NONE {
            continue;
        }
        let ((x, y), (axis_x, axis_y)) = (place(i), place(axis as usize));
        let behind = mirrored(x, axis_x, width)
            .zip(mirrored(y, axis_y, height))
            .filter(|&(x, y)| is_seen(y as usize * width as usize + x as usize));
        let (from_x, from_y) = behind.unwrap_or((axis_x, axis_y));
        *image.get_pixel_mut(x, y) = *image.get_pixel(from_x, from_y);
    }
}

/// For each pixel the number of the nearest one that is seen, as far as that can be passed on
/// between neighbours in two sweeps; [`NONE`] if none is seen.
fn nearest(width: u32, height: u32, is_seen: impl Fn(usize) -> bool) -> Vec<u32> {
    let (columns, rows) = (width as usize, height as usize);
    let own = |i: usize| if is_seen(i) { i as u32 } else { NONE };
    let mut nearest: Vec<u32> = (0..columns * rows).map(own).collect();
    let distance = |i: usize, other: u32| {
        if other == NONE {
            return u64::MAX;
        }
        let dx = (i % columns).abs_diff(other as usize % columns) as u64;
        let dy = (i / columns).abs_diff(other as usize / columns) as u64;
        dx * dx + dy * dy
    };
    let mut take = |i: usize, neighbour: Option<usize>| {
        if let Some(neighbour) = neighbour {
            let other = nearest[neighbour];
            if distance(i, other) < distance(i, nearest[i]) {
                nearest[i] = other;
            }
        }
    };
    let left = |i: usize| (!i.is_multiple_of(columns)).then(|| i - 1);
    let right = |i: usize| (!(i + 1).is_multiple_of(columns)).then(|| i + 1);
    for forwards in [true, false] {
        for row in 0..rows {
            let row = if forwards { row } else { rows - 1 - row };
            let before = if forwards {
                row.checked_sub(1)
            } else {
                Some(row + 1).filter(|&row| row < rows)
            };
            let pixels = row * columns..(row + 1) * columns;
            for i in pixels.clone() {
                if let Some(before) = before {
                    let above = before * columns + i % columns;
                    take(i, Some(above));
                    take(i, left(above));
                    take(i, right(above));
                }
                take(i, left(i));
            }
            for i in pixels.rev() {
                take(i, right(i));
            }
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn textures_go_on_mirrored() {
        let mut image = RgbImage::from_fn(10, 3, |x, _| Rgb([x as u8; 3]));
        let hidden = Mask::from_fn(10, 3, |x, _| x >= 4);
        let hole = Mask::from_fn(10, 3, |x, _| x == 8);
        into_hidden(&mut image, &hidden, &hole);
        let row: Vec<u8> = (0..10).map(|x| image.get_pixel(x, 1)[0]).collect();
        // Beyond what can be mirrored the rim goes on; the hole is not touched.
        assert_eq!(row, [0, 1, 2, 3, 2, 1, 0, 3, 8, 3]);
    }

    #[test]
    fn every_pixel_finds_one_that_is_seen() {
        let seen = [(2, 7), (11, 1), (5, 3)];
        let is_seen = |i: usize| seen.contains(&(i % 13, i / 13));
        for (i, found) in nearest(13, 9, is_seen).into_iter().enumerate() {
            let squared =
                |(x, y): (usize, usize)| (i % 13).abs_diff(x).pow(2) + (i / 13).abs_diff(y).pow(2);
            let found = (found as usize % 13, found as usize / 13);
            let least = seen.map(squared).into_iter().min();
            assert_eq!(Some(squared(found)), least, "{i}");
        }
        assert!(nearest(3, 2, |_| false).iter().all(|&other| other == NONE));
    }
}
