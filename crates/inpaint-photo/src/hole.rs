//! Where the hole is: from a mask file, from transparency, from shapes.

use crate::mask_meaning::{self, MaskNote};
use crate::{Limits, Photo, PhotoError};
use inpaint_core::{Mask, Rect};

/// The hole of a photo, with the band in which the filling is blended into the known picture.
#[derive(Debug, Clone)]
pub struct Hole {
    /// Everything that may change.
    mask: Mask,
    feather: Option<Feather>,
    is_transparent_area: bool,
}

/// How much of the filling each pixel takes.
#[derive(Debug, Clone)]
struct Feather {
    bounds: Rect,
    shares: Vec<u16>,
}

impl From<Mask> for Hole {
    /// A hole with a sharp rim.
    fn from(mask: Mask) -> Self {
        Self {
            mask,
            feather: None,
            is_transparent_area: false,
        }
    }
}

impl Hole {
    /// The share of a pixel that is the filling's alone.
    pub const WHOLE: u16 = u16::MAX;

    /// Enlarges the hole by every pixel within `px` of it.
    #[must_use]
    pub fn grown(self, px: u32) -> Self {
        Self {
            mask: self.mask.dilated(px),
            ..self
        }
    }

    /// Enlarges the hole by `px` and blends the filling with the known picture over this band: at
    /// the distance d from the former hole the filling's share is 1 − d/(px + 1). What lies
    /// further away never changes.
    #[must_use]
    pub fn feathered(self, px: u32) -> Self {
        let mask = self.mask.dilated(px);
        let Some(bounds) = mask.hole_bounds().filter(|_| px > 0) else {
            return self;
        };
        let reach = f64::from(px) + 1.0;
        let share = |squared: u64| {
            let share = 1.0 - (squared as f64).sqrt() / reach;
            (share.clamp(0.0, 1.0) * f64::from(Self::WHOLE)).round() as u16
        };
        let squared = self.mask.squared_distances(bounds);
        let shares = squared.into_iter().map(share).collect();
        Self {
            mask,
            feather: Some(Feather { bounds, shares }),
            ..self
        }
    }

    /// Marks the hole as the photo's transparent area, which filling makes opaque.
    #[must_use]
    pub fn as_transparent_area(self) -> Self {
        Self {
            is_transparent_area: true,
            ..self
        }
    }

    /// Every pixel that is to be filled, the blended band included.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Whether filling makes the hole opaque.
    pub fn is_transparent_area(&self) -> bool {
        self.is_transparent_area
    }

    /// How much of the filling a pixel takes, up to [`Self::WHOLE`]; 0 outside the hole.
    pub fn share(&self, x: u32, y: u32) -> u16 {
        if !self.mask.is_hole(x, y) {
            return 0;
        }
        match &self.feather {
            None => Self::WHOLE,
            Some(Feather { bounds, shares }) => {
                let (x, y) = ((x - bounds.x) as usize, (y - bounds.y) as usize);
                shares[y * bounds.width as usize + x]
            }
        }
    }
}

/// How a mask is read and made into a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskOptions {
    /// Black is the hole.
    pub invert: bool,
    /// Brightness from which on a pixel is white.
    pub threshold: u8,
    /// The hole is enlarged by this many pixels.
    pub grow_px: u32,
    /// The hole is enlarged by this many pixels, over which the filling is blended with the known
    /// picture.
    pub feather_px: u32,
    /// A mask of another size is stretched to the photo's instead of being refused.
    pub fit: bool,
}

impl Default for MaskOptions {
    fn default() -> Self {
        Self {
            invert: false,
            threshold: 128,
            grow_px: 0,
            feather_px: 0,
            fit: false,
        }
    }
}

impl MaskOptions {
    /// Grows and feathers a mask.
    pub fn hole(&self, mask: Mask) -> Hole {
        Hole::from(mask)
            .grown(self.grow_px)
            .feathered(self.feather_px)
    }

    /// Reads a mask file without growing it.
    ///
    /// # Errors
    ///
    /// As [`read_mask`].
    pub fn mask(&self, bytes: &[u8], photo: &Photo, limits: &Limits) -> Result<Mask, PhotoError> {
        Ok(self.noted_mask(bytes, photo, limits)?.0)
    }

    /// [`Self::mask`], and how the mask was understood if it is not white on black.
    ///
    /// # Errors
    ///
    /// As [`read_mask`].
    pub fn noted_mask(
        &self,
        bytes: &[u8],
        photo: &Photo,
        limits: &Limits,
    ) -> Result<(Mask, Option<MaskNote>), PhotoError> {
        let file = Photo::decode(bytes, limits)?;
        let size = file.dimensions();
        let (width, height) = photo.dimensions();
        if size != (width, height) && !self.fit {
            let turned = photo.is_stored_turned() && size == (height, width);
            return Err(PhotoError::MaskSize {
                mask: size.into(),
                photo: (width, height).into(),
                turned,
            });
        }
        let (mut grey, note) = mask_meaning::read(file.pixels(), self)?;
        drop(file);
        if size != (width, height) {
            // Smooth edges before the threshold give a smooth outline behind it.
            let filter = image::imageops::FilterType::Triangle;
            grey = image::imageops::resize(&grey, width, height, filter);
        }
        let mask = Mask::from_gray(&grey, self.threshold);
        let mask = if self.invert { mask.inverted() } else { mask };
        Ok((mask, note))
    }
}

/// Reads a mask for `photo`: white is the hole, transparent is black, and the mask's own EXIF
/// orientation is applied.
///
/// # Errors
///
/// If the file cannot be decoded, is of another size than the photo, or a photo itself.
pub fn read_mask(
    bytes: &[u8],
    options: &MaskOptions,
    photo: &Photo,
    limits: &Limits,
) -> Result<Hole, PhotoError> {
    Ok(options.hole(options.mask(bytes, photo, limits)?))
}

/// The photo's transparent area: where 255 − alpha is at least the threshold (with `invert`,
/// where it is not).
///
/// # Errors
///
/// [`PhotoError::NoAlpha`] if the photo has no alpha.
pub fn alpha_mask(photo: &Photo, options: &MaskOptions) -> Result<Mask, PhotoError> {
    if !photo.pixels().color().has_alpha() {
        return Err(PhotoError::NoAlpha);
    }
    let pixels = photo.pixels().to_luma_alpha8();
    let (width, height) = pixels.dimensions();
    let mask = Mask::from_fn(width, height, |x, y| {
        255 - pixels.get_pixel(x, y).0[1] >= options.threshold
    });
    Ok(if options.invert {
        mask.inverted()
    } else {
        mask
    })
}

/// How many pixels outside the hole are neither opaque nor transparent altogether, as a soft eraser
/// leaves them around what it erased.
pub fn num_half_transparent(photo: &Photo, hole: &Hole) -> usize {
    if !photo.pixels().color().has_alpha() {
        return 0;
    }
    let pixels = photo.pixels().to_luma_alpha16();
    let known = pixels.pixels().zip(hole.mask().as_bytes());
    known
        .filter(|(pixel, hole)| **hole == 0 && !matches!(pixel.0[1], 0 | u16::MAX))
        .count()
}

/// A hole given by coordinates in the picture as it is shown, without a mask file.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A rectangle of pixels; parts outside the picture are ignored.
    Box(Rect),
    /// The corners of a polygon in pixels, (0, 0) being the outer corner of the first pixel. A
    /// pixel belongs to it if its centre lies inside by the even-odd rule.
    Polygon(Vec<(f64, f64)>),
}

impl Shape {
    /// Makes the shape part of the hole of `mask`.
    ///
    /// # Errors
    ///
    /// [`PhotoError::Polygon`] for a polygon of fewer than three corners.
    pub fn draw(&self, mask: &mut Mask) -> Result<(), PhotoError> {
        match self {
            Self::Box(rect) => mask.fill_rect(*rect),
            Self::Polygon(corners) if corners.len() < 3 => {
                return Err(PhotoError::Polygon {
                    corners: corners.len(),
                });
            }
            Self::Polygon(corners) => fill_polygon(mask, corners),
        }
        Ok(())
    }
}

fn fill_polygon(mask: &mut Mask, corners: &[(f64, f64)]) {
    let (width, height) = mask.dimensions();
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    let mut crossings = Vec::new();
    for row in 0..height {
        let y = f64::from(row) + 0.5;
        crossings.clear();
        for (&(x0, y0), &(x1, y1)) in edges.clone() {
            if (y0 <= y) != (y1 <= y) {
                crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
            }
        }
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // Pixels whose centres lie between; the casts saturate at the picture's borders.
            let first = (pair[0] - 0.5).ceil().max(0.0) as u32;
            let end = ((pair[1] - 0.5).ceil().max(0.0) as u32).min(width);
            mask.fill_rect(Rect {
                x: first,
                y: row,
                width: end.saturating_sub(first),
                height: 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feathered_hole_fades_with_the_distance_and_ends() {
        let mask = Mask::from_fn(11, 1, |x, _| x == 5);
        let hole = Hole::from(mask).feathered(3);
        let shares: Vec<u16> = (0..11).map(|x| hole.share(x, 0)).collect();
        let quarters = [0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0];
        for (share, quarter) in shares.into_iter().zip(quarters) {
            let expected = f64::from(quarter) / 4.0 * f64::from(Hole::WHOLE);
            assert!((f64::from(share) - expected).abs() <= 0.5);
        }
        assert_eq!(hole.mask().hole_area(), 7);
    }

    #[test]
    fn polygons_cover_the_pixels_whose_centres_they_hold() {
        let draw = |corners: &[(f64, f64)]| {
            let mut mask = Mask::new(6, 4);
            Shape::Polygon(corners.to_vec()).draw(&mut mask).unwrap();
            mask
        };
        let square = draw(&[(1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)]);
        let rect = Rect {
            x: 1,
            y: 1,
            width: 3,
            height: 2,
        };
        assert_eq!(square, Mask::rectangle(6, 4, rect));
        let triangle = draw(&[(0.0, 0.0), (4.0, 4.0), (0.0, 4.0)]);
        let below = Mask::from_fn(6, 4, |x, y| x < y);
        assert_eq!(triangle.union(&below).unwrap(), triangle);
        assert!(!triangle.is_hole(3, 1));
        // Far outside the picture nothing overflows.
        assert!(draw(&[(-1e300, -9.0), (1e300, -9.0), (0.0, 1e9)]).is_full());
        assert!(draw(&[(f64::NAN, 0.0), (1.0, f64::NAN), (3.0, 3.0)]).is_empty());
        let line = Shape::Polygon(vec![(0.0, 0.0), (4.0, 4.0)]);
        assert!(line.draw(&mut Mask::new(6, 4)).is_err());
    }
}
