//! The smoothest filling of a hole: a membrane stretched over its rim.

use rayon::prelude::*;
use std::ops::Range;

use crate::{InpaintError, Mask, RgbImage, check_sizes};

/// Sweeps over the hole's pixels at each scale. Each scale starts from the one below, so that
/// only detail of its own size is left to relax.
const NUM_SWEEPS: usize = 24;
/// Over-relaxation of the sweeps; 1 is Gauss and Seidel, 2 diverges.
const OVER_RELAXATION: f32 = 1.6;
/// Pixels of one task.
const TASK_PIXELS: usize = 1 << 15;

/// Fills the hole with the solution of Laplace's equation: every pixel of the hole is the mean of
/// its four neighbours, known pixels keep their values, and nothing flows over the border of the
/// picture. The mean squared error of this filling is hard to beat without knowledge of pictures.
///
/// Solved from coarse to fine with over-relaxed red-black sweeps; without any known pixel the
/// result is mid grey.
///
/// # Shapes
///
/// Row-major RGB in [0, 255], three values per pixel.
///
/// # Errors
///
/// [`InpaintError::MaskSize`] when the sizes differ.
pub fn membrane(image: &RgbImage, mask: &Mask) -> Result<Vec<[f32; 3]>, InpaintError> {
    check_sizes(image, mask)?;
    let mut values: Vec<_> = image.pixels().map(|p| p.0.map(f32::from)).collect();
    fill_membrane(image.width() as usize, &mut values, mask.as_bytes());
    Ok(values)
}

/// [`membrane`] of `C` planes of any values, in place; `hole` is 0 for known pixels. Without any
/// known pixel all is 127.5.
///
/// # Shapes
///
/// Row by row, `width` pixels each.
///
/// # Panics
///
/// If `hole` has another length than `values`, or either no whole number of rows.
pub fn fill_membrane<const C: usize>(width: usize, values: &mut [[f32; C]], hole: &[u8]) {
    assert_eq!(values.len(), hole.len(), "one value per pixel");
    let Some(first) = hole.iter().position(|&hole| hole != 0) else {
        return;
    };
    assert_eq!(values.len() % width, 0, "whole rows");
    if values.len() == 1 {
        values[first] = [127.5; C];
        return;
    }
    let half_width = width.div_ceil(2);
    {
        let (mut half, half_hole) = halved(width, values, hole);
        fill_membrane(half_width, &mut half, &half_hole);
        let rows = values.par_chunks_mut(width).zip(hole.par_chunks(width));
        rows.enumerate().for_each(|(y, (values, hole))| {
            let half = &half[y / 2 * half_width..];
            for (x, value) in values.iter_mut().enumerate() {
                if hole[x] != 0 {
                    *value = half[x / 2];
                }
            }
        });
    }
    let last = hole.iter().rposition(|&hole| hole != 0).unwrap_or(first);
    let height = values.len() / width;
    // The hole's rows and their neighbours.
    let rows = (first / width).saturating_sub(1)..(last / width + 2).min(height);
    relax(width, rows, values, hole);
}

/// Means of the known pixels of 2×2 cells; a cell without any is part of the hole.
fn halved<const C: usize>(
    width: usize,
    values: &[[f32; C]],
    hole: &[u8],
) -> (Vec<[f32; C]>, Vec<u8>) {
    let height = values.len() / width;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut half = vec![[0.0f32; C]; half_width * half_height];
    let mut half_hole = vec![0; half.len()];
    let rows = half.par_chunks_mut(half_width);
    let rows = rows.zip(half_hole.par_chunks_mut(half_width)).enumerate();
    rows.for_each(|(y, (means, hole_cells))| {
        for (x, (mean, hole_cell)) in means.iter_mut().zip(hole_cells).enumerate() {
            let mut count = 0.0f32;
            for v in 2 * y..(2 * y + 2).min(height) {
                for at in v * width + 2 * x..v * width + (2 * x + 2).min(width) {
                    if hole[at] == 0 {
                        for (sum, value) in mean.iter_mut().zip(values[at]) {
                            *sum += value;
                        }
                        count += 1.0;
                    }
                }
            }
            *mean = mean.map(|sum| sum / count.max(1.0));
            *hole_cell = u8::from(count == 0.0);
        }
    });
    (half, half_hole)
}

/// Sweeps over the hole's pixels in `rows`, which hold them all and known rows beside them.
fn relax<const C: usize>(width: usize, rows: Range<usize>, values: &mut [[f32; C]], hole: &[u8]) {
    let within = rows.start * width..rows.end * width;
    let (values, hole) = (&mut values[within.clone()], &hole[within]);
    // Pixels of one colour of the chessboard depend on those of the other only.
    let mut colours = [0, 1].map(|colour| Colour::new(width, values, hole, colour));
    for _ in 0..NUM_SWEEPS {
        let [black, white] = &mut colours;
        black.sweep(white);
        white.sweep(black);
    }
    for colour in &colours {
        colour.write(width, values, hole);
    }
}

/// The pixels of one colour of the chessboard.
struct Colour<const C: usize> {
    /// 0 or 1: which columns even rows have.
    first: usize,
    width: usize,
    height: usize,
    /// Room for every second pixel of a row.
    stride: usize,
    values: Vec<[f32; C]>,
    /// By row: runs of the hole's pixels.
    runs: Vec<Vec<Range<usize>>>,
}

impl<const C: usize> Colour<C> {
    fn new(width: usize, values: &[[f32; C]], hole: &[u8], first: usize) -> Self {
        let height = values.len() / width;
        let stride = width.div_ceil(2);
        let mut own = vec![[0.0; C]; stride * height];
        let rows = own.par_chunks_mut(stride).enumerate();
        let runs = rows.map(|(y, own)| {
            let start = (y + first) % 2;
            let mut runs: Vec<Range<usize>> = Vec::new();
            for (i, x) in (start..width).step_by(2).enumerate() {
                own[i] = values[y * width + x];
                if hole[y * width + x] != 0 {
                    match runs.last_mut().filter(|run| run.end == i) {
                        Some(run) => run.end += 1,
                        None => runs.push(i..i + 1),
                    }
                }
            }
            runs
        });
        Self {
            first,
            width,
            height,
            stride,
            runs: runs.collect(),
            values: own,
        }
    }

    fn sweep(&mut self, other: &Self) {
        let (width, height, stride, first) = (self.width, self.height, self.stride, self.first);
        let rows = (TASK_PIXELS / stride).max(1);
        let tasks = self.values.par_chunks_mut(rows * stride).enumerate();
        tasks.for_each(|(task, values)| {
            for (y, own) in (task * rows..).zip(values.chunks_exact_mut(stride)) {
                let start = (y + first) % 2;
                let row = |y: usize| &other.values[y * stride..][..stride];
                let beside = row(y);
                for run in &self.runs[y] {
                    let mut inner = run.clone();
                    // Nothing flows over the border: its pixels are their own neighbours.
                    if y == 0 || y + 1 == height {
                        inner = run.end..run.end;
                    }
                    if start == 0 && inner.start == 0 {
                        inner.start = inner.end.min(1);
                    }
                    if !inner.is_empty() && start + 2 * inner.end > width {
                        inner.end -= 1;
                    }
                    let border = (run.start..inner.start).chain(inner.end..run.end);
                    for i in border {
                        let x = start + 2 * i;
                        let value = own[i];
                        let neighbours = [
                            if y == 0 { value } else { row(y - 1)[i] },
                            if y + 1 == height {
                                value
                            } else {
                                row(y + 1)[i]
                            },
                            if x == 0 { value } else { beside[(x - 1) / 2] },
                            if x + 1 == width {
                                value
                            } else {
                                beside[x.div_ceil(2)]
                            },
                        ];
                        let [up, down, left, right] = neighbours;
                        pull(&mut own[i], &up, &down, &left, &right);
                    }
                    if inner.is_empty() {
                        continue;
                    }
                    let to_left = inner.start + start - 1..inner.end + start - 1;
                    let to_right = inner.start + start..inner.end + start;
                    pull(
                        own[inner.clone()].as_flattened_mut(),
                        row(y - 1)[inner.clone()].as_flattened(),
                        row(y + 1)[inner].as_flattened(),
                        beside[to_left].as_flattened(),
                        beside[to_right].as_flattened(),
                    );
                }
            }
        });
    }

    fn write(&self, width: usize, values: &mut [[f32; C]], hole: &[u8]) {
        let rows = values.par_chunks_mut(width).zip(hole.par_chunks(width));
        rows.enumerate().for_each(|(y, (values, hole))| {
            let own = &self.values[y * self.stride..];
            let start = (y + self.first) % 2;
            for (i, x) in (start..width).step_by(2).enumerate() {
                if hole[x] != 0 {
                    values[x] = own[i];
                }
            }
        });
    }
}

/// Moves values beyond the means of their neighbours.
fn pull(values: &mut [f32], up: &[f32], down: &[f32], left: &[f32], right: &[f32]) {
    let neighbours = up.iter().zip(down).zip(left).zip(right);
    for (value, (((up, down), left), right)) in values.iter_mut().zip(neighbours) {
        let sum = up + down + left + right;
        *value += OVER_RELAXATION * (0.25 * sum - *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;
    use image::Rgb;

    #[test]
    fn a_ramp_is_continued_exactly_and_known_pixels_stay() {
        let image = RgbImage::from_fn(64, 48, |x, y| Rgb([2 * x as u8, 3 * y as u8, 77]));
        let hole = Rect {
            x: 20,
            y: 10,
            width: 24,
            height: 30,
        };
        let mask = Mask::rectangle(64, 48, hole);
        let filled = membrane(&image, &mask).unwrap();
        for (i, pixel) in filled.iter().enumerate() {
            let truth = image.as_raw()[3 * i..3 * i + 3]
                .iter()
                .map(|&v| f32::from(v));
            for (value, truth) in pixel.iter().zip(truth) {
                // A ramp is harmonic; what is left is the solver's error.
                let tolerance = if mask.as_bytes()[i] != 0 { 1.0 } else { 0.0 };
                assert!((value - truth).abs() <= tolerance, "{value} for {truth}");
            }
        }
    }

    #[test]
    fn odd_and_hopeless_inputs_are_filled() {
        for (width, height) in [(1, 1), (1, 7), (5, 3), (33, 2)] {
            let image = RgbImage::from_pixel(width, height, Rgb([200; 3]));
            let all = Mask::new(width, height).inverted();
            let grey = membrane(&image, &all).unwrap();
            assert!(grey.iter().flatten().all(|v| (v - 127.5).abs() < 1e-3));
            let mut one = all.clone();
            one.set(0, 0, false);
            let flat = membrane(&image, &one).unwrap();
            assert!(flat.iter().flatten().all(|v| (v - 200.0).abs() < 1e-2));
        }
    }
}
