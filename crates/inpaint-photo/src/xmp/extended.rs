//! Packets that are too long for a segment of a JPEG file: what does not fit lies in further
//! segments, which the packet names by a check sum.
//!
//! Source: XMP specification, part 3, 1.1.3.1.

use super::NOTE;
use md5::{Digest, Md5};
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use std::ops::Range;

const RDF: Namespace = Namespace(b"http://www.w3.org/1999/02/22-rdf-syntax-ns#");
/// Check sum, length of the whole, place of the part.
const HEAD: usize = 32 + 4 + 4;

/// What the segments of a file hold together, without their names; `None` if anything is missing.
pub(crate) fn join(parts: &[&[u8]]) -> Option<Vec<u8>> {
    let guid = parts.first()?.get(..32)?;
    let total = number(parts.first()?.get(32..36)?)?;
    let mut whole = vec![0; total.min(parts.iter().map(|part| part.len()).sum())];
    let mut num_bytes = 0;
    for part in parts {
        let (head, data) = part.split_at_checked(HEAD)?;
        let start = number(&head[36..40])?;
        if &head[..32] != guid || number(&head[32..36])? != total {
            return None;
        }
        whole
            .get_mut(start..start.checked_add(data.len())?)?
            .copy_from_slice(data);
        num_bytes += data.len();
    }
    (whole.len() == total && num_bytes == total).then_some(whole)
}

fn number(bytes: &[u8]) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
}

/// The segments for an extension, without their names, and its check sum.
pub(crate) fn split(extension: &[u8], max_segment: usize) -> (String, Vec<Vec<u8>>) {
    let guid: String = Md5::digest(extension)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let size = max_segment.saturating_sub(HEAD).max(1);
    let parts = extension.chunks(size).enumerate().map(|(i, part)| {
        let total = (extension.len() as u32).to_be_bytes();
        let start = ((i * size) as u32).to_be_bytes();
        [guid.as_bytes(), &total, &start, part].concat()
    });
    let parts = parts.collect();
    (guid, parts)
}

/// The packet with a note of its extension; without a packet one that says nothing else.
pub(crate) fn announce(packet: Option<&[u8]>, guid: &str) -> Option<Vec<u8>> {
    let Some(packet) = packet else {
        return Some(
            format!(
                "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
                 xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
                 rdf:about=\"\" xmlns:xmpNote=\"http://ns.adobe.com/xmp/note/\" \
                 xmpNote:HasExtendedXMP=\"{guid}\"/></rdf:RDF></x:xmpmeta>"
            )
            .into_bytes(),
        );
    };
    let mut reader = NsReader::from_reader(packet);
    loop {
        let start = reader.buffer_position() as usize;
        let (namespace, event) = reader.read_resolved_event().ok()?;
        let (Event::Start(element) | Event::Empty(element)) = event else {
            if event == Event::Eof {
                return None;
            }
            continue;
        };
        if namespace != ResolveResult::Bound(RDF) || element.local_name().as_ref() != b"Description"
        {
            continue;
        }
        let mut note = format!(" xmpNote:HasExtendedXMP=\"{guid}\"").into_bytes();
        let is_declared = element
            .attributes()
            .flatten()
            .any(|a| a.key.as_ref() == b"xmlns:xmpNote");
        if !is_declared {
            note.extend([b" xmlns:xmpNote=\"", NOTE, b"\""].concat());
        }
        let at = start + 1 + element.name().as_ref().len();
        return Some([&packet[..at], &note, &packet[at..]].concat());
    }
}

/// One packet that says what both say; `None` if they are not of the usual form.
pub(crate) fn merge(packet: &[u8], extension: &[u8]) -> Option<Vec<u8>> {
    let main = Descriptions::find(packet)?;
    let more = Descriptions::find(extension)?;
    if main.prefix != more.prefix || !more.is_plain {
        return None;
    }
    let end = main.content.end;
    Some([&packet[..end], &extension[more.content], &packet[end..]].concat())
}

/// The inside of a packet's outermost element of RDF.
struct Descriptions {
    prefix: Vec<u8>,
    content: Range<usize>,
    /// Nothing outside declares a name that the inside may need.
    is_plain: bool,
}

impl Descriptions {
    fn find(packet: &[u8]) -> Option<Self> {
        let mut reader = NsReader::from_reader(packet);
        let mut is_plain = true;
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            let element = match event {
                Event::Start(element) => element,
                Event::Eof => return None,
                _ => continue,
            };
            let is_known = |key: &[u8]| {
                !key.starts_with(b"xmlns") || [&b"xmlns:x"[..], b"xmlns:rdf"].contains(&key)
            };
            is_plain &= element
                .attributes()
                .flatten()
                .all(|a| is_known(a.key.as_ref()));
            if namespace == ResolveResult::Bound(RDF) && element.local_name().as_ref() == b"RDF" {
                let prefix = element.name().prefix();
                let content = reader.read_to_end(element.name()).ok()?;
                return Some(Self {
                    prefix: prefix.map_or_else(Vec::new, |prefix| prefix.as_ref().to_vec()),
                    content: content.start as usize..content.end as usize,
                    is_plain,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(words: &str) -> Vec<u8> {
        format!(
            "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
             xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
             rdf:about='' xmlns:d='urn:d'>{words}</rdf:Description></rdf:RDF></x:xmpmeta>"
        )
        .into_bytes()
    }

    #[test]
    fn what_is_split_is_joined_again_in_any_order_and_only_whole() {
        let extension: Vec<u8> = (0..1000u32).map(|i| (i * i) as u8).collect();
        let (guid, parts) = split(&extension, 340);
        assert_eq!((guid.len(), parts.len()), (32, 4));
        let mut parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
        parts.reverse();
        assert_eq!(join(&parts), Some(extension));
        assert_eq!(join(&parts[1..]), None);
        assert_eq!(join(&[parts[0], &parts[1][..39]]), None);
        let (other, _) = split(b"abc", 340);
        assert_eq!(other, "900150983CD24FB0D6963F7D28E17F72");
    }

    #[test]
    fn packets_name_their_extension_and_take_it_in() {
        let noted = announce(Some(&packet("a")), "0123").unwrap();
        let text = String::from_utf8(noted.clone()).unwrap();
        assert!(text.contains("<rdf:Description xmpNote:HasExtendedXMP=\"0123\" xmlns:xmpNote="));
        let declared = " xmlns:xmpNote=\"http://ns.adobe.com/xmp/note/\"";
        let cleaned = crate::xmp::clean(&noted).unwrap().packet;
        let cleaned = String::from_utf8(cleaned).unwrap().replace(declared, "");
        assert_eq!(cleaned.as_bytes(), packet("a"));
        let twice = announce(Some(&noted), "4567").unwrap();
        assert_eq!(
            String::from_utf8(twice)
                .unwrap()
                .matches("xmlns:xmpNote")
                .count(),
            1
        );
        let alone = announce(None, "0123").unwrap();
        assert!(
            String::from_utf8(alone)
                .unwrap()
                .contains("HasExtendedXMP=\"0123\"")
        );
        assert_eq!(announce(Some(b"<a>words</a>"), "0123"), None);

        let both = String::from_utf8(merge(&packet("a"), &packet("b")).unwrap()).unwrap();
        let (first, second) = (both.find(">a</rdf:D"), both.find(">b</rdf:D"));
        assert!(first.is_some() && first < second && both.ends_with("</rdf:RDF></x:xmpmeta>"));
        assert_eq!(merge(&packet("a"), b"<a>words</a>"), None);
    }
}
