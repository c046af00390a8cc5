//! The patches that may be copied from.

use super::picture::Picture;
use crate::random::Random;

/// Every patch position whose pixels are all known. A patch is named by its
/// top-left pixel.
pub(super) struct Sources {
    width: usize,
    valid: Vec<bool>,
    positions: Vec<u32>,
}

impl Sources {
    /// Finds the known patches of `side` × `side` pixels.
    ///
    /// # Panics
    ///
    /// If the picture is smaller than a patch.
    pub fn new(picture: &Picture, side: usize) -> Self {
        let (width, height) = (picture.width, picture.height);
        assert!(width >= side && height >= side, "picture below patch size");
        let mut valid = vec![false; width * height];
        let mut positions = Vec::new();
        // Rows since the last hole pixel of each column, this row included.
        let mut free = vec![0usize; width];
        for y in 0..height {
            let row = &picture.hole[y * width..(y + 1) * width];
            let mut run = 0;
            for x in 0..width {
                free[x] = if row[x] == 0 { free[x] + 1 } else { 0 };
                run = if free[x] >= side { run + 1 } else { 0 };
                if run >= side {
                    let position = (y + 1 - side) * width + x + 1 - side;
                    valid[position] = true;
                    positions.push(position as u32);
                }
            }
        }
        Self {
            width,
            valid,
            positions,
        }
    }

    /// Number of known patches.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether the patch at `(x, y)` is known; both inside the picture.
    pub fn contains(&self, x: usize, y: usize) -> bool {
        self.valid[y * self.width + x]
    }

    /// A uniformly drawn known patch; there must be one.
    pub fn draw(&self, random: &mut Random) -> (u32, u32) {
        let index = random.below(self.positions.len() as u64) as usize;
        let position = self.positions[index] as usize;
        (
            (position % self.width) as u32,
            (position / self.width) as u32,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mask, RgbImage};

    #[test]
    fn agrees_with_the_definition() {
        let mask = Mask::from_fn(9, 7, |x, y| (x, y) == (4, 3) || (x, y) == (8, 0));
        let picture = Picture::new(&RgbImage::new(9, 7), &mask, 3);
        let sources = Sources::new(&picture, 3);
        let mut count = 0;
        for y in 0..7 {
            for x in 0..9 {
                let fits = x + 3 <= 9 && y + 3 <= 7;
                let known = fits
                    && (y..y + 3).all(|v| (x..x + 3).all(|u| !mask.is_hole(u as u32, v as u32)));
                assert_eq!(sources.contains(x, y), known, "{x} {y}");
                count += usize::from(known);
            }
        }
        assert_eq!(sources.len(), count);
    }
}
