//! Bounds on what is decoded: a few bytes can claim to be a picture that fills the memory.

use crate::PhotoError;

/// The largest pictures that are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels.
    pub max_pixels: u64,
    /// Longest side in pixels; `None` for no bound but `max_pixels`.
    pub max_side: Option<u32>,
    /// Most bytes that a decoder may allocate; `None` for what `max_pixels` need.
    pub max_alloc: Option<u64>,
}

impl Limits {
    /// A bound in millions of pixels alone.
    pub fn megapixels(megapixels: u32) -> Self {
        Self {
            max_pixels: u64::from(megapixels) * 1_000_000,
            max_side: None,
            max_alloc: None,
        }
    }

    /// # Errors
    ///
    /// [`PhotoError::TooManyPixels`] or [`PhotoError::TooLong`].
    pub(crate) fn check(&self, (width, height): (u32, u32)) -> Result<(), PhotoError> {
        let size = (width, height).into();
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(PhotoError::TooManyPixels {
                size,
                max_pixels: self.max_pixels,
            });
        }
        match self.max_side {
            Some(max_side) if width.max(height) > max_side => {
                Err(PhotoError::TooLong { size, max_side })
            }
            _ => Ok(()),
        }
    }

    /// For the decoders.
    pub(crate) fn for_decoder(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        // 16-bit RGBA once for the picture, and as much again for what the decoder needs.
        let needed = self.max_pixels.saturating_mul(16).max(64 << 20);
        limits.max_alloc = Some(self.max_alloc.unwrap_or(needed));
        limits
    }
}

impl Default for Limits {
    /// 200 megapixels.
    fn default() -> Self {
        Self::megapixels(200)
    }
}
