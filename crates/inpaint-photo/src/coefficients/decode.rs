//! From a JPEG file to its coefficients.

use super::bits::BitReader;
use super::huffman::{Code, Decoder};
use super::progressive::Pass;
use super::{Frame, Plane, visit_scan};
use crate::jpeg::Component;

/// What the headers have said so far.
#[derive(Default)]
struct State {
    frame: Option<Frame>,
    is_progressive: bool,
    dc: [Option<Decoder>; 4],
    ac: [Option<Decoder>; 4],
    restart_interval: usize,
    /// Some scan was read.
    has_scan: bool,
}

/// The coefficients of a file that shows a picture of this size; `None` for kinds of files that
/// are not read here, and for damaged ones.
pub(crate) fn decode(file: &[u8], size: (usize, usize)) -> Option<Frame> {
    let mut state = State::default();
    let mut at = 2;
    loop {
        let (0xFF, marker) = (*file.get(at)?, *file.get(at + 1)?) else {
            return None;
        };
        match marker {
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => break,
            _ => {
                let length =
                    usize::from(u16::from_be_bytes([*file.get(at + 2)?, *file.get(at + 3)?]));
                let data = file.get(at + 4..at + 2 + length)?;
                at += 2 + length;
                match marker {
                    0xC0..=0xC2 if state.frame.is_none() => {
                        state.is_progressive = marker == 0xC2;
                        state.frame = Some(read_frame(data, size)?);
                    }
                    0xC4 => state.read_codes(data)?,
                    0xDD => {
                        let interval = data.get(..2)?;
                        state.restart_interval =
                            usize::from(u16::from_be_bytes([interval[0], interval[1]]));
                    }
                    0xDA => at = state.read_scan(file, at, data)?,
                    // Quantisers that change between scans.
                    0xDB if state.has_scan => return None,
                    // Arithmetic codes, lossless and hierarchical files, a height given late.
                    0xC0..=0xCF | 0xDC | 0xDE | 0xDF => return None,
                    _ => {}
                }
            }
        }
    }
    state.frame.filter(|_| state.has_scan)
}

fn read_frame(data: &[u8], size: (usize, usize)) -> Option<Frame> {
    let &[bits, h1, h0, w1, w0, count, ref rest @ ..] = data else {
        return None;
    };
    let width = usize::from(u16::from_be_bytes([w1, w0]));
    let height = usize::from(u16::from_be_bytes([h1, h0]));
    let count = usize::from(count);
    if bits != 8 || (width, height) != size || !matches!(count, 1 | 3) {
        return None;
    }
    let mut frame = Frame {
        width,
        height,
        components: Vec::new(),
    };
    for parts in rest.get(..3 * count)?.chunks_exact(3) {
        let component = Component {
            id: parts[0],
            sampling: (parts[1] >> 4, parts[1] & 15),
            table: parts[2],
        };
        let (horizontal, vertical) = component.sampling;
        let is_possible = (1..=4).contains(&horizontal) && (1..=4).contains(&vertical);
        if !is_possible || component.table > 3 {
            return None;
        }
        frame.components.push(Plane {
            id: component.id,
            // Alone, a component is what everything is measured by.
            sampling: if count == 1 {
                (1, 1)
            } else {
                (horizontal.into(), vertical.into())
            },
            table: component.table,
            used: (0, 0),
            stored: (0, 0),
            blocks: Vec::new(),
        });
    }
    let (columns, rows) = frame.units();
    let (max_horizontal, max_vertical) = frame.max_sampling();
    for plane in &mut frame.components {
        let (horizontal, vertical) = plane.sampling;
        // Other factors have samples between the pixels.
        if !max_horizontal.is_multiple_of(horizontal) || !max_vertical.is_multiple_of(vertical) {
            return None;
        }
        plane.used = (
            (width * horizontal).div_ceil(8 * max_horizontal),
            (height * vertical).div_ceil(8 * max_vertical),
        );
        plane.stored = (columns * horizontal, rows * vertical);
        plane.blocks = vec![[0; 64]; plane.stored.0 * plane.stored.1];
    }
    Some(frame)
}

/// What a scan needs beside the frame.
struct ScanState<'a> {
    bits: BitReader<'a>,
    blocks: Vec<Vec<super::Block>>,
    /// The last DC coefficient of each component.
    last_dc: [i32; 4],
    units_to_restart: usize,
    /// Blocks without further coefficients in this pass.
    end_run: u32,
}

impl State {
    fn read_codes(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() {
            let kind = data[0];
            let counts: [u8; 16] = data.get(1..17)?.try_into().ok()?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = data.get(17..17 + total)?.to_vec();
            let decoder = Code { counts, symbols }.to_decoder()?;
            let tables = if kind >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            *tables.get_mut(usize::from(kind & 15))? = Some(decoder);
            data = &data[17 + total..];
        }
        Some(())
    }

    /// Reads a scan whose data begin at `at`; returns where the next marker is.
    fn read_scan(&mut self, file: &[u8], at: usize, head: &[u8]) -> Option<usize> {
        let frame = self.frame.as_mut()?;
        let count = usize::from(*head.first()?);
        let selectors = head.get(1..1 + 2 * count)?;
        let &[first, last, approximation] = head.get(1 + 2 * count..4 + 2 * count)? else {
            return None;
        };
        let mut scan = Vec::new();
        let mut tables = [(0, 0); 4];
        for selector in selectors.chunks_exact(2) {
            let component = frame
                .components
                .iter()
                .position(|plane| plane.id == selector[0])?;
            if scan.contains(&component) {
                return None;
            }
            scan.push(component);
            tables[component] = (usize::from(selector[1] >> 4), usize::from(selector[1] & 15));
        }
        let pass = if self.is_progressive {
            Pass::new(first, last, approximation).filter(|pass| scan.len() == 1 || pass.is_dc())?
        } else {
            Pass::WHOLE
        };
        let blocks = (frame.components.iter_mut())
            .map(|plane| std::mem::take(&mut plane.blocks))
            .collect();
        let mut state = ScanState {
            bits: BitReader::new(file, at),
            blocks,
            last_dc: [0; 4],
            units_to_restart: self.restart_interval,
            end_run: 0,
        };
        let interval = self.restart_interval;
        let (dc, ac) = (&self.dc, &self.ac);
        let restart = |state: &mut ScanState| {
            if interval > 0 {
                if state.units_to_restart == 0 {
                    state.bits.restart()?;
                    state.last_dc = [0; 4];
                    state.end_run = 0;
                    state.units_to_restart = interval;
                }
                state.units_to_restart -= 1;
            }
            Some(())
        };
        let is_progressive = self.is_progressive;
        let visit = |state: &mut ScanState, component: usize, block: usize| {
            let (dc_table, ac_table) = tables[component];
            let dc = || dc.get(dc_table)?.as_ref();
            let ac = || ac.get(ac_table)?.as_ref();
            let block = &mut state.blocks[component][block];
            let last_dc = &mut state.last_dc[component];
            let bits = &mut state.bits;
            if is_progressive {
                pass.read(block, bits, dc, ac, last_dc, &mut state.end_run)
            } else {
                read_block(block, bits, dc()?, ac()?, last_dc)
            }
        };
        let read = visit_scan(frame, &scan, &mut state, restart, visit);
        for (plane, blocks) in frame.components.iter_mut().zip(state.blocks) {
            plane.blocks = blocks;
        }
        read?;
        if state.bits.is_overrun() {
            return None;
        }
        self.has_scan = true;
        state.bits.next_marker()
    }
}

/// A whole block (T.81, F.2.2).
fn read_block(
    block: &mut super::Block,
    bits: &mut BitReader,
    dc: &Decoder,
    ac: &Decoder,
    last_dc: &mut i32,
) -> Option<()> {
    block[0] = read_dc(bits, dc, last_dc)?;
    let mut k = 1;
    while k < 64 {
        let symbol = ac.next(bits)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros < 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += zeros;
        *block.get_mut(k)? = bits.take_signed(size) as i16;
        k += 1;
    }
    Some(())
}

/// The DC coefficient, which is stored as a difference.
pub(super) fn read_dc(bits: &mut BitReader, dc: &Decoder, last_dc: &mut i32) -> Option<i16> {
    let size = dc.next(bits).filter(|&size| size <= 11)?;
    *last_dc += bits.take_signed(size.into());
    i16::try_from(*last_dc).ok()
}
