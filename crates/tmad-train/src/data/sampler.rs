//! Samples by number: which crop, which mask.

use super::Pictures;
use crate::augment;
use crate::config::DataConfig;
use image::RgbImage;
use image::imageops::flip_horizontal_in_place;
use inpaint_core::mask_generator::{FreeFormMask, MaskGenerator, ObjectMask, RectangleMask};
use inpaint_core::random::{Random, stream};
use inpaint_core::scene::drawings;
use inpaint_core::{Control, Mask};
use std::sync::Arc;
use tmad::coarse::Prior;

/// A square crop and its mask.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `size_px` × `size_px`.
    pub image: RgbImage,
    /// Same size, 1 = hole.
    pub mask: Mask,
    /// Same size: what [`Prior::filling`] made of them.
    pub filling: Option<RgbImage>,
}

impl Sample {
    /// Left and right exchanged.
    pub(super) fn flipped(mut self) -> Self {
        let (width, height) = self.mask.dimensions();
        let mirrored = |x, y| self.mask.is_hole(width - 1 - x, y);
        self.mask = Mask::from_fn(width, height, mirrored);
        std::iter::once(&mut self.image)
            .chain(&mut self.filling)
            .for_each(flip_horizontal_in_place);
        self
    }
}

/// Crops between two uses of the same one, where they are repeated.
pub(super) const BLOCK: u64 = 512;

/// Keeps the random numbers of a sample's variant apart from those of its crop.
const VARIANTS: u64 = 0x7661_7269_616e_7473;

/// Keeps the random numbers of what kind of sample it is apart from those of its crop, so that
/// the others stay as they are when a fraction changes.
const KINDS: u64 = 0x6b69_6e64_7300_0000;

/// Draws samples by number: the same number is the same sample, whoever draws it.
#[derive(Debug, Clone)]
pub struct Sampler {
    pictures: Arc<Pictures>,
    /// Indices of the pictures to draw from.
    range: std::ops::Range<usize>,
    pub(super) data: DataConfig,
    prior: Prior,
    size_px: u32,
    seed: u64,
}

impl Sampler {
    /// Draws from the pictures of `range` in a fixed pseudo-random order, for networks with this
    /// prior.
    pub fn new(
        pictures: Arc<Pictures>,
        range: std::ops::Range<usize>,
        data: DataConfig,
        prior: Prior,
        size_px: u32,
        seed: u64,
    ) -> Self {
        Self {
            pictures,
            range,
            data,
            prior,
            size_px,
            seed,
        }
    }

    /// Sample number `index`: see [`DataConfig::repeats`] for which crop it shows. Damaged
    /// pictures give their place to another one; `None` after 64 damaged ones in a row.
    pub fn sample(&self, index: u64) -> Option<Sample> {
        let base = self.base(self.base_of(index))?;
        Some(self.variant(base, index))
    }

    /// Number of the crop that sample `index` shows: blocks of crops are gone through
    /// [`DataConfig::repeats`] times.
    pub(super) fn base_of(&self, index: u64) -> u64 {
        let block = index / (BLOCK * self.data.repeats);
        block * BLOCK + index % BLOCK
    }

    /// Sample `index` of its crop `base`.
    pub(super) fn variant(&self, mut base: Sample, index: u64) -> Sample {
        let mut random = Random::new(stream(self.seed ^ VARIANTS, index));
        if self.is_drawn(self.base_of(index)) {
            let is_flipped = random.unit() < 0.5;
            return if is_flipped { base.flipped() } else { base };
        }
        if self.data.repeats > 1 && random.unit() < 0.5 {
            base = base.flipped();
        }
        augment::recolour(
            std::iter::once(&mut base.image).chain(&mut base.filling),
            self.data.recolour,
            &mut random,
        );
        base
    }

    /// What kind of sample crop `index` is.
    fn kinds(&self, index: u64) -> Random {
        Random::new(stream(self.seed ^ KINDS, index))
    }

    /// Whether crop `index` is a drawing.
    fn is_drawn(&self, index: u64) -> bool {
        // The last of the kinds' numbers, so that it leaves the others alone.
        let mut kinds = self.kinds(index);
        kinds.bits();
        kinds.bits();
        kinds.unit() < self.data.drawn_fraction
    }

    /// Crop number `index` with its mask and what stands in its hole. Damaged pictures give their
    /// place to another one; `None` after 64 damaged ones in a row.
    pub(super) fn base(&self, index: u64) -> Option<Sample> {
        let mut random = Random::new(stream(self.seed, index));
        let picture = (0..64).find_map(|_| {
            let pick = random.below(self.range.len() as u64) as usize;
            self.pictures
                .get(shuffled(self.range.start + pick, self.pictures.len()))
        })?;
        let mut kinds = self.kinds(index);
        let is_object = kinds.unit() < self.data.object_fraction;
        let is_native = kinds.unit() < self.data.native_fraction;
        let native = is_native.then(|| augment::native_crop(&picture, self.size_px, &mut random));
        let mut image = native.flatten().unwrap_or_else(|| {
            augment::random_crop(&picture, &self.data, self.size_px, &mut random)
        });
        if self.is_drawn(index) {
            image = drawings::draw(self.size_px, self.size_px, stream(self.seed, index));
        }
        let mask_seed = random.bits();
        let generator: &dyn MaskGenerator = if is_object {
            &ObjectMask::default()
        } else if random.unit() < self.data.rectangle_fraction {
            &RectangleMask::default()
        } else {
            &FreeFormMask::default()
        };
        let mask = generator.generate(self.size_px, self.size_px, mask_seed);
        let filling = (self.prior)
            .filling(&image, &mask, &Control::with_seed(mask_seed))
            .expect("a mask has the size of its picture, and nobody cancels");
        Some(Sample {
            image,
            mask,
            filling,
        })
    }
}

/// A fixed permutation of `0..len`, so that a range of it is no folder in particular.
fn shuffled(index: usize, len: usize) -> usize {
    // A multiplier near the golden section of `len` that shares no divisor with it.
    let mut multiplier = (len as f64 * 0.618) as usize | 1;
    while gcd(multiplier, len) != 1 {
        multiplier += 2;
    }
    (index * multiplier) % len
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Samples of `size_px` from three pictures of noise, 60 × 50.
    fn samples(data: &DataConfig, size_px: u32) -> Vec<Sample> {
        let folder = tempfile::tempdir().unwrap();
        for seed in 0..3 {
            let picture = RgbImage::from_fn(60, 50, |x, y| {
                let mut random = Random::new(stream(seed, u64::from(x + 60 * y)));
                Rgb([(); 3].map(|()| random.bits() as u8))
            });
            picture
                .save(folder.path().join(format!("{seed}.png")))
                .unwrap();
        }
        let pictures = Arc::new(Pictures::open(folder.path(), 3, 16).unwrap());
        let sampler = Sampler::new(pictures, 0..3, data.clone(), Prior::None, size_px, 1);
        (0..200).map(|i| sampler.sample(i).unwrap()).collect()
    }

    #[test]
    fn other_samples_stay_as_they_are_when_some_masks_are_objects() {
        let plain = samples(&DataConfig::default(), 48);
        let data = DataConfig {
            object_fraction: 0.5,
            ..DataConfig::default()
        };
        let mixed = samples(&data, 48);
        let pairs = || plain.iter().zip(&mixed);
        assert!(pairs().all(|(a, b)| a.image == b.image));
        let same = pairs().filter(|(a, b)| a.mask == b.mask).count();
        assert!((60..140).contains(&same), "{same}");
    }

    #[test]
    fn drawings_take_the_place_of_some_pictures_and_keep_their_colours() {
        let sampled = |drawn_fraction| {
            let data = DataConfig {
                drawn_fraction,
                recolour: 1.0,
                ..DataConfig::default()
            };
            samples(&data, 24)
        };
        let [none, some, all] = [0.0, 0.4, 1.0].map(sampled);
        let mut count = 0;
        for (i, some) in some.iter().enumerate() {
            let mut drawing = drawings::draw(24, 24, stream(1, i as u64));
            let is_as_drawn = all[i].image == drawing;
            flip_horizontal_in_place(&mut drawing);
            assert!(is_as_drawn || all[i].image == drawing);
            let is_drawn = some.image == all[i].image;
            count += usize::from(is_drawn);
            let expected = if is_drawn { &all[i] } else { &none[i] };
            assert_eq!(some.image, expected.image);
            assert_eq!(some.mask.hole_area(), none[i].mask.hole_area());
        }
        assert!((50..110).contains(&count), "{count}");
    }

    #[test]
    fn native_crops_keep_every_pixel_where_the_picture_is_large_enough() {
        let data = DataConfig {
            native_fraction: 1.0,
            ..DataConfig::default()
        };
        // Neighbours in noise differ by 85 levels on average; resizing blends them.
        let contrast = |size_px| {
            let samples = samples(&data, size_px);
            let rows = samples.iter().map(|s| s.image.as_raw());
            let pairs = rows.flat_map(|row| row.iter().zip(&row[3..]));
            let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| {
                (sum + f64::from(a.abs_diff(*b)), count + 1.0)
            });
            sum / count
        };
        let [native, enlarged] = [contrast(40), contrast(64)];
        assert!(
            (native - 85.0).abs() < 3.0 && enlarged < 60.0,
            "{native} {enlarged}"
        );
    }
}
