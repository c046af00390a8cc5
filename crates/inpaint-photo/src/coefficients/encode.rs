//! From coefficients to the scan of a JPEG file.

use super::bits::BitWriter;
use super::huffman::Code;
use super::{Block, Frame, visit_scan};

/// Codes for the first component and for the others, DC and AC.
struct Codes {
    dc: [Code; 2],
    ac: [Code; 2],
}

/// Frame header, codes, scan and end of a sequential file; the caller puts everything else before
/// it. `is_wide` says that quantisers of 16 bits come before. `None` for coefficients that no
/// sequential file holds.
pub(crate) fn encode(frame: &Frame, is_wide: bool) -> Option<Vec<u8>> {
    let scan: Vec<usize> = (0..frame.components.len()).collect();
    let codes = best_codes(frame, &scan)?;
    let mut head = Vec::new();
    let mut body = vec![8];
    body.extend((frame.height as u16).to_be_bytes());
    body.extend((frame.width as u16).to_be_bytes());
    body.push(scan.len() as u8);
    for plane in &frame.components {
        let (horizontal, vertical) = plane.sampling;
        body.extend([plane.id, ((horizontal << 4) | vertical) as u8, plane.table]);
    }
    segment(&mut head, if is_wide { 0xC1 } else { 0xC0 }, &body);
    for class in 0..scan.len().min(2) {
        for (kind, code) in [(0, &codes.dc[class]), (0x10, &codes.ac[class])] {
            let body = [&[kind | class as u8][..], &code.counts[..], &code.symbols].concat();
            segment(&mut head, 0xC4, &body);
        }
    }
    let mut body = vec![scan.len() as u8];
    for (component, plane) in frame.components.iter().enumerate() {
        body.extend([plane.id, 0x11 * class_of(component) as u8]);
    }
    body.extend([0, 63, 0]);
    segment(&mut head, 0xDA, &body);

    let dc = codes.dc.map(|code| code.to_table());
    let ac = codes.ac.map(|code| code.to_table());
    let mut writer = Writing {
        bits: BitWriter::default(),
        last_dc: [0; 4],
    };
    writer.bits.bytes = head;
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
                        Kind::Dc => dc[usize::from(symbol)],
                        Kind::Ac => ac[usize::from(symbol)],
                    };
                    bits.put((u32::from(code) << size) | value, u32::from(length) + size);
                },
            )
        },
    )?;
    let mut bytes = writer.bits.finish();
    bytes.extend([0xFF, 0xD9]);
    Some(bytes)
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
                    Kind::Dc => dc[usize::from(symbol)] += 1,
                    Kind::Ac => ac[usize::from(symbol)] += 1,
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
fn class_of(component: usize) -> usize {
    component.min(1)
}

#[derive(Clone, Copy)]
enum Kind {
    Dc,
    Ac,
}

/// Calls `put(kind, symbol, bits behind it, their number)` for everything in a block (T.81,
/// F.1.2); `None` for values that are too large.
fn symbols(
    block: &Block,
    last_dc: &mut i32,
    mut put: impl FnMut(Kind, u8, u32, u32),
) -> Option<()> {
    let dc = i32::from(block[0]);
    let (bits, size) = magnitude(dc - *last_dc);
    *last_dc = dc;
    if size > 11 {
        return None;
    }
    put(Kind::Dc, size as u8, bits, size);
    let mut zeros = 0;
    for &value in &block[1..] {
        if value == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            put(Kind::Ac, 0xF0, 0, 0);
            zeros -= 16;
        }
        let (bits, size) = magnitude(value.into());
        if size > 10 {
            return None;
        }
        put(Kind::Ac, (zeros << 4) as u8 | size as u8, bits, size);
        zeros = 0;
    }
    if zeros > 0 {
        put(Kind::Ac, 0, 0, 0);
    }
    Some(())
}

/// The bits of a number and how many there are.
fn magnitude(value: i32) -> (u32, u32) {
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
