//! Groups of holes that are filled together, with the surroundings that they need.

use inpaint_core::{HoleGroup, Mask, Rect, hole_groups};

/// Least known border around a group of holes, as a training crop has.
const MIN_CONTEXT_PX: u32 = 64;
/// Least side of a region, the side of a training crop.
const MIN_REGION_PX: u32 = 256;
/// Holes narrower than a patch do with [`MIN_CONTEXT_PX`]: a picture can have hundreds of them, as
/// dust, and each would take as long as a large one.
const NARROW_PX: u32 = 32;

/// A group of holes.
#[derive(Debug, Clone)]
pub struct Region {
    /// The part of the picture in which the group is filled.
    pub context: Rect,
    /// All holes inside `context`, of the group and of others, relative to it: a hole must not
    /// serve as texture before it is filled.
    pub holes: Mask,
}

/// Splits the holes of `mask` into groups that lie apart, in the order of their first row.
///
/// A region extends half of its group's extent in each direction, so that the hole takes up
/// half of each side as in training. Groups that are narrow everywhere but reach far are cut into
/// parts.
pub fn regions(mask: &Mask) -> Vec<Region> {
    let (width, height) = mask.dimensions();
    hole_groups(mask)
        .into_iter()
        .map(|HoleGroup { bounds, is_part }| {
            let (mut beside, mut above) = (margin(bounds.width), margin(bounds.height));
            if is_part {
                (beside, above) = (MIN_CONTEXT_PX, MIN_CONTEXT_PX);
            }
            let (x, region_width) = extended(bounds.x, bounds.width, beside, width);
            let (y, region_height) = extended(bounds.y, bounds.height, above, height);
            let context = Rect {
                x,
                y,
                width: region_width,
                height: region_height,
            };
            Region {
                holes: mask.cropped(context),
                context,
            }
        })
        .collect()
}

/// Known border on both sides of holes that extend over `length` pixels.
fn margin(length: u32) -> u32 {
    let wanted = (length / 2).max(MIN_CONTEXT_PX);
    let missing = match length {
        0..NARROW_PX => 0,
        _ => MIN_REGION_PX.saturating_sub(length).div_ceil(2),
    };
    wanted.max(missing)
}

/// Start and length of the region along a side of `limit` pixels for holes at `start`.
fn extended(start: u32, length: u32, margin: u32, limit: u32) -> (u32, u32) {
    let end = start
        .saturating_add(length)
        .saturating_add(margin)
        .min(limit);
    // What the far border cuts off is added on the near side, and the other way round.
    let spare = (start + length + margin).saturating_sub(limit);
    let first = start.saturating_sub(margin + spare);
    let short = margin.saturating_sub(start);
    (first, (end + short).min(limit) - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_centred_training_hole_takes_the_whole_picture() {
        let mask = Mask::rectangle(
            256,
            256,
            Rect {
                x: 64,
                y: 64,
                width: 128,
                height: 128,
            },
        );
        let regions = regions(&mask);
        assert_eq!(regions.len(), 1);
        let context = regions[0].context;
        assert_eq!((context.x, context.y), (0, 0));
        assert_eq!((context.width, context.height), (256, 256));
    }

    #[test]
    fn distant_holes_are_apart_and_near_ones_together() {
        let mut mask = Mask::new(2000, 300);
        for x in [100, 120, 1500] {
            mask.set(x, 100, true);
        }
        let regions = regions(&mask);
        assert_eq!(regions.len(), 2);
        assert_eq!(regions[0].holes.hole_area(), 2);
        assert_eq!(regions[1].holes.hole_area(), 1);
    }

    /// A scratch is filled in parts that hold all of it, a wide strip of the same length at once.
    #[test]
    fn scratches_are_cut_into_parts() {
        let diagonal =
            |thickness: u32| Mask::from_fn(3000, 1500, |x, y| (x / 2).abs_diff(y) < thickness / 2);
        let scratch = diagonal(12);
        let regions = super::regions(&scratch);
        assert!((6..=12).contains(&regions.len()), "{}", regions.len());
        let mut left = scratch.clone();
        for Region { context, .. } in &regions {
            let most = 512 + 2 * MIN_CONTEXT_PX;
            assert!(context.width <= most && context.height <= most);
            for y in context.y..context.y + context.height {
                for x in context.x..context.x + context.width {
                    left.set(x, y, false);
                }
            }
        }
        assert!(left.is_empty(), "every pixel lies in a region");
        assert_eq!(super::regions(&diagonal(200)).len(), 1);
    }

    #[test]
    fn regions_stay_inside_and_have_the_least_side_where_there_is_room() {
        for x in 0..400 {
            let mut mask = Mask::new(400, 20);
            mask.set(x, 7, true);
            let context = regions(&mask)[0].context;
            assert!(context.x + context.width <= 400);
            assert!(context.x <= x && x < context.x + context.width);
            assert!(context.width >= 129, "{context:?}");
            assert_eq!((context.y, context.height), (0, 20));
            // As wide as a patch.
            let rect = Rect {
                x: x.min(368),
                y: 0,
                width: 32,
                height: 20,
            };
            let context = regions(&Mask::rectangle(400, 20, rect))[0].context;
            assert!(context.width >= 256, "{context:?}");
        }
    }
}
