//! From packed rows to output rows, for as many tiles as the second-level cache holds.

use super::super::factors::{FactorKernel, Factors, Format};
use super::super::layout::{Epilogue, unpack_row};
use super::super::panels::Panels;
use super::super::scratch::LINE;
use super::super::simd::Vector;
use super::super::tile::{self, NARROW_MR};
use super::transforms::Scheme;
use super::{Plan, Points};
use std::marker::PhantomData;

/// Some rows of tiles, for all output channels.
pub(super) struct Block<'a, S, F, const TILE: usize, const SPAN: usize> {
    pub(super) plan: &'a Plan<S, F, TILE, SPAN>,
    pub(super) panels: &'a Panels,
    pub(super) x: &'a [f32],
    pub(super) out: *mut f32,
    pub(super) epilogue: Epilogue,
    pub(super) first_row: usize,
    pub(super) num_rows: usize,
    pub(super) input: &'a mut [f32],
    pub(super) points: &'a mut [f32],
    pub(super) products: &'a mut [f32],
    pub(super) result: &'a mut [f32],
}

/// The channels of a tile lie side by side.
struct Channels<F> {
    format: PhantomData<F>,
    start: *mut f32,
    pitch: usize,
    point_len: usize,
}

impl<V: Vector, F: Factors<V>> Points<V> for Channels<F> {
    #[inline(always)]
    unsafe fn put(&self, point: usize, tile: usize, channel: usize, value: V) {
        // SAFETY: the caller's promise.
        unsafe {
            let row = self.start.add(point * self.point_len + tile * self.pitch);
            F::store_along(value, row, channel);
        }
    }
}

impl<S: Scheme<TILE, SPAN>, F: Format, const TILE: usize, const SPAN: usize> FactorKernel<F>
    for Block<'_, S, F, TILE, SPAN>
{
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        let plan = self.plan;
        let (input, points) = (self.input.as_mut_ptr(), self.points.as_mut_ptr());
        // SAFETY: buffers as computed in `Plan::run`.
        unsafe {
            for r in 0..self.num_rows {
                let points = Channels::<F> {
                    format: PhantomData,
                    start: points.add(r * plan.tiles_x * plan.point_pitch),
                    pitch: plan.point_pitch,
                    point_len: plan.point_len,
                };
                plan.transform_row::<V>(self.first_row + r, r > 0, self.x, input, &points);
            }
            for (first, vectors, panel) in self.panels.iter() {
                if vectors == 2 {
                    self.multiply::<V, MR, 2>(panel);
                } else {
                    self.multiply::<V, NARROW_MR, 1>(panel);
                }
                for r in 0..self.num_rows {
                    self.finish_row::<V>(r, first, vectors * V::LANES);
                }
            }
        }
    }
}

impl<S: Scheme<TILE, SPAN>, F: Format, const TILE: usize, const SPAN: usize>
    Block<'_, S, F, TILE, SPAN>
{
    /// The products of all points and tiles for one panel of output channels.
    ///
    /// # Safety
    /// The CPU has `V`.
    #[inline(always)]
    unsafe fn multiply<V: Vector, const MR: usize, const NV: usize>(&self, panel: &[f32])
    where
        F: Factors<V>,
    {
        let plan = self.plan;
        let depth = F::slots(plan.shape.in_channels);
        let tiles = self.num_rows * plan.tiles_x;
        let width = NV * V::LANES;
        for point in 0..SPAN * SPAN {
            // SAFETY: buffers as computed in `Plan::run`.
            unsafe {
                let points = self.points.as_ptr().add(point * plan.point_len);
                let products = self.product(point, width);
                let weights = panel.as_ptr().add(point * depth * width);
                for first in (0..tiles).step_by(MR) {
                    // Rows past the end repeat the last tile; they are not stored.
                    let mut a = [points; MR];
                    let mut dst = [products; MR];
                    for i in 0..MR {
                        let tile = (first + i).min(tiles - 1);
                        a[i] = points.add(tile * plan.point_pitch);
                        dst[i] = products.add(tile * width);
                    }
                    let mut acc = tile::zeros::<V, MR, NV>();
                    tile::multiply_as::<F, _, _, _>(depth, &a, 1, weights, width, &mut acc);
                    tile::store(&acc, &dst, MR.min(tiles - first));
                }
            }
        }
    }

    /// Where the products of `point` start.
    #[inline(always)]
    fn product(&self, point: usize, width: usize) -> *mut f32 {
        let tiles = (self.num_rows * self.plan.tiles_x).next_multiple_of(8);
        let offset = point * (tiles * width + LINE);
        debug_assert!(offset < self.products.len());
        self.products.as_ptr().cast_mut().wrapping_add(offset)
    }

    /// Transforms the products of one row of tiles and stores them as output rows.
    ///
    /// # Safety
    /// The CPU has `V`.
    #[inline(always)]
    unsafe fn finish_row<V: Vector>(&self, r: usize, channel: usize, width: usize) {
        let plan = self.plan;
        let s = &plan.shape;
        let (out_height, out_width) = (s.out_height(), s.out_width());
        let (image, phase, ty) = plan.place(self.first_row + r);
        let row_len = TILE * plan.tiles_x * width;
        let result = self.result.as_ptr().cast_mut();
        // SAFETY: buffers as computed in `Plan::run`; stores stop at the picture's border.
        unsafe {
            for tile in 0..plan.tiles_x {
                let dst = result.add(plan.column(tile) * width);
                for c in (0..width).step_by(V::LANES) {
                    let at = (r * plan.tiles_x + tile) * width + c;
                    let mut half = [[V::splat(0.0); SPAN]; TILE];
                    for j in 0..SPAN {
                        let mut m = [V::splat(0.0); SPAN];
                        for (i, m) in m.iter_mut().enumerate() {
                            *m = V::load(self.product(i * SPAN + j, width).add(at));
                        }
                        let m = S::output(m);
                        for i in 0..TILE {
                            half[i][j] = m[i];
                        }
                    }
                    for (i, half) in half.into_iter().enumerate() {
                        let y = S::output(half);
                        for (j, y) in y.into_iter().enumerate() {
                            y.store(dst.add(i * row_len + j * s.dilation * width + c));
                        }
                    }
                }
            }
            let channels = width.min(s.out_channels - channel);
            let plane = out_height * out_width;
            let mut i = 0;
            while i < TILE {
                let y = phase + s.dilation * (TILE * ty + i);
                if y >= out_height {
                    break;
                }
                // Rows that follow each other in both buffers are stored as one.
                let joined = s.dilation == 1 && TILE * plan.tiles_x == out_width;
                let rows = if joined {
                    (TILE - i).min(out_height - y)
                } else {
                    1
                };
                let offset = (image * s.out_channels + channel) * plane + y * out_width;
                unpack_row::<V>(
                    result.add(i * row_len),
                    width,
                    channels,
                    rows * out_width,
                    self.out.add(offset),
                    plane,
                    self.epilogue.at(channel, offset),
                );
                i += rows;
            }
        }
    }
}
