//! CARAFE reassembly and its gradients.

use super::reference;
use super::shape::{CarafeShape, check_len};

/// CARAFE ×2 reassembly with 5×5 kernels:
/// `out[c,Y,X] = Σ_{u,v∈−2..2} kernels[5(u+2)+(v+2),Y,X] · x[c,⌊Y/2⌋+u,⌊X/2⌋+v]`.
/// Taps outside the map count as 0; nothing is renormalised.
///
/// # Shapes
/// `x` `[batch, channels, height, width]`, `kernels` `[batch, 25, 2·height, 2·width]` (after
/// the softmax), `out` `[batch, channels, 2·height, 2·width]`.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe(shape: &CarafeShape, x: &[f32], kernels: &[f32], out: &mut [f32]) {
    check_len("x", x.len(), shape.input_len());
    check_len("kernels", kernels.len(), shape.kernels_len());
    check_len("out", out.len(), shape.output_len());
    store(&reference::carafe(shape, x, kernels), out);
}

/// Gradients of [`carafe`] with respect to its input and kernels; both are overwritten.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe_backward(
    shape: &CarafeShape,
    x: &[f32],
    kernels: &[f32],
    grad_out: &[f32],
    grad_x: &mut [f32],
    grad_kernels: &mut [f32],
) {
    check_len("x", x.len(), shape.input_len());
    check_len("kernels", kernels.len(), shape.kernels_len());
    check_len("grad_out", grad_out.len(), shape.output_len());
    check_len("grad_x", grad_x.len(), shape.input_len());
    check_len("grad_kernels", grad_kernels.len(), shape.kernels_len());
    let (gx, gk) = reference::carafe_backward(shape, x, kernels, grad_out);
    store(&gx, grad_x);
    store(&gk, grad_kernels);
}

fn store(values: &[f64], out: &mut [f32]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = value as f32;
    }
}
