//! The candidates' own detail, which a patch may take over as it is
//! ([`PatchSynthesisConfig::candidate_detail`](crate::patch_synthesis::PatchSynthesisConfig)).

use crate::tensors::tensor_values;
use crate::tiles::Tiles;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use tmad_ops::{box_means, is_plain_memory};

/// Bands that [`bands`] splits a candidate into.
pub(crate) const NUM_BANDS: usize = 2;
/// Sides of the boxes between the bands, in pixels: what is finer than the first is fine, what is
/// finer than the second is middle, and the rest is left to the coarse guess.
const BOXES: [usize; NUM_BANDS] = [5, 17];

/// Biases of the backbone's output from which training starts: half of the best candidate's
/// detail, none of the others'.
pub(crate) fn initial_biases(num_candidates: usize) -> Vec<f32> {
    let mut biases = vec![0.0; 3 + NUM_BANDS * num_candidates];
    for band in 0..NUM_BANDS {
        biases[3 + band * num_candidates] = 0.5;
    }
    biases
}

/// Fine and middle frequencies of every channel.
///
/// # Shapes
///
/// `[n, channels, k, k]` → two of the same shape.
fn bands(x: Tensor<4>) -> [Tensor<4>; NUM_BANDS] {
    let [finer, coarser] = BOXES.map(|side| box_means(x.clone(), side));
    [x - finer.clone(), finer - coarser]
}

/// What is finer than the narrowest box: what doubling a picture's size cannot show.
pub(crate) fn finest(x: Tensor<4>) -> Tensor<4> {
    let coarser = box_means(x.clone(), BOXES[0]);
    x - coarser
}

/// What is coarser than the widest box is taken out: a network that only adds detail must not
/// shift colours.
pub(crate) fn without_coarse(x: Tensor<4>) -> Tensor<4> {
    let coarse = box_means(x.clone(), BOXES[NUM_BANDS - 1]);
    x - coarse
}

/// The detail of tiles: every candidate's bands, faded out towards the border and weighted pixel by
/// pixel by its share, summed up where windows of neighbouring cells overlap.
///
/// # Shapes
///
/// `candidates` `[num_cells, num_candidates · 3, k + 2·margin, k + 2·margin]`, `shares`
/// `[num_tiles, NUM_BANDS · num_candidates, T, T]` → `[num_tiles, 3, T, T]`.
///
/// # Panics
///
/// If `margin` is more than half of a cell.
pub(crate) fn of_tiles(
    tiles: &Tiles,
    candidates: Tensor<4>,
    shares: Tensor<4>,
    margin: usize,
) -> Tensor<4> {
    if is_plain_memory(&shares.device()) {
        return of_tiles_in_memory(tiles, candidates, shares, margin);
    }
    mixed(
        tiles.overlap(faded_bands(candidates, margin), margin),
        shares,
    )
}

/// [`of_tiles`] cell by cell and row by row, without maps of all bands.
fn of_tiles_in_memory(
    tiles: &Tiles,
    candidates: Tensor<4>,
    shares: Tensor<4>,
    margin: usize,
) -> Tensor<4> {
    let [num_tiles, num_shares, tile_px, _] = shares.dims();
    let side = candidates.dims()[2];
    let (device, num) = (shares.device(), num_shares / NUM_BANDS);
    let [finer, coarser] = BOXES.map(|side| tensor_values(box_means(candidates.clone(), side)));
    let (plain, shares) = (tensor_values(candidates), tensor_values(shares));
    let fade = fade(side, margin);
    let plane_len = tile_px * tile_px;
    let mut sums = vec![0.0f32; num_tiles * 3 * plane_len];
    let each_tile = sums.par_chunks_exact_mut(3 * plane_len).enumerate();
    each_tile.for_each(|(tile, sums)| {
        let shares = &shares[tile * num_shares * plane_len..][..num_shares * plane_len];
        let [mut fine, mut middle] = [vec![0.0f32; side], vec![0.0f32; side]];
        for (cell, [top, left]) in tiles.corners(tile, side - 2 * margin) {
            // The window's first pixels may lie before the tile, its last ones behind it.
            let inside = |corner: usize| {
                let end = (tile_px + margin - corner).min(side);
                (margin.saturating_sub(corner), end)
            };
            let ((first_row, end_row), (first, end)) = (inside(top), inside(left));
            let column = left + first - margin;
            for y in first_row..end_row {
                let row = (top + y - margin) * tile_px + column;
                for candidate in 0..num {
                    for (band, weights) in [&mut fine, &mut middle].into_iter().enumerate() {
                        let shares = &shares[(band * num + candidate) * plane_len + row..];
                        let fades = fade[first..end].iter().zip(shares);
                        for (weight, (along, share)) in weights.iter_mut().zip(fades) {
                            *weight = share * (fade[y] * along);
                        }
                    }
                    for channel in 0..3 {
                        let plane = (cell * num + candidate) * 3 + channel;
                        let at = (plane * side + y) * side + first..(plane * side + y) * side + end;
                        let [x, near, far] = [&plain, &finer, &coarser].map(|v| &v[at.clone()]);
                        let pixels = x.iter().zip(near).zip(far);
                        let weights = fine.iter().zip(&middle);
                        let sums = &mut sums[channel * plane_len + row..][..end - first];
                        for ((sum, ((x, near), far)), (fine, middle)) in
                            sums.iter_mut().zip(pixels).zip(weights)
                        {
                            *sum += fine * (x - near) + middle * (near - far);
                        }
                    }
                }
            }
        }
    });
    let shape = [num_tiles, 3, tile_px, tile_px];
    Tensor::from_data(TensorData::new(sums, shape), &device)
}

/// Every candidate's bands side by side, faded out towards the border as far as neighbouring
/// cells overlap.
///
/// Detail of neighbours is independent where it is texture, so its energy adds up, not its
/// amplitude: the squares of the weights of overlapping cells sum to 1.
///
/// # Shapes
///
/// `candidates` `[n, num_candidates · 3, k + 2·margin, k + 2·margin]` →
/// `[n, NUM_BANDS · num_candidates · 3, …]`.
pub(crate) fn faded_bands(candidates: Tensor<4>, margin: usize) -> Tensor<4> {
    let [_, _, side, _] = candidates.dims();
    let device = candidates.device();
    let weights = fade(side, margin);
    let row = Tensor::<4>::from_data(TensorData::new(weights.clone(), [1, 1, 1, side]), &device);
    let column = Tensor::<4>::from_data(TensorData::new(weights, [1, 1, side, 1]), &device);
    Tensor::cat(bands(candidates).to_vec(), 1) * row * column
}

/// Weights along one axis of a window that overlaps its neighbours by `2·margin` pixels.
fn fade(side: usize, margin: usize) -> Vec<f32> {
    let overlap = 2 * margin;
    (0..side)
        .map(|i| {
            let depth = i.min(side - 1 - i);
            if depth >= overlap {
                return 1.0;
            }
            let phase = (depth as f32 + 0.5) / overlap as f32;
            (0.5 * std::f32::consts::PI * phase).sin()
        })
        .collect()
}

/// The sum of all bands, each weighted pixel by pixel by its share.
///
/// # Shapes
///
/// `bands` `[n, num · 3, h, w]`, `shares` `[n, num, h, w]` → `[n, 3, h, w]`.
fn mixed(bands: Tensor<4>, shares: Tensor<4>) -> Tensor<4> {
    let [n, num, height, width] = shares.dims();
    let bands = bands.reshape([n, num, 3, height * width]);
    let shares = shares.reshape([n, num, 1, height * width]);
    (bands * shares).sum_dim(1).reshape([n, 3, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patches::Position;
    use burn::tensor::Device;
    use inpaint_core::random::Random;

    /// Both ways are the same, with holes in tiles, and windows that reach beyond them.
    #[test]
    fn cell_by_cell_is_what_maps_of_bands_give() {
        let k = 8usize;
        let positions = [(0, 0, 0), (0, 0, 8), (0, 8, 8), (0, 16, 0), (1, 3, 3)];
        let cells = positions.map(|(image, y, x)| Position { image, y, x });
        let mut random = Random::new(3);
        for (side, margin, num) in [(1, 0, 1), (1, 4, 2), (2, 3, 1), (3, 2, 3), (2, 4, 4)] {
            let tiles = Tiles::new(&cells, k, side);
            let (padded, tile_px) = (k + 2 * margin, side * k);
            let mut values = |shape: [usize; 4]| -> Tensor<4> {
                let len = shape.iter().product();
                tensor((0..len).map(|_| random.normal() as f32).collect(), shape)
            };
            let candidates = values([cells.len(), 3 * num, padded, padded]);
            let shares = values([tiles.origins.len(), NUM_BANDS * num, tile_px, tile_px]);
            let bands = tiles.overlap(faded_bands(candidates.clone(), margin), margin);
            let expected = mixed(bands, shares.clone());
            let found = of_tiles(&tiles, candidates, shares, margin);
            assert_eq!(found.dims(), expected.dims());
            let pairs = tensor_values(found)
                .into_iter()
                .zip(tensor_values(expected));
            for (found, expected) in pairs {
                assert!((found - expected).abs() < 1e-4, "{found} and {expected}");
            }
        }
    }

    /// Against the mean pixel by pixel.
    #[test]
    fn boxes_are_means_of_what_lies_inside() {
        let device = burn::tensor::Device::flex();
        let (height, width, side) = (7usize, 9usize, 5usize);
        let value = |y: usize, x: usize| ((3 * y * y + 5 * x) % 11) as f32;
        let values = (0..height * width).map(|i| value(i / width, i % width));
        let data = TensorData::new(values.collect::<Vec<_>>(), [1, 1, height, width]);
        let found = box_means(Tensor::from_data(data, &device), side);
        let found = tensor_values(found);
        let near = |at: usize, limit: usize| at.saturating_sub(2)..(at + 3).min(limit);
        for y in 0..height {
            for x in 0..width {
                let inside = near(y, height).flat_map(|v| near(x, width).map(move |u| value(v, u)));
                let (sum, count) = inside.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
                let mean: f32 = sum / count;
                assert!((found[y * width + x] - mean).abs() < 1e-5, "{y}, {x}");
            }
        }
    }

    #[test]
    fn energies_of_neighbours_sum_to_one() {
        let (side, margin) = (48, 8);
        let weights = fade(side, margin);
        // The neighbour begins 32 px later.
        for i in 32..side {
            let sum = weights[i].powi(2) + weights[i - 32].powi(2);
            assert!((sum - 1.0).abs() < 1e-6, "{i}: {sum}");
        }
        assert!(weights[16..32].iter().all(|&w| w == 1.0));
        assert_eq!(fade(32, 0), [1.0; 32]);
    }

    fn tensor<const N: usize>(values: Vec<f32>, shape: [usize; N]) -> Tensor<N> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// A lone bright pixel in the middle: 1/25 of it remains behind the first box, 1/289 behind
    /// the second.
    #[test]
    fn bands_are_what_the_boxes_take_away() {
        let mut values = vec![0.0; 33 * 33];
        values[16 * 33 + 16] = 1.0;
        let [fine, middle] = bands(tensor(values, [1, 1, 33, 33])).map(tensor_values);
        let (inner, outer) = (1.0 / 25.0, 1.0 / 289.0);
        for (x, fine_expected, middle_expected) in [
            (16, 1.0 - inner, inner - outer),
            (18, -inner, inner - outer),
            (19, 0.0, -outer),
            (24, 0.0, -outer),
            (25, 0.0, 0.0),
        ] {
            assert!((fine[16 * 33 + x] - fine_expected).abs() < 1e-6, "{x}");
            assert!((middle[16 * 33 + x] - middle_expected).abs() < 1e-6, "{x}");
        }
    }

    /// Up to the border, where a box has fewer pixels.
    #[test]
    fn one_colour_has_no_detail() {
        for band in bands(tensor(vec![0.7; 3 * 32 * 32], [1, 3, 32, 32])) {
            assert!(tensor_values(band).iter().all(|v| v.abs() < 1e-6));
        }
    }

    /// Two bands of one pixel: 2 and 3, times their shares.
    #[test]
    fn shares_weigh_the_bands() {
        let bands = tensor(vec![2.0, 20.0, 200.0, 3.0, 30.0, 300.0], [1, 6, 1, 1]);
        let shares = tensor(vec![0.5, -1.0], [1, 2, 1, 1]);
        assert_eq!(tensor_values(mixed(bands, shares)), [-2.0, -20.0, -200.0]);
    }

    /// Bands of all candidates first, then the next band: the order of the biases.
    #[test]
    fn the_first_candidate_starts_with_a_half() {
        let pixel = |c: i32| [1.0, 2.0, 3.0].map(|v| v * 10.0f32.powi(c));
        let mut values = Vec::new();
        for channel in [pixel(0), pixel(1)].concat() {
            // A pixel in the middle of black.
            let mut plane = vec![0.0; 33 * 33];
            plane[16 * 33 + 16] = channel;
            values.extend(plane);
        }
        let bands = faded_bands(tensor(values, [1, 6, 33, 33]), 0);
        let biases = initial_biases(2);
        assert_eq!(biases, [0.0, 0.0, 0.0, 0.5, 0.0, 0.5, 0.0]);
        let shares = tensor(biases[3..].to_vec(), [1, 4, 1, 1]).expand([1, 4, 33, 33]);
        let found = tensor_values(mixed(bands, shares));
        for (channel, value) in pixel(0).into_iter().enumerate() {
            let expected = 0.5 * value * (1.0 - 1.0 / 289.0);
            let middle = found[channel * 33 * 33 + 16 * 33 + 16];
            assert!((middle - expected).abs() < 1e-5, "{middle} and {expected}");
        }
    }
}
