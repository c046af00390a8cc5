//! Total variation, in the two conventions that tables may mean.

use super::Region;
use crate::{InpaintError, RgbImage};

const NO_PAIR: &str = "the region holds no pair of neighbouring pixels";

/// 100 × (mean |Δx| + mean |Δy|), channel values on \[0, 1\].
///
/// Each mean runs over the neighbouring pixel pairs of its direction. With
/// [`Region::Hole`] a pair counts when it touches the hole, so a visible seam
/// counts too. A direction without pairs (an image one pixel wide) adds 0.
///
/// # Errors
///
/// Sizes differ, or the region touches no pair at all.
pub fn total_variation(image: &RgbImage, region: Region<'_>) -> Result<f64, InpaintError> {
    region.check(image)?;
    let holes = region.holes();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values = image.as_raw();
    let mut total = 0.0;
    let mut pairs = 0;
    for (dx, dy) in [(1, 0), (0, 1)] {
        let (mut sum, mut count) = (0u64, 0u64);
        for y in 0..height.saturating_sub(dy) {
            for x in 0..width.saturating_sub(dx) {
                let (i, j) = (y * width + x, (y + dy) * width + x + dx);
                if holes.is_none_or(|holes| holes[i] | holes[j] != 0) {
                    for c in 0..3 {
                        sum += u64::from(values[3 * i + c].abs_diff(values[3 * j + c]));
                    }
                    count += 3;
                }
            }
        }
        if count > 0 {
            total += sum as f64 / count as f64;
        }
        pairs += count;
    }
    if pairs == 0 {
        return Err(InpaintError::EmptyRegion {
            metric: "total variation",
            reason: NO_PAIR,
        });
    }
    Ok(100.0 * total / 255.0)
}

/// PICNet's total variation: the mean over channel values of √(gx² + gy²) on
/// \[0, 255\], with forward differences that wrap around at the border.
///
/// The published convention is [`Region::Whole`]; with [`Region::Hole`] the
/// mean runs over the hole's pixels.
///
/// Source: the evaluation script of Zheng, Cham and Cai, *Pluralistic Image
/// Completion*, CVPR 2019.
///
/// # Errors
///
/// Sizes differ, or the region holds no pixel.
pub fn picnet_total_variation(image: &RgbImage, region: Region<'_>) -> Result<f64, InpaintError> {
    region.check(image)?;
    let holes = region.holes();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values = image.as_raw();
    let (mut sum, mut count) = (0.0, 0u64);
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            if holes.is_some_and(|holes| holes[i] == 0) {
                continue;
            }
            let right = y * width + (x + 1) % width;
            let below = (y + 1) % height * width + x;
            for c in 0..3 {
                let here = i32::from(values[3 * i + c]);
                let gx = here - i32::from(values[3 * right + c]);
                let gy = here - i32::from(values[3 * below + c]);
                sum += f64::from(gx * gx + gy * gy).sqrt();
            }
            count += 3;
        }
    }
    if count == 0 {
        return Err(InpaintError::EmptyRegion {
            metric: "total variation",
            reason: "the region holds no pixel",
        });
    }
    Ok(sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mask;
    use image::Rgb;

    fn step() -> RgbImage {
        RgbImage::from_fn(4, 2, |x, _| Rgb([if x < 2 { 0 } else { 51 }; 3]))
    }

    #[test]
    fn one_step_of_a_fifth() {
        // One of three horizontal pairs differs by 0.2; no vertical one does.
        let whole = total_variation(&step(), Region::Whole).unwrap();
        assert!((whole - 100.0 * 0.2 / 3.0).abs() < 1e-12);
        // Pairs that touch column 3: only 2-3, equal.
        let last = Mask::from_fn(4, 2, |x, _| x == 3);
        assert_eq!(total_variation(&step(), Region::Hole(&last)).unwrap(), 0.0);
        // Pairs that touch column 2: 1-2 and 2-3.
        let seam = Mask::from_fn(4, 2, |x, _| x == 2);
        let seam = total_variation(&step(), Region::Hole(&seam)).unwrap();
        assert!((seam - 10.0).abs() < 1e-12);
    }

    #[test]
    fn picnet_wraps_around() {
        // Two of four columns have a gradient of 51: the step and the wrap.
        let whole = picnet_total_variation(&step(), Region::Whole).unwrap();
        assert!((whole - 25.5).abs() < 1e-12);
    }

    #[test]
    fn single_pixels_and_empty_images() {
        let dot = RgbImage::new(1, 1);
        assert!(total_variation(&dot, Region::Whole).is_err());
        assert_eq!(picnet_total_variation(&dot, Region::Whole).unwrap(), 0.0);
        assert!(picnet_total_variation(&RgbImage::new(0, 3), Region::Whole).is_err());
    }
}
