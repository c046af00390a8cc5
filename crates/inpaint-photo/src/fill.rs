//! Writing new colours into samples of any kind.

use crate::Hole;
use crate::levels::Levels;
use image::{ImageBuffer, Pixel};
use inpaint_core::RgbImage;

/// A number format of samples.
pub(crate) trait Sample: Copy {
    /// The value that means opaque.
    const OPAQUE: Self;
    /// There are values between those of 8 bits.
    const IS_DEEP: bool;

    /// As part of the range from black (0) to white (1).
    fn to_part(self) -> f32;

    /// The nearest value to a part of the range.
    fn from_part(part: f32) -> Self;

    /// From `self` to `new` by `share` of [`Hole::WHOLE`].
    fn towards(self, new: Self, share: u16) -> Self;
}

impl Sample for u8 {
    const OPAQUE: Self = u8::MAX;
    const IS_DEEP: bool = false;

    fn to_part(self) -> f32 {
        f32::from(self) / 255.0
    }

    fn from_part(part: f32) -> Self {
        (part * 255.0).round() as Self
    }

    fn towards(self, new: Self, share: u16) -> Self {
        u16::from(self).towards_within(new.into(), share) as u8
    }
}

impl Sample for u16 {
    const OPAQUE: Self = u16::MAX;
    const IS_DEEP: bool = true;

    fn to_part(self) -> f32 {
        f32::from(self) / 65_535.0
    }

    fn from_part(part: f32) -> Self {
        (part * 65_535.0).round() as Self
    }

    fn towards(self, new: Self, share: u16) -> Self {
        self.towards_within(new, share)
    }
}

impl Sample for f32 {
    const OPAQUE: Self = 1.0;
    const IS_DEEP: bool = true;

    fn to_part(self) -> f32 {
        self
    }

    fn from_part(part: f32) -> Self {
        part
    }

    fn towards(self, new: Self, share: u16) -> Self {
        self + (new - self) * (f32::from(share) / f32::from(Hole::WHOLE))
    }
}

/// Rounded interpolation of integers; never leaves their range.
trait Within {
    fn towards_within(self, new: u16, share: u16) -> u16;
}

impl Within for u16 {
    fn towards_within(self, new: u16, share: u16) -> u16 {
        let whole = u64::from(Hole::WHOLE);
        let share = u64::from(share);
        let sum = u64::from(self) * (whole - share) + u64::from(new) * share;
        ((sum + whole / 2) / whole) as u16
    }
}

/// Takes the hole's colours from `completed`; all three have one size. Samples of more than 8 bits
/// get the colours on `levels`, without the steps of 8 bits.
pub(crate) fn fill<P>(
    pixels: &mut ImageBuffer<P, Vec<P::Subpixel>>,
    completed: &RgbImage,
    hole: &Hole,
    levels: Levels,
) where
    P: Pixel<Subpixel: Sample>,
{
    let num_channels = usize::from(P::CHANNEL_COUNT);
    let has_alpha = num_channels == 2 || num_channels == 4;
    let num_colours = num_channels - usize::from(has_alpha);
    let Some(bounds) = hole.mask().hole_bounds() else {
        return;
    };
    let bytes = |x: u32, y: u32| {
        let new = completed.get_pixel(x, y);
        if num_colours == 1 {
            [new.to_luma().0[0]; 3]
        } else {
            new.0
        }
    };
    let known = |x: u32, y: u32| {
        let samples = pixels.get_pixel(x, y).channels();
        [0, 1, 2].map(|c| samples[c.min(num_colours - 1)].to_part())
    };
    let smooth = <P::Subpixel as Sample>::IS_DEEP
        .then(|| levels.without_steps(hole.mask(), bounds, bytes, known));
    for y in bounds.y..bounds.y + bounds.height {
        for x in bounds.x..bounds.x + bounds.width {
            let share = hole.share(x, y);
            if share == 0 {
                continue;
            }
            let parts = match &smooth {
                Some(smooth) => smooth.at(x, y),
                None => bytes(x, y).map(|byte| f32::from(byte) / 255.0),
            };
            let samples = pixels.get_pixel_mut(x, y).channels_mut();
            for (sample, part) in samples[..num_colours].iter_mut().zip(parts) {
                let new = Sample::from_part(part);
                *sample = if share == Hole::WHOLE {
                    new
                } else {
                    sample.towards(new, share)
                };
            }
            if has_alpha && hole.is_transparent_area() {
                samples[num_colours] = samples[num_colours].towards(Sample::OPAQUE, share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, LumaA, Rgb, Rgba};
    use inpaint_core::Mask;

    #[test]
    fn sixteen_bits_and_alpha_stay_outside_and_inside_the_hole() {
        let before = Rgba([1000u16, 2001, 3002, 4003]);
        let mut pixels = ImageBuffer::from_pixel(2, 1, before);
        let completed = RgbImage::from_pixel(2, 1, Rgb([1, 2, 255]));
        let hole = Hole::from(Mask::from_fn(2, 1, |x, _| x == 1));
        fill(&mut pixels, &completed, &hole, Levels::FULL);
        assert_eq!(pixels.get_pixel(0, 0), &before);
        assert_eq!(pixels.get_pixel(1, 0).0, [257, 514, 65535, 4003]);
    }

    #[test]
    fn grey_stays_grey() {
        let mut grey = GrayAlphaImage::from_pixel(1, 1, LumaA([9, 77]));
        let completed = RgbImage::from_pixel(1, 1, Rgb([200; 3]));
        fill(
            &mut grey,
            &completed,
            &Mask::new(1, 1).inverted().into(),
            Levels::FULL,
        );
        assert_eq!(grey.as_raw(), &[200, 77]);
    }

    #[test]
    fn blending_ends_at_both_values() {
        for (old, new) in [(0u8, 255u8), (255, 0), (7, 7), (100, 103)] {
            assert_eq!(old.towards(new, 0), old);
            assert_eq!(old.towards(new, Hole::WHOLE), new);
        }
        assert_eq!(0u8.towards(254, Hole::WHOLE / 2), 127);
        assert_eq!(u16::MAX.towards(0, Hole::WHOLE / 4), 49152);
        assert!((0.0f32.towards(1.0, Hole::WHOLE / 2) - 0.5).abs() < 1e-4);
    }
}
