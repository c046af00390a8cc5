//! Is a filled hole as sharp as what surrounds it?
//!
//! ```sh
//! cargo run --release -p tmad-cli --example sharpness -- mask.png filled.jpg …
//! ```
//!
//! Prints, for every result, the gradient energy (mean square of the brightness's differences) of
//! the hole's inner part over that of the band around the hole. 1 is as sharp as the band, 0 is
//! flat. Beside it stands what is left of it if the result had been made at 512 pixels and scaled
//! up, as many tools do. Only where hole and band show the same kind of texture does the number
//! mean anything.

use image::RgbImage;
use image::imageops::{self, FilterType};
use inpaint_core::{Mask, composite};
use inpaint_photo::{Limits, MaskOptions, Photo, read_mask};
use std::env;
use std::error::Error;

/// The long side that other tools work at.
const SMALL_PX: u32 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mask_name = arguments.next().ok_or("usage: sharpness MASK RESULT…")?;
    let mask_file = std::fs::read(mask_name)?;
    println!("ratio  scaled up from {SMALL_PX} px");
    for name in arguments {
        let limits = Limits::default();
        let photo = Photo::decode(&std::fs::read(&name)?, &limits)?;
        let hole = read_mask(&mask_file, &MaskOptions::default(), &photo, &limits)?;
        let mask = hole.mask();
        let picture = photo.to_rgb();
        let blurred = composite(&picture, &scaled_up(&picture), mask)?;
        let (sharpness, of_blurred) = (sharpness(&picture, mask), sharpness(&blurred, mask));
        println!("{sharpness:5.2}  {of_blurred:5.2}  {name}");
    }
    Ok(())
}

/// The picture as it looks after a way through a small one.
fn scaled_up(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let factor = f64::from(SMALL_PX) / f64::from(width.max(height));
    let side = |px: u32| (f64::from(px) * factor).round().max(1.0) as u32;
    let small = imageops::resize(picture, side(width), side(height), FilterType::Triangle);
    imageops::resize(&small, width, height, FilterType::CatmullRom)
}

/// Gradient energy of the hole's inner part over that of the band around it.
fn sharpness(picture: &RgbImage, mask: &Mask) -> f64 {
    let thickness = mask.hole_thickness();
    // The rim itself is left out on both sides.
    let outer = mask.dilated((thickness / 4).max(16));
    let (rim, inner) = (mask.dilated(2), mask.inverted().dilated(thickness / 8 + 2));
    let of_hole = gradient_energy(picture, |x, y| !inner.is_hole(x, y));
    let of_band = gradient_energy(picture, |x, y| outer.is_hole(x, y) && !rim.is_hole(x, y));
    of_hole / of_band
}

fn gradient_energy(picture: &RgbImage, is_counted: impl Fn(u32, u32) -> bool) -> f64 {
    let brightness = |x, y| {
        let [r, g, b] = picture.get_pixel(x, y).0.map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b
    };
    let (mut sum, mut count) = (0.0, 0u64);
    for y in 0..picture.height().saturating_sub(1) {
        for x in (0..picture.width().saturating_sub(1)).filter(|&x| is_counted(x, y)) {
            let here = brightness(x, y);
            let across = brightness(x + 1, y) - here;
            let down = brightness(x, y + 1) - here;
            sum += across * across + down * down;
            count += 1;
        }
    }
    sum / count as f64
}
