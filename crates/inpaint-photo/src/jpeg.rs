//! The headers of JPEG files: how the picture was compressed.
//!
//! Source: ITU-T T.81, annex B.

/// Order in which the coefficients of a block are stored.
pub(crate) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Luminance quantisation of quality 50, row by row (T.81, table K.1).
const ANNEX_K_LUMINANCE: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// One colour component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub id: u8,
    /// Horizontal and vertical sampling factors.
    pub sampling: (u8, u8),
    /// Index of the quantisation table.
    pub table: u8,
}

/// What the headers before the first scan say. Whatever cannot be read is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct JpegHeader {
    /// Quantisation tables, row by row.
    pub tables: [Option<[u16; 64]>; 4],
    pub components: Vec<Component>,
    /// The components are red, green and blue rather than luminance and chrominance.
    pub is_rgb: bool,
    /// The picture comes in passes.
    pub is_progressive: bool,
    /// Each component has a scan of its own, though the file is not progressive.
    pub is_split: bool,
}

impl JpegHeader {
    pub fn parse(file: &[u8]) -> Self {
        let mut header = Self::default();
        for Segment { marker, data } in segments(file) {
            header.is_progressive |= marker == 0xC2;
            match marker {
                0xDB => header.read_tables(data),
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => header.read_frame(data),
                0xEE if data.starts_with(b"Adobe") => header.is_rgb = data.get(11) == Some(&0),
                START_OF_SCAN => {
                    let num_in_scan = data.first().map_or(0, |&count| usize::from(count));
                    header.is_split =
                        !header.is_progressive && num_in_scan < header.components.len();
                }
                _ => {}
            }
        }
        let ids: Vec<u8> = header.components.iter().map(|c| c.id).collect();
        header.is_rgb = header.components.len() == 3 && (header.is_rgb || ids == *b"RGB");
        header
    }

    fn read_tables(&mut self, mut data: &[u8]) {
        while let [kind, rest @ ..] = data {
            let (wide, index) = (kind >> 4 != 0, usize::from(kind & 15));
            let length = if wide { 128 } else { 64 };
            let Some(values) = rest.get(..length).filter(|_| index < 4) else {
                return;
            };
            let mut table = [0; 64];
            for (k, &position) in ZIGZAG.iter().enumerate() {
                table[position] = if wide {
                    u16::from_be_bytes([values[2 * k], values[2 * k + 1]])
                } else {
                    values[k].into()
                };
            }
            // Zeros would divide by zero later.
            self.tables[index] = (!table.contains(&0)).then_some(table);
            data = &rest[length..];
        }
    }

    fn read_frame(&mut self, data: &[u8]) {
        let count = usize::from(data.get(5).copied().unwrap_or(0));
        let Some(components) = data.get(6..6 + 3 * count) else {
            return;
        };
        self.components = (components.chunks_exact(3))
            .map(|c| Component {
                id: c[0],
                sampling: (c[1] >> 4, c[1] & 15),
                table: c[2],
            })
            .collect();
    }

    /// The quantisation table of a component.
    pub fn table_of(&self, component: usize) -> Option<&[u16; 64]> {
        let index = usize::from(self.components.get(component)?.table);
        self.tables.get(index)?.as_ref()
    }

    /// Whether quantisers need more than 8 bits.
    pub fn is_wide(&self) -> bool {
        let mut quantisers = self.tables.iter().flatten().flatten();
        quantisers.any(|&quantiser| quantiser > 255)
    }

    /// The quality, 1 to 100 on the scale of the Independent JPEG Group, whose luminance table
    /// is nearest to the file's.
    pub fn quality(&self) -> Option<u8> {
        let table = self.table_of(0)?;
        let distance = |quality: u8| -> u64 {
            let pairs = table.iter().zip(&ANNEX_K_LUMINANCE);
            pairs
                .map(|(&found, &base)| u64::from(found.abs_diff(quantiser(base, quality))))
                .sum()
        };
        (1..=100).min_by_key(|&quality| distance(quality))
    }
}

/// A quantiser of the Independent JPEG Group's tables.
fn quantiser(base: u16, quality: u8) -> u16 {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 {
        5000 / quality
    } else {
        200 - 2 * quality
    };
    ((u32::from(base) * percent + 50) / 100).clamp(1, 255) as u16
}

/// A marker and what belongs to it, without its length.
pub(crate) struct Segment<'a> {
    pub marker: u8,
    pub data: &'a [u8],
}

const START_OF_SCAN: u8 = 0xDA;

/// The segments before the first scan, and the header of that.
pub(crate) fn segments(file: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 2;
    std::iter::from_fn(move || {
        loop {
            let &[0xFF, marker] = file.get(at..at + 2)? else {
                return None;
            };
            match marker {
                // Fill bytes and markers that stand alone have no length.
                0xFF => at += 1,
                0x01 | 0xD0..=0xD8 => at += 2,
                _ => {
                    let length = file.get(at + 2..at + 4)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                    let data = file.get(at + 4..at + 2 + length)?;
                    at = if marker == START_OF_SCAN {
                        file.len()
                    } else {
                        at + 2 + length
                    };
                    return Some(Segment { marker, data });
                }
            }
        }
    })
}

/// The kind of a file that the decoder does not know, in words.
pub(crate) fn unreadable_kind(file: &[u8]) -> Option<String> {
    // T.81, table B.1, and T.87 for JPEG-LS; all but definitions of codes (C4, C8, CC).
    let is_frame = |segment: &Segment| {
        let marker = segment.marker;
        matches!(marker, 0xC0..=0xCF | 0xF7) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
    };
    let frame = segments(file).find(is_frame)?;
    let bits = frame.data.first().copied().unwrap_or(8);
    Some(match frame.marker {
        0xF7 => "JPEG-LS".to_owned(),
        0xC3 | 0xC7 => "lossless".to_owned(),
        0xC5 | 0xC6 => "hierarchical".to_owned(),
        0xC9..=0xCF => "arithmetic coding".to_owned(),
        _ if bits != 8 => format!("{bits} bits per sample"),
        _ => return None,
    })
}

/// Whether an end-of-image marker follows the first scan. The decoder would fill a missing rest
/// with grey without a word; markers of an embedded thumbnail come before the first scan.
pub(crate) fn is_complete(file: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, marker]) = file.get(at..at + 2) {
        if marker == START_OF_SCAN {
            return file[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        // Fill bytes and markers that stand alone have no length.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            at += 2;
            continue;
        }
        let Some(&[high, low]) = file.get(at + 2..at + 4) else {
            return false;
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
    }
    // Cut off between two markers, or something that the decoder has to judge.
    at + 2 <= file.len()
}

/// Width and height as they are stored.
pub(crate) fn stored_size(file: &[u8]) -> Option<(u32, u32)> {
    let frame = segments(file).find(|segment| matches!(segment.marker, 0xC0..=0xC2))?;
    let &[_, h1, h0, w1, w0, ..] = frame.data else {
        return None;
    };
    let number = |bytes| u32::from(u16::from_be_bytes(bytes));
    Some((number([w1, w0]), number([h1, h0])))
}

/// The file with the end-of-image marker that it lacks.
pub(crate) fn with_end(file: &[u8]) -> Vec<u8> {
    let cut_marker = usize::from(file.ends_with(&[0xFF]));
    [&file[..file.len() - cut_marker], &[0xFF, 0xD9]].concat()
}

/// Where the picture ends: behind the first end-of-image marker that lies in no segment.
pub(crate) fn picture_end(file: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // To the next marker, over the coefficients of a scan.
        at += file.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        match *file.get(at + 1)? {
            0xFF => at += 1,
            0 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => return Some(at + 2),
            _ => {
                let length = file.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{GrayImage, ImageFormat, Luma, RgbImage};
    use std::io::Cursor;

    #[test]
    fn the_end_of_a_jpeg_is_looked_for_behind_its_first_scan() {
        let mut file = Cursor::new(Vec::new());
        let picture = GrayImage::from_pixel(40, 30, Luma([90]));
        picture.write_to(&mut file, ImageFormat::Jpeg).unwrap();
        let mut file = file.into_inner();
        assert!(is_complete(&file));
        file.extend(*b"what some cameras append");
        assert!(is_complete(&file));
        let scan = file.windows(2).position(|p| p == [0xFF, 0xDA]).unwrap();
        for end in [2, 3, 20, scan, scan + 4, scan + 12] {
            assert!(!is_complete(&file[..end]), "{end} bytes");
        }
    }

    #[test]
    fn the_quality_is_that_which_the_file_was_made_with() {
        for quality in [1, 10, 49, 50, 75, 90, 95, 100] {
            let mut file = Vec::new();
            let encoder = JpegEncoder::new_with_quality(&mut file, quality);
            RgbImage::new(8, 8).write_with_encoder(encoder).unwrap();
            let header = JpegHeader::parse(&file);
            assert_eq!(header.quality(), Some(quality));
            assert_eq!(header.components.len(), 3);
        }
    }
}
