//! From coefficients to the scans of a JPEG file.

use super::bits::BitWriter;
use super::huffman::Code;
use super::{Block, Frame, passes, visit_scan};

/// Codes for the first component and for the others, DC and AC.
struct Codes {
    dc: [Code; 2],
    ac: [Code; 2],
}

/// How a file is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Quantisers of 16 bits come before.
    pub is_wide: bool,
    /// In passes that show the whole picture early.
    pub is_progressive: bool,
}

/// Frame header, codes, scans and end of a file; the caller puts everything else before it. `None`
/// for coefficients that no such file holds.
pub(crate) fn encode(frame: &Frame, kind: Kind) -> Option<Vec<u8>> {
    let mut file = frame_header(frame, kind);
    if kind.is_progressive {
        passes::write(frame, &mut file)?;
    } else {
        write_scan(frame, &mut file)?;
    }
    file.extend([0xFF, 0xD9]);
    Some(file)
}

fn frame_header(frame: &Frame, kind: Kind) -> Vec<u8> {
    let mut body = vec![8];
    body.extend((frame.height as u16).to_be_bytes());
    body.extend((frame.width as u16).to_be_bytes());
    body.push(frame.components.len() as u8);
    for plane in &frame.components {
        let (horizontal, vertical) = plane.sampling;
        body.extend([plane.id, ((horizontal << 4) | vertical) as u8, plane.table]);
    }
    let marker = match kind {
        Kind {
            is_progressive: true,
            ..
        } => 0xC2,
        Kind { is_wide: true, .. } => 0xC1,
        _ => 0xC0,
    };
    let mut file = Vec::new();
    segment(&mut file, marker, &body);
    file
}

/// `slot` is the table's number, and 0x10 more for AC coefficients.
pub(super) fn put_code(file: &mut Vec<u8>, slot: u8, code: &Code) {
    let body = [&[slot][..], &code.counts[..], &code.symbols].concat();
    segment(file, 0xC4, &body);
}

/// The header of a scan with the coefficients from `first` to `last`.
pub(super) fn put_scan_header(
    file: &mut Vec<u8>,
    frame: &Frame,
    scan: &[usize],
    (first, last): (u8, u8),
) {
    let mut body = vec![scan.len() as u8];
    for &component in scan {
        let id = frame.components[component].id;
        body.extend([id, 0x11 * class_of(component) as u8]);
    }
    body.extend([first, last, 0]);
    segment(file, 0xDA, &body);
}

/// A single scan with everything.
fn write_scan(frame: &Frame, file: &mut Vec<u8>) -> Option<()> {
    let scan: Vec<usize> = (0..frame.components.len()).collect();
    let codes = best_codes(frame, &scan)?;
    for class in 0..scan.len().min(2) {
        put_code(file, class as u8, &codes.dc[class]);
        put_code(file, 0x10 | class as u8, &codes.ac[class]);
    }
    put_scan_header(file, frame, &scan, (0, 63));
    let dc = codes.dc.map(|code| code.to_table());
    let ac = codes.ac.map(|code| code.to_table());
    let mut writer = Writing {
        bits: BitWriter::behind(std::mem::take(file)),
        last_dc: [0; 4],
    };
    visit_scan(
        frame,
        &scan,
        &mut writer,
        |_| Some(()),
        |writer, component, block| {
            let class = class_of(component);
            let block = &frame.components[component].blocks[block];
            let (dc, ac) = (&dc[class], &ac[class]);
            let bits = &mut writer.bits;
            symbols(
                block,
                &mut writer.last_dc[component],
                |kind, symbol, value, size| {
                    let (code, length) = match kind {
                        Frequency::Dc => dc[usize::from(symbol)],
                        Frequency::Ac => ac[usize::from(symbol)],
                    };
                    bits.put((u32::from(code) << size) | value, u32::from(length) + size);
                },
            )
        },
    )?;
    *file = writer.bits.finish();
    Some(())
}

struct Writing {
    bits: BitWriter,
    last_dc: [i32; 4],
}

#[derive(Default)]
struct Counting {
    dc: Vec<[u32; 256]>,
    ac: Vec<[u32; 256]>,
    last_dc: [i32; 4],
}

fn best_codes(frame: &Frame, scan: &[usize]) -> Option<Codes> {
    let mut counting = Counting {
        dc: vec![[0; 256]; 2],
        ac: vec![[0; 256]; 2],
        ..Counting::default()
    };
    visit_scan(
        frame,
        scan,
        &mut counting,
        |_| Some(()),
        |counting, component, block| {
            let class = class_of(component);
            let block = &frame.components[component].blocks[block];
            let (dc, ac) = (&mut counting.dc[class], &mut counting.ac[class]);
            symbols(
                block,
                &mut counting.last_dc[component],
                |kind, symbol, _, _| match kind {
                    Frequency::Dc => dc[usize::from(symbol)] += 1,
                    Frequency::Ac => ac[usize::from(symbol)] += 1,
                },
            )
        },
    )?;
    let best = |counts: &[[u32; 256]]| [Code::best(&counts[0]), Code::best(&counts[1])];
    Some(Codes {
        dc: best(&counting.dc),
        ac: best(&counting.ac),
    })
}

/// Luminance has codes of its own.
pub(super) fn class_of(component: usize) -> usize {
    component.min(1)
}

#[derive(Clone, Copy)]
enum Frequency {
    Dc,
    Ac,
}

/// Calls `put(kind, symbol, bits behind it, their number)` for everything in a block (T.81,
/// F.1.2); `None` for values that are too large.
fn symbols(
    block: &Block,
    last_dc: &mut i32,
    mut put: impl FnMut(Frequency, u8, u32, u32),
) -> Option<()> {
    let (bits, size) = dc_difference(block, last_dc)?;
    put(Frequency::Dc, size as u8, bits, size);
    let mut zeros = 0;
    for &value in &block[1..] {
        if value == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            put(Frequency::Ac, 0xF0, 0, 0);
            zeros -= 16;
        }
        let (bits, size) = magnitude(value.into());
        if size > 10 {
            return None;
        }
        put(Frequency::Ac, (zeros << 4) as u8 | size as u8, bits, size);
        zeros = 0;
    }
    if zeros > 0 {
        put(Frequency::Ac, 0, 0, 0);
    }
    Some(())
}

/// The DC coefficient as the bits of a difference and how many there are; `None` if it is too large.
pub(super) fn dc_difference(block: &Block, last_dc: &mut i32) -> Option<(u32, u32)> {
    let dc = i32::from(block[0]);
    let (bits, size) = magnitude(dc - *last_dc);
    *last_dc = dc;
    (size <= 11).then_some((bits, size))
}

/// The bits of a number and how many there are.
pub(super) fn magnitude(value: i32) -> (u32, u32) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    let bits = if value < 0 {
        (value - 1) as u32 & ((1 << size) - 1)
    } else {
        value as u32
    };
    (bits, size)
}

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend((body.len() as u16 + 2).to_be_bytes());
    file.extend(body);
}
