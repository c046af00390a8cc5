//! What a packet must not say any more: previews of the picture, and that something is stored
//! behind it which is not there.

use crate::pictures;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};
use quick_xml::reader::NsReader;
use std::ops::Range;

/// A packet without previews and without announcements of what goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub packet: Vec<u8>,
    /// What had been announced, in words.
    pub announced: Vec<&'static str>,
}

/// Properties that go: a namespace, or what it begins with; the usual prefix; what names begin
/// with; and what they announce.
struct Rule {
    namespace: &'static [u8],
    prefix: &'static [u8],
    names: &'static [&'static [u8]],
    announces: Option<&'static str>,
}

const ANY: &[&[u8]] = &[b""];
const GAIN_MAP: Option<&str> = Some("the gain map");
const DEPTH: Option<&str> = Some("the depth map or second picture");
const VIDEO: Option<&str> = Some("the video of a motion photo");
const CONTENTS: Option<&str> = Some("what is stored behind the picture");

const RULES: [Rule; 15] = [
    rule(b"http://ns.adobe.com/xap/1.0/g/img/", b"xmpGImg", ANY, None),
    rule(
        b"http://ns.adobe.com/xap/1.0/",
        b"xmp",
        &[b"Thumbnails"],
        None,
    ),
    rule(super::NOTE, b"xmpNote", &[b"HasExtendedXMP"], None),
    rule(
        b"http://ns.adobe.com/hdr-gain-map/",
        b"hdrgm",
        ANY,
        GAIN_MAP,
    ),
    rule(
        b"http://ns.apple.com/HDRGainMap/",
        b"HDRGainMap",
        ANY,
        GAIN_MAP,
    ),
    rule(
        b"http://ns.apple.com/pixeldatainfo/",
        b"apdi",
        ANY,
        GAIN_MAP,
    ),
    rule(b"http://ns.apple.com/depthData/", b"depthData", ANY, DEPTH),
    rule(
        b"http://ns.google.com/photos/1.0/depthmap/",
        b"GDepth",
        ANY,
        DEPTH,
    ),
    rule(
        b"http://ns.google.com/photos/1.0/image/",
        b"GImage",
        ANY,
        DEPTH,
    ),
    rule(b"http://ns.google.com/photos/dd/", b"Device", ANY, DEPTH),
    rule(b"http://ns.xdm.org/", b"XDM", ANY, DEPTH),
    rule(
        b"http://ns.google.com/photos/1.0/container/",
        b"Container",
        ANY,
        CONTENTS,
    ),
    rule(
        b"http://ns.google.com/photos/1.0/camera/",
        b"GCamera",
        MOTION,
        VIDEO,
    ),
    rule(
        b"http://ns.oplus.com/photos/1.0/camera/",
        b"OpCamera",
        MOTION,
        VIDEO,
    ),
    rule(
        b"http://ns.xiaomi.com/photos/1.0/camera/",
        b"MiCamera",
        ANY,
        CONTENTS,
    ),
];
const MOTION: &[&[u8]] = &[b"MotionPhoto", b"MicroVideo", b"OLivePhoto", b"VideoLength"];

const fn rule(
    namespace: &'static [u8],
    prefix: &'static [u8],
    names: &'static [&'static [u8]],
    announces: Option<&'static str>,
) -> Rule {
    Rule {
        namespace,
        prefix,
        names,
        announces,
    }
}

impl Rule {
    fn applies(&self, namespace: &ResolveResult, name: &[u8]) -> bool {
        let is_in = match namespace {
            // A namespace that ends here, or whose version and parts follow.
            ResolveResult::Bound(found) if self.names == ANY => {
                found.as_ref().starts_with(self.namespace)
            }
            ResolveResult::Bound(found) => found.as_ref() == self.namespace,
            ResolveResult::Unknown(prefix) => prefix == self.prefix,
            ResolveResult::Unbound => false,
        };
        is_in && self.names.iter().any(|begin| name.starts_with(begin))
    }
}

/// Takes previews and announcements out; everything else stays to the byte. `None` if the packet
/// cannot be read and may hold a preview.
pub(crate) fn clean(packet: &[u8]) -> Option<Cleaned> {
    let cleaned = clean_text(packet)?;
    // What would be taken for UTF-16 when it is read again is no text.
    (to_utf8(&cleaned.packet) == Some(None)).then_some(cleaned)
}

fn clean_text(packet: &[u8]) -> Option<Cleaned> {
    let utf8 = to_utf8(packet)?;
    let packet = utf8.as_deref().unwrap_or(packet);
    let Ok((cuts, announced)) = cuts(packet) else {
        // Harmless scraps stay what they are.
        let is_harmless = !pictures::is_any(packet);
        return is_harmless.then(|| Cleaned {
            packet: packet.to_vec(),
            announced: Vec::new(),
        });
    };
    let mut packet = without(packet, cuts);
    let pictures = pictures::find(&packet);
    packet = without(&packet, pictures);
    Some(Cleaned { packet, announced })
}

fn without(bytes: &[u8], cuts: Vec<Range<usize>>) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for cut in cuts {
        kept.extend(&bytes[at.min(cut.start)..cut.start]);
        at = at.max(cut.end);
    }
    kept.extend(&bytes[at..]);
    kept
}

type Cuts = (Vec<Range<usize>>, Vec<&'static str>);

fn cuts(packet: &[u8]) -> Result<Cuts, quick_xml::Error> {
    let mut reader = NsReader::from_reader(packet);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.check_comments = false;
    let (mut cuts, mut announced) = (Vec::new(), Vec::new());
    let mut announce = |rule: &Rule| {
        if let Some(what) = rule.announces
            && !announced.contains(&what)
        {
            announced.push(what);
        }
    };
    loop {
        let start = reader.buffer_position() as usize;
        let (namespace, event) = reader.read_resolved_event()?;
        let (element, is_empty) = match event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::Eof => break,
            _ => continue,
        };
        let name = element.local_name();
        let rule = RULES
            .iter()
            .find(|rule| rule.applies(&namespace, name.as_ref()));
        if let Some(rule) = rule {
            announce(rule);
            if !is_empty {
                reader.read_to_end(element.name())?;
            }
            cuts.push(start..reader.buffer_position() as usize);
            continue;
        }
        for (name, range) in attributes(packet, &element)? {
            let (namespace, local) = reader.resolver().resolve_attribute(name);
            let rule = RULES
                .iter()
                .find(|rule| rule.applies(&namespace, local.as_ref()));
            if let Some(rule) = rule {
                announce(rule);
                cuts.push(range);
            }
        }
    }
    Ok((cuts, announced))
}

/// The attributes of an element, and where they lie with the space before them.
fn attributes<'a>(
    packet: &[u8],
    element: &'a BytesStart,
) -> Result<Vec<(QName<'a>, Range<usize>)>, quick_xml::Error> {
    let mut found = Vec::new();
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute?;
        // What is borrowed from the packet lies in it.
        let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(packet.as_ptr() as usize);
        let start = place(attribute.key.as_ref());
        let end = place(&attribute.value) + attribute.value.len() + 1;
        if start < end && end <= packet.len() {
            let before = packet[..start].trim_ascii_end().len();
            found.push((attribute.key, before..end));
        }
    }
    Ok(found)
}

/// The packet in UTF-8 if it is in UTF-16; `None` if it is neither.
fn to_utf8(packet: &[u8]) -> Option<Option<Vec<u8>>> {
    let head = packet.get(..packet.len().min(4)).unwrap_or_default();
    let is_big_endian = match head {
        [0xFE, 0xFF, ..] | [0, b'<', ..] => true,
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => false,
        [0, ..] => return None,
        _ => return Some(None),
    };
    let units = packet.chunks_exact(2).map(|pair| match is_big_endian {
        true => u16::from_be_bytes([pair[0], pair[1]]),
        false => u16::from_le_bytes([pair[0], pair[1]]),
    });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    Some(Some(
        text.ok()?
            .trim_start_matches('\u{FEFF}')
            .as_bytes()
            .to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::tests::{base64, preview};
    use image::ImageFormat;

    fn packet(attributes: &str, content: &str) -> String {
        format!(
            "<?xpacket begin='\u{FEFF}' id='W5M0MpCehiHzreSzNTczkc9d'?>\n\
             <x:xmpmeta xmlns:x='adobe:ns:meta/'>\n <rdf:RDF \
             xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\n  <rdf:Description \
             rdf:about=''\n    xmlns:dc='http://purl.org/dc/elements/1.1/' \
             xmlns:xap='http://ns.adobe.com/xap/1.0/' xap:Rating='3'{attributes}>\n   \
             <dc:title>A &lt;beach&gt; &amp; more</dc:title>{content}\n  </rdf:Description>\n \
             </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end='w'?>"
        )
    }

    /// Cleans a packet and expects that these parts are gone, and nothing else.
    fn check(attributes: &str, content: &str, announced: &[&str]) {
        let cleaned = clean(packet(attributes, content).as_bytes()).unwrap();
        assert_eq!(String::from_utf8(cleaned.packet).unwrap(), packet("", ""));
        assert_eq!(cleaned.announced, announced);
    }

    #[test]
    fn previews_go_wherever_xmp_has_a_place_for_them() {
        let picture = base64(&preview(ImageFormat::Jpeg), "&#xA;");
        let thumbnails = format!(
            "<xap:Thumbnails><rdf:Alt><rdf:li xmlns:xapGImg='http://ns.adobe.com/xap/1.0/g/img/' \
             xapGImg:width='8' rdf:parseType='Resource'><xapGImg:image>{picture}</xapGImg:image>\
             </rdf:li></rdf:Alt></xap:Thumbnails>"
        );
        check("", &thumbnails, &[]);
        // One that the namespace is not declared for, and a second picture as an attribute.
        check(
            "",
            &format!("<xmpGImg:image>{picture}</xmpGImg:image>"),
            &[],
        );
        let second = format!(
            " xmlns:GImage='http://ns.google.com/photos/1.0/image/' \
             GImage:Mime='image/jpeg' GImage:Data='{picture}'"
        );
        let cleaned = clean(packet(&second, "").as_bytes()).unwrap();
        let text = String::from_utf8(cleaned.packet).unwrap();
        assert!(!text.contains("GImage:") || !text.contains("Data") && !text.contains("Mime"));
        assert_eq!(cleaned.announced, ["the depth map or second picture"]);
        // Under a name that nobody knows, the property stays, and is empty.
        let unknown = |value: &str| format!("<my:Look xmlns:my='urn:mine'>{value}</my:Look>");
        let cleaned = clean(packet("", &unknown(&picture)).as_bytes()).unwrap();
        assert_eq!(cleaned.packet, packet("", &unknown("")).as_bytes());
    }

    #[test]
    fn what_is_not_there_is_not_announced() {
        check(
            " xmpNote:HasExtendedXMP='0123456789ABCDEF0123456789ABCDEF'",
            "",
            &[],
        );
        check(" hdrgm:Version=\"1.0\"", "", &["the gain map"]);
        check(
            " GCamera:MotionPhoto='1' GCamera:MicroVideoOffset='123'",
            "<Container:Directory><rdf:Seq><rdf:li rdf:parseType='Resource'><Container:Item \
             Item:Mime='video/mp4'/></rdf:li></rdf:Seq></Container:Directory>",
            &[
                "the video of a motion photo",
                "what is stored behind the picture",
            ],
        );
        // Other notes of the same camera stay.
        let other = " xmlns:GCamera='http://ns.google.com/photos/1.0/camera/' GCamera:Burst='1'";
        let before = packet(other, "<xap:CreatorTool>Thumbnails</xap:CreatorTool>");
        assert_eq!(clean(before.as_bytes()).unwrap().packet, before.as_bytes());
    }

    #[test]
    fn packets_that_cannot_be_read_stay_only_without_a_picture() {
        let broken = "<a><b>words</a>";
        assert_eq!(clean(broken.as_bytes()).unwrap().packet, broken.as_bytes());
        assert_eq!(clean(b"<\0\0\0 no text"), None);
        let picture = base64(&preview(ImageFormat::Jpeg), "\n");
        assert_eq!(clean(format!("<a><b>{picture}</a>").as_bytes()), None);
        let text = packet("", &format!("<xap:Thumbnails>{picture}</xap:Thumbnails>"));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cleaned = clean(&utf16).unwrap().packet;
        assert_eq!(String::from_utf8(cleaned).unwrap(), packet("", ""));
        for end in 0..text.len() {
            let _ = clean(&text.as_bytes()[..end]);
        }
    }
}
