//! A method that is loaded once and used by many calls.

use crate::arrays::{Samples, photo_to_array, to_mask};
use crate::coarse_model::{CoarseModel, NetworkArgs};
use crate::explained::Explained;
use crate::failure::{inpaint_error, value_error};
use crate::file::{self, EncodeArgs, HoleArgs, MaskInput};
use crate::work::Call;
use burn::tensor::Device;
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, InpaintError, Inpainter, Telea, TextureMethod};
use inpaint_photo::{Hole, Photo};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::sync::Arc;
use tmad::WithTexture;
use tmad::pipeline::TMad;
use tmad_ops::Precision;

/// The method of an `Inpainter`.
#[pyclass(frozen, module = "tmad._native")]
pub struct Engine {
    method: Arc<dyn Inpainter>,
    /// The same, if it is one that copies texture.
    texture: Option<Arc<dyn TextureMethod>>,
    precision: Precision,
}

impl Engine {
    fn texture(&self) -> PyResult<Arc<dyn TextureMethod>> {
        self.texture.clone().ok_or_else(|| {
            value_error(format!(
                "{} cannot do this; only tmad and coarse with their own networks can",
                self.method.name()
            ))
        })
    }

    /// Fills the hole of an array by `work`.
    fn fill<'py>(
        &self,
        py: Python<'py>,
        image: &Samples<'py>,
        mask: &PyReadonlyArray2<'py, bool>,
        hole: HoleArgs,
        call: &Call<'py>,
        work: impl FnOnce(&mut Photo, &Hole, &Control) -> Result<(), InpaintError> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (mut photo, mask) = (image.to_photo()?, to_mask(mask)?);
        let photo = call.run_in(py, self.precision, move |control| {
            let hole = hole.options().hole(mask);
            if !hole.mask().is_empty() {
                work(&mut photo, &hole, control).map_err(inpaint_error)?;
            }
            Ok(photo)
        })?;
        photo_to_array(py, photo, image.shape())
    }
}

#[pymethods]
impl Engine {
    /// Loads a method: `weights` are the bytes of a safetensors file, the built-in ones if None;
    /// `network` takes the coarse network's place.
    #[new]
    fn new(
        py: Python<'_>,
        method: &str,
        weights: Option<PyBackedBytes>,
        radius_px: u32,
        network: Option<NetworkArgs>,
        precision: &str,
        call: Call<'_>,
    ) -> PyResult<Self> {
        let precision = precision_by_name(precision)?;
        let without_texture = move |method| Self {
            method,
            texture: None,
            precision,
        };
        let is_coarse = match method {
            "tmad" => false,
            "coarse" => true,
            "patchmatch" | "telea" if network.is_some() => {
                return Err(value_error(format!(
                    "{method} has no coarse network; coarse_model goes with tmad and coarse only"
                )));
            }
            "patchmatch" => return Ok(without_texture(Arc::new(PatchMatch::default()))),
            "telea" => return Ok(without_texture(Arc::new(Telea { radius_px }))),
            _ => {
                return Err(value_error(format!(
                    "method is '{method}'; there are 'tmad', 'coarse', 'patchmatch' and 'telea'"
                )));
            }
        };
        call.run(py, move |_| {
            let load = || {
                let device = Device::flex();
                match weights {
                    None => TMad::built_in(&device),
                    Some(bytes) => TMad::from_bytes(&bytes, &device),
                }
                .map_err(|error| value_error(format!("cannot use the weights: {error}")))
            };
            if let Some(network) = network {
                let guess = Arc::new(CoarseModel::load(network)?);
                return Ok(without_texture(match is_coarse {
                    true => guess,
                    false => Arc::new(WithTexture::new(guess, Arc::new(load()?))),
                }));
            }
            let texture: Arc<dyn TextureMethod> = match is_coarse {
                true => Arc::new(load()?.coarse_only()),
                false => Arc::new(load()?),
            };
            Ok(Self {
                method: texture.clone(),
                texture: Some(texture),
                precision,
            })
        })
    }

    /// Fills the hole of an array.
    fn inpaint<'py>(
        &self,
        py: Python<'py>,
        image: Samples<'py>,
        mask: PyReadonlyArray2<'py, bool>,
        hole: HoleArgs,
        call: Call<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let method = Arc::clone(&self.method);
        let work = move |photo: &mut Photo, hole: &Hole, control: &Control| {
            photo.complete(hole, |image, mask| method.inpaint(image, mask, control))
        };
        self.fill(py, &image, &mask, hole, &call, work)
    }

    /// Adds texture to `guess`.
    fn refine<'py>(
        &self,
        py: Python<'py>,
        image: Samples<'py>,
        guess: Samples<'py>,
        mask: PyReadonlyArray2<'py, bool>,
        hole: HoleArgs,
        call: Call<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (method, guess) = (self.texture()?, guess.to_photo()?);
        let work = move |photo: &mut Photo, hole: &Hole, control: &Control| {
            let refined = method.refine(&photo.to_rgb(), &guess.to_rgb(), hole.mask(), control)?;
            photo.fill_hole(&refined, hole)
        };
        self.fill(py, &image, &mask, hole, &call, work)
    }

    /// Fills the hole; returns guess, result, and where the texture comes from.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        image: Samples<'py>,
        mask: PyReadonlyArray2<'py, bool>,
        call: Call<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>, Explained)> {
        let (method, shape) = (self.texture()?, image.shape().to_vec());
        let (mut completed, mask) = (image.to_photo()?, to_mask(&mask)?);
        if mask.is_empty() {
            return Err(value_error(
                "the mask marks nothing, so there is nothing to explain",
            ));
        }
        let (coarse, completed, explained) = call.run_in(py, self.precision, move |control| {
            let image = completed.to_rgb().into_owned();
            let explanation = method.explain(&image, &mask, control);
            let explanation = explanation.map_err(inpaint_error)?;
            let mut coarse = completed.clone();
            let hole = Hole::from(mask.clone());
            for (photo, filling) in [
                (&mut coarse, &explanation.coarse),
                (&mut completed, &explanation.completed),
            ] {
                photo.fill_hole(filling, &hole).map_err(inpaint_error)?;
            }
            Ok((coarse, completed, Explained::new(image, mask, explanation)))
        })?;
        Ok((
            photo_to_array(py, coarse, &shape)?,
            photo_to_array(py, completed, &shape)?,
            explained,
        ))
    }

    /// Fills the hole of an encoded picture; returns the encoded result and warnings.
    fn inpaint_bytes<'py>(
        &self,
        py: Python<'py>,
        data: PyBackedBytes,
        mask: Option<MaskInput<'py>>,
        hole: HoleArgs,
        encode: EncodeArgs,
        call: Call<'py>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
        let mask = mask.map(MaskInput::into_source).transpose()?;
        let method = Arc::clone(&self.method);
        let (bytes, warnings) = call.run_in(py, self.precision, move |control| {
            file::fill(&*method, data, mask, &hole, &encode, control)
        })?;
        Ok((PyBytes::new(py, &bytes), warnings))
    }
}

fn precision_by_name(name: &str) -> PyResult<Precision> {
    let precision = match name {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        "auto" => Precision::fastest(),
        _ => {
            return Err(value_error(format!(
                "precision is '{name}'; there are 'f32', 'bf16' and 'auto'"
            )));
        }
    };
    if precision.is_supported() {
        return Ok(precision);
    }
    Err(value_error(
        "this processor does not multiply bf16; leave precision out, or make it 'auto'",
    ))
}
