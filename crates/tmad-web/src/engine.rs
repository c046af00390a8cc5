//! From picture files and options to results, whoever asks.

use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{
    Control, ExplainedPatch, InpaintError, Inpainter, Mask, Rect, Square, TextureMethod,
    select_object,
};
use inpaint_photo::{
    EncodeOptions, Hole, ImageFormat, Limits, MaskOptions, Photo, PhotoError, content_type,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::Cursor;
use tmad::weights::WeightsError;
use tmad::{Device, TMad};

/// Largest picture in pixels, as the service's default.
const MAX_PIXELS: u64 = 50_000_000;
/// Most bytes for decoding one picture: 16-bit RGBA, and as much for the decoder.
const MAX_ALLOC: u64 = 16 * MAX_PIXELS;

/// Every method with its weights.
#[derive(Debug)]
pub(crate) struct Engine {
    tmad: TMad,
    coarse: TMad,
    patchmatch: PatchMatch,
}

/// What a page may choose; names as in the service's options.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `tmad`, `coarse` or `patchmatch`; the first if there is none.
    pub method: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Pixels by which the hole is grown.
    pub grow_px: u32,
    /// `png` for PNG; the picture's own format if there is none.
    pub format: Option<String>,
}

impl Options {
    pub(crate) fn parse(text: &str) -> Result<Self, EngineError> {
        // A structure would also be made of a list.
        serde_json::from_str::<Map<String, Value>>(text)
            .and_then(|object| serde_json::from_value(Value::Object(object)))
            .map_err(|error| EngineError::Options(error.to_string()))
    }
}

/// A filled picture file.
#[derive(Debug)]
pub struct Filled {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: &'static str,
    /// What may not be expected.
    pub warnings: Vec<String>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The picture, the mask or the result.
    #[error("{what} {source}")]
    Photo {
        /// Which of them.
        what: &'static str,
        /// What is wrong with it.
        source: PhotoError,
    },
    /// The method.
    #[error(transparent)]
    Method(#[from] InpaintError),
    /// A mask that cannot be written.
    #[error("the mask cannot be written: {0}")]
    Encode(String),
    /// The options.
    #[error("the options are not usable: {0}")]
    Options(String),
    /// A method that cannot do this.
    #[error("there is no method {0:?} that can do this")]
    UnknownMethod(String),
}

impl Engine {
    pub(crate) fn new() -> Result<Self, WeightsError> {
        let device = Device::flex();
        Ok(Self {
            tmad: TMad::built_in(&device)?,
            coarse: TMad::built_in(&device)?.coarse_only(),
            patchmatch: PatchMatch::default(),
        })
    }

    pub(crate) fn models(&self) -> Value {
        let model = |name: &str, is_default, supports: &[&str]| {
            json!({
                "name": name,
                "description": name,
                "provenance": {},
                "default": is_default,
                "supports": supports,
            })
        };
        json!({ "models": [
            model(self.tmad.name(), true, &["inpaint", "explain"]),
            model(self.coarse.name(), false, &["inpaint"]),
            model(self.patchmatch.name(), false, &["inpaint"]),
        ]})
    }

    fn method(&self, options: &Options) -> Result<&dyn Inpainter, EngineError> {
        let methods: [&dyn Inpainter; 3] = [&self.tmad, &self.coarse, &self.patchmatch];
        let Some(name) = &options.method else {
            return Ok(methods[0]);
        };
        (methods.into_iter().find(|method| method.name() == name))
            .ok_or_else(|| EngineError::UnknownMethod(name.clone()))
    }

    pub(crate) fn inpaint(
        &self,
        image: &[u8],
        mask: &[u8],
        options: &Options,
        control: &Control,
    ) -> Result<Filled, EngineError> {
        let method = self.method(options)?;
        let (mut photo, hole) = read(image, mask, options, control)?;
        let format = match options.format.as_deref() {
            None => photo.format(),
            Some("png") => ImageFormat::Png,
            Some(format) => return Err(EngineError::Options(format!("format {format:?}"))),
        };
        if hole.mask().is_empty() && format == photo.format() {
            // Nothing to fill: byte by byte, so that a JPEG loses nothing.
            return Ok(Filled {
                bytes: image.to_vec(),
                content_type: content_type(format),
                warnings: Vec::new(),
            });
        }
        photo.complete(&hole, |image, mask| method.inpaint(image, mask, control))?;
        control.report(1.0, "encoding");
        let encoded =
            (photo.encode(Some(format), &EncodeOptions::default())).map_err(|source| {
                EngineError::Photo {
                    what: "the result",
                    source,
                }
            })?;
        Ok(Filled {
            content_type: encoded.content_type(),
            warnings: encoded.warnings.iter().map(ToString::to_string).collect(),
            bytes: encoded.bytes,
        })
    }

    /// A PNG of the thing's mask; without bounds where `bounds` is not x, y, width and height.
    pub(crate) fn select(
        image: &[u8],
        mask: &[u8],
        bounds: &[u32],
        control: &Control,
    ) -> Result<Vec<u8>, EngineError> {
        let (photo, hole) = read(image, mask, &Options::default(), control)?;
        let bounds = match *bounds {
            [x, y, width, height] => Some(Rect {
                x,
                y,
                width,
                height,
            }),
            _ => None,
        };
        let selected = select_object(&photo.to_rgb(), hole.mask(), bounds, control)?;
        let mut png = Cursor::new(Vec::new());
        (selected.to_gray())
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|error| EngineError::Encode(error.to_string()))?;
        Ok(png.into_inner())
    }

    pub(crate) fn explain(
        &self,
        image: &[u8],
        mask: &[u8],
        options: &Options,
        control: &Control,
    ) -> Result<Value, EngineError> {
        let method = self.method(options)?.name();
        if method != self.tmad.name() {
            return Err(EngineError::UnknownMethod(method.to_owned()));
        }
        let (photo, hole) = read(image, mask, options, control)?;
        let explanation = self.tmad.explain(&photo.to_rgb(), hole.mask(), control)?;
        Ok(json!({
            "width": explanation.completed.width(),
            "height": explanation.completed.height(),
            "patches": explanation.patches.iter().map(patch_json).collect::<Vec<_>>(),
        }))
    }
}

fn patch_json(patch: &ExplainedPatch) -> Value {
    let square = |square: &Square| json!({ "x": square.x, "y": square.y, "side": square.side });
    let candidates = patch
        .candidates
        .iter()
        .map(|candidate| json!({ "source": square(&candidate.source), "score": candidate.score }));
    json!({ "place": square(&patch.place), "candidates": candidates.collect::<Vec<_>>() })
}

/// Decodes picture and mask.
fn read(
    image: &[u8],
    mask: &[u8],
    options: &Options,
    control: &Control,
) -> Result<(Photo, Hole), EngineError> {
    let limits = Limits {
        max_pixels: MAX_PIXELS,
        max_side: None,
        max_alloc: Some(MAX_ALLOC),
    };
    control.report(0.0, "decoding");
    let photo = Photo::decode(image, &limits).map_err(|source| EngineError::Photo {
        what: "the picture",
        source,
    })?;
    let mask_options = MaskOptions {
        grow_px: options.grow_px,
        ..MaskOptions::default()
    };
    let mask: Mask =
        (mask_options.mask(mask, &photo, &limits)).map_err(|source| EngineError::Photo {
            what: "the mask",
            source,
        })?;
    Ok((photo, mask_options.hole(mask)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};

    fn png(picture: impl Into<image::DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .into()
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    fn stripes() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            Rgb([if x % 8 < 4 { 200 } else { 40 }, y as u8, 90])
        })
    }

    fn mask(white: u8) -> Vec<u8> {
        let is_hole = |x, y| (20..30).contains(&x) && (16..26).contains(&y);
        png(GrayImage::from_fn(64, 48, |x, y| {
            Luma([white * u8::from(is_hole(x, y))])
        }))
    }

    #[test]
    fn only_the_hole_changes_whatever_the_method() {
        let engine = Engine::new().unwrap();
        let mut spoilt = stripes();
        for (x, y) in (20..30).flat_map(|x| (16..26).map(move |y| (x, y))) {
            spoilt.put_pixel(x, y, Rgb([255, 0, 255]));
        }
        for method in ["tmad", "coarse", "patchmatch"] {
            let options = Options::parse(&json!({ "method": method }).to_string()).unwrap();
            let control = Control::default();
            let filled =
                (engine.inpaint(&png(spoilt.clone()), &mask(255), &options, &control)).unwrap();
            assert_eq!(
                (filled.content_type, filled.warnings.len()),
                ("image/png", 0)
            );
            let result = image::load_from_memory(&filled.bytes).unwrap().to_rgb8();
            for (x, y, pixel) in result.enumerate_pixels() {
                let is_hole = (20..30).contains(&x) && (16..26).contains(&y);
                assert_eq!(
                    pixel != spoilt.get_pixel(x, y),
                    is_hole,
                    "{method} at {x}, {y}"
                );
            }
        }
    }

    #[test]
    fn an_empty_hole_gives_the_same_bytes_or_another_format() {
        let engine = Engine::new().unwrap();
        let mut jpeg = Cursor::new(Vec::new());
        stripes().write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let jpeg = jpeg.into_inner();
        let mut options = Options::default();
        let control = Control::default();
        let same = engine.inpaint(&jpeg, &mask(0), &options, &control).unwrap();
        assert_eq!(
            (same.bytes, same.content_type),
            (jpeg.clone(), "image/jpeg")
        );
        options.format = Some("png".to_owned());
        let other = engine.inpaint(&jpeg, &mask(0), &options, &control).unwrap();
        let decode = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
        assert_eq!(other.content_type, "image/png");
        assert_eq!(decode(&other.bytes), decode(&jpeg));
    }

    #[test]
    fn what_is_explained_is_the_hole() {
        let engine = Engine::new().unwrap();
        let (options, control) = (Options::default(), Control::default());
        let told = engine
            .explain(&png(stripes()), &mask(255), &options, &control)
            .unwrap();
        assert_eq!(
            (told["width"].as_u64(), told["height"].as_u64()),
            (Some(64), Some(48))
        );
        let patches = told["patches"].as_array().unwrap();
        assert!(
            patches
                .iter()
                .all(|patch| !patch["candidates"].as_array().unwrap().is_empty())
        );
        assert!(!patches.is_empty());
    }

    #[test]
    fn marks_grow_within_bounds() {
        let thing = |x: u32, y: u32| (20..40).contains(&x) && (10..30).contains(&y);
        let picture = RgbImage::from_fn(64, 48, |x, y| {
            Rgb(if thing(x, y) {
                [200, 30, 30]
            } else {
                [40, 90, 60]
            })
        });
        let marks = GrayImage::from_fn(64, 48, |x, y| {
            Luma([255 * u8::from((26..32).contains(&x) && (18..22).contains(&y))])
        });
        let (picture, marks) = (png(picture), png(marks));
        for (bounds, right) in [(&[][..], 40), (&[0, 0, 35, 48], 35)] {
            let mask = Engine::select(&picture, &marks, bounds, &Control::default()).unwrap();
            let mask = image::load_from_memory(&mask).unwrap().to_luma8();
            for (x, y, pixel) in mask.enumerate_pixels() {
                let expected = 255 * u8::from(thing(x, y));
                assert!(
                    pixel.0[0] == expected || (x + 1 >= right && pixel.0[0] == 0),
                    "{x}, {y}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let engine = Engine::new().unwrap();
        let said = |image: &[u8], mask: &[u8], options: &str| {
            Options::parse(options)
                .and_then(|options| engine.inpaint(image, mask, &options, &Control::default()))
                .unwrap_err()
                .to_string()
        };
        let (picture, hole) = (png(stripes()), mask(255));
        assert!(said(b"no picture", &hole, "{}").starts_with("the picture"));
        assert!(said(&picture, &png(GrayImage::new(9, 9)), "{}").starts_with("the mask"));
        assert!(said(&picture, &hole, "[]").starts_with("the options"));
        assert!(said(&picture, &hole, r#"{"method":"lama"}"#).contains("lama"));
        assert!(said(&picture, &hole, r#"{"format":"gif"}"#).contains("gif"));
        let full = png(GrayImage::from_pixel(64, 48, Luma([255])));
        assert!(said(&picture, &full, "{}").contains("covers all"));
    }
}
