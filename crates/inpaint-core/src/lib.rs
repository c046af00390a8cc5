//! Images, masks and the classical side of inpainting.
//!
//! A *mask* marks the *hole*: `1` (white) is a pixel to fill, `0` (black) a
//! known pixel. Whatever fills a hole is an [`Inpainter`]; whatever it
//! returns carries the input's own bytes at every known pixel.
//!
//! ```
//! use inpaint_core::{Control, Inpainter, Mask, RgbImage};
//! # use inpaint_core::InpaintError;
//! # struct Grey;
//! # impl Inpainter for Grey {
//! #     fn name(&self) -> &str { "grey" }
//! #     fn inpaint(&self, image: &RgbImage, mask: &Mask, _: &Control) -> Result<RgbImage, InpaintError> {
//! #         let grey = RgbImage::from_pixel(image.width(), image.height(), image::Rgb([127; 3]));
//! #         inpaint_core::composite(image, &grey, mask)
//! #     }
//! # }
//! # fn main() -> Result<(), InpaintError> {
//! let photo = RgbImage::new(64, 48);
//! let mask = Mask::from_fn(64, 48, |x, y| x > 20 && x < 40 && y > 10 && y < 30);
//! let filled = Grey.inpaint(&photo, &mask, &Control::default())?;
//! assert_eq!(filled.dimensions(), (64, 48));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod composite;
mod distance;
mod error;
mod explanation;
mod figure;
mod groups;
mod inpainter;
mod mask;
pub mod mask_generator;
mod membrane;
pub mod metrics;
pub mod patchmatch;
pub mod random;
pub mod scene;
mod selection;
mod telea;

pub use composite::{check_sizes, composite};
pub use error::{InpaintError, Size};
pub use explanation::{
    ExplainedCandidate, ExplainedPatch, Explanation, Origin, OriginKind, Square, TextureMethod,
};
pub use figure::figure;
pub use groups::{HoleGroup, hole_blocks, hole_groups};
pub use image;
pub use image::{GrayImage, RgbImage};
pub use inpainter::{Control, Inpainter, ProgressCallback};
pub use mask::{Mask, Rect};
pub use membrane::{fill_membrane, membrane};
pub use selection::select_object;
pub use telea::Telea;
