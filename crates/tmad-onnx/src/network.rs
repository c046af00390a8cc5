//! A network from an ONNX file, run in this process.

use crate::coarse::RunNetwork;
use crate::descriptor::Descriptor;
use crate::known::{picture_output, recognise};
use crate::signature::Signature;
use crate::{OnnxError, tensors};
use inpaint_core::{Control, Mask, RgbImage, Size};
use rten::{DataType, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueType};
use rten_onnx::onnx::ModelProto;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs};

/// Largest file. The largest networks of this kind have a few hundred megabytes.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// A network, ready to run.
///
/// Memory and time are the network's own choice: a file of unknown origin belongs in a
/// [`Sandbox`](crate::Sandbox).
pub struct Network {
    model: Model,
    family: Option<&'static str>,
    descriptor: Descriptor,
    output: NodeId,
    threads: Option<Arc<ThreadPool>>,
}

/// What a network gave back, unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Three planes, row by row, in the network's order of colours and its units.
    pub planes: Vec<f32>,
}

impl Network {
    /// Reads a file. Weights that it keeps in other files are looked for beside it.
    ///
    /// `descriptor` is JSON; what it leaves out, or all of it, is recognised by the network's
    /// inputs.
    ///
    /// # Errors
    ///
    /// [`OnnxError`] says what is wrong with the file or the descriptor.
    pub fn load(path: &Path, descriptor: Option<&str>) -> Result<Self, OnnxError> {
        let unreadable = |reason| OnnxError::Read {
            path: path.to_owned(),
            reason,
        };
        let file = fs::File::open(path).map_err(unreadable)?;
        check_size(file.metadata().map_err(unreadable)?.len())?;
        let proto = guarded(OnnxError::Load, || {
            ModelProto::parse_file(file).map_err(load_error)
        })?;
        Self::new(&proto, descriptor, || {
            ModelOptions::with_all_ops()
                .load_file(path)
                .map_err(load_error)
        })
    }

    /// Reads a model of a single file from memory.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: Vec<u8>, descriptor: Option<&str>) -> Result<Self, OnnxError> {
        check_size(bytes.len() as u64)?;
        let proto = guarded(OnnxError::Load, || {
            ModelProto::parse_buf(&bytes).map_err(load_error)
        })?;
        Self::new(&proto, descriptor, || {
            ModelOptions::with_all_ops().load(bytes).map_err(load_error)
        })
    }

    fn new(
        proto: &ModelProto,
        descriptor: Option<&str>,
        load: impl FnOnce() -> Result<Model, OnnxError>,
    ) -> Result<Self, OnnxError> {
        let signature = Signature::of(proto)?;
        let known = recognise(&signature);
        let family = known.as_ref().map(|(family, _)| *family);
        let known = known.map(|(_, descriptor)| descriptor);
        let descriptor = match (descriptor, known) {
            (Some(json), known) => Descriptor::from_json(json, known.as_ref())?,
            (None, Some(known)) => known,
            (None, None) => {
                return Err(OnnxError::Unknown {
                    inputs: signature.inputs_in_words(),
                });
            }
        };
        descriptor.check()?;
        let output = match (&descriptor.output.name, picture_output(&signature)) {
            (Some(name), _) => name,
            (None, Some(output)) => &signature.outputs[output].name,
            (None, None) => {
                let reason = "no output has three channels; name one as `output`".to_owned();
                return Err(OnnxError::Descriptor(reason));
            }
        };
        let model = guarded(OnnxError::Load, load)?;
        let names = || descriptor.inputs.keys().chain([output]);
        if let Some(name) = names().find(|name| model.find_node(name).is_none()) {
            let inputs = signature.inputs_in_words();
            let reason = format!("the network has no `{name}`; its inputs are: {inputs}");
            return Err(OnnxError::Descriptor(reason));
        }
        let output = model.node_id(output).map_err(run_error)?;
        Ok(Self {
            model,
            family,
            descriptor,
            output,
            threads: None,
        })
    }

    /// Runs on so many threads instead of one per core. The result is the same.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(Arc::new(ThreadPool::with_num_threads(threads)));
        self
    }

    /// What it was recognised as.
    pub fn family(&self) -> Option<&'static str> {
        self.family
    }

    /// Runs it on a picture whose size is one that it takes.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Run`] if it fails, [`OnnxError::Output`] if what comes out is no picture of
    /// this size.
    pub fn raw(&self, image: &RgbImage, mask: &Mask) -> Result<Raw, OnnxError> {
        guarded(OnnxError::Run, || self.raw_unguarded(image, mask))
    }

    fn raw_unguarded(&self, image: &RgbImage, mask: &Mask) -> Result<Raw, OnnxError> {
        let mut inputs = Vec::new();
        for (name, planes) in &self.descriptor.inputs {
            let id = self.model.node_id(name).map_err(run_error)?;
            let (shape, values) = tensors::input(image, mask, planes, &self.descriptor);
            let dtype = self.model.node_info(id).and_then(|info| info.dtype());
            let value = match dtype {
                Some(ValueType::Tensor(DataType::UInt8)) => {
                    Value::from_shape(shape, bytes(values)).map_err(run_error)
                }
                _ => Value::from_shape(shape, values).map_err(run_error),
            };
            inputs.push((id, value?.into()));
        }
        let options = RunOptions::default().with_thread_pool(self.threads.clone());
        let [output] = (self.model)
            .run_n(inputs, [self.output], Some(options))
            .map_err(run_error)?;
        planes(output, image.dimensions())
    }
}

impl RunNetwork for Network {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn run(&self, image: &RgbImage, mask: &Mask, _: &Control) -> Result<RgbImage, OnnxError> {
        let raw = self.raw(image, mask)?;
        let Descriptor {
            output, channels, ..
        } = &self.descriptor;
        Ok(tensors::picture(
            &raw.planes,
            output.range,
            *channels,
            image,
            mask,
        ))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("family", &self.family)
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}

fn bytes(values: Vec<f32>) -> Vec<u8> {
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    values.into_iter().map(byte).collect()
}

/// The output as three planes.
fn planes(output: Value, (width, height): (u32, u32)) -> Result<Raw, OnnxError> {
    let unusable = |reason: String| OnnxError::Output(reason);
    let (shape, values): ([usize; 4], Vec<f32>) = match output.dtype() {
        ValueType::Tensor(DataType::UInt8) => output
            .into_shape_vec::<u8, 4>()
            .map(|(shape, values)| (shape, values.into_iter().map(f32::from).collect())),
        _ => output.into_shape_vec::<f32, 4>(),
    }
    .map_err(|error| unusable(error.to_string()))?;
    let (rows, columns) = (height as usize, width as usize);
    let planes = if shape == [1, 3, rows, columns] {
        values
    } else if shape == [1, rows, columns, 3] {
        let plane = |colour: usize| values.iter().skip(colour).step_by(3).copied();
        (0..3).flat_map(plane).collect()
    } else {
        let size = Size { width, height };
        return Err(unusable(format!(
            "its shape is {shape:?}, a picture of {size} pixels was expected"
        )));
    };
    if planes.iter().any(|value| !value.is_finite()) {
        return Err(unusable("some of its values are no numbers".to_owned()));
    }
    Ok(Raw { planes })
}

fn check_size(bytes: u64) -> Result<(), OnnxError> {
    match bytes > MAX_FILE_BYTES {
        true => Err(OnnxError::TooLarge {
            actual: bytes >> 20,
            most: MAX_FILE_BYTES >> 20,
        }),
        false => Ok(()),
    }
}

fn load_error(error: impl fmt::Display) -> OnnxError {
    OnnxError::Load(error.to_string())
}

fn run_error(error: impl fmt::Display) -> OnnxError {
    OnnxError::Run(error.to_string())
}

/// A file can be wrong in ways in which the runtime panics.
fn guarded<T>(
    error: fn(String) -> OnnxError,
    work: impl FnOnce() -> Result<T, OnnxError>,
) -> Result<T, OnnxError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = (panic.downcast_ref::<String>().map(String::as_str))
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("it panicked");
        Err(error(reason.to_owned()))
    })
}
