//! Matrix products.

use super::reference;
use super::shape::check_len;

/// `c = a · bᵀ`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[n, k]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul_bt(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), n * k);
    check_len("c", c.len(), m * n);
    store(&reference::matmul(m, n, k, a, b, true), c);
}

/// `c = a · b`.
///
/// # Shapes
/// `a` `[m, k]`, `b` `[k, n]`, `c` `[m, n]`, all row by row; `c` is overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn matmul(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    check_len("a", a.len(), m * k);
    check_len("b", b.len(), k * n);
    check_len("c", c.len(), m * n);
    store(&reference::matmul(m, n, k, a, b, false), c);
}

fn store(values: &[f64], out: &mut [f32]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = value as f32;
    }
}
