//! Which part of a large image is looked at.

use crate::{Mask, Rect};

/// Up to this number of pixels the whole image is one window.
const WHOLE_PIXELS: u64 = 4 << 20;
/// Least width of the known frame around a hole, in pixels.
const MARGIN_PX: u32 = 512;
/// Side of the tiles by which holes are grouped, in pixels.
const TILE_PX: u32 = 64;
/// With more groups than this, one window around all holes is used.
const MAX_GROUPS: usize = 256;

/// The windows to fill one by one. Each hole pixel lies in exactly one group
/// of holes, each window holds one whole group and no pixel of another.
///
/// An image of up to 4 megapixels is one window. In a larger one, a window is
/// the bounding box of neighbouring holes, grown on each side by the box's
/// longer side, at least 512 pixels: memory and search follow the hole rather
/// than the image.
pub(super) fn windows(mask: &Mask) -> Vec<Rect> {
    let (width, height) = mask.dimensions();
    let whole = Rect {
        x: 0,
        y: 0,
        width,
        height,
    };
    let Some(bounds) = mask.hole_bounds() else {
        return Vec::new();
    };
    if u64::from(width) * u64::from(height) <= WHOLE_PIXELS {
        return vec![whole];
    }
    let mut groups = tile_groups(mask);
    if groups.len() > MAX_GROUPS {
        return vec![grown(bounds, whole)];
    }
    // Merge until no window reaches into another group.
    let mut i = 0;
    while i < groups.len() {
        let window = grown(groups[i], whole);
        let other = (0..groups.len()).find(|&j| j != i && intersects(window, groups[j]));
        match other {
            None => i += 1,
            Some(j) => {
                let merged = union(groups[i], groups[j]);
                groups.swap_remove(i.max(j));
                groups[i.min(j)] = merged;
                i = 0;
            }
        }
    }
    groups
        .into_iter()
        .map(|group| grown(group, whole))
        .collect()
}

/// Bounding boxes of the holes in connected tiles.
fn tile_groups(mask: &Mask) -> Vec<Rect> {
    let columns = mask.width().div_ceil(TILE_PX);
    let rows = mask.height().div_ceil(TILE_PX);
    let mut open = vec![None; (columns * rows) as usize];
    for (i, tile) in open.iter_mut().enumerate() {
        let (x, y) = (i as u32 % columns * TILE_PX, i as u32 / columns * TILE_PX);
        let rect = Rect {
            x,
            y,
            width: TILE_PX,
            height: TILE_PX,
        };
        let bounds = mask.cropped(rect).hole_bounds();
        *tile = bounds.map(|b| Rect {
            x: b.x + x,
            y: b.y + y,
            ..b
        });
    }
    let mut groups = Vec::new();
    for start in 0..open.len() {
        let Some(mut group) = open[start].take() else {
            continue;
        };
        let mut stack = vec![start as u32];
        while let Some(tile) = stack.pop() {
            let (x, y) = (tile % columns, tile / columns);
            for v in y.saturating_sub(1)..=(y + 1).min(rows - 1) {
                for u in x.saturating_sub(1)..=(x + 1).min(columns - 1) {
                    if let Some(bounds) = open[(v * columns + u) as usize].take() {
                        group = union(group, bounds);
                        stack.push(v * columns + u);
                    }
                }
            }
        }
        groups.push(group);
    }
    groups
}

fn grown(rect: Rect, limit: Rect) -> Rect {
    let margin = rect.width.max(rect.height).max(MARGIN_PX);
    let (x, y) = (rect.x.saturating_sub(margin), rect.y.saturating_sub(margin));
    let end = |start: u32, length: u32, limit: u32| {
        start
            .saturating_add(length)
            .saturating_add(margin)
            .min(limit)
    };
    Rect {
        x,
        y,
        width: end(rect.x, rect.width, limit.width) - x,
        height: end(rect.y, rect.height, limit.height) - y,
    }
}

fn union(a: Rect, b: Rect) -> Rect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    Rect {
        x,
        y,
        width: (a.x + a.width).max(b.x + b.width) - x,
        height: (a.y + a.height).max(b.y + b.height) - y,
    }
}

fn intersects(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
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

    #[test]
    fn small_images_are_one_window() {
        let mask = Mask::rectangle(300, 200, rect(5, 5, 3, 3));
        assert_eq!(windows(&mask), [rect(0, 0, 300, 200)]);
        assert!(windows(&Mask::new(300, 200)).is_empty());
    }

    #[test]
    fn far_holes_get_their_own_windows_and_near_ones_share() {
        let mut mask = Mask::new(4000, 3000);
        mask.fill_rect(rect(10, 10, 20, 20));
        mask.fill_rect(rect(400, 10, 20, 20));
        mask.fill_rect(rect(3900, 2900, 50, 50));
        let mut found = windows(&mask);
        found.sort_by_key(|window| window.x);
        assert_eq!(found, [rect(0, 0, 932, 542), rect(3388, 2388, 612, 612)]);
        let holes: usize = found.iter().map(|&w| mask.cropped(w).hole_area()).sum();
        assert_eq!(holes, mask.hole_area());
    }
}
