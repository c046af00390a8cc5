//! Protocols: which pixels of a picture are evaluated, and where its hole is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::resize::{Levels, area};
use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use inpaint_core::mask_generator::{FreeFormMask, MaskGenerator, RectangleMask, centre_rectangle};
use inpaint_core::random::stream;
use inpaint_core::{Mask, RgbImage};

use crate::EvalError;
use crate::files::{Picture, list_pictures, open_gray};

/// Where the holes are. Pictures are prepared in the same way by all of them: see
/// [`centre_square`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// A fixed hole of half the side in the middle.
    Centre,
    /// One rectangle at a random place, [`RectangleMask`]: 96 to 128 px a side at 256 px.
    Rectangle,
    /// Random brush strokes, [`FreeFormMask`].
    FreeForm,
    /// A folder of masks, white (128 and above) is hole. If masks have the names of the pictures,
    /// each picture takes its own; if none has, they are taken in turn in the order of names.
    /// Masks are cut like the pictures and scaled to the nearest pixel.
    Masks(PathBuf),
}

impl FromStr for Protocol {
    type Err = EvalError;

    fn from_str(given: &str) -> Result<Self, EvalError> {
        match given {
            "centre" | "center" => Ok(Self::Centre),
            "rectangle" => Ok(Self::Rectangle),
            "free-form" => Ok(Self::FreeForm),
            folder if Path::new(folder).is_dir() => Ok(Self::Masks(folder.into())),
            _ => Err(EvalError::UnknownProtocol {
                given: given.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Centre => f.write_str("centre"),
            Self::Rectangle => f.write_str("rectangle"),
            Self::FreeForm => f.write_str("free-form"),
            Self::Masks(_) => f.write_str("masks"),
        }
    }
}

/// The largest centred square of a picture, scaled to `size` × `size` pixels: to the mean over the
/// area of each pixel when it shrinks (OpenCV's `INTER_AREA`), bilinearly when it grows.
///
/// Where the rest is odd, the square lies half a pixel nearer to the first row or column: area
/// averages are exact only for whole pixels.
///
/// # Errors
///
/// [`EvalError::Setting`] when the picture or `size` has no pixels.
pub fn centre_square(picture: &RgbImage, size: u32) -> Result<RgbImage, EvalError> {
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    if short == 0 || size == 0 {
        return Err(EvalError::Setting {
            name: "size of the picture",
            value: format!("{width}×{height}, evaluated at {size} px"),
            allowed: "1 px or more",
        });
    }
    if (width, height) == (size, size) {
        return Ok(picture.clone());
    }
    let (x, y) = ((width - short) / 2, (height - short) / 2);
    if short > size {
        let square = Levels::of(picture, [x, y, short, short]);
        return Ok(square.resized(size as usize, size as usize, area).to_rgb());
    }
    let side = f64::from(short);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(x.into(), y.into(), side, side);
    let mut square = Image::new(size, size, PixelType::U8x3);
    Resizer::new()
        .resize(picture, &mut square, &options)
        .expect("the square lies inside the picture, and both hold 8-bit RGB");
    Ok(RgbImage::from_raw(size, size, square.into_vec()).expect("sizes agree"))
}

/// Draws or finds the mask of each picture.
#[derive(Debug)]
pub(crate) struct Masks {
    protocol: Protocol,
    size: u32,
    seed: u64,
    files: Vec<Picture>,
    by_name: bool,
}

impl Masks {
    pub fn new(
        protocol: &Protocol,
        size: u32,
        seed: u64,
        pictures: &[Picture],
    ) -> Result<Self, EvalError> {
        let mut masks = Self {
            protocol: protocol.clone(),
            size,
            seed,
            files: Vec::new(),
            by_name: false,
        };
        if let Protocol::Masks(folder) = protocol {
            masks.files = list_pictures(folder)?;
            let missing: Vec<_> = (pictures.iter())
                .filter(|picture| masks.file_of(&picture.name).is_none())
                .collect();
            masks.by_name = missing.is_empty();
            if !missing.is_empty() && missing.len() < pictures.len() {
                return Err(EvalError::SomeMasksMissing {
                    folder: folder.clone(),
                    matched: pictures.len() - missing.len(),
                    pictures: pictures.len(),
                    missing: missing[0].name.clone(),
                });
            }
        }
        Ok(masks)
    }

    /// The protocol in words; a folder of masks by its files' names, which tell it from others.
    pub fn description(&self) -> String {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        match self.files.len() {
            0 => self.protocol.to_string(),
            count => format!(
                "masks ({count} files, {:016x})",
                fnv1a(names.join("\n").as_bytes())
            ),
        }
    }

    fn file_of(&self, name: &str) -> Option<&Picture> {
        let found = self
            .files
            .binary_search_by(|file| file.name.as_str().cmp(name));
        found.ok().map(|at| &self.files[at])
    }

    /// Keeps the pictures whose mask has a hole. Returns their places among all, and the names of
    /// the others.
    ///
    /// # Errors
    ///
    /// [`EvalError::EmptyMask`] where none is left, and what reading a mask gives.
    pub fn with_holes(
        &self,
        pictures: &mut Vec<Picture>,
    ) -> Result<(Vec<usize>, Vec<String>), EvalError> {
        if self.files.is_empty() {
            return Ok(((0..pictures.len()).collect(), Vec::new()));
        }
        let (mut places, mut left_out, mut empty) = (Vec::new(), Vec::new(), None);
        for (place, picture) in std::mem::take(pictures).into_iter().enumerate() {
            match self.mask(place, &picture.name) {
                Ok(_) => {
                    pictures.push(picture);
                    places.push(place);
                }
                Err(error @ EvalError::EmptyMask { .. }) => {
                    left_out.push(picture.name);
                    empty = empty.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        match empty {
            Some(error) if pictures.is_empty() => Err(error),
            _ => Ok((places, left_out)),
        }
    }

    /// The mask of the `index`-th picture.
    ///
    /// The seed of a random mask comes from the picture's name and not from its place, so that
    /// neither a limit nor a further picture in the folder changes the others' masks.
    pub fn mask(&self, index: usize, name: &str) -> Result<Mask, EvalError> {
        let (size, seed) = (self.size, stream(self.seed, fnv1a(name.as_bytes())));
        let mask = match &self.protocol {
            Protocol::Centre => centre_rectangle(size, size),
            Protocol::Rectangle => RectangleMask::default().generate(size, size, seed),
            Protocol::FreeForm => FreeFormMask::default().generate(size, size, seed),
            Protocol::Masks(_) => {
                let in_turn = &self.files[index % self.files.len()];
                let file = if self.by_name {
                    self.file_of(name).unwrap_or(in_turn)
                } else {
                    in_turn
                };
                let whole = Mask::from_gray(&open_gray(&file.path)?, 128);
                nearest_square(&whole, size)
            }
        };
        if mask.is_empty() {
            return Err(EvalError::EmptyMask {
                picture: name.to_owned(),
                size: (size, size).into(),
            });
        }
        Ok(mask)
    }
}

fn nearest_square(mask: &Mask, size: u32) -> Mask {
    let (width, height) = mask.dimensions();
    let short = u64::from(width.min(height));
    // The pixel under the centre of each new pixel, (x + ½)·short / size, in whole numbers, in the
    // same square as the picture's.
    let source = |at: u32, length: u32| {
        let inside = (2 * u64::from(at) + 1) * short / (2 * u64::from(size));
        (inside + (u64::from(length) - short) / 2) as u32
    };
    Mask::from_fn(size, size, |x, y| {
        mask.is_hole(source(x, width), source(y, height))
    })
}

/// A hash that is the same on every machine and in every version.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn picture(name: &str) -> Picture {
        Picture {
            name: name.to_owned(),
            path: PathBuf::new(),
        }
    }

    #[test]
    fn names_become_protocols_and_come_back() {
        for name in ["centre", "rectangle", "free-form"] {
            assert_eq!(name.parse::<Protocol>().unwrap().to_string(), name);
        }
        assert_eq!("center".parse::<Protocol>().unwrap(), Protocol::Centre);
        let error = "rectange".parse::<Protocol>().unwrap_err().to_string();
        assert!(
            error.contains("rectange") && error.contains("free-form"),
            "{error}"
        );
    }

    #[test]
    fn shrinking_averages_areas_of_the_middle() {
        // 6×4 with the square in columns 1..5: each new pixel is the mean of 2×2 old ones.
        let wide = RgbImage::from_fn(6, 4, |x, y| Rgb([(10 * x + 40 * y) as u8; 3]));
        let square = centre_square(&wide, 2).unwrap();
        let values: Vec<u8> = square.pixels().map(|p| p.0[0]).collect();
        assert_eq!(values, [35, 55, 115, 135]);
        // An odd rest: columns 0 to 3.
        let odd = RgbImage::from_fn(5, 4, |x, _| Rgb([(20 * x) as u8; 3]));
        assert_eq!(centre_square(&odd, 1).unwrap().get_pixel(0, 0).0[0], 30);
        assert!(centre_square(&RgbImage::new(0, 3), 8).is_err());
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let small = RgbImage::from_fn(5, 5, |x, y| Rgb([x as u8, y as u8, 7]));
        assert_eq!(centre_square(&small, 5).unwrap(), small);
        assert_eq!(centre_square(&small, 9).unwrap().dimensions(), (9, 9));
    }

    #[test]
    fn masks_depend_on_seed_and_name_only() {
        let both = [picture("a"), picture("b")];
        for protocol in [Protocol::Rectangle, Protocol::FreeForm] {
            let all = Masks::new(&protocol, 64, 1, &both).unwrap();
            let one = Masks::new(&protocol, 64, 1, &both[1..]).unwrap();
            assert_eq!(all.mask(1, "b").unwrap(), one.mask(0, "b").unwrap());
            let other = Masks::new(&protocol, 64, 2, &both).unwrap();
            assert_ne!(all.mask(1, "b").unwrap(), other.mask(1, "b").unwrap());
            assert_ne!(all.mask(0, "a").unwrap(), all.mask(1, "b").unwrap());
        }
    }

    #[test]
    fn masks_are_scaled_to_the_nearest_pixel() {
        // 8×4, the square in columns 2..6; the hole is its left half.
        let mask = Mask::from_fn(8, 4, |x, _| x < 4);
        let small = nearest_square(&mask, 2);
        assert_eq!(small.as_bytes(), [1, 0, 1, 0]);
        let large = nearest_square(&mask, 8);
        assert_eq!(large.hole_area(), 32);
        assert!(large.is_hole(3, 0) && !large.is_hole(4, 0));
    }
}
