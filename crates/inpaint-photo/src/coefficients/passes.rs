//! Writing progressive files (T.81, annex G): first the means of all blocks, then coarse structure,
//! then detail. All bits of a coefficient come at once, so nothing is corrected later.

use super::bits::BitWriter;
use super::encode::{class_of, dc_difference, magnitude, put_code, put_scan_header};
use super::huffman::Code;
use super::{Block, Frame, visit_scan};

/// Longest run of blocks that have nothing more.
const MAX_RUN: u32 = 0x7FFF;

/// Codes and scans.
pub(super) fn write(frame: &Frame, file: &mut Vec<u8>) -> Option<()> {
    let components: Vec<usize> = (0..frame.components.len()).collect();
    write_means(frame, &components, file)?;
    write_coefficients(frame, 0, (1, 5), file)?;
    for &component in &components[1..] {
        write_coefficients(frame, component, (1, 63), file)?;
    }
    write_coefficients(frame, 0, (6, 63), file)
}

/// DC coefficients of all components.
fn write_means(frame: &Frame, scan: &[usize], file: &mut Vec<u8>) -> Option<()> {
    let each = |put: &mut dyn FnMut(usize, u32, u32)| {
        let mut last_dc = [0; 4];
        let visit = |last_dc: &mut [i32; 4], component: usize, block: usize| {
            let block = &frame.components[component].blocks[block];
            let (bits, size) = dc_difference(block, &mut last_dc[component])?;
            put(class_of(component), bits, size);
            Some(())
        };
        visit_scan(frame, scan, &mut last_dc, |_| Some(()), visit)
    };
    let mut counts = [[0; 256]; 2];
    each(&mut |class, _, size| counts[class][size as usize] += 1)?;
    let codes = counts.each_ref().map(Code::best);
    for (class, code) in codes.iter().enumerate().take(scan.len()) {
        put_code(file, class as u8, code);
    }
    put_scan_header(file, frame, scan, (0, 0));
    let tables = codes.map(|code| code.to_table());
    let mut bits = BitWriter::behind(std::mem::take(file));
    each(&mut |class, value, size| {
        let (code, length) = tables[class][size as usize];
        bits.put((u32::from(code) << size) | value, u32::from(length) + size);
    })?;
    *file = bits.finish();
    Some(())
}

/// AC coefficients of one component from `band.0` to `band.1`.
fn write_coefficients(
    frame: &Frame,
    component: usize,
    band: (u8, u8),
    file: &mut Vec<u8>,
) -> Option<()> {
    let each = |put: &mut dyn FnMut(u8, u32, u32)| {
        let mut run = 0;
        let visit = |run: &mut u32, _: usize, block: usize| {
            let block = &frame.components[component].blocks[block];
            symbols(block, band, run, put)
        };
        visit_scan(frame, &[component], &mut run, |_| Some(()), visit)?;
        end_run(&mut run, put);
        Some(())
    };
    let mut counts = [0; 256];
    each(&mut |symbol, _, _| counts[usize::from(symbol)] += 1)?;
    let code = Code::best(&counts);
    put_code(file, 0x10 | class_of(component) as u8, &code);
    put_scan_header(file, frame, &[component], band);
    let table = code.to_table();
    let mut bits = BitWriter::behind(std::mem::take(file));
    each(&mut |symbol, value, size| {
        let (code, length) = table[usize::from(symbol)];
        bits.put(code.into(), length.into());
        bits.put(value, size);
    })?;
    *file = bits.finish();
    Some(())
}

/// Calls `put(symbol, bits behind it, their number)` for the coefficients of a block; `run` counts
/// the blocks before it that have ended. `None` for values that are too large.
fn symbols(
    block: &Block,
    (first, last): (u8, u8),
    run: &mut u32,
    put: &mut dyn FnMut(u8, u32, u32),
) -> Option<()> {
    let mut zeros = 0;
    for &value in &block[usize::from(first)..=usize::from(last)] {
        if value == 0 {
            zeros += 1;
            continue;
        }
        end_run(run, put);
        while zeros > 15 {
            put(0xF0, 0, 0);
            zeros -= 16;
        }
        let (bits, size) = magnitude(value.into());
        if size > 10 {
            return None;
        }
        put((zeros << 4) as u8 | size as u8, bits, size);
        zeros = 0;
    }
    if zeros > 0 {
        *run += 1;
        if *run == MAX_RUN {
            end_run(run, put);
        }
    }
    Some(())
}

/// Says that `run` blocks have nothing more.
fn end_run(run: &mut u32, put: &mut dyn FnMut(u8, u32, u32)) {
    if *run > 0 {
        let size = run.ilog2();
        put((size << 4) as u8, *run - (1 << size), size);
        *run = 0;
    }
}
