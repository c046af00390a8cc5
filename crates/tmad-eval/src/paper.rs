//! The figures that the paper prints, to stand beside measured ones and apart from them.
//!
//! Xu, Guo, Wang, Li, Zhou and Loy, *Texture Memory-Augmented Deep Patch-Based Image Inpainting*,
//! IEEE TIP 2021. They were measured on other pictures, other masks and other weights than
//! anything here; which region each one means is deduced in `docs/evaluation.md`.

use std::fmt::Write as _;

/// A method's row for one kind of hole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRow {
    /// Kind of hole: `rectangle` or `irregular`.
    pub holes: &'static str,
    /// Name of the method.
    pub method: &'static str,
    /// l1 in percent, over the hole.
    pub l1_percent: f64,
    /// PSNR in dB, over the hole.
    pub psnr_db: f64,
    /// SSIM, over the whole picture.
    pub ssim: f64,
    /// Total variation, whose definition the paper does not give.
    pub tv: f64,
    /// Fréchet Inception distance.
    pub fid: f64,
}

impl PaperRow {
    /// The row as tables print it.
    pub fn cells(&self) -> [String; 7] {
        [
            self.holes.to_owned(),
            self.method.to_owned(),
            format!("{:.3}", self.l1_percent),
            format!("{:.3}", self.psnr_db),
            format!("{:.3}", self.ssim),
            format!("{:.2}", self.tv),
            format!("{:.3}", self.fid),
        ]
    }
}

const fn row(holes: &'static str, method: &'static str, values: [f64; 5]) -> PaperRow {
    let [l1_percent, psnr_db, ssim, tv, fid] = values;
    PaperRow {
        holes,
        method,
        l1_percent,
        psnr_db,
        ssim,
        tv,
        fid,
    }
}

/// Table III: Places.
pub const PLACES: [PaperRow; 6] = [
    row("rectangle", "T-MAD", [10.334, 17.203, 0.867, 11.04, 8.131]),
    row(
        "rectangle",
        "DeepFill",
        [10.829, 16.843, 0.859, 11.35, 8.148],
    ),
    row("rectangle", "CRA", [10.830, 16.839, 0.861, 11.40, 8.150]),
    row(
        "rectangle",
        "PatchMatch",
        [14.795, 15.038, 0.819, 10.93, 11.630],
    ),
    row("irregular", "T-MAD", [9.261, 18.351, 0.873, 13.27, 8.058]),
    row(
        "irregular",
        "PatchMatch",
        [11.276, 17.387, 0.839, 13.02, 10.751],
    ),
];

/// Further figures of the paper, one statement each.
pub const STATEMENTS: [&str; 4] = [
    "Table IV, PSNR over the whole picture: DeepFill on CelebA-HQ 25.721 dB, SSIM 0.871, equal to what \
     mmediting's README gives for free-form masks of 15–65 % area",
    "Ablations, FID on Places, rectangles: 1, 2, 4 and 6 candidates 8.151, 8.147, 8.131 and 8.130; \
     weighted sum of candidates 8.602; plain adversarial loss instead of the patch distribution loss 8.238",
    "Table VII: DeepFill with the patch synthesis network behind it 16.967 dB instead of 16.843, for 13 % \
     more time",
    "Frames per second on a V100 at 256 px: CRA 48, T-MAD 47, DeepFill 45, EdgeConnect 20, PatchMatch 11",
];

/// The rows as a Markdown table that says where they come from.
pub fn to_markdown() -> String {
    let mut text = String::from(
        "Printed in the T-MAD paper (Places at 256 px; other pictures and masks, so not comparable with the \
         table above; l1 and PSNR over the hole, SSIM over the picture, TV not defined):\n\n\
         | holes | method | l1 % | PSNR dB | SSIM | TV | FID |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    for row in PLACES {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}
