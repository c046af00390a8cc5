//! The Inception features of all pictures, which are compared as sets when all are there.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use inpaint_core::RgbImage;

use crate::EvalError;
use crate::distances::{Features, SetDistances, set_distances};
use crate::files::write;
use crate::inception::{Inception, InceptionResize, NUM_FEATURES};

/// Computes features, and keeps them: in the report folder, where the next run finds them, or
/// without one in memory.
pub(crate) struct FeatureSets {
    network: Inception,
    resize: InceptionResize,
    folder: Option<PathBuf>,
    kept: HashMap<String, Vec<f32>>,
}

impl FeatureSets {
    pub fn new(network: Inception, resize: InceptionResize, report: Option<PathBuf>) -> Self {
        Self {
            network,
            resize,
            folder: report.map(|report| report.join("features")),
            kept: HashMap::new(),
        }
    }

    /// Adds a truth, unless an earlier run did.
    pub fn add_truth(&mut self, name: &str, picture: &RgbImage) -> Result<(), EvalError> {
        let key = truth_key(name);
        if self.get(&key).is_none() {
            self.add(key, picture)?;
        }
        Ok(())
    }

    pub fn add_result(
        &mut self,
        method: &str,
        name: &str,
        composited: &RgbImage,
    ) -> Result<(), EvalError> {
        self.add(result_key(method, name), composited)
    }

    fn add(&mut self, key: String, picture: &RgbImage) -> Result<(), EvalError> {
        let features = self.network.features(picture, self.resize);
        match &self.folder {
            None => {
                self.kept.insert(key, features);
                Ok(())
            }
            Some(folder) => {
                let bytes: Vec<u8> = features.iter().flat_map(|v| v.to_le_bytes()).collect();
                write(&folder.join(format!("{key}.f32")), &bytes)
            }
        }
    }

    fn get(&self, key: &str) -> Option<Vec<f32>> {
        let Some(folder) = &self.folder else {
            return self.kept.get(key).cloned();
        };
        let bytes = std::fs::read(folder.join(format!("{key}.f32"))).ok()?;
        let values = bytes.chunks_exact(4);
        (bytes.len() == 4 * NUM_FEATURES).then(|| {
            values
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        })
    }

    /// The distances of every method.
    pub fn finish<'a>(
        self,
        pictures: &[&str],
        methods: impl Iterator<Item = &'a str>,
        notes: &mut Vec<String>,
    ) -> BTreeMap<String, SetDistances> {
        let set = |key: &dyn Fn(&str) -> String| -> Option<Features> {
            let mut values = Vec::with_capacity(pictures.len() * NUM_FEATURES);
            for name in pictures {
                values.extend(self.get(&key(name))?.into_iter().map(f64::from));
            }
            Some(Features::new(NUM_FEATURES, values))
        };
        let mut distances = BTreeMap::new();
        let Some(truths) = set(&truth_key) else {
            return distances;
        };
        for method in methods {
            match set(&|name| result_key(method, name)) {
                None => notes.push(format!(
                    "FID, KID, P-IDS and U-IDS of {method} are left out: features of its results are \
                     missing in the report folder"
                )),
                Some(results) => {
                    if let Some(found) = set_distances(&truths, &results) {
                        distances.insert(method.to_owned(), found);
                    }
                }
            }
        }
        if !distances.is_empty() && pictures.len() < 2048 {
            notes.push(format!(
                "FID of {} pictures: compare it with FIDs of the same pictures only; P-IDS and U-IDS need \
                 more pictures than the 2048 features, or a plane tells them all apart",
                pictures.len()
            ));
        }
        distances
    }
}

fn truth_key(name: &str) -> String {
    format!("truths/{name}")
}

fn result_key(method: &str, name: &str) -> String {
    format!("results/{method}/{name}")
}
