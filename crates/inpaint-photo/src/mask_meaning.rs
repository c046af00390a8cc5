//! What the colours of a mask mean. Programs draw masks in many ways; where the meaning is
//! unmistakable, it is followed, and what was found is said.

use crate::{MaskOptions, PhotoError};
use image::{DynamicImage, GrayImage, Rgba};
use std::collections::HashSet;
use std::fmt;

/// Pixels that are looked at for colours.
const MAX_LOOKS: usize = 1 << 16;
/// More colours of four bits per channel are a photo's.
const MANY_COLOURS: usize = 80;
/// Pixels between black and white of a photo, as a part of all.
const MANY_BETWEEN: f64 = 0.3;
/// Colours nearer to black or to white than this are meant as such; JPEG disturbs them.
const TOLERANCE: u8 = 16;

/// How a mask was understood, where it is not white on black.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaskNote {
    /// Two values of which the brighter is below the threshold, such as 0 and 1.
    TwoValues {
        /// The brighter one, which is the hole.
        white: u8,
    },
    /// Dark strokes on a transparent ground; the strokes are the hole.
    DarkStrokes,
    /// Transparent parts of a picture, or the smaller part of a black one; they are the hole.
    TransparentHoles,
    /// Strokes of which nothing is more than half opaque; they are the hole.
    FaintStrokes,
    /// Several values, none of which reaches the threshold.
    TooDark {
        /// The brightest one.
        brightest: u8,
    },
}

impl fmt::Display for MaskNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoValues { white } => {
                write!(
                    f,
                    "the mask holds two values, and {white} was taken for white"
                )
            }
            Self::DarkStrokes => f.write_str(
                "the mask holds dark strokes on transparency, and the strokes were filled",
            ),
            Self::TransparentHoles => {
                f.write_str("the mask holds no white, and its transparent parts were filled")
            }
            Self::FaintStrokes => f.write_str(
                "the mask holds nothing but half transparent strokes, and they were filled",
            ),
            Self::TooDark { brightest } => write!(
                f,
                "the mask's brightest value is {brightest}; lower the threshold to that \
                 (--mask-threshold {brightest}) if it is meant as white"
            ),
        }
    }
}

/// The brightness of every pixel, white being the hole, and what is to be said about it.
pub(crate) fn read(
    pixels: &DynamicImage,
    options: &MaskOptions,
) -> Result<(GrayImage, Option<MaskNote>), PhotoError> {
    let looks = Looks::new(pixels, options.threshold);
    let (width, height) = (pixels.width(), pixels.height());
    let from = |value: &dyn Fn([u8; 4]) -> u8| {
        let mut pixel = pixel_of(pixels);
        GrayImage::from_fn(width, height, |x, y| image::Luma([value(pixel(x, y))]))
    };
    // Strokes in a colour are white: the brightest channel counts. What is transparent is black.
    let plain = |[r, g, b, alpha]: [u8; 4]| {
        ((u16::from(r.max(g).max(b)) * u16::from(alpha) + 127) / 255) as u8
    };
    let is_black = looks.num_white == 0 && looks.num_between == 0;
    if looks.num_hidden > 0 && looks.num_seen > 0 && (looks.is_photo() || is_black) {
        // Black ink or a black ground: the strokes are the smaller part.
        if is_black && looks.num_seen <= looks.num_hidden {
            return Ok((from(&|[.., alpha]| alpha), Some(MaskNote::DarkStrokes)));
        }
        let holes = from(&|[.., alpha]| 255 - alpha);
        return Ok((holes, Some(MaskNote::TransparentHoles)));
    }
    // Whoever gives a threshold knows what is in the mask.
    if options.threshold == MaskOptions::default().threshold {
        if looks.is_photo() {
            return Err(PhotoError::MaskIsPhoto);
        }
        if let Some(&brightest) = looks.values.iter().max()
            && brightest > 0
            && brightest < options.threshold
        {
            if looks.values.len() == 2 && looks.values.contains(&0) && looks.num_hidden == 0 {
                let white = brightest;
                let spread = from(&|pixel| if plain(pixel) == white { 255 } else { 0 });
                return Ok((spread, Some(MaskNote::TwoValues { white })));
            }
            return Ok((from(&plain), Some(MaskNote::TooDark { brightest })));
        }
    }
    let note = (faint(pixels) > 0).then_some(MaskNote::FaintStrokes);
    Ok((from(&plain), note))
}

/// The highest alpha of a picture in which everything is more transparent than opaque; 0 of others.
fn faint(pixels: &DynamicImage) -> u8 {
    if !pixels.color().has_alpha() {
        return 0;
    }
    let highest = pixels.to_rgba8().pixels().map(|pixel| pixel[3]).max();
    highest.filter(|&alpha| alpha < 128).unwrap_or(0)
}

/// Red, green, blue and alpha of a pixel.
fn pixel_of(pixels: &DynamicImage) -> Box<dyn FnMut(u32, u32) -> [u8; 4] + '_> {
    match pixels {
        DynamicImage::ImageLuma8(pixels) => Box::new(|x, y| {
            let grey = pixels.get_pixel(x, y).0[0];
            [grey, grey, grey, 255]
        }),
        DynamicImage::ImageRgb8(pixels) => Box::new(|x, y| {
            let [r, g, b] = pixels.get_pixel(x, y).0;
            [r, g, b, 255]
        }),
        // Numbers of labels, for which programs take 16 bits, too.
        DynamicImage::ImageLuma16(pixels) if pixels.iter().all(|&value| value < 256) => {
            Box::new(|x, y| {
                let grey = pixels.get_pixel(x, y).0[0] as u8;
                [grey, grey, grey, 255]
            })
        }
        other => {
            let pixels = other.to_rgba8();
            let faint = u16::from(faint(other));
            Box::new(move |x, y| {
                let Rgba([r, g, b, alpha]) = *pixels.get_pixel(x, y);
                let stretched = (u16::from(alpha) * 255).checked_div(faint);
                [r, g, b, stretched.map_or(alpha, |alpha| alpha as u8)]
            })
        }
    }
}

/// What is seen at a glance.
struct Looks {
    num_hidden: usize,
    num_seen: usize,
    num_white: usize,
    num_between: usize,
    /// Brightness of every pixel, as far as there are few.
    values: HashSet<u8>,
    colours: HashSet<[u8; 3]>,
}

impl Looks {
    fn new(pixels: &DynamicImage, threshold: u8) -> Self {
        let (width, height) = (pixels.width(), pixels.height());
        let mut looks = Self {
            num_hidden: 0,
            num_seen: 0,
            num_white: 0,
            num_between: 0,
            values: HashSet::new(),
            colours: HashSet::new(),
        };
        let step = (width as usize * height as usize / MAX_LOOKS).max(1) as u32;
        let mut pixel = pixel_of(pixels);
        for y in 0..height {
            for x in 0..width {
                let [r, g, b, alpha] = pixel(x, y);
                if alpha < 128 {
                    looks.num_hidden += 1;
                    continue;
                }
                let value = r.max(g).max(b);
                looks.num_seen += 1;
                looks.num_white += usize::from(value >= threshold);
                let is_between = (TOLERANCE..=255 - TOLERANCE).contains(&value);
                looks.num_between += usize::from(is_between);
                looks.values.insert(value);
                // Neighbours of a photo differ little.
                if (x + y * 7) % step == 0 {
                    looks.colours.insert([r >> 4, g >> 4, b >> 4]);
                }
            }
        }
        looks
    }

    /// Whether what is seen has the colours of a photo.
    fn is_photo(&self) -> bool {
        let between = self.num_between as f64 / self.num_seen.max(1) as f64;
        self.colours.len() > MANY_COLOURS && between > MANY_BETWEEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, Rgb, RgbImage, RgbaImage};

    const SIZE: u32 = 40;

    fn in_hole(x: u32, y: u32) -> bool {
        (8..16).contains(&x) && (5..20).contains(&y)
    }

    /// Whether the mask is read as the hole, and what is said.
    fn check(pixels: impl Into<DynamicImage>, note: Option<MaskNote>) {
        let (grey, found) = read(&pixels.into(), &MaskOptions::default()).unwrap();
        assert_eq!(found, note);
        for (x, y, pixel) in grey.enumerate_pixels() {
            assert_eq!(pixel[0] >= 128, in_hole(x, y), "{x}, {y}: {note:?}");
        }
    }

    fn colours(inside: [u8; 4], outside: [u8; 4]) -> RgbaImage {
        RgbaImage::from_fn(SIZE, SIZE, |x, y| {
            Rgba(if in_hole(x, y) { inside } else { outside })
        })
    }

    fn photo(x: u32, y: u32) -> [u8; 3] {
        [(x * 6) as u8, (y * 6) as u8, ((x * y) % 200) as u8]
    }

    #[test]
    fn masks_of_many_programs_are_understood() {
        check(colours([255; 4], [0, 0, 0, 255]), None);
        check(colours([255; 4], [0; 4]), None);
        // Strokes in a colour, on black and on transparency.
        for colour in [[255, 0, 0, 255], [0, 0, 255, 255]] {
            check(colours(colour, [0, 0, 0, 255]), None);
            check(colours(colour, [0; 4]), None);
        }
        let note = MaskNote::TwoValues { white: 1 };
        let labels = GrayImage::from_fn(SIZE, SIZE, |x, y| Luma([in_hole(x, y).into()]));
        check(labels.clone(), Some(note));
        let deep = |x, y| Luma([u16::from(in_hole(x, y)) * 257]);
        check(ImageBuffer::from_fn(SIZE, SIZE, deep), Some(note));
        let labels = |x, y| Luma([u16::from(in_hole(x, y))]);
        check(ImageBuffer::from_fn(SIZE, SIZE, labels), Some(note));
        let faint = Some(MaskNote::FaintStrokes);
        check(colours([255, 0, 0, 90], [0; 4]), faint);
        check(colours([0, 0, 0, 255], [0; 4]), Some(MaskNote::DarkStrokes));
        let holes = Some(MaskNote::TransparentHoles);
        check(colours([0; 4], [0, 0, 0, 255]), holes);
        let cut = RgbaImage::from_fn(SIZE, SIZE, |x, y| {
            let [r, g, b] = photo(x, y);
            Rgba([r, g, b, if in_hole(x, y) { 0 } else { 255 }])
        });
        check(cut, holes);
        let soft = GrayImage::from_fn(SIZE, SIZE, |x, y| match in_hole(x, y) {
            true => Luma([200 + (x % 50) as u8]),
            false => Luma([(x % 60) as u8]),
        });
        check(soft, None);
    }

    #[test]
    fn what_is_no_mask_is_refused_with_what_helps() {
        let pixels = RgbImage::from_fn(SIZE, SIZE, |x, y| Rgb(photo(x, y))).into();
        let options = MaskOptions::default();
        let refused = read(&pixels, &options).unwrap_err().to_string();
        assert!(refused.contains("--mask-threshold"), "{refused}");
        let meant = MaskOptions {
            threshold: 100,
            ..options.clone()
        };
        assert!(read(&pixels, &meant).is_ok());
        let labels = GrayImage::from_fn(SIZE, SIZE, |x, _| Luma([(x % 4) as u8])).into();
        let (_, note) = read(&labels, &options).unwrap();
        assert_eq!(note, Some(MaskNote::TooDark { brightest: 3 }));
        assert_eq!(
            read(&GrayImage::new(4, 4).into(), &options).unwrap().1,
            None
        );
    }
}
