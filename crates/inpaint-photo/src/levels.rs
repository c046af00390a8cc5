//! Samples of more than 8 bits as methods see them, in 8 bits, and back without steps.

use crate::Hole;
use image::DynamicImage;
use inpaint_core::{Mask, Rect, RgbImage};

/// Most samples that the range of a picture is found from.
const MAX_SAMPLES: usize = 1 << 20;
/// Samples outside the range, as a part of all, at either end: stars, dust, dead pixels.
const OUTLIERS: f32 = 0.002;
/// A picture that uses more than this part of its range is seen with the whole of it.
const NARROW: f32 = 0.25;
const NUM_SWEEPS: usize = 48;
/// Of the sweeps; 1 is Gauss and Seidel, 2 diverges.
const OVER_RELAXATION: f32 = 1.7;

/// What the bytes 0 and 255 stand for, as parts of the range of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Levels {
    low: f32,
    high: f32,
}

impl Levels {
    /// From black to white.
    pub const FULL: Self = Self {
        low: 0.0,
        high: 1.0,
    };

    /// The levels that show a picture: all of them, but less for one that uses a small part, such
    /// as the stars on a plate before its curve is raised, and more for one that goes beyond white.
    /// What is in the hole is not looked at.
    pub fn of(pixels: &DynamicImage, hole: &Hole) -> Self {
        let mut parts = known_parts(pixels, hole.mask());
        parts.retain(|part| part.is_finite());
        let Some(last) = parts.len().checked_sub(1) else {
            return Self::FULL;
        };
        parts.sort_by(f32::total_cmp);
        let cut = (OUTLIERS * last as f32) as usize;
        let (low, high) = (parts[cut], parts[last - cut]);
        if low >= 0.0 && high <= 1.0 && high - low > NARROW {
            return Self::FULL;
        }
        // Room at both ends, and no division by zero.
        let margin = (0.02 * (high - low)).max(1.0 / 65_535.0);
        let (low, high) = (low - margin, high + margin);
        match pixels {
            DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => Self { low, high },
            _ => Self {
                low: low.max(0.0),
                high: high.min(1.0),
            },
        }
    }

    /// The byte nearest to a part.
    pub fn to_byte(self, part: f32) -> u8 {
        // The cast saturates, and makes 0 of what is no number.
        ((part - self.low) / (self.high - self.low) * 255.0).round() as u8
    }

    fn part(self, byte: u8) -> f32 {
        self.low + f32::from(byte) / 255.0 * (self.high - self.low)
    }

    /// The values of a hole on these levels. Within half a level of its byte a value is free, and
    /// takes the mean of its neighbours that are within a level: gradients come out smooth, and
    /// edges stay.
    pub fn without_steps(
        self,
        mask: &Mask,
        bounds: Rect,
        bytes: impl Fn(u32, u32) -> [u8; 3],
        known: impl Fn(u32, u32) -> [f32; 3],
    ) -> Smooth {
        let (width, height) = mask.dimensions();
        // A pixel of the known picture around, as far as there is one.
        let (left, top) = (bounds.x.saturating_sub(1), bounds.y.saturating_sub(1));
        let right = (bounds.x + bounds.width + 1).min(width);
        let bottom = (bounds.y + bounds.height + 1).min(height);
        let stride = (right - left) as usize;
        let mut smooth = Smooth {
            left,
            top,
            stride,
            parts: Vec::with_capacity(stride * (bottom - top) as usize),
        };
        let mut order = Vec::new();
        for y in top..bottom {
            for x in left..right {
                if mask.is_hole(x, y) {
                    let bytes = bytes(x, y);
                    order.push((smooth.parts.len(), bytes));
                    smooth.parts.push(bytes.map(|byte| self.part(byte)));
                } else {
                    smooth.parts.push(known(x, y));
                }
            }
        }
        let level = (self.high - self.low) / 255.0;
        let rows = smooth.parts.len() / stride.max(1);
        for _ in 0..NUM_SWEEPS {
            for &(at, bytes) in &order {
                let (x, y) = (at % stride, at / stride);
                let neighbours = [
                    (x > 0).then(|| at - 1),
                    (x + 1 < stride).then(|| at + 1),
                    (y > 0).then(|| at - stride),
                    (y + 1 < rows).then(|| at + stride),
                ];
                for (c, byte) in bytes.into_iter().enumerate() {
                    let own = self.part(byte);
                    let near = (neighbours.into_iter().flatten())
                        .map(|other| smooth.parts[other][c])
                        .filter(|part| (part - own).abs() < 1.5 * level);
                    let (sum, count) = near.fold((0.0, 0.0), |(s, n), part| (s + part, n + 1.0));
                    if count > 0.0 {
                        let value = &mut smooth.parts[at][c];
                        *value += OVER_RELAXATION * (sum / count - *value);
                        // Less than half a level, so that it is the same byte again.
                        *value = value.clamp(own - 0.499 * level, own + 0.499 * level);
                    }
                }
            }
        }
        smooth
    }
}

/// The values of a hole and of the pixels around it.
pub(crate) struct Smooth {
    left: u32,
    top: u32,
    stride: usize,
    parts: Vec<[f32; 3]>,
}

impl Smooth {
    /// As parts of the range of samples.
    pub fn at(&self, x: u32, y: u32) -> [f32; 3] {
        self.parts[(y - self.top) as usize * self.stride + (x - self.left) as usize]
    }
}

/// Samples of colour outside the hole; none of a picture of 8 bits.
fn known_parts(pixels: &DynamicImage, mask: &Mask) -> Vec<f32> {
    let (num_channels, num_colours) = {
        let color = pixels.color();
        let num_channels = usize::from(color.channel_count());
        (num_channels, num_channels - usize::from(color.has_alpha()))
    };
    let step = (mask.as_bytes().len() / (MAX_SAMPLES / 3)).max(1);
    let places = (mask.as_bytes().iter().enumerate().step_by(step))
        .filter(|&(_, &hole)| hole == 0)
        .flat_map(|(at, _)| (0..num_colours).map(move |c| at * num_channels + c));
    if let Some(samples) = deep_samples(pixels) {
        places.map(|at| f32::from(samples[at]) / 65_535.0).collect()
    } else if let Some(samples) = crate::encode::float_samples(pixels) {
        places.map(|at| samples[at]).collect()
    } else {
        Vec::new()
    }
}

/// The samples of a picture of 16 bits.
fn deep_samples(pixels: &DynamicImage) -> Option<&[u16]> {
    match pixels {
        DynamicImage::ImageLuma16(pixels) => Some(pixels),
        DynamicImage::ImageLumaA16(pixels) => Some(pixels),
        DynamicImage::ImageRgb16(pixels) => Some(pixels),
        DynamicImage::ImageRgba16(pixels) => Some(pixels),
        _ => None,
    }
}

/// The picture in 8 bits, on these levels.
pub(crate) fn on_levels(pixels: &DynamicImage, levels: Levels) -> RgbImage {
    let color = pixels.color();
    let num_channels = usize::from(color.channel_count());
    let channel = |c: usize| if color.has_color() { c } else { 0 };
    let part = |at: usize| match (deep_samples(pixels), crate::encode::float_samples(pixels)) {
        (Some(samples), _) => f32::from(samples[at]) / 65_535.0,
        (None, Some(samples)) => samples[at],
        (None, None) => 0.0,
    };
    let (width, height) = (pixels.width(), pixels.height());
    RgbImage::from_fn(width, height, |x, y| {
        let at = (y as usize * width as usize + x as usize) * num_channels;
        image::Rgb([0, 1, 2].map(|c| levels.to_byte(part(at + channel(c)))))
    })
}
