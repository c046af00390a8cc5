//! Decoding and encoding.

use crate::config::Limits;
use crate::form::Polygon;
use crate::problem::{Code, Problem};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use inpaint_core::Mask;
use std::io::Cursor;

/// A decoded picture.
pub(crate) struct Picture {
    pub(crate) pixels: DynamicImage,
    pub(crate) format: ImageFormat,
    icc_profile: Option<Vec<u8>>,
}

impl Picture {
    pub(crate) fn decode(bytes: &[u8], what: &str, limits: &Limits) -> Result<Self, Problem> {
        let unreadable =
            |detail: String| Problem::new(Code::ImageUnreadable, format!("{what} {detail}"));
        let format = image::guess_format(bytes).map_err(|_| unreadable("is no picture".into()))?;
        if !format.reading_enabled() {
            let detail = format!("{what} is {format:?}; send JPEG, PNG, WebP, TIFF or BMP");
            return Err(Problem::new(Code::ImageFormatUnsupported, detail));
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut allowed = image::Limits::no_limits();
        allowed.max_alloc = Some(limits.decode_bytes);
        reader.limits(allowed);
        let mut decoder = reader
            .into_decoder()
            .map_err(|e| unreadable(e.to_string()))?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > limits.pixels || width.max(height) > limits.side {
            let detail = format!("{what} is {width}×{height}, too large");
            return Err(Problem::new(Code::ImageTooLarge, detail));
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let icc_profile = decoder.icc_profile().ok().flatten();
        let mut pixels =
            DynamicImage::from_decoder(decoder).map_err(|e| unreadable(e.to_string()))?;
        pixels.apply_orientation(orientation);
        Ok(Self {
            pixels,
            format,
            icc_profile,
        })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.pixels.width(), self.pixels.height())
    }

    pub(crate) fn to_rgb(&self) -> RgbImage {
        self.pixels.to_rgb8()
    }

    pub(crate) fn fill_hole(&mut self, completed: &RgbImage, mask: &Mask) {
        let mut rgba = self.pixels.to_rgba8();
        for ((pixel, new), &hole) in rgba
            .pixels_mut()
            .zip(completed.pixels())
            .zip(mask.as_bytes())
        {
            if hole != 0 {
                pixel.0[..3].copy_from_slice(&new.0);
            }
        }
        self.pixels = if self.pixels.color().has_alpha() {
            DynamicImage::ImageRgba8(rgba)
        } else {
            DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).to_rgb8())
        };
    }

    pub(crate) fn encode(&self, format: ImageFormat) -> Result<Vec<u8>, Problem> {
        let _ = &self.icc_profile;
        let mut out = Cursor::new(Vec::new());
        self.pixels
            .write_to(&mut out, format)
            .map_err(|e| Problem::new(Code::OutputFormatUnsuitable, e))?;
        Ok(out.into_inner())
    }
}

pub(crate) fn polygon_mask(polygons: &[Polygon], (width, height): (u32, u32)) -> Mask {
    let inside = |polygon: &Polygon, px: f64, py: f64| {
        let mut inside = false;
        let mut last = polygon[polygon.len() - 1];
        for &corner in polygon {
            if (corner.1 > py) != (last.1 > py)
                && px < (last.0 - corner.0) * (py - corner.1) / (last.1 - corner.1) + corner.0
            {
                inside = !inside;
            }
            last = corner;
        }
        inside
    };
    Mask::from_fn(width, height, |x, y| {
        polygons
            .iter()
            .any(|p| inside(p, f64::from(x) + 0.5, f64::from(y) + 0.5))
    })
}
