//! Tiles without borders.
//!
//! Tiles of cells are synthesised without knowing of each other, and where two of them meet, both
//! texture and brightness may jump. A second grid has its tiles' middles where the first one has
//! its corners; every pixel is taken mostly from the tile whose border is farther away.

use crate::patches::Position;
use crate::tensors::index_tensor;
use burn::tensor::{Tensor, TensorData};
use std::collections::HashMap;

/// The same cells, synthesised in the tiles of another grid.
#[derive(Debug)]
pub(super) struct SecondGrid {
    patches: Tensor<4>,
    /// Indices of the cells in `patches` by row and column.
    places: HashMap<(i32, i32), usize>,
    /// Top left corner of a tile of the first grid.
    origin: Position,
    /// Cells along a tile's side.
    tile_cells: usize,
}

impl SecondGrid {
    /// By how many cells the second grid is shifted up and left.
    pub(super) fn shift_cells(tile_cells: usize) -> usize {
        tile_cells / 2
    }

    /// `patches` of the second grid in the order of `cells`.
    pub(super) fn new(
        patches: Tensor<4>,
        cells: &[Position],
        origin: Position,
        tile_cells: usize,
    ) -> Self {
        let places = cells.iter().zip(0..).map(|(cell, i)| ((cell.y, cell.x), i));
        Self {
            patches,
            places: places.collect(),
            origin,
            tile_cells,
        }
    }

    /// `patches` of the first grid, which belong to `cells`, blended with those of the second.
    pub(super) fn blend(&self, patches: Tensor<4>, cells: &[Position]) -> Tensor<4> {
        let [n, _, side, _] = patches.dims();
        let device = patches.device();
        let indices = cells
            .iter()
            .map(|cell| self.places[&(cell.y, cell.x)] as i64);
        let second = (self.patches.clone()).select(0, index_tensor(indices.collect(), &device));
        let shift = Self::shift_cells(self.tile_cells) * side;
        let tile_px = self.tile_cells * side;
        let mut shares = Vec::with_capacity(n * side * side);
        for cell in cells {
            for y in cell.y..cell.y + side as i32 {
                for x in cell.x..cell.x + side as i32 {
                    let at = [y - self.origin.y, x - self.origin.x];
                    let first = depth(at, tile_px).powi(2);
                    let second = depth(at.map(|v| v + shift as i32), tile_px).powi(2);
                    shares.push(second / (first + second));
                }
            }
        }
        let shares = Tensor::from_data(TensorData::new(shares, [n, 1, side, side]), &device);
        patches.clone() + (second - patches) * shares
    }
}

/// Distance to the nearest border of a grid of tiles, which begins at 0.
fn depth(at: [i32; 2], tile_px: usize) -> f32 {
    let along = |v: i32| {
        let within = v.rem_euclid(tile_px as i32) as f32 + 0.5;
        within.min(tile_px as f32 - within)
    };
    along(at[0]).min(along(at[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::tensor_values;
    use burn::tensor::Device;

    /// Four tiles of 2 × 2 cells of 4 px; the first grid says 0, the second 1.
    #[test]
    fn each_grid_counts_where_the_other_has_its_borders() {
        let (side, tile_cells) = (4usize, 2usize);
        let at = |y, x| Position { image: 0, y, x };
        let origin = at(-3, 5);
        let cells: Vec<_> = (0..16)
            .map(|i| at(origin.y + i / 4 * 4, origin.x + i % 4 * 4))
            .collect();
        let plain = |value: f32| {
            let shape = [16, 3, side, side];
            Tensor::<4>::full(shape, value, &Device::flex())
        };
        let grid = SecondGrid::new(plain(1.0), &cells, origin, tile_cells);
        let values = tensor_values(grid.blend(plain(0.0), &cells));
        let value = |y: usize, x: usize| {
            let cell = y / side * 4 + x / side;
            values[(cell * 3 * side + y % side) * side + x % side]
        };
        // Middles of the first grid's tiles, which are corners of the second's.
        for (y, x) in [(3, 3), (4, 4), (11, 4), (12, 12)] {
            assert!(value(y, x) < 0.05, "{y}, {x}: {}", value(y, x));
        }
        // Its inner corner and borders.
        for (y, x) in [(7, 7), (8, 8), (8, 6), (7, 9)] {
            assert!(value(y, x) > 0.9, "{y}, {x}: {}", value(y, x));
        }
        // Nothing jumps where two of its tiles meet.
        for y in 0..16 {
            assert!((value(y, 7) - value(y, 8)).abs() < 1e-6);
        }
    }

    /// The cells of a group need not stand in the order of the second grid.
    #[test]
    fn cells_are_found_by_their_place() {
        let at = |x| Position { image: 0, y: 0, x };
        let cells = [at(0), at(4), at(8), at(12)];
        let numbered = |numbers: [f32; 4]| {
            let values = numbers
                .iter()
                .flat_map(|&v| [v; 3 * 16])
                .collect::<Vec<_>>();
            let data = TensorData::new(values, [4, 3, 4, 4]);
            Tensor::<4>::from_data(data, &Device::flex())
        };
        let grid = SecondGrid::new(numbered([1.0, 2.0, 3.0, 4.0]), &cells, at(0), 2);
        let turned = [at(12), at(8), at(4), at(0)];
        let values = tensor_values(grid.blend(numbered([4.0, 3.0, 2.0, 1.0]), &turned));
        for (cell, expected) in values.chunks_exact(48).zip([4.0, 3.0, 2.0, 1.0]) {
            assert!(cell.iter().all(|v| (v - expected).abs() < 1e-6), "{cell:?}");
        }
    }
}
