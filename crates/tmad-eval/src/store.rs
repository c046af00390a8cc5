//! The report folder: what one run leaves so that the next continues.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use image::RgbImage;
use inpaint_core::Mask;
use serde::{Deserialize, Serialize};

use crate::EvalError;
use crate::files::{open_rgb, read, write, write_png};
use crate::metric::Metrics;

/// Metrics of one result: a line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name of the picture: its path below the folder, without extension.
    pub picture: String,
    /// Name of the method or of the folder of results.
    pub method: String,
    /// Hole pixels per pixel, 0 to 1.
    pub hole_fraction: f64,
    /// Time of the method, without reading and measuring; none for a folder of results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The values.
    pub metrics: Metrics,
}

/// What all results of a report folder have in common: `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the protocol; `masks` for a folder of masks.
    pub protocol: String,
    /// Side of the evaluated squares in pixels.
    pub size: u32,
    /// Seed of masks and methods.
    pub seed: u64,
    /// Names of the metrics that need weights, with a hash of the weights.
    pub weights: Vec<String>,
    /// Version of this program.
    pub version: String,
}

/// A report folder that is being filled.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    results: File,
    pub scores: Vec<Score>,
    /// Picture and method of every score.
    done: HashSet<(String, String)>,
}

impl Store {
    /// Opens or makes the folder. The scores of an earlier run with the same settings are kept; a
    /// line that an interruption cut off is not.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, EvalError> {
        let header = folder.join("run.json");
        if header.exists() {
            let found: Settings = parse(&header, 1, &read(&header)?)?;
            compare(folder, &found, settings)?;
        } else {
            write(&header, &to_json(settings))?;
        }
        let path = folder.join("results.jsonl");
        let text = if path.exists() {
            read(&path)?
        } else {
            Vec::new()
        };
        let complete = text
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        let mut scores = Vec::new();
        for (line, bytes) in text[..complete].split(|&b| b == b'\n').enumerate() {
            if !bytes.is_empty() {
                scores.push(parse(&path, line + 1, bytes)?);
            }
        }
        let failed = |source| EvalError::Write {
            path: path.clone(),
            source,
        };
        if complete < text.len() {
            // A handle of its own: Windows lets no appending one shorten a file.
            let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            file.set_len(complete as u64).map_err(failed)?;
        }
        let mut appending = OpenOptions::new();
        let results = (appending.create(true).append(true).open(&path)).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            results,
            done: scores.iter().map(key).collect(),
            scores,
        })
    }

    /// Appends a line, at once.
    pub fn add(&mut self, score: Score) -> Result<(), EvalError> {
        let mut line = serde_json::to_vec(&score).expect("numbers and strings");
        line.push(b'\n');
        // One write per line: an interruption leaves at most one line incomplete.
        let path = self.folder.join("results.jsonl");
        (self.results.write_all(&line)).map_err(|source| EvalError::Write {
            path: path.clone(),
            source,
        })?;
        self.done.insert(key(&score));
        // As the next run will read it, whose parser rounds the last bit: continuing a run must
        // not change a digit.
        self.scores
            .push(parse(&path, self.scores.len() + 1, &line)?);
        Ok(())
    }

    /// Whether the result has a line.
    pub fn has(&self, picture: &str, method: &str) -> bool {
        self.done.contains(&(picture.to_owned(), method.to_owned()))
    }

    pub fn write_picture(
        &self,
        kind: &str,
        name: &str,
        picture: &RgbImage,
    ) -> Result<(), EvalError> {
        write_png(&self.picture_path(kind, name), picture)
    }

    pub fn write_mask(&self, name: &str, mask: &Mask) -> Result<(), EvalError> {
        write_png(&self.picture_path("masks", name), &mask.to_gray())
    }

    /// A picture that an earlier run saved.
    pub fn saved_picture(&self, kind: &str, name: &str) -> Option<RgbImage> {
        open_rgb(&self.picture_path(kind, name)).ok()
    }

    fn picture_path(&self, kind: &str, name: &str) -> PathBuf {
        self.folder.join(kind).join(format!("{name}.png"))
    }
}

fn key(score: &Score) -> (String, String) {
    (score.picture.clone(), score.method.clone())
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("numbers and strings");
    bytes.push(b'\n');
    bytes
}

fn parse<T: for<'a> Deserialize<'a>>(
    path: &Path,
    line: usize,
    bytes: &[u8],
) -> Result<T, EvalError> {
    serde_json::from_slice(bytes).map_err(|error| EvalError::Parse {
        path: path.to_owned(),
        line,
        reason: error.to_string(),
    })
}

/// The version may differ: a newer program continues an older one's report.
fn compare(folder: &Path, found: &Settings, expected: &Settings) -> Result<(), EvalError> {
    let pairs = [
        (
            "protocol",
            found.protocol.clone(),
            expected.protocol.clone(),
        ),
        ("size", found.size.to_string(), expected.size.to_string()),
        ("seed", found.seed.to_string(), expected.seed.to_string()),
        (
            "weights",
            format!("{:?}", found.weights),
            format!("{:?}", expected.weights),
        ),
    ];
    match pairs
        .into_iter()
        .find(|(_, found, expected)| found != expected)
    {
        None => Ok(()),
        Some((setting, found, expected)) => Err(EvalError::OtherRun {
            folder: folder.to_owned(),
            setting,
            found,
            expected,
        }),
    }
}
