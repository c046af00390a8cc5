//! The part of a picture that matters, at several sizes.

use super::mixture::Colour;
use crate::{Mask, Rect, RgbImage};

/// Longest side of the coarsest level in pixels, and of the finest.
const COARSEST: usize = 128;
const FINEST: usize = 768;
/// Marks reach this share of a level's longest side at least.
const LEAST_REACH: f64 = 1.0 / 3.0;

/// A part of a picture at a fraction of its size.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) colours: Vec<Colour>,
    /// Pixels that hold a mark.
    pub(super) marks: Vec<bool>,
    /// Whether the left, top, right and bottom rim lie inside the picture, so that they are not of
    /// the object.
    is_closed: [bool; 4],
    /// The first pixel in the picture, and the pixels of the picture per pixel here.
    origin: (u32, u32),
    factor: u32,
}

/// From coarse to fine, each twice the size of the one before. The part is `bounds` together with
/// what is `marked`, and a pixel more on each side.
pub(super) fn levels(image: &RgbImage, marks: &Mask, marked: Rect, bounds: Rect) -> Vec<Level> {
    let (width, height) = image.dimensions();
    let end =
        |start: u32, size: u32, limit: u32| start.saturating_add(size).saturating_add(1).min(limit);
    let left = bounds.x.min(marked.x).saturating_sub(1);
    let top = bounds.y.min(marked.y).saturating_sub(1);
    let right = end(bounds.x, bounds.width, width).max(end(marked.x, marked.width, width));
    let bottom = end(bounds.y, bounds.height, height).max(end(marked.y, marked.height, height));
    let longest = (right - left).max(bottom - top) as usize;
    let mut factor = 1;
    while longest.div_ceil(factor as usize) > FINEST {
        factor *= 2;
    }
    let finest = Level::cut_out(image, marks, (left, top), (right, bottom), factor);
    let mut levels = vec![finest];
    loop {
        let last = &levels[levels.len() - 1];
        if last.width.max(last.height) <= COARSEST {
            break;
        }
        let half = last.halved();
        levels.push(half);
    }
    levels.reverse();
    levels
}

impl Level {
    fn cut_out(
        image: &RgbImage,
        marks: &Mask,
        start: (u32, u32),
        end: (u32, u32),
        factor: u32,
    ) -> Self {
        let cells = |from: u32, to: u32| (to - from).div_ceil(factor) as usize;
        let (width, height) = (cells(start.0, end.0), cells(start.1, end.1));
        let mut colours = Vec::with_capacity(width * height);
        let mut marked = Vec::with_capacity(width * height);
        for (row, column) in (0..height as u32).flat_map(|y| (0..width as u32).map(move |x| (y, x)))
        {
            let (x, y) = (start.0 + column * factor, start.1 + row * factor);
            let (mut sum, mut count, mut is_marked) = ([0.0; 3], 0.0, false);
            for y in y..(y + factor).min(end.1) {
                for x in x..(x + factor).min(end.0) {
                    let pixel = image.get_pixel(x, y).0;
                    for (sum, value) in sum.iter_mut().zip(pixel) {
                        *sum += f32::from(value);
                    }
                    count += 1.0;
                    is_marked |= marks.is_hole(x, y);
                }
            }
            colours.push(sum.map(|sum| sum / count));
            marked.push(is_marked);
        }
        let (picture_width, picture_height) = image.dimensions();
        Self {
            width,
            height,
            colours,
            marks: marked,
            is_closed: [
                start.0 > 0,
                start.1 > 0,
                end.0 < picture_width,
                end.1 < picture_height,
            ],
            origin: start,
            factor,
        }
    }

    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut colours = Vec::with_capacity(width * height);
        let mut marks = Vec::with_capacity(width * height);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let (mut sum, mut count, mut is_marked) = ([0.0; 3], 0.0, false);
            for y in 2 * y..(2 * y + 2).min(self.height) {
                for x in 2 * x..(2 * x + 2).min(self.width) {
                    let i = y * self.width + x;
                    for (sum, value) in sum.iter_mut().zip(self.colours[i]) {
                        *sum += value;
                    }
                    count += 1.0;
                    is_marked |= self.marks[i];
                }
            }
            colours.push(sum.map(|sum| sum / count));
            marks.push(is_marked);
        }
        Self {
            width,
            height,
            colours,
            marks,
            factor: 2 * self.factor,
            ..*self
        }
    }

    pub(super) fn len(&self) -> usize {
        self.width * self.height
    }

    /// The pixel a step away, if it is there.
    pub(super) fn neighbour(&self, i: usize, (dx, dy): (i32, i32)) -> Option<usize> {
        let x = (i % self.width).checked_add_signed(dx as isize)?;
        let y = (i / self.width).checked_add_signed(dy as isize)?;
        (x < self.width && y < self.height).then(|| y * self.width + x)
    }

    /// Squared distance of two colours.
    pub(super) fn contrast(&self, a: usize, b: usize) -> f64 {
        let pairs = self.colours[a].iter().zip(self.colours[b]);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    /// The sides of the level that a pixel lies at: left, top, right, bottom.
    fn sides(&self, i: usize) -> [bool; 4] {
        let (x, y) = (i % self.width, i / self.width);
        [x == 0, y == 0, x + 1 == self.width, y + 1 == self.height]
    }

    pub(super) fn is_at_rim(&self, i: usize) -> bool {
        self.sides(i).contains(&true)
    }

    /// The longest side of the area with marks, but a share of the level's at least.
    pub(super) fn reach_of_marks(&self) -> f64 {
        let marked = (0..self.len()).filter(|&i| self.marks[i]);
        let (mut x, mut y) = ((usize::MAX, 0), (usize::MAX, 0));
        for i in marked {
            let place = (i % self.width, i / self.width);
            x = (x.0.min(place.0), x.1.max(place.0 + 1));
            y = (y.0.min(place.1), y.1.max(place.1 + 1));
        }
        let side = |(start, end): (usize, usize)| end.saturating_sub(start) as f64;
        let least = LEAST_REACH * self.width.max(self.height) as f64;
        side(x).max(side(y)).max(least)
    }

    /// Whether the pixel is background for certain: at a rim inside the picture, and not marked.
    pub(super) fn is_outside(&self, i: usize) -> bool {
        let is_closed = |(is_there, is_closed): (bool, bool)| is_there && is_closed;
        !self.marks[i] && self.sides(i).into_iter().zip(self.is_closed).any(is_closed)
    }

    /// Draws what is selected into a mask of the whole picture.
    pub(super) fn draw(&self, selected: &[bool], mask: &mut Mask) {
        for (i, _) in selected
            .iter()
            .enumerate()
            .filter(|&(_, &is_selected)| is_selected)
        {
            mask.fill_rect(Rect {
                x: self.origin.0 + (i % self.width) as u32 * self.factor,
                y: self.origin.1 + (i / self.width) as u32 * self.factor,
                width: self.factor,
                height: self.factor,
            });
        }
    }
}
