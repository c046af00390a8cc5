//! Peak signal-to-noise ratio.

use super::{Region, mean_difference};
use crate::{InpaintError, RgbImage};

/// 10·log₁₀(1 / mean squared error) in decibels, channel values on \[0, 1\];
/// `f64::INFINITY` for equal images.
///
/// Inpainting tables report it over the hole or over the whole image, often
/// without saying which: a hole of a quarter of the image lies 6.02 dB below.
///
/// # Errors
///
/// Sizes differ, or the region holds no pixel.
pub fn psnr(
    reference: &RgbImage,
    completed: &RgbImage,
    region: Region<'_>,
) -> Result<f64, InpaintError> {
    let squared = mean_difference("PSNR", reference, completed, region, |d| d * d)?;
    if squared == 0.0 {
        return Ok(f64::INFINITY);
    }
    Ok(10.0 * libm::log10(255.0 * 255.0 / squared))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask_generator::centre_rectangle;
    use image::Rgb;

    #[test]
    fn knows_hand_computed_values() {
        let black = RgbImage::new(8, 8);
        let mask = centre_rectangle(8, 8);
        let grey = RgbImage::from_pixel(8, 8, Rgb([51; 3]));
        let composited = crate::composite(&black, &grey, &mask).unwrap();
        let hole = psnr(&black, &composited, Region::Hole(&mask)).unwrap();
        let whole = psnr(&black, &composited, Region::Whole).unwrap();
        // 51 is one fifth: 10·log₁₀ 25.
        assert!((hole - 13.979_400_086_720_377).abs() < 1e-12);
        assert!((whole - hole - 6.020_599_913_279_624).abs() < 1e-12);
    }

    #[test]
    fn equal_images_are_infinitely_good() {
        let image = RgbImage::new(3, 3);
        assert_eq!(psnr(&image, &image, Region::Whole).unwrap(), f64::INFINITY);
    }
}
