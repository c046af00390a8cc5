//! The working picture of one pyramid level.

use crate::{Mask, Rect, RgbImage};

/// Bytes per pixel: colour and one unused byte, so that rows of patches
/// start at multiples of four.
pub(super) const BYTES: usize = 4;

/// Colours and hole of one pyramid level.
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    /// RGB and a zero per pixel, row by row. Hole pixels hold the estimate.
    pub pixels: Vec<u8>,
    /// 1 per hole pixel, 0 per known one.
    pub hole: Vec<u8>,
}

impl Picture {
    /// The picture, extended to at least `min_side` pixels per side by
    /// repeating the last row and column, mask included.
    ///
    /// # Panics
    ///
    /// If the image has no pixels or the mask another size; the caller checks.
    pub fn new(image: &RgbImage, mask: &Mask, min_side: usize) -> Self {
        let (columns, rows) = (image.width() as usize, image.height() as usize);
        let (width, height) = (columns.max(min_side), rows.max(min_side));
        let mut pixels = Vec::with_capacity(width * height * BYTES);
        let mut hole = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let i = y.min(rows - 1) * columns + x.min(columns - 1);
                pixels.extend_from_slice(&image.as_raw()[3 * i..3 * i + 3]);
                pixels.push(0);
                hole.push(mask.as_bytes()[i]);
            }
        }
        Self {
            width,
            height,
            pixels,
            hole,
        }
    }

    /// Half the size, rounded up. A pixel becomes hole when at least half of
    /// the pixels below it are; known colours are means of known pixels only,
    /// the hole's of the hole's.
    pub fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut pixels = vec![0; width * height * BYTES];
        let mut hole = vec![1; width * height];
        for y in 0..height {
            for x in 0..width {
                // Of known pixels, and of the hole's.
                let mut sums = [[0u32; 3]; 2];
                let (mut known, mut count) = (0, 0);
                for v in 2 * y..(2 * y + 2).min(self.height) {
                    for u in 2 * x..(2 * x + 2).min(self.width) {
                        let i = v * self.width + u;
                        count += 1;
                        known += u32::from(self.hole[i] == 0);
                        let sums = &mut sums[usize::from(self.hole[i] != 0)];
                        for (sum, &value) in sums.iter_mut().zip(&self.pixels[BYTES * i..]) {
                            *sum += u32::from(value);
                        }
                    }
                }
                let i = y * width + x;
                let is_hole = 2 * known <= count;
                hole[i] = u8::from(is_hole);
                let number = if is_hole { count - known } else { known };
                for (c, sum) in sums[usize::from(is_hole)].into_iter().enumerate() {
                    pixels[BYTES * i + c] = ((sum + number / 2) / number) as u8;
                }
            }
        }
        Self {
            width,
            height,
            pixels,
            hole,
        }
    }

    /// Writes the hole's colours into `image`, of which this picture is the part at `window`.
    pub fn write_hole(&self, image: &mut RgbImage, mask: &Mask, window: Rect) {
        for y in 0..window.height {
            for x in 0..window.width {
                let (left, top) = (window.x + x, window.y + y);
                if mask.is_hole(left, top) {
                    let i = (y as usize * self.width + x as usize) * BYTES;
                    let pixel = image.get_pixel_mut(left, top);
                    pixel.0.copy_from_slice(&self.pixels[i..i + 3]);
                }
            }
        }
    }

    /// Number of hole pixels.
    pub fn hole_area(&self) -> f32 {
        self.hole.iter().map(|&hole| u64::from(hole)).sum::<u64>() as f32
    }

    /// First and last-plus-one column and row of the hole; `None` without one.
    pub fn hole_bounds(&self) -> Option<Bounds> {
        let mut bounds: Option<Bounds> = None;
        for (y, row) in self.hole.chunks_exact(self.width).enumerate() {
            let Some(first) = row.iter().position(|&hole| hole != 0) else {
                continue;
            };
            let last = row.iter().rposition(|&hole| hole != 0).unwrap_or(first);
            let b = bounds.get_or_insert(Bounds {
                left: first,
                right: last + 1,
                top: y,
                bottom: y,
            });
            b.left = b.left.min(first);
            b.right = b.right.max(last + 1);
            b.bottom = y + 1;
        }
        bounds
    }
}

/// A half-open box of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub left: usize,
    pub right: usize,
    pub top: usize,
    pub bottom: usize,
}
