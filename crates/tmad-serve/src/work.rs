//! What a worker does with a request: decode, fill, encode.

use crate::config::Limits;
use crate::form::{Hole, Submission};
use crate::models::Operation;
use crate::picture::{Picture, polygon_mask};
use crate::problem::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{ImageFormat, RgbImage};
use inpaint_core::{Control, Explanation, InpaintError, Mask, Square};
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// What the client gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) method: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) timing: Timing,
}

/// How long each step took.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) decode: Duration,
    pub(crate) inpaint: Duration,
    pub(crate) encode: Duration,
}

/// Does what the client asked for.
///
/// # Errors
///
/// If a picture cannot be used, the method fails, or the work is not wanted any more.
pub(crate) fn run(
    submission: Submission,
    limits: &Limits,
    control: &Control,
) -> Result<Answer, Problem> {
    let mut timing = Timing::default();
    let mut warnings = Vec::new();
    let start = Instant::now();
    control.report(0.0, "decoding");
    let mut picture = Picture::decode(&submission.image, "the picture", limits)?;
    let mask = read_mask(&submission, &picture, limits)?;
    let guess = match &submission.guess {
        Some(bytes) => Some(Picture::decode(bytes, "the guess", limits)?.to_rgb()),
        None => None,
    };
    check_mask(&mask, submission.options.invert_mask, &mut warnings)?;
    let rgb = picture.to_rgb();
    timing.decode = start.elapsed();
    control.check_cancelled().map_err(method_problem)?;

    let start = Instant::now();
    let method = submission.model.as_inpainter().name().to_owned();
    let product = fill(&submission, &rgb, guess.as_ref(), &mask, control)?;
    timing.inpaint = start.elapsed();

    let start = Instant::now();
    control.report(1.0, "encoding");
    let (content_type, body) = match product {
        Product::Filled(completed) => {
            let format = (submission.options.format).map_or(picture.format, ImageFormat::from);
            if mask.is_empty() && format == picture.format && !submission.options.strip {
                // Nothing to fill: byte by byte, so that a JPEG loses nothing.
                (format.to_mime_type(), submission.image.to_vec())
            } else {
                picture.fill_hole(&completed, &mask);
                (format.to_mime_type(), picture.encode(format)?)
            }
        }
        Product::Explained(explanation) => {
            let document = explanation_json(&explanation, submission.options.images)?;
            ("application/json", document.to_string().into_bytes())
        }
    };
    timing.encode = start.elapsed();
    Ok(Answer {
        content_type,
        body,
        method,
        warnings,
        timing,
    })
}

enum Product {
    Filled(RgbImage),
    Explained(Explanation),
}

fn fill(
    submission: &Submission,
    rgb: &RgbImage,
    guess: Option<&RgbImage>,
    mask: &Mask,
    control: &Control,
) -> Result<Product, Problem> {
    let texture = submission.model.as_texture();
    match (submission.operation, texture, guess) {
        (Operation::Inpaint, ..) => {
            let method = submission.model.as_inpainter();
            method.inpaint(rgb, mask, control).map(Product::Filled)
        }
        (Operation::Refine, Some(method), Some(guess)) => method
            .refine(rgb, guess, mask, control)
            .map(Product::Filled),
        (Operation::Explain, Some(method), _) => {
            method.explain(rgb, mask, control).map(Product::Explained)
        }
        (Operation::Refine | Operation::Explain, ..) => {
            return Err(Problem::new(
                Code::Internal,
                "the method was chosen for something it cannot do",
            ));
        }
    }
    .map_err(method_problem)
}

fn read_mask(submission: &Submission, picture: &Picture, limits: &Limits) -> Result<Mask, Problem> {
    let options = &submission.options;
    let (width, height) = picture.size();
    let mut mask = match &submission.hole {
        Hole::Mask(bytes) => {
            let mask = Picture::decode(bytes, "the mask", limits)?;
            if mask.size() != (width, height) {
                let (w, h) = mask.size();
                return Err(Problem::new(
                    Code::MaskSizeMismatch,
                    format!("the mask is {w}×{h}, the picture is {width}×{height}"),
                ));
            }
            Mask::from_gray(&mask.pixels.to_luma8(), options.mask_threshold)
        }
        Hole::Polygons(polygons) => polygon_mask(polygons, (width, height)),
    };
    if options.invert_mask {
        mask = mask.inverted();
    }
    Ok(mask.dilated(options.grow_px))
}

fn check_mask(mask: &Mask, inverted: bool, warnings: &mut Vec<String>) -> Result<(), Problem> {
    let hint = if inverted {
        "leave out invert_mask if white marks what is to be filled"
    } else {
        "set invert_mask if white marks what is to be kept"
    };
    if mask.is_full() {
        return Err(Problem::new(
            Code::MaskCoversAll,
            format!(
                "the mask covers the whole picture, so there is nothing to fill it from; {hint}"
            ),
        ));
    }
    let percent = 100.0 * mask.hole_fraction();
    if mask.is_empty() {
        warnings.push(format!(
            "the mask marks nothing, so the result is the input; {hint}"
        ));
    } else if percent > 50.0 {
        warnings.push(format!(
            "{percent:.0} % of the picture were replaced; {hint}"
        ));
    }
    Ok(())
}

fn method_problem(error: InpaintError) -> Problem {
    let code = match &error {
        InpaintError::Cancelled => Code::Cancelled,
        InpaintError::NoKnownPixels { .. } => Code::MaskCoversAll,
        InpaintError::MaskSize { .. } => Code::MaskSizeMismatch,
        InpaintError::ImageSize { .. } => Code::GuessSizeMismatch,
        _ => Code::MethodFailed,
    };
    Problem::new(code, error)
}

/// The answer of `POST /v1/explain`.
fn explanation_json(explanation: &Explanation, with_pictures: bool) -> Result<Value, Problem> {
    let square = |square: &Square| json!({ "x": square.x, "y": square.y, "side": square.side });
    let patches = explanation.patches.iter().map(|patch| {
        let candidates = patch.candidates.iter().map(
            |candidate| json!({ "source": square(&candidate.source), "score": candidate.score }),
        );
        json!({
            "place": square(&patch.place),
            "candidates": candidates.collect::<Vec<_>>(),
        })
    });
    let mut document = json!({
        "width": explanation.completed.width(),
        "height": explanation.completed.height(),
        "patches": patches.collect::<Vec<_>>(),
    });
    if with_pictures {
        document["coarse"] = data_url(&explanation.coarse)?;
        document["completed"] = data_url(&explanation.completed)?;
    }
    Ok(document)
}

fn data_url(picture: &RgbImage) -> Result<Value, Problem> {
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|error| Problem::new(Code::Internal, error))?;
    let text = BASE64.encode(png.into_inner());
    Ok(Value::String(format!("data:image/png;base64,{text}")))
}
