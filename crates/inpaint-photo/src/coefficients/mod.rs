//! JPEG files as their quantised coefficients, so that blocks which the hole does not touch come
//! out with the very numbers that they came in with.
//!
//! Reads sequential and progressive files with Huffman codes and 8 bits per sample, which is what
//! cameras, phones and the web make, and writes both. Whatever else there is, or whatever
//! is damaged, gives `None`, and the caller encodes the samples anew.
//!
//! Source: ITU-T T.81.

mod bits;
mod blocks;
mod decode;
mod encode;
mod huffman;
mod passes;
mod progressive;

pub(crate) use blocks::Filling;
pub(crate) use decode::decode;
pub(crate) use encode::{Kind, encode};

/// Coefficients of a block, in zigzag order.
pub(crate) type Block = [i16; 64];

/// A picture as coefficients.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub width: usize,
    pub height: usize,
    pub components: Vec<Plane>,
}

/// The blocks of a component, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Plane {
    pub id: u8,
    /// Horizontal and vertical sampling factors.
    pub sampling: (usize, usize),
    /// Index of the quantisation table.
    pub table: u8,
    /// Blocks per row and rows of blocks that hold samples of the picture.
    pub used: (usize, usize),
    /// The same with the blocks that fill up the last units of an interleaved scan.
    pub stored: (usize, usize),
    pub blocks: Vec<Block>,
}

impl Frame {
    /// Largest sampling factors.
    pub fn max_sampling(&self) -> (usize, usize) {
        let factors = || self.components.iter().map(|plane| plane.sampling);
        let horizontal = factors().map(|f| f.0).max().unwrap_or(1);
        let vertical = factors().map(|f| f.1).max().unwrap_or(1);
        (horizontal, vertical)
    }

    /// Units of an interleaved scan per row, and their rows.
    pub fn units(&self) -> (usize, usize) {
        let (horizontal, vertical) = self.max_sampling();
        (
            self.width.div_ceil(8 * horizontal),
            self.height.div_ceil(8 * vertical),
        )
    }
}

/// Calls `visit(component, block)` for the blocks of a scan in its order, and `unit()` before
/// each of its units; both end the scan with `None`.
pub(crate) fn visit_scan<S>(
    frame: &Frame,
    scan: &[usize],
    state: &mut S,
    mut unit: impl FnMut(&mut S) -> Option<()>,
    mut visit: impl FnMut(&mut S, usize, usize) -> Option<()>,
) -> Option<()> {
    if let &[component] = scan {
        // A component alone: no filling blocks, whatever its sampling factors.
        let plane = &frame.components[component];
        for y in 0..plane.used.1 {
            for x in 0..plane.used.0 {
                unit(state)?;
                visit(state, component, y * plane.stored.0 + x)?;
            }
        }
        return Some(());
    }
    let (columns, rows) = frame.units();
    for row in 0..rows {
        for column in 0..columns {
            unit(state)?;
            for &component in scan {
                let plane = &frame.components[component];
                let (horizontal, vertical) = plane.sampling;
                for y in row * vertical..(row + 1) * vertical {
                    for x in column * horizontal..(column + 1) * horizontal {
                        visit(state, component, y * plane.stored.0 + x)?;
                    }
                }
            }
        }
    }
    Some(())
}
