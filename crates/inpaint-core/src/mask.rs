//! The mask: which pixels are to be filled.

use crate::distance::squared_distance;
use crate::{GrayImage, InpaintError};

/// A rectangle of pixels, inside an image or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl Rect {
    /// The smallest rectangle around both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = (self.x + self.width, self.y + self.height);
        Self {
            x,
            y,
            width: right.max(other.x + other.width) - x,
            height: bottom.max(other.y + other.height) - y,
        }
    }

    /// Whether they share a pixel.
    pub fn intersects(self, other: Self) -> bool {
        let overlap = |a: u32, length: u32, b: u32, other: u32| a < b + other && b < a + length;
        overlap(self.x, self.width, other.x, other.width)
            && overlap(self.y, self.height, other.y, other.height)
    }
}

/// One flag per pixel: `true` (1, white) is hole, `false` (0, black) is known.
///
/// # Shapes
///
/// Row-major, one byte per pixel, each 0 or 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mask {
    width: u32,
    height: u32,
    holes: Vec<u8>,
}

impl Mask {
    /// A mask without a hole.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            holes: vec![0; width as usize * height as usize],
        }
    }

    /// Asks `is_hole(x, y)` for every pixel, row by row.
    pub fn from_fn(width: u32, height: u32, mut is_hole: impl FnMut(u32, u32) -> bool) -> Self {
        let mut mask = Self::new(width, height);
        let mut pixels = mask.holes.iter_mut();
        for y in 0..height {
            for (x, pixel) in (0..width).zip(&mut pixels) {
                *pixel = u8::from(is_hole(x, y));
            }
        }
        mask
    }

    /// Hole where `image` is at least `threshold` (128 is the middle; 0 makes
    /// everything a hole).
    pub fn from_gray(image: &GrayImage, threshold: u8) -> Self {
        Self {
            width: image.width(),
            height: image.height(),
            holes: image.iter().map(|&v| u8::from(v >= threshold)).collect(),
        }
    }

    /// Takes one byte per pixel, row by row; whatever is not 0 is hole.
    ///
    /// # Errors
    ///
    /// [`InpaintError::MaskBuffer`] when `bytes` is not `width * height` long.
    pub fn from_bytes(width: u32, height: u32, mut bytes: Vec<u8>) -> Result<Self, InpaintError> {
        let expected = width as usize * height as usize;
        if bytes.len() != expected {
            return Err(InpaintError::MaskBuffer {
                actual: bytes.len(),
                expected,
                size: (width, height).into(),
            });
        }
        for byte in &mut bytes {
            *byte = u8::from(*byte != 0);
        }
        Ok(Self {
            width,
            height,
            holes: bytes,
        })
    }

    /// One rectangular hole; parts of `rect` outside the mask are ignored.
    pub fn rectangle(width: u32, height: u32, rect: Rect) -> Self {
        let mut mask = Self::new(width, height);
        mask.fill_rect(rect);
        mask
    }

    /// Makes `rect` part of the hole; its parts outside the mask are ignored.
    pub fn fill_rect(&mut self, rect: Rect) {
        let columns = clip(rect.x, rect.width, self.width);
        for y in clip(rect.y, rect.height, self.height) {
            let row = y * self.width as usize;
            self.holes[row + columns.start..row + columns.end].fill(1);
        }
    }

    /// Pixels per row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height, as [`image::RgbImage::dimensions`] gives them.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// One byte per pixel, row by row: 1 is hole, 0 is known.
    pub fn as_bytes(&self) -> &[u8] {
        &self.holes
    }

    /// Whether the pixel is hole; `false` outside the mask.
    pub fn is_hole(&self, x: u32, y: u32) -> bool {
        x < self.width && y < self.height && self.holes[self.index(x, y)] != 0
    }

    /// Sets one pixel; outside the mask nothing happens.
    pub fn set(&mut self, x: u32, y: u32, hole: bool) {
        if x < self.width && y < self.height {
            let index = self.index(x, y);
            self.holes[index] = u8::from(hole);
        }
    }

    /// Number of hole pixels.
    pub fn hole_area(&self) -> usize {
        self.holes.iter().map(|&hole| usize::from(hole)).sum()
    }

    /// Hole pixels per pixel, 0 to 1; 0 for a mask without pixels.
    pub fn hole_fraction(&self) -> f64 {
        self.hole_area() as f64 / self.holes.len().max(1) as f64
    }

    /// Whether there is no hole pixel.
    pub fn is_empty(&self) -> bool {
        !self.holes.contains(&1)
    }

    /// Whether there are pixels and all of them are hole.
    pub fn is_full(&self) -> bool {
        !self.holes.is_empty() && !self.holes.contains(&0)
    }

    /// The smallest rectangle that holds the whole hole; `None` without one.
    pub fn hole_bounds(&self) -> Option<Rect> {
        let width = self.width as usize;
        let mut columns: Option<(usize, usize)> = None;
        let mut rows: Option<(usize, usize)> = None;
        for (y, row) in self.holes.chunks_exact(width.max(1)).enumerate() {
            let Some(first) = row.iter().position(|&hole| hole != 0) else {
                continue;
            };
            let last = row.iter().rposition(|&hole| hole != 0).unwrap_or(first);
            let (left, right) = columns.unwrap_or((first, last));
            columns = Some((left.min(first), right.max(last)));
            rows = Some((rows.map_or(y, |(top, _)| top), y));
        }
        let ((left, right), (top, bottom)) = (columns?, rows?);
        Some(Rect {
            x: left as u32,
            y: top as u32,
            width: (right - left + 1) as u32,
            height: (bottom - top + 1) as u32,
        })
    }

    /// Hole and known exchanged.
    #[must_use]
    pub fn inverted(&self) -> Self {
        Self {
            width: self.width,
            height: self.height,
            holes: self.holes.iter().map(|hole| 1 - hole).collect(),
        }
    }

    /// Both holes together.
    ///
    /// # Errors
    ///
    /// [`InpaintError::MaskSize`] when the sizes differ.
    pub fn union(&self, other: &Self) -> Result<Self, InpaintError> {
        if self.dimensions() != other.dimensions() {
            return Err(InpaintError::MaskSize {
                mask: other.dimensions().into(),
                image: self.dimensions().into(),
            });
        }
        let pairs = self.holes.iter().zip(&other.holes);
        Ok(Self {
            width: self.width,
            height: self.height,
            holes: pairs.map(|(a, b)| a | b).collect(),
        })
    }

    /// Grows the hole by every pixel within the Euclidean distance `px` of it.
    #[must_use]
    pub fn dilated(&self, px: u32) -> Self {
        let mut grown = self.clone();
        let Some(bounds) = self.hole_bounds().filter(|_| px > 0) else {
            return grown;
        };
        // Only the neighbourhood of the hole can change.
        let columns = clip_grown(bounds.x, bounds.width, px, self.width);
        let rows = clip_grown(bounds.y, bounds.height, px, self.height);
        let (stride, width) = (self.width as usize, columns.len());
        let at = |i: usize| (rows.start + i / width) * stride + columns.start + i % width;
        let squared = squared_distance(width, rows.len(), |i| self.holes[at(i)] != 0);
        let reach = u64::from(px).pow(2);
        for (i, &distance) in squared.iter().enumerate() {
            if distance <= reach {
                grown.holes[at(i)] = 1;
            }
        }
        grown
    }

    /// Squared distance from every pixel of `rect` to the nearest hole pixel inside `rect`, row by
    /// row; `u64::MAX` everywhere without one. Parts of `rect` outside the mask are ignored.
    pub fn squared_distances(&self, rect: Rect) -> Vec<u64> {
        let columns = clip(rect.x, rect.width, self.width);
        let rows = clip(rect.y, rect.height, self.height);
        let (stride, width) = (self.width as usize, columns.len());
        squared_distance(width, rows.len(), |i| {
            self.holes[(rows.start + i / width) * stride + columns.start + i % width] != 0
        })
    }

    /// Width of the hole at its widest place in pixels: twice the largest distance from a hole
    /// pixel to the nearest known one, rounded up; the longer side of the mask when no pixel is
    /// known, 0 for an empty mask.
    pub fn hole_thickness(&self) -> u32 {
        let (width, height) = (self.width as usize, self.height as usize);
        let squared = squared_distance(width, height, |i| self.holes[i] == 0);
        match squared.into_iter().max() {
            Some(u64::MAX) => self.width.max(self.height),
            Some(largest) => (2.0 * (largest as f64).sqrt()).ceil() as u32,
            None => 0,
        }
    }

    /// The part of the mask inside `rect`, which is clipped to the mask.
    #[must_use]
    pub fn cropped(&self, rect: Rect) -> Self {
        let columns = clip(rect.x, rect.width, self.width);
        let rows = clip(rect.y, rect.height, self.height);
        let stride = self.width as usize;
        Self {
            width: columns.len() as u32,
            height: rows.len() as u32,
            holes: rows
                .flat_map(|y| &self.holes[y * stride + columns.start..y * stride + columns.end])
                .copied()
                .collect(),
        }
    }

    /// The mask as an image: 255 is hole, 0 is known.
    pub fn to_gray(&self) -> GrayImage {
        let mut image = GrayImage::new(self.width, self.height);
        for (pixel, &hole) in image.iter_mut().zip(&self.holes) {
            *pixel = 255 * hole;
        }
        image
    }

    fn index(&self, x: u32, y: u32) -> usize {
        y as usize * self.width as usize + x as usize
    }
}

fn clip(start: u32, length: u32, limit: u32) -> std::ops::Range<usize> {
    let start = start.min(limit);
    start as usize..start.saturating_add(length).min(limit) as usize
}

fn clip_grown(start: u32, length: u32, px: u32, limit: u32) -> std::ops::Range<usize> {
    let end = start.saturating_add(length).saturating_add(px);
    start.saturating_sub(px) as usize..end.min(limit) as usize
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
    fn a_rectangle_is_clipped_and_measured() {
        let mask = Mask::rectangle(8, 6, rect(5, 4, u32::MAX, 9));
        assert_eq!(mask.hole_area(), 6);
        assert_eq!(mask.hole_fraction(), 6.0 / 48.0);
        assert_eq!(mask.hole_bounds(), Some(rect(5, 4, 3, 2)));
        assert!(!mask.is_empty() && !mask.is_full());
        assert!(mask.is_hole(7, 5) && !mask.is_hole(4, 5) && !mask.is_hole(8, 5));
    }

    #[test]
    fn grey_values_from_the_threshold_up_are_hole() {
        let image = GrayImage::from_raw(3, 1, vec![127, 128, 255]).unwrap();
        assert_eq!(Mask::from_gray(&image, 128).as_bytes(), [0, 1, 1]);
        assert_eq!(
            Mask::from_gray(&image, 128).to_gray().as_raw(),
            &[0, 255, 255]
        );
    }

    #[test]
    fn empty_and_full_masks_know_it() {
        assert!(Mask::new(3, 3).is_empty() && Mask::new(3, 3).hole_bounds().is_none());
        assert!(Mask::new(3, 3).inverted().is_full());
        let nothing = Mask::new(0, 4);
        assert!(nothing.is_empty() && !nothing.is_full() && nothing.hole_fraction() == 0.0);
        assert!(nothing.dilated(3).is_empty() && nothing.hole_bounds().is_none());
    }

    #[test]
    fn growing_follows_the_euclidean_distance() {
        let dot = Mask::from_fn(9, 9, |x, y| (x, y) == (4, 4));
        assert_eq!(dot.dilated(0), dot);
        let grown = dot.dilated(3);
        let disc = Mask::from_fn(9, 9, |x, y| {
            x.abs_diff(4).pow(2) + y.abs_diff(4).pow(2) <= 9
        });
        assert_eq!(grown, disc);
        assert!(dot.dilated(u32::MAX).is_full());
    }

    #[test]
    fn a_wrong_buffer_is_refused() {
        let error = Mask::from_bytes(4, 2, vec![0; 7]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "mask buffer holds 7 bytes, a 4×2 mask needs 8"
        );
        let mask = Mask::from_bytes(2, 1, vec![0, 200]).unwrap();
        assert_eq!(mask.as_bytes(), [0, 1]);
    }

    #[test]
    fn crops_and_unions() {
        let left = Mask::rectangle(4, 2, rect(0, 0, 1, 2));
        let right = Mask::rectangle(4, 2, rect(3, 0, 1, 2));
        let both = left.union(&right).unwrap();
        assert_eq!(both.as_bytes(), [1, 0, 0, 1, 1, 0, 0, 1]);
        assert_eq!(both.cropped(rect(2, 1, 9, 9)).as_bytes(), [0, 1]);
        assert!(left.union(&Mask::new(1, 1)).is_err());
    }
}
