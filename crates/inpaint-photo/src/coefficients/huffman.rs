//! Huffman codes (T.81, annexes C and K.2).

use super::bits::BitReader;

/// Bits that are looked up at once.
const FAST_BITS: u32 = 9;

/// How many codes of each length from 1 to 16 there are, and their symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    pub counts: [u8; 16],
    pub symbols: Vec<u8>,
}

/// A code to read with.
pub(super) struct Decoder {
    symbols: Vec<u8>,
    /// Symbol and length of the code that begins with these bits; length 0 for longer codes.
    fast: Vec<(u8, u8)>,
    /// For each length: the first 16-bit prefix behind its codes, and what to add to a code to
    /// find its symbol.
    ends: [u32; 16],
    offsets: [i32; 16],
}

impl Code {
    /// Codes by symbol: bits and their number; 0 bits for symbols without a code.
    pub fn to_table(&self) -> [(u16, u8); 256] {
        let mut table = [(0, 0); 256];
        for (code, length, symbol) in self.codes() {
            table[usize::from(symbol)] = (code as u16, length as u8);
        }
        table
    }

    fn codes(&self) -> impl Iterator<Item = (u32, u32, u8)> {
        let lengths = self.counts.iter().zip(1..);
        let lengths = lengths.flat_map(|(&count, length)| (0..count).map(move |_| length));
        let mut code = 0;
        let mut last = 1;
        lengths.zip(&self.symbols).map(move |(length, &symbol)| {
            code <<= length - last;
            last = length;
            code += 1;
            (code - 1, length, symbol)
        })
    }

    /// `None` if the counts are no code.
    pub fn to_decoder(&self) -> Option<Decoder> {
        let mut fast = vec![(0, 0); 1 << FAST_BITS];
        let mut ends = [0; 16];
        let mut offsets = [0; 16];
        let mut code = 0u32;
        let mut index = 0i32;
        for (i, &count) in self.counts.iter().enumerate() {
            let length = i as u32 + 1;
            offsets[i] = index - code as i32;
            code += u32::from(count);
            index += i32::from(count);
            if code > 1 << length {
                return None;
            }
            ends[i] = code << (16 - length);
            code <<= 1;
        }
        if usize::try_from(index) != Ok(self.symbols.len()) {
            return None;
        }
        for (code, length, symbol) in self.codes().filter(|code| code.1 <= FAST_BITS) {
            let free = FAST_BITS - length;
            let first = (code << free) as usize;
            fast[first..first + (1 << free)].fill((symbol, length as u8));
        }
        Some(Decoder {
            symbols: self.symbols.clone(),
            fast,
            ends,
            offsets,
        })
    }

    /// The best code of at most 16 bits for symbols with these frequencies.
    pub fn best(frequencies: &[u32; 256]) -> Self {
        const NONE: usize = usize::MAX;
        // Symbol 256 reserves the code of ones only, which T.81 forbids.
        let mut frequency = [0u64; 257];
        for (sum, &n) in frequency.iter_mut().zip(frequencies) {
            *sum = n.into();
        }
        frequency[256] = 1;
        let mut length = [0usize; 257];
        let mut next = [NONE; 257];
        loop {
            // The two least frequent trees; of equal ones the later, so that 256 gets the longest.
            let mut least = [NONE; 2];
            for i in (0..257).filter(|&i| frequency[i] > 0) {
                if least[0] == NONE || frequency[i] <= frequency[least[0]] {
                    least = [i, least[0]];
                } else if least[1] == NONE || frequency[i] <= frequency[least[1]] {
                    least[1] = i;
                }
            }
            let [a, b] = least;
            if b == NONE {
                break;
            }
            frequency[a] += frequency[b];
            frequency[b] = 0;
            // Join the chains of symbols; all of them get a bit longer.
            let mut end = a;
            loop {
                length[end] += 1;
                if next[end] == NONE {
                    break;
                }
                end = next[end];
            }
            next[end] = b;
            let mut member = b;
            while member != NONE {
                length[member] += 1;
                member = next[member];
            }
        }
        // No code can be longer than there are symbols.
        let mut counts = [0usize; 258];
        for &length in length.iter().filter(|&&length| length > 0) {
            counts[length] += 1;
        }
        // Shorten what is longer than 16 bits (T.81, figure K.3).
        for long in (17..258).rev() {
            while counts[long] > 0 {
                let mut short = long - 2;
                while counts[short] == 0 {
                    short -= 1;
                }
                counts[long] -= 2;
                counts[long - 1] += 1;
                counts[short + 1] += 2;
                counts[short] -= 1;
            }
        }
        if let Some(longest) = counts.iter().rposition(|&count| count > 0) {
            counts[longest] -= 1;
        }
        let mut symbols: Vec<u8> = (0..=255).filter(|&s| length[usize::from(s)] > 0).collect();
        symbols.sort_by_key(|&symbol| length[usize::from(symbol)]);
        let mut code = Self {
            counts: [0; 16],
            symbols,
        };
        for (count, &n) in code.counts.iter_mut().zip(&counts[1..]) {
            *count = n as u8;
        }
        code
    }
}

impl Decoder {
    /// The next symbol; `None` for bits that are no code.
    pub fn next(&self, bits: &mut BitReader) -> Option<u8> {
        let peeked = bits.peek16();
        let (symbol, length) = self.fast[usize::from(peeked >> (16 - FAST_BITS))];
        if length > 0 {
            bits.skip(length.into());
            return Some(symbol);
        }
        let i = self.ends.iter().position(|&end| u32::from(peeked) < end)?;
        let length = i as u32 + 1;
        bits.skip(length);
        let code = i32::from(peeked) >> (16 - length);
        self.symbols.get((code + self.offsets[i]) as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::BitWriter;
    use super::*;

    fn round_trip(frequencies: &[u32; 256]) -> Code {
        let code = Code::best(frequencies);
        let table = code.to_table();
        let used: Vec<u8> = (0..=255)
            .filter(|&s| frequencies[usize::from(s)] > 0)
            .collect();
        assert_eq!(code.symbols.len(), used.len());
        let mut writer = BitWriter::default();
        for &symbol in &used {
            let (bits, length) = table[usize::from(symbol)];
            assert!((1..=16).contains(&length));
            assert_ne!(u32::from(bits), (1u32 << length) - 1, "ones only");
            writer.put(bits.into(), length.into());
        }
        let bytes = writer.finish();
        let mut reader = BitReader::new(&bytes, 0);
        let decoder = code.to_decoder().unwrap();
        for &symbol in &used {
            assert_eq!(decoder.next(&mut reader), Some(symbol));
        }
        code
    }

    #[test]
    fn frequent_symbols_get_short_codes() {
        let mut frequencies = [0; 256];
        (frequencies[3], frequencies[7], frequencies[200]) = (100, 10, 1);
        let code = round_trip(&frequencies);
        assert_eq!(code.symbols, [3, 7, 200]);
        assert_eq!(code.counts[..4], [1, 1, 1, 0]);
    }

    #[test]
    fn any_frequencies_give_a_code_of_16_bits() {
        let mut one = [0; 256];
        one[9] = 5;
        assert_eq!(round_trip(&one).counts[0], 1);
        round_trip(&[1; 256]);
        // Fibonacci's numbers make the deepest trees.
        let mut deep = [0; 256];
        let (mut a, mut b) = (1u32, 1u32);
        for frequency in &mut deep[..40] {
            *frequency = a;
            (a, b) = (b, a + b);
        }
        round_trip(&deep);
    }

    #[test]
    fn counts_that_are_no_code_are_refused() {
        let code = |counts: &[u8], symbols: usize| {
            let mut all = [0; 16];
            all[..counts.len()].copy_from_slice(counts);
            Code {
                counts: all,
                symbols: (0..symbols as u8).collect(),
            }
        };
        assert!(code(&[2], 2).to_decoder().is_some());
        assert!(code(&[3], 3).to_decoder().is_none());
        assert!(code(&[1, 1], 3).to_decoder().is_none());
        // A code with gaps: the missing bits are no symbol.
        let decoder = code(&[1], 1).to_decoder().unwrap();
        assert_eq!(decoder.next(&mut BitReader::new(&[0x80], 0)), None);
    }
}
