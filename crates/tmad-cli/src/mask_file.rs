//! Reading masks: white is the hole.

use crate::photo::Photo;
use anyhow::{Context, Result, bail};
use clap::Args;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, Luma};
use inpaint_core::{Mask, Size};
use std::path::{Path, PathBuf};

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
    pub fn read(&self, photo: &Photo, max_megapixels: u32) -> Result<Mask> {
        let file = Photo::read(&self.mask, max_megapixels).context("the mask cannot be used")?;
        check_size(&self.mask, &file, photo)?;
        let mut mask = Mask::from_gray(&brightness(&file.pixels), self.mask_threshold);
        if self.invert_mask {
            mask = mask.inverted();
        }
        Ok(mask.dilated(self.grow))
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

/// Grey values; what is transparent is black.
fn brightness(pixels: &DynamicImage) -> GrayImage {
    if !pixels.color().has_alpha() {
        return pixels.to_luma8();
    }
    let pixels = pixels.to_luma_alpha8();
    GrayImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [grey, alpha] = pixels.get_pixel(x, y).0.map(u16::from);
        Luma([((grey * alpha + 127) / 255) as u8])
    })
}

fn check_size(path: &Path, mask: &Photo, photo: &Photo) -> Result<()> {
    let (width, height) = photo.dimensions();
    if mask.dimensions() == (width, height) {
        return Ok(());
    }
    let is_turned = matches!(
        photo.orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let advice = if is_turned && mask.dimensions() == (height, width) {
        "the photo is stored turned (EXIF orientation); draw the mask on the picture as it is shown"
    } else {
        "a mask needs the photo's exact size"
    };
    bail!(
        "mask {} is {}, the photo is {}; {advice}",
        path.display(),
        Size::from(mask.dimensions()),
        Size::from((width, height)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    #[test]
    fn transparent_is_black_whatever_its_colour() {
        let mut pixels = RgbaImage::from_pixel(3, 1, Rgba([255, 255, 255, 0]));
        pixels.put_pixel(1, 0, Rgba([255; 4]));
        pixels.put_pixel(2, 0, Rgba([0, 0, 0, 255]));
        assert_eq!(brightness(&pixels.into()).as_raw(), &[0, 255, 0]);
    }
}
