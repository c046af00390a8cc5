//! WebP files: how coarsely they are compressed, and what they hold that is not kept.
//!
//! Sources: RFC 9649 (the container); RFC 6386, sections 7, 9.2 to 9.6 and 19.2 (VP8).

/// Chunks that are read, belong to what is read, or are no loss on their own.
const KNOWN: [&[u8; 4]; 10] = [
    MISNAMED_XMP,
    b"VP8X",
    b"VP8 ",
    b"VP8L",
    b"ALPH",
    b"ANIM",
    b"ANMF",
    b"ICCP",
    b"EXIF",
    b"XMP ",
];

/// XMP as ImageMagick 6 writes it, where readers do not look for it.
const MISNAMED_XMP: &[u8; 4] = b"XMP\0";

/// The XMP of [`MISNAMED_XMP`].
pub(crate) fn misnamed_xmp(file: &[u8]) -> Option<Vec<u8>> {
    let (mut chunks, _) = chunks(file);
    let (_, data) = chunks.find(|(name, _)| *name == MISNAMED_XMP)?;
    Some(data.to_vec())
}

/// The chunks of a file, and what is behind it.
fn chunks(file: &[u8]) -> (impl Iterator<Item = (&[u8; 4], &[u8])>, &[u8]) {
    let size = file.get(4..8).and_then(|size| size.try_into().ok());
    let end = (size.map_or(0, u32::from_le_bytes) as usize).saturating_add(8);
    let (whole, behind) = file.split_at_checked(end).unwrap_or((file, &[]));
    let mut rest = whole.get(12..).unwrap_or_default();
    let chunks = std::iter::from_fn(move || {
        let (name, data, next) = chunk(rest)?;
        rest = next;
        Some((name, data))
    });
    (chunks, behind)
}

/// What is in the file and is not kept, in words.
pub(crate) fn lost(file: &[u8]) -> Vec<String> {
    let (chunks, behind) = chunks(file);
    let unknown = chunks.filter(|(name, _)| !KNOWN.contains(name));
    let mut lost: Vec<String> = unknown
        .map(|(name, _)| format!("the WebP chunk {}", name.escape_ascii()))
        .collect();
    if behind.iter().any(|&byte| byte != 0) {
        lost.push("what is stored behind the picture".to_owned());
    }
    lost
}

/// How coarsely a lossy file is quantised: VP8's index, from 0 to 127, as a mean over the
/// picture. `None` for a file without loss. Of an animation the first frame counts.
pub(crate) fn quantiser(file: &[u8]) -> Option<u8> {
    let mut rest = file.get(12..)?;
    loop {
        let (name, data, behind) = chunk(rest)?;
        match name {
            b"VP8 " => return mean_quantiser(data),
            b"VP8L" => return None,
            // Place, size and duration come before the chunks of the frame.
            b"ANMF" => rest = data.get(16..)?,
            _ => rest = behind,
        }
    }
}

/// Name and content of the first chunk, and what is behind it.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (size, rest) = rest.split_first_chunk()?;
    let size = u32::from_le_bytes(*size) as usize;
    let behind = rest.get(size.checked_add(size % 2)?..).unwrap_or_default();
    Some((name, rest.get(..size)?, behind))
}

fn mean_quantiser(frame: &[u8]) -> Option<u8> {
    // Three bytes about the frame, a code of three, width and height.
    let mut header = Booleans::new(frame.get(10..)?);
    let _space_and_clamping = header.number(2);
    let mut segments = None;
    if header.flag() {
        let is_map_new = header.flag();
        if header.flag() {
            let are_absolute = header.flag();
            let indices = [(); 4].map(|()| header.optional(7));
            let _filters = [(); 4].map(|()| header.optional(6));
            segments = Some((are_absolute, indices));
        }
        if is_map_new {
            let [high, low, last] = [(); 3].map(|()| match header.flag() {
                true => f32::from(header.number(8) as u8) / 256.0,
                false => 1.0,
            });
            let shares = [
                high * low,
                high * (1.0 - low),
                (1.0 - high) * last,
                (1.0 - high) * (1.0 - last),
            ];
            return Some(header.behind_filters(segments, shares));
        }
    }
    Some(header.behind_filters(segments, [1.0, 0.0, 0.0, 0.0]))
}

/// VP8's arithmetic decoder of booleans.
struct Booleans<'a> {
    bytes: &'a [u8],
    value: u32,
    range: u32,
    /// Bits of `value` that are still to be shifted out.
    num_bits: u32,
}

impl<'a> Booleans<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut booleans = Self {
            bytes,
            value: 0,
            range: 255,
            num_bits: 0,
        };
        booleans.value = booleans.next_byte() << 8;
        booleans.value |= booleans.next_byte();
        booleans
    }

    fn next_byte(&mut self) -> u32 {
        // Zeros behind the end.
        let Some((&first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        first.into()
    }

    /// A boolean that is as often true as false.
    fn flag(&mut self) -> bool {
        let split = 1 + (((self.range - 1) * 128) >> 8);
        let is_set = self.value >= split << 8;
        if is_set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.value <<= 1;
            self.range <<= 1;
            self.num_bits += 1;
            if self.num_bits == 8 {
                self.num_bits = 0;
                self.value |= self.next_byte();
            }
        }
        is_set
    }

    /// The highest bit comes first.
    fn number(&mut self, num_bits: u32) -> u32 {
        (0..num_bits).fold(0, |number, _| number << 1 | u32::from(self.flag()))
    }

    /// A number with its sign behind it, if there is one; zero otherwise.
    fn optional(&mut self, num_bits: u32) -> i32 {
        if !self.flag() {
            return 0;
        }
        let number = self.number(num_bits) as i32;
        if self.flag() { -number } else { number }
    }

    /// Reads from the loop filter on up to the picture's index, and gives the mean over the
    /// segments of these shares.
    fn behind_filters(mut self, segments: Option<(bool, [i32; 4])>, shares: [f32; 4]) -> u8 {
        let _kind_level_and_sharpness = self.number(1 + 6 + 3);
        if self.flag() && self.flag() {
            for _ in 0..8 {
                let _adjustment = self.optional(6);
            }
        }
        let _partitions = self.number(2);
        let base = self.number(7) as i32;
        let indices = match segments {
            Some((true, indices)) => indices,
            Some((false, differences)) => differences.map(|difference| base + difference),
            None => [base; 4],
        };
        let parts = indices.map(|index| index.clamp(0, 127) as f32);
        let sum: f32 = parts
            .iter()
            .zip(shares)
            .map(|(part, share)| part * share)
            .sum();
        sum.round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_webp::{ColorType, EncoderParams, WebPEncoder};

    fn file(quality: Option<u8>) -> Vec<u8> {
        let mut params = EncoderParams::default();
        params.use_lossy = quality.is_some();
        params.lossy_quality = quality.unwrap_or(0);
        let samples: Vec<u8> = (0..64 * 48 * 3).map(|i| (i * i / 97 % 251) as u8).collect();
        let mut file = Vec::new();
        let mut encoder = WebPEncoder::new(&mut file);
        encoder.set_params(params);
        encoder.encode(&samples, 64, 48, ColorType::Rgb8).unwrap();
        file
    }

    /// How a file of libwebp's begins, in a picture of 1600 × 1200.
    const FRAME_OF_LIBWEBP: [u8; 40] = [
        0x30, 0x07, 0x0B, 0x9D, 0x01, 0x2A, 0x40, 0x06, 0xB0, 0x04, 0x3E, 0x91, 0x44, 0x9C, 0x4A,
        0xA5, 0xA3, 0xA9, 0x2B, 0xA5, 0x32, 0x8A, 0xF1, 0x70, 0x12, 0x09, 0x67, 0x6E, 0x6F, 0x07,
        0xB8, 0x1C, 0x04, 0xBA, 0xB6, 0x89, 0x7F, 0x99, 0x7C, 0xD2,
    ];

    #[test]
    fn quantisers_are_what_the_encoder_was_told() {
        assert_eq!(quantiser(&file(None)), None);
        for quality in [0, 20, 50, 75, 90, 100] {
            // The encoder's own index, which it varies by up to 10 between segments.
            let index = 127 - u16::from(quality) * 127 / 100;
            let found = u16::from(quantiser(&file(Some(quality))).unwrap());
            assert!(
                found.abs_diff(index) <= 10,
                "{quality}: {found}, not {index}"
            );
        }
    }

    /// Of 4 segments with absolute indices, which `webpinfo` gives as 36, 34, 28 and 21, with the
    /// probabilities 41, 40 and 94.
    #[test]
    fn segments_count_by_their_share() {
        let size = (FRAME_OF_LIBWEBP.len() as u32).to_le_bytes();
        let file = [&b"RIFF\0\0\0\0WEBPVP8 "[..], &size, &FRAME_OF_LIBWEBP].concat();
        // 0.025 * 36 + 0.135 * 34 + 0.308 * 28 + 0.532 * 21
        assert_eq!(quantiser(&file), Some(25));
        let animated = [&[0; 16][..], &file[12..]].concat();
        let size = (animated.len() as u32).to_le_bytes();
        let head = b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\x02\0\0\0\0\0\0\0\0\0ANMF";
        let animation = [&head[..], &size, &animated].concat();
        assert_eq!(quantiser(&animation), Some(25));
        for end in 0..file.len() {
            let _ = quantiser(&file[..end]);
        }
    }

    #[test]
    fn what_is_not_kept_is_named() {
        let mut file = file(None);
        assert_eq!(lost(&file), Vec::<String>::new());
        file.extend(b"abcd\x03\0\0\0xyz\0");
        assert_eq!(lost(&file), ["what is stored behind the picture"]);
        let size = file.len() as u32 - 8;
        file[4..8].copy_from_slice(&size.to_le_bytes());
        assert_eq!(lost(&file), ["the WebP chunk abcd"]);
        assert_eq!(misnamed_xmp(&file), None);
        let at = file.len() - 12;
        file[at..at + 4].copy_from_slice(b"XMP\0");
        assert_eq!(lost(&file), Vec::<String>::new());
        assert_eq!(misnamed_xmp(&file).unwrap(), b"xyz");
        assert_eq!(lost(b"RIFF"), Vec::<String>::new());
    }
}
