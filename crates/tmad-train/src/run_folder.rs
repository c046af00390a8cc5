//! The folder of a run: `config.json`, `log.jsonl`, `tensorboard/`, `checkpoints/`, `previews/` and
//! the averaged weights, `weights.safetensors`.

use crate::checkpoint::{Place, Record, clear_unfinished, list};
use crate::config::TrainConfig;
use crate::run::{Event, TrainError};
use crate::tensorboard::EventFile;
use image::RgbImage;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tmad::model::Model;
use tmad::pipeline::CONFIG_KEY;
use tmad::weights::{self, Precision};

/// A run's folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> TrainError {
    TrainError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

impl RunFolder {
    /// Creates the folder, or finds it when resuming.
    ///
    /// # Errors
    ///
    /// [`TrainError::Exists`] if a new run would mix with an old one.
    pub fn open(path: &Path, resume: bool) -> Result<Self, TrainError> {
        let folder = Self {
            path: path.to_owned(),
        };
        if !resume && !list(&folder.checkpoints()).is_empty() {
            return Err(TrainError::Exists {
                path: path.to_owned(),
            });
        }
        for part in [folder.checkpoints(), folder.previews()] {
            std::fs::create_dir_all(&part).map_err(|e| failed(&part, e))?;
        }
        clear_unfinished(&folder.checkpoints());
        Ok(folder)
    }

    /// Where checkpoints lie.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    fn previews(&self) -> PathBuf {
        self.path.join("previews")
    }

    /// The averaged weights.
    pub fn weights_path(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    /// Reads the configuration of the run.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if it is missing or cannot be understood.
    pub fn read_config(&self) -> Result<TrainConfig, TrainError> {
        let path = self.path.join("config.json");
        let bytes = std::fs::read(&path).map_err(|e| failed(&path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| failed(&path, e))
    }

    /// Stores the resolved configuration.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if it cannot be written.
    pub fn write_config(&self, config: &TrainConfig) -> Result<(), TrainError> {
        let path = self.path.join("config.json");
        let text = serde_json::to_vec_pretty(config).map_err(|e| failed(&path, e))?;
        write_whole(&path, &text)
    }

    /// Stores the averaged weights with all that is needed to use them and to know them.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if they are not finite or cannot be written.
    pub fn write_weights(
        &self,
        average: &Model,
        config: &TrainConfig,
        record: &Record,
    ) -> Result<(), TrainError> {
        let path = self.weights_path();
        let metadata = metadata(config, record)?;
        let bytes = weights::to_bytes(average, Precision::F32, &metadata).map_err(|source| {
            TrainError::Weights {
                path: path.clone(),
                source,
            }
        })?;
        write_whole(&path, &bytes)
    }

    /// Stores a preview picture.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if it cannot be written.
    pub fn write_preview(&self, preview: &RgbImage, place: Place) -> Result<(), TrainError> {
        let path = (self.previews()).join(format!("step-{:09}.png", place.total_steps));
        preview.save(&path).map_err(|e| failed(&path, e))
    }

    /// Opens the log for appending, and starts an event file for TensorBoard.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if one of them cannot be opened.
    pub fn open_log(&self, config: &TrainConfig) -> Result<Log, TrainError> {
        let path = self.path.join("log.jsonl");
        let file = File::options().create(true).append(true).open(&path);
        let tensorboard = self.path.join("tensorboard");
        Ok(Log {
            file: file.map_err(|e| failed(&path, e))?,
            events: EventFile::create(&tensorboard).map_err(|e| failed(&tensorboard, e))?,
            first_steps: (config.stages.iter())
                .scan(0, |steps, stage| {
                    *steps += stage.iterations;
                    Some(*steps - stage.iterations)
                })
                .collect(),
        })
    }
}

/// What a weights file says about itself.
pub(crate) fn metadata(
    config: &TrainConfig,
    record: &Record,
) -> Result<BTreeMap<String, String>, TrainError> {
    Ok(BTreeMap::from([
        (CONFIG_KEY.to_owned(), serde_json::to_string(&config.model)?),
        ("training".to_owned(), serde_json::to_string(config)?),
        ("steps".to_owned(), record.place.total_steps.to_string()),
        (
            "perceptual".to_owned(),
            (record.perceptual.as_deref()).unwrap_or("none").to_owned(),
        ),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]))
}

/// A file of JSON lines, and the same numbers for TensorBoard.
#[derive(Debug)]
pub struct Log {
    file: File,
    events: EventFile,
    /// Steps of all stages before each one.
    first_steps: Vec<u64>,
}

impl Log {
    /// Appends an event. A full disk must not end a training run, so errors are dropped.
    pub fn append(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(self.file, "{line}");
        }
        let (stage, step, values) = match event {
            Event::Step {
                stage,
                step,
                losses,
                news,
                learning_rate,
                pictures_per_second,
                ..
            } => {
                let mut values = tagged("loss", losses);
                values.extend(tagged("health", news));
                values.push(("learning_rate".to_owned(), *learning_rate));
                values.push(("pictures_per_second".to_owned(), *pictures_per_second));
                (*stage, *step, values)
            }
            Event::Validation { stage, step, psnr } => (*stage, *step, tagged("psnr", psnr)),
            _ => return,
        };
        let first = self.first_steps.get(stage).copied().unwrap_or(0);
        let values = values.iter().map(|(tag, value)| (tag.as_str(), *value));
        let _ = self.events.scalars(first + step, values);
    }
}

fn tagged(group: &str, values: &[(String, f64)]) -> Vec<(String, f64)> {
    (values.iter())
        .map(|(name, value)| (format!("{group}/{name}"), *value))
        .collect()
}

/// Writes under another name and renames, so that the file is never half there.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, bytes).map_err(|e| failed(&unfinished, e))?;
    std::fs::rename(&unfinished, path).map_err(|e| failed(path, e))
}
