//! What a worker does with a request: decode, fill, encode.

use crate::config::Limits;
use crate::form::{self, Submission};
use crate::models::Operation;
use crate::problem::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use inpaint_core::image::{DynamicImage, ImageError};
use inpaint_core::{Control, Explanation, InpaintError, Mask, OriginKind, RgbImage, Square};
use inpaint_photo::{
    EncodeOptions, Hole, ImageFormat, Limits as PhotoLimits, MaskOptions, Photo, PhotoError,
};
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// What the client gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// The method that was used, if any.
    pub(crate) method: Option<String>,
    pub(crate) warnings: Vec<String>,
    /// For clients that are told which seed was used.
    pub(crate) seed: Option<u64>,
    pub(crate) timing: Timing,
}

impl Answer {
    /// A picture that no method made, as PNG; `timing` lacks only the time of encoding.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded.
    pub(crate) fn png(
        picture: impl Into<DynamicImage>,
        mut timing: Timing,
    ) -> Result<Self, Problem> {
        let start = Instant::now();
        let mut png = Cursor::new(Vec::new());
        (picture.into().write_to(&mut png, ImageFormat::Png))
            .map_err(|error| Problem::new(Code::Internal, error))?;
        timing.encode = start.elapsed();
        Ok(Self {
            content_type: "image/png",
            body: png.into_inner(),
            method: None,
            warnings: Vec::new(),
            seed: None,
            timing,
        })
    }
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
    let limits = photo_limits(limits);
    let mut timing = Timing::default();
    let start = Instant::now();
    control.report(0.0, "decoding");
    let mut photo = decode(&submission.image, "the picture", &limits)?;
    let hole = read_hole(&submission, &photo, &limits)?;
    let mut warnings = check_mask(hole.mask(), submission.options.invert_mask)?;
    let guess = (submission.guess.as_ref())
        .map(|bytes| decode(bytes, "the guess", &limits))
        .transpose()?;
    timing.decode = start.elapsed();
    control.check_cancelled().map_err(method_problem)?;

    let start = Instant::now();
    let method = submission.model.name().to_owned();
    let product = fill(&submission, &mut photo, guess, &hole, control)?;
    timing.inpaint = start.elapsed();
    control.check_cancelled().map_err(method_problem)?;

    let start = Instant::now();
    control.report(1.0, "encoding");
    let options = &submission.options;
    let (content_type, body) = match product {
        Product::Filled => {
            let format = options.format.map_or(photo.format(), ImageFormat::from);
            if hole.mask().is_empty() && format == photo.format() && !options.strip {
                // Nothing to fill: byte by byte, so that a JPEG loses nothing.
                (
                    inpaint_photo::content_type(format),
                    submission.image.to_vec(),
                )
            } else {
                let encode_options = EncodeOptions {
                    jpeg_quality: options.jpeg_quality,
                    strip: options.strip,
                    ..EncodeOptions::default()
                };
                let encoded = (photo.encode(Some(format), &encode_options))
                    .map_err(|error| photo_problem("the result", &error))?;
                warnings.extend(encoded.warnings.iter().map(ToString::to_string));
                (encoded.content_type(), encoded.bytes)
            }
        }
        Product::Explained(explanation) => {
            let document = explanation_json(&explanation, options.images)?;
            ("application/json", document.to_string().into_bytes())
        }
    };
    timing.encode = start.elapsed();
    Ok(Answer {
        content_type,
        body,
        method: Some(method),
        warnings,
        seed: None,
        timing,
    })
}

/// The bounds on a picture.
pub(crate) fn photo_limits(limits: &Limits) -> PhotoLimits {
    PhotoLimits {
        max_pixels: limits.pixels,
        max_side: Some(limits.side),
        max_alloc: Some(limits.decode_bytes),
    }
}

pub(crate) fn decode(bytes: &[u8], what: &str, limits: &PhotoLimits) -> Result<Photo, Problem> {
    Photo::decode(bytes, limits).map_err(|error| photo_problem(what, &error))
}

pub(crate) fn photo_problem(what: &str, error: &PhotoError) -> Problem {
    let code = match error {
        PhotoError::Damaged {
            source: ImageError::Limits(_),
        } => Code::ImageTooLarge,
        error if error.is_limit() => Code::ImageTooLarge,
        PhotoError::Unsupported { .. } => Code::ImageFormatUnsupported,
        PhotoError::MaskSize { .. } => Code::MaskSizeMismatch,
        PhotoError::Polygon { .. } => Code::InvalidPolygon,
        PhotoError::TooLongForFormat { .. } | PhotoError::NotWritable { .. } => {
            Code::OutputFormatUnsuitable
        }
        PhotoError::Encode { .. } => Code::Internal,
        _ => Code::ImageUnreadable,
    };
    Problem::new(code, format!("{what} {error}"))
}

enum Product {
    /// The photo itself.
    Filled,
    Explained(Explanation),
}

fn fill(
    submission: &Submission,
    photo: &mut Photo,
    guess: Option<Photo>,
    hole: &Hole,
    control: &Control,
) -> Result<Product, Problem> {
    let texture = submission.model.as_texture();
    match (submission.operation, texture, guess) {
        (Operation::Inpaint, ..) => {
            let method = submission.model.as_inpainter();
            photo
                .complete(hole, |image, mask| method.inpaint(image, mask, control))
                .map(|()| Product::Filled)
        }
        (Operation::Refine, Some(method), Some(guess)) => method
            .refine(&photo.to_rgb(), &guess.to_rgb(), hole.mask(), control)
            .and_then(|refined| photo.fill_hole(&refined, hole))
            .map(|()| Product::Filled),
        (Operation::Explain, Some(method), _) => method
            .explain(&photo.to_rgb(), hole.mask(), control)
            .map(Product::Explained),
        (Operation::Refine | Operation::Explain, ..) => {
            return Err(Problem::new(
                Code::Internal,
                "the method was chosen for something it cannot do",
            ));
        }
    }
    .map_err(method_problem)
}

fn read_hole(
    submission: &Submission,
    photo: &Photo,
    limits: &PhotoLimits,
) -> Result<Hole, Problem> {
    let options = &submission.options;
    let options = MaskOptions {
        invert: options.invert_mask,
        threshold: options.mask_threshold,
        grow_px: options.grow_px,
        feather_px: options.feather_px,
        fit: false,
    };
    let problem = |error| photo_problem("the mask", &error);
    let mask = match &submission.hole {
        form::Hole::Mask(bytes) => options.mask(bytes, photo, limits).map_err(problem)?,
        form::Hole::Polygons(polygons) => {
            let (width, height) = photo.dimensions();
            let mut mask = Mask::new(width, height);
            for polygon in polygons {
                polygon.draw(&mut mask).map_err(problem)?;
            }
            if options.invert {
                mask.inverted()
            } else {
                mask
            }
        }
    };
    Ok(options.hole(mask))
}

/// What the client may not expect.
fn check_mask(mask: &Mask, inverted: bool) -> Result<Vec<String>, Problem> {
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
    Ok(if mask.is_empty() {
        vec![format!(
            "the mask marks nothing, so the result is the input; {hint}"
        )]
    } else if percent > 50.0 {
        vec![format!(
            "{percent:.0} % of the picture were replaced; {hint}"
        )]
    } else {
        Vec::new()
    })
}

pub(crate) fn method_problem(error: InpaintError) -> Problem {
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
    let chosen = (OriginKind::ALL.iter().zip(explanation.shares()))
        .map(|(kind, share)| (kind.name().to_owned(), share.into()));
    let mut document = json!({
        "width": explanation.completed.width(),
        "height": explanation.completed.height(),
        "patches": patches.collect::<Vec<_>>(),
        "chosen": Value::Object(chosen.collect()),
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
