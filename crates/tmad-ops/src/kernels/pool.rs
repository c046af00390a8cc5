//! Largest values of windows, and where their gradient goes.

use super::scratch::{Output, SharedMut, for_each_task, with_scratch};
use super::shape::{MaxPool, check_len};
use std::ops::Range;

/// Comparisons, and a place in memory, of one value of a window.
const FLOPS: usize = 4;

/// Largest values of the windows of `planes` pictures of `height` × `width`; a window with a NaN
/// has a NaN.
///
/// # Panics
/// If a slice has another length than its shape, or a picture has no window.
pub fn max_pool<'a>(
    [planes, height, width]: [usize; 3],
    pool: MaxPool,
    x: &[f32],
    out: impl Into<Output<'a>>,
) {
    let mut out = out.into();
    let [out_height, out_width] = [height, width].map(|side| pool.output_size(side));
    check_len("x", x.len(), planes * height * width);
    check_len("out", out.len(), planes * out_height * out_width);
    let shared = out.shared();
    for_each_task(planes, flops(out.len(), pool), |plane| {
        let x = &x[plane * height * width..][..height * width];
        // SAFETY: tasks write different planes of the output.
        let out = unsafe {
            let len = out_height * out_width;
            std::slice::from_raw_parts_mut(shared.get().add(plane * len), len)
        };
        with_scratch(width, |largest| {
            for (oy, out) in out.chunks_exact_mut(out_width).enumerate() {
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
    let shared = SharedMut::new(grad_x);
    for_each_task(planes, flops(grad_out.len(), pool), |plane| {
        let len = height * width;
        let x = &x[plane * len..][..len];
        // SAFETY: tasks write different planes of the gradient.
        let grad_x = unsafe { std::slice::from_raw_parts_mut(shared.get().add(plane * len), len) };
        grad_x.fill(0.0);
        let grad_out = &grad_out[plane * out_height * out_width..];
        for oy in 0..out_height {
            for ox in 0..out_width {
                let (rows, columns) = (pool.window(oy, height), pool.window(ox, width));
                grad_x[place_of_largest(x, width, rows, columns)] += grad_out[oy * out_width + ox];
            }
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

fn flops(num_windows: usize, pool: MaxPool) -> u64 {
    (num_windows * pool.side * pool.side * FLOPS) as u64
}
