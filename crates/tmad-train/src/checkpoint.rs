//! Checkpoints: everything from which a run goes on exactly as if it had not stopped.
//!
//! A checkpoint is a folder, written under another name and then renamed, so that one that has
//! its name is complete.

use crate::adversary::{Adversary, Discriminators};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tmad::model::Model;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Index of the stage.
    pub stage: usize,
    /// Finished steps of the stage.
    pub step: u64,
    /// Finished steps of all stages.
    pub total_steps: u64,
}

/// What a checkpoint says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where the run stands.
    #[serde(flatten)]
    pub place: Place,
    /// Feature network of the perceptual loss, if that loss took part.
    #[serde(default)]
    pub perceptual: Option<String>,
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("checkpoint {}: {reason}", path.display())]
pub struct CheckpointError {
    /// The checkpoint or a file of it.
    pub path: PathBuf,
    /// What went wrong.
    pub reason: String,
}

const MODEL: &str = "model.bpk";
const AVERAGE: &str = "average.bpk";
const OPTIMISER: &str = "optimiser.bpk";
const DISCRIMINATORS: &str = "discriminators.bpk";
const DISCRIMINATOR_OPTIMISER: &str = "discriminator_optimiser.bpk";
const RECORD: &str = "place.json";
const PREFIX: &str = "step-";
const UNFINISHED: &str = "unfinished";

/// The state of a run between two steps.
#[derive(Clone)]
pub struct State {
    /// The networks being trained.
    pub model: Model,
    /// Their moving average, without autodiff.
    pub average: Model,
    /// Adam's means.
    pub optimiser: ModuleOptimizer,
    /// The discriminators, if a stage has adversarial losses.
    pub adversary: Option<Adversary>,
    /// Feature network of the perceptual loss, if that loss takes part.
    pub perceptual: Option<String>,
    /// Where the run stands.
    pub place: Place,
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> CheckpointError {
    CheckpointError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

impl State {
    /// What the state's checkpoint says about itself.
    pub fn record(&self) -> Record {
        Record {
            place: self.place,
            perceptual: self.perceptual.clone(),
        }
    }

    /// Writes the state below `folder` and removes all but the newest `keep` checkpoints.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if a file cannot be written; older checkpoints are then still there.
    pub fn save(&self, folder: &Path, keep: usize) -> Result<PathBuf, CheckpointError> {
        let path = folder.join(format!("{PREFIX}{:09}", self.place.total_steps));
        let unfinished = path.with_extension(UNFINISHED);
        let at = |name: &str| unfinished.join(name);
        clear_unfinished(folder);
        std::fs::create_dir_all(&unfinished).map_err(|e| failed(&unfinished, e))?;
        let save = |module: &Model, name| {
            (module.clone().save_file(at(name))).map_err(|e| failed(&at(name), e))
        };
        let mut names = vec![MODEL, AVERAGE, OPTIMISER, RECORD];
        save(&self.model, MODEL)?;
        save(&self.average, AVERAGE)?;
        (self.optimiser.save(at(OPTIMISER))).map_err(|e| failed(&at(OPTIMISER), e))?;
        if let Some(adversary) = &self.adversary {
            (adversary
                .discriminators
                .clone()
                .save_file(at(DISCRIMINATORS)))
            .map_err(|e| failed(&at(DISCRIMINATORS), e))?;
            (adversary.optimiser.save(at(DISCRIMINATOR_OPTIMISER)))
                .map_err(|e| failed(&at(DISCRIMINATOR_OPTIMISER), e))?;
            names.extend([DISCRIMINATORS, DISCRIMINATOR_OPTIMISER]);
        }
        let record = serde_json::to_vec(&self.record()).map_err(|e| failed(&at(RECORD), e))?;
        std::fs::write(at(RECORD), record).map_err(|e| failed(&at(RECORD), e))?;
        for name in names {
            (std::fs::File::open(at(name)).and_then(|file| file.sync_all()))
                .map_err(|e| failed(&at(name), e))?;
        }
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|e| failed(&path, e))?;
        }
        std::fs::rename(&unfinished, &path).map_err(|e| failed(&path, e))?;
        let checkpoints = list(folder);
        let num_old = checkpoints.len().saturating_sub(keep.max(1));
        for old in &checkpoints[..num_old] {
            std::fs::remove_dir_all(old).map_err(|e| failed(old, e))?;
        }
        Ok(path)
    }

    /// Reads a checkpoint into a state of the same configuration.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] names the file that is missing or damaged.
    pub fn load(self, path: &Path) -> Result<Self, CheckpointError> {
        let at = |name: &str| path.join(name);
        let load = |module: Model, name| {
            (module.try_load_file(at(name))).map_err(|e| failed(&at(name), e))
        };
        let Record { place, perceptual } = record(path)?;
        let load_adversary = |adversary: Adversary| -> Result<Adversary, CheckpointError> {
            let discriminators: Discriminators = (adversary.discriminators)
                .try_load_file(at(DISCRIMINATORS))
                .map_err(|e| failed(&at(DISCRIMINATORS), e))?;
            let optimiser = (adversary.optimiser)
                .load(at(DISCRIMINATOR_OPTIMISER))
                .map_err(|e| failed(&at(DISCRIMINATOR_OPTIMISER), e))?;
            Ok(Adversary {
                discriminators,
                optimiser,
            })
        };
        Ok(Self {
            adversary: self.adversary.map(load_adversary).transpose()?,
            model: load(self.model, MODEL)?,
            average: load(self.average, AVERAGE)?,
            optimiser: (self.optimiser.load(at(OPTIMISER)))
                .map_err(|e| failed(&at(OPTIMISER), e))?,
            perceptual,
            place,
        })
    }
}

/// Removes what a run that was killed while writing a checkpoint left in `folder`.
pub(crate) fn clear_unfinished(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|e| e == UNFINISHED) {
            // In nobody's way if it stays.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Complete checkpoints below `folder`, oldest first.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digits = name.strip_prefix(PREFIX).unwrap_or("x");
            digits.bytes().all(|b| b.is_ascii_digit())
        })
        .collect();
    paths.sort();
    paths
}

/// Whether a folder looks like a checkpoint; it may still be damaged.
pub fn is_checkpoint(path: &Path) -> bool {
    path.join(RECORD).is_file()
}

/// What a checkpoint says about itself, without loading it.
///
/// # Errors
///
/// [`CheckpointError`] if the file is missing or damaged.
pub fn record(path: &Path) -> Result<Record, CheckpointError> {
    let file = path.join(RECORD);
    let bytes = std::fs::read(&file).map_err(|e| failed(&file, e))?;
    serde_json::from_slice(&bytes).map_err(|e| failed(&file, e))
}

/// The averaged networks of a checkpoint, for export.
///
/// # Errors
///
/// [`CheckpointError`] if the file is missing, damaged or of another configuration.
pub fn load_average(path: &Path, model: Model) -> Result<Model, CheckpointError> {
    let file = path.join(AVERAGE);
    model.try_load_file(&file).map_err(|e| failed(&file, e))
}
