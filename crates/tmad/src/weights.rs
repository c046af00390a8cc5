//! Weights in safetensors files: f32 or f16, with the configuration in the metadata, so that one
//! file is all that a network needs.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The one entry of the safetensors metadata: everything that a file says about itself, as JSON.
const METADATA_KEY: &str = "tmad";

/// Number format of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits: exact.
    F32,
    /// 16 bits: half the size, for shipping.
    F16,
}

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file is no safetensors file at all.
    #[error(
        "not a safetensors file ({reason}); give a file written by `tmad train` or `tmad export`"
    )]
    Format {
        /// What the reader met.
        reason: String,
    },
    /// The file ends inside a tensor.
    #[error(
        "the file is truncated: tensor `{name}` needs bytes up to {needed}, the file has {found}; copy it again"
    )]
    Truncated {
        /// First tensor that is incomplete.
        name: String,
        /// File length up to the end of the tensor.
        needed: usize,
        /// The file's length.
        found: usize,
    },
    /// The network has a tensor that the file lacks.
    #[error("tensor `{name}` is missing; the file belongs to another configuration")]
    Missing {
        /// The network's name for it.
        name: String,
    },
    /// The file has a tensor that the network lacks.
    #[error(
        "tensor `{name}` has no place in this network; the file belongs to another configuration"
    )]
    Unexpected {
        /// The file's name for it.
        name: String,
    },
    /// The shapes differ.
    #[error("tensor `{name}` is {found:?} in the file, {expected:?} in the network")]
    Shape {
        /// The tensor.
        name: String,
        /// The network's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// The number format is neither f32 nor f16.
    #[error("tensor `{name}` holds {found}; f32 and f16 are supported")]
    Dtype {
        /// The tensor.
        name: String,
        /// The file's number format.
        found: String,
    },
    /// A value is infinite or not a number.
    #[error("tensor `{name}` holds a value that is not finite; the file is damaged")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// The configuration in the metadata is missing or cannot be understood.
    #[error("the file's metadata has no usable `{key}`: {reason}")]
    Metadata {
        /// The metadata key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes a module's parameters, named by their paths (`coarse.down.0.conv1.weight`).
///
/// # Errors
///
/// [`WeightsError::NotFinite`] names the tensor when a value is not finite (in f16, too large).
pub fn to_bytes<M: Module>(
    module: &M,
    precision: Precision,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    let mut encoded = Vec::with_capacity(collector.tensors.len());
    for (name, shape, values) in collector.tensors {
        let bytes: Vec<u8> = match precision {
            Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Precision::F16 => (values.iter())
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
        };
        let is_finite = |v: &f32| match precision {
            Precision::F32 => v.is_finite(),
            Precision::F16 => f16::from_f32(*v).is_finite(),
        };
        if !values.iter().all(is_finite) {
            return Err(WeightsError::NotFinite { name });
        }
        encoded.push((name, shape, bytes));
    }
    let dtype = match precision {
        Precision::F32 => Dtype::F32,
        Precision::F16 => Dtype::F16,
    };
    let views = encoded.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).expect("bytes follow the shape");
        (name.as_str(), view)
    });
    let format = |reason: String| WeightsError::Format { reason };
    // One entry, since the order of several would differ from file to file.
    let metadata = serde_json::to_string(metadata).map_err(|e| format(e.to_string()))?;
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| format(e.to_string()))
}

/// A safetensors file in memory.
#[derive(Debug)]
pub struct WeightsFile<'a> {
    tensors: SafeTensors<'a>,
    metadata: BTreeMap<String, String>,
}

impl<'a> WeightsFile<'a> {
    /// Reads the header and checks that every tensor is complete.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Format`], [`WeightsError::Truncated`] or [`WeightsError::Metadata`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let format = |reason: String| WeightsError::Format { reason };
        // The crate's own reader calls a short file an error without saying where it ends, so the
        // header is read here: eight bytes of length, then JSON.
        let (length, rest) = (bytes.split_first_chunk())
            .ok_or_else(|| format("it has less than eight bytes".to_owned()))?;
        let (header, data) = (usize::try_from(u64::from_le_bytes(*length)).ok())
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(|| format("it ends inside its header".to_owned()))?;
        let header: Metadata =
            serde_json::from_slice(header).map_err(|error| format(error.to_string()))?;
        let mut infos: Vec<_> = header.tensors().into_iter().collect();
        infos.sort_by_key(|(_, info)| info.data_offsets);
        let data_start = bytes.len() - data.len();
        for (name, info) in infos {
            let end = info.data_offsets.1;
            if end > data.len() {
                return Err(WeightsError::Truncated {
                    name,
                    needed: data_start.saturating_add(end),
                    found: bytes.len(),
                });
            }
        }
        let metadata = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY));
        let metadata = match metadata {
            Some(text) => serde_json::from_str(text).map_err(|error| WeightsError::Metadata {
                key: METADATA_KEY.to_owned(),
                reason: error.to_string(),
            })?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            tensors: SafeTensors::deserialize(bytes).map_err(|error| format(error.to_string()))?,
            metadata,
        })
    }

    /// The file's text metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Number format of the file's first tensor, for display.
    pub fn precision(&self) -> Option<Precision> {
        match self.tensors.iter().next()?.1.dtype() {
            Dtype::F32 => Some(Precision::F32),
            Dtype::F16 => Some(Precision::F16),
            _ => None,
        }
    }

    /// Puts every tensor of the file into its place in `module`.
    ///
    /// # Errors
    ///
    /// An error that names the tensor when one is missing, left over, of another shape or number
    /// format, or not finite.
    pub fn load<M: Module>(&self, module: M) -> Result<M, WeightsError> {
        let (module, loaded) = self.load_with(module, true)?;
        let unexpected = (self.tensors.names().into_iter()).find(|name| !loaded.contains(*name));
        match unexpected {
            Some(name) => Err(WeightsError::Unexpected { name: name.into() }),
            None => Ok(module),
        }
    }

    /// Puts the tensors that both sides have into `module` and leaves its other parameters as they
    /// are: to start a network from a part of another.
    ///
    /// # Errors
    ///
    /// As [`WeightsFile::load`], but a tensor that only one side has is none.
    pub fn load_available<M: Module>(&self, module: M) -> Result<M, WeightsError> {
        Ok(self.load_with(module, false)?.0)
    }

    fn load_with<M: Module>(
        &self,
        module: M,
        strict: bool,
    ) -> Result<(M, HashSet<String>), WeightsError> {
        let mut loader = Loader {
            file: self,
            strict,
            path: Vec::new(),
            loaded: HashSet::new(),
            error: None,
        };
        let module = module.map(&mut loader);
        match loader.error {
            Some(error) => Err(error),
            None => Ok((module, loader.loaded)),
        }
    }

    /// One tensor by name, for networks that are no [`Module`]s.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when it is missing, of another shape or number format, or not finite.
    pub fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, WeightsError> {
        let values = self.values(name, &shape)?;
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// The names of all tensors, in no particular order.
    pub fn names(&self) -> Vec<&str> {
        self.tensors.names()
    }

    fn values(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let view = (self.tensors.tensor(name)).map_err(|_| WeightsError::Missing {
            name: name.to_owned(),
        })?;
        if view.shape() != expected {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => (view.data().chunks_exact(4))
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => (view.data().chunks_exact(2))
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            other => {
                return Err(WeightsError::Dtype {
                    name: name.to_owned(),
                    found: format!("{other:?}"),
                });
            }
        };
        if !values.iter().all(|v| v.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: name.to_owned(),
            });
        }
        Ok(values)
    }
}

/// Number of values in a module's parameters, by the first component of their path.
pub fn parameter_counts<M: Module>(module: &M) -> Vec<(String, usize)> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (name, _, values) in collector.tensors {
        let part = name.split('.').next().unwrap_or_default();
        match counts.last_mut() {
            Some((last, count)) if last == part => *count += values.len(),
            _ => counts.push((part.to_owned(), values.len())),
        }
    }
    counts
}

/// Shapes and values of a module's parameters, by name.
#[cfg(feature = "onnx")]
pub(crate) fn named_values<M: Module>(module: &M) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    let tensors = collector.tensors.into_iter();
    tensors
        .map(|(name, shape, values)| (name, (shape, values)))
        .collect()
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = (tensor.into_data().convert::<f32>())
            .try_into_vec()
            .expect("converted to f32");
        self.tensors.push((self.path.join("."), shape, values));
    }
}

struct Loader<'a> {
    file: &'a WeightsFile<'a>,
    strict: bool,
    path: Vec<String>,
    loaded: HashSet<String>,
    error: Option<WeightsError>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let is_skipped = !self.strict && self.file.tensors.tensor(&name).is_err();
        if self.error.is_some() || is_skipped {
            return param;
        }
        let shape = param.val().dims();
        match self.file.values(&name, &shape) {
            Ok(values) => {
                self.loaded.insert(name);
                param.map(|tensor| {
                    let needs_grad = tensor.is_require_grad();
                    let data = TensorData::new(values, shape);
                    let loaded = Tensor::from_data(data, &tensor.device());
                    if needs_grad {
                        loaded.require_grad()
                    } else {
                        loaded
                    }
                })
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
