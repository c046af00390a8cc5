//! 3×3 convolution by Winograd's algorithms.
//!
//! Stride 1 by F(4×4, 3×3): a 4×4 block of outputs needs 36 products per pair of channels instead
//! of 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). A dilated
//! convolution is one undilated problem per remainder of the pixel coordinates. Stride 2 by
//! phases: a 4×4 block needs 81 products instead of 144.
//!
//! Rounding is amplified by the transforms: results are within 10⁻⁴ of the largest output,
//! where the direct sum reaches about 10⁻⁶. With products of bf16, whose rounding is what counts
//! then, the transforms are others, which amplify less.

mod block;
mod gradient;
mod transforms;
mod weights;

use super::factors::{Format, Halves, Whole};
use super::layout::{Epilogue, channel_pitch, clear, pack_row};
use super::panels::Panels;
use super::precision::Precision;
use super::scratch::{LINE, Output, for_each_task, with_scratch};
use super::shape::Conv2dShape;
use super::simd::{Level, Vector};
use block::Block;
use std::marker::PhantomData;
use transforms::Scheme;

/// Outputs of a tile along one axis, for stride 1.
const TILE: usize = 4;
/// Inputs of a tile along one axis, for stride 1.
const SPAN: usize = 6;
/// Products of a tile per pair of channels, for stride 1.
const POINTS: usize = SPAN * SPAN;

/// Stride 1, any dilation.
pub(super) type Dense = Plan<transforms::Dense, Whole, TILE, SPAN>;
/// The same with products of bf16.
pub(super) type DenseHalves = Plan<transforms::Balanced, Halves, TILE, SPAN>;
/// Stride 2, no dilation.
pub(super) type Strided = Plan<transforms::Strided, Whole, 4, 9>;

/// Fills `grad_weight`, the gradient of the weight.
///
/// # Panics
/// If a slice does not fit the shape, or a shape is not one of stride 1.
pub(super) fn weight_gradient(
    s: &Conv2dShape,
    (level, precision): (Level, Precision),
    x: &[f32],
    grad_out: &[f32],
    grad_weight: &mut [f32],
) {
    use transforms::{Balanced, Dense};
    match precision {
        Precision::F32 => gradient::run::<Dense, Whole>(s, level, x, grad_out, grad_weight),
        Precision::Bf16 => gradient::run::<Balanced, Halves>(s, level, x, grad_out, grad_weight),
    }
}

/// Bytes of transformed input and of products of one task; they stay in the second-level cache.
const BLOCK_BYTES: usize = 640 << 10;

/// Rows of the largest register tile.
const TILES_AT_ONCE: usize = 8;

/// Where transformed pixels go.
pub(super) trait Points<V> {
    /// Stores channels from `channel` on of one point of a tile, counted from the row's first.
    ///
    /// # Safety
    /// The CPU has `V`, and the buffer has a place for them.
    unsafe fn put(&self, point: usize, tile: usize, channel: usize, value: V);
}

/// Sizes of a Winograd convolution.
pub(super) struct Plan<S, F, const TILE: usize, const SPAN: usize> {
    scheme: PhantomData<(S, F)>,
    shape: Conv2dShape,
    tiles_y: usize,
    /// Tiles of one row, over all column phases.
    tiles_x: usize,
    rows_per_task: usize,
    /// Columns of a packed input row.
    input_width: usize,
    in_pitch: usize,
    /// Slots of the channels of one tile of the transformed input.
    point_pitch: usize,
    /// Slots between two points of the transformed input.
    point_len: usize,
}

impl<S: Scheme<TILE, SPAN>, F: Format, const TILE: usize, const SPAN: usize>
    Plan<S, F, TILE, SPAN>
{
    /// Inputs along one axis from a tile to the next.
    const STEP: usize = S::STRIDE * TILE;
    /// Products of a tile per pair of channels.
    const POINTS: usize = SPAN * SPAN;

    pub(super) fn new(shape: &Conv2dShape, level: Level) -> Self {
        let (s, d) = (*shape, shape.dilation);
        let tiles = |size: usize| size.div_ceil(d).div_ceil(TILE);
        let (tiles_y, tiles_x) = (tiles(s.out_height()), d * tiles(s.out_width()));
        let in_pitch = channel_pitch(s.in_channels, level.lanes());
        let panel = (2 * level.lanes()).min(s.out_channels.next_multiple_of(level.lanes()));
        let point_pitch = F::slots(in_pitch);
        let tile_bytes = 4 * Self::POINTS * (point_pitch + panel);
        let rows = s.batch * d * tiles_y;
        let rows_per_task = (BLOCK_BYTES / (tile_bytes * tiles_x).max(1)).clamp(1, rows.max(1));
        let rows_per_task = rows_per_task.min(rows.div_ceil(4).max(1));
        // The products take several tiles at once: the number of rows nearby that leaves the
        // least of them idle, and on small maps at least one full load, because with fewer tiles
        // a task would not be done earlier.
        let least = TILES_AT_ONCE.div_ceil(tiles_x.max(1));
        let idle = |rows: &usize| {
            let tiles = rows * tiles_x;
            (tiles.next_multiple_of(TILES_AT_ONCE) - tiles) as f64 / tiles.max(1) as f64
        };
        let above = rows_per_task + 1..=(5 * rows_per_task).div_ceil(4);
        let rows_per_task = (rows_per_task.div_ceil(2)..=rows_per_task)
            .rev()
            .chain(above)
            .min_by(|a, b| idle(a).total_cmp(&idle(b)))
            .unwrap_or(1)
            .max(least)
            .clamp(1, rows.max(1));
        let reach = Self::STEP * tiles_x + (SPAN - Self::STEP) * d;
        let input_width = reach.max(s.padding + s.width);
        // Without the extra line, the points of one tile would share few cache sets.
        let point_len = (rows_per_task * tiles_x).next_multiple_of(8) * point_pitch + LINE;
        Self {
            scheme: PhantomData,
            shape: s,
            tiles_y,
            tiles_x,
            rows_per_task,
            input_width,
            in_pitch,
            point_pitch,
            point_len,
        }
    }

    /// `out = act(conv(x) + bias + residual)`.
    ///
    /// # Panics
    /// If a slice or the panels do not fit the shape.
    pub(super) fn run(
        &self,
        level: Level,
        x: &[f32],
        panels: &Panels,
        epilogue: Epilogue,
        mut out: Output,
    ) {
        let s = &self.shape;
        assert_eq!((s.kernel, s.stride), (3, S::STRIDE));
        assert!(s.stride == 1 || s.dilation == 1);
        assert_eq!(x.len(), s.input_len());
        assert_eq!(out.len(), s.output_len());
        let weights = Self::POINTS * F::slots(s.in_channels) * s.out_channels;
        assert_eq!(panels.len(), weights);
        let rows = s.batch * s.dilation * self.tiles_y;
        let tiles = (self.rows_per_task * self.tiles_x).next_multiple_of(8);
        let width = 2 * level.lanes();
        let lens = [
            SPAN * self.input_width * self.in_pitch,
            Self::POINTS * self.point_len,
            Self::POINTS * (tiles * width + LINE),
            (TILE * self.rows_per_task * TILE * self.tiles_x + level.lanes()) * width,
        ]
        .map(|len| len.next_multiple_of(LINE));
        let shared = out.shared();
        for_each_task(rows.div_ceil(self.rows_per_task), s.flops(), |task| {
            with_scratch(lens.iter().sum(), |scratch| {
                let (input, scratch) = scratch.split_at_mut(lens[0]);
                let (points, scratch) = scratch.split_at_mut(lens[1]);
                let (products, result) = scratch.split_at_mut(lens[2]);
                let first_row = task * self.rows_per_task;
                let kernel = Block {
                    plan: self,
                    panels,
                    x,
                    out: shared.get(),
                    epilogue,
                    first_row,
                    num_rows: self.rows_per_task.min(rows - first_row),
                    input,
                    points,
                    products,
                    result,
                };
                // SAFETY: the level is supported; tasks write different rows of `out`; the
                // buffers have the lengths computed above.
                unsafe { F::run(level, kernel) }
            });
        });
    }

    /// Image, row phase and tile row.
    #[inline(always)]
    pub(super) fn place(&self, row: usize) -> (usize, usize, usize) {
        let (image, ty) = (row / self.tiles_y, row % self.tiles_y);
        (image / self.shape.dilation, image % self.shape.dilation, ty)
    }

    /// First output column of a tile.
    #[inline(always)]
    pub(super) fn column(&self, tile: usize) -> usize {
        let d = self.shape.dilation;
        let per_phase = self.tiles_x / d;
        tile / per_phase + d * TILE * (tile % per_phase)
    }

    /// Transforms the input tiles of one row.
    ///
    /// A row of tiles shares its first rows of pixels with the one above. Where that one `was_last`
    /// in `input`, only the others are packed: the buffer is a ring.
    ///
    /// # Safety
    /// The CPU has `V`; `input` is writable for `SPAN` packed rows, `points` for this row's tiles.
    #[inline(always)]
    pub(super) unsafe fn transform_row<V: Vector>(
        &self,
        row: usize,
        was_last: bool,
        x: &[f32],
        input: *mut f32,
        points: &impl Points<V>,
    ) {
        let s = &self.shape;
        let (image, phase, ty) = self.place(row);
        let row_len = self.input_width * self.in_pitch;
        let plane = s.height * s.width;
        let mut rows = [input; SPAN];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = input.wrapping_add((Self::STEP * ty + i) % SPAN * row_len);
        }
        let num_kept = if was_last && ty > 0 {
            SPAN - Self::STEP
        } else {
            0
        };
        for i in num_kept..SPAN {
            let y = phase + s.dilation * (Self::STEP * ty + i);
            // SAFETY: `y − padding` is checked to be inside the image.
            unsafe {
                let row = rows[i];
                if y < s.padding || y - s.padding >= s.height {
                    clear(row, row_len);
                    continue;
                }
                let left = s.padding * self.in_pitch;
                let body = s.width * self.in_pitch;
                clear(row, left);
                let src = x.as_ptr();
                let src = src.add(image * s.in_channels * plane + (y - s.padding) * s.width);
                let body_row = row.add(left);
                pack_row::<V>(src, plane, s.in_channels, s.width, body_row, self.in_pitch);
                clear(row.add(left + body), row_len - left - body);
            }
        }
        for tile in 0..self.tiles_x {
            let column = S::STRIDE * self.column(tile);
            for c in (0..self.in_pitch).step_by(V::LANES) {
                // SAFETY: `input_width` covers the dilated columns of the last tile.
                unsafe {
                    let mut half = [[V::splat(0.0); SPAN]; SPAN];
                    for j in 0..SPAN {
                        let at = (column + j * s.dilation) * self.in_pitch + c;
                        let mut d = [V::splat(0.0); SPAN];
                        for (d, row) in d.iter_mut().zip(rows) {
                            *d = V::load(row.add(at));
                        }
                        let d = S::input(d);
                        for i in 0..SPAN {
                            half[i][j] = d[i];
                        }
                    }
                    for i in 0..SPAN {
                        let d = S::input(half[i]);
                        for j in 0..SPAN {
                            points.put(i * SPAN + j, tile, c, d[j]);
                        }
                    }
                }
            }
        }
    }
}
