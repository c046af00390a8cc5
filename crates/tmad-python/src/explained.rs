//! Where the texture of a result comes from.

use crate::arrays::photo_to_array;
use image::DynamicImage;
use inpaint_core::{Explanation, Mask, RgbImage, Square, figure};
use inpaint_photo::Photo;
use pyo3::prelude::*;

/// An explanation with the picture that it is about.
#[pyclass(frozen, module = "tmad._native")]
pub struct Explained {
    image: RgbImage,
    mask: Mask,
    explanation: Explanation,
}

impl Explained {
    /// Of this picture and hole.
    pub fn new(image: RgbImage, mask: Mask, explanation: Explanation) -> Self {
        Self {
            image,
            mask,
            explanation,
        }
    }
}

/// x, y, side.
type Place = (i64, i64, u32);

fn place(square: Square) -> Place {
    (square.x, square.y, square.side)
}

#[pymethods]
impl Explained {
    /// The patches: place, and place and score of each candidate.
    #[getter]
    fn patches(&self) -> Vec<(Place, Vec<(Place, f32)>)> {
        (self.explanation.patches.iter())
            .map(|patch| {
                let candidates = (patch.candidates.iter())
                    .map(|candidate| (place(candidate.source), candidate.score));
                (place(patch.place), candidates.collect())
            })
            .collect()
    }

    /// The figure with so many patches at most: height × 1320 × 3, `uint8`.
    fn figure<'py>(&self, py: Python<'py>, patches: usize) -> PyResult<Bound<'py, PyAny>> {
        let figure = py.detach(|| figure(&self.image, &self.mask, &self.explanation, patches));
        let shape = [figure.height() as usize, figure.width() as usize, 3];
        let figure = Photo::from_pixels(DynamicImage::from(figure));
        photo_to_array(py, figure, &shape)
    }
}
