//! Samples drawn ahead, on threads of their own.

use super::sampler::{BLOCK, Sample, Sampler};
use crossbeam_channel::{Receiver, bounded};
use std::collections::HashMap;

/// A sampler that keeps the crops which will be shown again.
#[derive(Debug)]
struct Drawing {
    sampler: Sampler,
    /// By number, those of the present block.
    bases: HashMap<u64, Option<Sample>>,
}

impl Drawing {
    fn new(sampler: Sampler) -> Self {
        Self {
            sampler,
            bases: HashMap::new(),
        }
    }

    /// As [`Sampler::sample`].
    fn sample(&mut self, index: u64) -> Option<Sample> {
        if self.sampler.data.repeats == 1 {
            return self.sampler.sample(index);
        }
        let number = self.sampler.base_of(index);
        let present = |other: &u64| other / BLOCK == number / BLOCK;
        self.bases.retain(|other, _| present(other));
        let base = (self.bases.entry(number)).or_insert_with(|| self.sampler.base(number));
        Some(self.sampler.variant(base.clone()?, index))
    }
}

/// Worker threads that keep a few samples ready. Sample order does not depend on their number.
#[derive(Debug)]
pub struct Loader {
    queues: Vec<Receiver<Option<Sample>>>,
    next: usize,
}

impl Loader {
    /// Starts drawing at sample number `first`. The threads end when the loader is dropped.
    pub fn start(sampler: Sampler, first: u64) -> Self {
        let num_workers = sampler.data.num_workers.max(1);
        let queues = (0..num_workers)
            .map(|worker| {
                let (sender, queue) = bounded(8);
                let mut drawing = Drawing::new(sampler.clone());
                std::thread::spawn(move || {
                    let mut index = first + worker as u64;
                    while sender.send(drawing.sample(index)).is_ok() {
                        index += num_workers as u64;
                    }
                });
                queue
            })
            .collect();
        Self { queues, next: 0 }
    }

    /// The next samples in order; `None` when the pictures turned out to be damaged.
    pub fn next_samples(&mut self, count: usize) -> Option<Vec<Sample>> {
        (0..count)
            .map(|_| {
                let queue = &self.queues[self.next];
                self.next = (self.next + 1) % self.queues.len();
                queue.recv().ok().flatten()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pictures;
    use super::*;
    use crate::config::DataConfig;
    use image::{Rgb, RgbImage};
    use inpaint_core::Mask;
    use inpaint_core::random::{Random, stream};
    use std::sync::Arc;
    use tmad::coarse::Prior;

    /// A sampler of 8 px crops, four times each, of three pictures in a folder of their own.
    fn sampler() -> (tempfile::TempDir, Sampler) {
        let folder = tempfile::tempdir().unwrap();
        for seed in 0..3 {
            let picture = RgbImage::from_fn(40, 30, |x, y| {
                let mut random = Random::new(stream(seed, u64::from(x + 40 * y)));
                Rgb([(); 3].map(|()| random.bits() as u8))
            });
            let path = folder.path().join(format!("{seed}.png"));
            picture.save(path).unwrap();
        }
        let pictures = Arc::new(Pictures::open(folder.path(), 3, 16).unwrap());
        let data = DataConfig {
            repeats: 4,
            recolour: 0.5,
            num_workers: 3,
            ..DataConfig::default()
        };
        let sampler = Sampler::new(pictures, 0..3, data, Prior::Membrane, 8, 1);
        (folder, sampler)
    }

    #[test]
    fn a_crop_is_repeated_with_other_colours_a_block_later() {
        let (_folder, sampler) = sampler();
        let bases: Vec<_> = (0..3 * BLOCK * 4).map(|i| sampler.base_of(i)).collect();
        for base in 0..3 * BLOCK {
            assert_eq!(bases.iter().filter(|b| **b == base).count(), 4);
        }
        let [first, second] = [7, 7 + BLOCK].map(|index| sampler.sample(index).unwrap());
        assert_ne!(first.image, second.image);
        let area = first.mask.hole_area();
        assert!(area > 0 && area == second.mask.hole_area());
    }

    #[test]
    fn a_loader_draws_the_samples_of_its_sampler() {
        let (_folder, sampler) = sampler();
        // From the end of a crop's first use on, so that what is shown again was not kept.
        let first = BLOCK - 5;
        let mut loader = Loader::start(sampler.clone(), first);
        for (index, sample) in (first..).zip(loader.next_samples(700).unwrap()) {
            let expected = sampler.sample(index).unwrap();
            assert_eq!(sample.image, expected.image, "{index}");
            assert_eq!(sample.mask, expected.mask, "{index}");
        }
    }

    #[test]
    fn a_flip_turns_everything() {
        let picture = RgbImage::from_fn(4, 1, |x, _| Rgb([x as u8; 3]));
        let sample = Sample {
            image: picture.clone(),
            mask: Mask::from_fn(4, 1, |x, _| x == 3),
            filling: Some(picture),
        };
        let flipped = sample.flipped();
        for picture in [&flipped.image, flipped.filling.as_ref().unwrap()] {
            assert_eq!(picture.get_pixel(0, 0).0, [3; 3]);
        }
        assert!(flipped.mask.is_hole(0, 0) && flipped.mask.hole_area() == 1);
    }
}
