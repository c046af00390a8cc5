//! How a file stores its samples is kept: depth, compression, and what it says of them.

mod common;

use common::{decode, encode, file, picture, png_with};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, RgbImage};
use inpaint_core::Mask;
use inpaint_photo::{EncodeOptions, Photo};
use std::io::Cursor;
use tiff::decoder::Decoder;
use tiff::encoder::colortype::{ColorType, Gray8, RGB8, RGB16, RGB32Float};
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, TiffValue};
use tiff::tags::Tag;

const SIZE: (u32, u32) = (41, 19);

fn in_hole(x: u32, y: u32) -> bool {
    (8..23).contains(&x) && (5..14).contains(&y)
}

/// A scan of something black on white, as a PNG file of one bit.
fn scan() -> (GrayImage, Vec<u8>) {
    let pixel = |x: u32, y: u32| Luma([if (x * x + 3 * y) % 7 < 3 { 0 } else { 255 }]);
    let pixels = GrayImage::from_fn(SIZE.0, SIZE.1, pixel);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let rows = pixels.rows().flat_map(|row| {
        let bits: Vec<u8> = row.map(|pixel| pixel.0[0] >> 7).collect();
        let byte = |bits: &[u8]| (0..8).fold(0, |b, i| b << 1 | bits.get(i).unwrap_or(&0));
        bits.chunks(8).map(byte).collect::<Vec<u8>>()
    });
    let packed: Vec<u8> = rows.collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&packed).unwrap();
    writer.finish().unwrap();
    (pixels, file)
}

#[test]
fn scans_of_one_bit_come_back_with_one_bit() {
    let (pixels, png) = scan();
    let tiff = encode(&decode(&png), ImageFormat::Tiff);
    for file in [png, tiff] {
        let mut photo = decode(&file);
        assert_eq!(photo.pixels().to_luma8(), pixels);
        // What a method gives is neither black nor white.
        let grey = |x: u32, _| image::Rgb([if x < 15 { 100 } else { 180 }; 3]);
        let completed = RgbImage::from_fn(SIZE.0, SIZE.1, grey);
        let mask = Mask::from_fn(SIZE.0, SIZE.1, in_hole);
        photo.fill_hole(&completed, &mask.into()).unwrap();
        let png = encode(&photo, ImageFormat::Png);
        assert_eq!(png[24..26], [1, 0]);
        let tiff = encode(&photo, ImageFormat::Tiff);
        let mut reader = Decoder::new(Cursor::new(&tiff)).unwrap();
        assert_eq!(reader.colortype().unwrap(), tiff::ColorType::Gray(1));
        for file in [png, tiff] {
            let DynamicImage::ImageLuma8(after) = decode(&file).pixels().clone() else {
                panic!("another kind");
            };
            for (x, y, pixel) in after.enumerate_pixels() {
                let filled = if x < 15 { 0 } else { 255 };
                let before = pixels.get_pixel(x, y).0[0];
                assert_eq!(pixel.0[0], if in_hole(x, y) { filled } else { before });
            }
        }
    }
}

fn tiff<C: ColorType>(samples: &[C::Inner], packing: (Compression, Predictor)) -> Vec<u8>
where
    [C::Inner]: TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let encoder = TiffEncoder::new(&mut file).unwrap();
    let mut encoder = encoder
        .with_compression(packing.0)
        .with_predictor(packing.1);
    encoder.write_image::<C>(SIZE.0, SIZE.1, samples).unwrap();
    file.into_inner()
}

/// Compression and predictor.
fn packing(file: &[u8]) -> [Option<u16>; 2] {
    let mut reader = Decoder::new(Cursor::new(file)).unwrap();
    [Tag::Compression, Tag::Predictor].map(|tag| reader.find_tag_unsigned(tag).unwrap())
}

fn samples(photo: &Photo) -> &[u8] {
    photo.pixels().as_bytes()
}

#[test]
fn tiff_files_keep_their_compression() {
    let colours = picture(SIZE.0, SIZE.1);
    let grey = DynamicImage::from(colours.clone()).to_luma8();
    let deep: Vec<u16> = colours.iter().map(|&b| u16::from(b) * 251 + 3).collect();
    let parts: Vec<f32> = deep
        .iter()
        .map(|&sample| f32::from(sample) / 65_535.0)
        .collect();
    let deflate = Compression::Deflate(DeflateLevel::default());
    for compression in [
        Compression::Uncompressed,
        Compression::Lzw,
        deflate,
        Compression::Packbits,
    ] {
        for predictor in [Predictor::None, Predictor::Horizontal] {
            let is_packed = compression == Compression::Lzw || compression == deflate;
            if predictor == Predictor::Horizontal && !is_packed {
                continue;
            }
            let how = (compression, predictor);
            let mut files = vec![
                tiff::<Gray8>(&grey, how),
                tiff::<RGB8>(&colours, how),
                tiff::<RGB16>(&deep, how),
            ];
            if predictor == Predictor::None {
                files.push(tiff::<RGB32Float>(&parts, how));
            }
            for file in files {
                let photo = decode(&file);
                for strip in [false, true] {
                    let options = EncodeOptions {
                        strip,
                        ..EncodeOptions::default()
                    };
                    let encoded = photo.encode(None, &options).unwrap();
                    assert_eq!(packing(&encoded.bytes), packing(&file));
                    assert_eq!(samples(&decode(&encoded.bytes)), samples(&photo));
                }
            }
        }
    }
    // From other formats nothing is known.
    let png = decode(&file(&colours.into(), ImageFormat::Png));
    assert_eq!(packing(&encode(&png, ImageFormat::Tiff))[0], Some(1));
}

/// A scan as facsimile machines send it (CCITT group 4), where black is 1.
fn facsimile(pixels: &GrayImage) -> Vec<u8> {
    let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
    for row in pixels.rows() {
        let row = row.map(|pixel| match pixel.0[0] {
            0 => fax::Color::Black,
            _ => fax::Color::White,
        });
        let Ok(()) = encoder.encode_line(row, SIZE.0 as u16);
    }
    let Ok(writer) = encoder.finish();
    let data = writer.finish();
    let entries = [
        (256, SIZE.0),
        (257, SIZE.1),
        (258, 1),
        (259, 4),
        (262, 0),
        (273, 8),
        (277, 1),
        (278, SIZE.1),
        (279, data.len() as u32),
    ];
    let directory = 8 + data.len() as u32;
    let mut file = [&b"MM\0\x2A"[..], &directory.to_be_bytes(), &data].concat();
    file.extend((entries.len() as u16).to_be_bytes());
    for (tag, value) in entries {
        file.extend([&u16::to_be_bytes(tag)[..], &[0, 4, 0, 0, 0, 1]].concat());
        file.extend(value.to_be_bytes());
    }
    file.extend([0; 4]);
    file
}

#[test]
fn facsimiles_stay_facsimiles() {
    let (pixels, _) = scan();
    let file = facsimile(&pixels);
    let photo = decode(&file);
    assert_eq!(photo.pixels().to_luma8(), pixels);
    let again = encode(&photo, ImageFormat::Tiff);
    assert_eq!(packing(&again)[0], Some(4));
    let mut reader = Decoder::new(Cursor::new(&again)).unwrap();
    assert_eq!(reader.colortype().unwrap(), tiff::ColorType::Gray(1));
    assert_eq!(decode(&again).pixels().to_luma8(), pixels);
}

#[test]
fn what_big_tiff_files_say_is_kept() {
    let colours = picture(SIZE.0, SIZE.1);
    let mut big = Cursor::new(Vec::new());
    let encoder = TiffEncoder::new_big(&mut big).unwrap();
    let mut encoder = encoder.with_compression(Compression::Lzw);
    let mut image = encoder.new_image::<RGB8>(SIZE.0, SIZE.1).unwrap();
    let scale = [10.0, 10.0, 0.0];
    let directory = image.encoder();
    directory.write_tag(Tag::ImageDescription, "a map").unwrap();
    directory
        .write_tag(Tag::ModelPixelScaleTag, &scale[..])
        .unwrap();
    image.write_data(&colours).unwrap();
    let big = big.into_inner();
    assert_eq!(big[..4], *b"II\x2B\0");
    let photo = decode(&big);
    assert_eq!(photo.warnings(), []);
    let tiff = encode(&photo, ImageFormat::Tiff);
    assert_eq!(packing(&tiff), packing(&big));
    let mut reader = Decoder::new(Cursor::new(&tiff)).unwrap();
    let description = reader.get_tag_ascii_string(Tag::ImageDescription);
    assert_eq!(description.unwrap(), "a map");
    let kept = reader.get_tag_f64_vec(Tag::ModelPixelScaleTag).unwrap();
    assert_eq!(kept, scale);
    // As an Exif block, too.
    let jpeg = encode(&photo, ImageFormat::Jpeg);
    assert!(jpeg.windows(5).any(|window| window == b"a map"));
    for end in 0..big.len().min(400) {
        let _ = Photo::decode(&big[..end], &Default::default());
    }
}

/// The content of the chunk of this name.
fn chunk(file: &[u8], name: &[u8; 4]) -> Option<Vec<u8>> {
    let at = file.windows(4).position(|window| window == name)?;
    let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
    Some(file[at + 4..at + 4 + length as usize].to_vec())
}

#[test]
fn significant_bits_and_background_of_png_files_are_kept() {
    let background = vec![0, 10, 0, 200, 0, 30];
    let chunks = [(*b"sBIT", vec![5, 6, 5]), (*b"bKGD", background.clone())];
    let photo = decode(&png_with(&picture(9, 9), &chunks));
    let png = encode(&photo, ImageFormat::Png);
    assert_eq!(chunk(&png, b"sBIT"), Some(vec![5, 6, 5]));
    assert_eq!(chunk(&png, b"bKGD"), Some(background));
    // Those that say nonsense are not.
    for nonsense in [vec![], vec![0, 6, 5], vec![5, 6, 9], vec![5; 7]] {
        let photo = decode(&png_with(&picture(9, 9), &[(*b"sBIT", nonsense)]));
        assert_eq!(chunk(&encode(&photo, ImageFormat::Png), b"sBIT"), None);
    }
    let (_, mut scan) = scan();
    let mut white = b"\0\0\0\x02bKGD\0\x01".to_vec();
    white.extend(common::crc(&white[4..]).to_be_bytes());
    scan.splice(33..33, white);
    let png = encode(&decode(&scan), ImageFormat::Png);
    assert_eq!(chunk(&png, b"bKGD"), Some(vec![0, 1]));
}

#[test]
fn chunks_of_programs_are_kept_or_named() {
    let picture = picture(9, 9);
    let chunks = [
        (*b"veNd", b"a note of the program's".to_vec()),
        (*b"prVW", file(&picture.clone().into(), ImageFormat::Bmp)),
        (*b"biGg", vec![7; 5000]),
    ];
    let mut png = png_with(&picture, &chunks);
    png.extend(b"more");
    let photo = decode(&png);
    let again = encode(&photo, ImageFormat::Png);
    assert_eq!(chunk(&again, b"veNd"), Some(chunks[0].1.clone()));
    let said = photo.warnings()[0].to_string();
    for name in ["prVW", "biGg"] {
        assert!(said.contains(&format!("the PNG chunk {name}")), "{said}");
        assert!(!again.windows(4).any(|window| window == name.as_bytes()));
    }
    assert!(!again.ends_with(b"more"));
    let tiff = photo.encode(Some(ImageFormat::Tiff), &EncodeOptions::default());
    let said = tiff.unwrap().warnings.last().unwrap().to_string();
    assert!(said.contains("chunks of the program's own"), "{said}");
    let mut png = png_with(&picture, &[]);
    assert_eq!(decode(&png).warnings(), []);
    png.extend(b"more");
    let said = decode(&png).warnings()[0].to_string();
    assert!(said.contains("behind the picture"), "{said}");
}

#[test]
fn the_background_of_a_palette_is_a_colour() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(vec![1, 2, 3, 40, 50, 60]);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_chunk(png::chunk::ChunkType(*b"bKGD"), &[1])
        .unwrap();
    writer.write_image_data(&[0, 1, 1, 0]).unwrap();
    writer.finish().unwrap();
    let png = encode(&decode(&file), ImageFormat::Png);
    assert_eq!(chunk(&png, b"bKGD"), Some(vec![0, 40, 0, 50, 0, 60]));
}
