//! Fills the centre of every image of a folder and prints mean quality and
//! time: `cargo run --release -p inpaint-core --example measure -- FOLDER`.
//!
//! Protocol: short side resized to 256 with an area filter, centre crop of
//! 256 × 256, hole of 128 × 128 in the middle. A second argument names a
//! folder for the filled images.

use std::error::Error;
use std::time::{Duration, Instant};

use inpaint_core::image::{self, Rgb, RgbImage, imageops};
use inpaint_core::mask_generator::centre_rectangle;
use inpaint_core::metrics::{
    Region, SlicedWasserstein, SlicedWassersteinOptions, psnr, ssim, total_variation,
};
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, Inpainter};

const SIDE: u32 = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().ok_or("usage: measure FOLDER [OUT]")?;
    let out = arguments.next().map(std::path::PathBuf::from);
    let mut paths: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let extension = path.extension().and_then(|e| e.to_str());
            extension.is_some_and(|e| ["png", "jpg", "jpeg"].contains(&e))
        })
        .collect();
    paths.sort();
    let method = PatchMatch::default();
    let mask = centre_rectangle(SIDE, SIDE);
    let hole = Region::Hole(&mask);
    let mut sums = [0.0; 5];
    let mut time = Duration::ZERO;
    let mut swd = SlicedWasserstein::new(SlicedWassersteinOptions::default());
    for path in &paths {
        let reference = centre_square(&image::open(path)?.to_rgb8());
        let start = Instant::now();
        let filled = method.inpaint(&reference, &mask, &Control::default())?;
        time += start.elapsed();
        let scores = [
            psnr(&reference, &filled, hole)?,
            ssim(&reference, &filled, Region::Whole)?,
            ssim(&reference, &filled, hole)?,
            total_variation(&filled, hole)?,
            total_variation(&reference, hole)?,
        ];
        for (sum, score) in sums.iter_mut().zip(scores) {
            *sum += score;
        }
        swd.add(&reference, &filled, hole)?;
        if let (Some(out), Some(name)) = (&out, path.file_stem()) {
            std::fs::create_dir_all(out)?;
            filled.save(out.join(name).with_extension("png"))?;
        }
    }
    let n = paths.len() as f64;
    let [psnr, ssim, hole_ssim, tv, reference_tv] = sums.map(|sum| sum / n);
    println!("images             {}", paths.len());
    println!("PSNR, hole         {psnr:.3} dB");
    println!("SSIM, whole        {ssim:.4}");
    println!("SSIM, hole         {hole_ssim:.4}");
    println!("TV, hole           {tv:.2} (originals: {reference_tv:.2})");
    println!("SWD, hole          {:.1}", swd.finish()?.mean);
    println!("seconds per image  {:.3}", time.as_secs_f64() / n);
    Ok(())
}

/// Area-resizes the short side and crops the centre.
fn centre_square(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let short = width.min(height);
    let scale = |side: u32| (f64::from(side) * f64::from(SIDE) / f64::from(short)).round() as u32;
    let small = area_resize(image, scale(width), scale(height));
    let (x, y) = ((small.width() - SIDE) / 2, (small.height() - SIDE) / 2);
    imageops::crop_imm(&small, x, y, SIDE, SIDE).to_image()
}

/// Mean over the exact area that each new pixel covers.
fn area_resize(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let overlaps = |old: u32, new: u32| -> Vec<Vec<(u32, f64)>> {
        let ratio = f64::from(old) / f64::from(new);
        let span = |i: u32| {
            let (from, to) = (f64::from(i) * ratio, f64::from(i + 1) * ratio);
            (from as u32..(to.ceil() as u32).min(old))
                .map(|j| {
                    (
                        j,
                        (to.min(f64::from(j + 1)) - from.max(f64::from(j))) / ratio,
                    )
                })
                .collect()
        };
        (0..new).map(span).collect()
    };
    let (columns, rows) = (
        overlaps(image.width(), width),
        overlaps(image.height(), height),
    );
    RgbImage::from_fn(width, height, |x, y| {
        let mut sum = [0.0; 3];
        for &(v, wy) in &rows[y as usize] {
            for &(u, wx) in &columns[x as usize] {
                for (sum, &value) in sum.iter_mut().zip(&image.get_pixel(u, v).0) {
                    *sum += wx * wy * f64::from(value);
                }
            }
        }
        Rgb(sum.map(|value| value.round() as u8))
    })
}
