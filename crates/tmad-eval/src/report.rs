//! What an evaluation found: means, intervals, tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::EvalError;
use crate::columns::{COLUMNS, Column, SET_COLUMNS, SetColumn};
use crate::distances::SetDistances;
use crate::files::write;
use crate::html;
use crate::metric::{Better, Metric, Metrics};
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
    /// FID, KID, P-IDS and U-IDS; none without the network's weights.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub sets: Option<SetDistances>,
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
    /// The truths' own total variations.
    pub truth: BTreeMap<Metric, Estimate>,
    /// A summary per method.
    pub methods: Vec<MethodSummary>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// Every result, method by method.
    #[serde(skip)]
    pub scores: Vec<Score>,
}

/// Distances between sets of pictures, by method.
pub(crate) struct SetResults {
    pub textures: BTreeMap<String, TextureDistance>,
    pub distances: BTreeMap<String, SetDistances>,
}

impl Report {
    pub(crate) fn new(
        settings: Settings,
        truths: &[Metrics],
        scores: Vec<Score>,
        mut sets: SetResults,
        notes: Vec<String>,
    ) -> Self {
        let methods = (scores.chunk_by(|a, b| a.method == b.method))
            .map(|scores| MethodSummary {
                method: scores[0].method.clone(),
                metrics: estimates(scores.iter().map(|score| &score.metrics)),
                seconds: Estimate::of(&scores.iter().filter_map(|s| s.seconds).collect::<Vec<_>>()),
                swd: sets.textures.remove(&scores[0].method),
                sets: sets.distances.remove(&scores[0].method),
                by_hole_size: by_hole_size(scores),
            })
            .collect();
        Self {
            settings,
            num_pictures: truths.len(),
            truth: estimates(truths.iter()),
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
        let columns = self.columns();
        let sets = self.set_columns();
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
        let header = columns.iter().map(|column| {
            let arrow = match column.metrics().next().map(Metric::better) {
                Some(Better::Higher) => " ↑",
                Some(Better::Lower) => " ↓",
                Some(Better::NearTruth) | None => "",
            };
            format!("{}{arrow}", column.title)
        });
        let titles = sets.iter().map(|column| column.title.to_owned());
        let header: Vec<String> = header.chain(titles).collect();
        let _ = writeln!(
            text,
            "| method | over | {} | SWD ↓ | s/picture ↓ |\n|---|---|{}---:|---:|",
            header.join(" | "),
            "---:|".repeat(header.len())
        );
        for method in &self.methods {
            let row = Row {
                name: &method.method,
                metrics: &method.metrics,
                method: Some(method),
            };
            text.push_str(&row.to_markdown(&columns, sets));
        }
        let truth = Row {
            name: "truth",
            metrics: &self.truth,
            method: None,
        };
        text.push_str(&truth.to_markdown(&columns, sets));
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}.");
        }
        text.push('\n');
        text.push_str(&paper::to_markdown());
        text
    }

    /// The columns of this report's table: metrics that need weights only where some were given.
    pub(crate) fn columns(&self) -> Vec<&'static Column> {
        let is_measured = |column: &&Column| {
            column.hole.is_some()
                || column.metrics().any(|metric| {
                    let mut methods = self.methods.iter();
                    methods.any(|method| method.metrics.contains_key(&metric))
                })
        };
        COLUMNS.iter().filter(is_measured).collect()
    }

    /// The columns of distances between sets, if any was measured.
    pub(crate) fn set_columns(&self) -> &'static [SetColumn] {
        match self.methods.iter().any(|method| method.sets.is_some()) {
            true => &SET_COLUMNS,
            false => &[],
        }
    }
}

/// Two lines of the table.
struct Row<'a> {
    name: &'a str,
    metrics: &'a BTreeMap<Metric, Estimate>,
    /// What only a method has.
    method: Option<&'a MethodSummary>,
}

impl Row<'_> {
    fn to_markdown(&self, columns: &[&Column], sets: &[SetColumn]) -> String {
        let nothing = || "–".to_owned();
        let cell =
            |metric: Option<Metric>| match metric.and_then(|m| Some((m, self.metrics.get(&m)?))) {
                Some((metric, estimate)) => interval(estimate, metric.digits()),
                None => nothing(),
            };
        let whole = self.method.and_then(|method| method.sets.as_ref());
        let distance = |column: &SetColumn| match whole {
            Some(sets) => format!("{:.*}", column.digits, (column.value)(sets)),
            None => nothing(),
        };
        let swd = self.method.and_then(|method| method.swd.as_ref());
        let seconds = self.method.and_then(|method| method.seconds.as_ref());
        let hole: Vec<String> = (columns.iter().map(|column| cell(column.hole)))
            .chain(sets.iter().map(distance))
            .chain([
                swd.map_or_else(nothing, |swd| format!("{:.1}", swd.mean)),
                seconds.map_or_else(nothing, |s| interval(s, 3)),
            ])
            .collect();
        let image: Vec<String> = (columns.iter().map(|column| cell(column.image)))
            .chain((0..sets.len() + 2).map(|_| nothing()))
            .collect();
        format!(
            "| {} | hole | {} |\n| | picture | {} |\n",
            self.name.replace('|', "\\|"),
            hole.join(" | "),
            image.join(" | ")
        )
    }
}

fn interval(estimate: &Estimate, digits: usize) -> String {
    let Estimate {
        mean, low, high, ..
    } = estimate;
    format!("{mean:.digits$} ({low:.digits$}–{high:.digits$})")
}

fn estimates<'a>(pictures: impl Iterator<Item = &'a Metrics>) -> BTreeMap<Metric, Estimate> {
    let mut values: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
    for metrics in pictures {
        for (&metric, &value) in metrics {
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
            metrics: estimates(
                (scores.iter().filter(|score| bin_of(score) == bin)).map(|score| &score.metrics),
            ),
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
        let distances = SetDistances {
            fid: 8.1234,
            kid: 1.5,
            p_ids: 12.0,
            u_ids: 23.0,
        };
        let sets = SetResults {
            textures: [("a".to_owned(), swd)].into(),
            distances: [("a".to_owned(), distances)].into(),
        };
        let truth = Metrics::from([(Metric::TvHole, 3.0)]);
        Report::new(
            settings,
            &[truth.clone(), truth],
            scores,
            sets,
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
        assert!(text.contains("| a | hole | – | 15.00 (10.00–20.00) | – | – | – | 8.123 | 1.500 | 12.00 | 23.00 | 12.3 | 0.500 (0.500–0.500) |"), "{text}");
        assert!(
            text.contains("| truth | hole | – | – | – | 3.00 (3.00–3.00) |"),
            "{text}"
        );
        assert!(
            text.contains("| | picture | – | – | 0.5000 (0.5000–0.5000) |"),
            "{text}"
        );
        assert!(text.contains("| b\\|c | hole |") && text.contains("something is left out."));
        let columns: Vec<usize> = (text.lines().filter(|l| l.starts_with('|')).take(6))
            .map(|line| line.replace("\\|", "").matches('|').count())
            .collect();
        assert_eq!(columns, [14; 6]);
    }
}
