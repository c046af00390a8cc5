//! The register tile: the only place where products are summed.
//!
//! `MR` scalars meet `NV` vectors, so a step of `NV` loads and `MR` broadcasts feeds
//! `MR · NV` multiply-adds. Every sum runs over its terms in ascending order, whatever the
//! tile it falls into, so results do not depend on how the work is cut.

use super::factors::{Factors, Whole};
use super::simd::Vector;

/// Scalars of a tile that is one vector wide: with as few as for two vectors, the multiply-adds
/// would wait for each other.
pub(crate) const NARROW_MR: usize = 12;

/// Accumulators of one tile.
pub(crate) type Acc<V, const MR: usize, const NV: usize> = [[V; NV]; MR];

/// # Safety
/// The CPU has `V`.
#[inline(always)]
pub(crate) unsafe fn zeros<V: Vector, const MR: usize, const NV: usize>() -> Acc<V, MR, NV> {
    // SAFETY: the caller's promise.
    [[unsafe { V::splat(0.0) }; NV]; MR]
}

/// `acc[i][j] += Σ_p a[i][p·step] · b[p·b_step + j]` for `p < depth`.
///
/// # Safety
/// The CPU has `V`; every `a[i]` and `b` is readable as far as the sum goes.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector, const MR: usize, const NV: usize>(
    depth: usize,
    a: &[*const f32; MR],
    step: usize,
    b: *const f32,
    b_step: usize,
    acc: &mut Acc<V, MR, NV>,
) {
    // SAFETY: the caller's promise.
    unsafe { multiply_as::<Whole, V, MR, NV>(depth, a, step, b, b_step, acc) }
}

/// [`multiply`] for factors of another format: an f32's place in `a` and `b` then holds
/// [`Factors::PER_SLOT`] of them, whose products are added to one sum.
///
/// # Safety
/// As [`multiply`], and as [`Factors`].
#[inline(always)]
pub(crate) unsafe fn multiply_as<F: Factors<V>, V: Vector, const MR: usize, const NV: usize>(
    depth: usize,
    a: &[*const f32; MR],
    step: usize,
    b: *const f32,
    b_step: usize,
    acc: &mut Acc<V, MR, NV>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut b = b;
        for p in 0..depth {
            let mut row = [V::splat(0.0); NV];
            for (j, row) in row.iter_mut().enumerate() {
                *row = V::load(b.add(j * V::LANES));
            }
            for i in 0..MR {
                let scalar = V::splat(*a[i].add(p * step));
                for j in 0..NV {
                    acc[i][j] = F::add_product(acc[i][j], scalar, row[j]);
                }
            }
            b = b.add(b_step);
        }
    }
}

/// Reads row `i` of the tile at `rows[i]`.
///
/// # Safety
/// The CPU has `V`; every row is readable for `NV` vectors.
#[inline(always)]
pub(crate) unsafe fn load<V: Vector, const MR: usize, const NV: usize>(
    rows: &[*mut f32; MR],
) -> Acc<V, MR, NV> {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = zeros::<V, MR, NV>();
        for i in 0..MR {
            for j in 0..NV {
                acc[i][j] = V::load(rows[i].add(j * V::LANES));
            }
        }
        acc
    }
}

/// Writes row `i` of the tile at `rows[i]`, for the first `count` rows.
///
/// # Safety
/// Every such row is writable for `NV` vectors.
#[inline(always)]
pub(crate) unsafe fn store<V: Vector, const MR: usize, const NV: usize>(
    acc: &Acc<V, MR, NV>,
    rows: &[*mut f32; MR],
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..MR {
            if i < count {
                for j in 0..NV {
                    acc[i][j].store(rows[i].add(j * V::LANES));
                }
            }
        }
    }
}
