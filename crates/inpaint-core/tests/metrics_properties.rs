//! Identity, symmetry and bounds of the metrics; compositing.

use inpaint_core::image::Rgb;
use inpaint_core::metrics::{Region, SlicedWasserstein, l1_percent, psnr, ssim, total_variation};
use inpaint_core::random::mix;
use inpaint_core::{Mask, RgbImage, composite};
use proptest::prelude::*;

fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let bits = mix(seed ^ mix(u64::from(x) << 32 | u64::from(y)));
        Rgb([bits as u8, (bits >> 8) as u8, (bits >> 16) as u8])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn equal_images_are_perfect(width in 16u32..40, height in 16u32..40, seed: u64) {
        let image = noise(width, height, seed);
        let centre = Mask::from_fn(width, height, |x, y| (x, y) == (width / 2, height / 2));
        for region in [Region::Whole, Region::Hole(&centre)] {
            prop_assert_eq!(psnr(&image, &image, region).unwrap(), f64::INFINITY);
            prop_assert_eq!(l1_percent(&image, &image, region).unwrap(), 0.0);
            prop_assert!((ssim(&image, &image, region).unwrap() - 1.0).abs() < 1e-12);
            prop_assert_eq!(SlicedWasserstein::of_pair(&image, &image, region, 16).unwrap().mean, 0.0);
        }
    }

    #[test]
    fn order_does_not_matter(width in 16u32..40, height in 16u32..40, seed: u64) {
        let (a, b) = (noise(width, height, seed), noise(width, height, !seed));
        let region = Region::Whole;
        prop_assert_eq!(psnr(&a, &b, region).unwrap(), psnr(&b, &a, region).unwrap());
        prop_assert_eq!(l1_percent(&a, &b, region).unwrap(), l1_percent(&b, &a, region).unwrap());
        let (ab, ba) = (ssim(&a, &b, region).unwrap(), ssim(&b, &a, region).unwrap());
        prop_assert!((ab - ba).abs() < 1e-12);
        prop_assert!((-1.0..=1.0).contains(&ab));
    }

    #[test]
    fn a_full_mask_measures_the_whole_image(width in 2u32..30, height in 2u32..30, seed: u64) {
        let (a, b) = (noise(width, height, seed), noise(width, height, !seed));
        let full = Mask::new(width, height).inverted();
        let hole = Region::Hole(&full);
        prop_assert_eq!(psnr(&a, &b, hole).unwrap(), psnr(&a, &b, Region::Whole).unwrap());
        prop_assert_eq!(
            total_variation(&a, hole).unwrap(),
            total_variation(&a, Region::Whole).unwrap()
        );
        prop_assert_eq!(composite(&a, &b, &full).unwrap(), b);
    }

    #[test]
    fn compositing_twice_changes_nothing(width in 1u32..30, height in 1u32..30, seed: u64) {
        let (a, b) = (noise(width, height, seed), noise(width, height, !seed));
        let mask = Mask::from_fn(width, height, |x, y| mix(seed ^ u64::from(x * 31 + y)) & 1 == 0);
        let once = composite(&a, &b, &mask).unwrap();
        prop_assert_eq!(composite(&a, &once, &mask).unwrap(), once.clone());
        prop_assert_eq!(composite(&once, &a, &mask.inverted()).unwrap(), composite(&a, &once, &mask).unwrap());
        prop_assert_eq!(composite(&a, &b, &Mask::new(width, height)).unwrap(), a);
    }
}
