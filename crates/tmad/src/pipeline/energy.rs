//! Texture as strong as around the hole, for the scales that only add fine detail.
//!
//! A network that mixes several candidates averages them, and what averages out is their detail:
//! the result is smoother than what it was made of. And a soft guess finds soft candidates. What a
//! cell lacks is taken from its best candidate, as much of it as brings the cell's energy to that
//! of its candidates or, where that is more, of the hole's [`Surroundings`].

use crate::detail::{faded_bands, finest};
use crate::patches::{Position, centre};
use crate::tensors::tensor_values;
use burn::tensor::{Tensor, TensorData};
use inpaint_core::image::Rgb;
use inpaint_core::{Mask, RgbImage, membrane};

/// Most of a candidate that is added: more would show what it is made of, noise or compression.
const MAX_SHARE: f32 = 2.0;
/// Side of the blocks in which the energy of the surroundings is measured, in pixels.
const BLOCK_PX: usize = 16;
/// Steps per squared level in which the surroundings' energy is kept: fine detail deviates by
/// less than 128 levels.
const STEPS: f32 = 4.0;

/// How strong fine detail is around a hole, carried into it as smoothly as can be.
#[derive(Debug)]
pub(super) struct Surroundings {
    columns: usize,
    /// Mean square of a value by block; nothing where no block is known.
    energies: Vec<f32>,
}

impl Surroundings {
    /// Of the hole in a picture, `[1, 3, height, width]`.
    pub(super) fn new(picture: &Tensor<4>, hole: &Mask) -> Self {
        let [_, channels, height, width] = picture.dims();
        let (columns, rows) = (width.div_ceil(BLOCK_PX), height.div_ceil(BLOCK_PX));
        // Fine detail at a pixel is a matter of its neighbours, too.
        let hole = hole.dilated(2);
        let fine = tensor_values(finest(picture.clone()));
        let mut sums = vec![(0.0f32, 0usize); columns * rows];
        for (at, _) in hole
            .as_bytes()
            .iter()
            .enumerate()
            .filter(|(_, hole)| **hole == 0)
        {
            let (sum, count) = &mut sums[at / width / BLOCK_PX * columns + at % width / BLOCK_PX];
            *sum += (0..channels)
                .map(|c| fine[c * height * width + at].powi(2))
                .sum::<f32>();
            *count += channels;
        }
        let is_unknown = |count: usize| count < channels * BLOCK_PX * BLOCK_PX / 4;
        let block = |x: u32, y: u32| sums[y as usize * columns + x as usize];
        let (width, height) = (columns as u32, rows as u32);
        let unknown = Mask::from_fn(width, height, |x, y| is_unknown(block(x, y).1));
        if unknown.is_full() {
            return Self {
                columns,
                energies: Vec::new(),
            };
        }
        // A membrane is linear, so a number of two bytes can be filled byte by byte.
        let unit = 127.5f32.powi(2) * STEPS;
        let energies = RgbImage::from_fn(width, height, |x, y| {
            let (sum, count) = block(x, y);
            // The cast saturates.
            let [high, low] = ((sum / count.max(1) as f32 * unit).round() as u16).to_be_bytes();
            Rgb([high, low, 0])
        });
        let filled = membrane(&energies, &unknown).expect("a mask of the picture's size");
        let energy = |[high, low, _]: [f32; 3]| (256.0 * high + low) / unit;
        Self {
            columns,
            energies: filled.into_iter().map(energy).collect(),
        }
    }

    /// Mean square of a value that a cell of this side should have.
    fn energy(&self, cell: &Position, side: usize) -> f32 {
        let rows = self.energies.len() / self.columns;
        let blocks = |start: i32, limit: usize| {
            let at = |px: i32| (px.max(0) as usize / BLOCK_PX).min(limit - 1);
            at(start)..=at(start + side as i32 - 1)
        };
        if rows == 0 {
            return 0.0;
        }
        let (mut sum, mut count) = (0.0, 0.0f32);
        for row in blocks(cell.y, rows) {
            for column in blocks(cell.x, self.columns) {
                sum += self.energies[row * self.columns + column];
                count += 1.0;
            }
        }
        sum / count.max(1.0)
    }
}

/// Fine detail that is missing in a picture, collected cell by cell.
#[derive(Debug)]
pub(super) struct Missing {
    width: usize,
    height: usize,
    /// `[3, height, width]`
    values: Vec<f32>,
}

impl Missing {
    /// In a picture of this size.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            values: vec![0.0; 3 * height * width],
        }
    }

    /// Adds what `patches`, the networks' result for `cells`, lack against their candidates and
    /// the surroundings.
    ///
    /// # Shapes
    ///
    /// `patches` `[n, 3, k, k]`, `candidates` `[n, num · 3, k + 2·margin, k + 2·margin]`.
    pub(super) fn add(
        &mut self,
        patches: &Tensor<4>,
        candidates: &Tensor<4>,
        cells: &[Position],
        surroundings: &Surroundings,
        margin: usize,
    ) {
        let [n, channels, side, _] = candidates.dims();
        let shown = finest(centre(candidates.clone(), side - 2 * margin));
        let found = finest(patches.clone());
        let best = shown.clone().narrow(1, 0, 3);
        let wanted = sums(shown.powi_scalar(2));
        let products = sums(best.clone() * found.clone());
        let best_energies = sums(best.powi_scalar(2));
        let energies = sums(found.powi_scalar(2));
        let inner = side - 2 * margin;
        let shares: Vec<f32> = (0..n)
            .map(|cell| {
                let of_candidates = wanted[cell] * 3.0 / channels as f32;
                let around = surroundings.energy(&cells[cell], inner);
                share(
                    energies[cell],
                    products[cell],
                    best_energies[cell],
                    of_candidates.max(around * (3 * inner * inner) as f32),
                )
            })
            .collect();
        let shares = Tensor::from_data(TensorData::new(shares, [n, 1, 1, 1]), &patches.device());
        // The finest band comes first.
        let faded = faded_bands(candidates.clone().narrow(1, 0, 3), margin).narrow(1, 0, 3);
        self.put(&tensor_values(faded * shares), side, cells, margin);
    }

    fn put(&mut self, values: &[f32], side: usize, cells: &[Position], margin: usize) {
        for (cell, window) in cells.iter().zip(values.chunks_exact(3 * side * side)) {
            let (top, left) = (cell.y - margin as i32, cell.x - margin as i32);
            for (row, line) in window.chunks_exact(side).enumerate() {
                let (channel, row) = (row / side, (row % side) as i32);
                let Some(y) = inside(top + row, self.height) else {
                    continue;
                };
                let start = (channel * self.height + y) * self.width;
                for (column, value) in line.iter().enumerate() {
                    if let Some(x) = inside(left + column as i32, self.width) {
                        self.values[start + x] += value;
                    }
                }
            }
        }
    }

    /// `[1, 3, height, width]` of `picture`'s kind.
    pub(super) fn into_tensor(self, picture: &Tensor<4>) -> Tensor<4> {
        let shape = [1, 3, self.height, self.width];
        Tensor::from_data(TensorData::new(self.values, shape), &picture.device())
    }
}

fn inside(at: i32, limit: usize) -> Option<usize> {
    usize::try_from(at).ok().filter(|at| *at < limit)
}

/// Sum over everything of each element of a batch.
fn sums(x: Tensor<4>) -> Vec<f32> {
    let [n, channels, height, width] = x.dims();
    tensor_values(x.reshape([n, channels * height * width]).sum_dim(1))
}

/// How much of a candidate with energy `best` must be added to detail of the energy `found` to
/// make it that of the energy `wanted`; `product` is the inner product of both. At most
/// [`MAX_SHARE`].
fn share(found: f32, product: f32, best: f32, wanted: f32) -> f32 {
    let lacking = wanted - found;
    if lacking <= 0.0 || best <= 0.0 {
        return 0.0;
    }
    // |found + share · best|² = wanted
    let root = (product * product + best * lacking).sqrt();
    ((root - product) / best).clamp(0.0, MAX_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const SIDE: usize = 16;
    const MARGIN: usize = 4;

    /// Fine noise of this strength, different for every `seed`.
    fn noise(seed: u64, side: usize, strength: f32) -> Tensor<4> {
        let mut random = inpaint_core::random::Random::new(seed);
        let values =
            (0..3 * side * side).map(|_| strength * (random.below(201) as f32 / 100.0 - 1.0));
        let data = TensorData::new(values.collect::<Vec<_>>(), [1, 3, side, side]);
        Tensor::from_data(data, &Device::flex())
    }

    fn fine_energy(patch: Tensor<4>) -> f32 {
        sums(finest(patch).powi_scalar(2))[0]
    }

    /// What is missing in one cell at the picture's corner.
    fn missing(patch: &Tensor<4>, candidates: &Tensor<4>) -> Tensor<4> {
        let cell = Position {
            image: 0,
            y: 0,
            x: 0,
        };
        let mut missing = Missing::new(SIDE, SIDE);
        missing.add(patch, candidates, &[cell], &quiet(), MARGIN);
        missing.into_tensor(patch)
    }

    /// Surroundings that want nothing.
    fn quiet() -> Surroundings {
        Surroundings {
            columns: 1,
            energies: vec![0.0],
        }
    }

    /// Noise on the left of a hole, half as strong on its right: in between, it falls.
    #[test]
    fn surroundings_carry_their_strength_into_the_hole() {
        let (width, height) = (10 * BLOCK_PX, 3 * BLOCK_PX);
        let noise = tensor_values(noise(7, width, 0.4));
        let values = (0..3 * height * width).map(|i| {
            let strength = if i % width < 5 * BLOCK_PX { 1.0 } else { 0.5 };
            noise[i] * strength
        });
        let data = TensorData::new(values.collect::<Vec<_>>(), [1, 3, height, width]);
        let picture = Tensor::from_data(data, &Device::flex());
        let columns = 3 * BLOCK_PX as u32..7 * BLOCK_PX as u32;
        let hole = Mask::from_fn(width as u32, height as u32, |x, _| columns.contains(&x));
        let surroundings = Surroundings::new(&picture, &hole);
        let at = |column: usize| {
            let cell = Position {
                image: 0,
                y: BLOCK_PX as i32,
                x: (column * BLOCK_PX) as i32,
            };
            surroundings.energy(&cell, BLOCK_PX).sqrt()
        };
        let strengths: Vec<_> = (2..8).map(at).collect();
        assert!(strengths.is_sorted_by(|a, b| a > b), "{strengths:?}");
        let ratio = strengths[5] / strengths[0];
        assert!((0.45..0.55).contains(&ratio), "{strengths:?}");
        // Nothing known, nothing wanted; also beyond the picture.
        let full = Mask::from_fn(width as u32, height as u32, |_, _| true);
        let nothing = Surroundings::new(&picture, &full);
        let outside = Position {
            image: 0,
            y: -20,
            x: 500,
        };
        assert_eq!(nothing.energy(&outside, BLOCK_PX), 0.0);
        assert!(surroundings.energy(&outside, BLOCK_PX).is_finite());
    }

    /// Candidates as soft as the patch itself: their detail is doubled, as far as the surroundings
    /// are stronger.
    #[test]
    fn soft_candidates_give_what_the_surroundings_want() {
        let candidates = noise(1, SIDE + 2 * MARGIN, 0.2);
        let patch = Tensor::zeros([1, 3, SIDE, SIDE], &Device::flex());
        let energy_of = |surroundings: Surroundings| {
            let cell = Position {
                image: 0,
                y: 0,
                x: 0,
            };
            let mut missing = Missing::new(SIDE, SIDE);
            missing.add(&patch, &candidates, &[cell], &surroundings, MARGIN);
            fine_energy(missing.into_tensor(&patch))
        };
        let loud = Surroundings {
            columns: 1,
            energies: vec![1.0],
        };
        let ratio = energy_of(loud) / energy_of(quiet());
        assert!((ratio - MAX_SHARE * MAX_SHARE).abs() < 1e-3, "{ratio}");
    }

    #[test]
    fn a_share_makes_up_for_what_lacks() {
        // Nothing is there: all of a candidate as strong as wanted, half of one twice as strong.
        assert_eq!(share(0.0, 0.0, 9.0, 9.0), 1.0);
        assert_eq!(share(0.0, 0.0, 36.0, 9.0), 0.5);
        // (1 + 2)² = 9: the same detail is there already, at a third.
        assert!((share(1.0, 3.0, 9.0, 9.0) - 2.0 / 3.0).abs() < 1e-6);
        // Enough, nothing to take it from, and no more than the most.
        assert_eq!(share(9.5, 0.0, 9.0, 9.0), 0.0);
        assert_eq!(share(1.0, 0.0, 0.0, 9.0), 0.0);
        assert_eq!(share(0.0, 0.0, 1.0, 9.0), MAX_SHARE);
    }

    #[test]
    fn smooth_patches_get_the_energy_of_their_candidates() {
        let wide = SIDE + 2 * MARGIN;
        let candidates = Tensor::cat(vec![noise(1, wide, 0.5), noise(2, wide, 0.4)], 1);
        let wanted = {
            let both = [1, 2].map(|seed| {
                let strength = if seed == 1 { 0.5 } else { 0.4 };
                fine_energy(centre(noise(seed, wide, strength), SIDE))
            });
            (both[0] + both[1]) / 2.0
        };
        for strength in [0.0, 0.2] {
            let patch = noise(3, SIDE, strength);
            let before = fine_energy(patch.clone());
            let after = fine_energy(patch.clone() + missing(&patch, &candidates));
            assert!(before < 0.3 * wanted, "{before} {wanted}");
            // Towards the border the candidate fades out, for neighbours that are not there.
            let ratio = after / wanted;
            assert!((0.7..1.1).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn patches_with_enough_detail_stay_as_they_are() {
        let candidates = noise(1, SIDE + 2 * MARGIN, 0.3);
        let patch = noise(2, SIDE, 0.5);
        let missing = tensor_values(missing(&patch, &candidates));
        assert!(missing.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn cells_may_reach_over_the_border() {
        let (above, below) = (-(SIDE as i32) / 2, SIDE as i32 / 2);
        let cells = [
            (above, above),
            (above, below),
            (below, above),
            (below, below),
        ];
        let cells = cells.map(|(y, x)| Position { image: 0, y, x });
        let patches = Tensor::zeros([4, 3, SIDE, SIDE], &Device::flex());
        let candidates = noise(1, SIDE + 2 * MARGIN, 0.5).repeat_dim(0, 4);
        let mut missing = Missing::new(SIDE, SIDE);
        missing.add(&patches, &candidates, &cells, &quiet(), MARGIN);
        let values = tensor_values(missing.into_tensor(&patches));
        assert_eq!(values.len(), 3 * SIDE * SIDE);
        assert!(values.iter().all(|value| value.is_finite()));
        assert!(values.iter().any(|&value| value != 0.0));
    }
}
