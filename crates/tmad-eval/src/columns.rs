//! The columns of a report's tables.

use crate::distances::SetDistances;
use crate::metric::Metric;

/// A distance between the truths and the results.
pub(crate) struct SetColumn {
    pub title: &'static str,
    pub key: &'static str,
    pub digits: usize,
    pub value: fn(&SetDistances) -> f64,
}

/// Every distance between sets.
pub(crate) static SET_COLUMNS: [SetColumn; 4] = [
    SetColumn {
        title: "FID ↓",
        key: "fid",
        digits: 3,
        value: |sets| sets.fid,
    },
    SetColumn {
        title: "KID × 1000 ↓",
        key: "kid",
        digits: 3,
        value: |sets| sets.kid,
    },
    SetColumn {
        title: "P-IDS % ↑",
        key: "p_ids",
        digits: 2,
        value: |sets| sets.p_ids,
    },
    SetColumn {
        title: "U-IDS % ↑",
        key: "u_ids",
        digits: 2,
        value: |sets| sets.u_ids,
    },
];

/// A metric in both conventions.
pub(crate) struct Column {
    pub title: &'static str,
    pub hole: Option<Metric>,
    pub image: Option<Metric>,
}

impl Column {
    /// The metrics that are there.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.hole.into_iter().chain(self.image)
    }
}

/// The columns that tables can have.
pub(crate) static COLUMNS: [Column; 8] = [
    Column {
        title: "l1 %",
        hole: Some(Metric::L1Hole),
        image: Some(Metric::L1Image),
    },
    Column {
        title: "PSNR dB",
        hole: Some(Metric::PsnrHole),
        image: Some(Metric::PsnrImage),
    },
    Column {
        title: "SSIM",
        hole: Some(Metric::SsimHole),
        image: Some(Metric::SsimImage),
    },
    Column {
        title: "TV",
        hole: Some(Metric::TvHole),
        image: Some(Metric::TvImage),
    },
    Column {
        title: "TV (PICNet)",
        hole: Some(Metric::TvPicnetHole),
        image: Some(Metric::TvPicnetImage),
    },
    Column {
        title: "LPIPS squeeze",
        hole: None,
        image: Some(Metric::LpipsSqueeze),
    },
    Column {
        title: "LPIPS alex",
        hole: None,
        image: Some(Metric::LpipsAlex),
    },
    Column {
        title: "LPIPS vgg",
        hole: None,
        image: Some(Metric::LpipsVgg),
    },
];
