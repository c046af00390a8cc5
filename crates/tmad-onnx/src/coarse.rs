//! Pictures of any size, filled by a network that works at its own.

use crate::OnnxError;
use crate::descriptor::Descriptor;
use crate::windows::{Window, windows};
use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use inpaint_core::image::imageops::crop_imm;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, Rect, RgbImage, check_sizes};

/// What progress reports call the work.
const STAGE: &str = "coarse network";

/// A network that fills pictures of the size that it was made for.
pub trait RunNetwork: Send + Sync {
    /// What it wants.
    fn descriptor(&self) -> &Descriptor;

    /// Fills `image`, whose size the descriptor allows. Outside the hole the result is what the
    /// network makes of the picture.
    ///
    /// # Errors
    ///
    /// [`OnnxError`] says why it cannot.
    fn run(&self, image: &RgbImage, mask: &Mask, control: &Control) -> Result<RgbImage, OnnxError>;
}

/// A network as a method for pictures of any size.
pub struct Coarse {
    name: String,
    network: Box<dyn RunNetwork>,
}

impl Coarse {
    /// A method of this name.
    pub fn new(name: impl Into<String>, network: impl RunNetwork + 'static) -> Self {
        Self {
            name: name.into(),
            network: Box::new(network),
        }
    }

    /// The network.
    pub fn network(&self) -> &dyn RunNetwork {
        &*self.network
    }

    /// Fills all holes. Where a hole is wider than the network allows, it is filled at a smaller
    /// scale, and the result enlarged.
    ///
    /// # Errors
    ///
    /// [`OnnxError`] says why the network cannot.
    pub fn fill(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, OnnxError> {
        let mut filled = image.clone();
        let mut holes = mask.clone();
        let descriptor = self.network.descriptor();
        let side = match descriptor.size {
            Some([width, height]) => width.min(height),
            None => descriptor.side,
        };
        let windows = windows(mask, side);
        for (index, Window { context, fills }) in windows.iter().enumerate() {
            control.report(index as f32 / windows.len() as f32, STAGE);
            if control.is_cancelled() {
                return Err(OnnxError::Cancelled);
            }
            let Rect {
                x,
                y,
                width,
                height,
            } = *context;
            let region = crop_imm(&filled, x, y, width, height).to_image();
            let guess = self.guess(&region, &holes.cropped(*context), control)?;
            for fill in fills {
                for row in fill.y..fill.y + fill.height {
                    for column in fill.x..fill.x + fill.width {
                        if holes.is_hole(column, row) {
                            let pixel = *guess.get_pixel(column - x, row - y);
                            filled.put_pixel(column, row, pixel);
                            holes.set(column, row, false);
                        }
                    }
                }
            }
        }
        control.report(1.0, STAGE);
        Ok(filled)
    }

    /// What the network makes of a region, at the region's size.
    fn guess(
        &self,
        region: &RgbImage,
        holes: &Mask,
        control: &Control,
    ) -> Result<RgbImage, OnnxError> {
        let fitted = Fitted::new(region.dimensions(), self.network.descriptor());
        let (image, mask) = fitted.shrink(region, holes)?;
        let [width, height] = fitted.size;
        let padded = RgbImage::from_fn(width, height, |x, y| {
            *image.get_pixel(mirrored(x, image.width()), mirrored(y, image.height()))
        });
        let padded_mask = Mask::from_fn(width, height, |x, y| {
            mask.is_hole(mirrored(x, image.width()), mirrored(y, image.height()))
        });
        let result = self.network.run(&padded, &padded_mask, control)?;
        if result.dimensions() != (width, height) {
            let reason = "the picture has another size".to_owned();
            return Err(OnnxError::Output(reason));
        }
        let [width, height] = fitted.content;
        let content = crop_imm(&result, 0, 0, width, height).to_image();
        if content.dimensions() == region.dimensions() {
            return Ok(content);
        }
        let (width, height) = region.dimensions();
        let large = resized(content.into_raw(), fitted.content, [width, height], 3)?;
        Ok(RgbImage::from_raw(width, height, large).expect("the buffer has the size asked for"))
    }
}

impl Inpainter for Coarse {
    fn name(&self) -> &str {
        &self.name
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        check_sizes(image, mask)?;
        if mask.is_full() {
            return Err(InpaintError::NoKnownPixels {
                size: mask.dimensions().into(),
            });
        }
        self.fill(image, mask, control)
            .map_err(|error| match error {
                OnnxError::Cancelled => InpaintError::Cancelled,
                error => InpaintError::method(error),
            })
    }
}

/// How a region becomes a picture of a network's size: scaled to `content`, and continued to
/// `size` as in a mirror.
#[derive(Debug, PartialEq)]
struct Fitted {
    content: [u32; 2],
    size: [u32; 2],
}

impl Fitted {
    fn new((width, height): (u32, u32), descriptor: &Descriptor) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        let scale = match descriptor.size {
            Some([most_wide, most_high]) => {
                (f64::from(most_wide) / width).min(f64::from(most_high) / height)
            }
            None => (f64::from(descriptor.side) / width.max(height)).min(1.0),
        };
        let content = [width, height].map(|length| ((length * scale).round() as u32).max(1));
        let size = descriptor
            .size
            .unwrap_or_else(|| content.map(|length| length.next_multiple_of(descriptor.multiple)));
        Self { content, size }
    }

    /// The region at the size of `content`. Its colours are those of known pixels only, and
    /// whatever has a part in the hole belongs to it.
    fn shrink(&self, region: &RgbImage, holes: &Mask) -> Result<(RgbImage, Mask), OnnxError> {
        let (width, height) = region.dimensions();
        let [columns, rows] = self.content;
        if (width, height) == (columns, rows) {
            return Ok((region.clone(), holes.clone()));
        }
        let pixels = region.chunks_exact(3).zip(holes.as_bytes());
        let with_alpha = pixels.flat_map(|(rgb, hole)| [rgb[0], rgb[1], rgb[2], 255 * (1 - hole)]);
        let small = resized(with_alpha.collect(), [width, height], self.content, 4)?;
        let colours = (small.chunks_exact(4)).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]);
        let image = RgbImage::from_raw(columns, rows, colours.collect())
            .expect("there is a colour for every pixel");
        let covered = |at: u32, small: u32, full: u32| {
            let edge = |at: u32| u64::from(at) * u64::from(full);
            let end = edge(at + 1).div_ceil(u64::from(small));
            (edge(at) / u64::from(small)) as u32..end as u32
        };
        let mask = Mask::from_fn(columns, rows, |x, y| {
            covered(y, rows, height)
                .any(|y| covered(x, columns, width).any(|x| holes.is_hole(x, y)))
        });
        Ok((image, mask))
    }
}

/// Index of what a mirror behind a row of `length` pixels shows.
fn mirrored(index: u32, length: u32) -> u32 {
    let index = index % (2 * length);
    index.min(2 * length - 1 - index)
}

/// A picture of 3 channels, or 4 of which the last is alpha, at another size.
fn resized(
    pixels: Vec<u8>,
    from: [u32; 2],
    to: [u32; 2],
    num_channels: usize,
) -> Result<Vec<u8>, OnnxError> {
    // Alpha allows no filter with negative weights.
    let (kind, filter) = match num_channels {
        4 => (PixelType::U8x4, FilterType::Bilinear),
        _ => (PixelType::U8x3, FilterType::CatmullRom),
    };
    let failed = |error: &dyn std::error::Error| OnnxError::Run(error.to_string());
    let from = Image::from_vec_u8(from[0], from[1], pixels, kind).map_err(|e| failed(&e))?;
    let mut scaled = Image::new(to[0], to[1], kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    (Resizer::new().resize(&from, &mut scaled, &options)).map_err(|e| failed(&e))?;
    Ok(scaled.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::Plane;
    use inpaint_core::image::Rgb;
    use std::sync::Mutex;

    /// Paints holes red.
    struct Red {
        descriptor: Descriptor,
        seen: Mutex<Vec<(RgbImage, Mask)>>,
    }

    impl RunNetwork for &'static Red {
        fn descriptor(&self) -> &Descriptor {
            &self.descriptor
        }

        fn run(&self, image: &RgbImage, mask: &Mask, _: &Control) -> Result<RgbImage, OnnxError> {
            let seen = (image.clone(), mask.clone());
            self.seen.lock().unwrap().push(seen);
            Ok(RgbImage::from_fn(
                image.width(),
                image.height(),
                |x, y| match mask.is_hole(x, y) {
                    true => Rgb([255, 0, 0]),
                    false => *image.get_pixel(x, y),
                },
            ))
        }
    }

    fn red(size: Option<[u32; 2]>, side: u32, multiple: u32) -> &'static Red {
        Box::leak(Box::new(Red {
            descriptor: Descriptor {
                size,
                side,
                multiple,
                ..Descriptor::new([("x", &[Plane::Image, Plane::Mask])])
            },
            seen: Mutex::default(),
        }))
    }

    fn grey_with_a_blue_hole(width: u32, height: u32, hole: Rect) -> (RgbImage, Mask) {
        let mask = Mask::rectangle(width, height, hole);
        let image = RgbImage::from_fn(width, height, |x, y| match mask.is_hole(x, y) {
            true => Rgb([0, 0, 255]),
            false => Rgb([(x % 200) as u8, (y % 200) as u8, 90]),
        });
        (image, mask)
    }

    #[test]
    fn holes_of_every_size_are_filled_and_nothing_else_changes() {
        let networks = [
            red(Some([64, 64]), 512, 8),
            red(None, 48, 16),
            red(Some([96, 32]), 512, 8),
        ];
        let holes = [
            ((200, 150), (10, 20, 9, 11)),
            ((201, 77), (3, 0, 190, 70)),
            ((20, 300), (0, 0, 1, 299)),
            ((7, 5), (2, 2, 3, 1)),
        ];
        for network in networks {
            for ((width, height), (x, y, hole_width, hole_height)) in holes {
                let hole = Rect {
                    x,
                    y,
                    width: hole_width,
                    height: hole_height,
                };
                let (image, mask) = grey_with_a_blue_hole(width, height, hole);
                let method = Coarse::new("red", network);
                let filled = method.inpaint(&image, &mask, &Control::default()).unwrap();
                for (x, y, pixel) in filled.enumerate_pixels() {
                    match mask.is_hole(x, y) {
                        // Enlarging mixes in some of the surroundings at the rim.
                        true => assert!(pixel.0[0] > 100 && pixel.0[2] < 80, "{pixel:?}"),
                        false => assert_eq!(pixel, image.get_pixel(x, y)),
                    }
                }
                for (shown, mask) in network.seen.lock().unwrap().drain(..) {
                    let (width, height) = shown.dimensions();
                    match network.descriptor.size {
                        Some(fixed) => assert_eq!([width, height], fixed),
                        None => assert!(width % 16 == 0 && height % 16 == 0 && width <= 48),
                    }
                    let leaks = |(x, y, pixel): (u32, u32, &Rgb<u8>)| {
                        !mask.is_hole(x, y) && pixel.0[2] > 95
                    };
                    assert!(
                        !shown.enumerate_pixels().any(leaks),
                        "the hole's colour leaked"
                    );
                }
            }
        }
    }

    #[test]
    fn regions_are_fitted_into_what_the_network_takes() {
        let fitted = |size, side, multiple, region| {
            let fitted = Fitted::new(region, &red(size, side, multiple).descriptor);
            (fitted.content, fitted.size)
        };
        let fixed = Some([512, 512]);
        assert_eq!(fitted(fixed, 1, 1, (512, 512)), ([512, 512], [512, 512]));
        assert_eq!(fitted(fixed, 1, 1, (256, 128)), ([512, 256], [512, 512]));
        assert_eq!(fitted(fixed, 1, 1, (1000, 500)), ([512, 256], [512, 512]));
        assert_eq!(fitted(None, 512, 8, (300, 100)), ([300, 100], [304, 104]));
        assert_eq!(fitted(None, 512, 8, (2048, 3)), ([512, 1], [512, 8]));
        assert_eq!([0, 2, 3, 5, 6].map(|x| mirrored(x, 3)), [0, 2, 2, 0, 0]);
        assert_eq!(mirrored(17, 1), 0);
    }

    #[test]
    fn the_contract_of_methods_holds() {
        let method = Coarse::new("red", red(Some([16, 16]), 512, 8));
        let (image, mask) = grey_with_a_blue_hole(
            40,
            40,
            Rect {
                x: 3,
                y: 3,
                width: 5,
                height: 5,
            },
        );
        let control = Control::default();
        let untouched = method
            .inpaint(&image, &Mask::new(40, 40), &control)
            .unwrap();
        assert_eq!(untouched, image);
        let error = |mask: &Mask| method.inpaint(&image, mask, &control).unwrap_err();
        assert!(matches!(
            error(&Mask::new(4, 4)),
            InpaintError::MaskSize { .. }
        ));
        let full = Mask::new(40, 40).inverted();
        assert!(matches!(error(&full), InpaintError::NoKnownPixels { .. }));
        control.cancel();
        assert!(matches!(error(&mask), InpaintError::Cancelled));
    }
}
