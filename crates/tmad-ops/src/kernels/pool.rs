//! Largest values of windows, and where their gradient goes.

use super::scratch::with_scratch;
use super::shape::{MaxPool, check_len};
use rayon::prelude::*;
use std::ops::Range;

/// Largest values of the windows of `planes` pictures of `height` × `width`; a window with a NaN
/// has a NaN.
///
/// # Panics
/// If a slice has another length than its shape, or a picture has no window.
pub fn max_pool([planes, height, width]: [usize; 3], pool: MaxPool, x: &[f32], out: &mut [f32]) {
    let [out_height, out_width] = [height, width].map(|side| pool.output_size(side));
    check_len("x", x.len(), planes * height * width);
    check_len("out", out.len(), planes * out_height * out_width);
    let out = out.par_chunks_exact_mut(out_height * out_width);
    let each_plane = out.zip(x.par_chunks_exact(height * width));
    each_plane.for_each(|(out, x)| {
        with_scratch(width, |largest| {
            for (oy, out) in out.chunks_exact_mut(out_width).enumerate() {
                // Along columns first: whole rows are compared at once, where windows overlap.
                largest.fill(f32::NEG_INFINITY);
                for y in pool.window(oy, height) {
                    let row = &x[y * width..][..width];
                    for (largest, &value) in largest.iter_mut().zip(row) {
                        *largest = larger(*largest, value);
                    }
                }
                for (ox, out) in out.iter_mut().enumerate() {
                    let window = largest[pool.window(ox, width)].iter();
                    *out = window.fold(f32::NEG_INFINITY, |a, &b| larger(a, b));
                }
            }
        });
    });
}

/// Gradient of [`max_pool`] with respect to its input, which is overwritten: that of a window goes
/// to its largest value, the first in row-major order if there are several.
///
/// # Panics
/// As [`max_pool`].
pub fn max_pool_backward(
    [planes, height, width]: [usize; 3],
    pool: MaxPool,
    x: &[f32],
    grad_out: &[f32],
    grad_x: &mut [f32],
) {
    let [out_height, out_width] = [height, width].map(|side| pool.output_size(side));
    check_len("x", x.len(), planes * height * width);
    check_len("grad_out", grad_out.len(), planes * out_height * out_width);
    check_len("grad_x", grad_x.len(), x.len());
    let grad_x = grad_x.par_chunks_exact_mut(height * width);
    let each_plane = grad_x
        .zip(x.par_chunks_exact(height * width))
        .zip(grad_out.par_chunks_exact(out_height * out_width));
    each_plane.for_each(|((grad_x, x), grad_out)| {
        grad_x.fill(0.0);
        for (window, grad) in grad_out.iter().enumerate() {
            let (oy, ox) = (window / out_width, window % out_width);
            let (rows, columns) = (pool.window(oy, height), pool.window(ox, width));
            grad_x[place_of_largest(x, width, rows, columns)] += grad;
        }
    });
}

/// Where in a plane the first of the largest values of a window lies.
fn place_of_largest(x: &[f32], width: usize, rows: Range<usize>, columns: Range<usize>) -> usize {
    let (mut place, mut largest) = (rows.start * width + columns.start, f32::NEG_INFINITY);
    for y in rows {
        let row = &x[y * width..][columns.clone()];
        for (at, &value) in row.iter().enumerate() {
            if value > largest || value.is_nan() {
                (place, largest) = (y * width + columns.start + at, value);
            }
        }
    }
    place
}

/// The larger of two values; NaN if one is.
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}
