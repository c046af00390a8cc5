//! Matrix products.

use super::factors::Whole;
use super::gemm;
use super::layout::Epilogue;
use super::scratch::{Output, for_each_task};
use super::shape::{check_len, note};
use super::simd::{Kernel, Level, MAX_LANES, Vector};

/// `c = a · b`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[k, n]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul<'a>(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: impl Into<Output<'a>>) {
    let c = c.into();
    note(2 * (m * n * k) as u64, None);
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), k * n);
    check_len("c", c.len(), m * n);
    let size = gemm::Size { count: 1, m, n, k };
    gemm::run::<Whole>(
        size,
        Level::current(),
        a,
        gemm::Source::Rows(b),
        Epilogue::none(),
        c,
    );
}

/// Terms summed in vectors before their lanes are added up.
const BLOCK_DEPTH: usize = 4096;
/// Columns of `c` of one task.
const BLOCK_COLUMNS: usize = 16;

/// `c = a · bᵀ`: the scalar products of the rows of `a` with those of `b`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[n, k]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul_bt<'a>(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: impl Into<Output<'a>>) {
    let mut c = c.into();
    note(2 * (m * n * k) as u64, None);
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), n * k);
    check_len("c", c.len(), m * n);
    let level = Level::current();
    let shared = c.shared();
    let flops = 2 * (m * n * k) as u64;
    for_each_task(n.div_ceil(BLOCK_COLUMNS), flops, |task| {
        let first = task * BLOCK_COLUMNS;
        let end = n.min(first + BLOCK_COLUMNS);
        let kernel = Block {
            m,
            n,
            k,
            a,
            b,
            c: shared.get(),
            first,
            end,
        };
        // SAFETY: the level is supported; tasks write different columns of `c`.
        unsafe { level.run(kernel) }
    });
}

/// The sums of the squares of rows, in the order in which [`matmul_bt`] sums up.
///
/// # Shapes
/// `a` `[m, k]` row by row, `sums` `[m]`; `sums` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn square_sums<'a>(m: usize, k: usize, a: &[f32], sums: impl Into<Output<'a>>) {
    let mut sums = sums.into();
    note(2 * (m * k) as u64, None);
    check_len("a", a.len(), m * k);
    check_len("sums", sums.len(), m);
    let level = Level::current();
    let shared = sums.shared();
    for_each_task(m, 2 * (m * k) as u64, |row| {
        let a = &a[row * k..(row + 1) * k];
        // One row of a product with one column.
        let kernel = Block {
            m: 1,
            n: 1,
            k,
            a,
            b: a,
            c: shared.get().wrapping_add(row),
            first: 0,
            end: 1,
        };
        // SAFETY: the level is supported; tasks write different elements.
        unsafe { level.run(kernel) }
    });
}

/// Columns `first..end` of the product.
struct Block<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: &'a [f32],
    b: &'a [f32],
    c: *mut f32,
    first: usize,
    end: usize,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let mut begin = 0;
        loop {
            let depth = BLOCK_DEPTH.min(self.k - begin);
            for column in (self.first..self.end).step_by(4) {
                // Four by four accumulators fit 32 registers, two by four fit 16.
                let rows = if MR >= 8 { 4 } else { 2 };
                for row in (0..self.m).step_by(rows) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        if MR >= 8 {
                            self.tile::<V, 4>(row, column, begin, depth);
                        } else {
                            self.tile::<V, 2>(row, column, begin, depth);
                        }
                    }
                }
            }
            begin += depth;
            if begin >= self.k {
                break;
            }
        }
    }
}

impl Block<'_> {
    /// Adds terms `begin..begin + depth` of `R` rows and four columns.
    ///
    /// # Safety
    /// The CPU has `V`; no other thread writes these columns.
    #[inline(always)]
    unsafe fn tile<V: Vector, const R: usize>(
        &self,
        row: usize,
        column: usize,
        begin: usize,
        depth: usize,
    ) {
        // SAFETY: rows and columns past the end repeat the last one and are not stored.
        unsafe {
            let mut a = [self.a.as_ptr(); R];
            let mut b = [self.b.as_ptr(); 4];
            for (i, a) in a.iter_mut().enumerate() {
                *a = self
                    .a
                    .as_ptr()
                    .add((row + i).min(self.m - 1) * self.k + begin);
            }
            for (j, b) in b.iter_mut().enumerate() {
                *b = self
                    .b
                    .as_ptr()
                    .add((column + j).min(self.end - 1) * self.k + begin);
            }
            let mut acc = [[V::splat(0.0); 4]; R];
            let mut p = 0;
            while p < depth {
                let count = V::LANES.min(depth - p);
                let mut columns = [V::splat(0.0); 4];
                for j in 0..4 {
                    columns[j] = load(b[j].add(p), count);
                }
                for i in 0..R {
                    let x = load::<V>(a[i].add(p), count);
                    for j in 0..4 {
                        acc[i][j] = acc[i][j].add_mul(x, columns[j]);
                    }
                }
                p += V::LANES;
            }
            for (i, acc) in acc.into_iter().enumerate().take(R.min(self.m - row)) {
                for (j, acc) in acc.into_iter().enumerate().take(4.min(self.end - column)) {
                    let c = self.c.add((row + i) * self.n + column + j);
                    let sum = sum(acc);
                    *c = if begin == 0 { sum } else { *c + sum };
                }
            }
        }
    }
}

/// # Safety
/// The CPU has `V`; `src` is readable for `count ≤ LANES` elements.
#[inline(always)]
unsafe fn load<V: Vector>(src: *const f32, count: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        if count == V::LANES {
            V::load(src)
        } else {
            V::load_partial(src, count)
        }
    }
}

/// The sum of all lanes, always in the same order.
#[inline(always)]
fn sum<V: Vector>(vector: V) -> f32 {
    let mut lanes = [0.0f32; MAX_LANES];
    // SAFETY: the array holds the widest vector.
    unsafe { vector.store(lanes.as_mut_ptr()) };
    let mut width = V::LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}
