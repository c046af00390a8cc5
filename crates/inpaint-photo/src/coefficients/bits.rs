//! Bits of entropy-coded data (T.81, F.2.2.5 and F.1.2.3).

/// Reads bits up to the next marker.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, the first one on top.
    buffer: u64,
    /// Valid bits in `buffer`.
    count: u32,
    /// How many of them were made up behind the end.
    made_up: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at,
            buffer: 0,
            count: 0,
            made_up: 0,
        }
    }

    fn refill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([byte, ..]) if *byte != 0xFF => {
                    self.at += 1;
                    *byte
                }
                // A marker, or the end of the file.
                _ => {
                    self.made_up += 8;
                    0
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next 16 bits, without taking them.
    pub fn peek16(&mut self) -> u16 {
        if self.count < 16 {
            self.refill();
        }
        (self.buffer >> 48) as u16
    }

    /// Takes bits that were peeked at.
    pub fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// The next `count` bits, at most 16.
    pub fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let bits = u32::from(self.peek16()) >> (16 - count);
        self.skip(count);
        bits
    }

    /// The next `count` bits as a signed number (T.81, F.2.2.1: EXTEND).
    pub fn take_signed(&mut self, count: u32) -> i32 {
        if count == 0 {
            return 0;
        }
        let bits = self.take(count) as i32;
        if bits < 1 << (count - 1) {
            bits - (1 << count) + 1
        } else {
            bits
        }
    }

    /// Whether more bits were taken than there are.
    pub fn is_overrun(&self) -> bool {
        self.count < self.made_up
    }

    /// Goes behind the restart marker that has to come next.
    pub fn restart(&mut self) -> Option<()> {
        let at = self.next_marker()?;
        if self.is_overrun() || !(0xD0..=0xD7).contains(&self.data[at + 1]) {
            return None;
        }
        *self = Self::new(self.data, at + 2);
        Some(())
    }

    /// Where the next marker is.
    pub fn next_marker(&self) -> Option<usize> {
        let rest = self.data.get(self.at..)?;
        let found = rest
            .windows(2)
            .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF));
        Some(self.at + found?)
    }
}

/// Collects bits.
#[derive(Default)]
pub(super) struct BitWriter {
    pub bytes: Vec<u8>,
    buffer: u64,
    count: u32,
}

impl BitWriter {
    /// Goes on behind these bytes.
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Adds the low `count` bits, at most 32.
    pub fn put(&mut self, bits: u32, count: u32) {
        self.buffer = (self.buffer << count) | u64::from(bits);
        self.count += count;
        while self.count >= 8 {
            let byte = (self.buffer >> (self.count - 8)) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
            self.count -= 8;
        }
        self.buffer &= (1 << self.count) - 1;
    }

    /// Fills up the last byte with ones.
    pub fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            let missing = 8 - self.count;
            self.put((1 << missing) - 1, missing);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_and_the_end_is_noticed() {
        let mut writer = BitWriter::default();
        let numbers = [(1, 1), (0, 3), (0xFFFF, 16), (0x5A5, 11), (0xFF, 8), (3, 2)];
        for (bits, count) in numbers {
            writer.put(bits, count);
        }
        let bytes = writer.finish();
        assert!(bytes.windows(2).any(|pair| pair == [0xFF, 0]));
        let mut reader = BitReader::new(&bytes, 0);
        for (bits, count) in numbers {
            assert_eq!(reader.take(count), bits);
        }
        assert!(!reader.is_overrun());
        reader.take(8);
        assert!(reader.is_overrun());
    }

    #[test]
    fn signed_numbers() {
        // Category 3 is −7…−4 and 4…7.
        let mut reader = BitReader::new(&[0b0001_1110, 0b0000_0000], 0);
        assert_eq!(reader.take_signed(3), -7);
        assert_eq!(reader.take_signed(3), 7);
        assert_eq!(reader.take_signed(0), 0);
    }

    #[test]
    fn restarts_are_found_behind_the_last_bits() {
        let mut reader = BitReader::new(&[0xAB, 0xFF, 0xD3, 0xCD], 0);
        assert_eq!(reader.take(4), 0xA);
        reader.restart().unwrap();
        assert_eq!(reader.take(8), 0xCD);
        assert!(reader.restart().is_none());
    }
}
