//! Weights in the order in which the register tile reads them.

use super::factors::{FactorKernel, Factors, Format};
use super::scratch::AlignedBuf;
use super::shape::Conv2dShape;
use super::simd::{Level, Vector};

/// How the weight `[out_channels, in_channels, kernel, kernel]` is read as a matrix per tap.
#[derive(Clone, Copy)]
pub(crate) struct WeightLayout {
    pub taps: usize,
    pub rows: usize,
    pub columns: usize,
    row_step: usize,
    column_step: usize,
    /// Whether taps are read from the last to the first.
    pub turned: bool,
}

impl WeightLayout {
    /// Rows are input channels: for the convolution itself.
    pub(crate) fn forward(s: &Conv2dShape) -> Self {
        let (taps, rows, columns) = (s.kernel * s.kernel, s.in_channels, s.out_channels);
        let (row_step, column_step) = (taps, taps * rows);
        Self {
            taps,
            rows,
            columns,
            row_step,
            column_step,
            turned: false,
        }
    }

    /// Rows are output channels, the kernel is turned by 180°: for the gradient of the input.
    pub(crate) fn turned(s: &Conv2dShape) -> Self {
        let (taps, rows, columns) = (s.kernel * s.kernel, s.out_channels, s.in_channels);
        let (row_step, column_step) = (taps * columns, taps);
        Self {
            taps,
            rows,
            columns,
            row_step,
            column_step,
            turned: true,
        }
    }

    /// Index of the first tap of a pair of channels.
    #[inline(always)]
    pub(crate) fn offset(&self, row: usize, column: usize) -> usize {
        row * self.row_step + column * self.column_step
    }
}

/// A convolution weight as a `[taps · depth, columns]` matrix, cut into panels of two vectors
/// of columns (the last may be one vector wide); rows of a panel are contiguous.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    data: AlignedBuf,
    lanes: usize,
    /// Rows of every panel.
    rows: usize,
    /// Columns with a meaning; the rest is 0.
    columns: usize,
}

impl Panels {
    /// The matrix of zeros.
    pub(crate) fn zeroed(rows: usize, columns: usize, lanes: usize) -> Self {
        let data = AlignedBuf::zeroed(rows * columns.next_multiple_of(lanes));
        Self {
            data,
            lanes,
            rows,
            columns,
        }
    }

    /// The elements, panel by panel.
    pub(crate) fn data_mut(&mut self) -> &mut [f32] {
        self.data.as_mut_slice()
    }

    /// Rows `[tap][row channel]`, as many channels as share a slot in one, columns the other
    /// channel.
    pub(crate) fn new<F: Format>(weight: &[f32], layout: WeightLayout, level: Level) -> Self {
        let WeightLayout {
            taps,
            rows,
            columns,
            turned,
            ..
        } = layout;
        assert_eq!(weight.len(), taps * rows * columns);
        let lanes = level.lanes();
        let padded = F::slots(rows) * F::PER_SLOT;
        let mut panels = Self::zeroed(taps * padded, columns, lanes);
        let pitch = panels.pitch();
        for column in 0..columns {
            let panel = column / (2 * lanes) * (2 * lanes);
            let width = (pitch - panel).min(2 * lanes);
            let dst = &mut panels.data.as_mut_slice()[panel * taps * padded + column - panel..];
            for row in 0..rows {
                let src = &weight[layout.offset(row, column)..][..taps];
                for (tap, &value) in src.iter().enumerate() {
                    let tap = if turned { taps - 1 - tap } else { tap };
                    dst[(tap * padded + row) * width] = value;
                }
            }
        }
        if F::PER_SLOT == 1 {
            return panels;
        }
        let mut joined = Self::zeroed(taps * F::slots(rows), columns, lanes);
        let kernel = Join {
            panels: &panels,
            joined: joined.data.as_mut_slice(),
        };
        // SAFETY: the level is supported; both panels have whole vectors.
        unsafe { F::run(level, kernel) }
        joined
    }

    /// Elements of the matrix without padding.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Columns with a meaning.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Columns, rounded up to whole vectors.
    pub(crate) fn pitch(&self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }

    /// Each panel: its first column, its width in vectors, its elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        (0..self.columns).step_by(2 * self.lanes).map(|first| {
            let vectors = (self.pitch() - first).min(2 * self.lanes) / self.lanes;
            let len = self.rows * vectors * self.lanes;
            (
                first,
                vectors,
                &self.data.as_slice()[first * self.rows..][..len],
            )
        })
    }
}

/// Rows that share slots as one.
struct Join<'a> {
    panels: &'a Panels,
    joined: &'a mut [f32],
}

impl<F: Format> FactorKernel<F> for Join<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const MR: usize>(self)
    where
        F: Factors<V>,
    {
        for (first, vectors, panel) in self.panels.iter() {
            let width = vectors * V::LANES;
            let start = first * self.panels.rows / F::PER_SLOT;
            let rows = panel.chunks_exact(F::PER_SLOT * width);
            let joined = self.joined[start..].chunks_exact_mut(width);
            for (rows, joined) in rows.zip(joined) {
                for column in (0..width).step_by(V::LANES) {
                    for n in 0..F::PER_SLOT {
                        // SAFETY: inside both rows.
                        unsafe {
                            let value = V::load(rows[n * width + column..].as_ptr());
                            F::store_across(value, joined[column..].as_mut_ptr(), n);
                        }
                    }
                }
            }
        }
    }
}
