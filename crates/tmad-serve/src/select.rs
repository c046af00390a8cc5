//! `POST /v1/select`: from marks on a thing to the whole of it.

use crate::config::Limits;
use crate::form::{NO_IMAGE, fields, parse_object};
use crate::problem::{Code, Problem};
use crate::work::{self, Answer, Timing, photo_problem};
use axum::body::Bytes;
use inpaint_core::{Control, Rect, select_object};
use inpaint_photo::MaskOptions;
use serde::Deserialize;
use std::time::Instant;

/// A request for the whole of a thing.
#[derive(Debug)]
pub(crate) struct Select {
    image: Bytes,
    mask: Bytes,
    bounds: Option<Rect>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    bounds: Option<(u32, u32, u32, u32)>,
}

/// Understands the body.
///
/// # Errors
///
/// If it is no such request.
pub(crate) fn parse(body: &Bytes, boundary: &str) -> Result<Select, Problem> {
    let [image, mask, options] = fields(body, boundary, &["image", "mask", "options"])?;
    let missing = |detail: &str| Problem::new(Code::FieldMissing, detail);
    let options: Options = match options {
        None => Options::default(),
        Some(text) => parse_object(&text, "options")?,
    };
    Ok(Select {
        image: image.ok_or_else(|| missing(NO_IMAGE))?,
        mask: mask.ok_or_else(|| missing("the field mask is needed: marks on the thing"))?,
        bounds: options.bounds.map(|(x, y, width, height)| Rect {
            x,
            y,
            width,
            height,
        }),
    })
}

impl Select {
    /// Answers with the mask of the thing.
    ///
    /// # Errors
    ///
    /// If a picture cannot be used, or the work is not wanted any more.
    pub(crate) fn run(self, limits: &Limits, control: &Control) -> Result<Answer, Problem> {
        let start = Instant::now();
        let limits = work::photo_limits(limits);
        let photo = work::decode(&self.image, "the picture", &limits)?;
        let marks = (MaskOptions::default().mask(&self.mask, &photo, &limits))
            .map_err(|error| photo_problem("the mask", &error))?;
        let decode = start.elapsed();
        let start = Instant::now();
        let selected = select_object(&photo.to_rgb(), &marks, self.bounds, control)
            .map_err(work::method_problem)?;
        let timing = Timing {
            decode,
            inpaint: start.elapsed(),
            ..Timing::default()
        };
        Answer::png(selected.to_gray(), timing)
    }
}
