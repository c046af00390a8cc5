//! XMP packets, as far as they repeat how the picture is stored, or hold another one.
//!
//! A reader that believes the packet would turn a picture again that is upright already. Only the
//! values themselves are exchanged: whatever else the packet says, and how, is not ours.
//!
//! Source: ISO 16684-1; XMP specification, part 2.

mod clean;
mod extended;

pub(crate) use clean::clean;
pub(crate) use extended::{announce, join, merge, split};
use image::metadata::Orientation;
use std::ops::Range;

/// Notes about the packet itself.
const NOTE: &[u8] = b"http://ns.adobe.com/xmp/note/";
const TIFF: &[u8] = b"http://ns.adobe.com/tiff/1.0/";
const EXIF: &[u8] = b"http://ns.adobe.com/exif/1.0/";
/// Longest name or value that is looked at, and most names of a namespace, so that a packet made
/// for it cannot take up much time.
const MAX_LENGTH: usize = 128;
const MAX_PREFIXES: usize = 4;

/// Makes a packet say that its picture is to be turned by `orientation`, where it says anything
/// about that, and exchanges width and height if the picture's sides changed places.
pub(crate) fn turn(xmp: &mut Vec<u8>, orientation: Orientation, are_sides_swapped: bool) {
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    for place in values(xmp, TIFF, b"tiff", b"Orientation") {
        edits.push((place, orientation.to_exif().to_string().into_bytes()));
    }
    if are_sides_swapped {
        for (namespace, prefix, width, height) in [
            (
                EXIF,
                &b"exif"[..],
                &b"PixelXDimension"[..],
                &b"PixelYDimension"[..],
            ),
            (TIFF, b"tiff", b"ImageWidth", b"ImageLength"),
        ] {
            let width = values(xmp, namespace, prefix, width);
            let height = values(xmp, namespace, prefix, height);
            // Of several, nobody knows which belong together.
            if let ([width], [height]) = (&width[..], &height[..]) {
                edits.push((width.clone(), xmp[height.clone()].to_vec()));
                edits.push((height.clone(), xmp[width.clone()].to_vec()));
            }
        }
    }
    // Backwards, so that a new length does not move what comes before.
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, value) in edits {
        xmp.splice(place, value);
    }
}

/// Where the packet holds a number under this name, as an attribute or as an element.
fn values(xmp: &[u8], namespace: &[u8], usual: &[u8], name: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for prefix in prefixes(xmp, namespace, usual) {
        let name = [&prefix, &b":"[..], name].concat();
        for at in places(xmp, &name) {
            let end = at + name.len();
            let value = match at.checked_sub(1).and_then(|before| xmp.get(before)) {
                Some(b'<') => element_value(xmp, end),
                Some(before) if before.is_ascii_whitespace() => attribute_value(xmp, end),
                _ => None,
            };
            found.extend(value.filter(|value: &Range<usize>| {
                !value.is_empty() && xmp[value.clone()].iter().all(u8::is_ascii_digit)
            }));
        }
    }
    found
}

/// What stands for a namespace: what the packet declares, and otherwise what is usual.
fn prefixes(xmp: &[u8], namespace: &[u8], usual: &[u8]) -> Vec<Vec<u8>> {
    let mut prefixes: Vec<Vec<u8>> = (places(xmp, b"xmlns:").into_iter())
        .filter_map(|at| {
            let start = at + b"xmlns:".len();
            let rest = xmp.get(start..)?;
            let mut name = rest.iter().take(MAX_LENGTH);
            let length = name.position(|&byte| byte == b'=' || byte.is_ascii_whitespace());
            let end = start + length?;
            let value = attribute_value(xmp, end)?;
            (&xmp[value] == namespace).then(|| xmp[start..end].to_vec())
        })
        .collect();
    if prefixes.is_empty() {
        prefixes.push(usual.to_vec());
    }
    prefixes.sort();
    prefixes.dedup();
    prefixes.truncate(MAX_PREFIXES);
    prefixes
}

/// What is between the quotes behind an attribute's name, which ends at `at`.
fn attribute_value(xmp: &[u8], at: usize) -> Option<Range<usize>> {
    let at = skip_space(xmp, at);
    if xmp.get(at) != Some(&b'=') {
        return None;
    }
    let at = skip_space(xmp, at + 1);
    let quote = *xmp.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = at + 1;
    let mut value = xmp[start..].iter().take(MAX_LENGTH);
    let length = value.position(|&byte| byte == quote)?;
    Some(start..start + length)
}

/// The text of an element whose name ends at `at`, without the space around it.
fn element_value(xmp: &[u8], at: usize) -> Option<Range<usize>> {
    // A longer name, or something with attributes, which a plain number has not.
    let at = skip_space(xmp, at);
    if xmp.get(at) != Some(&b'>') {
        return None;
    }
    let start = skip_space(xmp, at + 1);
    let mut text = xmp[start..].iter().take(MAX_LENGTH);
    let length = text.position(|&byte| byte == b'<')?;
    let text = xmp[start..start + length].trim_ascii_end();
    Some(start..start + text.len())
}

fn skip_space(xmp: &[u8], at: usize) -> usize {
    let rest = xmp.get(at..).unwrap_or_default();
    at + rest.len() - rest.trim_ascii_start().len()
}

/// Where `words` begin.
fn places(xmp: &[u8], words: &[u8]) -> Vec<usize> {
    let windows = xmp.windows(words.len()).enumerate();
    windows
        .filter(|(_, window)| *window == words)
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(xmp: &str, are_sides_swapped: bool) -> String {
        let mut xmp = xmp.as_bytes().to_vec();
        turn(&mut xmp, Orientation::NoTransforms, are_sides_swapped);
        String::from_utf8(xmp).unwrap()
    }

    #[test]
    fn both_forms_and_both_quotes_become_upright_and_nothing_else_changes() {
        for (before, after) in [
            (
                "<r:D x='1' tiff:Orientation=\"6\" a='tiff:Orientation'/>",
                "<r:D x='1' tiff:Orientation=\"1\" a='tiff:Orientation'/>",
            ),
            (
                "<r:D\ttiff:Orientation = '8'/>",
                "<r:D\ttiff:Orientation = '1'/>",
            ),
            (
                "<tiff:Orientation> 3\n</tiff:Orientation>tiff:Orientation=5",
                "<tiff:Orientation> 1\n</tiff:Orientation>tiff:Orientation=5",
            ),
            // Names that only begin or end like it.
            (
                "<d tiff:Orientations='6' xtiff:Orientation='6' tiff:Orientation='x'/>",
                "<d tiff:Orientations='6' xtiff:Orientation='6' tiff:Orientation='x'/>",
            ),
            // Another prefix, and another namespace under the usual one.
            (
                "<d xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='6' tiff:Orientation='6'/>",
                "<d xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='1' tiff:Orientation='6'/>",
            ),
        ] {
            assert_eq!(turned(before, true), after);
        }
    }

    #[test]
    fn sides_change_places_only_with_the_turn() {
        let before = "<d exif:PixelXDimension='4000' exif:PixelYDimension='300'>\
                      <tiff:ImageWidth>4000</tiff:ImageWidth>\
                      <tiff:ImageLength>300</tiff:ImageLength></d>";
        let after = "<d exif:PixelXDimension='300' exif:PixelYDimension='4000'>\
                     <tiff:ImageWidth>300</tiff:ImageWidth>\
                     <tiff:ImageLength>4000</tiff:ImageLength></d>";
        assert_eq!(turned(before, true), after);
        assert_eq!(turned(before, false), before);
        let half = "<d exif:PixelXDimension='4000'/>";
        assert_eq!(turned(half, true), half);
    }

    #[test]
    fn cut_packets_do_no_harm() {
        let packet = b"<d xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'>\
                       <tiff:ImageWidth>4</tiff:ImageWidth><tiff:ImageLength>3</tiff:ImageLength>";
        for end in 0..packet.len() {
            turn(&mut packet[..end].to_vec(), Orientation::NoTransforms, true);
        }
    }
}
