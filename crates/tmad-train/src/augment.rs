//! What makes one picture many: random crops, stretched and with other colours.

use crate::config::DataConfig;
use crate::data::resize_area;
use image::RgbImage;
use image::imageops::{crop_imm, flip_horizontal_in_place};
use inpaint_core::random::Random;

/// A square of `picture` as it is, `size_px` wide, flipped or not; `None` if the picture is
/// smaller.
pub fn native_crop(picture: &RgbImage, size_px: u32, random: &mut Random) -> Option<RgbImage> {
    let (width, height) = picture.dimensions();
    let left = random.between(0, width.checked_sub(size_px)?);
    let top = random.between(0, height.checked_sub(size_px)?);
    let mut crop = crop_imm(picture, left, top, size_px, size_px).to_image();
    if random.unit() < 0.5 {
        flip_horizontal_in_place(&mut crop);
    }
    Some(crop)
}

/// A rectangle of `picture`, [`DataConfig::min_crop`] to [`DataConfig::max_crop`] of its short
/// side, resized to `size_px`², flipped or not.
pub fn random_crop(
    picture: &RgbImage,
    data: &DataConfig,
    size_px: u32,
    random: &mut Random,
) -> RgbImage {
    let (width, height) = picture.dimensions();
    let short = width.min(height) as f64;
    let side = short * (data.min_crop + (data.max_crop - data.min_crop) * random.unit());
    let stretch = if data.max_aspect > 1.0 {
        data.max_aspect.powf(random.unit() - 0.5)
    } else {
        1.0
    };
    let crop_width = (side * stretch).clamp(1.0, width as f64);
    let crop_height = (side / stretch).clamp(1.0, height as f64);
    let left = random.unit() * (width as f64 - crop_width);
    let top = random.unit() * (height as f64 - crop_height);
    let area = (left, top, crop_width, crop_height);
    let mut crop = resize_area(picture, area, size_px, size_px);
    if random.unit() < 0.5 {
        flip_horizontal_in_place(&mut crop);
    }
    crop
}

/// Changes the colours of some pictures in the same way: saturation by up to ±50 %, the exponent
/// of brightness by up to a factor of 1.5 either way, each channel by up to ±20 %, all times
/// `strength` (0 to 1; at 0 nothing changes and no random number is drawn).
pub fn recolour<'a>(
    pictures: impl IntoIterator<Item = &'a mut RgbImage>,
    strength: f64,
    random: &mut Random,
) {
    if strength == 0.0 {
        return;
    }
    let mut swing = |most: f64| strength * most * (2.0 * random.unit() - 1.0);
    let saturation = (1.0 + swing(0.5)) as f32;
    let exponent = swing(1.5f64.ln()).exp();
    let curves = [(); 3].map(|()| {
        let gain = 1.0 + swing(0.2);
        let mut curve = [0; 256];
        for (value, new) in curve.iter_mut().enumerate() {
            let value = gain * (value as f64 / 255.0).powf(exponent);
            *new = (255.0 * value).round().min(255.0) as u8;
        }
        curve
    });
    for picture in pictures {
        for pixel in picture.pixels_mut() {
            let [r, g, b] = pixel.0.map(f32::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            for (value, curve) in pixel.0.iter_mut().zip(&curves) {
                let vivid = grey + saturation * (f32::from(*value) - grey);
                // Beyond the scale the cast saturates.
                *value = curve[vivid.round() as u8 as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn coloured() -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| Rgb([16 * x as u8, 16 * y as u8, 90]))
    }

    #[test]
    fn colours_change_alike_and_by_no_more_than_stated() {
        let mut pair = [coloured(), coloured()];
        let mut grey = RgbImage::from_pixel(1, 1, Rgb([128; 3]));
        let mut random = Random::new(3);
        for _ in 0..20 {
            let [first, second] = &mut pair;
            recolour([&mut *first, second, &mut grey], 1.0, &mut random);
            assert_eq!(first, second);
            assert_ne!(*first, coloured());
            // Saturation leaves grey alone: 128 to the powers 1.5 and 1/1.5, times 0.8 and 1.2.
            let [least, most] = [0.8 * 128.0 * 0.708, 1.2 * 128.0 * 1.26];
            for value in grey.as_raw() {
                assert!((least - 1.0..most + 1.0).contains(&f64::from(*value)));
            }
            pair = [coloured(), coloured()];
            grey = RgbImage::from_pixel(1, 1, Rgb([128; 3]));
        }
    }

    #[test]
    fn without_strength_nothing_happens() {
        let mut picture = coloured();
        let (mut random, mut untouched) = (Random::new(3), Random::new(3));
        recolour([&mut picture], 0.0, &mut random);
        assert_eq!(picture, coloured());
        assert_eq!(random.bits(), untouched.bits());
    }

    #[test]
    fn native_crops_are_windows_of_the_picture() {
        let picture = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8, y as u8, 7]));
        let mut random = Random::new(5);
        let mut corners = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut crop = native_crop(&picture, 24, &mut random).unwrap();
            if crop.get_pixel(0, 0).0[0] > crop.get_pixel(1, 0).0[0] {
                flip_horizontal_in_place(&mut crop);
            }
            let [left, top, _] = crop.get_pixel(0, 0).0.map(u32::from);
            let window = crop_imm(&picture, left, top, 24, 24).to_image();
            assert_eq!(crop, window);
            corners.insert((left, top));
        }
        assert!(corners.len() > 50);
        assert_eq!(native_crop(&picture, 30, &mut random).unwrap().width(), 30);
        assert!(native_crop(&picture, 31, &mut random).is_none());
    }

    #[test]
    fn crops_are_stretched_within_bounds() {
        // Of a ramp along x, the range of values tells a crop's width, and likewise along y.
        let picture = RgbImage::from_fn(240, 200, |x, y| Rgb([x as u8, y as u8, 0]));
        let data = DataConfig {
            min_crop: 0.5,
            max_aspect: 1.5,
            ..DataConfig::default()
        };
        let mut random = Random::new(1);
        let mut quotients = Vec::new();
        for _ in 0..200 {
            let crop = random_crop(&picture, &data, 64, &mut random);
            let side = |channel: usize| {
                let values = crop.pixels().map(|pixel| f64::from(pixel.0[channel]));
                let (low, high) = values.fold((255.0f64, 0.0f64), |(low, high), v| {
                    (low.min(v), high.max(v))
                });
                high - low
            };
            quotients.push(side(0) / side(1));
        }
        quotients.sort_by(f64::total_cmp);
        let (least, most) = (quotients[0], quotients[199]);
        assert!((1.0 / 1.56..0.8).contains(&least), "{least}");
        assert!((1.25..1.56).contains(&most), "{most}");
    }
}
