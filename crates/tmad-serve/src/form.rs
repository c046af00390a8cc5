//! From a body to what the client wants: fields, options, polygons.

use crate::models::{Model, Models, Operation};
use crate::multipart;
use crate::problem::{Code, Problem};
use axum::body::Bytes;
use inpaint_photo::{ImageFormat, Shape};
use serde::Deserialize;
use std::sync::Arc;

/// More fields than any operation has.
const MAX_FIELDS: usize = 16;
/// Most corners of all polygons of a request together.
const MAX_CORNERS: usize = 20_000;
/// Longest options and polygons in bytes.
const MAX_OPTIONS: usize = 64 << 10;
const MAX_POLYGON: usize = 1 << 20;
/// Farthest corner from the picture's own in pixels.
const MAX_COORDINATE: f64 = 1e6;
/// Most pixels by which a hole is grown, and over which its edge is blended.
pub(crate) const MAX_GROW: u32 = 1000;

/// A request that makes sense by itself; its pictures have not been looked at.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) operation: Operation,
    pub(crate) model: Arc<Model>,
    pub(crate) image: Bytes,
    pub(crate) hole: Hole,
    /// For [`Operation::Refine`].
    pub(crate) guess: Option<Bytes>,
    pub(crate) options: Options,
}

/// What is to be filled.
#[derive(Debug)]
pub(crate) enum Hole {
    Mask(Bytes),
    Polygons(Vec<Shape>),
}

/// The `options` of a form.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) method: Option<String>,
    pub(crate) seed: u64,
    pub(crate) invert_mask: bool,
    pub(crate) mask_threshold: u8,
    pub(crate) grow_px: u32,
    pub(crate) feather_px: u32,
    pub(crate) format: Option<Format>,
    pub(crate) jpeg_quality: Option<u8>,
    pub(crate) strip: bool,
    /// For [`Operation::Explain`]: pictures in the answer, too.
    pub(crate) images: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: None,
            seed: 0,
            invert_mask: false,
            mask_threshold: 128,
            grow_px: 0,
            feather_px: 0,
            format: None,
            jpeg_quality: None,
            strip: false,
            images: false,
        }
    }
}

/// Formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Png,
    Jpeg,
    Webp,
    Tiff,
    Bmp,
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::WebP,
            Format::Tiff => Self::Tiff,
            Format::Bmp => Self::Bmp,
        }
    }
}

impl Options {
    fn parse(text: &[u8]) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidOptions, detail);
        if text.len() > MAX_OPTIONS {
            return Err(invalid(format!(
                "options may have {MAX_OPTIONS} bytes at most"
            )));
        }
        let options: Self = parse_object(text, "options")?;
        for (name, value, allowed) in [
            ("mask_threshold", options.mask_threshold.into(), 1..=255),
            ("grow_px", options.grow_px, 0..=MAX_GROW),
            ("feather_px", options.feather_px, 0..=MAX_GROW),
            (
                "jpeg_quality",
                options.jpeg_quality.unwrap_or(95).into(),
                1..=100,
            ),
        ] {
            if !allowed.contains(&value) {
                let (low, high) = allowed.into_inner();
                return Err(invalid(format!(
                    "{name} is {value}, allowed is {low} to {high}"
                )));
            }
        }
        Ok(options)
    }
}

/// Reads a JSON object; `what` names it in the problem.
///
/// # Errors
///
/// [`Code::InvalidOptions`].
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    what: &str,
) -> Result<T, Problem> {
    let invalid = |reason: &str| {
        let detail = format!("{what} must be a JSON object{reason}");
        Problem::new(Code::InvalidOptions, detail)
    };
    // Lists would be taken for the values in the order of the fields.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(invalid(""));
    }
    serde_json::from_slice(text).map_err(|error| invalid(&format!(": {error}")))
}

/// Understands the body of a request.
///
/// # Errors
///
/// With the code that fits.
pub(crate) fn parse(
    body: &Bytes,
    boundary: &str,
    operation: Operation,
    models: &Models,
) -> Result<Submission, Problem> {
    let names: &[&str] = match operation {
        Operation::Refine => &["image", "mask", "polygon", "options", "guess"],
        Operation::Inpaint | Operation::Explain => &["image", "mask", "polygon", "options"],
    };
    let [image, mask, polygon, options, guess] = fields(body, boundary, names)?;
    let missing = |detail: &str| Problem::new(Code::FieldMissing, detail);
    let image = image.ok_or_else(|| missing(NO_IMAGE))?;
    let options = match options {
        Some(text) => Options::parse(&text)?,
        None => Options::default(),
    };
    let hole = match (mask, polygon) {
        (Some(mask), None) => Hole::Mask(mask),
        (None, Some(text)) => Hole::Polygons(parse_polygons(&text)?),
        (None, None) => {
            return Err(missing(
                "the field mask or the field polygon is needed: what is to be filled",
            ));
        }
        (Some(_), Some(_)) => {
            let detail = "mask and polygon exclude each other; send one of them";
            return Err(Problem::new(Code::DuplicateField, detail));
        }
    };
    if operation == Operation::Refine && guess.is_none() {
        return Err(missing(
            "the field guess is needed: the result of another method as a file",
        ));
    }
    let model = models.choose(options.method.as_deref(), operation)?;
    Ok(Submission {
        operation,
        model,
        image,
        hole,
        guess,
        options,
    })
}

/// What to do where the picture is missing.
pub(crate) const NO_IMAGE: &str = "the field image is needed: the picture as a file";

/// The fields of a form by their places in `names`, each of them at most once.
///
/// # Errors
///
/// If the body is no form, or has other fields.
pub(crate) fn fields<const N: usize>(
    body: &Bytes,
    boundary: &str,
    names: &[&str],
) -> Result<[Option<Bytes>; N], Problem> {
    let mut contents = [const { None }; N];
    for field in multipart::parse(body, boundary, MAX_FIELDS)? {
        let Some(place) = names.iter().position(|&name| name == field.name) else {
            let name: String = field.name.chars().take(40).collect();
            let detail = format!(
                "there is no field {name:?} here; there is: {}",
                names.join(", ")
            );
            return Err(Problem::new(Code::FieldUnknown, detail));
        };
        if contents[place].replace(field.content).is_some() {
            let detail = format!("the field {} may be sent once", names[place]);
            return Err(Problem::new(Code::DuplicateField, detail));
        }
    }
    Ok(contents)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PolygonField {
    One(Corners),
    Many(Vec<Corners>),
}

type Corners = Vec<(f64, f64)>;

fn parse_polygons(text: &[u8]) -> Result<Vec<Shape>, Problem> {
    let invalid = |detail: String| Problem::new(Code::InvalidPolygon, detail);
    if text.len() > MAX_POLYGON {
        return Err(invalid(format!(
            "polygons may have {MAX_POLYGON} bytes at most"
        )));
    }
    let field = serde_json::from_slice(text).map_err(|_| {
        invalid("a polygon is JSON of the form [[x,y],…], several are an array of those".to_owned())
    })?;
    let polygons = match field {
        PolygonField::One(polygon) => vec![polygon],
        PolygonField::Many(polygons) => polygons,
    };
    let corners: usize = polygons.iter().map(Vec::len).sum();
    if corners > MAX_CORNERS {
        return Err(invalid(format!(
            "{corners} corners, allowed are {MAX_CORNERS}"
        )));
    }
    let is_far = |&(x, y): &(f64, f64)| x.abs().max(y.abs()) > MAX_COORDINATE;
    if polygons.iter().flatten().any(is_far) {
        return Err(invalid(format!(
            "coordinates may be {MAX_COORDINATE} pixels at most"
        )));
    }
    match polygons.iter().find(|polygon| polygon.len() < 3) {
        Some(polygon) => Err(invalid(format!(
            "a polygon has {} corners; it needs 3 at least",
            polygon.len()
        ))),
        None => Ok(polygons.into_iter().map(Shape::Polygon).collect()),
    }
}
