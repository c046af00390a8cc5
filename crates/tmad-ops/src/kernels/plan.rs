//! What a convolution, or the gradient of its input, reads and writes: strips of packed rows
//! and, for every output pixel, the taps as products of contiguous memory.

use super::factors::{Factors, Format};
use super::layout::{channel_pitch, clear, pack_row};
use super::scratch::LINE;
use super::shape::Conv2dShape;
use super::simd::{Level, Vector};
use std::marker::PhantomData;

/// Rows of weights beyond which taps are not joined: longer ones would not stay in the
/// first-level cache while pixels pass by.
const MAX_SEGMENT: usize = 192;
/// Bytes of the packed input of one strip, which sits in the second-level cache.
const STRIP_BYTES: usize = 192 << 10;
/// Strips to aim for where the picture allows, so that threads can share the work.
const MIN_STRIPS: usize = 8;

/// Outputs `first + dst_step·t` along one axis read the inputs `src_step·t + offset`.
struct AxisPhase {
    first: usize,
    /// Tap index and offset.
    taps: Vec<(usize, isize)>,
}

/// One product: `depth` rows of slots of the panels from `row` on with the pixels at `offset`.
pub(super) struct Segment {
    pub(super) row: usize,
    pub(super) depth: usize,
    pub(super) offset: isize,
}

/// A set of output pixels that use the same taps.
pub(super) struct Phase {
    pub(super) first_row: usize,
    pub(super) first_column: usize,
    pub(super) segments: Vec<Segment>,
}

/// A convolution or an input gradient, reduced to what the strips need: with factors of the format
/// `F`, in whose slots pitches, offsets and depths are counted.
pub(super) struct Plan<F> {
    format: PhantomData<F>,
    pub(super) batch: usize,
    pub(super) src: Map,
    pub(super) dst: Map,
    pub(super) src_step: usize,
    pub(super) dst_step: usize,
    kernel: usize,
    /// Range of the row offsets over all taps.
    pub(super) offsets: (isize, isize),
    /// Columns of the packed strip, and zeros before its first pixel.
    pub(super) strip_width: usize,
    pub(super) left: usize,
    pub(super) src_pitch: usize,
    /// Channels between two pixels, as they are packed at first.
    channel_pitch: usize,
    pub(super) strip_rows: usize,
    pub(super) phases: Vec<Phase>,
}

/// Sizes of one image.
#[derive(Clone, Copy)]
pub(super) struct Map {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Map {
    pub(super) fn len(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl<F: Format> Plan<F> {
    /// `out = conv(x, weight)`, for [`WeightLayout::forward`](super::panels::WeightLayout::forward).
    pub(super) fn forward(s: &Conv2dShape, level: Level) -> Self {
        let taps = (0..s.kernel).map(|k| (k, (k * s.dilation) as isize - s.padding as isize));
        let axis = vec![AxisPhase {
            first: 0,
            taps: taps.collect(),
        }];
        let (x, out) = maps(s);
        Self::new(s.batch, x, out, s.stride, 1, axis, s.kernel, level)
    }

    /// `grad_in = convᵀ(grad_out, weight)`, for [`WeightLayout::turned`](super::panels::WeightLayout::turned).
    pub(super) fn backward_input(s: &Conv2dShape, level: Level) -> Self {
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
        let channel_pitch = channel_pitch(src.channels, level.lanes());
        let src_pitch = F::slots(channel_pitch);
        let depth = F::slots(src.channels);

        let mut phases = Vec::new();
        for rows in &axis {
            for columns in &axis {
                let mut segments: Vec<Segment> = Vec::new();
                for &(ky, oy) in &rows.taps {
                    for &(kx, ox) in &columns.taps {
                        let row = (ky * kernel + kx) * depth;
                        let pixel = oy * strip_width as isize + ox + left as isize;
                        let offset = pixel * src_pitch as isize;
                        match segments.last_mut() {
                            Some(last)
                                if last.row + last.depth == row
                                    && last.depth + depth <= MAX_SEGMENT
                                    && last.offset + last.depth as isize == offset =>
                            {
                                last.depth += depth;
                            }
                            _ => segments.push(Segment { row, depth, offset }),
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
            format: PhantomData,
            batch,
            src,
            dst,
            src_step,
            dst_step,
            kernel,
            offsets,
            strip_width,
            left,
            src_pitch,
            channel_pitch,
            strip_rows,
            phases,
        }
    }

    /// Rows of the panels: taps times slots of the source's channels.
    pub(super) fn kernel_rows(&self) -> usize {
        self.kernel * self.kernel * F::slots(self.src.channels)
    }

    /// Strips of one image.
    pub(super) fn strips(&self) -> usize {
        self.dst.height.div_ceil(self.strip_rows)
    }

    /// Output rows of a strip of one image: the first one and how many.
    pub(super) fn rows_of(&self, strip: usize) -> (usize, usize) {
        let first = strip * self.strip_rows;
        (first, self.strip_rows.min(self.dst.height - first))
    }

    /// Slots of a packed strip, and behind them what packing a row takes.
    pub(super) fn strip_len(&self) -> usize {
        let rows = self.max_rows() * self.strip_width * self.src_pitch;
        rows.next_multiple_of(LINE) + self.spare_len()
    }

    /// Input rows of a strip at most.
    pub(super) fn max_rows(&self) -> usize {
        self.src_step * self.strip_rows.div_ceil(self.dst_step)
            + (self.offsets.1 - self.offsets.0) as usize
    }

    fn spare_len(&self) -> usize {
        match F::PER_SLOT {
            1 => 0,
            _ => (self.src.width * self.channel_pitch).next_multiple_of(LINE),
        }
    }

    /// Packs the rows of one image that a strip of output rows reads. Returns where the row
    /// of offset 0 starts, perhaps before the buffer: segments are relative to it.
    ///
    /// # Safety
    /// The CPU has `V`.
    #[inline(always)]
    pub(super) unsafe fn pack<V: Vector>(
        &self,
        src: &[f32],
        first_row: usize,
        num_rows: usize,
        input: &mut [f32],
    ) -> *const f32
    where
        F: Factors<V>,
    {
        let (low, high) = self.offsets;
        let start = self.src_step * (first_row / self.dst_step);
        let steps = num_rows.div_ceil(self.dst_step);
        let num_rows = self.src_step * (steps - 1) + (high - low) as usize + 1;
        let row_len = self.strip_width * self.src_pitch;
        assert!(num_rows * row_len + self.spare_len() <= input.len());
        let spare = input.len() - self.spare_len();
        assert_eq!(src.len(), self.src.len());
        let plane = self.src.height * self.src.width;
        let input = input.as_mut_ptr();
        for i in 0..num_rows {
            let y = (start + i) as isize + low;
            // SAFETY: the assertions above; rows outside the image are not read.
            unsafe {
                let row = input.add(i * row_len);
                if y < 0 || y >= self.src.height as isize {
                    clear(row, row_len);
                    continue;
                }
                let left = self.left * self.src_pitch;
                let body = self.src.width * self.src_pitch;
                clear(row, left);
                let packed = match F::PER_SLOT {
                    1 => row.add(left),
                    _ => input.add(spare),
                };
                pack_row::<V>(
                    src.as_ptr().add(y as usize * self.src.width),
                    plane,
                    self.src.channels,
                    self.src.width,
                    packed,
                    self.channel_pitch,
                );
                if F::PER_SLOT > 1 {
                    for i in (0..self.src.width * self.channel_pitch).step_by(V::LANES) {
                        F::store_along(V::load(packed.add(i)), row.add(left), i);
                    }
                }
                clear(row.add(left + body), row_len - left - body);
            }
        }
        input.wrapping_offset(-low * row_len as isize)
    }
}

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
