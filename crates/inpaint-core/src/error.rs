//! The errors of this crate.

use std::fmt;

/// Width × height in pixels, as error messages print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels per row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl From<(u32, u32)> for Size {
    fn from((width, height): (u32, u32)) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// Why an inpainting or a measurement could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InpaintError {
    /// The mask does not belong to the image.
    #[error("mask is {mask}, image is {image}")]
    MaskSize {
        /// Size of the mask.
        mask: Size,
        /// Size of the image.
        image: Size,
    },
    /// Two images that are compared or combined differ in size.
    #[error("completed image is {completed}, reference image is {reference}")]
    ImageSize {
        /// Size of the completed image.
        completed: Size,
        /// Size of the image it is compared or combined with.
        reference: Size,
    },
    /// A buffer does not hold one byte per pixel.
    #[error("mask buffer holds {actual} bytes, a {size} mask needs {expected}")]
    MaskBuffer {
        /// Bytes handed in.
        actual: usize,
        /// Bytes needed.
        expected: usize,
        /// Size of the mask.
        size: Size,
    },
    /// The mask leaves no known pixel to copy from.
    #[error(
        "the mask covers all of the {size} image, so nothing is left to fill the hole from; \
         leave part of the image unmasked, or invert the mask if white marks what to keep"
    )]
    NoKnownPixels {
        /// Size of the image.
        size: Size,
    },
    /// The image is too small for a measurement.
    #[error("{metric} needs at least {minimum} pixels on each side, image is {size}")]
    TooSmall {
        /// Name of the metric.
        metric: &'static str,
        /// Smallest side that works.
        minimum: u32,
        /// Size of the image.
        size: Size,
    },
    /// A measurement over the hole was asked for, and no pixel counts.
    #[error("{metric} has no pixel to measure: {reason}")]
    EmptyRegion {
        /// Name of the metric.
        metric: &'static str,
        /// What is empty.
        reason: &'static str,
    },
    /// A setting lies outside its range.
    #[error("{name} is {value}, allowed is {allowed}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Value handed in.
        value: String,
        /// Allowed values in words.
        allowed: &'static str,
    },
    /// The caller cancelled the work through its [`Control`](crate::Control).
    #[error("cancelled")]
    Cancelled,
    /// An [`Inpainter`](crate::Inpainter) outside this crate failed.
    #[error("{0}")]
    Method(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl InpaintError {
    /// Wraps the error of an [`Inpainter`](crate::Inpainter) outside this crate.
    pub fn method(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Method(error.into())
    }
}
