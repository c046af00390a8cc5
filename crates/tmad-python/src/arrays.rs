//! NumPy's arrays and pictures.

use crate::failure::value_error;
use image::{DynamicImage, ImageBuffer, Pixel};
use inpaint_core::Mask;
use inpaint_photo::Photo;
use numpy::ndarray::ArrayD;
use numpy::{Element, IntoPyArray, PyReadonlyArray2, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// A picture as Python has it: height × width, or height × width × channels with 1 (grey), 2
/// (grey, alpha), 3 (RGB) or 4 (RGB, alpha) of them. Any strides.
#[derive(FromPyObject)]
pub enum Samples<'py> {
    /// `uint8`.
    Bytes(PyReadonlyArrayDyn<'py, u8>),
    /// `uint16`.
    Words(PyReadonlyArrayDyn<'py, u16>),
}

impl Samples<'_> {
    /// Height, width and, if there is such an axis, channels.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Bytes(array) => array.shape(),
            Self::Words(array) => array.shape(),
        }
    }

    /// A copy as a picture.
    ///
    /// # Errors
    ///
    /// `ValueError` for another shape.
    pub fn to_photo(&self) -> PyResult<Photo> {
        let shape = self.shape();
        let (&[height, width] | &[height, width, _]) = shape else {
            return Err(unknown_shape(shape));
        };
        let size = |length: usize| {
            u32::try_from(length).map_err(|_| value_error("the picture is too large"))
        };
        let size = (size(width)?, size(height)?);
        let pixels = match (self, shape.get(2).copied().unwrap_or(1)) {
            (Self::Bytes(array), 1) => buffer(array, size).map(DynamicImage::ImageLuma8),
            (Self::Bytes(array), 2) => buffer(array, size).map(DynamicImage::ImageLumaA8),
            (Self::Bytes(array), 3) => buffer(array, size).map(DynamicImage::ImageRgb8),
            (Self::Bytes(array), 4) => buffer(array, size).map(DynamicImage::ImageRgba8),
            (Self::Words(array), 1) => buffer(array, size).map(DynamicImage::ImageLuma16),
            (Self::Words(array), 2) => buffer(array, size).map(DynamicImage::ImageLumaA16),
            (Self::Words(array), 3) => buffer(array, size).map(DynamicImage::ImageRgb16),
            (Self::Words(array), 4) => buffer(array, size).map(DynamicImage::ImageRgba16),
            _ => None,
        };
        (pixels.map(Photo::from_pixels)).ok_or_else(|| unknown_shape(shape))
    }
}

fn unknown_shape(shape: &[usize]) -> PyErr {
    value_error(format!(
        "image has shape {shape:?}; it must be H×W, H×W×1, H×W×2, H×W×3 or H×W×4"
    ))
}

fn buffer<P: Pixel<Subpixel: Element>>(
    array: &PyReadonlyArrayDyn<'_, P::Subpixel>,
    (width, height): (u32, u32),
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    // Row by row, also of an array that is stored column by column.
    let array = array.as_array();
    let samples = match array.as_slice() {
        Some(samples) => samples.to_vec(),
        None => array.iter().copied().collect(),
    };
    ImageBuffer::from_raw(width, height, samples)
}

/// An array of this shape, which owns the photo's samples; none is copied.
///
/// # Errors
///
/// `ValueError` if the shape is not the photo's.
pub fn photo_to_array<'py>(
    py: Python<'py>,
    photo: Photo,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    fn array<'py, T: Element>(
        py: Python<'py>,
        samples: Vec<T>,
        shape: &[usize],
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = ArrayD::from_shape_vec(shape, samples).map_err(value_error)?;
        Ok(array.into_pyarray(py).into_any())
    }
    match photo.into_pixels() {
        DynamicImage::ImageLuma16(pixels) => array(py, pixels.into_raw(), shape),
        DynamicImage::ImageLumaA16(pixels) => array(py, pixels.into_raw(), shape),
        DynamicImage::ImageRgb16(pixels) => array(py, pixels.into_raw(), shape),
        DynamicImage::ImageRgba16(pixels) => array(py, pixels.into_raw(), shape),
        bytes => array(py, bytes.into_bytes(), shape),
    }
}

/// A copy of a mask: `bool`, height × width, true is hole. Any strides, also those of a
/// broadcast.
///
/// # Errors
///
/// `ValueError` if it is too large.
pub fn to_mask(array: &PyReadonlyArray2<'_, bool>) -> PyResult<Mask> {
    let [height, width] = [array.shape()[0], array.shape()[1]];
    let holes = array
        .as_array()
        .iter()
        .map(|&hole| u8::from(hole))
        .collect();
    let size = |length| u32::try_from(length).map_err(|_| value_error("the mask is too large"));
    Mask::from_bytes(size(width)?, size(height)?, holes).map_err(value_error)
}
