//! Structural similarity.

use super::Region;
use crate::composite::check_images;
use crate::{InpaintError, RgbImage};

const TAPS: usize = 11;
const RADIUS: usize = TAPS / 2;
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// SSIM of Wang et al. 2004: 11 × 11 Gaussian window with σ = 1.5, u8 values
/// with range 255, biased variances, windows entirely inside the image, the
/// mean over window centres per channel, then over channels. 1 for equal
/// images.
///
/// Equal to scikit-image's `structural_similarity(gaussian_weights=True,
/// sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2)`.
///
/// [`Region::Whole`] is the published convention; [`Region::Hole`] averages
/// over window centres that are hole pixels.
///
/// # Errors
///
/// Sizes differ, a side is below 11 pixels, or no hole pixel lies at least 5
/// pixels inside the image.
pub fn ssim(
    reference: &RgbImage,
    completed: &RgbImage,
    region: Region<'_>,
) -> Result<f64, InpaintError> {
    check_images(reference, completed)?;
    region.check(reference)?;
    let (width, height) = (reference.width() as usize, reference.height() as usize);
    if width < TAPS || height < TAPS {
        return Err(InpaintError::TooSmall {
            metric: "SSIM",
            minimum: TAPS as u32,
            size: reference.dimensions().into(),
        });
    }
    let holes = region.holes();
    let (inner_width, inner_height) = (width - 2 * RADIUS, height - 2 * RADIUS);
    let counts = |i: usize| {
        let (x, y) = (i % inner_width + RADIUS, i / inner_width + RADIUS);
        holes.is_none_or(|holes| holes[y * width + x] != 0)
    };
    let count = (0..inner_width * inner_height)
        .filter(|&i| counts(i))
        .count();
    if count == 0 {
        return Err(InpaintError::EmptyRegion {
            metric: "SSIM",
            reason: "no hole pixel lies 5 pixels inside the image",
        });
    }
    let mut sum = 0.0;
    for channel in 0..3 {
        let map = ssim_map(
            &plane(reference, channel),
            &plane(completed, channel),
            width,
        );
        let measured = map.iter().enumerate().filter(|&(i, _)| counts(i));
        sum += measured.map(|(_, value)| value).sum::<f64>();
    }
    Ok(sum / (3 * count) as f64)
}

fn plane(image: &RgbImage, channel: usize) -> Vec<f64> {
    let pixels = image.chunks_exact(3);
    pixels.map(|pixel| f64::from(pixel[channel])).collect()
}

fn ssim_map(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let products = |a: &[f64], b: &[f64]| -> Vec<f64> {
        let products: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
        smooth(&products, width)
    };
    let (mean_a, mean_b) = (smooth(a, width), smooth(b, width));
    let (aa, bb, ab) = (products(a, a), products(b, b), products(a, b));
    (0..mean_a.len())
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let variances = (aa[i] - ma * ma) + (bb[i] - mb * mb);
            let covariance = ab[i] - ma * mb;
            ((2.0 * ma * mb + C1) * (2.0 * covariance + C2))
                / ((ma * ma + mb * mb + C1) * (variances + C2))
        })
        .collect()
}

/// Separable Gaussian over the windows inside the plane: both sides shrink by
/// 10.
fn smooth(values: &[f64], width: usize) -> Vec<f64> {
    let taps = gaussian();
    let inner_width = width - 2 * RADIUS;
    let mut rows = Vec::with_capacity(values.len() / width * inner_width);
    for row in values.chunks_exact(width) {
        rows.extend((0..inner_width).map(|x| {
            let window = row[x..x + TAPS].iter();
            window.zip(&taps).map(|(v, t)| v * t).sum::<f64>()
        }));
    }
    let inner_height = values.len() / width - 2 * RADIUS;
    let mut smoothed = vec![0.0; inner_width * inner_height];
    for (y, out) in smoothed.chunks_exact_mut(inner_width).enumerate() {
        for (k, tap) in taps.iter().enumerate() {
            let row = &rows[(y + k) * inner_width..][..inner_width];
            for (out, value) in out.iter_mut().zip(row) {
                *out += tap * value;
            }
        }
    }
    smoothed
}

fn gaussian() -> [f64; TAPS] {
    let taps: [f64; TAPS] = std::array::from_fn(|i| {
        let x = i as f64 - RADIUS as f64;
        libm::exp(-x * x / (2.0 * SIGMA * SIGMA))
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mask;
    use image::Rgb;

    #[test]
    fn flat_images_reduce_to_the_luminance_term() {
        let a = RgbImage::from_pixel(12, 11, Rgb([100; 3]));
        let b = RgbImage::from_pixel(12, 11, Rgb([50; 3]));
        let expected = (2.0 * 5000.0 + C1) / (10_000.0 + 2500.0 + C1);
        let found = ssim(&a, &b, Region::Whole).unwrap();
        assert!((found - expected).abs() < 1e-9);
    }

    #[test]
    fn small_images_and_border_holes_are_errors() {
        let small = RgbImage::new(10, 40);
        let error = ssim(&small, &small, Region::Whole).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SSIM needs at least 11 pixels on each side, image is 10×40"
        );
        let image = RgbImage::new(20, 20);
        let border = Mask::from_fn(20, 20, |x, _| x < 5);
        assert!(ssim(&image, &image, Region::Hole(&border)).is_err());
    }
}
