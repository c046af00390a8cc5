//! Photoshop's image resources, which JPEG, TIFF and PNG files keep captions in (IPTC).
//!
//! Sources: Adobe Photoshop File Formats Specification; IPTC-NAA Information Interchange Model 4.

use crate::{exif, pictures, xmp};

/// Resources that are previews of the picture.
const PREVIEWS: [u16; 2] = [0x0409, 0x040C];
const IPTC: u16 = 0x0404;
/// A check sum of the captions as they were.
const IPTC_DIGEST: u16 = 0x0425;
const EXIF: [u16; 2] = [0x0422, 0x0423];
const XMP: u16 = 0x0424;

/// A resource with its name, whose length comes first, and which is padded.
struct Resource<'a> {
    id: u16,
    name: &'a [u8],
    data: &'a [u8],
}

/// Resources without previews, which would still show what was removed from the picture; `None`
/// if nothing is left. What cannot be read is not kept: nobody knows what is in it.
pub(crate) fn without_previews(resources: &[u8]) -> Option<Vec<u8>> {
    let resources = parse(resources);
    let is_changed = |r: &Resource| r.id == IPTC && captions(r.data).as_deref() != Some(r.data);
    let is_digest_wrong = resources.iter().any(is_changed);
    let mut kept = Vec::new();
    for resource in resources {
        if PREVIEWS.contains(&resource.id) || resource.id == IPTC_DIGEST && is_digest_wrong {
            continue;
        }
        let mut data = resource.data.to_vec();
        let is_readable = match resource.id {
            IPTC => captions(resource.data)
                .map(|captions| data = captions)
                .is_some(),
            id if EXIF.contains(&id) => exif::remove_previews(&mut data),
            XMP => match xmp::clean(&data) {
                Some(cleaned) => {
                    data = cleaned.packet;
                    true
                }
                None => false,
            },
            _ => !pictures::is_any(&data),
        };
        if is_readable {
            append(&mut kept, resource.id, resource.name, &data);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// Captions as the resource that holds them.
pub(crate) fn from_captions(captions: &[u8]) -> Vec<u8> {
    let mut resources = Vec::new();
    append(&mut resources, IPTC, &[0, 0], captions);
    resources
}

/// Whether there are captions among the resources.
pub(crate) fn has_captions(resources: &[u8]) -> bool {
    parse(resources).iter().any(|resource| resource.id == IPTC)
}

fn append(resources: &mut Vec<u8>, id: u16, name: &[u8], data: &[u8]) {
    resources.extend(b"8BIM");
    resources.extend(id.to_be_bytes());
    resources.extend(name);
    resources.extend((data.len() as u32).to_be_bytes());
    resources.extend(data);
    if data.len() % 2 == 1 {
        resources.push(0);
    }
}

fn parse(bytes: &[u8]) -> Vec<Resource<'_>> {
    let mut resources = Vec::new();
    let mut rest = bytes;
    while let Some((resource, behind)) = split(rest) {
        resources.push(resource);
        rest = behind;
    }
    resources
}

fn split(bytes: &[u8]) -> Option<(Resource<'_>, &[u8])> {
    let rest = bytes.strip_prefix(b"8BIM")?;
    let (id, rest) = rest.split_first_chunk()?;
    let name = (usize::from(*rest.first()?) + 2) & !1;
    let (name, rest) = rest.split_at_checked(name)?;
    let (size, rest) = rest.split_first_chunk()?;
    let (data, rest) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
    let resource = Resource {
        id: u16::from_be_bytes(*id),
        name,
        data,
    };
    Some((resource, rest.get(data.len() % 2..).unwrap_or_default()))
}

/// IPTC's data sets without those that hold a picture: the preview of record 2, and the records
/// of the object itself. `None` if they cannot be read.
fn captions(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    // Writers pad them to even or other lengths.
    while rest.iter().any(|&byte| byte != 0) {
        let &[0x1C, record, set, high, low, ..] = rest else {
            return None;
        };
        let (mut length, mut head) = (usize::from(u16::from_be_bytes([high, low])), 5);
        if length > 0x7FFF {
            // Long ones give the number of bytes of their length.
            head += length & 0x7FFF;
            let digits = rest.get(5..head).filter(|digits| digits.len() <= 4)?;
            length = digits
                .iter()
                .fold(0, |sum, &digit| sum << 8 | usize::from(digit));
        }
        let whole = rest.get(..head.checked_add(length)?)?;
        let is_picture = matches!((record, set), (2, 200..=202) | (7..=9, _));
        if !is_picture && !pictures::is_any(whole) {
            kept.extend(whole);
        }
        rest = &rest[whole.len()..];
    }
    kept.extend(rest);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::tests::preview;
    use image::ImageFormat;

    fn resource(id: u16, name: &[u8], data: &[u8]) -> Vec<u8> {
        let mut padded = vec![name.len() as u8];
        padded.extend(name);
        padded.resize(padded.len().next_multiple_of(2), 0);
        let mut bytes = Vec::new();
        append(&mut bytes, id, &padded, data);
        bytes
    }

    #[test]
    fn previews_go_and_captions_stay() {
        let caption = resource(IPTC, b"", b"\x1C\x02\x78\0\x05beach");
        let named = resource(0x0408, b"abc", b"guides");
        let all = [
            caption.clone(),
            resource(0x040C, b"", b"old picture"),
            resource(0x0409, b"", b"old picture"),
            named.clone(),
            resource(0x0BB8, b"", &preview(ImageFormat::Jpeg)),
            resource(0x0422, b"", b"no Exif block"),
        ]
        .concat();
        assert_eq!(without_previews(&all), Some([caption, named].concat()));
        assert_eq!(without_previews(b"8BIM\x04\x0C\0\0\0\0\xFF\xFF"), None);
        assert_eq!(without_previews(b"8BIM\x04"), None);
    }

    #[test]
    fn previews_among_the_captions_go_with_the_sum_of_the_captions() {
        let caption = b"\x1C\x02\x78\0\x05beach";
        let picture = preview(ImageFormat::Jpeg);
        let digest = resource(IPTC_DIGEST, b"", &[7; 16]);
        let long = [
            &[0x1C, 2, 202, 0x80, 4],
            &(picture.len() as u32).to_be_bytes()[..],
        ]
        .concat();
        let short = [&[0x1C, 2, 202][..], &(picture.len() as u16).to_be_bytes()].concat();
        for head in [long, short] {
            let format = b"\x1C\x02\xC8\0\x02\0\x0B";
            let iptc = [&caption[..], format, &head, &picture].concat();
            let all = [resource(IPTC, b"", &iptc), digest.clone()].concat();
            assert_eq!(without_previews(&all), Some(resource(IPTC, b"", caption)));
        }
        let plain = [resource(IPTC, b"", caption), digest].concat();
        assert_eq!(without_previews(&plain), Some(plain));
        // Captions that cannot be read are not kept.
        assert_eq!(
            without_previews(&resource(IPTC, b"", b"\x1C\x02\x78\0\x50beach")),
            None
        );
    }
}
