//! What PNG files store beside the picture, in chunks.
//!
//! Profiles for which PNG had no chunk of its own are written as texts of hexadecimal digits, a
//! habit of ImageMagick that other programs follow.
//!
//! Sources: PNG, third edition; ImageMagick's `coders/png.c`.

use crate::metadata::{Density, DensityUnit, Metadata};
use crate::pictures;
use flate2::read::ZlibDecoder;
use image::ColorType;
use std::borrow::Cow;
use std::fmt::Write;
use std::io::Read;

/// Longest text that is unpacked.
const MAX_TEXT: u64 = 64 << 20;
const PROFILE: &str = "Raw profile type ";
/// Chunks of the picture itself, those that the decoder reads, and those that are no loss where the
/// picture is written anew: the use of a palette, and where Apple's programs cut the data.
const CONSUMED: [&[u8; 4]; 10] = [
    b"IHDR", b"IDAT", b"tRNS", b"iCCP", b"fcTL", b"fdAT", b"hIST", b"sPLT", b"iDOT", b"dSIG",
];
/// How the samples are meant, and when they were.
const ABOUT_SAMPLES: [&[u8; 4]; 9] = [
    b"sBIT", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tIME", b"bKGD",
];
/// Most bytes of a chunk that is kept without being understood.
const MAX_UNKNOWN: usize = 2048;

/// A chunk that is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PngChunk {
    pub name: [u8; 4],
    pub data: Vec<u8>,
}

impl PngChunk {
    /// Whether people wrote it, or a program for people.
    pub fn is_text(&self) -> bool {
        matches!(&self.name, b"tEXt" | b"zTXt" | b"iTXt")
    }

    /// Whether nobody here knows what it says.
    pub fn is_unknown(&self) -> bool {
        !self.is_text() && !ABOUT_SAMPLES.contains(&&self.name)
    }

    /// What it says for samples of this kind, if it says something about samples at all; `None` if
    /// it is for another kind.
    pub fn fitting(&self, color: ColorType, depth: u8) -> Option<Cow<'_, [u8]>> {
        let data = Cow::Borrowed(&self.data[..]);
        let num_channels = usize::from(color.channel_count());
        match &self.name {
            // Significant bits of every channel.
            b"sBIT" => {
                let mut bits = self.data.clone();
                if color.has_alpha() && bits.len() + 1 == num_channels {
                    bits.push(depth);
                }
                let is_fitting = bits.len() == num_channels;
                let is_possible = bits.iter().all(|&bits| (1..=depth).contains(&bits));
                (is_fitting && is_possible).then_some(Cow::Owned(bits))
            }
            // A colour in 16 bits to the channel, of which a picture of one bit has one.
            b"bKGD" if depth == 1 => Some(Cow::Owned(vec![0, data.get(1)? >> 7])),
            b"bKGD" => {
                let length = if color.has_color() { 6 } else { 2 };
                (data.len() == length).then_some(data)
            }
            _ => Some(data),
        }
    }
}

/// Colour of the background as a picture without palette has it: two bytes to the channel, and
/// small grey values spread over a byte, as the samples are.
fn background(file: &[u8], palette: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    // Behind the signature and the sizes: depth and colour type.
    match (*file.get(24)?, *file.get(25)?, data) {
        (_, 3, &[index]) => {
            let colour = palette.chunks_exact(3).nth(index.into())?;
            Some(vec![0, colour[0], 0, colour[1], 0, colour[2]])
        }
        (depth @ (1 | 2 | 4), 0, &[0, grey]) => {
            let white = (1u16 << depth) - 1;
            let grey = u16::from(grey).min(white) * 255 / white;
            Some(vec![0, grey as u8])
        }
        (8 | 16, 0 | 4, [_, _]) | (8 | 16, 2 | 6, [_, _, _, _, _, _]) => Some(data.to_vec()),
        _ => None,
    }
}

/// Collects what `file` holds, but for its colour profile.
pub(crate) fn read(file: &[u8], metadata: &mut Metadata) {
    let mut rest = file.get(8..).unwrap_or_default();
    let mut palette: &[u8] = &[];
    while let [a, b, c, d, n0, n1, n2, n3, data @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let name = [*n0, *n1, *n2, *n3];
        let Some(content) = data.get(..length) else {
            return;
        };
        match &name {
            b"pHYs" => metadata.density = density(content),
            b"acTL" => metadata.is_first_of_several = true,
            b"eXIf" => metadata.exif = Some(content.to_vec()),
            b"caBX" => metadata.lose("the content credentials (C2PA)"),
            b"PLTE" => palette = content,
            b"bKGD" => {
                let data = background(file, palette, content);
                let chunk = data.map(|data| PngChunk { name, data });
                metadata.png_chunks.extend(chunk);
            }
            known if ABOUT_SAMPLES.contains(&known) => {
                let data = content.to_vec();
                metadata.png_chunks.push(PngChunk { name, data });
            }
            b"tEXt" | b"zTXt" | b"iTXt" => read_text(name, content, metadata),
            b"IEND" => {
                let behind = data.get(length + 4..).unwrap_or_default();
                metadata.has_data_behind = behind.iter().any(|&byte| byte != 0);
                return;
            }
            known if CONSUMED.contains(&known) => {}
            _ if is_independent(&name) && length <= MAX_UNKNOWN && !pictures::is_any(content) => {
                let data = content.to_vec();
                metadata.png_chunks.push(PngChunk { name, data });
            }
            _ => metadata.lose(format!("the PNG chunk {}", name.escape_ascii())),
        }
        rest = data.get(length + 4..).unwrap_or_default();
    }
}

/// Whether a chunk's name says that nobody needs to know it, and that what it says stays true where
/// the picture changes.
fn is_independent(name: &[u8; 4]) -> bool {
    name.iter().all(u8::is_ascii_alphabetic)
        && name[0].is_ascii_lowercase()
        && name[2].is_ascii_uppercase()
        && name[3].is_ascii_lowercase()
}

fn read_text(name: [u8; 4], content: &[u8], metadata: &mut Metadata) {
    let Some((keyword, text)) = unpack(&name, content) else {
        metadata.lose("a PNG text that cannot be read");
        return;
    };
    if keyword == "XML:com.adobe.xmp" {
        metadata.xmp = Some(text);
    } else if let Some(kind) = keyword.strip_prefix(PROFILE) {
        match profile(&text) {
            Some(bytes) => add_profile(kind, bytes, metadata),
            None => metadata.lose(format!("the PNG text “{keyword}”, which cannot be read")),
        }
    } else if pictures::is_any(&text) {
        metadata.lose(format!("the PNG text “{keyword}”, which holds a picture"));
    } else {
        let data = content.to_vec();
        metadata.png_chunks.push(PngChunk { name, data });
    }
}

/// Keyword and text of a chunk.
fn unpack(name: &[u8; 4], content: &[u8]) -> Option<(String, Vec<u8>)> {
    let (keyword, rest) = split_at_zero(content)?;
    let keyword = keyword.iter().map(|&byte| char::from(byte)).collect();
    let inflated = |packed: &[u8]| {
        let mut text = Vec::new();
        let mut decoder = ZlibDecoder::new(packed).take(MAX_TEXT + 1);
        decoder.read_to_end(&mut text).ok()?;
        (text.len() as u64 <= MAX_TEXT).then_some(text)
    };
    let text = match name {
        b"tEXt" => rest.to_vec(),
        b"zTXt" => inflated(rest.get(1..)?)?,
        _ => {
            let (_language, text) = split_at_zero(rest.get(2..)?)?;
            let (_translated, text) = split_at_zero(text)?;
            if rest[0] == 0 {
                text.to_vec()
            } else {
                inflated(text)?
            }
        }
    };
    Some((keyword, text))
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The bytes of a profile: its name, their number, and their digits, each on lines of their own.
fn profile(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let _name = words.next()?;
    let length: usize = words.next()?.parse().ok()?;
    let digits: String = words.collect();
    let byte = |i: usize| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok();
    (length <= digits.len() / 2).then(|| (0..length).map(byte).collect())?
}

/// What [`profile`] reads.
pub(crate) fn profile_text(name: &str, bytes: &[u8]) -> String {
    let mut text = format!("\n{name}\n{:8}\n", bytes.len());
    for line in bytes.chunks(36) {
        for byte in line {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

fn add_profile(kind: &str, bytes: Vec<u8>, metadata: &mut Metadata) {
    const XMP: &[u8] = crate::jpeg_segments::XMP;
    match kind.to_ascii_lowercase().as_str() {
        "exif" | "app1" if bytes.starts_with(XMP) => {
            metadata
                .xmp
                .get_or_insert_with(|| bytes[XMP.len()..].to_vec());
        }
        "exif" | "app1" => {
            metadata.exif.get_or_insert(bytes);
        }
        "xmp" => {
            metadata.xmp.get_or_insert(bytes);
        }
        "8bim" | "iptc" if bytes.starts_with(b"8BIM") => {
            metadata.photoshop.get_or_insert(bytes);
        }
        "iptc" => metadata.add_captions(&bytes),
        "icc" | "icm" => {
            metadata.icc.get_or_insert(bytes);
        }
        _ => metadata.lose(format!("the PNG text “{PROFILE}{kind}”")),
    }
}

fn density(data: &[u8]) -> Option<Density> {
    let &[x3, x2, x1, x0, y3, y2, y1, y0, unit] = data else {
        return None;
    };
    let density = Density {
        x: u32::from_be_bytes([x3, x2, x1, x0]).into(),
        y: u32::from_be_bytes([y3, y2, y1, y0]).into(),
        unit: if unit == 1 {
            DensityUnit::Metre
        } else {
            DensityUnit::Aspect
        },
    };
    density.is_telling().then_some(density)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_survive_being_written_as_text() {
        for length in [0, 1, 36, 100] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 37) as u8).collect();
            assert_eq!(
                profile(profile_text("8bim", &bytes).as_bytes()),
                Some(bytes)
            );
        }
        for damaged in [
            "",
            "\nexif\n",
            "\nexif\n 9\n0011",
            "\nexif\n 2\n00zz",
            "\nexif\n 1\näö",
        ] {
            assert_eq!(profile(damaged.as_bytes()), None, "{damaged}");
        }
    }
}
