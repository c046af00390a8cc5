//! Filling a photo by a method: what the method is given, and what is taken from it.

use crate::levels::{Levels, on_levels};
use crate::{Hole, Photo, Warning, mirror, rim};
use image::DynamicImage;
use inpaint_core::{InpaintError, Mask, RgbImage};
use std::borrow::Cow;

impl Photo {
    /// Fills the hole by `method`, which gets the picture in 8 bits and a mask, and gives the
    /// completed picture.
    ///
    /// Pixels that nobody sees, because they are transparent altogether, show the method what lies
    /// beside them, mirrored: what colour they have is chance. Samples of more than 8 bits are shown
    /// to the method on the levels that the picture uses, and the hole gets samples without the
    /// steps of 8 bits. Outside the hole nothing changes, as in [`Self::fill_hole`].
    ///
    /// Where the colour of what is in the hole reaches beyond it, the pixels that it reaches are no
    /// source either, but part of that mask, and [`Warning::TintedRim`] says so.
    ///
    /// # Errors
    ///
    /// Those of the method, and of [`Self::fill_hole`].
    pub fn complete<E: From<InpaintError>>(
        &mut self,
        hole: &Hole,
        method: impl FnOnce(&RgbImage, &Mask) -> Result<RgbImage, E>,
    ) -> Result<(), E> {
        self.check_size(hole)?;
        let levels = Levels::of(self.pixels(), hole);
        let mut image = if levels == Levels::FULL {
            self.to_rgb()
        } else {
            Cow::Owned(on_levels(self.pixels(), levels))
        };
        let hidden = hidden(self.pixels());
        let tinted_px = rim::tinted_px(&image, hole.mask(), hidden.as_ref());
        let grown = (tinted_px > 0).then(|| hole.mask().dilated(tinted_px));
        // Nothing would be left to fill from.
        let grown = grown.filter(|grown| !grown.is_full());
        let mask = grown.as_ref().unwrap_or(hole.mask());
        if let Some(hidden) = &hidden {
            mirror::into_hidden(image.to_mut(), hidden, mask);
        }
        let completed = method(&image, mask)?;
        drop(image);
        if grown.is_some() {
            self.warn(Warning::TintedRim { px: tinted_px });
        }
        self.fill_levels(&completed, hole, levels)?;
        Ok(())
    }
}

/// Pixels that are transparent altogether; `None` if there are none.
fn hidden(pixels: &DynamicImage) -> Option<Mask> {
    let (width, height) = (pixels.width(), pixels.height());
    let mask = |is_hidden: &dyn Fn(u32, u32) -> bool| Mask::from_fn(width, height, is_hidden);
    let mask = match pixels {
        DynamicImage::ImageLumaA8(pixels) => mask(&|x, y| pixels.get_pixel(x, y).0[1] == 0),
        DynamicImage::ImageRgba8(pixels) => mask(&|x, y| pixels.get_pixel(x, y).0[3] == 0),
        DynamicImage::ImageLumaA16(pixels) => mask(&|x, y| pixels.get_pixel(x, y).0[1] == 0),
        DynamicImage::ImageRgba16(pixels) => mask(&|x, y| pixels.get_pixel(x, y).0[3] == 0),
        DynamicImage::ImageRgba32F(pixels) => mask(&|x, y| pixels.get_pixel(x, y).0[3] <= 0.0),
        _ => return None,
    };
    (!mask.is_empty()).then_some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::pictures::tests::file;
    use image::{ImageFormat, Rgb, Rgba, RgbaImage};
    use inpaint_core::{Control, Inpainter, Telea, patchmatch::PatchMatch};

    fn decode(pixels: impl Into<DynamicImage>) -> Photo {
        let file = file(&pixels.into(), ImageFormat::Png);
        Photo::decode(&file, &Limits::default()).unwrap()
    }

    /// Green, and magenta where nobody sees it, with a hole at the border between them.
    fn cutout(hidden: [u8; 3]) -> (Photo, Hole) {
        let [r, g, b] = hidden;
        let pixels = RgbaImage::from_fn(60, 40, |x, y| {
            if (10..40).contains(&x) && (8..32).contains(&y) {
                Rgba([20 + x as u8, 160, 30 + (y % 4) as u8 * 20, 255])
            } else {
                Rgba([r, g, b, 0])
            }
        });
        let mask = Mask::from_fn(60, 40, |x, y| {
            (34..44).contains(&x) && (14..24).contains(&y)
        });
        (decode(pixels), mask.into())
    }

    #[test]
    fn colours_that_nobody_sees_are_no_source() {
        for method in [&Telea::default() as &dyn Inpainter, &PatchMatch::default()] {
            let fill = |hidden| {
                let (mut photo, hole) = cutout(hidden);
                let before = photo.pixels().to_rgba8();
                let control = Control::default();
                let fill = |image: &RgbImage, mask: &Mask| method.inpaint(image, mask, &control);
                photo.complete(&hole, fill).unwrap();
                let after = photo.pixels().to_rgba8();
                for (x, y, pixel) in after.enumerate_pixels() {
                    let is_hole = hole.mask().is_hole(x, y);
                    assert!(is_hole || pixel == before.get_pixel(x, y));
                    assert!(!is_hole || pixel[1] > 140, "{}: {pixel:?}", method.name());
                }
                after
                    .enumerate_pixels()
                    .filter(|p| hole.mask().is_hole(p.0, p.1))
                    .map(|p| *p.2)
                    .collect::<Vec<_>>()
            };
            assert_eq!(fill([255, 0, 255]), fill([0; 3]));
        }
    }

    #[test]
    fn what_nobody_sees_shows_what_is_beside_it() {
        let (mut photo, hole) = cutout([255, 0, 255]);
        let fill = |image: &RgbImage, mask: &Mask| {
            assert_eq!(mask, hole.mask());
            for (x, y, pixel) in image.enumerate_pixels() {
                assert!(mask.is_hole(x, y) || pixel[1] == 160, "{x}, {y}: {pixel:?}");
            }
            Ok::<_, InpaintError>(RgbImage::from_pixel(60, 40, Rgb([1, 200, 3])))
        };
        photo.complete(&hole, fill).unwrap();
        assert_eq!(
            photo.pixels().to_rgba8().get_pixel(36, 20).0,
            [1, 200, 3, 255]
        );
        // Where nothing is seen at all, there is nothing else to take.
        let mut photo = decode(RgbaImage::from_pixel(9, 9, Rgba([7, 8, 9, 0])));
        let hole = Hole::from(Mask::from_fn(9, 9, |x, _| x == 4));
        let fill = |image: &RgbImage, _: &Mask| Ok::<_, InpaintError>(image.clone());
        photo.complete(&hole, fill).unwrap();
    }

    #[test]
    fn holes_of_another_size_are_refused() {
        let (mut photo, _) = cutout([0; 3]);
        let fill = |image: &RgbImage, _: &Mask| Ok::<_, InpaintError>(image.clone());
        let error = photo.complete(&Mask::new(61, 40).inverted().into(), fill);
        assert!(matches!(error, Err(InpaintError::MaskSize { .. })));
    }

    #[test]
    fn a_tinted_rim_is_no_source_and_stays() {
        // A red disc on a plain ground, with half of its colour a pixel beyond the mask.
        let distance = |x: u32, y: u32| (f64::from(x) - 40.0).hypot(f64::from(y) - 40.0) - 16.0;
        let ground = |x: u32, y: u32| [70 + (x * 7 + y * 3) as u8 % 9, 120 + (y % 5) as u8, 90];
        let pixels = image::RgbImage::from_fn(81, 81, |x, y| {
            let share = (0.5 - distance(x, y) / 2.0).clamp(0.0, 1.0);
            let mix = |a: u8, b: f64| (f64::from(a) * (1.0 - share) + b * share).round() as u8;
            let [r, g, b] = ground(x, y);
            Rgb([mix(r, 230.0), mix(g, 20.0), mix(b, 20.0)])
        });
        let mask = Mask::from_fn(81, 81, |x, y| distance(x, y) <= 0.0);
        for method in [&Telea::default() as &dyn Inpainter, &PatchMatch::default()] {
            let mut photo = decode(pixels.clone());
            let control = Control::default();
            let fill = |image: &RgbImage, mask: &Mask| method.inpaint(image, mask, &control);
            photo.complete(&mask.clone().into(), fill).unwrap();
            assert!(matches!(
                photo.warnings(),
                [Warning::TintedRim { px: 1..=2 }]
            ));
            for (x, y, pixel) in photo.to_rgb().enumerate_pixels() {
                let is_hole = mask.is_hole(x, y);
                assert!(is_hole || pixel == pixels.get_pixel(x, y));
                assert!(!is_hole || pixel[0] < 84, "{}: {pixel:?}", method.name());
            }
        }
    }

    #[test]
    fn dark_pictures_of_16_bits_are_seen_and_filled_without_steps() {
        // The sky of a plate: from 900 to 1700 of 65535, and a few stars.
        let sky = |x: u32, y: u32| match (x * 7 + y * 13) % 1499 {
            0 => 60_000,
            _ => (900 + 4 * x + 2 * y) as u16,
        };
        let pixels = image::ImageBuffer::from_fn(160, 80, |x, y| Rgb([sky(x, y); 3]));
        let mut photo = decode(DynamicImage::ImageRgb16(pixels.clone()));
        let mask = Mask::from_fn(160, 80, |x, y| {
            (60..90).contains(&x) && (30..55).contains(&y)
        });
        let truth = |x: u32, y: u32| 900.0 + 4.0 * f64::from(x) + 2.0 * f64::from(y);
        let see = |image: &RgbImage, mask: &Mask| {
            let bytes = image
                .pixels()
                .filter(|pixel| pixel[0] < 255)
                .map(|pixel| pixel[0]);
            assert!(bytes.max().unwrap() > 200);
            Telea::default().inpaint(image, mask, &Control::default())
        };
        photo.complete(&mask.clone().into(), see).unwrap();
        let filled = photo.pixels().as_rgb16().unwrap();
        let (mut sum, mut count, mut values) = (0.0, 0.0, std::collections::HashSet::new());
        for (x, y, pixel) in filled.enumerate_pixels() {
            if !mask.is_hole(x, y) {
                assert_eq!(pixel, pixels.get_pixel(x, y));
                continue;
            }
            sum += (f64::from(pixel[0]) - truth(x, y)).abs();
            count += 1.0;
            values.insert(pixel[0]);
        }
        // Eight levels of 8 bits would be 30 of those here.
        assert!(sum / count < 12.0, "{}", sum / count);
        assert!(values.len() > 60, "{}", values.len());
    }

    #[test]
    fn values_beyond_white_are_filled_beyond_white() {
        let value = |x: u32| 0.5 + x as f32 / 16.0;
        let pixels = image::Rgb32FImage::from_fn(48, 24, |x, _| Rgb([value(x); 3]));
        let tiff = file(&DynamicImage::ImageRgb32F(pixels), ImageFormat::Tiff);
        let mut photo = Photo::decode(&tiff, &Limits::default()).unwrap();
        let mask = Mask::from_fn(48, 24, |x, y| (20..30).contains(&x) && (8..16).contains(&y));
        let fill = |image: &RgbImage, mask: &Mask| {
            Telea::default().inpaint(image, mask, &Control::default())
        };
        photo.complete(&mask.clone().into(), fill).unwrap();
        let DynamicImage::ImageRgb32F(filled) = photo.pixels() else {
            panic!("another kind");
        };
        for (x, y, pixel) in filled.enumerate_pixels() {
            let tolerance = if mask.is_hole(x, y) { 0.2 } else { 0.0 };
            assert!((pixel[0] - value(x)).abs() <= tolerance, "{x}: {pixel:?}");
        }
        let png = photo
            .encode(Some(ImageFormat::Png), &Default::default())
            .unwrap();
        let clipped = crate::Warning::Clipped {
            format: ImageFormat::Png,
        };
        assert!(png.warnings.contains(&clipped), "{:?}", png.warnings);
    }
}
