//! Rare kinds of TIFF and JPEG files: read, or refused without calling them damaged.

mod common;

use common::{decode, encode, file, jpeg_with_segments, picture};
use image::{DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, LumaA, Rgb, Rgba};
use inpaint_core::{Mask, Rect, RgbImage};
use inpaint_photo::{EncodeOptions, Limits, Photo, PhotoError};

const SIZE: (u32, u32) = (13, 7);

/// A tag with numbers of 16 bits.
type Field<'a> = (u16, &'a [u16]);

/// What TIFF files by hand differ in.
#[derive(Clone, Copy, Default)]
struct Layout {
    is_big_endian: bool,
    is_big_tiff: bool,
}

impl Layout {
    const ALL: [Self; 4] = [
        Self::new(false, false),
        Self::new(true, false),
        Self::new(false, true),
        Self::new(true, true),
    ];

    const fn new(is_big_endian: bool, is_big_tiff: bool) -> Self {
        Self {
            is_big_endian,
            is_big_tiff,
        }
    }

    fn number(self, number: usize, length: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes()[..length].to_vec();
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// Samples of 16 bits in the file's byte order.
    fn deep(self, samples: &[u16]) -> Vec<u8> {
        let bytes = samples.iter().map(|&s| self.number(s.into(), 2));
        bytes.flatten().collect()
    }

    /// A file of `SIZE` in one strip, with these numbers of 16 bits beside it.
    fn file(self, strip: &[u8], fields: &[Field]) -> Vec<u8> {
        let (width, height) = (SIZE.0 as u16, SIZE.1 as u16);
        let word = if self.is_big_tiff { 8 } else { 4 };
        let mut bytes = if self.is_big_endian { b"MM" } else { b"II" }.to_vec();
        if self.is_big_tiff {
            bytes.extend(self.deep(&[43, 8, 0]));
        } else {
            bytes.extend(self.deep(&[42]));
        }
        let first = bytes.len();
        bytes.extend(vec![0; word]);
        let strip_at = bytes.len() as u16;
        bytes.extend(strip);
        let place = [strip_at];
        let length = [strip.len() as u16];
        let (width, height) = ([width], [height]);
        let mut fields = fields.to_vec();
        fields.extend([
            (256, &width[..]),
            (257, &height),
            (273, &place),
            (279, &length),
        ]);
        fields.sort_by_key(|field| field.0);
        let count_length = if self.is_big_tiff { 8 } else { 2 };
        let mut directory = self.number(fields.len(), count_length);
        for (tag, values) in fields {
            directory.extend(self.deep(&[tag, 3]));
            directory.extend(self.number(values.len(), word));
            let mut values = self.deep(values);
            if values.len() <= word {
                values.resize(word, 0);
                directory.extend(values);
            } else {
                directory.extend(self.number(bytes.len(), word));
                bytes.extend(values);
            }
        }
        directory.extend(vec![0; word]);
        let at = self.number(bytes.len(), word);
        bytes[first..first + word].copy_from_slice(&at);
        bytes.extend(directory);
        bytes
    }
}

/// Numbers of colours, and their table as TIFF stores it.
fn palette(bits: usize) -> (Vec<usize>, Vec<u16>, Vec<[u8; 3]>) {
    let count = 1usize << bits;
    let colour = |i: usize| [(i * 37 + 200) as u8, (i * 11 + 3) as u8, (i * 5) as u8];
    let colours: Vec<[u8; 3]> = (0..count).map(colour).collect();
    let channels = (0..3).flat_map(|c| colours.iter().map(move |colour| colour[c]));
    let map = channels.map(|value| u16::from(value) * 257).collect();
    let numbers = (0..(SIZE.0 * SIZE.1) as usize).map(|i| i * 83 % count);
    (numbers.collect(), map, colours)
}

/// Numbers packed into bytes, rows beginning with a byte.
fn packed(numbers: &[usize], bits: usize, layout: Layout) -> Vec<u8> {
    if bits == 16 {
        let numbers: Vec<u16> = numbers.iter().map(|&number| number as u16).collect();
        return layout.deep(&numbers);
    }
    let per_byte = 8 / bits;
    let rows = numbers.chunks(SIZE.0 as usize);
    rows.flat_map(|row| {
        row.chunks(per_byte).map(move |part| {
            let shifted = part.iter().enumerate();
            shifted.fold(0, |byte, (i, &number)| {
                byte | (number << (8 - bits - i * bits)) as u8
            })
        })
    })
    .collect()
}

#[test]
fn palettes_of_tiff_files_are_read() {
    for layout in [Layout::new(false, false), Layout::new(true, false)] {
        for bits in [1, 2, 4, 8, 16] {
            let (numbers, map, colours) = palette(bits);
            let strip = packed(&numbers, bits, layout);
            let fields: [Field; 3] = [(258, &[bits as u16]), (262, &[3]), (320, &map)];
            let photo = decode(&layout.file(&strip, &fields));
            let expected = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
                Rgb(colours[numbers[(y * SIZE.0 + x) as usize]])
            });
            assert_eq!(photo.pixels(), &DynamicImage::from(expected), "{bits} bits");
        }
    }
}

#[test]
fn palettes_may_have_alpha_or_colours_of_8_bits() {
    let layout = Layout::default();
    let (numbers, map, colours) = palette(8);
    let samples = numbers.iter().flat_map(|&n| [n as u8, !n as u8]);
    let strip: Vec<u8> = samples.collect();
    let fields: [Field; 5] = [
        (258, &[8, 8]),
        (262, &[3]),
        (277, &[2]),
        (320, &map),
        (338, &[2]),
    ];
    let photo = decode(&layout.file(&strip, &fields));
    let pixels = photo.pixels().as_rgba8().unwrap();
    for (pixel, &number) in pixels.pixels().zip(&numbers) {
        let [r, g, b] = colours[number];
        assert_eq!(pixel, &Rgba([r, g, b, !number as u8]));
    }

    let bytes: Vec<u16> = map.iter().map(|value| value >> 8).collect();
    let strip = packed(&numbers, 8, layout);
    let fields: [Field; 3] = [(258, &[8]), (262, &[3]), (320, &bytes)];
    let photo = decode(&layout.file(&strip, &fields));
    assert_eq!(photo.to_rgb().get_pixel(1, 0).0, colours[numbers[1]]);
}

#[test]
fn grey_with_alpha_keeps_every_sample() {
    let (w, h) = SIZE;
    let deep = |x: u32, y: u32| (x * 1801 + y * 977 + 13) as u16;
    let shallow = GrayAlphaImage::from_fn(w, h, |x, y| LumaA([(x * 5) as u8, (y * 7) as u8]));
    let deep = ImageBuffer::from_fn(w, h, |x, y| LumaA([deep(x, y), deep(y, x)]));
    for layout in Layout::ALL {
        let fields = |bits| -> [Field; 4] { [(258, bits), (262, &[1]), (277, &[2]), (338, &[2])] };
        let photo = decode(&layout.file(shallow.as_raw(), &fields(&[8, 8])));
        assert_eq!(photo.pixels(), &DynamicImage::from(shallow.clone()));
        let strip = layout.deep(deep.as_raw());
        let photo = decode(&layout.file(&strip, &fields(&[16, 16])));
        assert_eq!(photo.pixels(), &DynamicImage::from(deep.clone()));
        let again = decode(&encode(&photo, ImageFormat::Tiff));
        assert_eq!(again.pixels(), photo.pixels());
    }
}

#[test]
fn big_tiff_is_read() {
    let pixels = picture(SIZE.0, SIZE.1);
    for layout in Layout::ALL {
        let fields: [Field; 3] = [(258, &[8, 8, 8]), (262, &[2]), (277, &[3])];
        let mut photo = decode(&layout.file(pixels.as_raw(), &fields));
        assert_eq!(photo.pixels(), &DynamicImage::from(pixels.clone()));
        assert_eq!(photo.format(), ImageFormat::Tiff);
        let rect = Rect {
            x: 2,
            y: 2,
            width: 3,
            height: 2,
        };
        let mask = Mask::rectangle(SIZE.0, SIZE.1, rect);
        let red = RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([200, 60, 30]));
        photo.fill_hole(&red, &mask.into()).unwrap();
        let again = decode(&encode(&photo, ImageFormat::Tiff));
        assert_eq!(again.pixels(), photo.pixels());
    }
}

fn refusal(file: &[u8]) -> String {
    let error = Photo::decode(file, &Limits::default()).unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, PhotoError::Unsupported { .. }), "{words}");
    words
}

#[test]
fn tiff_files_of_other_kinds_are_not_called_damaged() {
    let samples = vec![77; 12 * (SIZE.0 * SIZE.1) as usize];
    let cases: [(&str, &[Field]); 9] = [
        (
            "ZSTD",
            &[(258, &[8, 8, 8]), (259, &[50000]), (262, &[2]), (277, &[3])],
        ),
        (
            "YCbCr, 8 bits",
            &[(258, &[8, 8, 8]), (262, &[6]), (277, &[3]), (530, &[1, 1])],
        ),
        ("CIELab", &[(258, &[8, 8, 8]), (262, &[8]), (277, &[3])]),
        ("grey, 32 bits", &[(258, &[32]), (262, &[1]), (339, &[3])]),
        ("grey, 4 bits", &[(258, &[4]), (262, &[1])]),
        (
            "3 samples per pixel",
            &[(258, &[8, 8, 8]), (262, &[1]), (277, &[3])],
        ),
        (
            "RGB, 32 bits per sample, as whole numbers",
            &[(258, &[32, 32, 32]), (262, &[2]), (277, &[3])],
        ),
        ("reverse order", &[(258, &[8]), (262, &[1]), (266, &[2])]),
        (
            "interpretation",
            &[(258, &[8, 8]), (262, &[0]), (277, &[2]), (338, &[2])],
        ),
    ];
    for (what, fields) in cases {
        let refusal = refusal(&Layout::default().file(&samples, fields));
        for words in [
            "is a TIFF of a kind that cannot be read (",
            what,
            "convert it to PNG or to an uncompressed RGB TIFF",
        ] {
            assert!(refusal.contains(words), "“{words}” is not in “{refusal}”");
        }
    }
}

#[test]
fn cut_tiff_files_are_called_damaged() {
    let (numbers, map, _) = palette(8);
    let strip = packed(&numbers, 8, Layout::default());
    let cases: [&[Field]; 2] = [
        &[(258, &[8]), (262, &[3]), (320, &map)],
        &[(258, &[8, 8]), (262, &[1]), (277, &[2]), (338, &[2])],
    ];
    for fields in cases {
        // A strip that is to reach far beyond the file.
        let mut file = Layout::default().file(&strip[..20], fields);
        let place = [17, 1, 3, 0, 1, 0, 0, 0, 8, 0];
        let at = file.windows(10).position(|w| w == place).unwrap();
        file[at + 9] = 0x70;
        let error = Photo::decode(&file, &Limits::default()).unwrap_err();
        assert!(matches!(error, PhotoError::Damaged { .. }), "{error}");
    }
}

#[test]
fn changed_tiff_files_give_a_picture_or_an_error_and_never_a_panic() {
    let layout = Layout::default();
    let limits = Limits {
        max_pixels: 1 << 16,
        max_side: None,
        max_alloc: Some(16 << 20),
    };
    let (numbers, map, _) = palette(4);
    let strip = packed(&numbers, 4, layout);
    let grey = vec![90; 2 * (SIZE.0 * SIZE.1) as usize];
    for file in [
        layout.file(&strip, &[(258, &[4]), (262, &[3]), (320, &map)]),
        layout.file(&grey, &[(258, &[8, 8]), (262, &[1]), (277, &[2])]),
    ] {
        let mut num_pictures = 0;
        for at in 0..file.len() {
            for byte in [0, 1, 2, 3, 16, 0x7F, 0xFF] {
                let mut changed = file.clone();
                changed[at] = byte;
                num_pictures += usize::from(Photo::decode(&changed, &limits).is_ok());
            }
        }
        assert!(num_pictures > file.len());
    }
}

#[test]
fn jpeg_files_of_other_kinds_are_not_called_damaged() {
    let jpeg = jpeg_with_segments(&picture(24, 16), &[]);
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    for (marker, bits, what) in [
        (0xC9, 8, "arithmetic coding"),
        (0xCA, 8, "arithmetic coding"),
        (0xC1, 12, "12 bits per sample"),
        (0xC0, 12, "12 bits per sample"),
        (0xC3, 8, "lossless"),
        (0xC3, 16, "lossless"),
        (0xC5, 8, "hierarchical"),
        (0xF7, 8, "JPEG-LS"),
    ] {
        let mut changed = jpeg.clone();
        changed[frame + 1] = marker;
        changed[frame + 4] = bits;
        let refusal = refusal(&changed);
        let words = format!("is a JPEG of a kind that cannot be read ({what}); convert it to PNG");
        assert!(refusal.starts_with(&words), "{refusal}");
    }
    // The rest of the usual kinds.
    for marker in [0xC0, 0xC1] {
        let mut changed = jpeg.clone();
        changed[frame + 1] = marker;
        assert_eq!(decode(&changed).pixels(), decode(&jpeg).pixels());
    }
}

#[test]
fn alpha_of_tiff_files_is_declared() {
    let (w, h) = SIZE;
    let kinds: [(DynamicImage, u16); 5] = [
        (GrayAlphaImage::from_pixel(w, h, LumaA([9, 100])).into(), 2),
        (
            ImageBuffer::from_pixel(w, h, LumaA([900u16, 1000])).into(),
            2,
        ),
        (
            ImageBuffer::from_pixel(w, h, Rgba([1u8, 2, 3, 100])).into(),
            4,
        ),
        (
            ImageBuffer::from_pixel(w, h, Rgba([1u16, 2, 3, 1000])).into(),
            4,
        ),
        (picture(w, h).into(), 3),
    ];
    for (pixels, num_samples) in kinds {
        let photo = decode(&file(&pixels, ImageFormat::Png));
        let tiff = encode(&photo, ImageFormat::Tiff);
        let mut reader = tiff::decoder::Decoder::new(std::io::Cursor::new(&tiff)).unwrap();
        let mut numbers = |tag| reader.find_tag_unsigned_vec::<u16>(tag).unwrap();
        let alpha = pixels.color().has_alpha().then(|| vec![2]);
        assert_eq!(numbers(tiff::tags::Tag::ExtraSamples), alpha);
        let samples = numbers(tiff::tags::Tag::SamplesPerPixel);
        assert_eq!(samples, Some(vec![num_samples]));
        assert_eq!(decode(&tiff).pixels(), &pixels);
    }
}

#[test]
fn places_on_earth_and_private_tags_are_kept_in_tiff_files_and_named_elsewhere() {
    let samples = vec![77; 3 * (SIZE.0 * SIZE.1) as usize];
    for layout in [Layout::new(false, false), Layout::new(true, false)] {
        let keys: &[u16] = &[1, 1, 0, 1, 1024, 0, 1, 1];
        let fields: [Field; 5] = [
            (258, &[8, 8, 8]),
            (262, &[2]),
            (277, &[3]),
            (34735, keys),
            (50000, &[4, 5]),
        ];
        let photo = decode(&layout.file(&samples, &fields));
        let tiff = photo.encode(None, &EncodeOptions::default()).unwrap();
        assert_eq!(tiff.warnings, []);
        let mut reader = tiff::decoder::Decoder::new(std::io::Cursor::new(&tiff.bytes)).unwrap();
        let mut numbers = |tag| {
            let tag = tiff::tags::Tag::from_u16_exhaustive(tag);
            reader.find_tag_unsigned_vec::<u16>(tag).unwrap()
        };
        assert_eq!(numbers(34735).as_deref(), Some(keys));
        assert_eq!(numbers(50000), Some(vec![4, 5]));
        let png = photo.encode(Some(ImageFormat::Png), &EncodeOptions::default());
        assert_eq!(png.unwrap().warnings.len(), 1);
        // In a picture that is stored turned they would lie.
        let turned = [&fields[..], &[(274, &[6])]].concat();
        let photo = decode(&layout.file(&samples, &turned));
        assert!(photo.warnings()[0].to_string().contains("on earth"));
    }
}

#[test]
fn colours_multiplied_by_alpha_stay_declared() {
    let samples = vec![77; 4 * (SIZE.0 * SIZE.1) as usize];
    for layout in [Layout::new(false, false), Layout::new(true, false)] {
        for (kind, strip) in [(1, false), (1, true), (2, false)] {
            let bits = [8, 8, 8, 8];
            let fields: [Field; 4] = [(258, &bits), (262, &[2]), (277, &[4]), (338, &[kind])];
            let photo = decode(&layout.file(&samples, &fields));
            let options = EncodeOptions {
                strip,
                ..EncodeOptions::default()
            };
            let tiff = photo.encode(None, &options).unwrap().bytes;
            let mut reader = tiff::decoder::Decoder::new(std::io::Cursor::new(&tiff)).unwrap();
            let alpha = reader.find_tag_unsigned_vec::<u16>(tiff::tags::Tag::ExtraSamples);
            assert_eq!(alpha.unwrap(), Some(vec![kind]));
            assert_eq!(decode(&tiff).pixels(), photo.pixels());
        }
    }
}
