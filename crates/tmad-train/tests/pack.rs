//! Files of pictures: the same samples as from the folder, and what happens to damaged ones.

use image::{Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;
use tmad::coarse::Prior;
use tmad_train::config::DataConfig;
use tmad_train::data::{DataError, Pictures, Sampler};
use tmad_train::pack::{Pack, PackFormat, PackOptions, Packed, pack};

const LOSSLESS: PackOptions = PackOptions {
    short_side: 64,
    format: PackFormat::Png,
};

fn picture(index: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 5) as u8,
            (y * 3 + 40 * index) as u8,
            ((x ^ y) * 7) as u8,
        ])
    })
}

/// A folder with five small pictures, of which one is in a folder of its own.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir_all(pictures.join("more")).unwrap();
    for i in 0..4 {
        let path = pictures.join(format!("{i}.png"));
        picture(i, 50 + i, 60).save(path).unwrap();
    }
    picture(4, 40, 40)
        .save(pictures.join("more/4.png"))
        .unwrap();
    (folder, pictures)
}

fn packed(pictures: &Path, output: &Path, options: PackOptions) -> Result<Packed, DataError> {
    pack(
        pictures,
        output,
        options,
        &AtomicBool::new(false),
        &mut |_, _| {},
    )
}

fn samples(path: &Path) -> Vec<(RgbImage, Vec<u8>)> {
    let pictures = Arc::new(Pictures::open(path, 1, 0).unwrap());
    let range = 0..pictures.len();
    let sampler = Sampler::new(pictures, range, DataConfig::default(), Prior::None, 48, 9);
    (0..20)
        .map(|index| {
            let sample = sampler.sample(index).unwrap();
            (sample.image, sample.mask.as_bytes().to_vec())
        })
        .collect()
}

/// What the coarse network starts from comes with the sample, made by the loader's threads.
#[test]
fn samples_carry_the_filling_of_their_prior() {
    let (_folder, pictures) = folder();
    let pictures = Arc::new(Pictures::open(&pictures, 1, 0).unwrap());
    let sampler = |prior| {
        let range = 0..pictures.len();
        Sampler::new(pictures.clone(), range, DataConfig::default(), prior, 48, 9)
    };
    let plain = sampler(Prior::Membrane).sample(3).unwrap();
    assert!(plain.filling.is_none());
    let sample = sampler(Prior::PatchMatch).sample(3).unwrap();
    let filling = sample.filling.expect("made for this prior");
    assert!(sample.image == plain.image && sample.mask == plain.mask);
    let mut num_changed = 0;
    for (x, y, pixel) in filling.enumerate_pixels() {
        let is_same = pixel == sample.image.get_pixel(x, y);
        assert!(is_same || sample.mask.is_hole(x, y));
        num_changed += u32::from(!is_same);
    }
    assert!(num_changed > 0);
}

#[test]
fn a_packed_folder_gives_the_same_samples() {
    let (folder, pictures) = folder();
    let file = folder.path().join("pictures.tmad");
    let packed = packed(&pictures, &file, LOSSLESS).unwrap();
    assert_eq!((packed.num_pictures, packed.skipped.len()), (5, 0));
    assert_eq!(packed.num_bytes, fs::metadata(&file).unwrap().len());
    assert!(samples(&pictures) == samples(&file));
    let pack = Pack::open(&file).unwrap();
    assert!(
        pack.name(4).starts_with("more/4.png in "),
        "{}",
        pack.name(4)
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "no other file stays"
    );
}

#[test]
fn large_pictures_are_scaled_to_the_short_side() {
    let (folder, pictures) = folder();
    picture(0, 300, 200)
        .save(pictures.join("large.png"))
        .unwrap();
    let file = folder.path().join("pictures.tmad");
    let jpeg = PackOptions {
        format: PackFormat::Jpeg { quality: 85 },
        ..LOSSLESS
    };
    packed(&pictures, &file, jpeg).unwrap();
    let pack = Pack::open(&file).unwrap();
    let index = (0..pack.len())
        .find(|i| pack.name(*i).starts_with("large"))
        .unwrap();
    assert_eq!(pack.read(index).unwrap().dimensions(), (96, 64));
    assert_eq!(pack.read(0).unwrap().dimensions(), (50, 60));
}

#[test]
fn damaged_pictures_are_left_out_and_named() {
    let (folder, pictures) = folder();
    fs::write(pictures.join("broken.jpg"), [0xFF, 0xD8, 0]).unwrap();
    let file = folder.path().join("pictures.tmad");
    let packed = packed(&pictures, &file, LOSSLESS).unwrap();
    assert_eq!(packed.num_pictures, 5);
    assert_eq!(packed.skipped, [pictures.join("broken.jpg")]);
}

/// Every byte of the file counts: a flipped one costs its picture or is noticed at once.
#[test]
fn damage_to_the_file_is_noticed() {
    let (folder, pictures) = folder();
    let file = folder.path().join("pictures.tmad");
    packed(&pictures, &file, LOSSLESS).unwrap();
    let bytes = fs::read(&file).unwrap();

    let mut flipped = bytes.clone();
    flipped[100] ^= 1;
    fs::write(&file, &flipped).unwrap();
    let opened = Pictures::open(&file, 1, 0).unwrap();
    assert!(opened.get(0).is_none() && opened.get(1).is_some());
    let damaged = opened.damaged_since(0);
    assert!(
        damaged.len() == 1 && damaged[0].contains("0.png in "),
        "{damaged:?}"
    );

    for at in [
        0,
        bytes.len() - 40,
        bytes.len() - 25,
        bytes.len() - 15,
        bytes.len() - 10,
        bytes.len() - 1,
    ] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&file, &flipped).unwrap();
        assert!(Pack::open(&file).is_err(), "byte {at} of {}", bytes.len());
    }
    for len in [0, 5, 20, 100, bytes.len() - 1] {
        fs::write(&file, &bytes[..len]).unwrap();
        let error = Pictures::open(&file, 1, 0).unwrap_err().to_string();
        assert!(error.contains("pictures.tmad: "), "{error}");
    }
}

#[test]
fn nothing_is_left_of_a_packing_that_failed() {
    let (folder, pictures) = folder();
    let file = folder.path().join("pictures.tmad");
    let stop = AtomicBool::new(true);
    let stopped = pack(&pictures, &file, LOSSLESS, &stop, &mut |_, _| {});
    assert!(matches!(stopped, Err(DataError::Stopped)));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("broken.png"), b"no picture").unwrap();
    let error = packed(&empty, &file, LOSSLESS).unwrap_err();
    assert!(
        matches!(error, DataError::TooFew { found: 0, .. }),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
