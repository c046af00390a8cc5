//! Picture files for inpainting: bytes in, bytes out.
//!
//! A [`Photo`] is decoded as people see it, its hole is filled, and it is encoded again with
//! everything that belongs to it: depth, alpha, colour profile, EXIF, XMP, density. A [`Hole`]
//! comes from a mask file, from the photo's own transparency, or from shapes. There is no file
//! system here and no method: whatever implements [`inpaint_core::Inpainter`] does the filling.
//!
//! ```
//! use inpaint_core::{Control, Inpainter, patchmatch::PatchMatch};
//! use inpaint_photo::{EncodeOptions, Limits, MaskOptions, Photo, read_mask};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut picture = std::io::Cursor::new(Vec::new());
//! # image::RgbImage::new(24, 16).write_to(&mut picture, image::ImageFormat::Png)?;
//! # let picture = picture.into_inner();
//! # let mut mask = std::io::Cursor::new(Vec::new());
//! # let hole = |x, _| image::Luma([255 * u8::from(x > 8 && x < 12)]);
//! # image::GrayImage::from_fn(24, 16, hole).write_to(&mut mask, image::ImageFormat::Png)?;
//! # let mask = mask.into_inner();
//! let limits = Limits::default();
//! let mut photo = Photo::decode(&picture, &limits)?;
//! let hole = read_mask(&mask, &MaskOptions::default(), &photo, &limits)?;
//! let method = PatchMatch::default();
//! photo.complete(&hole, |image, mask| method.inpaint(image, mask, &Control::default()))?;
//! let encoded = photo.encode(None, &EncodeOptions::default())?;
//! assert_eq!(encoded.content_type(), "image/png");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cmyk;
mod coefficients;
mod complete;
mod encode;
mod error;
mod exif;
mod fill;
mod format;
mod hole;
mod jpeg;
mod jpeg_segments;
mod levels;
mod limits;
mod mask_meaning;
mod metadata;
mod mirror;
mod photo;
mod photoshop;
mod pictures;
mod png_chunks;
mod rim;
mod tiff_file;
mod webp_file;
mod xmp;

pub use encode::{EncodeOptions, Encoded};
pub use error::{PhotoError, Warning};
pub use format::{READABLE, WRITABLE, content_type, format_of, format_of_extension, name_of};
pub use hole::{Hole, MaskOptions, Shape, alpha_mask, num_half_transparent, read_mask};
pub use image::ImageFormat;
pub use limits::Limits;
pub use mask_meaning::MaskNote;
pub use photo::Photo;
