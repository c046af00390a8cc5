//! Masks and pictures for tests.

use super::golden::{Golden, hash_bits};
use inpaint_core::image::Rgb;
use inpaint_core::{Mask, Rect, RgbImage};

/// The union of boxes (top, left, height, width).
pub fn mask_of_boxes(height: u32, width: u32, boxes: &[[i64; 4]]) -> Mask {
    let mut mask = Mask::new(width, height);
    for &[top, left, height, width] in boxes {
        mask.fill_rect(Rect {
            x: left as u32,
            y: top as u32,
            width: width as u32,
            height: height as u32,
        });
    }
    mask
}

/// The mask whose size and boxes a golden file stores under `prefix`.
pub fn golden_mask(golden: &Golden, prefix: &str) -> Mask {
    let size = golden.integers(&format!("{prefix}.size"));
    let boxes = golden.rows(&format!("{prefix}.boxes"));
    mask_of_boxes(size[0] as u32, size[1] as u32, &boxes)
}

/// A picture of unrelated pixels, so that no two windows are alike.
pub fn noise_picture(name: &str, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let first = (y * width + x) * 3;
        Rgb([0, 1, 2].map(|c| (hash_bits(name, first + c) >> 16) as u8))
    })
}
