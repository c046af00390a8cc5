//! Patches of pictures: where the hole's cells lie, cutting windows out, putting cells back
//! (Section III-B; the grid's rules are in PAPER.md).

use crate::tensors::{index_tensor, tensor_values};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::Mask;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tmad_ops::is_plain_memory;

/// Top left corner of a window in picture `image` of a batch. Cells of the hole grid may start
/// outside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index in the batch.
    pub image: usize,
    /// Row in pixels.
    pub y: i32,
    /// Column in pixels.
    pub x: i32,
}

impl Position {
    /// Moved down and right by `px`.
    pub fn shifted(self, px: i32) -> Self {
        Self {
            y: self.y + px,
            x: self.x + px,
            ..self
        }
    }
}

/// Summed-area table of a mask: hole pixels in any rectangle in constant time.
#[derive(Debug)]
pub struct HoleCounts {
    width: usize,
    height: usize,
    sums: Vec<u32>,
}

impl HoleCounts {
    /// Sums up `mask`.
    pub fn new(mask: &Mask) -> Self {
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        let mut sums = vec![0; (width + 1) * (height + 1)];
        for (y, row) in mask.as_bytes().chunks_exact(width.max(1)).enumerate() {
            let mut so_far = 0;
            for (x, &hole) in row.iter().enumerate() {
                so_far += u32::from(hole);
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + so_far;
            }
        }
        Self {
            width,
            height,
            sums,
        }
    }

    /// Hole pixels of the square with side `side` at (`y`, `x`), as far as it lies inside.
    pub fn in_square(&self, y: i32, x: i32, side: i32) -> u32 {
        self.in_rectangle(y, x, side, side)
    }

    /// Hole pixels of a rectangle at (`y`, `x`), as far as it lies inside.
    pub fn in_rectangle(&self, y: i32, x: i32, height: i32, width: i32) -> u32 {
        let row = |v: i32| v.clamp(0, self.height as i32) as usize * (self.width + 1);
        let column = |v: i32| v.clamp(0, self.width as i32) as usize;
        let (top, bottom) = (row(y), row(y + height));
        let (left, right) = (column(x), column(x + width));
        self.sums[bottom + right] + self.sums[top + left]
            - self.sums[top + right]
            - self.sums[bottom + left]
    }
}

/// Cells of side `patch_px` that cover the hole of `mask`, row by row: the grid whose anchor
/// needs the fewest cells; among those, the one with the fewest pixels outside the picture; then
/// the smallest anchor.
pub fn hole_cells(mask: &Mask, patch_px: usize, image: usize) -> Vec<Position> {
    let Some(bounds) = mask.hole_bounds() else {
        return Vec::new();
    };
    let counts = HoleCounts::new(mask);
    let side = patch_px as i32;
    let (width, height) = (mask.width() as i32, mask.height() as i32);
    let first = |start: u32, anchor: i32| {
        let start = start as i32;
        start - (start - anchor).rem_euclid(side)
    };
    let cells_at = |anchor_y: i32, anchor_x: i32| {
        let rows = (first(bounds.y, anchor_y)..(bounds.y + bounds.height) as i32).step_by(patch_px);
        let start_x = first(bounds.x, anchor_x);
        let end_x = (bounds.x + bounds.width) as i32;
        let counts = &counts;
        rows.flat_map(move |y| (start_x..end_x).step_by(patch_px).map(move |x| (y, x)))
            .filter(move |&(y, x)| counts.in_square(y, x, side) > 0)
    };
    let outside = |start: i32, limit: i32| (-start).max(0) + (start + side - limit).max(0);
    let cost = |&(anchor_y, anchor_x): &(i32, i32)| {
        let mut num_cells = 0u64;
        let mut num_outside = 0i64;
        for (y, x) in cells_at(anchor_y, anchor_x) {
            let inside = i64::from(side - outside(y, height)) * i64::from(side - outside(x, width));
            num_cells += 1;
            num_outside += i64::from(side) * i64::from(side) - inside;
        }
        (num_cells, num_outside)
    };
    let anchors = (0..side).flat_map(|y| (0..side).map(move |x| (y, x)));
    let (anchor_y, anchor_x) = anchors.min_by_key(cost).unwrap_or_default();
    cells_at(anchor_y, anchor_x)
        .map(|(y, x)| Position { image, y, x })
        .collect()
}

/// Cuts out windows of side `side`; coordinates outside a picture repeat its border.
///
/// # Shapes
///
/// `images` `[batch, channels, height, width]` → `[positions.len(), channels, side, side]`.
/// Gradients of overlapping windows add up.
///
/// # Panics
///
/// If `positions` is empty.
pub fn extract(images: &Tensor<4>, positions: &[Position], side: usize) -> Tensor<4> {
    if is_plain_memory(&images.device()) {
        return extract_in_memory(images, positions, side);
    }
    let [batch, channels, height, width] = images.dims();
    let clamped = |start: i32, limit: usize| {
        (0..side as i32).map(move |i| i64::from((start + i).clamp(0, limit as i32 - 1)))
    };
    let mut indices = Vec::with_capacity(positions.len() * side * side);
    for position in positions {
        let image_start = (position.image * height * width) as i64;
        for y in clamped(position.y, height) {
            let row_start = image_start + y * width as i64;
            indices.extend(clamped(position.x, width).map(|x| row_start + x));
        }
    }
    let indices = index_tensor(indices, &images.device());
    (images.clone())
        .permute([1, 0, 2, 3])
        .reshape([channels, batch * height * width])
        .select(1, indices)
        .reshape([channels, positions.len(), side, side])
        .permute([1, 0, 2, 3])
}

/// [`extract`] row by row, without the index of every pixel.
fn extract_in_memory(images: &Tensor<4>, positions: &[Position], side: usize) -> Tensor<4> {
    let [_, channels, height, width] = images.dims();
    let values = tensor_values(images.clone());
    let mut windows = vec![0.0; positions.len() * channels * side * side];
    let planes = windows.par_chunks_exact_mut(side * side).enumerate();
    planes.for_each(|(index, plane)| {
        let Position { image, y, x } = positions[index / channels];
        let start = (image * channels + index % channels) * height * width;
        let clamped = |v: i32, limit: usize| v.clamp(0, limit as i32 - 1) as usize;
        for (i, window_row) in plane.chunks_exact_mut(side).enumerate() {
            let row = &values[start + clamped(y + i as i32, height) * width..][..width];
            match usize::try_from(x) {
                Ok(x) if x + side <= width => window_row.copy_from_slice(&row[x..x + side]),
                _ => {
                    for (j, pixel) in window_row.iter_mut().enumerate() {
                        *pixel = row[clamped(x + j as i32, width)];
                    }
                }
            }
        }
    });
    let shape = [positions.len(), channels, side, side];
    Tensor::from_data(TensorData::new(windows, shape), &images.device())
}

/// Puts cells into pictures: hole pixels come from the cell that covers them, the others from
/// `images`. Cells must not overlap; pixels of a cell outside the hole are not used.
///
/// # Shapes
///
/// `patches` `[positions.len(), 3, side, side]`, `images` and the result
/// `[batch, 3, height, width]`; `masks` has one mask per picture.
pub fn assemble(
    patches: Tensor<4>,
    positions: &[Position],
    images: Tensor<4>,
    masks: &[&Mask],
    mask: Tensor<4>,
) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let [num_patches, _, side, _] = patches.dims();
    if num_patches == 0 {
        return images;
    }
    if is_plain_memory(&images.device()) {
        return assemble_in_memory(patches, positions, images, masks);
    }
    let mut indices = vec![0i64; batch * height * width];
    for (patch, position) in positions.iter().enumerate() {
        let bytes = masks[position.image].as_bytes();
        for (i, y) in (position.y..position.y + side as i32).enumerate() {
            for (j, x) in (position.x..position.x + side as i32).enumerate() {
                if (0..height as i32).contains(&y) && (0..width as i32).contains(&x) {
                    let pixel = y as usize * width + x as usize;
                    if bytes[pixel] != 0 {
                        indices[position.image * height * width + pixel] =
                            ((patch * side + i) * side + j) as i64;
                    }
                }
            }
        }
    }
    let indices = index_tensor(indices, &images.device());
    let filled = patches
        .permute([1, 0, 2, 3])
        .reshape([channels, num_patches * side * side])
        .select(1, indices)
        .reshape([channels, batch, height, width])
        .permute([1, 0, 2, 3]);
    select_hole(mask, filled, images)
}

/// [`assemble`] pixel by pixel.
fn assemble_in_memory(
    patches: Tensor<4>,
    positions: &[Position],
    images: Tensor<4>,
    masks: &[&Mask],
) -> Tensor<4> {
    let [_, channels, height, width] = images.dims();
    let [_, _, side, _] = patches.dims();
    let (shape, device) = (images.dims(), images.device());
    let (patches, mut values) = (tensor_values(patches), tensor_values(images));
    let inside = |start: i32, limit: usize| {
        let end = (start + side as i32).clamp(0, limit as i32);
        start.max(0)..end
    };
    for (index, position) in positions.iter().enumerate() {
        let mask = masks[position.image].as_bytes();
        for channel in 0..channels {
            let patch = &patches[(index * channels + channel) * side * side..][..side * side];
            let start = (position.image * channels + channel) * height * width;
            for y in inside(position.y, height) {
                let patch_row = &patch[(y - position.y) as usize * side..][..side];
                for x in inside(position.x, width) {
                    let pixel = y as usize * width + x as usize;
                    if mask[pixel] != 0 {
                        values[start + pixel] = patch_row[(x - position.x) as usize];
                    }
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// The central `side` × `side` pixels.
pub fn centre(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if (height, width) == (side, side) {
        return x;
    }
    x.narrow(2, (height - side) / 2, side)
        .narrow(3, (width - side) / 2, side)
}

/// select(M, a, b): `hole` where the mask is 1, `known` elsewhere, bit for bit.
pub fn select_hole(mask: Tensor<4>, hole: Tensor<4>, known: Tensor<4>) -> Tensor<4> {
    let shape = known.shape();
    known.mask_where(mask.greater_elem(0.5).expand(shape), hole)
}

/// `[n, channels, side, side]` without any element, for batches without a hole.
pub(crate) fn no_patches(channels: usize, side: usize, device: &Device) -> Tensor<4> {
    Tensor::empty([0, channels, side, side], device)
}
