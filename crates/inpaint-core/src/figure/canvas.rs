//! What figures are drawn with: rectangles, frames, lines, text, pictures.

use super::font::{ADVANCE, GLYPH_HEIGHT, GLYPH_WIDTH, glyph};
use crate::Square;
use image::{Rgb, RgbImage, imageops};

/// A picture to draw on. What lies outside is not drawn.
#[derive(Debug)]
pub struct Canvas {
    pixels: RgbImage,
}

/// A rectangle on a canvas, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: i64,
    pub y: i64,
    pub width: u32,
    pub height: u32,
}

impl Area {
    /// The middle.
    pub fn centre(self) -> (i64, i64) {
        (
            self.x + i64::from(self.width / 2),
            self.y + i64::from(self.height / 2),
        )
    }
}

impl Canvas {
    /// A white canvas.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            pixels: RgbImage::from_pixel(width, height, Rgb([255; 3])),
        }
    }

    /// The drawing.
    pub fn into_image(self) -> RgbImage {
        self.pixels
    }

    pub fn paste(&mut self, picture: &RgbImage, x: i64, y: i64) {
        imageops::replace(&mut self.pixels, picture, x, y);
    }

    pub fn fill(&mut self, area: Area, colour: Rgb<u8>) {
        for y in area.y..area.y + i64::from(area.height) {
            for x in area.x..area.x + i64::from(area.width) {
                self.put(x, y, colour);
            }
        }
    }

    /// A frame whose inner edge is the edge of `area`.
    pub fn frame(&mut self, area: Area, thickness: u32, colour: Rgb<u8>) {
        let t = i64::from(thickness);
        let (width, height) = (i64::from(area.width), i64::from(area.height));
        for y in area.y - t..area.y + height + t {
            for x in area.x - t..area.x + width + t {
                let inside =
                    (area.x..area.x + width).contains(&x) && (area.y..area.y + height).contains(&y);
                if !inside {
                    self.put(x, y, colour);
                }
            }
        }
    }

    pub fn line(&mut self, from: (i64, i64), to: (i64, i64), colour: Rgb<u8>) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        for i in 0..=steps {
            self.put(from.0 + dx * i / steps, from.1 + dy * i / steps, colour);
        }
    }

    /// Text whose first glyph has its upper left corner at (`x`, `y`); `scale` pixels per dot.
    pub fn text(&mut self, x: i64, y: i64, scale: u32, text: &str, colour: Rgb<u8>) {
        let dot = |i: u32| i64::from(i * scale);
        for (letter, i) in text.chars().zip(0..) {
            for (row, bits) in (0..GLYPH_HEIGHT).zip(glyph(letter)) {
                for column in 0..GLYPH_WIDTH {
                    if bits >> (GLYPH_WIDTH - 1 - column) & 1 == 1 {
                        let area = Area {
                            x: x + dot(i * ADVANCE + column),
                            y: y + dot(row),
                            width: scale,
                            height: scale,
                        };
                        self.fill(area, colour);
                    }
                }
            }
        }
    }

    /// Text on a filled ground that keeps it readable above a picture.
    pub fn label(&mut self, x: i64, y: i64, text: &str, ground: Rgb<u8>) {
        let area = Area {
            x,
            y,
            width: text_width(text, 1) + 3,
            height: GLYPH_HEIGHT + 4,
        };
        self.fill(area, ground);
        self.text(x + 2, y + 2, 1, text, Rgb([255; 3]));
    }

    fn put(&mut self, x: i64, y: i64, colour: Rgb<u8>) {
        let (x, y) = (u32::try_from(x), u32::try_from(y));
        if let (Ok(x), Ok(y)) = (x, y)
            && let Some(pixel) = self.pixels.get_pixel_mut_checked(x, y)
        {
            *pixel = colour;
        }
    }
}

/// Width of a text in pixels.
pub fn text_width(text: &str, scale: u32) -> u32 {
    (text.chars().count() as u32 * ADVANCE).saturating_sub(1) * scale
}

/// Scaled to `width` × `height`: the pixels themselves when enlarged, means when reduced.
pub fn scaled(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let filter = if width >= picture.width() {
        imageops::FilterType::Nearest
    } else {
        imageops::FilterType::Triangle
    };
    imageops::resize(picture, width.max(1), height.max(1), filter)
}

/// A square of a picture; beyond it, its border repeats.
pub fn cut(picture: &RgbImage, square: Square) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(square.side, square.side, |x, y| {
        let at = |start: i64, offset: u32, limit: u32| {
            (start + i64::from(offset)).clamp(0, i64::from(limit) - 1) as u32
        };
        *picture.get_pixel(at(square.x, x, width), at(square.y, y, height))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb<u8> = Rgb([255, 0, 0]);

    fn count(canvas: Canvas) -> usize {
        canvas.into_image().pixels().filter(|p| **p == RED).count()
    }

    #[test]
    fn a_frame_lies_around_its_area() {
        let mut canvas = Canvas::new(10, 10);
        let area = Area {
            x: 3,
            y: 4,
            width: 2,
            height: 3,
        };
        canvas.frame(area, 1, RED);
        assert_eq!(count(canvas), 4 * 5 - 2 * 3);
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        let mut canvas = Canvas::new(4, 4);
        canvas.line((-5, 1), (9, 1), RED);
        canvas.text(-3, 5, 1, "8", RED);
        assert_eq!(count(canvas), 4);
    }

    #[test]
    fn letters_have_their_dots() {
        let mut canvas = Canvas::new(30, 20);
        canvas.text(1, 1, 2, "L.", RED);
        // L: seven dots down, four more to the right; the point: four.
        assert_eq!(count(canvas), 4 * (11 + 4));
        assert_eq!(text_width("L.", 2), 22);
    }

    #[test]
    fn a_square_repeats_the_border() {
        let picture = RgbImage::from_fn(3, 3, |x, y| Rgb([x as u8, y as u8, 0]));
        let square = Square {
            x: -1,
            y: 1,
            side: 3,
        };
        let cut = cut(&picture, square);
        assert_eq!(cut.get_pixel(0, 0).0, [0, 1, 0]);
        assert_eq!(cut.get_pixel(2, 2).0, [1, 2, 0]);
    }
}
