//! What can go wrong with a file, and what is lost without being wrong.

use crate::format::name_of;
use crate::tiff_file;
use image::error::UnsupportedErrorKind;
use image::{ImageError, ImageFormat};
use inpaint_core::Size;
use std::fmt;

/// Why a file cannot be used or made.
///
/// The messages begin with the verb, so that the caller puts the name before them:
/// `format!("photo.jpg {error}")`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhotoError {
    /// No bytes.
    #[error("is empty")]
    Empty,
    /// Bytes of no known format.
    #[error("is in no format that can be read ({})", crate::READABLE)]
    UnknownFormat,
    /// A picture in a format that is known and not read, or of a kind that is not.
    #[error("is {}; {advice}", unreadable(.format, .kind.as_deref()))]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// The kind, if others of the format are read.
        kind: Option<String>,
        /// What to do.
        advice: &'static str,
    },
    /// A JPEG file that ends before its picture does.
    #[error("is truncated: the JPEG data ends before the picture does; copy the file again")]
    Truncated,
    /// The decoder gave up.
    #[error("cannot be decoded; the file may be damaged or incomplete: {source}")]
    Damaged {
        /// What the decoder says.
        source: ImageError,
    },
    /// More pixels than [`Limits::max_pixels`](crate::Limits::max_pixels).
    #[error("has {size} pixels, more than the limit of {}", Megapixels(*.max_pixels))]
    TooManyPixels {
        /// Size of the picture.
        size: Size,
        /// The limit.
        max_pixels: u64,
    },
    /// A side longer than [`Limits::max_side`](crate::Limits::max_side).
    #[error("has {size} pixels, more than the limit of {max_side} per side")]
    TooLong {
        /// Size of the picture.
        size: Size,
        /// The limit.
        max_side: u32,
    },
    /// The mask does not lie on the photo.
    #[error("is {mask}, the photo is {photo}; {}", mask_advice(*.turned))]
    MaskSize {
        /// Size of the mask.
        mask: Size,
        /// Size of the photo as it is shown.
        photo: Size,
        /// Whether the mask has the size of the photo as it is stored.
        turned: bool,
    },
    /// The mask has the colours of a photo.
    #[error(
        "looks like a photo, not like a mask: paint white what is to be filled, and the rest black \
         (or make the part transparent); if every brightness is meant, say from which on it is white \
         (--mask-threshold)"
    )]
    MaskIsPhoto,
    /// The photo has no transparent part that could be the hole.
    #[error("has no transparency, so there is no transparent area to fill; give a mask")]
    NoAlpha,
    /// A polygon that encloses nothing.
    #[error("has a polygon of {corners} corners; at least 3 are needed")]
    Polygon {
        /// Number of corners.
        corners: usize,
    },
    /// Pictures of this size do not exist in the output format.
    #[error(
        "has {size} pixels, but {} holds {max_side} per side at most; write PNG or TIFF",
        name_of(*.format)
    )]
    TooLongForFormat {
        /// Size of the picture.
        size: Size,
        /// The output format.
        format: ImageFormat,
        /// Longest side that it holds.
        max_side: u32,
    },
    /// A format that is not written.
    #[error("cannot be written as {}; use one of {}", name_of(*.format), crate::WRITABLE)]
    NotWritable {
        /// The format that was asked for.
        format: ImageFormat,
    },
    /// The encoder gave up.
    #[error("cannot be encoded as {}: {reason}", name_of(*.format))]
    Encode {
        /// The output format.
        format: ImageFormat,
        /// What the encoder says.
        reason: String,
    },
}

impl PhotoError {
    /// Whether the limits refused the picture, so that a higher one would admit it.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TooManyPixels { .. } | Self::TooLong { .. })
    }

    /// What a decoder says about a file of this format: whoever has a whole file of a rare kind
    /// must not be told that it is damaged.
    pub(crate) fn decode(file: &[u8], format: ImageFormat, source: ImageError) -> Self {
        let ImageError::Unsupported(unsupported) = &source else {
            return Self::Damaged { source };
        };
        let kind = match (unsupported.kind(), format) {
            (UnsupportedErrorKind::GenericFeature(feature), _) => feature,
            (_, ImageFormat::Tiff) => tiff_file::kind(file).unwrap_or(unsupported.to_string()),
            _ => unsupported.to_string(),
        };
        Self::unsupported(format, kind)
    }

    pub(crate) fn unsupported(format: ImageFormat, kind: String) -> Self {
        Self::Unsupported {
            format: name_of(format),
            kind: Some(kind),
            advice: match format {
                ImageFormat::Tiff => "convert it to PNG or to an uncompressed RGB TIFF",
                ImageFormat::Jpeg => "convert it to PNG or to a baseline JPEG of 8 bits",
                _ => "convert it to PNG",
            },
        }
    }

    pub(crate) fn encode(format: ImageFormat, reason: impl fmt::Display) -> Self {
        Self::Encode {
            format,
            reason: reason.to_string(),
        }
    }
}

fn unreadable(format: &str, kind: Option<&str>) -> String {
    match kind {
        None => format!("{format}, which cannot be read"),
        Some(kind) => format!("a {format} of a kind that cannot be read ({kind})"),
    }
}

fn mask_advice(turned: bool) -> &'static str {
    if turned {
        "the photo is stored turned (EXIF orientation); draw the mask on the picture as it is shown"
    } else {
        "a mask needs the photo's exact size"
    }
}

/// Pixels in words that people use for pictures.
struct Megapixels(u64);

impl fmt::Display for Megapixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000_000) {
            write!(f, "{} megapixels", self.0 / 1_000_000)
        } else {
            write!(f, "{:.1} megapixels", self.0 as f64 / 1e6)
        }
    }
}

/// What the result cannot hold of the input, or what the user may want to do better.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The output format has no alpha, and the picture is laid over the background colour.
    AlphaDropped,
    /// Samples above 1 or below 0 that the output format does not hold.
    Clipped {
        /// The output format.
        format: ImageFormat,
    },
    /// The output format has fewer bits per sample.
    BitsReduced {
        /// Bits per sample in the input.
        from: u16,
        /// Bits per sample in the output.
        to: u16,
        /// The output format.
        format: ImageFormat,
    },
    /// The colour profile describes another kind of picture than the output is.
    ProfileOfOtherKind,
    /// Metadata that the output format has no place for.
    MetadataDropped {
        /// Which, in words.
        what: &'static str,
        /// The output format.
        format: ImageFormat,
    },
    /// What would still show the picture as it was, or announces something that is not there.
    NotKept {
        /// Which, in words.
        what: String,
    },
    /// The colour of what is in the hole reaches beyond it.
    TintedRim {
        /// How far, in pixels.
        px: u32,
    },
    /// Only the first picture of an animation or of several pages is kept.
    FirstPictureOnly,
    /// CMYK samples became RGB.
    CmykConverted {
        /// Whether that was done by the picture's own profile.
        managed: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlphaDropped => f.write_str(
                "JPEG holds no transparency, so the picture is laid over the background \
                     colour; write .png, .webp or .tif to keep it",
            ),
            Self::Clipped { format } => write!(
                f,
                "values below 0 or above 1 are cut off: {} holds none",
                name_of(*format)
            ),
            Self::BitsReduced { from, to, format } => write!(
                f,
                "{from} bits per sample become {to}: {} holds no more",
                name_of(*format)
            ),
            Self::ProfileOfOtherKind => {
                f.write_str("the colour profile is left out: it is for another kind of picture")
            }
            Self::MetadataDropped { what, format } => {
                write!(f, "{what} left out: {} holds none", name_of(*format))
            }
            Self::NotKept { what } => write!(
                f,
                "not kept, because it may show what was taken out: {what}"
            ),
            Self::TintedRim { px } => write!(
                f,
                "the colour of what is taken out reaches about {px} px beyond the mask; the \
                 filling does not follow it, but these pixels stay as they are (--grow {px} takes \
                 them in)"
            ),
            Self::FirstPictureOnly => f.write_str(
                "the file holds several pictures (pages or frames); only the first is kept",
            ),
            Self::CmykConverted { managed: true } => f.write_str(
                "the picture is CMYK; the result is sRGB, converted by the picture's own profile",
            ),
            Self::CmykConverted { managed: false } => f.write_str(
                "the picture is CMYK without a profile that can be used; the result is RGB, and \
                 its colours are a guess",
            ),
        }
    }
}
