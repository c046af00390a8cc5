//! Everything that is done with a picture file, for any bytes: the fuzz target and the tests of
//! damaged files share it.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use inpaint_core::{InpaintError, Mask, Rect};
use inpaint_photo::{
    EncodeOptions, Encoded, Hole, Limits, MaskOptions, Photo, PhotoError, alpha_mask, read_mask,
};

const COLOUR: Rgb<u8> = Rgb([200, 60, 30]);

/// Decodes `file` as a photo and as its own mask, fills a hole, and encodes it. `choice` selects
/// hole, format and options. Returns whether it was a picture.
///
/// # Panics
///
/// If a sample outside the hole changed where the format has no loss, or if the result cannot be
/// decoded.
pub fn exercise(choice: u16, file: &[u8]) -> bool {
    const FORMATS: [Option<ImageFormat>; 6] = [
        None,
        Some(ImageFormat::Jpeg),
        Some(ImageFormat::Png),
        Some(ImageFormat::WebP),
        Some(ImageFormat::Tiff),
        Some(ImageFormat::Bmp),
    ];
    let limits = Limits {
        max_pixels: 1 << 18,
        max_side: Some(4096),
        max_alloc: Some(64 << 20),
    };
    let Ok(mut photo) = Photo::decode(file, &limits) else {
        return false;
    };
    let (width, height) = photo.dimensions();
    let options = MaskOptions {
        invert: choice & 1 != 0,
        grow_px: u32::from(choice >> 1 & 3),
        feather_px: u32::from(choice >> 3 & 3),
        ..MaskOptions::default()
    };
    let rect = Rect {
        x: u32::from(choice) % width.max(1),
        y: u32::from(choice / 7) % height.max(1),
        width: 1 + u32::from(choice % 40),
        height: 1 + u32::from(choice % 23),
    };
    let hole = match choice >> 5 & 3 {
        0 => match read_mask(file, &options, &photo, &limits) {
            Ok(hole) => hole,
            Err(PhotoError::MaskIsPhoto) => Hole::from(Mask::new(width, height)),
            Err(error) => panic!("a mask of the photo's size {error}"),
        },
        1 => match alpha_mask(&photo, &options) {
            Ok(mask) => options.hole(mask).as_transparent_area(),
            Err(_) => Hole::from(Mask::new(width, height)),
        },
        _ => options.hole(Mask::rectangle(width, height, rect)),
    };
    let before = photo.pixels().clone();
    let red = RgbImage::from_pixel(width, height, COLOUR);
    if choice >> 13 & 1 == 0 {
        photo.fill_hole(&red, &hole).expect("all have one size");
    } else {
        let fill = |image: &RgbImage, _: &Mask| {
            Ok::<_, InpaintError>(RgbImage::from_pixel(image.width(), image.height(), COLOUR))
        };
        photo.complete(&hole, fill).expect("all have one size");
    }
    assert_known_equal(&before, photo.pixels(), hole.mask());

    let format = FORMATS[usize::from(choice >> 7) % FORMATS.len()];
    let options = EncodeOptions {
        jpeg_quality: (choice >> 10 & 3 == 3).then_some(70),
        strip: choice >> 12 & 1 != 0,
        ..EncodeOptions::default()
    };
    match photo.encode(format, &options) {
        Ok(encoded) => {
            let again = Photo::decode(&encoded.bytes, &limits);
            let again = again.unwrap_or_else(|error| panic!("{:?} {error}", encoded.format));
            assert_eq!(again.dimensions(), (width, height), "{:?}", encoded.format);
            if !has_loss(&encoded) && again.pixels().color() == before.color() {
                assert_eq!(again.pixels().as_bytes(), photo.pixels().as_bytes());
            }
        }
        Err(error) => assert!(
            width == 0 || height == 0 || error.to_string().contains("per side"),
            "{error}"
        ),
    }
    true
}

/// Whether the file is compressed with loss, as its source then is, too.
fn has_loss(file: &Encoded) -> bool {
    let mut names = file.bytes.windows(4);
    match file.format {
        ImageFormat::Jpeg => true,
        ImageFormat::WebP => names.any(|name| name == b"VP8 "),
        _ => false,
    }
}

/// Panics unless both pictures have the same samples, of the same kind, outside the hole.
pub fn assert_known_equal(before: &DynamicImage, after: &DynamicImage, mask: &Mask) {
    assert_eq!(after.color(), before.color());
    let pixel_bytes = usize::from(before.color().bytes_per_pixel());
    let pairs = (before.as_bytes().chunks_exact(pixel_bytes))
        .zip(after.as_bytes().chunks_exact(pixel_bytes));
    for (i, ((a, b), &hole)) in pairs.zip(mask.as_bytes()).enumerate() {
        assert!(hole == 1 || a == b, "pixel {i}: {a:?} became {b:?}");
    }
}
