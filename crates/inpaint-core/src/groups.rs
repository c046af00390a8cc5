//! Holes that are filled together.

use crate::{Mask, Rect};
use std::collections::BTreeMap;

/// Side of the blocks by which holes are grouped.
const BLOCK_PX: u32 = 32;
/// A group is narrow if no pixel of it is farther from its rim than half of this.
const NARROW_PX: u32 = 32;
/// Side of the parts into which scratches are cut: where they reach says nothing about what has to
/// be looked at to fill them.
const PART_PX: u32 = 512;

/// Holes that are filled together: neighbours, or a part of a scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoleGroup {
    /// Smallest rectangle around the holes.
    pub bounds: Rect,
    /// Whether they are a part, at most 512 px wide and high, of holes that are narrow everywhere
    /// but reach far. Such a part does with narrow surroundings.
    pub is_part: bool,
}

/// Splits the holes of `mask` into groups that lie apart, in the order of their first row of
/// blocks of 32 px. Holes closer than 32 px are in one group. Groups that are narrow everywhere but
/// reach farther than 1,024 px are cut into parts.
pub fn hole_groups(mask: &Mask) -> Vec<HoleGroup> {
    let columns = mask.width().div_ceil(BLOCK_PX) as usize;
    let mut blocks = hole_blocks(mask, BLOCK_PX);
    let rows = blocks.len() / columns.max(1);
    let mut groups = Vec::new();
    for first in 0..blocks.len() {
        let Some(mut bounds) = blocks[first].take() else {
            continue;
        };
        let mut group = vec![bounds];
        let mut open = vec![first];
        while let Some(block) = open.pop() {
            let (row, column) = (block / columns, block % columns);
            // Two blocks: holes closer than 32 px always meet.
            for y in row.saturating_sub(2)..(row + 3).min(rows) {
                for x in column.saturating_sub(2)..(column + 3).min(columns) {
                    if let Some(other) = blocks[y * columns + x].take() {
                        bounds = bounds.hull(other);
                        group.push(other);
                        open.push(y * columns + x);
                    }
                }
            }
        }
        let is_part = bounds.width.max(bounds.height) > 2 * PART_PX
            && mask.cropped(bounds).hole_thickness() < NARROW_PX;
        let bounds = if is_part { parts(&group) } else { vec![bounds] };
        groups.extend(
            bounds
                .into_iter()
                .map(|bounds| HoleGroup { bounds, is_part }),
        );
    }
    groups
}

/// Bounds of the holes in every square of `side_px` pixels, row by row, the first at the picture's
/// corner.
///
/// # Panics
///
/// If `side_px` is 0.
pub fn hole_blocks(mask: &Mask, side_px: u32) -> Vec<Option<Rect>> {
    let (width, height) = mask.dimensions();
    let columns = width.div_ceil(side_px) as usize;
    let rows = height.div_ceil(side_px) as usize;
    let mut blocks: Vec<Option<Rect>> = vec![None; columns * rows];
    let pixels = mask.as_bytes().chunks_exact(width.max(1) as usize);
    for (y, row) in pixels.enumerate() {
        for (column, block) in row.chunks(side_px as usize).enumerate() {
            let Some(first) = block.iter().position(|&hole| hole != 0) else {
                continue;
            };
            let last = block.iter().rposition(|&hole| hole != 0).unwrap_or(first);
            let run = Rect {
                x: column as u32 * side_px + first as u32,
                y: y as u32,
                width: (last + 1 - first) as u32,
                height: 1,
            };
            let bounds = &mut blocks[y / side_px as usize * columns + column];
            *bounds = Some(bounds.map_or(run, |bounds| bounds.hull(run)));
        }
    }
    blocks
}

/// Bounds of the holes in every square of [`PART_PX`], row by row; `blocks` are those of the holes
/// in every block of a group.
fn parts(blocks: &[Rect]) -> Vec<Rect> {
    let mut parts = BTreeMap::new();
    for &block in blocks {
        let part = (block.y / PART_PX, block.x / PART_PX);
        let bounds = parts.entry(part).or_insert(block);
        *bounds = bounds.hull(block);
    }
    parts.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_holes_are_together_and_far_ones_apart() {
        let mut mask = Mask::new(2000, 300);
        for x in [100, 131, 1500] {
            mask.set(x, 100, true);
        }
        let bounds: Vec<_> = hole_groups(&mask)
            .into_iter()
            .map(|group| (group.bounds.x, group.bounds.width, group.is_part))
            .collect();
        assert_eq!(bounds, [(100, 32, false), (1500, 1, false)]);
        assert!(hole_groups(&Mask::new(0, 7)).is_empty());
    }

    #[test]
    fn only_far_and_narrow_holes_are_cut() {
        let diagonal =
            |thickness: u32| Mask::from_fn(3000, 1500, |x, y| (x / 2).abs_diff(y) < thickness / 2);
        let scratch = diagonal(12);
        let parts = hole_groups(&scratch);
        assert!((6..=12).contains(&parts.len()), "{}", parts.len());
        let mut left = scratch.inverted();
        for part in &parts {
            assert!(part.is_part && part.bounds.width <= PART_PX && part.bounds.height <= PART_PX);
            left.fill_rect(part.bounds);
        }
        assert!(left.is_full(), "every pixel lies in a part");
        assert_eq!(hole_groups(&diagonal(200)).len(), 1);
    }
}
