//! Resizing as the protocols and metrics define it, whose results must equal other programs'.
//!
//! Every filter is separable: an output pixel is a weighted sum of a run of input pixels, first
//! along rows, then along columns.

use inpaint_core::RgbImage;

/// A picture in floating point, rows of RGB, in levels of 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Levels {
    /// A part of a picture: `width` × `height` pixels at (`x`, `y`), which must lie inside.
    pub fn of(picture: &RgbImage, [x, y, width, height]: [u32; 4]) -> Self {
        let row = |y: u32| {
            let first = 3 * (y as usize * picture.width() as usize + x as usize);
            &picture.as_raw()[first..first + 3 * width as usize]
        };
        Self {
            width: width as usize,
            height: height as usize,
            values: (y..y + height)
                .flat_map(row)
                .map(|&v| f32::from(v))
                .collect(),
        }
    }

    /// Rounded to the nearest level.
    pub fn to_rgb(&self) -> RgbImage {
        let bytes = self
            .values
            .iter()
            .map(|v| v.round().clamp(0.0, 255.0) as u8);
        RgbImage::from_raw(self.width as u32, self.height as u32, bytes.collect())
            .expect("three values per pixel")
    }

    /// Resized with the weights of `filter` along both axes.
    pub fn resized(&self, width: usize, height: usize, filter: Filter) -> Self {
        let columns = filter(self.width, width);
        let mut narrow = Vec::with_capacity(3 * width * self.height);
        for row in self.values.chunks_exact(3 * self.width) {
            for Run { first, weights } in &columns {
                for channel in 0..3 {
                    let taps = row[3 * first + channel..].iter().step_by(3).zip(weights);
                    narrow.push(taps.map(|(&v, w)| f64::from(v) * w).sum::<f64>() as f32);
                }
            }
        }
        let stride = 3 * width;
        let mut values = Vec::with_capacity(stride * height);
        for Run { first, weights } in filter(self.height, height) {
            for at in 0..stride {
                let taps = narrow[first * stride + at..]
                    .iter()
                    .step_by(stride)
                    .zip(&weights);
                values.push(taps.map(|(&v, w)| f64::from(v) * w).sum::<f64>() as f32);
            }
        }
        Self {
            width,
            height,
            values,
        }
    }
}

/// The runs of input pixels behind every output pixel, for a number of pixels before and after.
pub(crate) type Filter = fn(usize, usize) -> Vec<Run>;

/// The inputs of an output pixel: `weights.len()` of them from `first` on. The weights sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub first: usize,
    pub weights: Vec<f64>,
}

/// The mean over the area that a pixel covers, parts of input pixels counted as parts. Equal to
/// OpenCV's `INTER_AREA` when it shrinks; unlike Pillow's `BOX`, which counts whole pixels only.
pub(crate) fn area(from: usize, to: usize) -> Vec<Run> {
    // In units of 1/to of an input pixel, so that edges are whole numbers.
    (0..to)
        .map(|i| {
            let (start, end) = (i * from, (i + 1) * from);
            let (first, last) = (start / to, (end - 1) / to);
            let covered = |pixel: usize| end.min((pixel + 1) * to) - start.max(pixel * to);
            Run {
                first,
                weights: (first..=last)
                    .map(|pixel| covered(pixel) as f64 / from as f64)
                    .collect(),
            }
        })
        .collect()
}

/// PyTorch's `interpolate(mode="bilinear", align_corners=False)`, without antialiasing: what
/// pytorch-fid does ahead of its network.
pub(crate) fn bilinear(from: usize, to: usize) -> Vec<Run> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            let centre = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
            let first = (centre as usize).min(from - 1);
            let part = centre - first as f64;
            Run {
                first,
                weights: if first + 1 < from {
                    vec![1.0 - part, part]
                } else {
                    vec![1.0]
                },
            }
        })
        .collect()
}

/// Pillow's `BICUBIC`: a = −1/2, widened by the ratio when it shrinks, normalised at the border.
/// clean-fid resizes with it.
pub(crate) fn bicubic(from: usize, to: usize) -> Vec<Run> {
    const A: f64 = -0.5;
    let kernel = |x: f64| {
        let x = x.abs();
        if x < 1.0 {
            ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * A
        } else {
            0.0
        }
    };
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let mut weights: Vec<f64> = (first..end)
                .map(|pixel| kernel((pixel as f64 - centre + 0.5) / stretch))
                .collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Run { first, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn areas_count_parts_of_pixels() {
        let row = RgbImage::from_fn(3, 1, |x, _| Rgb([[0, 90, 255][x as usize]; 3]));
        let levels = Levels::of(&row, [0, 0, 3, 1]);
        // (0 + 90/2) / 1.5 and (90/2 + 255) / 1.5.
        let small = levels.resized(2, 1, area).to_rgb();
        assert_eq!(
            (small.get_pixel(0, 0)[0], small.get_pixel(1, 0)[1]),
            (30, 200)
        );
        assert_eq!(levels.resized(3, 1, area).to_rgb(), row);
    }

    #[test]
    fn weights_sum_to_one_and_stay_inside() {
        for filter in [area, bilinear, bicubic] {
            for (from, to) in [
                (7, 3),
                (512, 256),
                (683, 256),
                (256, 299),
                (17, 299),
                (1, 5),
                (5, 1),
            ] {
                let runs = filter(from, to);
                assert_eq!(runs.len(), to);
                for Run { first, weights } in runs {
                    assert!(!weights.is_empty() && first + weights.len() <= from);
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_part_is_cut_out() {
        let picture = RgbImage::from_fn(4, 3, |x, y| Rgb([x as u8, y as u8, 9]));
        let part = Levels::of(&picture, [1, 1, 2, 2]).to_rgb();
        assert_eq!(part.get_pixel(1, 0).0, [2, 1, 9]);
        assert_eq!(part.dimensions(), (2, 2));
    }
}
