//! Tiles: square groups of hole cells that the backbone works on at once
//! ([`PatchSynthesisConfig::tile_cells`](crate::patch_synthesis::PatchSynthesisConfig)).

use crate::patches::Position;
use crate::tensors::index_tensor;
use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

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
        Self::shifted(cells, patch_px, side, 0)
    }

    /// As [`Tiles::new`], on a grid that begins this many cells higher and further left.
    pub(crate) fn shifted(
        cells: &[Position],
        patch_px: usize,
        side: usize,
        shift_cells: usize,
    ) -> Self {
        let shift_px = (patch_px * shift_cells) as i32;
        let mut origins: Vec<Position> = Vec::new();
        let mut places = Vec::new();
        let tile_px = (patch_px * side) as i32;
        let mut first = 0;
        for run in cells.chunk_by(|a, b| a.image == b.image) {
            let least = |of: fn(&Position) -> i32| run.iter().map(of).min().unwrap_or(0);
            let (top, left) = (least(|p| p.y) - shift_px, least(|p| p.x) - shift_px);
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

    /// Whole tiles in groups of at most `max_cells` of `cells`, the ones that the tiles were made
    /// of, or of a single tile: each group's cells and their tiles.
    pub(crate) fn groups(
        &self,
        cells: &[Position],
        max_cells: usize,
    ) -> Vec<(Vec<Position>, Self)> {
        let mut groups: Vec<(Vec<Position>, Self)> = Vec::new();
        let tiles = self.cells.chunks_exact(self.side * self.side);
        for (origin, places) in self.origins.iter().zip(tiles) {
            let num_cells = places.iter().flatten().count();
            let has_room =
                (groups.last()).is_some_and(|(_, last)| last.num_cells + num_cells <= max_cells);
            if !has_room {
                let empty = Self {
                    origins: Vec::new(),
                    side: self.side,
                    cells: Vec::new(),
                    num_cells: 0,
                };
                groups.push((Vec::new(), empty));
            }
            let Some((group_cells, group)) = groups.last_mut() else {
                continue;
            };
            group.origins.push(*origin);
            for place in places {
                group.cells.push(place.map(|cell| {
                    group_cells.push(cells[cell]);
                    group_cells.len() - 1
                }));
            }
            group.num_cells = group_cells.len();
        }
        groups
    }

    /// The cells of a tile, each with its top left corner in it, for cells of `cell_px` pixels.
    pub(crate) fn corners(
        &self,
        tile: usize,
        cell_px: usize,
    ) -> impl Iterator<Item = (usize, [usize; 2])> {
        let places = &self.cells[tile * self.side * self.side..][..self.side * self.side];
        places.iter().enumerate().filter_map(move |(place, cell)| {
            let corner = [place / self.side, place % self.side].map(|step| step * cell_px);
            cell.map(|cell| (cell, corner))
        })
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

    /// Adds the maps of cells up where they overlap: each reaches `margin` pixels beyond its cell.
    /// What reaches beyond the tile is cut off.
    ///
    /// # Shapes
    ///
    /// `[num_cells, channels, k + 2·margin, k + 2·margin]` → `[num_tiles, channels, side·k, side·k]`.
    ///
    /// # Panics
    ///
    /// If `margin` is more than half of a cell.
    pub(crate) fn overlap(&self, maps: Tensor<4>, margin: usize) -> Tensor<4> {
        let [_, channels, padded, _] = maps.dims();
        let k = padded - 2 * margin;
        assert!(2 * margin <= k, "only direct neighbours overlap");
        let device = maps.device();
        // Windows of every second cell, padded to two cells, tile the plane without overlap: four
        // such planes hold them all.
        let rest = k / 2 - margin;
        let maps = maps.pad([(rest, rest); 2], PadMode::Constant(0.0));
        let nothing = Tensor::zeros([1, channels, 2 * k, 2 * k], &device);
        let maps = Tensor::cat(vec![maps, nothing], 0);
        let (tiles, side) = (self.origins.len(), self.side);
        // Cells −1 to side, of which those outside do not exist.
        let steps = side / 2 + 1;
        let mut sum: Option<Tensor<4>> = None;
        for (first_row, first_column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut indices = Vec::with_capacity(tiles * steps * steps);
            for tile in 0..tiles {
                for row in (0..steps).map(|i| first_row + 2 * i) {
                    for column in (0..steps).map(|i| first_column + 2 * i) {
                        let is_inside = row < side && column < side;
                        let place = tile * side * side + row * side + column;
                        let cell = if is_inside { self.cells[place] } else { None };
                        indices.push(cell.unwrap_or(self.num_cells) as i64);
                    }
                }
            }
            let plane = (maps.clone())
                .select(0, index_tensor(indices, &device))
                .reshape([tiles, steps, steps, channels, 2 * k, 2 * k])
                .permute([0, 3, 1, 4, 2, 5])
                .reshape([tiles, channels, 2 * k * steps, 2 * k * steps]);
            // The plane starts half a cell before its first one.
            let start = |first: usize| -> (usize, usize) {
                if first == 0 { (k / 2, 0) } else { (0, k / 2) }
            };
            let ((top, above), (left, before)) = (start(first_row), start(first_column));
            let (rows, columns) = (side * k - above, side * k - before);
            let part = (plane.narrow(2, top, rows).narrow(3, left, columns))
                .pad([(above, 0), (before, 0)], PadMode::Constant(0.0));
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        sum.expect("there are four planes")
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
    fn groups_are_whole_tiles_and_hold_every_cell_once() {
        let cells: Vec<_> = (0..5)
            .flat_map(|y| (0..5).map(move |x| at(0, 32 * y, 32 * x)))
            .collect();
        let tiles = Tiles::new(&cells, 32, 2);
        for (max_cells, num_groups) in [(1, 9), (4, 7), (6, 5), (100, 1)] {
            let groups = tiles.groups(&cells, max_cells);
            assert_eq!(groups.len(), num_groups, "at most {max_cells} cells");
            let mut seen = Vec::new();
            for (group_cells, group) in groups {
                assert_eq!(group.num_cells, group_cells.len());
                for (tile, origin) in group.origins.iter().enumerate() {
                    for place in 0..4 {
                        if let Some(cell) = group.cells[4 * tile + place] {
                            let (y, x) = (place as i32 / 2, place as i32 % 2);
                            let expected = at(0, origin.y + 32 * y, origin.x + 32 * x);
                            assert_eq!(group_cells[cell], expected);
                        }
                    }
                }
                seen.extend(group_cells);
            }
            seen.sort_by_key(|p| (p.y, p.x));
            assert_eq!(seen, cells);
        }
    }

    /// Against placing pixel by pixel.
    #[test]
    fn overlapping_maps_add_up() {
        let device = Device::flex();
        let (k, margin) = (4usize, 1usize);
        for side in [1, 2, 3] {
            let cells = [
                at(0, 0, 0),
                at(0, 0, 4),
                at(0, 4, 4),
                at(0, 8, 0),
                at(1, 3, 3),
            ];
            let tiles = Tiles::new(&cells, k, side);
            let padded = k + 2 * margin;
            let values: Vec<f32> = (1..=5 * padded * padded).map(|v| v as f32).collect();
            let data = TensorData::new(values.clone(), [5, 1, padded, padded]);
            let found = tiles.overlap(Tensor::from_data(data, &device), margin);
            let tile_px = side * k;
            assert_eq!(found.dims(), [tiles.origins.len(), 1, tile_px, tile_px]);
            let mut expected = vec![0.0; tiles.origins.len() * tile_px * tile_px];
            for (place, cell) in tiles.cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let (tile, place) = (place / (side * side), place % (side * side));
                for y in 0..padded {
                    for x in 0..padded {
                        let row = (place / side * k + y).checked_sub(margin);
                        let column = (place % side * k + x).checked_sub(margin);
                        if let (Some(row), Some(column)) = (row, column)
                            && row < tile_px
                            && column < tile_px
                        {
                            expected[(tile * tile_px + row) * tile_px + column] +=
                                values[(cell * padded + y) * padded + x];
                        }
                    }
                }
            }
            assert_eq!(tensor_values(found), expected, "tiles of {side}");
        }
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
