//! Gradients of weight and bias: products of the packed input and `grad_out`, summed over
//! pixels.
//!
//! The pixels are cut into parts, whose number depends on the shape only. Each part is summed
//! in order by one task, and the parts are added in order, so that the number of threads does
//! not change the result.

use super::factors::{FactorKernel, Factors, Format, Whole};
use super::layout::{clear, pack_row};
use super::plan::Plan;
use super::scratch::{LINE, SharedMut, for_each_task, with_scratch};
use super::shape::Conv2dShape;
use super::simd::{Level, Vector};
use super::tile::{self, NARROW_MR};
use std::marker::PhantomData;

/// Parts at most, and pixels for which another part pays for its own copy of the weight.
const MAX_PARTS: usize = 16;
const PIXELS_PER_PART: usize = 512;

/// Fills `grad_weight` and `grad_bias`, whose lengths the caller has checked.
pub(super) fn run<F: Format>(
    s: &Conv2dShape,
    level: Level,
    x: &[f32],
    grad_out: &[f32],
    grad_weight: &mut [f32],
    grad_bias: Option<&mut [f32]>,
) {
    assert_eq!(x.len(), s.input_len());
    assert_eq!(grad_out.len(), s.output_len());
    let plan = Plan::<Whole>::forward(s, level);
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
            // A line more, because tiles read whole blocks of channels.
            let [joined_input_len, joined_grad_len] = match F::PER_SLOT {
                1 => [0; 2],
                _ => {
                    let pixels = F::slots(plan.dst.width);
                    let rows = s.kernel * plan.max_rows();
                    [
                        rows * pixels * plan.src_pitch + LINE,
                        plan.strip_rows * pixels * pitch,
                    ]
                }
            };
            let lens = [input_len, grad_len, joined_input_len];
            let total = lens.iter().sum::<usize>() + joined_grad_len;
            with_scratch(total, |scratch| {
                let (input, scratch) = scratch.split_at_mut(input_len);
                let (grad, scratch) = scratch.split_at_mut(grad_len);
                let (joined_input, joined_grad) = scratch.split_at_mut(joined_input_len);
                for strip in part * strips / parts..(part + 1) * strips / parts {
                    let (image, strip) = (strip / plan.strips(), strip % plan.strips());
                    let (first_row, num_rows) = plan.rows_of(strip);
                    let (x_len, g_len) = (plan.src.len(), plan.dst.len());
                    let kernel = Strip::<F> {
                        format: PhantomData,
                        shape: s,
                        plan: &plan,
                        x: &x[image * x_len..][..x_len],
                        grad_out: &grad_out[image * g_len..][..g_len],
                        first_row,
                        num_rows,
                        input,
                        grad,
                        joined_input,
                        joined_grad,
                        sums,
                        pitch,
                    };
                    // SAFETY: the level is supported; the buffers have the lengths above.
                    unsafe { F::run(level, kernel) }
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
    let shared = SharedMut::new(grad_bias);
    for_each_task(s.out_channels, grad_out.len() as u64, |channel| {
        let mut sum = 0.0f64;
        let planes = grad_out.chunks_exact(plane);
        for plane in planes.skip(channel).step_by(s.out_channels) {
            let mut lanes = [0.0f32; 64];
            for chunk in plane.chunks(64) {
                for (lane, &value) in lanes.iter_mut().zip(chunk) {
                    *lane += value;
                }
            }
            sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        }
        // SAFETY: inside the slice; only this task writes this channel.
        unsafe { *shared.get().add(channel) = sum as f32 };
    });
}

/// Some output rows of one image.
struct Strip<'a, F> {
    format: PhantomData<F>,
    shape: &'a Conv2dShape,
    plan: &'a Plan<Whole>,
    x: &'a [f32],
    grad_out: &'a [f32],
    first_row: usize,
    num_rows: usize,
    /// Holds the packed input rows and one line more, because tiles read whole blocks of
    /// channels.
    input: &'a mut [f32],
    /// Holds the packed rows of `grad_out`.
    grad: &'a mut [f32],
    /// Where factors share slots: for every column of the kernel the pixels under it, those of
    /// neighbouring outputs in a slot, `[kx][input row][slot][pitch]`.
    joined_input: &'a mut [f32],
    /// As much of `grad_out`, `[row][slot][pitch]`.
    joined_grad: &'a mut [f32],
    /// `[tap · in_channels + in_channel][pitch]`, then the bias.
    sums: &'a mut [f32],
    pitch: usize,
}

impl<F: Format> FactorKernel<F> for Strip<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
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
            if F::PER_SLOT > 1 {
                self.join::<V>(input);
            }
            while first < pitch {
                if F::PER_SLOT > 1 {
                    if first + 2 * V::LANES <= pitch {
                        self.joined_panel::<V, MR, 2>(first);
                        first += 2 * V::LANES;
                    } else {
                        self.joined_panel::<V, NARROW_MR, 1>(first);
                        first += V::LANES;
                    }
                    continue;
                }
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

impl<F: Format> Strip<'_, F> {
    /// Rows of the packed input.
    fn input_rows(&self) -> usize {
        let (low, high) = self.plan.offsets;
        self.plan.src_step * (self.num_rows - 1) + (high - low) as usize + 1
    }

    /// Joins the pixels that share slots.
    ///
    /// # Safety
    /// The CPU has `V`; `input` comes from [`Plan::pack`], and `grad` is packed.
    #[inline(always)]
    unsafe fn join<V: Vector>(&self, input: *const f32)
    where
        F: Factors<V>,
    {
        let (plan, s) = (self.plan, self.shape);
        let (width, slots) = (plan.dst.width, F::slots(plan.dst.width));
        let joined = self.joined_input.as_ptr().cast_mut();
        // SAFETY: buffers as computed in `run`; pixels past the row's end are not read.
        unsafe {
            let first_row =
                input.offset(plan.offsets.0 * (plan.strip_width * plan.src_pitch) as isize);
            let num_rows = self.input_rows();
            for kx in 0..s.kernel {
                for y in 0..num_rows {
                    let column = plan.left + kx * s.dilation - s.padding;
                    let row = first_row.add((y * plan.strip_width + column) * plan.src_pitch);
                    let step = plan.src_step * plan.src_pitch;
                    let dst = joined.add((kx * num_rows + y) * slots * plan.src_pitch);
                    join_row::<V, F>(row, step, width, plan.src_pitch, dst);
                }
            }
            for y in 0..self.num_rows {
                let row = self.grad.as_ptr().add(y * width * self.pitch);
                let dst = self
                    .joined_grad
                    .as_ptr()
                    .cast_mut()
                    .add(y * slots * self.pitch);
                join_row::<V, F>(row, self.pitch, width, self.pitch, dst);
            }
        }
    }

    /// [`panel`] from joined pixels, for the output channels from `first` on.
    ///
    /// # Safety
    /// The CPU has `V`; the pixels are joined.
    #[inline(always)]
    unsafe fn joined_panel<V: Vector, const MR: usize, const NV: usize>(&self, first: usize)
    where
        F: Factors<V>,
    {
        let (plan, s) = (self.plan, self.shape);
        let (channels, pitch) = (s.in_channels, self.pitch);
        let row_len = F::slots(plan.dst.width) * plan.src_pitch;
        let grad_row_len = F::slots(plan.dst.width) * pitch;
        let num_rows = self.input_rows();
        for tap in 0..s.kernel * s.kernel {
            let (ky, kx) = (tap / s.kernel, tap % s.kernel);
            for channel in (0..channels).step_by(MR) {
                let count = MR.min(channels - channel);
                // SAFETY: buffers as computed in `run`; scalars past the last channel are in the
                // buffer, and their sums are not stored.
                unsafe {
                    let sums = self.sums.as_ptr().cast_mut().add(first);
                    let mut rows = [sums; MR];
                    for (i, row) in rows.iter_mut().enumerate() {
                        let row_index = tap * channels + channel + i.min(count - 1);
                        *row = sums.add(row_index * pitch);
                    }
                    let input = self.joined_input.as_ptr().add(channel);
                    let grad = self.joined_grad.as_ptr().add(first);
                    let mut acc = tile::load::<V, MR, NV>(&rows);
                    // Rows that follow each other in both buffers are one sum.
                    let (steps, depth) = match plan.src_step {
                        1 => (1, self.num_rows),
                        _ => (self.num_rows, 1),
                    };
                    for y in 0..steps {
                        let row = kx * num_rows + y * plan.src_step + ky * s.dilation;
                        let mut a = [input.add(row * row_len); MR];
                        for (i, a) in a.iter_mut().enumerate() {
                            *a = a.wrapping_add(i);
                        }
                        let b = grad.add(y * grad_row_len);
                        let depth = depth * F::slots(plan.dst.width);
                        let step = plan.src_pitch;
                        tile::multiply_as::<F, _, _, _>(depth, &a, step, b, pitch, &mut acc);
                    }
                    tile::store(&acc, &rows, count);
                }
            }
        }
    }
}

/// Joins `width` pixels that lie `step` apart, with `pitch` channels each.
///
/// # Safety
/// The CPU has `V`; `src` is readable for the pixels, `dst` writable for their slots.
#[inline(always)]
unsafe fn join_row<V: Vector, F: Factors<V>>(
    src: *const f32,
    step: usize,
    width: usize,
    pitch: usize,
    dst: *mut f32,
) {
    for slot in 0..F::slots(width) {
        for n in 0..F::PER_SLOT {
            let x = slot * F::PER_SLOT + n;
            for c in (0..pitch).step_by(V::LANES) {
                // SAFETY: the caller's promise; missing pixels are 0.
                unsafe {
                    let value = if x < width {
                        V::load(src.add(x * step + c))
                    } else {
                        V::splat(0.0)
                    };
                    F::store_across(value, dst.add(slot * pitch + c), n);
                }
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
    plan: &Plan<Whole>,
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
