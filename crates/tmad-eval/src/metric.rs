//! The metrics of a single picture, and what each of them is called.

use std::collections::BTreeMap;

use inpaint_core::metrics::{
    Region, l1_percent, picnet_total_variation, psnr, ssim, total_variation,
};
use inpaint_core::{InpaintError, Mask, RgbImage};
use serde::{Deserialize, Serialize};

use crate::EvalError;
use crate::lpips::Lpips;

/// PSNR of a perfect result. It would be infinite, and so would every mean that holds it.
pub const PERFECT_PSNR_DB: f64 = 100.0;

/// A metric of one picture. Its serialised name (`psnr_hole`) is the key in `results.jsonl` and
/// `summary.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// 100 × mean absolute difference on [0, 1], over the hole.
    L1Hole,
    /// The same over the whole picture.
    L1Image,
    /// Peak signal-to-noise ratio in dB over the hole, [`PERFECT_PSNR_DB`] for equal pixels.
    PsnrHole,
    /// The same over the whole picture.
    PsnrImage,
    /// Structural similarity, averaged over windows with their centre in the hole.
    SsimHole,
    /// The same over all windows of the picture.
    SsimImage,
    /// 100 × (mean |Δx| + mean |Δy|) on [0, 1], over pixel pairs that touch the hole.
    TvHole,
    /// The same over all pixel pairs.
    TvImage,
    /// PICNet's total variation, mean √(gx² + gy²) on [0, 255], over hole pixels.
    TvPicnetHole,
    /// The same over the whole picture, as published.
    TvPicnetImage,
    /// LPIPS 0.1 with SqueezeNet, over the whole picture.
    LpipsSqueeze,
    /// LPIPS 0.1 with AlexNet, over the whole picture.
    LpipsAlex,
    /// LPIPS 0.1 with VGG-16, over the whole picture.
    LpipsVgg,
}

/// Which values of a metric are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Low ones.
    Lower,
    /// High ones.
    Higher,
    /// Those near the truth's own value.
    NearTruth,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::L1Hole,
        Self::L1Image,
        Self::PsnrHole,
        Self::PsnrImage,
        Self::SsimHole,
        Self::SsimImage,
        Self::TvHole,
        Self::TvImage,
        Self::TvPicnetHole,
        Self::TvPicnetImage,
        Self::LpipsSqueeze,
        Self::LpipsAlex,
        Self::LpipsVgg,
    ];

    /// The metric's name in files: `psnr_hole`.
    pub fn key(self) -> String {
        let name = serde_json::to_value(self).expect("a name");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Which values are good.
    pub fn better(self) -> Better {
        match self {
            Self::PsnrHole | Self::PsnrImage | Self::SsimHole | Self::SsimImage => Better::Higher,
            Self::TvHole | Self::TvImage | Self::TvPicnetHole | Self::TvPicnetImage => {
                Better::NearTruth
            }
            Self::L1Hole
            | Self::L1Image
            | Self::LpipsSqueeze
            | Self::LpipsAlex
            | Self::LpipsVgg => Better::Lower,
        }
    }

    /// Digits behind the point that tables show.
    pub fn digits(self) -> usize {
        match self {
            Self::SsimHole
            | Self::SsimImage
            | Self::LpipsSqueeze
            | Self::LpipsAlex
            | Self::LpipsVgg => 4,
            _ => 2,
        }
    }
}

/// Values of one picture. A metric that cannot be measured on it (SSIM where the hole keeps to
/// the border, LPIPS without weights or on a picture too small for its network) is left out.
pub type Metrics = BTreeMap<Metric, f64>;

/// Measures a composited result against the truth.
///
/// # Errors
///
/// The sizes differ, the hole is empty, or LPIPS failed.
pub fn measure(
    truth: &RgbImage,
    composited: &RgbImage,
    mask: &Mask,
    lpips: &[Lpips],
) -> Result<Metrics, EvalError> {
    let (hole, image) = (Region::Hole(mask), Region::Whole);
    let finite_psnr = |region| psnr(truth, composited, region).map(|db| db.min(PERFECT_PSNR_DB));
    let mut metrics: Metrics = [
        (Metric::L1Hole, l1_percent(truth, composited, hole)?),
        (Metric::L1Image, l1_percent(truth, composited, image)?),
        (Metric::PsnrHole, finite_psnr(hole)?),
        (Metric::PsnrImage, finite_psnr(image)?),
    ]
    .into();
    let optional = [
        (Metric::SsimHole, ssim(truth, composited, hole)),
        (Metric::SsimImage, ssim(truth, composited, image)),
        (Metric::TvHole, total_variation(composited, hole)),
        (Metric::TvImage, total_variation(composited, image)),
        (
            Metric::TvPicnetHole,
            picnet_total_variation(composited, hole),
        ),
        (
            Metric::TvPicnetImage,
            picnet_total_variation(composited, image),
        ),
    ];
    for (metric, value) in optional {
        match value {
            Ok(value) => {
                metrics.insert(metric, value);
            }
            Err(InpaintError::EmptyRegion { .. } | InpaintError::TooSmall { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for lpips in lpips {
        match lpips.distance(truth, composited) {
            Ok(value) => {
                metrics.insert(lpips.network().metric(), value);
            }
            Err(EvalError::Metric(InpaintError::TooSmall { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(metrics)
}

/// The total variations of a truth, beside which those of results are read.
///
/// # Errors
///
/// The sizes differ.
pub(crate) fn measure_truth(truth: &RgbImage, mask: &Mask) -> Result<Metrics, EvalError> {
    let mut metrics = measure(truth, truth, mask, &[])?;
    metrics.retain(|metric, _| metric.better() == Better::NearTruth);
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use inpaint_core::mask_generator::centre_rectangle;

    #[test]
    fn a_perfect_result_has_finite_values() {
        let truth = RgbImage::from_fn(32, 32, |x, y| Rgb([x as u8, y as u8, 9]));
        let mask = centre_rectangle(32, 32);
        let metrics = measure(&truth, &truth, &mask, &[]).unwrap();
        assert_eq!(metrics[&Metric::PsnrHole], PERFECT_PSNR_DB);
        assert_eq!(metrics[&Metric::SsimImage], 1.0);
        assert_eq!(metrics[&Metric::L1Hole], 0.0);
        assert_eq!(metrics.len(), Metric::ALL.len() - 3);
        assert_eq!(measure_truth(&truth, &mask).unwrap().len(), 4);
    }

    #[test]
    fn what_cannot_be_measured_is_left_out() {
        let truth = RgbImage::new(32, 32);
        let border = Mask::from_fn(32, 32, |x, _| x == 0);
        let metrics = measure(&truth, &truth, &border, &[]).unwrap();
        assert!(!metrics.contains_key(&Metric::SsimHole));
        assert!(metrics.contains_key(&Metric::SsimImage));
        assert!(measure(&truth, &truth, &Mask::new(32, 32), &[]).is_err());
    }

    #[test]
    fn names_are_those_of_the_files() {
        let names = Metric::ALL.map(Metric::key);
        assert_eq!(names[2], "psnr_hole");
        assert_eq!(names[9], "tv_picnet_image");
        assert_eq!(names[10], "lpips_squeeze");
    }
}
