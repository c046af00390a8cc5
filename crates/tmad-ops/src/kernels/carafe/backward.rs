//! Gradients of the reassembly, as sums that gather: no two tasks write the same place.

use super::super::layout::clear;
use super::super::scratch::{SharedMut, for_each_task, with_scratch};
use super::super::shape::{CARAFE_TAPS, CarafeShape, check_len};
use super::super::simd::{Kernel, Level, Vector};
use super::SIDE;
use super::rows::{PAD, Rows, store_interleaved};

/// Input rows of one task; more than forwards, because the four rows around are packed too.
const STRIP: usize = 8;
/// Channels that are packed at a time, so that they stay in the second-level cache.
const GROUP: usize = 8;

/// Gradients of [`carafe`](fn@super::carafe) with respect to its input and kernels; both are
/// overwritten.
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
    if shape.kernels_len() == 0 {
        return;
    }
    let level = Level::current();
    let strips = shape.height.div_ceil(STRIP);
    let rows = Rows::new(shape, level);
    let lens = [
        2 * CARAFE_TAPS * 2 * (STRIP + 4),
        2 * CARAFE_TAPS * 2 * STRIP,
        GROUP * 2 * 2 * (STRIP + 4),
        GROUP * (STRIP + 4),
    ]
    .map(|rows_of| rows_of * rows.pitch);
    let (grad_x, grad_kernels) = (SharedMut::new(grad_x), SharedMut::new(grad_kernels));
    for_each_task(shape.batch * strips, 2 * shape.flops(), |task| {
        with_scratch(lens.iter().sum(), |scratch| {
            let (packed_kernels, scratch) = scratch.split_at_mut(lens[0]);
            let (sums, scratch) = scratch.split_at_mut(lens[1]);
            let (packed_grad, packed_x) = scratch.split_at_mut(lens[2]);
            let kernel = Strip {
                shape,
                rows,
                x,
                kernels,
                grad_out,
                grad_x: grad_x.get(),
                grad_kernels: grad_kernels.get(),
                image: task / strips,
                first_row: task % strips * STRIP,
                packed_kernels,
                sums,
                packed_grad,
                packed_x,
            };
            // SAFETY: the level is supported; tasks write different rows of both gradients;
            // the buffers have the lengths above.
            unsafe { level.run(kernel) }
        });
    });
}

/// Some rows of one image.
struct Strip<'a> {
    shape: &'a CarafeShape,
    rows: Rows,
    x: &'a [f32],
    kernels: &'a [f32],
    grad_out: &'a [f32],
    grad_x: *mut f32,
    grad_kernels: *mut f32,
    image: usize,
    first_row: usize,
    /// `[output row, four more on each side][tap][column parity][pitch]`.
    packed_kernels: &'a mut [f32],
    /// Gradient of the kernels, `[output row][tap][column parity][pitch]`.
    sums: &'a mut [f32],
    /// `[channel][output row, four more on each side][column parity][pitch]`.
    packed_grad: &'a mut [f32],
    /// `[channel][input row, two more on each side][pitch]`.
    packed_x: &'a mut [f32],
}

/// Padded rows of one channel in `packed_grad`.
const GRAD_ROWS: usize = 2 * 2 * (STRIP + 4);

impl Kernel for Strip<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let (s, rows) = (self.shape, self.rows);
        let pitch = rows.pitch;
        let num_rows = STRIP.min(s.height - self.first_row);
        let first = self.first_row as isize;
        let (kernels, sums) = (self.packed_kernels.as_mut_ptr(), self.sums.as_mut_ptr());
        let (grad, x) = (self.packed_grad.as_mut_ptr(), self.packed_x.as_mut_ptr());
        // SAFETY: the buffers hold `num_rows ≤ STRIP` rows and those around them, for up to
        // `GROUP` channels; stores stop at the borders of the gradients.
        unsafe {
            clear(sums, 2 * num_rows * CARAFE_TAPS * 2 * pitch);
            for y in 0..2 * (num_rows + 4) {
                let row = kernels.add(y * CARAFE_TAPS * 2 * pitch);
                rows.split_kernels::<V>(self.kernels, self.image, 2 * first - 4 + y as isize, row);
            }
            for group in (0..s.channels).step_by(GROUP) {
                let count = GROUP.min(s.channels - group);
                for c in 0..count {
                    let plane = rows.plane(self.image, group + c);
                    for y in 0..2 * (num_rows + 4) {
                        let row = grad.add((c * GRAD_ROWS + 2 * y) * pitch);
                        let y = 2 * first - 4 + y as isize;
                        rows.split_output::<V>(self.grad_out, plane, y, row);
                    }
                    for y in 0..num_rows + 4 {
                        let row = x.add((c * (STRIP + 4) + y) * pitch);
                        rows.copy_input::<V>(self.x, plane, first + y as isize - 2, row);
                    }
                }
                for y in 0..num_rows {
                    for j in (0..s.width).step_by(V::LANES) {
                        let mut c = 0;
                        while c < count {
                            if c + 4 <= count {
                                self.input_tile::<V, 4>(y, j, c, group);
                                c += 4;
                            } else {
                                self.input_tile::<V, 1>(y, j, c, group);
                                c += 1;
                            }
                        }
                    }
                    self.kernel_row::<V>(2 * y, count);
                    self.kernel_row::<V>(2 * y + 1, count);
                }
            }
            for y in 0..2 * num_rows {
                for tap in 0..CARAFE_TAPS {
                    let sum = sums.add((y * CARAFE_TAPS + tap) * 2 * pitch);
                    let row = (self.image * CARAFE_TAPS + tap) * 2 * s.height;
                    let dst = (row + 2 * self.first_row + y) * 2 * s.width;
                    for j in (0..s.width).step_by(V::LANES) {
                        let (even, odd) = (V::load(sum.add(j)), V::load(sum.add(pitch + j)));
                        let dst = self.grad_kernels.add(dst + 2 * j);
                        store_interleaved(even, odd, dst, s.width - j);
                    }
                }
            }
        }
    }
}

impl Strip<'_> {
    /// The gradient of one vector of input pixels from column `j` of row `y` on, for `N`
    /// channels: every output that read it, times the
    /// kernel with which it did.
    ///
    /// # Safety
    /// The CPU has `V`; the buffers are packed.
    #[inline(always)]
    unsafe fn input_tile<V: Vector, const N: usize>(
        &self,
        y: usize,
        j: usize,
        channel: usize,
        group: usize,
    ) {
        let s = self.shape;
        let pitch = self.rows.pitch;
        // SAFETY: `pitch` leaves room for shifts by two and for whole vectors.
        unsafe {
            let mut acc = [V::splat(0.0); N];
            for u in 0..SIDE {
                for a in 0..2 {
                    // Tap u reads row y of the input from output rows 2(y − (u − 2)).
                    let row = 2 * (y + 4 - u) + a;
                    let grad = (channel * GRAD_ROWS + 2 * row) * pitch;
                    let kernels = row * CARAFE_TAPS * 2 * pitch;
                    for v in 0..SIDE {
                        for b in 0..2 {
                            let at = b * pitch + PAD + j + 2 - v;
                            let k = kernels + (u * SIDE + v) * 2 * pitch + at;
                            let k = V::load(self.packed_kernels.as_ptr().add(k));
                            for (n, acc) in acc.iter_mut().enumerate() {
                                let g = grad + n * GRAD_ROWS * pitch + at;
                                let g = V::load(self.packed_grad.as_ptr().add(g));
                                *acc = acc.add_mul(k, g);
                            }
                        }
                    }
                }
            }
            for (n, acc) in acc.into_iter().enumerate() {
                let plane = self.rows.plane(self.image, group + channel + n);
                let row = plane * s.height + self.first_row + y;
                let dst = self.grad_x.add(row * s.width + j);
                if j + V::LANES <= s.width {
                    acc.store(dst);
                } else {
                    acc.store_partial(dst, s.width - j);
                }
            }
        }
    }

    /// Adds the products of `count` packed channels to the gradient of the kernels of output
    /// row `y`.
    ///
    /// # Safety
    /// The CPU has `V`; the buffers are packed.
    #[inline(always)]
    unsafe fn kernel_row<V: Vector>(&self, y: usize, count: usize) {
        let pitch = self.rows.pitch;
        let sums = self
            .sums
            .as_ptr()
            .cast_mut()
            .wrapping_add(y * CARAFE_TAPS * 2 * pitch);
        // SAFETY: as above.
        unsafe {
            for j in (0..self.shape.width).step_by(V::LANES) {
                for u in 0..SIDE {
                    let sums = sums.add(u * SIDE * 2 * pitch + j);
                    let mut acc = [[V::splat(0.0); 2]; SIDE];
                    for (v, acc) in acc.iter_mut().enumerate() {
                        *acc = [
                            V::load(sums.add(v * 2 * pitch)),
                            V::load(sums.add((v * 2 + 1) * pitch)),
                        ];
                    }
                    for c in 0..count {
                        let grad = (c * GRAD_ROWS + 2 * (y + 4)) * pitch + PAD + j;
                        let grad = self.packed_grad.as_ptr().add(grad);
                        let (even, odd) = (V::load(grad), V::load(grad.add(pitch)));
                        let x = (c * (STRIP + 4) + y / 2 + u) * pitch + PAD - 2 + j;
                        let x = self.packed_x.as_ptr().add(x);
                        for (v, acc) in acc.iter_mut().enumerate() {
                            let x = V::load(x.add(v));
                            acc[0] = acc[0].add_mul(even, x);
                            acc[1] = acc[1].add_mul(odd, x);
                        }
                    }
                    for (v, acc) in acc.into_iter().enumerate() {
                        acc[0].store(sums.add(v * 2 * pitch));
                        acc[1].store(sums.add((v * 2 + 1) * pitch));
                    }
                }
            }
        }
    }
}
