//! `c = epilogue(a · b)` with vectors along the rows of `b` and `c`.
//!
//! It serves row-major products, and convolutions with 1×1 kernels, where `a` is the weight
//! and `b` an image with its planes as rows: there NCHW needs no rearrangement.

use super::factors::{FactorKernel, Factors, Format};
use super::layout::{Epilogue, clear};
use super::scratch::{LINE, Output, for_each_task, with_scratch};
use super::shape::{Activation, Conv2dShape};
use super::simd::{Level, Vector};
use super::{tile, unfold};
use std::marker::PhantomData;

/// Columns of one task: rows of `b` are read in pieces that a prefetcher can follow.
const BLOCK_COLUMNS: usize = 256;
/// Slots of terms of a sum before its part of `b` leaves the first-level cache.
const BLOCK_DEPTH: usize = 256;

/// Sizes of `count` products with the same `a`.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub count: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// Where the rows of `b` come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The matrices themselves.
    Rows(&'a [f32]),
    /// Images; row `(channel, ky, kx)` holds the pixel under that tap for every output pixel.
    Unfold(&'a [f32], &'a Conv2dShape),
}

impl<'a> Source<'a> {
    /// The part for one product.
    fn part(self, product: usize, rows_len: usize) -> Self {
        match self {
            Self::Rows(b) => Self::Rows(&b[product * rows_len..][..rows_len]),
            Self::Unfold(x, s) => {
                let len = s.in_channels * s.height * s.width;
                Self::Unfold(&x[product * len..][..len], s)
            }
        }
    }
}

/// Computes all products with factors of the format `F`; `b` and `c` hold one matrix after the
/// other. The epilogue's bias is per row of `c`.
///
/// # Panics
/// If a slice does not fit the sizes.
pub(super) fn run<F: Format>(
    size: Size,
    level: Level,
    a: &[f32],
    b: Source<'_>,
    epilogue: Epilogue,
    mut c: Output,
) {
    let Size { count, m, n, k } = size;
    assert_eq!(a.len(), m * k);
    match b {
        Source::Rows(b) => assert_eq!(b.len(), count * k * n),
        Source::Unfold(x, s) => {
            assert_eq!((count, x.len()), (s.batch, s.input_len()));
            assert_eq!(n, s.out_height() * s.out_width());
            assert_eq!(k, s.in_channels * s.kernel * s.kernel);
        }
    }
    assert_eq!(c.len(), count * m * n);
    let blocks = n.div_ceil(BLOCK_COLUMNS);
    let width = BLOCK_COLUMNS.min(n.next_multiple_of(2 * level.lanes()));
    let shared = c.shared();
    let flops = 2 * (count * m * n * k) as u64;
    let a_pitch = F::slots(k);
    let compute = |a: &[f32]| {
        for_each_task(count * blocks, flops, |task| {
            with_scratch(width * (BLOCK_DEPTH.min(a_pitch) + 1), |scratch| {
                let (line, packed) = scratch.split_at_mut(width);
                let (product, first) = (task / blocks, task % blocks * BLOCK_COLUMNS);
                let offset = product * m * n + first;
                let kernel = Block::<F> {
                    format: PhantomData,
                    size,
                    a,
                    a_pitch,
                    b: b.part(product, k * n),
                    c: shared.get().wrapping_add(offset),
                    epilogue: epilogue.at(0, offset),
                    first,
                    columns: BLOCK_COLUMNS.min(n - first),
                    line,
                    packed,
                };
                // SAFETY: the level is supported; tasks write different columns or matrices.
                unsafe { F::run(level, kernel) }
            });
        });
    };
    if F::PER_SLOT == 1 {
        return compute(a);
    }
    // A row's last slot may be one of zeros, and what is behind it in the last vector.
    let rows = (m * a_pitch).next_multiple_of(LINE);
    let row = k.next_multiple_of(LINE);
    with_scratch(rows + LINE + row, |scratch| {
        let (joined, row) = scratch.split_at_mut(rows + LINE);
        let kernel = Join { a, k, joined, row };
        // SAFETY: the level is supported; the buffers have the lengths `Join` asks for.
        unsafe { F::run(level, kernel) }
        compute(joined);
    });
}

/// Rows of `a` in slots.
struct Join<'a> {
    a: &'a [f32],
    k: usize,
    /// Holds the rows in slots, and a vector more.
    joined: &'a mut [f32],
    /// Holds a row in whole vectors.
    row: &'a mut [f32],
}

impl<F: Format> FactorKernel<F> for Join<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        self.row.fill(0.0);
        for (i, a) in self.a.chunks_exact(self.k).enumerate() {
            self.row[..self.k].copy_from_slice(a);
            let joined = self.joined[i * F::slots(self.k)..].as_mut_ptr();
            for first in (0..self.k).step_by(V::LANES) {
                // SAFETY: the next row, or the vector more, takes what the last vector has too
                // much.
                unsafe { F::store_along(V::load(self.row[first..].as_ptr()), joined, first) }
            }
        }
    }
}

/// Some columns of one product; `c` and the residual start at their first element.
struct Block<'a, F> {
    format: PhantomData<F>,
    size: Size,
    /// Rows of `a_pitch` slots.
    a: &'a [f32],
    a_pitch: usize,
    b: Source<'a>,
    c: *mut f32,
    epilogue: Epilogue,
    first: usize,
    columns: usize,
    /// Holds one row of the block.
    line: &'a mut [f32],
    /// A part of `b`, `[pair of vectors][row of slots][2 · LANES]`.
    packed: &'a mut [f32],
}

impl<F: Format> FactorKernel<F> for Block<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        let Size { m, k, .. } = self.size;
        let slots = self.a_pitch;
        let width = 2 * V::LANES;
        let panels = self.columns.div_ceil(width);
        let packed = self.packed.as_mut_ptr();
        let mut begin = 0;
        loop {
            let depth = BLOCK_DEPTH.min(slots - begin);
            // SAFETY: `packed` holds `panels` panels of `depth` rows; stores to `c` stop at
            // its last column and row.
            unsafe {
                for p in 0..depth {
                    for n in 0..F::PER_SLOT {
                        let term = (begin + p) * F::PER_SLOT + n;
                        let row = if term < k {
                            self.row::<V>(term)
                        } else {
                            clear(self.line.as_ptr().cast_mut(), self.line.len());
                            self.line.as_ptr()
                        };
                        for panel in 0..panels {
                            let src = row.add(panel * width);
                            let dst = packed.add((panel * depth + p) * width);
                            let [low, high] = load_pair::<V>(src, self.columns - panel * width);
                            F::store_across(low, dst, n);
                            F::store_across(high, dst.add(V::LANES), n);
                        }
                    }
                }
                // Rows outside: the pieces of one row of `c` follow each other in memory.
                for row in (0..m).step_by(MR) {
                    for panel in 0..panels {
                        let b = packed.add(panel * depth * width);
                        self.tile::<V, MR>(panel * width, row, begin, depth, b);
                    }
                }
            }
            begin += depth;
            if begin >= slots {
                break;
            }
        }
    }
}

impl<F: Format> Block<'_, F> {
    /// The block's columns of row `p` of `b`.
    ///
    /// # Safety
    /// The CPU has `V`.
    #[inline(always)]
    unsafe fn row<V: Vector>(&self, p: usize) -> *const f32 {
        match self.b {
            Source::Rows(b) => b[p * self.size.n + self.first..].as_ptr(),
            Source::Unfold(x, s) => {
                // SAFETY: `line` holds `columns` elements.
                unsafe {
                    let line = self.line.as_ptr().cast_mut();
                    unfold::row::<V>(x, s, p, self.first, self.columns, line);
                    line
                }
            }
        }
    }

    /// Adds slots `begin..begin + depth` of terms of one tile.
    ///
    /// # Safety
    /// The CPU has `V`; `b` is a packed panel.
    #[inline(always)]
    unsafe fn tile<V: Vector, const MR: usize>(
        &self,
        column: usize,
        row: usize,
        begin: usize,
        depth: usize,
        b: *const f32,
    ) where
        F: Factors<V>,
    {
        let Size { m, n, .. } = self.size;
        let left = self.columns - column;
        let epilogue = self.epilogue;
        // SAFETY: rows past the end repeat the last one and are not stored; columns past
        // the end are neither read nor written.
        unsafe {
            let mut a = [self.a.as_ptr(); MR];
            for (i, a) in a.iter_mut().enumerate() {
                *a = self
                    .a
                    .as_ptr()
                    .add((row + i).min(m - 1) * self.a_pitch + begin);
            }
            let mut acc = tile::zeros::<V, MR, 2>();
            if begin > 0 {
                for (i, acc) in acc.iter_mut().enumerate() {
                    let at = (row + i).min(m - 1) * n + column;
                    *acc = load_pair(self.c.add(at), left);
                }
            }
            tile::multiply_as::<F, _, _, _>(depth, &a, 1, b, 2 * V::LANES, &mut acc);
            let last = begin + depth == self.a_pitch;
            let (zero, slope) = (V::splat(0.0), V::splat(epilogue.act.slope()));
            for (i, acc) in acc.into_iter().enumerate().take(MR.min(m - row)) {
                let at = (row + i) * n + column;
                let mut value = acc;
                if last && !epilogue.bias.is_null() {
                    let bias = V::splat(*epilogue.bias.add(row + i));
                    value = [value[0].add(bias), value[1].add(bias)];
                }
                if last && !epilogue.residual.is_null() {
                    let residual = load_pair::<V>(epilogue.residual.add(at), left);
                    value = [value[0].add(residual[0]), value[1].add(residual[1])];
                }
                if last && epilogue.act != Activation::None {
                    for value in &mut value {
                        *value = zero.max(*value).add_mul(zero.min(*value), slope);
                    }
                }
                store_pair(value, self.c.add(at), left);
            }
        }
    }
}

/// Two vectors, or as much of them as `count` elements give.
///
/// # Safety
/// The CPU has `V`; `src` is readable for `count` elements or two vectors.
#[inline(always)]
unsafe fn load_pair<V: Vector>(src: *const f32, count: usize) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= 2 * V::LANES {
            [V::load(src), V::load(src.add(V::LANES))]
        } else if count >= V::LANES {
            [
                V::load(src),
                V::load_partial(src.add(V::LANES), count - V::LANES),
            ]
        } else {
            [V::load_partial(src, count), V::splat(0.0)]
        }
    }
}

/// Stores two vectors, or the first `count` elements of them.
///
/// # Safety
/// `dst` is writable for `count` elements or two vectors.
#[inline(always)]
unsafe fn store_pair<V: Vector>(value: [V; 2], dst: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= 2 * V::LANES {
            value[0].store(dst);
            value[1].store(dst.add(V::LANES));
        } else if count >= V::LANES {
            value[0].store(dst);
            value[1].store_partial(dst.add(V::LANES), count - V::LANES);
        } else {
            value[0].store_partial(dst, count);
        }
    }
}
