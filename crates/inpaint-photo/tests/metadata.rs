//! What files say about their picture survives, and fits the picture.

mod common;

use common::{decode, encode, exif_of_camera, icc_profile, jpeg_with_segments, picture, png_with};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use inpaint_photo::{EncodeOptions, Limits, Photo, Warning};
use std::io::Cursor;

const FORMATS: [ImageFormat; 4] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Tiff,
];

const XMP: &[u8] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>rated</x:xmpmeta>";

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

/// What a packet says about a picture that is stored lying on its side, and of its upright copy.
const TURNED_XMP: [&[u8]; 2] = [
    b"<d xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:exif='http://ns.adobe.com/exif/1.0/' \
      tiff:Orientation='6' exif:PixelXDimension='48' exif:PixelYDimension='32'>\
      <tiff:Make>Maker 6</tiff:Make></d>",
    b"<d xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:exif='http://ns.adobe.com/exif/1.0/' \
      tiff:Orientation='1' exif:PixelXDimension='32' exif:PixelYDimension='48'>\
      <tiff:Make>Maker 6</tiff:Make></d>",
];

/// A JPEG file with everything that cameras and editors put into one.
fn camera_file() -> Vec<u8> {
    let exif = exif_of_camera(6, Some(b"the old picture!"));
    jpeg_with_segments(
        &picture(48, 32),
        &[
            (0xE1, [b"Exif\0\0", &exif[..]].concat()),
            (0xE1, [b"http://ns.adobe.com/xap/1.0/\0", XMP].concat()),
            (
                0xE2,
                [b"ICC_PROFILE\0\x01\x01", &icc_profile(b"RGB ")[..]].concat(),
            ),
            (0xFE, b"a comment".to_vec()),
        ],
    )
}

#[test]
fn everything_passes_through_every_format_and_back() {
    let file = camera_file();
    let mut photo = Photo::decode(&file, &Limits::default()).unwrap();
    assert_eq!(photo.dimensions(), (32, 48));
    for format in FORMATS {
        let encoded = photo
            .encode(Some(format), &EncodeOptions::default())
            .unwrap();
        // All but the comment, which the first other format has no place for.
        let num_lost = usize::from(format == ImageFormat::Png);
        assert_eq!(encoded.warnings.len(), num_lost, "{format:?}");
        let reader = ImageReader::with_format(Cursor::new(&encoded.bytes), format);
        let mut decoder = reader.into_decoder().unwrap();
        assert_eq!(decoder.icc_profile().unwrap(), Some(icc_profile(b"RGB ")));
        assert_eq!(decoder.xmp_metadata().unwrap().as_deref(), Some(XMP));
        // JPEG from JPEG stays as it is stored.
        let is_copied = format == ImageFormat::Jpeg;
        let (orientation, size) = if is_copied {
            (Orientation::Rotate90, (48, 32))
        } else {
            (Orientation::NoTransforms, (32, 48))
        };
        assert_eq!(decoder.orientation().unwrap(), orientation);
        assert_eq!(decoder.dimensions(), size);
        for words in [&b"Maker of cameras"[..], b"2024:02:29 12:00:00"] {
            assert!(contains(&encoded.bytes, words), "{format:?}");
        }
        assert!(!contains(&encoded.bytes, b"old picture"), "{format:?}");
        // The next format gets it from this one, so that every reader is tried, too.
        photo = Photo::decode(&encoded.bytes, &Limits::default()).unwrap();
    }
}

#[test]
fn xmp_says_how_the_picture_is_stored() {
    let exif = exif_of_camera(6, None);
    let [stored, upright] = TURNED_XMP;
    let file = jpeg_with_segments(
        // Large enough for the decoder to give out the packet of a TIFF file.
        &picture(480, 320),
        &[
            (0xE1, [b"Exif\0\0", &exif[..]].concat()),
            (0xE1, [b"http://ns.adobe.com/xap/1.0/\0", stored].concat()),
        ],
    );
    let photo = decode(&file);
    for format in FORMATS {
        let encoded = encode(&photo, format);
        let reader = ImageReader::with_format(Cursor::new(&encoded), format);
        let mut decoder = reader.into_decoder().unwrap();
        // JPEG from JPEG stays as it is stored.
        let expected = if format == ImageFormat::Jpeg {
            stored
        } else {
            upright
        };
        let xmp = decoder.xmp_metadata().unwrap();
        assert_eq!(xmp.as_deref(), Some(expected), "{format:?}");
    }
    // Without a turn the packet is nobody's business.
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", stored].concat();
    let file = jpeg_with_segments(&picture(48, 32), &[(0xE1, packet)]);
    assert!(contains(&encode(&decode(&file), ImageFormat::Tiff), stored));
}

#[test]
fn metadata_of_tiff_files_may_be_longer_than_their_picture() {
    let xmp = [XMP, &[b' '; 4000]].concat();
    let profile = [&icc_profile(b"RGB ")[..], &[7; 4000]].concat();
    let file = jpeg_with_segments(
        &picture(9, 9),
        &[
            (0xE1, [b"http://ns.adobe.com/xap/1.0/\0", &xmp[..]].concat()),
            (0xE2, [b"ICC_PROFILE\0\x01\x01", &profile[..]].concat()),
        ],
    );
    let tiff = encode(&decode(&file), ImageFormat::Tiff);
    let again = encode(&decode(&tiff), ImageFormat::Tiff);
    assert!(contains(&again, &xmp) && contains(&again, &profile));
}

#[test]
fn upright_tiff_files_say_so() {
    let tiff = encode(&decode(&camera_file()), ImageFormat::Tiff);
    let mut decoder = tiff::decoder::Decoder::new(Cursor::new(tiff)).unwrap();
    let tag = decoder.find_tag_unsigned::<u16>(tiff::tags::Tag::Orientation);
    assert_eq!(tag.unwrap(), Some(1));
}

#[test]
fn stripping_leaves_the_picture_alone() {
    let photo = decode(&camera_file());
    let options = EncodeOptions {
        strip: true,
        ..EncodeOptions::default()
    };
    for format in FORMATS {
        let encoded = photo.encode(Some(format), &options).unwrap();
        for words in [&b"Maker"[..], b"rated", b"acsp", b"a comment"] {
            assert!(!contains(&encoded.bytes, words), "{format:?}");
        }
        assert_eq!(decode(&encoded.bytes).dimensions(), (32, 48));
    }
}

#[test]
fn density_is_kept_and_turns_with_the_picture() {
    let pixels_per_metre = [11_811u32.to_be_bytes(), 5_906u32.to_be_bytes()].concat();
    let density = [&pixels_per_metre[..], &[1]].concat();
    let upright = png_with(&picture(20, 10), &[(*b"pHYs", density.clone())]);
    let photo = decode(&upright);
    let jpeg = encode(&photo, ImageFormat::Jpeg);
    // JFIF: inches, 300 and 150 to each.
    assert_eq!(jpeg[13..18], [1, 1, 44, 0, 150]);
    let tiff = encode(&decode(&jpeg), ImageFormat::Tiff);
    let bmp = encode(&decode(&tiff), ImageFormat::Bmp);
    let png = encode(&decode(&bmp), ImageFormat::Png);
    assert!(contains(&png, &[b"pHYs", &density[..]].concat()));

    let exif = exif_of_camera(8, None);
    let turned = png_with(&picture(20, 10), &[(*b"pHYs", density), (*b"eXIf", exif)]);
    let jpeg = encode(&decode(&turned), ImageFormat::Jpeg);
    assert_eq!(jpeg[13..18], [1, 0, 150, 1, 44]);
}

#[test]
fn png_keeps_its_texts_and_how_its_samples_are_meant() {
    let chunks = [
        (*b"gAMA", 45_455u32.to_be_bytes().to_vec()),
        (*b"tEXt", b"Title\0A beach".to_vec()),
    ];
    let file = png_with(&picture(9, 9), &chunks);
    let png = encode(&decode(&file), ImageFormat::Png);
    for (name, data) in &chunks {
        assert!(contains(&png, &[&name[..], data].concat()));
    }
}

#[test]
fn a_profile_of_another_colour_space_goes() {
    let segments = [(
        0xE2,
        [b"ICC_PROFILE\0\x01\x01", &icc_profile(b"CMYK")[..]].concat(),
    )];
    let photo = decode(&jpeg_with_segments(&picture(8, 8), &segments));
    let encoded = photo.encode(None, &EncodeOptions::default()).unwrap();
    assert_eq!(encoded.warnings, [Warning::ProfileOfOtherKind]);
    assert!(!contains(&encoded.bytes, b"acsp"));
}

#[test]
fn what_bmp_cannot_hold_is_said() {
    let encoded = decode(&camera_file()).encode(Some(ImageFormat::Bmp), &EncodeOptions::default());
    assert_eq!(encoded.unwrap().warnings.len(), 2);
}

#[test]
fn profiles_have_a_place_in_bmp_files() {
    let profile = icc_profile(b"RGB ");
    let segment = [b"ICC_PROFILE\0\x01\x01", &profile[..]].concat();
    let jpeg = jpeg_with_segments(&picture(9, 5), &[(0xE2, segment)]);
    let with_alpha = DynamicImage::from(picture(9, 5)).to_rgba8();
    for photo in [
        decode(&jpeg),
        decode(&common::file(&with_alpha.into(), ImageFormat::Png)),
    ] {
        let plain = encode(&photo, ImageFormat::Bmp);
        let again = decode(&plain);
        assert_eq!(again.pixels().to_rgba8(), photo.pixels().to_rgba8());
        let is_profiled = contains(&plain, b"acsp");
        assert_eq!(
            is_profiled,
            contains(&encode(&photo, ImageFormat::Tiff), b"acsp")
        );
        assert_eq!(
            is_profiled,
            contains(&encode(&again, ImageFormat::Bmp), &profile)
        );
        assert_eq!(
            is_profiled,
            contains(&encode(&again, ImageFormat::Jpeg), &profile)
        );
    }
}

#[test]
fn comments_and_texts_are_not_lost_without_a_word() {
    let commented = jpeg_with_segments(&picture(8, 8), &[(0xFE, b"a comment".to_vec())]);
    let titled = png_with(&picture(8, 8), &[(*b"tEXt", b"Title\0A beach".to_vec())]);
    // How its samples are meant is no text.
    let plain = png_with(&picture(8, 8), &[(*b"sRGB", vec![0])]);
    for (file, home, what) in [
        (commented, Some(ImageFormat::Jpeg), "JPEG comments are"),
        (titled, Some(ImageFormat::Png), "PNG texts are"),
        (plain, None, ""),
    ] {
        for format in [&FORMATS[..], &[ImageFormat::Bmp]].concat() {
            let encoded = decode(&file).encode(Some(format), &EncodeOptions::default());
            let lost = Warning::MetadataDropped { what, format };
            let is_kept = home.is_none() || home == Some(format);
            let expected = if is_kept { vec![] } else { vec![lost] };
            assert_eq!(encoded.unwrap().warnings, expected);
        }
    }
    let strip = EncodeOptions {
        strip: true,
        ..EncodeOptions::default()
    };
    let photo = decode(&png_with(&picture(8, 8), &[(*b"tEXt", b"A\0b".to_vec())]));
    let encoded = photo.encode(Some(ImageFormat::Jpeg), &strip).unwrap();
    assert_eq!(encoded.warnings, []);
}

#[test]
fn only_the_first_of_several_pictures_is_announced() {
    let chunks = [(*b"acTL", [0, 0, 0, 1, 0, 0, 0, 0].to_vec())];
    let photo = decode(&png_with(&picture(8, 8), &chunks));
    assert_eq!(photo.warnings(), [Warning::FirstPictureOnly]);
    assert_eq!(photo.pixels(), &DynamicImage::from(picture(8, 8)));
}
