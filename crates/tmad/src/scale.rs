//! Pictures with holes at other scales.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use inpaint_core::image::Rgb;
use inpaint_core::{InpaintError, Mask, RgbImage, composite};

/// A picture with its hole at some scale.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// The picture; what it shows inside the hole has no meaning.
    pub image: RgbImage,
    /// Its hole.
    pub mask: Mask,
}

/// Reduces by a whole factor: a pixel is the mean of the known pixels that it stands for, and
/// belongs to the hole if any of them does, so that the enlarged result covers the hole.
pub fn reduce(full: &Scaled, factor: u32) -> Scaled {
    let (width, height) = full.image.dimensions();
    let (small_width, small_height) = (width.div_ceil(factor), height.div_ceil(factor));
    let mask = Mask::from_fn(small_width, small_height, |x, y| {
        cells(x, y, factor, width, height).any(|(x, y)| full.mask.is_hole(x, y))
    });
    let image = RgbImage::from_fn(small_width, small_height, |x, y| {
        let mut sums = [0u32; 3];
        let mut count = 0;
        for (x, y) in cells(x, y, factor, width, height) {
            if !full.mask.is_hole(x, y) {
                count += 1;
                let pixel = full.image.get_pixel(x, y);
                for (sum, &value) in sums.iter_mut().zip(&pixel.0) {
                    *sum += u32::from(value);
                }
            }
        }
        match count {
            0 => Rgb([127; 3]),
            _ => Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8)),
        }
    });
    Scaled { image, mask }
}

/// A picture without a hole, reduced by a whole factor.
pub fn reduce_whole(image: &RgbImage, factor: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let whole = Scaled {
        image: image.clone(),
        mask: Mask::new(width, height),
    };
    reduce(&whole, factor).image
}

/// The whole factor by which a region is reduced until its hole is no wider than `trained_hole_px`
/// or so, that is, as wide as a network knows holes from its training.
pub fn reduction(region: &Scaled, trained_hole_px: u32) -> u32 {
    let thickness = f64::from(region.mask.hole_thickness()) / f64::from(trained_hole_px);
    thickness.round().max(1.0) as u32
}

/// Least share of the picture's own detail that a guess with such detail has.
const LEAST_DETAIL: f64 = 0.2;

/// The size in pixels, a power of two up to 32, of the finest detail of a guess of the region's
/// size: in the octaves that are finer, it has less than [`LEAST_DETAIL`] of the energy of the known
/// pixels. 1 if they have none to compare with.
///
/// # Errors
///
/// As [`enlarge`].
pub fn detail_px(region: &Scaled, guess: &RgbImage) -> Result<u32, InpaintError> {
    let (width, height) = guess.dimensions();
    let mut finer = composite(&region.image, guess, &region.mask)?;
    for detail_px in [1, 2, 4, 8, 16] {
        let coarser = enlarge(&reduce_whole(&finer, 2 * detail_px), width, height)?;
        let [mut known, mut hole] = [(0.0, 0u32); 2];
        let pairs = finer.enumerate_pixels().zip(coarser.pixels());
        for ((x, y, a), b) in pairs {
            let squares = [0, 1, 2].map(|c| f64::from(a[c].abs_diff(b[c])).powi(2));
            let (sum, count) = match region.mask.is_hole(x, y) {
                true => &mut hole,
                false => &mut known,
            };
            *sum += squares.iter().sum::<f64>();
            *count += 1;
        }
        let [known, hole] = [known, hole].map(|(sum, count)| sum / f64::from(count.max(1)));
        if hole >= LEAST_DETAIL * known {
            return Ok(detail_px);
        }
        finer = coarser;
    }
    Ok(32)
}

/// own + (after − before).
pub fn with_change(own: &RgbImage, before: &RgbImage, after: &RgbImage) -> RgbImage {
    let mut sum = own.clone();
    let changes = before.iter().zip(after.iter());
    for (value, (&before, &after)) in sum.iter_mut().zip(changes) {
        let changed = i16::from(*value) + i16::from(after) - i16::from(before);
        *value = changed.clamp(0, 255) as u8;
    }
    sum
}

/// The pixels that pixel (`x`, `y`) stands for.
fn cells(x: u32, y: u32, factor: u32, width: u32, height: u32) -> impl Iterator<Item = (u32, u32)> {
    let columns = x * factor..((x + 1) * factor).min(width);
    (y * factor..((y + 1) * factor).min(height))
        .flat_map(move |y| columns.clone().map(move |x| (x, y)))
}

/// Enlarges with a bicubic filter.
///
/// # Errors
///
/// [`InpaintError::Method`] if the resizer refuses the sizes, which it does for none that a
/// picture can have.
pub fn enlarge(small: &RgbImage, width: u32, height: u32) -> Result<RgbImage, InpaintError> {
    let mut out = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new()
        .resize(small, &mut out, &options)
        .map_err(InpaintError::method)?;
    Ok(RgbImage::from_raw(width, height, out.into_vec())
        .expect("the buffer has the size asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduction_averages_known_pixels_only() {
        let mut image = RgbImage::from_pixel(4, 2, Rgb([10, 20, 30]));
        image.put_pixel(0, 0, Rgb([255; 3]));
        image.put_pixel(3, 1, Rgb([20, 30, 40]));
        let mut mask = Mask::new(4, 2);
        mask.set(0, 0, true);
        let small = reduce(&Scaled { image, mask }, 2);
        assert_eq!(small.image.dimensions(), (2, 1));
        assert_eq!(small.image.get_pixel(0, 0).0, [10, 20, 30]);
        assert_eq!(small.image.get_pixel(1, 0).0, [13, 23, 33]);
        assert!(small.mask.is_hole(0, 0) && !small.mask.is_hole(1, 0));
    }

    #[test]
    fn changes_are_added_and_clamped() {
        let plain = |value: u8| RgbImage::from_pixel(2, 1, Rgb([value, 250, 3]));
        let sum = with_change(&plain(100), &plain(40), &plain(70));
        assert_eq!(sum.get_pixel(1, 0).0, [130, 250, 3]);
        let dark = RgbImage::from_pixel(1, 1, Rgb([0; 3]));
        let bright = RgbImage::from_pixel(1, 1, Rgb([255; 3]));
        assert_eq!(with_change(&bright, &dark, &bright), bright);
        assert_eq!(with_change(&dark, &bright, &dark), dark);
    }

    #[test]
    fn an_enlarged_guess_has_detail_of_the_size_that_it_was_enlarged_by() {
        let mut random = inpaint_core::random::Random::new(6);
        let image = RgbImage::from_fn(128, 96, |_, _| Rgb([(255.0 * random.unit()) as u8; 3]));
        let mask = Mask::from_fn(128, 96, |x, y| x.abs_diff(64) < 30 && y.abs_diff(48) < 30);
        let region = Scaled { image, mask };
        assert_eq!(detail_px(&region, &region.image).unwrap(), 1);
        for factor in [2, 4, 8] {
            let guess = enlarge(&reduce_whole(&region.image, factor), 128, 96).unwrap();
            assert_eq!(detail_px(&region, &guess).unwrap(), factor);
        }
        let flat = Scaled {
            image: RgbImage::new(128, 96),
            mask: region.mask,
        };
        assert_eq!(detail_px(&flat, &flat.image).unwrap(), 1);
    }

    #[test]
    fn odd_sizes_round_up() {
        let image = RgbImage::from_pixel(5, 3, Rgb([1, 2, 3]));
        let small = reduce(
            &Scaled {
                mask: Mask::new(5, 3),
                image,
            },
            2,
        );
        assert_eq!(small.image.dimensions(), (3, 2));
        assert!(small.image.pixels().all(|p| p.0 == [1, 2, 3]));
        let large = enlarge(&small.image, 5, 3).unwrap();
        assert_eq!(large.dimensions(), (5, 3));
    }
}
