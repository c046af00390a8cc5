//! Mean absolute error.

use super::{Region, mean_difference};
use crate::{InpaintError, RgbImage};

/// 100 × the mean absolute difference of channel values on \[0, 1\]: 0 for
/// equal images, 100 for black against white.
///
/// The l1 of inpainting tables is measured over [`Region::Hole`]. DeepFill's
/// own "l1" is a relative error and cannot be compared.
///
/// # Errors
///
/// Sizes differ, or the region holds no pixel.
pub fn l1_percent(
    reference: &RgbImage,
    completed: &RgbImage,
    region: Region<'_>,
) -> Result<f64, InpaintError> {
    let mean = mean_difference("l1", reference, completed, region, |d| d)?;
    Ok(100.0 * mean / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mask;
    use image::Rgb;

    #[test]
    fn counts_the_hole_or_everything() {
        let black = RgbImage::new(4, 1);
        let mut other = black.clone();
        other.put_pixel(0, 0, Rgb([255, 0, 0]));
        let mask = Mask::from_fn(4, 1, |x, _| x < 2);
        let hole = l1_percent(&black, &other, Region::Hole(&mask)).unwrap();
        let whole = l1_percent(&black, &other, Region::Whole).unwrap();
        assert!((hole - 100.0 / 6.0).abs() < 1e-12);
        assert!((whole - 100.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn an_empty_hole_is_an_error() {
        let image = RgbImage::new(2, 2);
        let error = l1_percent(&image, &image, Region::Hole(&Mask::new(2, 2)));
        assert!(matches!(error, Err(InpaintError::EmptyRegion { .. })));
    }
}
