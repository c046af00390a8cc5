//! Sliced Wasserstein distance between the textures of two image sets.

use rayon::prelude::*;

use super::Region;
use crate::composite::check_images;
use crate::random::{Random, stream};
use crate::{InpaintError, RgbImage};

/// Side of a descriptor in pixels.
const SIDE: usize = 7;
const RADIUS: usize = SIDE / 2;
/// Values per descriptor: 7 × 7 pixels of 3 channels.
const LENGTH: usize = 3 * SIDE * SIDE;
/// Shortest side of the coarsest pyramid level.
const MIN_SIDE: u32 = 16;

/// Settings of [`SlicedWasserstein`]; the defaults are PGGAN's for 256 × 256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicedWassersteinOptions {
    /// Pyramid levels; each halves the size. 5 levels reach from 256 to 16.
    pub num_levels: usize,
    /// Descriptors per image and level.
    pub descriptors_per_image: usize,
    /// Random directions (PGGAN: 4 repeats of 128).
    pub num_projections: usize,
    /// Seed of the positions and the directions.
    pub seed: u64,
}

impl Default for SlicedWassersteinOptions {
    fn default() -> Self {
        Self {
            num_levels: 5,
            descriptors_per_image: 128,
            num_projections: 512,
            seed: 0,
        }
    }
}

impl SlicedWassersteinOptions {
    /// The defaults with as many levels as an image of this size allows: PGGAN
    /// stops before a side falls below 16 pixels.
    pub fn for_size(width: u32, height: u32) -> Self {
        let ratio = width.min(height) / MIN_SIDE;
        Self {
            num_levels: ratio.checked_ilog2().map_or(1, |log| log as usize + 1),
            ..Self::default()
        }
    }
}

/// A distance per pyramid level and their mean, × 1000 as PGGAN prints them.
#[derive(Debug, Clone, PartialEq)]
pub struct SlicedWassersteinScore {
    /// Finest level first.
    pub levels: Vec<f64>,
    /// Mean over the levels.
    pub mean: f64,
}

/// Collects pairs of images and measures how far their texture statistics lie
/// apart (Karras et al., *Progressive Growing of GANs*, 2018, section 5).
///
/// Per level of a Laplacian pyramid (5 × 5 binomial filter, mirrored border)
/// of the u8 values: random 7 × 7 × 3 descriptors are cut from each image;
/// over each *set* every channel is normalised to mean 0 and deviation 1; both
/// sets are projected on random unit directions; the distance is the mean
/// absolute difference of the sorted projections, averaged over directions
/// and multiplied by 1000. Lower is better, 0 for equal sets.
///
/// Two choices differ from PGGAN, since here images come in pairs: both images
/// of a pair are cut at the same positions, so equal sets score exactly 0; and
/// with [`Region::Hole`] only descriptors that touch the hole are drawn (a
/// pixel of a coarser level is hole when it covers a hole pixel). A channel
/// without any variance stays at 0 instead of dividing by it.
///
/// The distance falls with the number of images, so compare equal numbers.
#[derive(Debug, Clone)]
pub struct SlicedWasserstein {
    options: SlicedWassersteinOptions,
    num_images: u64,
    levels: Vec<Descriptors>,
}

/// Descriptors of one level, concatenated; `LENGTH` values each, channel-major.
#[derive(Debug, Clone, Default)]
struct Descriptors {
    reference: Vec<f32>,
    completed: Vec<f32>,
}

impl SlicedWasserstein {
    /// Starts with empty sets.
    pub fn new(options: SlicedWassersteinOptions) -> Self {
        Self {
            levels: vec![Descriptors::default(); options.num_levels],
            num_images: 0,
            options,
        }
    }

    /// Distance of a single pair with as many levels as its size allows.
    ///
    /// One image gives few descriptors; `descriptors_per_image` of 1024 or
    /// more is advisable.
    ///
    /// # Errors
    ///
    /// As [`Self::add`] and [`Self::finish`].
    pub fn of_pair(
        reference: &RgbImage,
        completed: &RgbImage,
        region: Region<'_>,
        descriptors_per_image: usize,
    ) -> Result<SlicedWassersteinScore, InpaintError> {
        let mut distance = Self::new(SlicedWassersteinOptions {
            descriptors_per_image,
            ..SlicedWassersteinOptions::for_size(reference.width(), reference.height())
        });
        distance.add(reference, completed, region)?;
        distance.finish()
    }

    /// Adds one pair.
    ///
    /// # Errors
    ///
    /// The sizes differ, the region holds no pixel, or the image is too small
    /// for the number of levels.
    pub fn add(
        &mut self,
        reference: &RgbImage,
        completed: &RgbImage,
        region: Region<'_>,
    ) -> Result<(), InpaintError> {
        check_images(reference, completed)?;
        region.check(reference)?;
        let size = reference.dimensions();
        let halvings = self.levels.len().saturating_sub(1).min(27) as u32;
        let minimum = MIN_SIDE << halvings;
        if size.0.min(size.1) < minimum {
            return Err(InpaintError::TooSmall {
                metric: "sliced Wasserstein distance",
                minimum,
                size: size.into(),
            });
        }
        if let Region::Hole(mask) = region
            && mask.is_empty()
        {
            return Err(InpaintError::EmptyRegion {
                metric: "sliced Wasserstein distance",
                reason: "the mask has no hole",
            });
        }
        let first = laplacian_pyramid(reference, self.levels.len());
        let second = laplacian_pyramid(completed, self.levels.len());
        let image_seed = stream(self.options.seed, self.num_images);
        for (level, set) in self.levels.iter_mut().enumerate() {
            let (width, height) = (first[level].width, first[level].height);
            let centres = match region {
                Region::Whole => None,
                Region::Hole(mask) => Some(hole_centres(mask, level, width, height)),
            };
            let mut random = Random::new(stream(image_seed, level as u64));
            for _ in 0..self.options.descriptors_per_image {
                let (x, y) = match &centres {
                    None => (
                        RADIUS + random.below((width - 2 * RADIUS) as u64) as usize,
                        RADIUS + random.below((height - 2 * RADIUS) as u64) as usize,
                    ),
                    Some(centres) => {
                        let i = centres[random.below(centres.len() as u64) as usize];
                        (i % width, i / width)
                    }
                };
                first[level].cut(x, y, &mut set.reference);
                second[level].cut(x, y, &mut set.completed);
            }
        }
        self.num_images += 1;
        Ok(())
    }

    /// The distance of everything added so far.
    ///
    /// # Errors
    ///
    /// [`InpaintError::EmptyRegion`] when nothing was added.
    pub fn finish(&self) -> Result<SlicedWassersteinScore, InpaintError> {
        let empty = self.levels.iter().any(|set| set.reference.is_empty());
        if empty || self.levels.is_empty() || self.options.num_projections == 0 {
            return Err(InpaintError::EmptyRegion {
                metric: "sliced Wasserstein distance",
                reason: "no descriptor or no projection",
            });
        }
        let levels: Vec<f64> = self
            .levels
            .iter()
            .enumerate()
            .map(|(level, set)| {
                let reference = normalised(&set.reference);
                let completed = normalised(&set.completed);
                let seed = stream(!self.options.seed, level as u64);
                let distances: Vec<f64> = (0..self.options.num_projections)
                    .into_par_iter()
                    .map(|index| {
                        let direction = direction(stream(seed, index as u64));
                        projected_distance(&reference, &completed, &direction)
                    })
                    .collect();
                // Summed in order: parallel sums round differently.
                1e3 * distances.iter().sum::<f64>() / distances.len() as f64
            })
            .collect();
        let mean = levels.iter().sum::<f64>() / levels.len() as f64;
        Ok(SlicedWassersteinScore { levels, mean })
    }
}

/// Positions of a level, in the order of rows, where a descriptor fits and
/// touches the hole. Never empty for a mask with a hole.
fn hole_centres(mask: &crate::Mask, level: usize, width: usize, height: usize) -> Vec<usize> {
    let mut centre = vec![false; width * height];
    // A hole pixel makes centres of all pixels within the radius of its cell.
    for (i, _) in mask.as_bytes().iter().enumerate().filter(|p| *p.1 != 0) {
        let x = ((i % mask.width() as usize) >> level).min(width - 1);
        let y = ((i / mask.width() as usize) >> level).min(height - 1);
        centre[y * width + x] = true;
    }
    let near = |x: usize, y: usize| {
        (y - RADIUS..=y + RADIUS)
            .any(|v| centre[v * width + x - RADIUS..=v * width + x + RADIUS].contains(&true))
    };
    (RADIUS..height - RADIUS)
        .flat_map(|y| (RADIUS..width - RADIUS).map(move |x| (x, y)))
        .filter(|&(x, y)| near(x, y))
        .map(|(x, y)| y * width + x)
        .collect()
}

/// Three planes of one pyramid level.
struct Level {
    width: usize,
    height: usize,
    planes: [Vec<f32>; 3],
}

impl Level {
    /// Appends the descriptor around `(x, y)`.
    fn cut(&self, x: usize, y: usize, descriptors: &mut Vec<f32>) {
        for plane in &self.planes {
            for v in y - RADIUS..=y + RADIUS {
                let start = v * self.width + x - RADIUS;
                descriptors.extend_from_slice(&plane[start..start + SIDE]);
            }
        }
    }
}

fn laplacian_pyramid(image: &RgbImage, num_levels: usize) -> Vec<Level> {
    let mut current = Level {
        width: image.width() as usize,
        height: image.height() as usize,
        planes: std::array::from_fn(|c| {
            image
                .chunks_exact(3)
                .map(|pixel| f32::from(pixel[c]))
                .collect()
        }),
    };
    let mut levels = Vec::with_capacity(num_levels);
    for _ in 1..num_levels {
        let (width, height) = (current.width, current.height);
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let smoothed = current
            .planes
            .each_ref()
            .map(|plane| blur(plane, width, 1.0));
        let halved = smoothed.map(|plane| {
            let rows = plane.chunks_exact(width).step_by(2);
            rows.flat_map(|row| row.iter().step_by(2).copied())
                .collect::<Vec<f32>>()
        });
        for (plane, half) in current.planes.iter_mut().zip(&halved) {
            let mut spread = vec![0.0; width * height];
            for (y, row) in half.chunks_exact(half_width).enumerate() {
                for (x, value) in row.iter().enumerate() {
                    spread[2 * y * width + 2 * x] = *value;
                }
            }
            for (value, low) in plane.iter_mut().zip(blur(&spread, width, 2.0)) {
                *value -= low;
            }
        }
        levels.push(current);
        current = Level {
            width: half_width,
            height: half_height,
            planes: halved,
        };
    }
    levels.push(current);
    levels
}

/// Separable \[1 4 6 4 1\] / 16 × `gain` per direction, the border mirrored
/// without repeating its pixel.
fn blur(plane: &[f32], width: usize, gain: f32) -> Vec<f32> {
    let taps = [1.0, 4.0, 6.0, 4.0, 1.0].map(|tap: f32| tap * gain / 16.0);
    let height = plane.len() / width;
    let mut rows = vec![0.0; plane.len()];
    for (out, row) in rows.chunks_exact_mut(width).zip(plane.chunks_exact(width)) {
        for (x, out) in out.iter_mut().enumerate() {
            for (k, tap) in taps.iter().enumerate() {
                *out += tap * row[mirror(x + k, width)];
            }
        }
    }
    let mut blurred = vec![0.0; plane.len()];
    for (y, out) in blurred.chunks_exact_mut(width).enumerate() {
        for (k, tap) in taps.iter().enumerate() {
            let row = &rows[mirror(y + k, height) * width..][..width];
            for (out, value) in out.iter_mut().zip(row) {
                *out += tap * value;
            }
        }
    }
    blurred
}

/// Index `shifted − 2` mirrored into `0..count`, which is at least 3.
fn mirror(shifted: usize, count: usize) -> usize {
    let last = count - 1;
    let index = shifted.abs_diff(2);
    if index > last {
        2 * last - index
    } else {
        index
    }
}

/// Every channel of the set brought to mean 0 and deviation 1.
fn normalised(descriptors: &[f32]) -> Vec<f32> {
    const PLANE: usize = SIDE * SIDE;
    let mut out = descriptors.to_vec();
    for channel in 0..3 {
        let planes = || {
            descriptors
                .chunks_exact(LENGTH)
                .flat_map(|d| &d[channel * PLANE..][..PLANE])
                .map(|&v| f64::from(v))
        };
        let count = (descriptors.len() / 3) as f64;
        let mean = planes().sum::<f64>() / count;
        let variance = planes().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        let scale = if variance > 0.0 {
            1.0 / variance.sqrt()
        } else {
            0.0
        };
        for descriptor in out.chunks_exact_mut(LENGTH) {
            for value in &mut descriptor[channel * PLANE..][..PLANE] {
                *value = ((f64::from(*value) - mean) * scale) as f32;
            }
        }
    }
    out
}

fn direction(seed: u64) -> [f32; LENGTH] {
    let mut random = Random::new(seed);
    let values: [f64; LENGTH] = std::array::from_fn(|_| random.normal());
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    values.map(|v| (v / length) as f32)
}

fn projected_distance(reference: &[f32], completed: &[f32], direction: &[f32; LENGTH]) -> f64 {
    let project = |descriptors: &[f32]| {
        let mut projected: Vec<f32> = descriptors
            .chunks_exact(LENGTH)
            .map(|d| d.iter().zip(direction).map(|(a, b)| a * b).sum())
            .collect();
        projected.sort_unstable_by(f32::total_cmp);
        projected
    };
    let (a, b) = (project(reference), project(completed));
    let pairs = a.iter().zip(&b).map(|(a, b)| f64::from((a - b).abs()));
    pairs.sum::<f64>() / a.len() as f64
}
