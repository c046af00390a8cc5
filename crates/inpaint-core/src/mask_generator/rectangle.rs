//! Rectangular holes.

use super::{MaskGenerator, scaled};
use crate::random::Random;
use crate::{Mask, Rect};

/// One rectangle per mask, as in DeepFill's training: a box at a uniform
/// position inside the image, whose two sides of each dimension then move
/// inwards by the same random amount.
///
/// With the defaults a 256 × 256 image gets holes of 96 to 128 pixels per
/// side. Other image sizes scale every length with the width (columns) and
/// the height (rows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RectangleMask {
    /// Side of the box before shrinking, in pixels of a reference image.
    pub box_px: u32,
    /// Largest inward move of a side, in pixels of a reference image.
    pub max_shrink_px: u32,
    /// Side of the reference image in pixels.
    pub reference_px: u32,
}

impl Default for RectangleMask {
    fn default() -> Self {
        Self {
            box_px: 128,
            max_shrink_px: 16,
            reference_px: 256,
        }
    }
}

impl RectangleMask {
    /// First pixel and length of the hole along one side.
    fn span(&self, side: u32, random: &mut Random) -> (u32, u32) {
        let length = scaled(self.box_px, side, self.reference_px).clamp(1, side.max(1));
        let start = random.between(0, side.saturating_sub(length));
        let shrink = random.between(0, scaled(self.max_shrink_px, side, self.reference_px));
        // At least one pixel stays.
        let shrink = shrink.min((length - 1) / 2);
        (start + shrink, length - 2 * shrink)
    }
}

impl MaskGenerator for RectangleMask {
    fn generate(&self, width: u32, height: u32, seed: u64) -> Mask {
        let mut random = Random::new(seed);
        let (x, columns) = self.span(width, &mut random);
        let (y, rows) = self.span(height, &mut random);
        let hole = Rect {
            x,
            y,
            width: columns,
            height: rows,
        };
        Mask::rectangle(width, height, hole)
    }
}

/// The central half of each side: the fixed 128 × 128 hole in a 256 × 256
/// image of the usual evaluation protocol.
pub fn centre_rectangle(width: u32, height: u32) -> Mask {
    let (columns, rows) = (width.div_ceil(2), height.div_ceil(2));
    let hole = Rect {
        x: (width - columns) / 2,
        y: (height - rows) / 2,
        width: columns,
        height: rows,
    };
    Mask::rectangle(width, height, hole)
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint;
    use super::*;

    #[test]
    fn sides_stay_in_their_range_and_inside() {
        let generator = RectangleMask::default();
        let (mut smallest, mut largest) = (u32::MAX, 0);
        for seed in 0..400 {
            let mask = generator.generate(256, 256, seed);
            let bounds = mask.hole_bounds().unwrap();
            assert_eq!(mask.hole_area() as u32, bounds.width * bounds.height);
            assert_eq!(bounds.width % 2, 0);
            smallest = smallest.min(bounds.width.min(bounds.height));
            largest = largest.max(bounds.width.max(bounds.height));
        }
        assert_eq!((smallest, largest), (96, 128));
    }

    #[test]
    fn lengths_scale_with_the_image() {
        let bounds = (0..50).map(|seed| {
            let mask = RectangleMask::default().generate(512, 128, seed);
            mask.hole_bounds().unwrap()
        });
        for bounds in bounds {
            assert!((192..=256).contains(&bounds.width));
            assert!((48..=64).contains(&bounds.height));
        }
    }

    #[test]
    fn the_centre_is_a_quarter() {
        let mask = centre_rectangle(256, 256);
        assert_eq!(mask.hole_area(), 128 * 128);
        assert!(mask.is_hole(64, 64) && mask.is_hole(191, 191));
        assert!(!mask.is_hole(63, 64) && !mask.is_hole(192, 191));
    }

    #[test]
    fn odd_sizes_do_not_fail() {
        for (width, height) in [(0, 0), (1, 1), (1, 300), (3, 2), (5, 0)] {
            RectangleMask::default().generate(width, height, 1);
            centre_rectangle(width, height);
        }
    }

    #[test]
    fn masks_are_the_same_on_every_machine() {
        let hashes =
            [0, 1, 99].map(|seed| fingerprint(&RectangleMask::default().generate(256, 256, seed)));
        assert_eq!(
            hashes,
            [
                14_171_164_607_774_016_229,
                5_736_849_630_017_774_485,
                13_536_938_346_368_075_813
            ]
        );
    }
}
