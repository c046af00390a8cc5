//! Seeded masks for training and for repeatable evaluation.
//!
//! Same generator, size and seed: same mask, on every machine. The real
//! functions beyond sums, products and roots come from `libm` rather than from
//! the platform.

mod free_form;
mod object;
mod rectangle;
mod shape;

pub use free_form::FreeFormMask;
pub use object::ObjectMask;
pub use rectangle::{RectangleMask, centre_rectangle};

use crate::Mask;

/// Draws masks.
pub trait MaskGenerator: Send + Sync {
    /// The mask of `seed` for an image of `width` × `height` pixels; its
    /// [`Mask::hole_area`] and [`Mask::hole_fraction`] tell how much it hides.
    fn generate(&self, width: u32, height: u32, seed: u64) -> Mask;
}

/// `pixels` of a side of `reference` pixels, scaled to `side` and rounded.
fn scaled(pixels: u32, side: u32, reference: u32) -> u32 {
    let reference = u64::from(reference.max(1));
    let scaled = (u64::from(pixels) * u64::from(side) + reference / 2) / reference;
    scaled.min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
pub(crate) fn fingerprint(mask: &Mask) -> u64 {
    // FNV-1a.
    mask.as_bytes()
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
}
