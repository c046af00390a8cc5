//! The metrics that need weights: which of them a folder of weights makes possible.

use std::path::Path;

use burn::tensor::Device;

use crate::files::read;
use crate::inception::Inception;
use crate::lpips::{Lpips, LpipsNetwork};
use crate::protocol::fnv1a;
use crate::{EvalError, InceptionResize};

/// pytorch-fid's weights, converted to safetensors.
pub const INCEPTION_FILE: &str = "pt_inception-2015-12-05-6726825d.safetensors";

/// What can be measured, and what is left out for want of a file.
pub(crate) struct Meters {
    pub lpips: Vec<Lpips>,
    pub inception: Option<Inception>,
    /// The metrics' names with hashes of their weights: reports with others do not compare.
    pub weights: Vec<String>,
    /// A line for each metric that is left out.
    pub notes: Vec<String>,
}

impl Meters {
    /// Loads whatever `folder` has.
    pub fn load(folder: Option<&Path>, resize: InceptionResize) -> Result<Self, EvalError> {
        let device = Device::flex();
        let mut meters = Self {
            lpips: Vec::new(),
            inception: None,
            weights: Vec::new(),
            notes: Vec::new(),
        };
        if let Some(folder) = folder {
            std::fs::read_dir(folder).map_err(|source| EvalError::Read {
                path: folder.to_owned(),
                source,
            })?;
        }
        let missing = |files: &[&str]| -> Vec<String> {
            let is_missing = |file: &&&str| !folder.is_some_and(|f| f.join(file).is_file());
            files
                .iter()
                .filter(is_missing)
                .map(|file| (*file).to_owned())
                .collect()
        };
        let place = match folder {
            Some(folder) => format!("to {}", folder.display()),
            None => "as a folder of weights (--metric-weights)".to_owned(),
        };
        for network in LpipsNetwork::ALL {
            let files = [network.backbone_file(), network.linear_file()];
            let (absent, key) = (missing(&files), network.metric().key());
            match folder {
                Some(folder) if absent.is_empty() => {
                    let [backbone, linear] = files.map(|file| folder.join(file));
                    (meters.lpips).push(Lpips::load(network, &backbone, &linear, &device)?);
                    let [backbone, linear] = [hash(&backbone)?, hash(&linear)?];
                    (meters.weights).push(format!("{key} {backbone:016x} {linear:016x}"));
                }
                _ => (meters.notes).push(format!(
                    "{key} is left out: add {} {place}",
                    absent.join(" and ")
                )),
            }
        }
        match folder {
            Some(folder) if missing(&[INCEPTION_FILE]).is_empty() => {
                let path = folder.join(INCEPTION_FILE);
                meters.inception = Some(Inception::load(&path, &device)?);
                let resize = serde_json::to_value(resize).expect("a name");
                let resize = resize.as_str().unwrap_or_default();
                (meters.weights).push(format!("inception {:016x} {resize}", hash(&path)?));
            }
            _ => (meters.notes).push(format!(
                "FID, KID, P-IDS and U-IDS are left out: add {INCEPTION_FILE} {place}"
            )),
        }
        Ok(meters)
    }
}

fn hash(path: &Path) -> Result<u64, EvalError> {
    Ok(fnv1a(&read(path)?))
}
