//! Putting known pixels back.

use crate::{InpaintError, Mask, RgbImage};

/// Checks that `mask` has the size of `image`.
///
/// # Errors
///
/// [`InpaintError::MaskSize`] with both sizes.
pub fn check_sizes(image: &RgbImage, mask: &Mask) -> Result<(), InpaintError> {
    if image.dimensions() == mask.dimensions() {
        return Ok(());
    }
    Err(InpaintError::MaskSize {
        mask: mask.dimensions().into(),
        image: image.dimensions().into(),
    })
}

/// Checks that two images have one size.
pub(crate) fn check_images(reference: &RgbImage, completed: &RgbImage) -> Result<(), InpaintError> {
    if reference.dimensions() == completed.dimensions() {
        return Ok(());
    }
    Err(InpaintError::ImageSize {
        completed: completed.dimensions().into(),
        reference: reference.dimensions().into(),
    })
}

/// Takes hole pixels from `completed` and every known pixel from `image`,
/// byte for byte.
///
/// # Errors
///
/// [`InpaintError::MaskSize`] or [`InpaintError::ImageSize`] when the three
/// sizes are not one.
pub fn composite(
    image: &RgbImage,
    completed: &RgbImage,
    mask: &Mask,
) -> Result<RgbImage, InpaintError> {
    check_sizes(image, mask)?;
    check_images(image, completed)?;
    let mut composited = image.clone();
    let pixels = composited
        .chunks_exact_mut(3)
        .zip(completed.chunks_exact(3))
        .zip(mask.as_bytes());
    for ((pixel, new), &hole) in pixels {
        if hole != 0 {
            pixel.copy_from_slice(new);
        }
    }
    Ok(composited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn takes_the_hole_from_the_completed_image_only() {
        let image = RgbImage::from_pixel(3, 2, Rgb([1, 2, 3]));
        let completed = RgbImage::from_pixel(3, 2, Rgb([9, 8, 7]));
        let mask = Mask::from_fn(3, 2, |x, y| (x, y) == (2, 1));
        let out = composite(&image, &completed, &mask).unwrap();
        assert_eq!(out.get_pixel(2, 1), &Rgb([9, 8, 7]));
        assert_eq!(out.pixels().filter(|p| p.0 == [1, 2, 3]).count(), 5);
    }

    #[test]
    fn names_both_sizes_when_they_differ() {
        let image = RgbImage::new(512, 512);
        let error = check_sizes(&image, &Mask::new(512, 384)).unwrap_err();
        assert_eq!(error.to_string(), "mask is 512×384, image is 512×512");
        let error = composite(&image, &RgbImage::new(1, 2), &Mask::new(512, 512)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "completed image is 1×2, reference image is 512×512"
        );
    }
}
