//! CARAFE reassembly and its gradients.
//!
//! The outputs at even and at odd columns are computed apart: both read the same inputs, at
//! consecutive addresses, so one load of the input feeds four outputs.

mod backward;
mod rows;
mod softmax;

pub use backward::carafe_backward;
pub use softmax::{carafe_kernels, carafe_kernels_backward};

use super::scratch::{Output, for_each_task, with_scratch};
use super::shape::{CARAFE_TAPS, CarafeShape, check_len, note};
use super::simd::{Kernel, Level, Vector};
use rows::{PAD, Rows, store_interleaved};

/// Input rows of one task.
const STRIP: usize = 4;
/// Columns and rows of a kernel.
const SIDE: usize = 5;

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
pub fn carafe<'a>(shape: &CarafeShape, x: &[f32], kernels: &[f32], out: impl Into<Output<'a>>) {
    check_len("kernels", kernels.len(), shape.kernels_len());
    run(shape, x, Taps::Kernels(kernels), out.into());
}

/// [`carafe`] with the kernels that [`carafe_kernels`] makes of `logits`, which never exist as a
/// whole.
///
/// # Shapes
/// As for [`carafe`], and `logits` `[batch, 100, height, width]`.
///
/// # Panics
/// If a slice has another length than its shape.
pub fn carafe_from_logits<'a>(
    shape: &CarafeShape,
    x: &[f32],
    logits: &[f32],
    out: impl Into<Output<'a>>,
) {
    check_len("logits", logits.len(), shape.kernels_len());
    run(shape, x, Taps::Logits(logits), out.into());
}

/// Where the kernels come from.
#[derive(Clone, Copy)]
enum Taps<'a> {
    Kernels(&'a [f32]),
    Logits(&'a [f32]),
}

fn run(shape: &CarafeShape, x: &[f32], taps: Taps, mut out: Output) {
    note(shape.flops(), None);
    check_len("x", x.len(), shape.input_len());
    check_len("out", out.len(), shape.output_len());
    if out.is_empty() {
        return;
    }
    let level = Level::current();
    let strips = shape.height.div_ceil(STRIP);
    let rows = Rows::new(shape, level);
    let kernels_len = 2 * CARAFE_TAPS * 2 * STRIP * rows.pitch;
    let x_len = shape.channels * (STRIP + 4) * rows.pitch;
    let shared = out.shared();
    for_each_task(shape.batch * strips, shape.flops(), |task| {
        with_scratch(kernels_len + x_len, |scratch| {
            let (packed_kernels, packed_x) = scratch.split_at_mut(kernels_len);
            let kernel = Strip {
                shape,
                rows,
                x,
                taps,
                out: shared.get(),
                image: task / strips,
                first_row: task % strips * STRIP,
                packed_kernels,
                packed_x,
            };
            // SAFETY: the level is supported; tasks write different rows of `out`; the
            // buffers have the lengths above.
            unsafe { level.run(kernel) }
        });
    });
}

/// Some rows of one image.
struct Strip<'a> {
    shape: &'a CarafeShape,
    rows: Rows,
    x: &'a [f32],
    taps: Taps<'a>,
    out: *mut f32,
    image: usize,
    first_row: usize,
    /// `[output row][tap][column parity][pitch]`.
    packed_kernels: &'a mut [f32],
    /// `[channel][input row][pitch]`.
    packed_x: &'a mut [f32],
}

impl Kernel for Strip<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self) {
        let (s, rows) = (self.shape, self.rows);
        let num_rows = STRIP.min(s.height - self.first_row);
        let first = self.first_row as isize;
        let (kernels, x) = (self.packed_kernels.as_mut_ptr(), self.packed_x.as_mut_ptr());
        // SAFETY: the buffers hold `num_rows ≤ STRIP` rows and the four around them.
        unsafe {
            for y in 0..2 * num_rows {
                let row = kernels.add(y * CARAFE_TAPS * 2 * rows.pitch);
                let y = 2 * self.first_row + y;
                match self.taps {
                    Taps::Kernels(kernels) => {
                        rows.split_kernels::<V>(kernels, self.image, y as isize, row);
                    }
                    Taps::Logits(logits) => rows.split_logits::<V>(logits, self.image, y, row),
                }
            }
            for c in 0..s.channels {
                for y in 0..num_rows + 4 {
                    let row = x.add((c * (STRIP + 4) + y) * rows.pitch);
                    let plane = self.image * s.channels + c;
                    rows.copy_input::<V>(self.x, plane, first + y as isize - 2, row);
                }
            }
            // Columns outside channels: the kernels of one vector of pixels stay in the
            // first-level cache.
            for y in 0..num_rows {
                for j in (0..s.width).step_by(V::LANES) {
                    let mut c = 0;
                    while c < s.channels {
                        // Four accumulators per channel, as many as the registers hold.
                        if MR >= 8 && c + 4 <= s.channels {
                            self.tile::<V, 4>(y, j, c);
                            c += 4;
                        } else if c + 2 <= s.channels {
                            self.tile::<V, 2>(y, j, c);
                            c += 2;
                        } else {
                            self.tile::<V, 1>(y, j, c);
                            c += 1;
                        }
                    }
                }
            }
        }
    }
}

impl Strip<'_> {
    /// The outputs of one vector of input pixels from column `j` of row `y` on, for `N`
    /// channels.
    ///
    /// # Safety
    /// The CPU has `V`; the buffers are packed.
    #[inline(always)]
    unsafe fn tile<V: Vector, const N: usize>(&self, y: usize, j: usize, channel: usize) {
        let (s, rows) = (self.shape, self.rows);
        let pitch = rows.pitch;
        let out_width = 2 * s.width;
        // SAFETY: `pitch` leaves room for shifts by two and for whole vectors.
        unsafe {
            let kernels = self
                .packed_kernels
                .as_ptr()
                .add(2 * y * CARAFE_TAPS * 2 * pitch);
            let x = self
                .packed_x
                .as_ptr()
                .add((channel * (STRIP + 4) + y) * pitch);
            let mut acc = [[V::splat(0.0); 4]; N];
            for u in 0..SIDE {
                for v in 0..SIDE {
                    let k = kernels.add((u * SIDE + v) * 2 * pitch + PAD + j);
                    let below = k.add(CARAFE_TAPS * 2 * pitch);
                    let k = [
                        V::load(k),
                        V::load(k.add(pitch)),
                        V::load(below),
                        V::load(below.add(pitch)),
                    ];
                    for (n, acc) in acc.iter_mut().enumerate() {
                        let x = x.add((n * (STRIP + 4) + u) * pitch + PAD - 2 + j + v);
                        let x = V::load(x);
                        for i in 0..4 {
                            acc[i] = acc[i].add_mul(k[i], x);
                        }
                    }
                }
            }
            for (n, acc) in acc.into_iter().enumerate() {
                let plane = self.image * s.channels + channel + n;
                let row = plane * 2 * s.height + 2 * (self.first_row + y);
                let out = self.out.add(row * out_width + 2 * j);
                store_interleaved(acc[0], acc[1], out, s.width - j);
                store_interleaved(acc[2], acc[3], out.add(out_width), s.width - j);
            }
        }
    }
}
