//! Reading masks: white is the hole.

use crate::photo::{about, read_picture_file};
use anyhow::{Context, Result};
use clap::Args;
use inpaint_photo::{Hole, Limits, MaskOptions, Photo, read_mask};
use std::path::PathBuf;

/// Where the hole is.
#[derive(Debug, Args)]
pub struct MaskArgs {
    /// Mask: a picture of the photo's size; white is filled, black is kept
    #[arg(short, long, value_name = "FILE")]
    mask: PathBuf,
    /// Fill the black parts of the mask and keep the white ones
    #[arg(long)]
    invert_mask: bool,
    /// Brightness from which on a pixel of the mask is white
    #[arg(long, value_name = "T", default_value_t = 128, value_parser = clap::value_parser!(u8).range(1..))]
    mask_threshold: u8,
    /// Enlarge the hole by this many pixels, to take in soft edges and shadows
    #[arg(long, value_name = "PX", default_value_t = 0)]
    grow: u32,
}

impl MaskArgs {
    /// The hole in `photo`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is of another size than the photo.
    pub fn read(&self, photo: &Photo, limits: &Limits) -> Result<Hole> {
        let options = MaskOptions {
            invert: self.invert_mask,
            threshold: self.mask_threshold,
            grow_px: self.grow,
            ..MaskOptions::default()
        };
        let bytes = read_picture_file(&self.mask).context("the mask cannot be used")?;
        let name = format!("mask {}", self.mask.display());
        read_mask(&bytes, &options, photo, limits).map_err(|error| about(name, &error))
    }

    /// What to try if the mask marks the wrong part.
    pub fn inversion_hint(&self) -> &'static str {
        if self.invert_mask {
            "leave out --invert-mask if white marks what is to be filled"
        } else {
            "add --invert-mask if white marks what is to be kept"
        }
    }
}
