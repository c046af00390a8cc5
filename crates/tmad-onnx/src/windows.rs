//! Which parts of a picture a network is shown, one after the other.

use inpaint_core::{Mask, Rect};
use std::collections::BTreeMap;

/// Side of the blocks by which holes are grouped.
const BLOCK_PX: u32 = 32;
/// Most windows; with more, each gets larger, and the network works at a smaller scale.
const MAX_WINDOWS: usize = 64;

/// What the network is shown at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The part of the picture.
    pub context: Rect,
    /// Bounds of the holes that it fills; others inside `context` are too near to its border.
    pub fills: Vec<Rect>,
}

/// Windows that fill all holes of `mask`.
///
/// A window is a square of `side` where its holes take at most half of that, so that the network
/// works at full resolution. Compact holes that are wider get a wider window; those that are only
/// long, such as scratches and poles, are cut into parts.
pub fn windows(mask: &Mask, side: u32) -> Vec<Window> {
    let mut side = side.max(1);
    loop {
        let windows = windows_of_side(mask, side);
        let (width, height) = mask.dimensions();
        if windows.len() <= MAX_WINDOWS || side >= width.max(height) {
            return windows;
        }
        side = side.saturating_mul(2);
    }
}

fn windows_of_side(mask: &Mask, side: u32) -> Vec<Window> {
    let mut parts: Vec<Rect> = (groups(mask).iter())
        .flat_map(|blocks| parts(mask, blocks, side))
        .collect();
    parts.sort_by_key(|part| (part.y, part.x));
    let mut windows = Vec::new();
    while let Some(&part) = parts.first() {
        let length = (2 * part.width.max(part.height)).max(side);
        let context = around(part, length, mask.dimensions());
        let is_inside = |other: &Rect| is_well_inside(*other, context, mask.dimensions());
        // The part itself, whatever its place.
        let mut fills = vec![parts.remove(0)];
        fills.extend(parts.extract_if(.., |other| is_inside(other)));
        windows.push(Window { context, fills });
    }
    windows
}

/// The square of this side around a part, moved into the picture, and cut off where it is wider.
fn around(part: Rect, side: u32, (width, height): (u32, u32)) -> Rect {
    let place = |start: u32, length: u32, limit: u32| {
        let length = u64::from(start) * 2 + u64::from(length);
        let first = (length / 2).saturating_sub(u64::from(side / 2)) as u32;
        (first.min(limit.saturating_sub(side)), side.min(limit))
    };
    let (x, width) = place(part.x, part.width, width);
    let (y, height) = place(part.y, part.height, height);
    Rect {
        x,
        y,
        width,
        height,
    }
}

/// Whether the window shows an eighth of its side around the part, where the picture has that.
fn is_well_inside(part: Rect, context: Rect, (width, height): (u32, u32)) -> bool {
    let fits = |start: u32, length: u32, first: u32, side: u32, limit: u32| {
        let margin = side / 8;
        start.saturating_sub(margin) >= first
            && (start + length).saturating_add(margin).min(limit) <= first + side
    };
    fits(part.x, part.width, context.x, context.width, width)
        && fits(part.y, part.height, context.y, context.height, height)
}

/// Bounds of a group's holes, or of those in each cell of a grid if they only reach far.
fn parts(mask: &Mask, blocks: &[Rect], side: u32) -> Vec<Rect> {
    let bounds = blocks.iter().copied().reduce(hull);
    let Some(bounds) = bounds else {
        return Vec::new();
    };
    // With the known pixels around it.
    let (x, y) = (bounds.x.saturating_sub(1), bounds.y.saturating_sub(1));
    let framed = Rect {
        x,
        y,
        width: bounds.x + bounds.width + 1 - x,
        height: bounds.y + bounds.height + 1 - y,
    };
    let thickness = || mask.cropped(framed).hole_thickness();
    let extent = bounds.width.max(bounds.height);
    if extent <= side / 2 {
        return vec![bounds];
    }
    let cell = (thickness().saturating_mul(2)).max(side / 2).max(BLOCK_PX);
    if extent <= cell {
        return vec![bounds];
    }
    let mut cells = BTreeMap::new();
    for &block in blocks {
        let at = ((block.y - bounds.y) / cell, (block.x - bounds.x) / cell);
        let part = cells.entry(at).or_insert(block);
        *part = hull(*part, block);
    }
    cells.into_values().collect()
}

/// Groups of neighbouring holes, each as the bounds of its pixels in every block.
fn groups(mask: &Mask) -> Vec<Vec<Rect>> {
    let mut blocks: BTreeMap<(u32, u32), Rect> = BTreeMap::new();
    let rows = mask.as_bytes().chunks_exact(mask.width().max(1) as usize);
    for (y, row) in (0..).zip(rows) {
        for (x, _) in (0..).zip(row).filter(|(_, hole)| **hole != 0) {
            let pixel = Rect {
                x,
                y,
                width: 1,
                height: 1,
            };
            let block = (blocks.entry((y / BLOCK_PX, x / BLOCK_PX))).or_insert(pixel);
            *block = hull(*block, pixel);
        }
    }
    let mut groups = Vec::new();
    while let Some((at, bounds)) = blocks.pop_first() {
        let mut group = vec![bounds];
        let mut open = vec![at];
        while let Some((row, column)) = open.pop() {
            for y in row.saturating_sub(1)..=row + 1 {
                for x in column.saturating_sub(1)..=column + 1 {
                    if let Some(bounds) = blocks.remove(&(y, x)) {
                        group.push(bounds);
                        open.push((y, x));
                    }
                }
            }
        }
        groups.push(group);
    }
    groups
}

/// Smallest rectangle around both.
fn hull(a: Rect, b: Rect) -> Rect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    Rect {
        x,
        y,
        width: (a.x + a.width).max(b.x + b.width) - x,
        height: (a.y + a.height).max(b.y + b.height) - y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    fn contexts(mask: &Mask) -> Vec<Rect> {
        let windows = windows(mask, 512);
        let mut left = mask.clone();
        for Window { context, fills } in &windows {
            let (width, height) = mask.dimensions();
            assert!(context.x + context.width <= width && context.y + context.height <= height);
            for fill in fills {
                assert!(fill.x >= context.x && fill.x + fill.width <= context.x + context.width);
                assert!(fill.y >= context.y && fill.y + fill.height <= context.y + context.height);
                for y in fill.y..fill.y + fill.height {
                    (fill.x..fill.x + fill.width).for_each(|x| left.set(x, y, false));
                }
            }
        }
        assert!(left.is_empty(), "every hole is filled");
        windows.into_iter().map(|window| window.context).collect()
    }

    #[test]
    fn a_hole_gets_its_surroundings_at_full_resolution() {
        let mask = Mask::rectangle(4000, 3000, rect(1000, 2000, 200, 100));
        assert_eq!(contexts(&mask), [rect(844, 1794, 512, 512)]);
        // At the picture's border the window moves inwards; small pictures are shown whole.
        let mask = Mask::rectangle(4000, 3000, rect(3990, 0, 10, 10));
        assert_eq!(contexts(&mask), [rect(3488, 0, 512, 512)]);
        let mask = Mask::rectangle(300, 700, rect(10, 10, 10, 10));
        assert_eq!(contexts(&mask), [rect(0, 0, 300, 512)]);
    }

    #[test]
    fn a_large_hole_gets_a_larger_window() {
        let mask = Mask::rectangle(4000, 3000, rect(1000, 1000, 800, 600));
        assert_eq!(contexts(&mask), [rect(600, 500, 1600, 1600)]);
        assert_eq!(
            contexts(&Mask::new(900, 700).inverted()),
            [rect(0, 0, 900, 700)]
        );
    }

    #[test]
    fn long_holes_are_cut_and_near_ones_filled_together() {
        let pole = Mask::rectangle(4000, 3000, rect(1000, 0, 60, 3000));
        let parts = contexts(&pole);
        assert!((8..=12).contains(&parts.len()), "{}", parts.len());
        assert!(parts.iter().all(|context| context.width == 512));

        let mut dust = Mask::new(4000, 3000);
        for x in [100, 180, 260, 3000] {
            dust.set(x, 1000, true);
        }
        assert_eq!(contexts(&dust).len(), 2);
    }

    #[test]
    fn there_are_never_too_many_windows() {
        let dust = Mask::from_fn(6000, 4000, |x, y| x % 100 == 0 && y % 100 == 0);
        assert!(contexts(&dust).len() <= MAX_WINDOWS);
        assert_eq!(windows(&Mask::new(0, 0), 512), []);
        assert_eq!(windows(&Mask::new(9, 9), 512), []);
        assert_eq!(contexts(&Mask::rectangle(1, 1, rect(0, 0, 1, 1))).len(), 1);
    }
}
