//! The parts of a picture that a network sees at once.

use inpaint_core::{Mask, Rect, hole_blocks};

/// Largest side of the part of a hole in a tile, to bound memory; scattered holes are made in
/// smaller tiles, so that less of what lies between them is computed.
const SIDES_PX: [u32; 4] = [512, 256, 128, 64];
/// Pixels around the part of the hole that the network sees, too, or as many as four times the
/// hole's width where that is less, but never less than the last.
const HALO_PX: u32 = 64;
const LEAST_HALO_PX: u32 = 24;

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// Rectangle around the pixels of the hole that are made with this tile.
    pub hole: Rect,
    /// What is seen.
    pub seen: Rect,
}

/// Tiles whose `hole` cover every pixel of the hole once, with the fewest pixels to see.
pub(super) fn tiles(mask: &Mask) -> Vec<Tile> {
    let Some(bounds) = mask.hole_bounds() else {
        return Vec::new();
    };
    let halo = (4 * mask.hole_thickness()).clamp(LEAST_HALO_PX, HALO_PX);
    let holes = mask.cropped(bounds);
    let tile = |block: Rect| {
        let hole = Rect {
            x: bounds.x + block.x,
            y: bounds.y + block.y,
            ..block
        };
        let along = |start: u32, length: u32, limit: u32| {
            let first = start.saturating_sub(halo);
            (first, (start + length + halo).min(limit) - first)
        };
        let (x, width) = along(hole.x, hole.width, mask.width());
        let (y, height) = along(hole.y, hole.height, mask.height());
        let seen = Rect {
            x,
            y,
            width,
            height,
        };
        Tile { hole, seen }
    };
    let of_side = |side| -> Vec<Tile> {
        let blocks = hole_blocks(&holes, side).into_iter().flatten();
        blocks.map(tile).collect()
    };
    let area = |tiles: &Vec<Tile>| -> u64 {
        let areas = tiles
            .iter()
            .map(|Tile { seen, .. }| u64::from(seen.width) * u64::from(seen.height));
        areas.sum()
    };
    // The first of equals, that is the largest.
    let choices = SIDES_PX.map(of_side).into_iter();
    choices.min_by_key(area).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mask: &Mask) -> Vec<Tile> {
        let tiles = tiles(mask);
        let mut times = vec![0; mask.as_bytes().len()];
        for Tile { hole, seen } in &tiles {
            assert!(seen.x <= hole.x && seen.y <= hole.y);
            assert!(seen.x + seen.width >= hole.x + hole.width);
            assert!(seen.y + seen.height >= hole.y + hole.height);
            assert!(seen.x + seen.width <= mask.width() && seen.y + seen.height <= mask.height());
            for y in hole.y..hole.y + hole.height {
                for x in hole.x..hole.x + hole.width {
                    times[(y * mask.width() + x) as usize] += 1;
                }
            }
        }
        for (times, &hole) in times.iter().zip(mask.as_bytes()) {
            assert!(*times <= 1 && (hole == 0 || *times == 1));
        }
        tiles
    }

    #[test]
    fn one_hole_is_one_tile_unless_it_is_wide() {
        let rect = |width, height| Rect {
            x: 300,
            y: 200,
            width,
            height,
        };
        let tiles = check(&Mask::rectangle(1500, 1000, rect(400, 300)));
        assert_eq!(tiles.len(), 1);
        assert_eq!(tiles[0].hole, rect(400, 300));
        assert_eq!((tiles[0].seen.x, tiles[0].seen.width), (236, 528));
        assert_eq!(check(&Mask::rectangle(1500, 1000, rect(600, 300))).len(), 2);
        assert!(check(&Mask::new(5, 5)).is_empty());
    }

    #[test]
    fn between_scattered_holes_little_is_seen() {
        let specks = Mask::from_fn(640, 640, |x, y| x % 160 < 3 && y % 160 < 3);
        let tiles = check(&specks);
        assert_eq!(tiles.len(), 16);
        assert!(tiles.iter().all(|tile| tile.seen.width <= 51));
    }
}
