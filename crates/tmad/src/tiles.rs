//! Tiles: square groups of hole cells that the backbone works on at once
//! ([`PatchSynthesisConfig::tile_cells`](crate::patch_synthesis::PatchSynthesisConfig)).

use crate::patches::Position;
use crate::tensors::index_tensor;
use burn::tensor::Tensor;

/// How the cells of a hole grid are grouped into tiles, and how maps of cells become maps of
/// tiles and back.
#[derive(Debug)]
pub(crate) struct Tiles {
    /// Top left corner of every tile.
    pub(crate) origins: Vec<Position>,
    /// Side in cells.
    side: usize,
    /// For every place of every tile, row by row, its cell; places without a hole have none.
    cells: Vec<Option<usize>>,
    num_cells: usize,
}

impl Tiles {
    /// Groups `cells`, which lie on one grid in every picture, into tiles of `side` × `side`.
    /// Tiles without a cell do not exist.
    pub(crate) fn new(cells: &[Position], patch_px: usize, side: usize) -> Self {
        let mut origins: Vec<Position> = Vec::new();
        let mut places = Vec::new();
        let tile_px = (patch_px * side) as i32;
        let mut first = 0;
        for run in cells.chunk_by(|a, b| a.image == b.image) {
            let least = |of: fn(&Position) -> i32| run.iter().map(of).min().unwrap_or(0);
            let (top, left) = (least(|p| p.y), least(|p| p.x));
            let first_tile = origins.len();
            for (index, cell) in run.iter().enumerate() {
                let start = |at: i32, first: i32| first + (at - first) / tile_px * tile_px;
                let origin = Position {
                    image: cell.image,
                    y: start(cell.y, top),
                    x: start(cell.x, left),
                };
                let known = origins[first_tile..].iter().position(|o| *o == origin);
                let tile = known.map_or_else(
                    || {
                        origins.push(origin);
                        places.resize(origins.len() * side * side, None);
                        origins.len() - 1
                    },
                    |tile| first_tile + tile,
                );
                let step = |at: i32, start: i32| (at - start) as usize / patch_px;
                let place = step(cell.y, origin.y) * side + step(cell.x, origin.x);
                places[tile * side * side + place] = Some(first + index);
            }
            first += run.len();
        }
        Self {
            origins,
            side,
            cells: places,
            num_cells: cells.len(),
        }
    }

    /// Puts the maps of cells into maps of tiles, with zeros at places without a cell.
    ///
    /// # Shapes
    ///
    /// `[num_cells, channels, h, w]` → `[num_tiles, channels, side·h, side·w]`.
    pub(crate) fn join(&self, maps: Tensor<4>) -> Tensor<4> {
        if self.side == 1 {
            return maps;
        }
        let [_, channels, height, width] = maps.dims();
        let device = maps.device();
        let nothing = Tensor::zeros([1, channels, height, width], &device);
        let indices = (self.cells.iter())
            .map(|cell| cell.unwrap_or(self.num_cells) as i64)
            .collect();
        let (tiles, side) = (self.origins.len(), self.side);
        Tensor::cat(vec![maps, nothing], 0)
            .select(0, index_tensor(indices, &device))
            .reshape([tiles, side, side, channels, height, width])
            .permute([0, 3, 1, 4, 2, 5])
            .reshape([tiles, channels, side * height, side * width])
    }

    /// Cuts maps of tiles into the maps of their cells, the opposite of [`Tiles::join`].
    pub(crate) fn split(&self, maps: Tensor<4>) -> Tensor<4> {
        if self.side == 1 {
            return maps;
        }
        let [tiles, channels, height, width] = maps.dims();
        let side = self.side;
        let (height, width) = (height / side, width / side);
        let mut indices = vec![0; self.num_cells];
        for (place, cell) in self.cells.iter().enumerate() {
            if let Some(cell) = cell {
                indices[*cell] = place as i64;
            }
        }
        let indices = index_tensor(indices, &maps.device());
        maps.reshape([tiles, channels, side, height, side, width])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([tiles * side * side, channels, height, width])
            .select(0, indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::tensor_values;
    use burn::tensor::{Device, TensorData};

    fn at(image: usize, y: i32, x: i32) -> Position {
        Position { image, y, x }
    }

    #[test]
    fn cells_are_grouped_from_the_first_one_of_each_picture() {
        // Three in a row, one far below, and another picture.
        let cells = [
            at(0, -8, 4),
            at(0, -8, 36),
            at(0, -8, 68),
            at(0, 88, 4),
            at(2, 0, 0),
        ];
        let tiles = Tiles::new(&cells, 32, 2);
        let expected = [at(0, -8, 4), at(0, -8, 68), at(0, 56, 4), at(2, 0, 0)];
        assert_eq!(tiles.origins, expected);
        let none = None;
        let places = [
            [Some(0), Some(1), none, none],
            [Some(2), none, none, none],
            [none, none, Some(3), none],
            [Some(4), none, none, none],
        ];
        assert_eq!(tiles.cells, places.concat());
    }

    #[test]
    fn splitting_undoes_joining() {
        let device = Device::flex();
        let cells = [at(0, 0, 0), at(0, 0, 4), at(0, 4, 4), at(0, 12, 8)];
        let tiles = Tiles::new(&cells, 4, 2);
        let values: Vec<f32> = (1..=4 * 2 * 3 * 3).map(|v| v as f32).collect();
        let maps: Tensor<4> =
            Tensor::from_data(TensorData::new(values.clone(), [4, 2, 3, 3]), &device);
        let joined = tiles.join(maps);
        assert_eq!(joined.dims(), [2, 2, 6, 6]);
        let first_row = tensor_values(joined.clone().narrow(2, 0, 1))[..6].to_vec();
        assert_eq!(first_row, [1., 2., 3., 19., 20., 21.]);
        assert_eq!(tensor_values(tiles.split(joined)), values);
    }
}
