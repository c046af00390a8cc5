//! Plain loops for every kernel: slow, obviously right, and the oracle of the tests.
//!
//! Sums are kept in f64, so a difference to a fast kernel is that kernel's rounding.

use super::shape::{Activation, CARAFE_TAPS, CarafeShape, Conv2dShape, MaxPool};

/// Calls `visit(out, x, weight)` with the index of every product of the convolution.
fn for_each_product(shape: &Conv2dShape, mut visit: impl FnMut(usize, usize, usize)) {
    let s = shape;
    let (oh, ow) = (s.out_height(), s.out_width());
    for b in 0..s.batch {
        for co in 0..s.out_channels {
            for oy in 0..oh {
                for ox in 0..ow {
                    let out = ((b * s.out_channels + co) * oh + oy) * ow + ox;
                    for ci in 0..s.in_channels {
                        for ky in 0..s.kernel {
                            let y = (oy * s.stride + ky * s.dilation).wrapping_sub(s.padding);
                            if y >= s.height {
                                continue;
                            }
                            for kx in 0..s.kernel {
                                let x = (ox * s.stride + kx * s.dilation).wrapping_sub(s.padding);
                                if x >= s.width {
                                    continue;
                                }
                                let xi = ((b * s.in_channels + ci) * s.height + y) * s.width + x;
                                let wi =
                                    ((co * s.in_channels + ci) * s.kernel + ky) * s.kernel + kx;
                                visit(out, xi, wi);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// See [`box_means`](fn@super::box_means).
pub fn box_means([planes, height, width]: [usize; 3], side: usize, x: &[f32]) -> Vec<f64> {
    let near =
        |at: usize, limit: usize| at.saturating_sub(side / 2)..(at + side / 2 + 1).min(limit);
    let mut means = Vec::with_capacity(x.len());
    for plane in 0..planes {
        for (y, x0) in (0..height).flat_map(|y| (0..width).map(move |x0| (y, x0))) {
            let (rows, columns) = (near(y, height), near(x0, width));
            let count = rows.len() * columns.len();
            let at = rows.flat_map(|v| {
                columns
                    .clone()
                    .map(move |u| (plane * height + v) * width + u)
            });
            means.push(at.map(|i| f64::from(x[i])).sum::<f64>() / count as f64);
        }
    }
    means
}

/// Calls `visit(out, place)` with the place of every window's largest value, the first of several.
fn for_each_largest(
    [planes, height, width]: [usize; 3],
    pool: MaxPool,
    x: &[f32],
    mut visit: impl FnMut(usize, usize),
) {
    let [rows, columns] = [height, width].map(|side| pool.output_size(side));
    for out in 0..planes * rows * columns {
        let (plane, top) = (out / (rows * columns), out / columns % rows * pool.stride);
        let left = out % columns * pool.stride;
        let places = (0..pool.side * pool.side)
            .map(|at| (top + at / pool.side, left + at % pool.side))
            .filter(|&(y, x)| y < height && x < width)
            .map(|(y, x)| (plane * height + y) * width + x);
        let larger = |a: usize, b: usize| if x[b] > x[a] { b } else { a };
        visit(out, places.reduce(larger).expect("no window is empty"));
    }
}

/// See [`max_pool`](fn@super::max_pool).
pub fn max_pool(shape: [usize; 3], pool: MaxPool, x: &[f32]) -> Vec<f64> {
    let mut largest = Vec::new();
    for_each_largest(shape, pool, x, |_, place| largest.push(f64::from(x[place])));
    largest
}

/// See [`max_pool_backward`](fn@super::max_pool_backward).
pub fn max_pool_backward(
    shape: [usize; 3],
    pool: MaxPool,
    x: &[f32],
    grad_out: &[f32],
) -> Vec<f64> {
    let mut grad_x = vec![0.0; x.len()];
    for_each_largest(shape, pool, x, |out, place| {
        grad_x[place] += f64::from(grad_out[out]);
    });
    grad_x
}

/// `act(conv(x, weight) + bias + residual)`; see [`conv2d`](fn@super::conv2d).
pub fn conv2d(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    act: Activation,
) -> Vec<f64> {
    let mut out = vec![0.0; shape.output_len()];
    for_each_product(shape, |o, xi, wi| {
        out[o] += f64::from(x[xi]) * f64::from(weight[wi])
    });
    let plane = (shape.out_height() * shape.out_width()).max(1);
    for (i, value) in out.iter_mut().enumerate() {
        if let Some(bias) = bias {
            *value += f64::from(bias[i / plane % shape.out_channels]);
        }
        if let Some(residual) = residual {
            *value += f64::from(residual[i]);
        }
        if *value < 0.0 {
            *value *= f64::from(act.slope());
        }
    }
    out
}

/// Gradient of the convolution's input; see [`conv2d_backward_input`](fn@super::conv2d_backward_input).
pub fn conv2d_backward_input(shape: &Conv2dShape, grad_out: &[f32], weight: &[f32]) -> Vec<f64> {
    let mut grad = vec![0.0; shape.input_len()];
    for_each_product(shape, |o, xi, wi| {
        grad[xi] += f64::from(grad_out[o]) * f64::from(weight[wi]);
    });
    grad
}

/// Gradients of weight and bias; see
/// [`conv2d_backward_weight`](fn@super::conv2d_backward_weight).
pub fn conv2d_backward_weight(
    shape: &Conv2dShape,
    x: &[f32],
    grad_out: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let mut grad = vec![0.0; shape.weight_len()];
    for_each_product(shape, |o, xi, wi| {
        grad[wi] += f64::from(grad_out[o]) * f64::from(x[xi]);
    });
    let mut grad_bias = vec![0.0; shape.out_channels];
    let plane = (shape.out_height() * shape.out_width()).max(1);
    for (i, &value) in grad_out.iter().enumerate() {
        grad_bias[i / plane % shape.out_channels] += f64::from(value);
    }
    (grad, grad_bias)
}

/// Calls `visit(out, x, kernel)` with the index of every product of the reassembly.
fn for_each_carafe_product(shape: &CarafeShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (h, w) = (shape.height, shape.width);
    for b in 0..shape.batch {
        for c in 0..shape.channels {
            for oy in 0..2 * h {
                for ox in 0..2 * w {
                    let out = ((b * shape.channels + c) * 2 * h + oy) * 2 * w + ox;
                    for tap in 0..CARAFE_TAPS {
                        let y = (oy / 2 + tap / 5).wrapping_sub(2);
                        let x = (ox / 2 + tap % 5).wrapping_sub(2);
                        if y < h && x < w {
                            let xi = ((b * shape.channels + c) * h + y) * w + x;
                            let ki = ((b * CARAFE_TAPS + tap) * 2 * h + oy) * 2 * w + ox;
                            visit(out, xi, ki);
                        }
                    }
                }
            }
        }
    }
}

/// CARAFE's kernels; see [`carafe_kernels`](fn@super::carafe_kernels).
pub fn carafe_kernels(shape: &CarafeShape, logits: &[f32]) -> Vec<f64> {
    let (h, w) = (shape.height, shape.width);
    let mut kernels = vec![0.0; shape.kernels_len()];
    for b in 0..shape.batch {
        for oy in 0..2 * h {
            for ox in 0..2 * w {
                let logit = |tap: usize| {
                    let channel = 4 * tap + 2 * (oy % 2) + ox % 2;
                    f64::from(logits[((b * 4 * CARAFE_TAPS + channel) * h + oy / 2) * w + ox / 2])
                };
                let total: f64 = (0..CARAFE_TAPS).map(|tap| logit(tap).exp()).sum();
                for tap in 0..CARAFE_TAPS {
                    kernels[((b * CARAFE_TAPS + tap) * 2 * h + oy) * 2 * w + ox] =
                        logit(tap).exp() / total;
                }
            }
        }
    }
    kernels
}

/// CARAFE reassembly; see [`carafe`](fn@super::carafe).
pub fn carafe(shape: &CarafeShape, x: &[f32], kernels: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; shape.output_len()];
    for_each_carafe_product(shape, |o, xi, ki| {
        out[o] += f64::from(x[xi]) * f64::from(kernels[ki]);
    });
    out
}

/// Gradients of CARAFE's input and kernels; see [`carafe_backward`](fn@super::carafe_backward).
pub fn carafe_backward(
    shape: &CarafeShape,
    x: &[f32],
    kernels: &[f32],
    grad_out: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let mut grad_x = vec![0.0; shape.input_len()];
    let mut grad_kernels = vec![0.0; shape.kernels_len()];
    for_each_carafe_product(shape, |o, xi, ki| {
        let g = f64::from(grad_out[o]);
        grad_x[xi] += g * f64::from(kernels[ki]);
        grad_kernels[ki] += g * f64::from(x[xi]);
    });
    (grad_x, grad_kernels)
}

/// `a · b`, with `b` given as `[k, n]`, or as `[n, k]` when `b_transposed`.
pub fn matmul(m: usize, n: usize, k: usize, a: &[f32], b: &[f32], b_transposed: bool) -> Vec<f64> {
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            for p in 0..k {
                let b = if b_transposed {
                    b[j * k + p]
                } else {
                    b[p * n + j]
                };
                c[i * n + j] += f64::from(a[i * k + p]) * f64::from(b);
            }
        }
    }
    c
}
