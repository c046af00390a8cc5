//! New coefficients for the blocks that a hole touches.

use super::{Block, Frame};
use crate::jpeg::ZIGZAG;
use inpaint_core::Mask;
use std::f32::consts::PI;

/// What blocks are made of: the filled picture, in the turn in which the file stores it.
pub(crate) struct Filling<'a> {
    /// Red, green and blue of a stored pixel; all the same in grey pictures.
    pub pixel: &'a dyn Fn(usize, usize) -> [u8; 3],
    /// The hole, as stored.
    pub mask: &'a Mask,
    /// The components are red, green and blue.
    pub is_rgb: bool,
    /// Quantisers of each component, row by row.
    pub tables: Vec<[u16; 64]>,
}

impl Frame {
    /// Makes every block anew that holds a pixel of the hole, and leaves all others alone.
    pub fn fill(&mut self, filling: &Filling) {
        let cosines = cosines();
        let (max_horizontal, max_vertical) = self.max_sampling();
        let Some(bounds) = filling.mask.hole_bounds() else {
            return;
        };
        let (width, height) = (self.width, self.height);
        for (component, plane) in self.components.iter_mut().enumerate() {
            // Pixels per sample, and per block.
            let wide = max_horizontal / plane.sampling.0;
            let high = max_vertical / plane.sampling.1;
            let (block_wide, block_high) = (8 * wide as u32, 8 * high as u32);
            let rows = bounds.y / block_high..(bounds.y + bounds.height).div_ceil(block_high);
            let columns = bounds.x / block_wide..(bounds.x + bounds.width).div_ceil(block_wide);
            for row in rows {
                for column in columns.clone() {
                    let (left, top) = (column * block_wide, row * block_high);
                    let is_touched = (top..top + block_high)
                        .any(|y| (left..left + block_wide).any(|x| filling.mask.is_hole(x, y)));
                    if !is_touched {
                        continue;
                    }
                    let sample = |x: usize, y: usize| {
                        let mut sum = 0.0;
                        for dy in 0..high {
                            for dx in 0..wide {
                                // Beyond the border the last pixel is repeated.
                                let x = (left as usize + x * wide + dx).min(width - 1);
                                let y = (top as usize + y * high + dy).min(height - 1);
                                let rgb = (filling.pixel)(x, y);
                                sum += component_of(rgb, component, filling.is_rgb);
                            }
                        }
                        sum / (wide * high) as f32 - 128.0
                    };
                    let index = row as usize * plane.stored.0 + column as usize;
                    let table = &filling.tables[component];
                    plane.blocks[index] = transform(sample, table, &cosines);
                }
            }
        }
    }
}

/// A component of a pixel (JFIF 1.02: Y, Cb and Cr of BT.601, full range).
fn component_of(rgb: [u8; 3], component: usize, is_rgb: bool) -> f32 {
    let [r, g, b] = rgb.map(f32::from);
    match (component, is_rgb) {
        (_, true) => [r, g, b][component],
        (0, _) => 0.299 * r + 0.587 * g + 0.114 * b,
        (1, _) => -0.168_736 * r - 0.331_264 * g + 0.5 * b + 128.0,
        _ => 0.5 * r - 0.418_688 * g - 0.081_312 * b + 128.0,
    }
}

/// `[frequency][position]` of the cosine transform, with its factors.
fn cosines() -> [[f32; 8]; 8] {
    let mut table = [[0.0; 8]; 8];
    for (u, row) in table.iter_mut().enumerate() {
        let factor = if u == 0 { 0.125f32.sqrt() } else { 0.5 };
        for (x, value) in row.iter_mut().enumerate() {
            *value = factor * ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos();
        }
    }
    table
}

/// Cosine transform and quantisation (T.81, A.3.3 and A.3.4).
fn transform(
    sample: impl Fn(usize, usize) -> f32,
    table: &[u16; 64],
    cosines: &[[f32; 8]; 8],
) -> Block {
    let mut rows = [[0.0f32; 8]; 8];
    for (y, row) in rows.iter_mut().enumerate() {
        let samples: [f32; 8] = std::array::from_fn(|x| sample(x, y));
        for (value, basis) in row.iter_mut().zip(cosines) {
            *value = samples.iter().zip(basis).map(|(s, c)| s * c).sum();
        }
    }
    let mut block = [0; 64];
    for (coefficient, &position) in block.iter_mut().zip(&ZIGZAG) {
        let (v, u) = (position / 8, position % 8);
        let value: f32 = rows
            .iter()
            .zip(&cosines[v])
            .map(|(row, c)| row[u] * c)
            .sum();
        let limit = if position == 0 { 2047.0 } else { 1023.0 };
        let quantised = (value / f32::from(table[position])).round();
        *coefficient = quantised.clamp(-limit, limit) as i16;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_blocks_are_their_mean_and_waves_are_one_coefficient() {
        let cosines = cosines();
        let flat = transform(|_, _| 16.0, &[2; 64], &cosines);
        assert_eq!(flat[0], 16 * 8 / 2);
        assert!(flat[1..].iter().all(|&value| value == 0));
        // Zigzag order: the second is the first horizontal frequency.
        let wave = |x: usize, _: usize| 100.0 * ((2 * x + 1) as f32 * PI / 16.0).cos();
        let wave = transform(wave, &[1; 64], &cosines);
        // 100 · Σ cos² / 2 in a row, times 8 rows / √8.
        let expected = 566i16;
        assert!(wave[1].abs_diff(expected) <= 1, "{} {expected}", wave[1]);
        assert!(wave[2..].iter().all(|&value| value == 0));
    }
}
