//! Gradient of the weight: the adjoint of the convolution by F(4×4, 3×3).
//!
//! With `y = Aᵀ[(G w) ⊙ (Bᵀ x)]`, the gradient is `Gᵀ[(A g) ⊙ (Bᵀ x)]`, summed over tiles as
//! 36 matrix products. As in the direct sum, tiles are cut into parts by the shape alone and
//! the parts are added in order.

use super::super::factors::{FactorKernel, Factors, Format};
use super::super::layout::{channel_pitch, clear, pack_row};
use super::super::scratch::{LINE, SharedMut, for_each_task, with_scratch};
use super::super::shape::Conv2dShape;
use super::super::simd::{Kernel, Level, MAX_LANES, Vector};
use super::super::tile::{self, NARROW_MR};
use super::transforms::Adjoint;
use super::{POINTS, Plan, Points, SPAN, TILE};
use std::marker::PhantomData;

/// Parts at most, and tiles for which another part pays for its own sums.
const MAX_PARTS: usize = 8;
const TILES_PER_PART: usize = 64;

/// See [`weight_gradient`](super::weight_gradient).
pub(super) fn run<S: Adjoint, F: Format>(
    s: &Conv2dShape,
    level: Level,
    x: &[f32],
    grad_out: &[f32],
    grad_weight: &mut [f32],
) {
    assert_eq!((s.kernel, s.stride), (3, 1));
    assert!(s.in_channels >= level.lanes() && s.out_channels >= level.lanes());
    assert_eq!(x.len(), s.input_len());
    assert_eq!(grad_out.len(), s.output_len());
    assert_eq!(grad_weight.len(), s.weight_len());
    let plan = Plan::<S, F, TILE, SPAN>::new(s, level);
    let out_pitch = channel_pitch(s.out_channels, level.lanes());
    let rows = s.batch * s.dilation * plan.tiles_y;
    let tiles = plan.rows_per_task * plan.tiles_x;
    let parts = (rows * plan.tiles_x / TILES_PER_PART)
        .clamp(1, MAX_PARTS)
        .min(rows.max(1));
    let part_len = POINTS * s.in_channels * out_pitch;
    // Tiles that follow each other share slots.
    let point_len = F::slots(tiles) * plan.in_pitch + LINE;
    let grad_point_len = F::slots(tiles) * out_pitch + LINE;
    let lens = [
        (SPAN * plan.input_width * plan.in_pitch).max(TILE * TILE * plan.tiles_x * out_pitch),
        POINTS * point_len + LINE,
        POINTS * grad_point_len,
    ]
    .map(|len| len.next_multiple_of(LINE));
    with_scratch(parts * part_len, |sums| {
        let shared = SharedMut::new(sums);
        for_each_task(parts, s.flops(), |part| {
            with_scratch(lens.iter().sum(), |scratch| {
                let (row, scratch) = scratch.split_at_mut(lens[0]);
                let (points, grad_points) = scratch.split_at_mut(lens[1]);
                let kernel = Part::<S, F> {
                    plan: &plan,
                    x,
                    grad_out,
                    rows: (part * rows / parts, (part + 1) * rows / parts),
                    row,
                    points,
                    point_len,
                    grad_points,
                    grad_point_len,
                    out_pitch,
                    // SAFETY: the part lies in `sums`, and only this task uses it.
                    sums: unsafe { shared.get().add(part * part_len) },
                };
                // SAFETY: the level is supported; the buffers have the lengths above.
                unsafe { F::run(level, kernel) }
            });
        });
        let shared_weight = SharedMut::new(grad_weight);
        let sums = &*sums;
        for_each_task(s.in_channels, (parts * part_len) as u64, |channel| {
            let grad_weight = shared_weight.get();
            let kernel = Channel::<S> {
                scheme: PhantomData,
                shape: s,
                sums,
                part_len,
                out_pitch,
                channel,
                grad_weight,
            };
            // SAFETY: the level is supported; tasks write different input channels.
            unsafe { level.run(kernel) }
        });
    });
}

/// The sums over some rows of tiles: `sums[(point · in_channels + channel) · out_pitch ..]`.
struct Part<'a, S, F> {
    plan: &'a Plan<S, F, TILE, SPAN>,
    x: &'a [f32],
    grad_out: &'a [f32],
    rows: (usize, usize),
    /// Holds the packed rows of one row of tiles.
    row: &'a mut [f32],
    /// Holds the transformed input, and one line more, because tiles read whole blocks of
    /// channels.
    points: &'a mut [f32],
    point_len: usize,
    grad_points: &'a mut [f32],
    grad_point_len: usize,
    out_pitch: usize,
    sums: *mut f32,
}

/// The channels of a tile lie side by side, tiles that share slots across.
struct Tiles<F> {
    format: PhantomData<F>,
    start: *mut f32,
    pitch: usize,
    point_len: usize,
    first_tile: usize,
}

impl<F: Format> Tiles<F> {
    /// Completes the last slot of `tiles` tiles with zeros.
    ///
    /// # Safety
    /// As [`Points::put`].
    #[inline(always)]
    unsafe fn complete<V: Vector>(&self, tiles: usize)
    where
        F: Factors<V>,
    {
        for tile in tiles..tiles.next_multiple_of(F::PER_SLOT) {
            for point in 0..POINTS {
                for channel in (0..self.pitch).step_by(V::LANES) {
                    // SAFETY: the caller's promise.
                    unsafe { self.put(point, tile, channel, V::splat(0.0)) }
                }
            }
        }
    }
}

impl<V: Vector, F: Factors<V>> Points<V> for Tiles<F> {
    #[inline(always)]
    unsafe fn put(&self, point: usize, tile: usize, channel: usize, value: V) {
        let tile = self.first_tile + tile;
        // SAFETY: the caller's promise.
        unsafe {
            let row = self.start.add(point * self.point_len);
            let row = row.add(tile / F::PER_SLOT * self.pitch + channel);
            F::store_across(value, row, tile % F::PER_SLOT);
        }
    }
}

impl<S: Adjoint, F: Format> FactorKernel<F> for Part<'_, S, F> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        let plan = self.plan;
        let channels = plan.shape.in_channels;
        let (points, grad_points) = (self.points.as_mut_ptr(), self.grad_points.as_mut_ptr());
        let row = self.row.as_mut_ptr();
        let (first, end) = self.rows;
        // SAFETY: buffers as computed in `run`.
        unsafe {
            clear(self.sums, POINTS * channels * self.out_pitch);
            for block in (first..end).step_by(plan.rows_per_task) {
                let num_rows = plan.rows_per_task.min(end - block);
                let tiles_from = |first_tile: usize| {
                    let (start, pitch) = (points, plan.in_pitch);
                    let x = Tiles::<F> {
                        format: PhantomData,
                        start,
                        pitch,
                        point_len: self.point_len,
                        first_tile,
                    };
                    let grad = Tiles::<F> {
                        start: grad_points,
                        pitch: self.out_pitch,
                        point_len: self.grad_point_len,
                        ..x
                    };
                    (x, grad)
                };
                for r in 0..num_rows {
                    let (points, grad_points) = tiles_from(r * plan.tiles_x);
                    // The buffer holds rows of `grad_out` in between.
                    plan.transform_row::<V>(block + r, false, self.x, row, &points);
                    self.transform_row::<V>(block + r, &grad_points);
                }
                let tiles = num_rows * plan.tiles_x;
                let (points, grad_points) = tiles_from(0);
                points.complete::<V>(tiles);
                grad_points.complete::<V>(tiles);
                for point in 0..POINTS {
                    let mut column = 0;
                    while column < self.out_pitch {
                        if column + 2 * V::LANES <= self.out_pitch {
                            self.multiply::<V, MR, 2>(point, column, tiles);
                            column += 2 * V::LANES;
                        } else {
                            self.multiply::<V, NARROW_MR, 1>(point, column, tiles);
                            column += V::LANES;
                        }
                    }
                }
            }
        }
    }
}

impl<S: Adjoint, F: Format> Part<'_, S, F> {
    /// Transforms the tiles of `grad_out` of one row.
    ///
    /// # Safety
    /// The CPU has `V`; `points` is writable for this row's tiles.
    #[inline(always)]
    unsafe fn transform_row<V: Vector>(&self, row: usize, points: &impl Points<V>) {
        let plan = self.plan;
        let s = &plan.shape;
        let pitch = self.out_pitch;
        let (height, width) = (s.out_height(), s.out_width());
        let (image, phase, ty) = plan.place(row);
        let row_len = TILE * plan.tiles_x * pitch;
        let packed = self.row.as_ptr().cast_mut();
        // SAFETY: buffers as computed in `run`; `y` is checked.
        unsafe {
            for i in 0..TILE {
                let y = phase + s.dilation * (TILE * ty + i);
                let row = packed.add(i * row_len);
                if y >= height {
                    clear(row, row_len);
                    continue;
                }
                let src = image * s.out_channels * height * width + y * width;
                let src = self.grad_out.as_ptr().add(src);
                pack_row::<V>(src, height * width, s.out_channels, width, row, pitch);
                clear(row.add(width * pitch), row_len - width * pitch);
            }
            for tile in 0..plan.tiles_x {
                let column = packed.add(plan.column(tile) * pitch);
                for c in (0..pitch).step_by(V::LANES) {
                    let mut half = [[V::splat(0.0); TILE]; SPAN];
                    for j in 0..TILE {
                        let mut g = [V::splat(0.0); TILE];
                        for (i, g) in g.iter_mut().enumerate() {
                            *g = V::load(column.add(i * row_len + j * s.dilation * pitch + c));
                        }
                        let g = S::gradient(g);
                        for i in 0..SPAN {
                            half[i][j] = g[i];
                        }
                    }
                    for i in 0..SPAN {
                        let g = S::gradient(half[i]);
                        for j in 0..SPAN {
                            points.put(i * SPAN + j, tile, c, g[j]);
                        }
                    }
                }
            }
        }
    }

    /// Adds the products of `tiles` tiles for `N` vectors of output channels.
    ///
    /// # Safety
    /// The CPU has `V`; the tiles are transformed.
    #[inline(always)]
    unsafe fn multiply<V: Vector, const M: usize, const N: usize>(
        &self,
        point: usize,
        column: usize,
        tiles: usize,
    ) where
        F: Factors<V>,
    {
        let plan = self.plan;
        let channels = plan.shape.in_channels;
        // SAFETY: buffers as computed in `run`; scalars past the last channel are
        // in the buffer, and their sums are not stored.
        unsafe {
            let points = self.points.as_ptr().add(point * self.point_len);
            let grad = self
                .grad_points
                .as_ptr()
                .add(point * self.grad_point_len + column);
            let sums = self.sums.add(point * channels * self.out_pitch + column);
            for first in (0..channels).step_by(M) {
                let count = M.min(channels - first);
                let mut rows = [sums; M];
                let mut a = [points; M];
                for i in 0..M {
                    rows[i] = sums.add((first + i.min(count - 1)) * self.out_pitch);
                    a[i] = points.add(first).wrapping_add(i);
                }
                let mut acc = tile::load::<V, M, N>(&rows);
                let (depth, pitch) = (F::slots(tiles), self.out_pitch);
                tile::multiply_as::<F, _, _, _>(depth, &a, plan.in_pitch, grad, pitch, &mut acc);
                tile::store(&acc, &rows, count);
            }
        }
    }
}

/// Adds the parts of one input channel and transforms them back.
struct Channel<'a, S> {
    scheme: PhantomData<S>,
    shape: &'a Conv2dShape,
    sums: &'a [f32],
    part_len: usize,
    out_pitch: usize,
    channel: usize,
    grad_weight: *mut f32,
}

impl<S: Adjoint> Kernel for Channel<'_, S> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let (ci, co) = (self.shape.in_channels, self.shape.out_channels);
        for c in (0..self.out_pitch).step_by(V::LANES) {
            let mut taps = [[0.0f32; MAX_LANES]; 9];
            // SAFETY: the sums have this layout; taps hold the widest vector.
            unsafe {
                let mut half = [[V::splat(0.0); SPAN]; 3];
                for j in 0..SPAN {
                    let mut u = [V::splat(0.0); SPAN];
                    for (i, u) in u.iter_mut().enumerate() {
                        let at = ((i * SPAN + j) * ci + self.channel) * self.out_pitch + c;
                        for part in self.sums.chunks_exact(self.part_len) {
                            *u = u.add(V::load(part[at..at + V::LANES].as_ptr()));
                        }
                    }
                    let u = S::weight_gradient(u);
                    for i in 0..3 {
                        half[i][j] = u[i];
                    }
                }
                for (i, half) in half.into_iter().enumerate() {
                    for (j, tap) in S::weight_gradient(half).into_iter().enumerate() {
                        tap.store(taps[3 * i + j].as_mut_ptr());
                    }
                }
            }
            for lane in 0..V::LANES.min(co - c) {
                for (t, tap) in taps.iter().enumerate() {
                    let at = ((c + lane) * ci + self.channel) * 9 + t;
                    // SAFETY: inside the weight; only this task writes this input channel.
                    unsafe { *self.grad_weight.add(at) = tap[lane] };
                }
            }
        }
    }
}
