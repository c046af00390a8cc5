//! Weights in the order in which the register tile reads them.

use super::scratch::AlignedBuf;
use super::shape::Conv2dShape;

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

    /// Rows `[tap][row channel]`, columns the other channel.
    pub(crate) fn new(weight: &[f32], layout: WeightLayout, lanes: usize) -> Self {
        let WeightLayout {
            taps,
            rows,
            columns,
            turned,
            ..
        } = layout;
        assert_eq!(weight.len(), taps * rows * columns);
        let mut panels = Self::zeroed(taps * rows, columns, lanes);
        let pitch = panels.pitch();
        for column in 0..columns {
            let panel = column / (2 * lanes) * (2 * lanes);
            let width = (pitch - panel).min(2 * lanes);
            let dst = &mut panels.data.as_mut_slice()[panel * taps * rows + column - panel..];
            for row in 0..rows {
                let src = &weight[layout.offset(row, column)..][..taps];
                for (tap, &value) in src.iter().enumerate() {
                    let tap = if turned { taps - 1 - tap } else { tap };
                    dst[(tap * rows + row) * width] = value;
                }
            }
        }
        panels
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
