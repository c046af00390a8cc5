//! Passes of progressive files (T.81, annex G).

use super::Block;
use super::bits::BitReader;
use super::decode::read_dc;
use super::huffman::Decoder;

/// Which coefficients a scan brings, and which of their bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    first: usize,
    last: usize,
    /// The bits were begun by an earlier pass.
    is_refinement: bool,
    /// Lowest bit of this pass.
    bit: u32,
}

impl Pass {
    /// That of sequential files.
    pub const WHOLE: Self = Self {
        first: 0,
        last: 63,
        is_refinement: false,
        bit: 0,
    };

    /// From the scan's header; `None` if it makes no sense.
    pub fn new(first: u8, last: u8, approximation: u8) -> Option<Self> {
        let pass = Self {
            first: first.into(),
            last: last.into(),
            is_refinement: approximation >> 4 != 0,
            bit: (approximation & 15).into(),
        };
        let is_dc = (first, last) == (0, 0);
        let is_ac = first > 0 && first <= last && last < 64;
        ((is_dc || is_ac) && pass.bit < 14).then_some(pass)
    }

    pub fn is_dc(&self) -> bool {
        self.first == 0
    }

    /// Reads what this pass has for a block.
    pub fn read<'a>(
        self,
        block: &mut Block,
        bits: &mut BitReader,
        dc: impl Fn() -> Option<&'a Decoder>,
        ac: impl Fn() -> Option<&'a Decoder>,
        last_dc: &mut i32,
        end_run: &mut u32,
    ) -> Option<()> {
        match (self.is_dc(), self.is_refinement) {
            (true, false) => {
                let value = i32::from(read_dc(bits, dc()?, last_dc)?) << self.bit;
                block[0] = i16::try_from(value).ok()?;
            }
            (true, true) => block[0] |= (bits.take(1) << self.bit) as i16,
            (false, false) => self.begin(block, bits, ac()?, end_run)?,
            (false, true) => self.refine(block, bits, ac()?, end_run)?,
        }
        Some(())
    }

    /// First bits of AC coefficients (G.1.2.2).
    fn begin(
        self,
        block: &mut Block,
        bits: &mut BitReader,
        ac: &Decoder,
        end_run: &mut u32,
    ) -> Option<()> {
        if *end_run > 0 {
            *end_run -= 1;
            return Some(());
        }
        let mut k = self.first;
        while k <= self.last {
            let symbol = ac.next(bits)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => k += 16,
                (_, 0) => {
                    *end_run = (1 << zeros) - 1 + bits.take(zeros);
                    break;
                }
                _ => {
                    k += zeros as usize;
                    if k > self.last {
                        return None;
                    }
                    block[k] = i16::try_from(bits.take_signed(size) << self.bit).ok()?;
                    k += 1;
                }
            }
        }
        Some(())
    }

    /// One more bit of AC coefficients (G.1.2.3).
    fn refine(
        self,
        block: &mut Block,
        bits: &mut BitReader,
        ac: &Decoder,
        end_run: &mut u32,
    ) -> Option<()> {
        let step = 1i16 << self.bit;
        let correct = |value: &mut i16, bits: &mut BitReader| {
            if bits.take(1) == 1 && *value & step == 0 {
                *value = value.saturating_add(if *value >= 0 { step } else { -step });
            }
        };
        let mut k = self.first;
        if *end_run == 0 {
            while k <= self.last {
                let symbol = ac.next(bits)?;
                let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
                let new = match size {
                    0 if zeros < 15 => {
                        *end_run = (1 << zeros) + bits.take(zeros);
                        break;
                    }
                    0 => 0,
                    1 if bits.take(1) == 1 => step,
                    1 => -step,
                    _ => return None,
                };
                // Skips `zeros` coefficients that are still zero, correcting the others.
                while k <= self.last {
                    let value = &mut block[k];
                    if *value != 0 {
                        correct(value, bits);
                    } else if zeros == 0 {
                        *value = new;
                        k += 1;
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
            }
        }
        if *end_run > 0 {
            for value in block[k..=self.last].iter_mut().filter(|value| **value != 0) {
                correct(value, bits);
            }
            *end_run -= 1;
        }
        Some(())
    }
}
