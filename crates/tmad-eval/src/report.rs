//! What an evaluation found: means, intervals, tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::EvalError;
use crate::files::write;
use crate::html;
use crate::metric::{Better, Metric};
use crate::paper;
use crate::statistics::Estimate;
use crate::store::{Score, Settings, to_json};

/// Sliced Wasserstein distance between the textures of the truths' and the results' holes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextureDistance {
    /// Mean over the pyramid's levels, × 1000.
    pub mean: f64,
    /// Per level, finest first.
    pub levels: Vec<f64>,
    /// Descriptors per picture; distances compare only between equal numbers of pictures and
    /// descriptors.
    pub descriptors_per_image: usize,
}

/// One method over all pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodSummary {
    /// Name of the method.
    pub method: String,
    /// Means over pictures with their 95 % intervals.
    pub metrics: BTreeMap<Metric, Estimate>,
    /// Seconds per picture; none for a folder of results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Estimate>,
    /// Sliced Wasserstein distance; none where it could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swd: Option<TextureDistance>,
    /// The same means by size of the hole.
    pub by_hole_size: Vec<HoleSizeBin>,
}

/// The pictures whose hole covers a certain share of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HoleSizeBin {
    /// Smallest share, included.
    pub from: f64,
    /// Largest share, excluded (included for 1).
    pub to: f64,
    /// Means over the bin's pictures.
    pub metrics: BTreeMap<Metric, Estimate>,
}

/// Results of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What all results have in common.
    pub settings: Settings,
    /// Number of pictures.
    pub num_pictures: usize,
    /// A summary per method.
    pub methods: Vec<MethodSummary>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// Every result, method by method.
    #[serde(skip)]
    pub scores: Vec<Score>,
}

impl Report {
    pub(crate) fn new(
        settings: Settings,
        num_pictures: usize,
        scores: Vec<Score>,
        mut textures: BTreeMap<String, TextureDistance>,
        notes: Vec<String>,
    ) -> Self {
        let methods = (scores.chunk_by(|a, b| a.method == b.method))
            .map(|scores| MethodSummary {
                method: scores[0].method.clone(),
                metrics: estimates(scores.iter()),
                seconds: Estimate::of(&scores.iter().filter_map(|s| s.seconds).collect::<Vec<_>>()),
                swd: textures.remove(&scores[0].method),
                by_hole_size: by_hole_size(scores),
            })
            .collect();
        Self {
            settings,
            num_pictures,
            methods,
            notes,
            scores,
        }
    }

    /// Writes `summary.json` and `report.html`, whose gallery takes the pictures that an
    /// evaluation has saved in `folder`.
    ///
    /// # Errors
    ///
    /// [`EvalError::Write`], or a saved picture cannot be read.
    pub fn write(&self, folder: &Path) -> Result<(), EvalError> {
        write(&folder.join("summary.json"), &to_json(self))?;
        write(
            &folder.join("report.html"),
            html::page(self, folder)?.as_bytes(),
        )
    }

    /// The table for people: per method a row over the hole and one over the whole picture, means
    /// with their 95 % intervals; below it, apart, the paper's own figures.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let Settings {
            protocol,
            size,
            seed,
            ..
        } = &self.settings;
        let _ = writeln!(
            text,
            "{} pictures at {size} px, protocol {protocol}, seed {seed}; means over pictures with 95 % \
             bootstrap intervals\n",
            self.num_pictures
        );
        let header = COLUMNS.map(|column| {
            let arrow = match column.metrics().next().map(Metric::better) {
                Some(Better::Higher) => " ↑",
                Some(Better::Lower) => " ↓",
                Some(Better::NearTruth) | None => "",
            };
            format!("{}{arrow}", column.title)
        });
        let _ = writeln!(
            text,
            "| method | over | {} | SWD ↓ | s/picture ↓ |\n|---|---|{}---:|---:|",
            header.join(" | "),
            "---:|".repeat(COLUMNS.len())
        );
        for method in &self.methods {
            text.push_str(&method_rows(method));
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}.");
        }
        text.push('\n');
        text.push_str(&paper::to_markdown());
        text
    }
}

/// A metric in both conventions.
pub(crate) struct Column {
    pub title: &'static str,
    pub hole: Option<Metric>,
    pub image: Option<Metric>,
}

impl Column {
    fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.hole.into_iter().chain(self.image)
    }
}

/// The columns of tables.
pub(crate) const COLUMNS: [Column; 6] = [
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
];

fn method_rows(method: &MethodSummary) -> String {
    let cell =
        |metric: Option<Metric>| match metric.and_then(|m| Some((m, method.metrics.get(&m)?))) {
            Some((metric, estimate)) => interval(estimate, metric.digits()),
            None => "–".to_owned(),
        };
    let name = method.method.replace('|', "\\|");
    let swd = (method.swd.as_ref()).map_or("–".to_owned(), |swd| format!("{:.1}", swd.mean));
    let seconds = (method.seconds.as_ref()).map_or("–".to_owned(), |s| interval(s, 3));
    let hole = COLUMNS.map(|column| cell(column.hole)).join(" | ");
    let image = COLUMNS.map(|column| cell(column.image)).join(" | ");
    format!("| {name} | hole | {hole} | {swd} | {seconds} |\n| | picture | {image} | – | – |\n")
}

fn interval(estimate: &Estimate, digits: usize) -> String {
    let Estimate {
        mean, low, high, ..
    } = estimate;
    format!("{mean:.digits$} ({low:.digits$}–{high:.digits$})")
}

fn estimates<'a>(scores: impl Iterator<Item = &'a Score>) -> BTreeMap<Metric, Estimate> {
    let mut values: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
    for score in scores {
        for (&metric, &value) in &score.metrics {
            values.entry(metric).or_default().push(value);
        }
    }
    let estimates = values.into_iter();
    estimates
        .filter_map(|(metric, values)| Some((metric, Estimate::of(&values)?)))
        .collect()
}

/// Tenths, as in the irregular-mask test set of partial convolutions; empty ones are left out.
fn by_hole_size(scores: &[Score]) -> Vec<HoleSizeBin> {
    let bin_of = |score: &Score| ((score.hole_fraction * 10.0) as usize).min(9);
    (0..10)
        .map(|bin| HoleSizeBin {
            from: bin as f64 / 10.0,
            to: (bin + 1) as f64 / 10.0,
            metrics: estimates(scores.iter().filter(|score| bin_of(score) == bin)),
        })
        .filter(|bin| !bin.metrics.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(method: &str, hole_fraction: f64, psnr: f64) -> Score {
        Score {
            picture: "p".to_owned(),
            method: method.to_owned(),
            hole_fraction,
            seconds: (method == "a").then_some(0.5),
            metrics: [(Metric::PsnrHole, psnr), (Metric::SsimImage, 0.5)].into(),
        }
    }

    fn report() -> Report {
        let settings = Settings {
            protocol: "centre".to_owned(),
            size: 64,
            seed: 0,
            weights: Vec::new(),
            version: "1".to_owned(),
        };
        let scores = vec![
            score("a", 0.25, 10.0),
            score("a", 0.5, 20.0),
            score("b|c", 1.0, 30.0),
        ];
        let swd = TextureDistance {
            mean: 12.34,
            levels: vec![12.34],
            descriptors_per_image: 128,
        };
        let textures = [("a".to_owned(), swd)].into();
        Report::new(
            settings,
            2,
            scores,
            textures,
            vec!["something is left out".to_owned()],
        )
    }

    #[test]
    fn means_and_bins() {
        let report = report();
        let [a, b] = &report.methods[..] else {
            panic!("two methods")
        };
        assert_eq!(a.metrics[&Metric::PsnrHole].mean, 15.0);
        let bins: Vec<_> = a
            .by_hole_size
            .iter()
            .map(|bin| (bin.from, bin.to))
            .collect();
        assert_eq!(bins, [(0.2, 0.3), (0.5, 0.6)]);
        assert_eq!(b.by_hole_size[0].to, 1.0);
        assert!(a.seconds.is_some() && b.seconds.is_none() && b.swd.is_none());
    }

    #[test]
    fn the_table_has_both_conventions() {
        let text = report().to_markdown();
        assert!(text.contains("| a | hole | – | 15.00 (10.00–20.00) | – | – | – | – | 12.3 | 0.500 (0.500–0.500) |"), "{text}");
        assert!(
            text.contains("| | picture | – | – | 0.5000 (0.5000–0.5000) |"),
            "{text}"
        );
        assert!(text.contains("| b\\|c | hole |") && text.contains("something is left out."));
        let columns: Vec<usize> = (text.lines().filter(|l| l.starts_with('|')).take(4))
            .map(|line| line.matches('|').count())
            .collect();
        assert_eq!(columns, [11; 4]);
    }
}
