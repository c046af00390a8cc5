//! Nothing in a result shows the picture as it was, wherever the file kept a preview.

mod common;

use common::{FORMATS, decode, exif_of_camera, file, jpeg_with_segments, picture, png_with};
use image::ImageFormat;
use inpaint_photo::{EncodeOptions, Photo, Warning};

/// A small picture of the whole.
fn preview() -> Vec<u8> {
    file(&picture(40, 30).into(), ImageFormat::Jpeg)
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).flat_map(|part| {
        let byte = |i: usize| u32::from(part.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        (0..=part.len()).map(move |i| DIGITS[(bits >> (18 - 6 * i) & 63) as usize])
    });
    groups.collect()
}

fn hexadecimal(name: &str, bytes: &[u8]) -> Vec<u8> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = (digits.as_bytes().chunks(72))
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("\n{name}\n{:8}\n{}\n", bytes.len(), lines.join("\n")).into_bytes()
}

fn resource(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [b"8BIM", &id.to_be_bytes()[..], &[0, 0]].concat();
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// A camera's Exif block whose maker noted something and a preview.
fn exif_with_note(picture: &[u8]) -> Vec<u8> {
    let mut exif = exif_of_camera(1, None);
    // The one entry of the photo's directory becomes the maker's note.
    let note = [b"Maker\0\0\0", picture, b"the note's end"].concat();
    exif[70..80].copy_from_slice(&[0x92, 0x7C, 0, 7, 0, 0, 0, 0, 0, 0]);
    exif[74..78].copy_from_slice(&(note.len() as u32).to_be_bytes());
    let at = exif.len() as u32;
    exif[78..82].copy_from_slice(&at.to_be_bytes());
    exif.extend(note);
    exif
}

fn xmp(content: &[u8]) -> Vec<u8> {
    [
        &b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
           xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' \
           xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='3'>"[..],
        content,
        b"</rdf:Description></rdf:RDF></x:xmpmeta>",
    ]
    .concat()
}

fn xmp_with_thumbnail() -> Vec<u8> {
    let head = b"<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'>\
                 <xmpGImg:image xmlns:xmpGImg='http://ns.adobe.com/xap/1.0/g/img/'>";
    let end = b"</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>";
    xmp(&[&head[..], &base64(&preview()), end].concat())
}

fn captions_with_preview() -> Vec<u8> {
    let picture = preview();
    let head = [
        0x1C,
        2,
        202,
        (picture.len() >> 8) as u8,
        picture.len() as u8,
    ];
    let iptc = [&b"\x1C\x02\x78\0\x05beach"[..], &head, &picture].concat();
    [resource(0x0404, &iptc), resource(0x040C, &picture)].concat()
}

/// Fails if any part of the preview is still there, plain or as text.
fn assert_gone(bytes: &[u8], what: &str) {
    let picture = preview();
    // The scan, of which nothing may be left; what comes before is in every JPEG file.
    let scan = picture
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let part = &picture[scan + 30..scan + 60];
    let text: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
    let contains = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    assert!(!contains(part), "{what}: plain");
    assert!(!contains(text.as_bytes()), "{what}: hexadecimal");
    for shift in 0..3 {
        let code = base64(&part[shift..shift + 24]);
        assert!(!contains(&code), "{what}: base64");
    }
}

/// The result in every format, without a preview, and with `kept` where the format has a place.
fn check(bytes: &[u8], kept: &[u8], formats: &[ImageFormat], what: &str) -> Photo {
    let photo = decode(bytes);
    for format in FORMATS {
        for strip in [false, true] {
            let options = EncodeOptions {
                strip,
                ..EncodeOptions::default()
            };
            let encoded = photo.encode(Some(format), &options).unwrap().bytes;
            assert_gone(&encoded, &format!("{what} to {format:?}"));
            let is_kept = encoded.windows(kept.len()).any(|window| window == kept);
            let expected = !strip && formats.contains(&format);
            assert_eq!(is_kept, expected, "{what} to {format:?}: {strip}");
        }
    }
    photo
}

#[test]
fn previews_in_jpeg_files_do_not_survive() {
    let picture = picture(96, 64);
    let exif = |exif: Vec<u8>| (0xE1, [b"Exif\0\0", &exif[..]].concat());
    let jpeg = |segment| jpeg_with_segments(&picture, &[segment]);
    let with_exif = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Tiff,
    ];
    let thumbnail = jpeg(exif(exif_of_camera(1, Some(&preview()))));
    check(&thumbnail, b"Maker of cameras", &with_exif, "thumbnail");
    let mut minolta = preview();
    minolta[0] = 2;
    for picture in [preview(), minolta] {
        let note = jpeg(exif(exif_with_note(&picture)));
        check(&note, b"the note's end", &with_exif, "note");
    }
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", &xmp_with_thumbnail()[..]].concat();
    check(&jpeg((0xE1, packet)), b"xmp:Rating='3'", &with_exif, "XMP");
    let resources = [b"Photoshop 3.0\0", &captions_with_preview()[..]].concat();
    let captioned = check(
        &jpeg((0xED, resources)),
        b"beach",
        &[ImageFormat::Jpeg, ImageFormat::Tiff],
        "captions",
    );
    assert_eq!(captioned.warnings(), []);
    // Segments of JPEG's own, of which those without a picture stay.
    for (marker, head) in [
        (0xE0, &b"JFXX\0\x10"[..]),
        (0xE4, b"Maker\0"),
        (0xFE, b"see "),
    ] {
        let segment = (marker, [head, &preview()].concat());
        let segments = [segment, (0xEC, b"Ducky\0\x01\0\x04\0\0\0\x50".to_vec())];
        let bytes = jpeg_with_segments(&picture, &segments);
        check(&bytes, b"Ducky", &[ImageFormat::Jpeg], "segment");
    }
}

#[test]
fn previews_spread_over_segments_are_seen_as_a_whole() {
    let picture = picture(96, 64);
    let preview = preview();
    let parts = preview.chunks(preview.len() / 3 + 1);
    let segments: Vec<_> = parts
        .map(|part| (0xE3, [b"Maker\0", part].concat()))
        .collect();
    let photo = decode(&jpeg_with_segments(&picture, &segments));
    let what = "segments APP3 Maker".to_owned();
    assert_eq!(photo.warnings(), [Warning::NotKept { what }]);
    check(
        &jpeg_with_segments(&picture, &segments),
        b"no",
        &[],
        "parts",
    );
}

#[test]
fn pictures_behind_the_picture_do_not_survive_and_are_not_announced() {
    let announced = xmp(
        b"<hdrgm:Version xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'>1.0\
                          </hdrgm:Version>",
    );
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", &announced[..]].concat();
    let segments = [(0xE1, packet), (0xE2, b"MPF\0MM\0\x2A".to_vec())];
    let mut bytes = jpeg_with_segments(&picture(96, 64), &segments);
    bytes.extend(preview());
    let photo = check(&bytes, b"xmp:Rating='3'", &FORMATS[..4], "behind");
    let what = "the further pictures (MPF), the gain map".to_owned();
    assert_eq!(photo.warnings(), [Warning::NotKept { what }]);
    let jpeg = photo.encode(None, &EncodeOptions::default()).unwrap().bytes;
    assert!(!jpeg.windows(5).any(|window| window == b"hdrgm"));
    // Without an announcement it is said all the same, but for zeros that fill up.
    let plain = jpeg_with_segments(&picture(96, 64), &[]);
    let behind = decode(&[&plain[..], &preview()].concat());
    let what = "what is stored behind the picture".to_owned();
    assert_eq!(behind.warnings(), [Warning::NotKept { what }]);
    assert_eq!(decode(&[&plain[..], &[0; 99]].concat()).warnings(), []);
}

#[test]
fn previews_in_png_files_do_not_survive() {
    let picture = picture(96, 64);
    let png = |chunk| png_with(&picture, &[chunk]);
    let text = |keyword: &str, text: Vec<u8>| {
        let data = [keyword.as_bytes(), b"\0", &text].concat();
        png((*b"tEXt", data))
    };
    let with_exif = &FORMATS[..4];
    let exif = exif_of_camera(1, Some(&preview()));
    check(
        &png((*b"eXIf", exif.clone())),
        b"Maker of cameras",
        with_exif,
        "eXIf",
    );
    let block = [b"Exif\0\0", &exif[..]].concat();
    for kind in ["exif", "APP1"] {
        let bytes = text(
            &format!("Raw profile type {kind}"),
            hexadecimal("exif", &block),
        );
        check(&bytes, b"Maker of cameras", with_exif, kind);
    }
    let bytes = text(
        "Raw profile type 8bim",
        hexadecimal("8bim", &captions_with_preview()),
    );
    check(
        &bytes,
        b"beach",
        &[ImageFormat::Jpeg, ImageFormat::Tiff],
        "8bim",
    );
    let iptc = b"\x1C\x02\x78\0\x05beach";
    let bytes = text("Raw profile type iptc", hexadecimal("iptc", iptc));
    check(
        &bytes,
        b"beach",
        &[ImageFormat::Jpeg, ImageFormat::Tiff],
        "iptc",
    );
    let bytes = text(
        "Raw profile type xmp",
        hexadecimal("xmp", &xmp_with_thumbnail()),
    );
    check(&bytes, b"xmp:Rating='3'", with_exif, "xmp");
    let packet = [b"XML:com.adobe.xmp\0\0\0\0\0", &xmp_with_thumbnail()[..]].concat();
    check(
        &png((*b"iTXt", packet)),
        b"xmp:Rating='3'",
        with_exif,
        "iTXt",
    );
    for held in [base64(&preview()), preview()] {
        let photo = check(&text("Thumbnail", held), b"Thumbnail", &[], "text");
        let what = "the PNG text “Thumbnail”, which holds a picture".to_owned();
        assert_eq!(photo.warnings(), [Warning::NotKept { what }]);
    }
}

/// What PNG keeps of captions is found again.
#[test]
fn captions_pass_through_png() {
    let resources = [b"Photoshop 3.0\0", &captions_with_preview()[..]].concat();
    let photo = decode(&jpeg_with_segments(&picture(48, 32), &[(0xED, resources)]));
    let png = photo
        .encode(Some(ImageFormat::Png), &EncodeOptions::default())
        .unwrap();
    assert_eq!(png.warnings, []);
    let again = decode(&png.bytes).encode(Some(ImageFormat::Jpeg), &EncodeOptions::default());
    assert!(
        again
            .unwrap()
            .bytes
            .windows(5)
            .any(|window| window == b"beach")
    );
}

#[test]
fn previews_in_webp_and_tiff_files_do_not_survive() {
    let exif = [b"Exif\0\0", &exif_with_note(&preview())[..]].concat();
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", &xmp_with_thumbnail()[..]].concat();
    let resources = [b"Photoshop 3.0\0", &captions_with_preview()[..]].concat();
    let segments = [(0xE1, exif), (0xE1, packet), (0xED, resources)];
    let photo = decode(&jpeg_with_segments(&picture(96, 64), &segments));
    // Written by another program, the metadata would be as they were: put back by hand.
    let tiff = photo
        .encode(Some(ImageFormat::Tiff), &EncodeOptions::default())
        .unwrap()
        .bytes;
    let webp = photo
        .encode(Some(ImageFormat::WebP), &EncodeOptions::default())
        .unwrap()
        .bytes;
    for (bytes, name) in [(tiff, "TIFF"), (webp, "WebP")] {
        let end = b"the note's end";
        let at = bytes
            .windows(end.len())
            .position(|window| window == end)
            .unwrap();
        let mut planted = bytes.clone();
        let length = preview().len();
        planted[at - length..at].copy_from_slice(&preview());
        check(&planted, end, &FORMATS[..4], name);
    }
}
