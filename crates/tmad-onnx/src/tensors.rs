//! Pictures into a network's tensors, and back.

use crate::descriptor::{Channels, Descriptor, Layout, Plane};
use inpaint_core::{Mask, RgbImage};

/// An input's values, in the order and units that the descriptor says.
///
/// # Shapes
///
/// 1 × C × height × width, or 1 × height × width × C.
pub fn input(
    image: &RgbImage,
    mask: &Mask,
    planes: &[Plane],
    descriptor: &Descriptor,
) -> ([usize; 4], Vec<f32>) {
    let [black, white] = descriptor.range;
    let channels: Vec<(Plane, usize)> = (planes.iter())
        .flat_map(|&plane| (0..plane.num_channels()).map(move |colour| (plane, colour)))
        .collect();
    let value = |(plane, colour): (Plane, usize), rgb: &[u8], is_hole: bool| match plane {
        Plane::Ones => 1.0,
        Plane::Mask if is_hole => descriptor.mask.hole,
        Plane::Mask => descriptor.mask.known,
        Plane::Image => match descriptor.hole {
            Some(value) if is_hole => value,
            _ => {
                let value = f32::from(rgb[place(colour, descriptor.channels)]);
                black + (white - black) * value / 255.0
            }
        },
    };
    let pixels = || (image.chunks_exact(3)).zip(mask.as_bytes().iter().map(|&hole| hole != 0));
    let (width, height) = (image.width() as usize, image.height() as usize);
    match descriptor.layout {
        Layout::Nchw => {
            let planes = channels.iter().flat_map(|&channel| {
                pixels().map(move |(rgb, is_hole)| value(channel, rgb, is_hole))
            });
            ([1, channels.len(), height, width], planes.collect())
        }
        Layout::Nhwc => {
            let rows = pixels().flat_map(|(rgb, is_hole)| {
                (channels.iter()).map(move |&channel| value(channel, rgb, is_hole))
            });
            ([1, height, width, channels.len()], rows.collect())
        }
    }
}

/// Place in an RGB pixel of a network's colour, and the other way round.
fn place(colour: usize, channels: Channels) -> usize {
    match channels {
        Channels::Rgb => colour,
        Channels::Bgr => 2 - colour,
    }
}

/// What ranges networks give back.
const RANGES: [[f32; 2]; 3] = [[0.0, 1.0], [-1.0, 1.0], [0.0, 255.0]];

/// A picture from a network's values: three planes of the picture's size, in the network's order
/// of colours. Without a `range` the one is taken in which the known pixels are nearest to those
/// of `image`; networks give them back nearly unchanged.
pub fn picture(
    planes: &[f32],
    range: Option<[f32; 2]>,
    channels: Channels,
    image: &RgbImage,
    mask: &Mask,
) -> RgbImage {
    let num_pixels = mask.as_bytes().len();
    let in_steps = |value: f32, [black, white]: [f32; 2]| (value - black) / (white - black) * 255.0;
    let at = |pixel: usize, colour: usize| planes[place(colour, channels) * num_pixels + pixel];
    let distance = |range: &[f32; 2]| -> f64 {
        let pixels = image.chunks_exact(3).zip(mask.as_bytes()).enumerate();
        let errors = pixels.flat_map(|(pixel, (rgb, &hole))| {
            (0..3).map(move |colour| {
                let value = in_steps(at(pixel, colour), *range);
                let error = match hole {
                    0 => value - f32::from(rgb[colour]),
                    // Nothing is known but that no colour lies outside the range.
                    _ => value - value.clamp(0.0, 255.0),
                };
                f64::from(error.abs())
            })
        });
        errors.sum()
    };
    let range = range.unwrap_or_else(|| {
        let nearest = (RANGES.into_iter()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.expect("there are some")
    });
    let mut picture = RgbImage::new(image.width(), image.height());
    for (pixel, rgb) in picture.chunks_exact_mut(3).enumerate() {
        for (colour, value) in rgb.iter_mut().enumerate() {
            *value = in_steps(at(pixel, colour), range).round().clamp(0.0, 255.0) as u8;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::MaskValues;

    /// Two pixels, of which the second is the hole.
    fn two_pixels() -> (RgbImage, Mask) {
        let image = RgbImage::from_raw(2, 1, vec![0, 51, 255, 9, 9, 9]).unwrap();
        (image, Mask::from_bytes(2, 1, vec![0, 1]).unwrap())
    }

    #[test]
    fn planes_are_fed_as_the_descriptor_says() {
        let (image, mask) = two_pixels();
        let planes = [Plane::Image, Plane::Ones, Plane::Mask];
        let mut descriptor = Descriptor::new([("x", &planes)]);
        let (shape, values) = input(&image, &mask, &planes, &descriptor);
        assert_eq!(shape, [1, 5, 1, 2]);
        assert_eq!(values, [0.0, 0.0, 0.2, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);

        descriptor.layout = Layout::Nhwc;
        descriptor.channels = Channels::Bgr;
        descriptor.range = [0.0, 255.0];
        descriptor.hole = None;
        descriptor.mask = MaskValues {
            hole: -0.5,
            known: 0.5,
        };
        let (shape, values) = input(&image, &mask, &[Plane::Mask, Plane::Image], &descriptor);
        assert_eq!(shape, [1, 1, 2, 4]);
        assert_eq!(values, [0.5, 255.0, 51.0, 0.0, -0.5, 9.0, 9.0, 9.0]);
    }

    #[test]
    fn pictures_come_back_in_every_range() {
        let (image, mask) = two_pixels();
        let expected = [0, 51, 255, 102, 204, 0];
        for [black, white] in RANGES {
            let planes =
                [0, 102, 51, 204, 255, 0].map(|step| black + (white - black) / 255.0 * step as f32);
            for range in [None, Some([black, white])] {
                let back = picture(&planes, range, Channels::Rgb, &image, &mask);
                assert_eq!(*back.as_raw(), expected, "{black} to {white}, {range:?}");
            }
        }
        let back = picture(
            &[255.0, 0.0, 51.0, 204.0, 0.0, 102.0],
            Some([0.0, 255.0]),
            Channels::Bgr,
            &image,
            &mask,
        );
        assert_eq!(*back.as_raw(), expected);
    }

    /// Known pixels that are black tell nothing; then what is in the hole decides.
    #[test]
    fn values_outside_a_range_speak_against_it() {
        let image = RgbImage::new(2, 1);
        let mask = Mask::from_bytes(2, 1, vec![0, 1]).unwrap();
        let planes = [0.0, 80.0, 0.0, 80.0, 0.0, 80.0];
        let back = picture(&planes, None, Channels::Rgb, &image, &mask);
        assert_eq!(*back.as_raw(), [0, 0, 0, 80, 80, 80]);
        // Beyond what is a colour is cut off.
        let back = picture(&planes, Some([0.0, 40.0]), Channels::Rgb, &image, &mask);
        assert_eq!(*back.as_raw(), [0, 0, 0, 255, 255, 255]);
    }
}
