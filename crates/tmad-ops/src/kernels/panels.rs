//! Weights in the order in which the register tile reads them.

use super::scratch::AlignedBuf;
use super::shape::Conv2dShape;

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
    /// Fills the matrix from `value(row, column)`.
    pub(crate) fn new(
        rows: usize,
        columns: usize,
        lanes: usize,
        value: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let mut panels = Self::zeroed(rows, columns, lanes);
        let slice = panels.data.as_mut_slice();
        let mut panel = 0;
        for first in (0..columns).step_by(2 * lanes) {
            let width = (columns - first).next_multiple_of(lanes).min(2 * lanes);
            for row in 0..rows {
                let line = &mut slice[panel + row * width..][..width];
                for (j, line) in line.iter_mut().enumerate().take(columns - first) {
                    *line = value(row, first + j);
                }
            }
            panel += rows * width;
        }
        panels
    }

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

    /// Rows `[tap][in_channel]`, columns `out_channel`: for the convolution itself.
    pub(crate) fn forward(weight: &[f32], shape: &Conv2dShape, lanes: usize) -> Self {
        let (ci, taps) = (shape.in_channels, shape.kernel * shape.kernel);
        Self::new(taps * ci, shape.out_channels, lanes, |row, co| {
            weight[(co * ci + row % ci) * taps + row / ci]
        })
    }

    /// Rows `[tap, the last one first][out_channel]`, columns `in_channel`: for the gradient
    /// of the input, which is a convolution with the kernel turned by 180°.
    pub(crate) fn turned(weight: &[f32], shape: &Conv2dShape, lanes: usize) -> Self {
        let (ci, co) = (shape.in_channels, shape.out_channels);
        let taps = shape.kernel * shape.kernel;
        Self::new(taps * co, ci, lanes, |row, c| {
            weight[((row % co) * ci + c) * taps + taps - 1 - row / co]
        })
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
