//! A smooth first guess for the hole.

use super::picture::{BYTES, Picture};

/// Fills the hole by pull and push (Gortler et al., *The Lumigraph*, 1996):
/// means of known pixels at ever coarser scales, then back, with bilinear
/// steps. Linear in the number of pixels, whatever the size of the hole.
///
/// A picture without any known pixel becomes mid grey.
pub(super) fn smooth_fill(picture: &mut Picture) {
    let known = picture.hole.iter().map(|&hole| f32::from(1 - hole));
    let values: Vec<[f32; 4]> = known
        .zip(picture.pixels.chunks_exact(BYTES))
        .map(|(known, p)| [p[0], p[1], p[2], 1].map(|v| known * f32::from(v)))
        .collect();
    let filled = fill(&values, picture.width, picture.height);
    let pixels = picture.pixels.chunks_exact_mut(BYTES);
    for ((pixel, &hole), value) in pixels.zip(&picture.hole).zip(filled) {
        if hole != 0 {
            for c in 0..3 {
                pixel[c] = (value[c] + 0.5) as u8;
            }
        }
    }
}

/// Colours of all pixels from `values`: colour × weight and weight, 0 to 1.
fn fill(values: &[[f32; 4]], width: usize, height: usize) -> Vec<[f32; 3]> {
    let known = |v: &[f32; 4]| [0, 1, 2].map(|c| v[c] / v[3]);
    if values.iter().all(|v| v[3] >= 1.0) {
        return values.iter().map(known).collect();
    }
    if width == 1 && height == 1 {
        let grey = values[0][3] <= 0.0;
        return vec![if grey { [127.0; 3] } else { known(&values[0]) }];
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut halved = vec![[0.0f32; 4]; half_width * half_height];
    for y in 0..height {
        for x in 0..width {
            let sum = &mut halved[y / 2 * half_width + x / 2];
            for (sum, value) in sum.iter_mut().zip(values[y * width + x]) {
                *sum += value;
            }
        }
    }
    for value in &mut halved {
        // Weights stay at most 1: one known pixel decides as well as four.
        let scale = 1.0 / value[3].max(1.0);
        *value = value.map(|v| v * scale);
    }
    let coarse = fill(&halved, half_width, half_height);
    let mut filled = Vec::with_capacity(values.len());
    for y in 0..height {
        for x in 0..width {
            let value = values[y * width + x];
            let rest = 1.0 - value[3];
            if rest <= 0.0 {
                filled.push(known(&value));
                continue;
            }
            // The nearest coarse pixel counts 3/4 per direction.
            let near = |i: usize, count: usize| {
                let other = if i.is_multiple_of(2) {
                    (i / 2).saturating_sub(1)
                } else {
                    i / 2 + 1
                };
                (i / 2, other.min(count - 1))
            };
            let (x0, x1) = near(x, half_width);
            let (y0, y1) = near(y, half_height);
            filled.push([0, 1, 2].map(|c| {
                let at = |x: usize, y: usize| coarse[y * half_width + x][c];
                let top = 0.75 * at(x0, y0) + 0.25 * at(x1, y0);
                let bottom = 0.75 * at(x0, y1) + 0.25 * at(x1, y1);
                value[c] + rest * (0.75 * top + 0.25 * bottom)
            }));
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mask, RgbImage};
    use image::Rgb;

    #[test]
    fn keeps_known_pixels_and_stays_between_them() {
        let image = RgbImage::from_fn(33, 20, |x, _| Rgb([x as u8 * 4, 50, 200]));
        let mask = Mask::from_fn(33, 20, |x, y| x > 8 && x < 25 && y > 3 && y < 18);
        let mut picture = Picture::new(&image, &mask, 1);
        smooth_fill(&mut picture);
        for (i, pixel) in picture.pixels.chunks_exact(BYTES).enumerate() {
            let (x, y) = (i as u32 % 33, i as u32 / 33);
            assert_eq!(pixel[1..3], [50, 200]);
            if mask.is_hole(x, y) {
                assert!((24..=108).contains(&pixel[0]));
            } else {
                assert_eq!(pixel[0], x as u8 * 4);
            }
        }
    }

    #[test]
    fn nothing_known_is_grey() {
        let mask = Mask::new(3, 2).inverted();
        let mut picture = Picture::new(&RgbImage::new(3, 2), &mask, 1);
        smooth_fill(&mut picture);
        assert_eq!(picture.pixels[..4], [127, 127, 127, 0]);
    }
}
