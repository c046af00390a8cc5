//! Metrics against scikit-image and NumPy; the values come from
//! `tests/golden/metrics.py`.

use inpaint_core::image::Rgb;
use inpaint_core::metrics::{
    Region, SlicedWasserstein, SlicedWassersteinOptions, l1_percent, picnet_total_variation, psnr,
    ssim, total_variation,
};
use inpaint_core::random::mix;
use inpaint_core::{Mask, RgbImage};

/// The script's `picture`: waves, an edge and noise.
fn picture(width: u32, height: u32, disturbed: bool) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0u32, 1, 2].map(|c| {
            let mut v = ((x * 5 + y * (3 + c)) % 128) as i32;
            v += if x * 2 > y + 20 { 60 } else { 0 };
            v += (mix(u64::from(x + 1000 * y + 1_000_000 * c)) % 24) as i32;
            if disturbed {
                v += ((x * y) % 19) as i32 - 9;
                v += if (x / 8 + y / 8) % 2 == 1 { 15 } else { 0 };
            }
            v.clamp(0, 255) as u8
        }))
    })
}

fn hole(width: u32, height: u32) -> Mask {
    Mask::from_fn(width, height, |x, y| {
        x.abs_diff(width / 2).pow(2) + y.abs_diff(height / 2).pow(2) < (height / 4).pow(2)
    })
}

/// Everything here is computed in f64 or in whole numbers on both sides, so
/// only the order of sums differs.
fn assert_close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-9 * expected,
        "{found} {expected}"
    );
}

#[test]
fn pixel_metrics_match_scikit_image() {
    // Whole, then hole: SSIM, PSNR, l1, TV, PICNet's TV.
    let expected = [
        (
            (40, 33),
            [
                [0.8916977381327825, 0.9105853095354433],
                [26.79344735593478, 26.748676812493454],
                [3.842741136858784, 3.8849944122726807],
                [12.499502551279512, 13.782051282051283],
                [27.12279468431701, 27.280113945083478],
            ],
        ),
        (
            (64, 64),
            [
                [0.8858927942753718, 0.9031207929541446],
                [26.84783451578076, 26.95562479140974],
                [3.785105187908497, 3.7817834153417564],
                [12.197031590413943, 12.935148169300081],
                [25.464902726948107, 25.576254847588828],
            ],
        ),
    ];
    for ((width, height), expected) in expected {
        let a = picture(width, height, false);
        let b = picture(width, height, true);
        let mask = hole(width, height);
        for (i, region) in [Region::Whole, Region::Hole(&mask)].into_iter().enumerate() {
            assert_close(ssim(&a, &b, region).unwrap(), expected[0][i]);
            assert_close(psnr(&a, &b, region).unwrap(), expected[1][i]);
            assert_close(l1_percent(&a, &b, region).unwrap(), expected[2][i]);
            assert_close(total_variation(&b, region).unwrap(), expected[3][i]);
            assert_close(picnet_total_variation(&b, region).unwrap(), expected[4][i]);
        }
    }
}

#[test]
fn sliced_wasserstein_matches_a_numpy_port_of_pggan() {
    let options = SlicedWassersteinOptions {
        num_levels: 3,
        descriptors_per_image: 40,
        num_projections: 16,
        seed: 9,
    };
    let (a, b) = (picture(64, 64, false), picture(64, 64, true));
    let mut whole = SlicedWasserstein::new(options.clone());
    whole.add(&a, &b, Region::Whole).unwrap();
    let flipped = inpaint_core::image::imageops::flip_horizontal(&picture(67, 64, false));
    let odd = picture(67, 64, true);
    whole.add(&odd, &flipped, Region::Whole).unwrap();
    let expected = [159.89975094814756, 173.91547309595867, 287.5949370589811];
    let mut hole_only = SlicedWasserstein::new(options);
    let mask = hole(64, 64);
    hole_only.add(&a, &b, Region::Hole(&mask)).unwrap();
    let expected_hole = [126.88971731255405, 110.79258990622165, 59.001731803594886];
    // The pyramids are f32: differences of values up to 255 have an error of
    // some 1e-5, against distances of 1e-1 between normalised descriptors.
    for (score, expected) in [(whole, expected), (hole_only, expected_hole)] {
        for (found, expected) in score.finish().unwrap().levels.iter().zip(expected) {
            assert!((found - expected).abs() < 0.01, "{found} {expected}");
        }
    }
}

#[test]
fn sliced_wasserstein_refuses_what_it_cannot_measure() {
    let image = RgbImage::new(64, 20);
    let mut distance = SlicedWasserstein::new(SlicedWassersteinOptions::default());
    let error = distance.add(&image, &image, Region::Whole).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sliced Wasserstein distance needs at least 256 pixels on each side, image is 64×20"
    );
    assert!(distance.finish().is_err());
    let mask = Mask::new(64, 20);
    assert!(SlicedWasserstein::of_pair(&image, &image, Region::Hole(&mask), 8).is_err());
    let score = SlicedWasserstein::of_pair(&image, &image, Region::Whole, 8).unwrap();
    assert_eq!((score.levels.len(), score.mean), (1, 0.0));
}
