//! Metadata of any content neither cost the picture nor anything else.

mod common;
#[path = "common/wrap.rs"]
mod wrap;

use common::{encode, exif_of_camera, file, picture};
use image::ImageFormat;
use inpaint_core::random::Random;
use wrap::{NUM_PLACES, exercise_metadata};

/// Content that makes sense in one place or another.
fn seeds() -> Vec<Vec<u8>> {
    let preview = file(&picture(12, 8).into(), ImageFormat::Jpeg);
    let xmp = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
               xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
               rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='3' \
               tiff:Orientation='6' hdrgm:Version='1'><xmp:Thumbnails>/9j/</xmp:Thumbnails>\
               </rdf:Description></rdf:RDF></x:xmpmeta>";
    let photo = inpaint_photo::Photo::from_pixels(picture(5, 4).into());
    let mut tiff = encode(&photo, ImageFormat::Tiff);
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    let bytes_of_directory = tiff.split_off(directory);
    vec![
        Vec::new(),
        exif_of_camera(6, Some(&preview)),
        xmp.as_bytes().to_vec(),
        b"8BIM\x04\x0C\0\0\0\0\0\x04abcd8BIM\x04\x04\0\0\0\0\0\x08\x1C\x02\x78\0\x03sea\0".to_vec(),
        b"\x1C\x02\x78\0\x05beach\x1C\x02\xCA\x80\x04\0\0\0\x02ab".to_vec(),
        b"Nikon\0\x02\x10\0\0II\x2A\0\x08\0\0\0\x01\0\x11\0\x04\0\x01\0\0\0\x1A\0\0\0".to_vec(),
        [b"Software\0GIF89a", &preview[..]].concat(),
        bytes_of_directory,
        vec![200; 700],
        preview,
    ]
}

#[test]
fn metadata_of_any_content_do_no_harm() {
    let mut random = Random::new(41);
    let mut below = |count: usize| random.below(count as u64) as usize;
    for seed in seeds() {
        for place in 0..NUM_PLACES {
            exercise_metadata(place, &seed);
            for _ in 0..4 {
                let mut data = seed.clone();
                for _ in 0..=below(4) {
                    let at = below(data.len().max(1));
                    if let Some(byte) = data.get_mut(at) {
                        *byte = [0, 1, 0x7F, 0xFF, below(256) as u8][below(5)];
                    }
                }
                data.truncate(data.len() - below(data.len() / 3 + 1));
                exercise_metadata(place, &data);
            }
        }
    }
}
