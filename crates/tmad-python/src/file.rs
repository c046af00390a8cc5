//! Encoded pictures: bytes in, bytes out.

use crate::arrays::to_mask;
use crate::failure::{inpaint_error, value_error};
use inpaint_core::{Control, InpaintError, Inpainter, Mask};
use inpaint_photo::{
    EncodeOptions, Hole, Limits, MaskOptions, Photo, WRITABLE, alpha_mask, format_of_extension,
    read_mask,
};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// How a mask becomes a hole.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct HoleArgs {
    invert: bool,
    threshold: u8,
    grow: u32,
    feather: u32,
    fit: bool,
}

impl HoleArgs {
    /// The same for the library.
    pub fn options(&self) -> MaskOptions {
        MaskOptions {
            invert: self.invert,
            threshold: self.threshold,
            grow_px: self.grow,
            feather_px: self.feather,
            fit: self.fit,
        }
    }
}

/// How the result is encoded.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct EncodeArgs {
    format: Option<String>,
    jpeg_quality: Option<u8>,
    background: [u8; 3],
    strip: bool,
    max_megapixels: u32,
}

/// A mask for an encoded picture.
#[derive(FromPyObject)]
pub enum MaskInput<'py> {
    /// An encoded picture.
    File(PyBackedBytes),
    /// True is hole.
    Array(PyReadonlyArray2<'py, bool>),
}

impl MaskInput<'_> {
    /// The mask without the GIL.
    ///
    /// # Errors
    ///
    /// `ValueError` for an array that is too large.
    pub fn into_source(self) -> PyResult<MaskSource> {
        Ok(match self {
            Self::File(bytes) => MaskSource::File(bytes),
            Self::Array(array) => MaskSource::Mask(to_mask(&array)?),
        })
    }
}

/// A mask that needs no GIL.
pub enum MaskSource {
    /// An encoded picture.
    File(PyBackedBytes),
    /// A mask as it is.
    Mask(Mask),
}

/// Decodes, fills and encodes; without a mask the transparent area is the hole. Returns the
/// encoded picture and warnings.
///
/// # Errors
///
/// `ValueError` for whatever cannot be read, filled or encoded.
pub fn fill(
    method: &dyn Inpainter,
    data: PyBackedBytes,
    mask: Option<MaskSource>,
    hole: &HoleArgs,
    encode: &EncodeArgs,
    control: &Control,
) -> PyResult<(Vec<u8>, Vec<String>)> {
    let named = |what: &str, error| value_error(format!("{what} {error}"));
    let format = (encode.format.as_deref())
        .map(|name| {
            format_of_extension(name.trim_start_matches('.'))
                .ok_or_else(|| value_error(format!("format is '{name}'; there are {WRITABLE}")))
        })
        .transpose()?;
    let limits = Limits::megapixels(encode.max_megapixels);
    let mut photo = Photo::decode(&data, &limits).map_err(|error| named("the picture", error))?;
    let options = hole.options();
    let hole: Hole = match mask {
        Some(MaskSource::File(bytes)) => read_mask(&bytes, &options, &photo, &limits)
            .map_err(|error| named("the mask", error))?,
        Some(MaskSource::Mask(mask)) if mask.dimensions() != photo.dimensions() => {
            return Err(inpaint_error(InpaintError::MaskSize {
                mask: mask.dimensions().into(),
                image: photo.dimensions().into(),
            }));
        }
        Some(MaskSource::Mask(mask)) => options.hole(mask),
        None => (options.hole(alpha_mask(&photo, &options).map_err(|e| named("the picture", e))?))
            .as_transparent_area(),
    };
    let encode_options = EncodeOptions {
        jpeg_quality: encode.jpeg_quality,
        background: encode.background,
        strip: encode.strip,
    };
    if hole.mask().is_empty() {
        let keeps_format = format.is_none_or(|format| format == photo.format());
        // Byte by byte if nothing else is asked for, so that a JPEG loses nothing.
        if keeps_format && encode_options == EncodeOptions::default() {
            return Ok((data.to_vec(), Vec::new()));
        }
    } else {
        photo
            .complete(&hole, |image, mask| method.inpaint(image, mask, control))
            .map_err(inpaint_error)?;
    }
    let encoded = photo.encode(format, &encode_options);
    let encoded = encoded.map_err(|error| named("the result", error))?;
    let warnings = encoded.warnings.iter().map(ToString::to_string).collect();
    Ok((encoded.bytes, warnings))
}
