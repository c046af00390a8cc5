//! Direct convolution, and the gradient of its input, as sums of small matrix products.
//!
//! A strip of input rows is copied channels-last with its zero border. Each kernel tap is then
//! a matrix product of pixels and weights, and taps that lie side by side in memory are one
//! product. The gradient of the input is the same computation: with stride `s`, the
//! pixels of each remainder modulo `s` form a convolution of `grad_out` with some of the taps.

use super::factors::{FactorKernel, Factors, Format};
use super::layout::{Epilogue, unpack_row};
use super::panels::Panels;
use super::plan::{Phase, Plan};
use super::scratch::{Output, for_each_task, with_scratch};
use super::simd::{Level, Vector};
use super::tile::{self, NARROW_MR};

/// Bytes of weights that stay in the first-level cache while pixels pass by.
const WEIGHT_BLOCK_BYTES: usize = 24 << 10;

/// Computes `dst` from `src` as planned.
///
/// # Panics
/// If a slice or the panels do not fit the plan.
pub(super) fn run<F: Format>(
    plan: &Plan<F>,
    level: Level,
    src: &[f32],
    panels: &Panels,
    epilogue: Epilogue,
    mut dst: Output,
) {
    assert_eq!(src.len(), plan.batch * plan.src.len());
    assert_eq!(dst.len(), plan.batch * plan.dst.len());
    assert_eq!(panels.columns(), plan.dst.channels);
    if dst.is_empty() {
        return;
    }
    let (strips, input_len) = (plan.strips(), plan.strip_len());
    let result_pixels = plan.strip_rows * plan.dst.width + level.lanes();
    let plane = plan.dst.height * plan.dst.width;
    let shared = dst.shared();
    let flops = 2 * (plan.batch * plane * panels.len()) as u64;
    for_each_task(plan.batch * strips, flops, |task| {
        with_scratch(input_len + result_pixels * panels.pitch(), |scratch| {
            let (b, strip) = (task / strips, task % strips);
            let (first_row, num_rows) = plan.rows_of(strip);
            let (input, result) = scratch.split_at_mut(input_len);
            let offset = b * plan.dst.len() + first_row * plan.dst.width;
            let kernel = Strip {
                plan,
                panels,
                src: &src[b * plan.src.len()..][..plan.src.len()],
                // SAFETY: the offset is inside `dst`.
                dst: unsafe { shared.get().add(offset) },
                epilogue: epilogue.at(0, offset),
                first_row,
                num_rows,
                input,
                result,
            };
            // SAFETY: the level is supported; the strips of different tasks are disjoint
            // rows of `dst`; the buffers have the lengths `Strip` asks for.
            unsafe { F::run(level, kernel) }
        });
    });
}

/// Some output rows of one image; `dst` points at their first element in channel 0.
struct Strip<'a, F> {
    plan: &'a Plan<F>,
    panels: &'a Panels,
    src: &'a [f32],
    dst: *mut f32,
    epilogue: Epilogue,
    first_row: usize,
    num_rows: usize,
    /// Holds the packed input rows.
    input: &'a mut [f32],
    /// Holds the result channels-last, and one vector of pixels more.
    result: &'a mut [f32],
}

impl<F: Format> FactorKernel<F> for Strip<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        let plan = self.plan;
        let result = self.result.as_mut_ptr();
        // SAFETY: buffers as documented above; `pack` fills every pixel that a tap reads.
        unsafe {
            let input = &mut *self.input;
            let input = plan.pack::<V>(self.src, self.first_row, self.num_rows, input);
            for phase in &plan.phases {
                for (first, vectors, panel) in self.panels.iter() {
                    let result = result.add(first);
                    if vectors == 2 {
                        self.multiply::<V, MR, 2>(phase, input, panel, result);
                    } else {
                        self.multiply::<V, NARROW_MR, 1>(phase, input, panel, result);
                    }
                }
            }
            unpack_row::<V>(
                result,
                self.panels.pitch(),
                plan.dst.channels,
                self.num_rows * plan.dst.width,
                self.dst,
                plan.dst.height * plan.dst.width,
                self.epilogue,
            );
        }
    }
}

impl<F: Format> Strip<'_, F> {
    /// One panel for all pixels of a phase.
    ///
    /// # Safety
    /// The CPU has `V`; `input` comes from [`Plan::pack`].
    #[inline(always)]
    unsafe fn multiply<V: Vector, const MR: usize, const NV: usize>(
        &self,
        phase: &Phase,
        input: *const f32,
        panel: &[f32],
        result: *mut f32,
    ) where
        F: Factors<V>,
    {
        let plan = self.plan;
        let pitch = self.panels.pitch();
        let width = NV * V::LANES;
        let count = |size: usize, first| size.saturating_sub(first).div_ceil(plan.dst_step);
        let columns = count(plan.dst.width, phase.first_column);
        let pixels = columns * count(self.num_rows, phase.first_row);
        let mut begin = 0;
        loop {
            let mut end = begin;
            let mut bytes = 0;
            while end < phase.segments.len() {
                bytes += 4 * width * phase.segments[end].depth;
                if end > begin && bytes > WEIGHT_BLOCK_BYTES {
                    break;
                }
                end += 1;
            }
            let segments = &phase.segments[begin..end];
            for first in (0..pixels).step_by(MR) {
                // Rows past the end repeat the last pixel; they are not stored.
                let mut src = [input; MR];
                let mut dst = [result; MR];
                let mut pixel = first;
                let (mut y, mut x) = (first / columns, first % columns);
                for i in 0..MR {
                    let from = plan.src_step * (y * plan.strip_width + x) * plan.src_pitch;
                    src[i] = input.wrapping_add(from);
                    let row = phase.first_row + plan.dst_step * y;
                    let column = phase.first_column + plan.dst_step * x;
                    // SAFETY: the pixel lies in the strip.
                    dst[i] = unsafe { result.add((row * plan.dst.width + column) * pitch) };
                    if pixel + 1 < pixels {
                        pixel += 1;
                        x += 1;
                        if x == columns {
                            (y, x) = (y + 1, 0);
                        }
                    }
                }
                // SAFETY: segments of valid pixels stay inside the packed strip and the panel.
                unsafe {
                    let mut acc = if begin == 0 {
                        tile::zeros::<V, MR, NV>()
                    } else {
                        tile::load::<V, MR, NV>(&dst)
                    };
                    for segment in segments {
                        let mut a = src;
                        for a in &mut a {
                            *a = a.wrapping_offset(segment.offset);
                        }
                        let b = panel.as_ptr().add(segment.row * width);
                        tile::multiply_as::<F, _, _, _>(segment.depth, &a, 1, b, width, &mut acc);
                    }
                    tile::store(&acc, &dst, MR.min(pixels - first));
                }
            }
            begin = end;
            if begin >= phase.segments.len() {
                break;
            }
        }
    }
}
