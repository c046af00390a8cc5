//! Gradients of weight and bias: products of the packed input and `grad_out`, summed over
//! pixels.
//!
//! The pixels are cut into parts, whose number depends on the shape only. Each part is summed
//! in order by one task, and the parts are added in order, so that the number of threads does
//! not change the result.

use super::layout::{clear, pack_row};
use super::plan::Plan;
use super::scratch::{LINE, SharedMut, for_each_task, with_scratch};
use super::shape::Conv2dShape;
use super::simd::{Kernel, Level, Vector};
use super::tile::{self, NARROW_MR};

/// Parts at most, and pixels for which another part pays for its own copy of the weight.
const MAX_PARTS: usize = 16;
const PIXELS_PER_PART: usize = 512;

/// Fills `grad_weight` and `grad_bias`, whose lengths the caller has checked.
pub(super) fn run(
    s: &Conv2dShape,
    level: Level,
    x: &[f32],
    grad_out: &[f32],
    grad_weight: &mut [f32],
    grad_bias: Option<&mut [f32]>,
) {
    assert_eq!(x.len(), s.input_len());
    assert_eq!(grad_out.len(), s.output_len());
    let plan = Plan::forward(s, level);
    let taps = s.kernel * s.kernel;
    let pitch = s.out_channels.next_multiple_of(level.lanes());
    // One more row holds the gradient of the bias.
    let rows = taps * s.in_channels + 1;
    let part_len = rows * pitch;
    let strips = s.batch * plan.strips();
    let pixels = s.batch * s.out_height() * s.out_width();
    let parts = (pixels / PIXELS_PER_PART)
        .clamp(1, MAX_PARTS)
        .min(strips.max(1));
    with_scratch(parts * part_len, |sums| {
        let shared = SharedMut::new(sums);
        for_each_task(parts, s.flops(), |part| {
            // SAFETY: each task has its own part.
            let sums = unsafe {
                std::slice::from_raw_parts_mut(shared.get().add(part * part_len), part_len)
            };
            sums.fill(0.0);
            let input_len = plan.strip_len() + LINE;
            let grad_len = plan.strip_rows * plan.dst.width * pitch;
            with_scratch(input_len + grad_len, |scratch| {
                let (input, grad) = scratch.split_at_mut(input_len);
                for strip in part * strips / parts..(part + 1) * strips / parts {
                    let (image, strip) = (strip / plan.strips(), strip % plan.strips());
                    let (first_row, num_rows) = plan.rows_of(strip);
                    let (x_len, g_len) = (plan.src.len(), plan.dst.len());
                    let kernel = Strip {
                        plan: &plan,
                        x: &x[image * x_len..][..x_len],
                        grad_out: &grad_out[image * g_len..][..g_len],
                        first_row,
                        num_rows,
                        input,
                        grad,
                        sums,
                        pitch,
                    };
                    // SAFETY: the level is supported; the buffers have the lengths above.
                    unsafe { level.run(kernel) }
                }
            });
        });
        let (first, others) = sums.split_at_mut(part_len);
        for other in others.chunks_exact(part_len) {
            for (sum, &value) in first.iter_mut().zip(other) {
                *sum += value;
            }
        }
        for (row, sums) in first.chunks_exact(pitch).take(rows - 1).enumerate() {
            let (tap, ci) = (row / s.in_channels, row % s.in_channels);
            for (co, &sum) in sums.iter().enumerate().take(s.out_channels) {
                grad_weight[(co * s.in_channels + ci) * taps + tap] = sum;
            }
        }
        if let Some(grad_bias) = grad_bias {
            grad_bias.copy_from_slice(&first[(rows - 1) * pitch..][..s.out_channels]);
        }
    });
}

/// The gradient of the bias alone, from NCHW as it is.
pub(super) fn bias(s: &Conv2dShape, grad_out: &[f32], grad_bias: &mut [f32]) {
    let plane = (s.out_height() * s.out_width()).max(1);
    let mut sums = vec![0.0f64; s.out_channels];
    for (i, plane) in grad_out.chunks_exact(plane).enumerate() {
        let mut lanes = [0.0f32; 64];
        for chunk in plane.chunks(64) {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += value;
            }
        }
        sums[i % s.out_channels] += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    for (grad, sum) in grad_bias.iter_mut().zip(sums) {
        *grad = sum as f32;
    }
}

/// Some output rows of one image.
struct Strip<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    grad_out: &'a [f32],
    first_row: usize,
    num_rows: usize,
    /// Holds the packed input rows and one line more, because tiles read whole blocks of
    /// channels.
    input: &'a mut [f32],
    /// Holds the packed rows of `grad_out`.
    grad: &'a mut [f32],
    /// `[tap · in_channels + in_channel][pitch]`, then the bias.
    sums: &'a mut [f32],
    pitch: usize,
}

impl Kernel for Strip<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let plan = self.plan;
        let (channels, pitch) = (plan.dst.channels, self.pitch);
        let pixels = self.num_rows * plan.dst.width;
        let plane = plan.dst.height * plan.dst.width;
        let grad = self.grad.as_mut_ptr();
        let sums = self.sums.as_mut_ptr();
        // SAFETY: buffers as documented above.
        unsafe {
            let src = self.grad_out.as_ptr().add(self.first_row * plan.dst.width);
            if channels < V::LANES {
                clear(grad, pixels * pitch);
                for c in 0..channels {
                    for x in 0..pixels {
                        *grad.add(x * pitch + c) = *src.add(c * plane + x);
                    }
                }
            } else {
                pack_row::<V>(src, plane, channels, pixels, grad, pitch);
            }
            let input = plan.pack::<V>(self.x, self.first_row, self.num_rows, self.input);

            let rows = plan.kernel_rows();
            let mut first = 0;
            while first < pitch {
                let (grad, sums) = (grad.add(first), sums.add(first));
                if first + 2 * V::LANES <= pitch {
                    panel::<V, MR, 2>(plan, self.num_rows, input, grad, pitch, sums);
                    first += 2 * V::LANES;
                } else {
                    panel::<V, NARROW_MR, 1>(plan, self.num_rows, input, grad, pitch, sums);
                    first += V::LANES;
                }
            }
            for c in (0..pitch).step_by(V::LANES) {
                let sum = sums.add(rows * pitch + c);
                let mut bias = V::load(sum);
                for x in 0..pixels {
                    bias = bias.add(V::load(grad.add(x * pitch + c)));
                }
                bias.store(sum);
            }
        }
    }
}

/// All taps and input channels for `NV` vectors of output channels.
///
/// # Safety
/// The CPU has `V`; `input` comes from [`Plan::pack`] and the others are parts of the
/// buffers of [`Strip`].
#[inline(always)]
unsafe fn panel<V: Vector, const MR: usize, const NV: usize>(
    plan: &Plan,
    num_rows: usize,
    input: *const f32,
    grad: *const f32,
    pitch: usize,
    sums: *mut f32,
) {
    let step = plan.src_step * plan.src_pitch;
    let width = plan.dst.width;
    for segment in &plan.phases[0].segments {
        for first in (0..segment.depth).step_by(MR) {
            let a = input.wrapping_offset(segment.offset).wrapping_add(first);
            let count = MR.min(segment.depth - first);
            let mut rows = [sums; MR];
            for (i, row) in rows.iter_mut().enumerate() {
                let i = i.min(count - 1);
                *row = sums.wrapping_add((segment.row + first + i) * pitch);
            }
            // SAFETY: the caller's promise; rows past `count` read values that are in the
            // buffer, and are not stored.
            unsafe {
                let mut acc = tile::load::<V, MR, NV>(&rows);
                for y in 0..num_rows {
                    let a = a.wrapping_add(y * plan.src_step * plan.strip_width * plan.src_pitch);
                    let b = grad.add(y * width * pitch);
                    let mut scalars = [a; MR];
                    for (i, scalar) in scalars.iter_mut().enumerate() {
                        *scalar = a.wrapping_add(i);
                    }
                    tile::multiply(width, &scalars, step, b, pitch, &mut acc);
                }
                tile::store(&acc, &rows, count);
            }
        }
    }
}
