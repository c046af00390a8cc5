//! Direct convolution, and the gradient of its input, as sums of small matrix products.
//!
//! A strip of input rows is copied channels-last with its zero border. Each kernel tap is then
//! a matrix product of pixels and weights, and taps that lie side by side in memory are one
//! product. The gradient of the input is the same computation: with stride `s`, the
//! pixels of each remainder modulo `s` form a convolution of `grad_out` with some of the taps.

use super::layout::{Epilogue, channel_pitch, clear, pack_row, unpack_row};
use super::panels::Panels;
use super::scratch::{SharedMut, for_each_task, with_scratch};
use super::shape::Conv2dShape;
use super::simd::{Kernel, Level, Vector};
use super::tile;

/// Bytes of weights that stay in the first-level cache while pixels pass by.
const WEIGHT_BLOCK_BYTES: usize = 24 << 10;
/// Rows of weights beyond which taps are not joined, for the same reason.
const MAX_SEGMENT: usize = 192;
/// Bytes of the packed input and of the result of one strip; both sit in the second level.
const STRIP_BYTES: usize = 192 << 10;
/// Strips to aim for where the picture allows, so that threads can share the work.
const MIN_STRIPS: usize = 8;

/// Outputs `first + dst_step·t` along one axis read the inputs `src_step·t + offset`.
struct AxisPhase {
    first: usize,
    /// Tap index and offset.
    taps: Vec<(usize, isize)>,
}

/// One product: `depth` rows of the panels from `row` on with the pixels at `offset`.
struct Segment {
    row: usize,
    depth: usize,
    offset: isize,
}

/// A set of output pixels that use the same taps.
struct Phase {
    first_row: usize,
    first_column: usize,
    segments: Vec<Segment>,
}

/// A convolution or an input gradient, reduced to what the strips need.
pub(crate) struct Plan {
    batch: usize,
    src: Map,
    dst: Map,
    src_step: usize,
    dst_step: usize,
    /// Range of the row offsets over all taps.
    offsets: (isize, isize),
    /// Columns of the packed strip, and zeros before its first pixel.
    strip_width: usize,
    left: usize,
    src_pitch: usize,
    strip_rows: usize,
    phases: Vec<Phase>,
}

/// Sizes of one image.
#[derive(Clone, Copy)]
struct Map {
    channels: usize,
    height: usize,
    width: usize,
}

impl Map {
    fn len(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl Plan {
    /// `out = conv(x, weight)`, for [`Panels::forward`].
    pub(crate) fn forward(s: &Conv2dShape, level: Level) -> Self {
        let taps = (0..s.kernel).map(|k| (k, (k * s.dilation) as isize - s.padding as isize));
        let axis = vec![AxisPhase {
            first: 0,
            taps: taps.collect(),
        }];
        let (x, out) = maps(s);
        Self::new(s.batch, x, out, s.stride, 1, axis, s.kernel, level)
    }

    /// `grad_in = convᵀ(grad_out, weight)`, for [`Panels::turned`].
    pub(crate) fn backward_input(s: &Conv2dShape, level: Level) -> Self {
        let axis = (0..s.stride).map(|first| {
            let taps = (0..s.kernel).filter_map(|k| {
                let tap = (s.kernel - 1 - k) * s.dilation;
                let position = (first + s.padding) as isize - tap as isize;
                let stride = s.stride as isize;
                (position % stride == 0).then_some((k, position / stride))
            });
            AxisPhase {
                first,
                taps: taps.collect(),
            }
        });
        let (x, out) = maps(s);
        Self::new(
            s.batch,
            out,
            x,
            1,
            s.stride,
            axis.collect(),
            s.kernel,
            level,
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn new(
        batch: usize,
        src: Map,
        dst: Map,
        src_step: usize,
        dst_step: usize,
        axis: Vec<AxisPhase>,
        kernel: usize,
        level: Level,
    ) -> Self {
        let all = || {
            axis.iter()
                .flat_map(|phase| phase.taps.iter().map(|tap| tap.1))
        };
        let (low, high) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        let left = (-low).max(0) as usize;
        let steps = dst.width.div_ceil(dst_step);
        let end = (src_step * steps.saturating_sub(1)) as isize + high + 1;
        let strip_width = left + src.width.max(end.max(0) as usize);
        let src_pitch = channel_pitch(src.channels, level.lanes());

        let mut phases = Vec::new();
        for rows in &axis {
            for columns in &axis {
                let mut segments: Vec<Segment> = Vec::new();
                for &(ky, oy) in &rows.taps {
                    for &(kx, ox) in &columns.taps {
                        let row = (ky * kernel + kx) * src.channels;
                        let pixel = oy * strip_width as isize + ox + left as isize;
                        let offset = pixel * src_pitch as isize;
                        match segments.last_mut() {
                            Some(last)
                                if last.row + last.depth == row
                                    && last.depth + src.channels <= MAX_SEGMENT
                                    && last.offset + last.depth as isize == offset =>
                            {
                                last.depth += src.channels;
                            }
                            _ => segments.push(Segment {
                                row,
                                depth: src.channels,
                                offset,
                            }),
                        }
                    }
                }
                let (first_row, first_column) = (rows.first, columns.first);
                phases.push(Phase {
                    first_row,
                    first_column,
                    segments,
                });
            }
        }

        let row_bytes = 4 * (src_step * strip_width * src_pitch).div_ceil(dst_step);
        let row_bytes = row_bytes.max(4 * dst.width * dst.channels).max(1);
        let strip_rows = (STRIP_BYTES / row_bytes).min((batch * dst.height).div_ceil(MIN_STRIPS));
        let strip_rows = strip_rows.min(dst.height).max(1).next_multiple_of(dst_step);
        let offsets = (low, high);
        Self {
            batch,
            src,
            dst,
            src_step,
            dst_step,
            offsets,
            strip_width,
            left,
            src_pitch,
            strip_rows,
            phases,
        }
    }

    /// Computes `dst` from `src`.
    ///
    /// # Panics
    /// If a slice or the panels do not fit the plan.
    pub(crate) fn run(
        &self,
        level: Level,
        src: &[f32],
        panels: &Panels,
        epilogue: Epilogue,
        dst: &mut [f32],
    ) {
        assert_eq!(src.len(), self.batch * self.src.len());
        assert_eq!(dst.len(), self.batch * self.dst.len());
        if dst.is_empty() {
            return;
        }
        let strips = self.dst.height.div_ceil(self.strip_rows);
        let input_rows = self.src_step * self.strip_rows.div_ceil(self.dst_step)
            + (self.offsets.1 - self.offsets.0) as usize;
        let input_len = input_rows * self.strip_width * self.src_pitch;
        let result_pixels = self.strip_rows * self.dst.width + level.lanes();
        let plane = self.dst.height * self.dst.width;
        let shared = SharedMut::new(dst);
        let flops = 2 * (self.batch * plane * panels.len()) as u64;
        for_each_task(self.batch * strips, flops, |task| {
            with_scratch(
                input_len + LINE_SLACK + result_pixels * panels.pitch(),
                |scratch| {
                    let (b, strip) = (task / strips, task % strips);
                    let first_row = strip * self.strip_rows;
                    let (input, result) =
                        scratch.split_at_mut(input_len.next_multiple_of(LINE_SLACK));
                    let offset = b * self.dst.len() + first_row * self.dst.width;
                    let kernel = Strip {
                        plan: self,
                        panels,
                        src: &src[b * self.src.len()..][..self.src.len()],
                        // SAFETY: the offset is inside `dst`.
                        dst: unsafe { shared.get().add(offset) },
                        epilogue: epilogue.at(0, offset),
                        first_row,
                        num_rows: self.strip_rows.min(self.dst.height - first_row),
                        input,
                        result,
                    };
                    // SAFETY: the level is supported; the strips of different tasks are disjoint
                    // rows of `dst`; the buffers have the lengths `Strip` asks for.
                    unsafe { level.run(kernel) }
                },
            );
        });
    }
}

/// Keeps the second half of a strip's scratch aligned to a cache line.
const LINE_SLACK: usize = super::scratch::LINE;

fn maps(s: &Conv2dShape) -> (Map, Map) {
    (
        Map {
            channels: s.in_channels,
            height: s.height,
            width: s.width,
        },
        Map {
            channels: s.out_channels,
            height: s.out_height(),
            width: s.out_width(),
        },
    )
}

/// Some output rows of one image; `dst` points at their first element in channel 0.
struct Strip<'a> {
    plan: &'a Plan,
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

impl Kernel for Strip<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let plan = self.plan;
        let result = self.result.as_mut_ptr();
        // SAFETY: buffers as documented above; `pack` fills every pixel that a tap reads.
        unsafe {
            let input = self.pack::<V>();
            for phase in &plan.phases {
                for (first, vectors, panel) in self.panels.iter() {
                    let result = result.add(first);
                    if vectors == 2 {
                        self.multiply::<V, MR, 2>(phase, input, panel, result);
                    } else {
                        self.multiply::<V, MR, 1>(phase, input, panel, result);
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

impl Strip<'_> {
    /// Fills `input` and returns where the row of offset 0 starts, perhaps before the buffer.
    ///
    /// # Safety
    /// The CPU has `V`.
    #[inline(always)]
    unsafe fn pack<V: Vector>(&self) -> *const f32 {
        let plan = self.plan;
        let (low, high) = plan.offsets;
        let start = plan.src_step * (self.first_row / plan.dst_step);
        let steps = self.num_rows.div_ceil(plan.dst_step);
        let num_rows = plan.src_step * (steps - 1) + (high - low) as usize + 1;
        let row_len = plan.strip_width * plan.src_pitch;
        assert!(num_rows * row_len <= self.input.len());
        let plane = plan.src.height * plan.src.width;
        let input = self.input.as_ptr().cast_mut();
        for i in 0..num_rows {
            let y = (start + i) as isize + low;
            // SAFETY: the assertion above; rows outside the image are not read.
            unsafe {
                let row = input.add(i * row_len);
                if y < 0 || y >= plan.src.height as isize {
                    clear(row, row_len);
                    continue;
                }
                let left = plan.left * plan.src_pitch;
                let body = plan.src.width * plan.src_pitch;
                clear(row, left);
                pack_row::<V>(
                    self.src.as_ptr().add(y as usize * plan.src.width),
                    plane,
                    plan.src.channels,
                    plan.src.width,
                    row.add(left),
                    plan.src_pitch,
                );
                clear(row.add(left + body), row_len - left - body);
            }
        }
        self.input.as_ptr().wrapping_offset(-low * row_len as isize)
    }

    /// One panel for all pixels of a phase.
    ///
    /// # Safety
    /// The CPU has `V`; `input` comes from [`Strip::pack`].
    #[inline(always)]
    unsafe fn multiply<V: Vector, const MR: usize, const NV: usize>(
        &self,
        phase: &Phase,
        input: *const f32,
        panel: &[f32],
        result: *mut f32,
    ) {
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
                        tile::multiply(segment.depth, &a, 1, b, width, &mut acc);
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
