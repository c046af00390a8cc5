//! Pictures inside metadata: previews and thumbnails still show what was taken out of the picture
//! that they belong to, wherever a camera or a program put them.
//!
//! They are found by what they are rather than by a list of places: whole files of the formats
//! that previews have, plain, in base64 or in hexadecimal digits.

use std::ops::Range;

/// Segments before the first scan that are looked at; no preview has more, and a file made for it
/// must not take up much time.
const MAX_SEGMENTS: usize = 64;
/// Fewest characters of a picture written as text.
const MIN_TEXT: usize = 64;

/// How formats of pictures begin in base64: JPEG, PNG, WebP (any RIFF), GIF, and those that begin
/// with a box of up to 255 bytes (AVIF, HEIC, JPEG XL, JPEG 2000).
const BASE64_HEADS: [&[u8]; 6] = [
    b"/9j/",
    b"iVBORw0KGgo",
    b"UklGR",
    b"R0lGODlh",
    b"R0lGODdh",
    b"AAAA",
];
/// The brands of pictures that begin with a box.
const BRANDS: [&[u8; 4]; 8] = [
    b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"jp2 ",
];

/// Where pictures lie in `bytes`, in order.
pub(crate) fn find(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match picture_at(bytes, at) {
            Some(range) => {
                at = range.end.max(at + 1);
                found.push(range);
            }
            None => at += 1,
        }
    }
    found
}

/// Whether there is any picture.
pub(crate) fn is_any(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| picture_at(bytes, at).is_some())
}

/// Overwrites pictures with zeros; nothing else moves.
pub(crate) fn blank(bytes: &mut [u8]) {
    for range in find(bytes) {
        bytes[range].fill(0);
    }
}

/// The picture that is recognised at `at`; it may begin a few bytes before.
fn picture_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &bytes[at..];
    match rest[0] {
        // The first byte of Minolta's previews is another one, so the second is looked for.
        0xD8 if rest.get(1) == Some(&0xFF) => {
            let length = jpeg_length(rest)?;
            Some(at.saturating_sub(1)..at + length)
        }
        0x89 if rest.starts_with(b"\x89PNG\r\n\x1A\n") => Some(at..at + png_length(rest)),
        b'R' if rest.starts_with(b"RIFF") && rest.get(8..12) == Some(b"WEBP") => {
            let size = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
            Some(at..at + size.saturating_add(8).min(rest.len()))
        }
        b'f' if rest.starts_with(b"ftyp") => {
            let brand = rest.get(4..8)?;
            let is_picture = BRANDS.iter().any(|known| brand == *known);
            (is_picture && at >= 4).then(|| at - 4..bytes.len())
        }
        0xFF if rest.starts_with(b"\xFF\x4F\xFF\x51") => Some(at..bytes.len()),
        b'G' if is_gif(rest) => Some(at..bytes.len()),
        b'B' if is_bmp(rest) => {
            let size = u32::from_le_bytes(rest.get(2..6)?.try_into().ok()?) as usize;
            Some(at..at.saturating_add(size).min(bytes.len()))
        }
        b'/' | b'i' | b'U' | b'R' | b'A' if is_base64_head(rest) => text_at(bytes, at, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
        }),
        b'f' | b'F' | b'8' if is_hexadecimal_head(rest) => {
            text_at(bytes, at, |byte| byte.is_ascii_hexdigit())
        }
        _ => None,
    }
}

/// Length of a JPEG file whose first byte is missing, as far as it goes; `None` if it is none.
fn jpeg_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    for number in 0.. {
        let &[0xFF, marker, high, low] = bytes.get(at..at + 4)? else {
            return None;
        };
        let is_header = matches!(marker, 0xC0..=0xCF | 0xDA..=0xDF | 0xE0..=0xEF | 0xFE);
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !is_header || length < 2 {
            return None;
        }
        if marker == 0xDA || number == MAX_SEGMENTS {
            break;
        }
        at += 2 + length;
        if at + 4 > bytes.len() && number > 0 {
            // Cut off, but a picture.
            return Some(bytes.len());
        }
    }
    let end = bytes[at..].windows(2).position(|pair| pair == [0xFF, 0xD9]);
    Some(end.map_or(bytes.len(), |end| at + end + 2))
}

fn png_length(bytes: &[u8]) -> usize {
    let end = bytes
        .windows(8)
        .position(|window| window == b"IEND\xAE\x42\x60\x82");
    end.map_or(bytes.len(), |end| end + 8)
}

/// Whether a GIF file begins here: behind its name, its sizes and its palette comes a block.
fn is_gif(bytes: &[u8]) -> bool {
    let is_named = bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a");
    let flags = usize::from(bytes.get(10).copied().unwrap_or(0));
    let palette = if flags & 0x80 == 0 {
        0
    } else {
        6 << (flags & 7)
    };
    let block = bytes.get(13 + palette..15 + palette);
    is_named && matches!(block, Some([0x2C, _] | [0x21, 0x01 | 0xF9 | 0xFE | 0xFF]))
}

/// Whether a BMP file begins here: its size, nothing, where the pixels are, and a header of a known
/// length.
fn is_bmp(bytes: &[u8]) -> bool {
    let head = bytes.get(..18).unwrap_or_default();
    let lengths = [12, 40, 52, 56, 64, 108, 124];
    head.starts_with(b"BM")
        && head[6..10] == [0; 4]
        && head[15..18] == [0; 3]
        && head[12..14] == [0; 2]
        && lengths.contains(&head[14])
}

fn is_base64_head(bytes: &[u8]) -> bool {
    // "ftyp" lies at the same place of the code whatever the length of the box.
    let is_box = || bytes.get(6..10) == Some(b"Z0eX");
    let head = BASE64_HEADS.iter().find(|head| bytes.starts_with(head));
    head.is_some_and(|head| *head != b"AAAA" || is_box())
}

fn is_hexadecimal_head(bytes: &[u8]) -> bool {
    let is = |head: &[u8]| (bytes.get(..head.len())).is_some_and(|b| b.eq_ignore_ascii_case(head));
    is(b"ffd8ff") || is(b"89504e470d0a1a0a")
}

/// A run of characters with line breaks and spaces between them, or what XML writes for those; it
/// has to begin where a word begins.
fn text_at(bytes: &[u8], start: usize, is_part: impl Fn(u8) -> bool) -> Option<Range<usize>> {
    if start > 0 && is_part(bytes[start - 1]) && bytes[start - 1] != b'/' {
        return None;
    }
    let (mut end, mut at, mut count) = (start, start, 0usize);
    while at < bytes.len() {
        if is_part(bytes[at]) {
            at += 1;
            end = at;
            count += 1;
        } else if bytes[at].is_ascii_whitespace() {
            at += 1;
        } else if let Some(length) = character_reference(&bytes[at..]) {
            at += length;
        } else {
            break;
        }
    }
    (count >= MIN_TEXT).then_some(start..end)
}

/// Length of a line break as XML writes it in attributes.
fn character_reference(bytes: &[u8]) -> Option<usize> {
    let known: [&[u8]; 7] = [
        b"&#xA;", b"&#xa;", b"&#10;", b"&#xD;", b"&#xd;", b"&#13;", b"&#9;",
    ];
    let found = known.into_iter().find(|known| bytes.starts_with(known))?;
    Some(found.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat, RgbImage};
    use std::io::Cursor;

    /// A file of this format.
    pub(crate) fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// A small file of this format.
    pub(crate) fn preview(format: ImageFormat) -> Vec<u8> {
        let pixel = |x: u32, y: u32| image::Rgb([x as u8 * 9, y as u8 * 14, 70]);
        file(&RgbImage::from_fn(24, 16, pixel).into(), format)
    }

    /// In base64, of 76 characters to the line.
    pub(crate) fn base64(bytes: &[u8], line_end: &str) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for (i, part) in bytes.chunks(3).enumerate() {
            let byte = |i: usize| u32::from(part.get(i).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..=part.len() {
                text.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize].into());
            }
            text.extend(std::iter::repeat_n('=', 3 - part.len()));
            if i % 19 == 18 {
                text.push_str(line_end);
            }
        }
        text
    }

    #[test]
    fn pictures_are_found_in_every_dress_and_blanked_to_their_end() {
        let jpeg = preview(ImageFormat::Jpeg);
        let mut minolta = jpeg.clone();
        minolta[0] = 2;
        let hexadecimal: String = jpeg.iter().map(|byte| format!("{byte:02x}")).collect();
        let upper = hexadecimal.to_uppercase();
        let lines: Vec<&str> = (0..upper.len() / 72)
            .map(|i| &upper[72 * i..72 * i + 72])
            .collect();
        for picture in [
            jpeg.clone(),
            minolta,
            preview(ImageFormat::Png),
            preview(ImageFormat::WebP),
            preview(ImageFormat::Bmp),
            base64(&jpeg, "").into(),
            base64(&jpeg, "\r\n").into(),
            base64(&jpeg, "&#xA;").into(),
            base64(&preview(ImageFormat::Png), "\n").into(),
            base64(&preview(ImageFormat::WebP), "\n").into(),
            hexadecimal.into(),
            lines.join("\n").into(),
        ] {
            let bytes = [b"before>", &picture[..], b"<behind"].concat();
            assert!(is_any(&bytes));
            assert_eq!(find(&bytes), vec![7..7 + picture.trim_ascii_end().len(); 1]);
            let mut blanked = bytes.clone();
            blank(&mut blanked);
            assert!(blanked.starts_with(b"before>\0\0") && blanked.ends_with(b"\0<behind"));
        }
        // Cut off behind the headers and within them.
        for length in [jpeg.len() - 10, 200] {
            assert_eq!(find(&jpeg[..length]), vec![0..length; 1]);
        }
    }

    #[test]
    fn gif_pictures_go_with_all_that_follows() {
        let head = b"GIF89a\x18\0\x10\0\x80\0\0\x0A\x0B\x0C\xFF\xFF\xFF";
        for block in [
            &b"\x21\xF9\x04\0\0\0\0\0,"[..],
            b",\0\0\0\0\x18\0\x10\0\0\x02",
        ] {
            let bytes = [b"before", &head[..], block, b"and lines"].concat();
            assert_eq!(find(&bytes), vec![6..bytes.len(); 1]);
        }
    }

    #[test]
    fn what_only_looks_like_a_picture_stays() {
        let base64_of_text = base64(&b"no picture, but text ".repeat(20), "\n");
        for bytes in [
            &b"\xFF\xD8\xFF and so on, for quite a while and without any sense"[..],
            b"\xD8\xFF\xE0\0\x04ab\x12\x34 is no chain of segments",
            b"/9j/ is how JPEG begins in base64; iVBORw0KGgo is PNG",
            b"#ffd8ff is a shade of pink",
            b"GIF89a is the name of a format, and so is BM, for files of bitmaps",
            b"BM\x10\0\0\0\0\0\0\0\x36\0\0\0\x29\0\0\0, a header of no known length",
            base64_of_text.as_bytes(),
            b"",
        ] {
            assert!(!is_any(bytes), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn bytes_made_to_take_time_do_not() {
        let chain = b"\xD8\xFF\xE0\0\x04".repeat(200_000);
        assert!(find(&chain).len() < 200_000);
        let heads = b"/9j/ ".repeat(200_000);
        assert!(find(&heads).len() < 2);
    }
}
