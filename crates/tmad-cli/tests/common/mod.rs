//! A folder with pictures of its own, and the program run in it.

#![allow(dead_code)] // Every test file uses its own part.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use image::{DynamicImage, Rgb, RgbImage};
use inpaint_core::{Mask, Rect};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A fresh folder, which is the program's working directory.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A folder with `photo.png` and `mask.png` of this size.
    pub fn with_photo(width: u32, height: u32) -> Self {
        let folder = Self::new();
        folder.save("photo.png", &picture(width, height));
        folder.save_mask("mask.png", &middle(width, height));
        folder
    }

    pub fn save(&self, name: &str, picture: &RgbImage) {
        picture.save(self.path(name)).unwrap();
    }

    pub fn save_mask(&self, name: &str, mask: &Mask) {
        mask.to_gray().save(self.path(name)).unwrap();
    }

    pub fn open(&self, name: &str) -> DynamicImage {
        image::open(self.path(name)).unwrap()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Names of all files and folders, hidden ones too.
    pub fn list(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The program with its arguments, separated by spaces.
    pub fn tmad(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tmad"));
        command.current_dir(self.0.path());
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the program, which must succeed; returns what it said.
    pub fn succeeds(&self, arguments: &str) -> String {
        let assert = self.tmad(arguments).assert().success();
        stderr(&assert)
    }

    /// Runs the program, which must fail with this exit code, these words, and no trace in the
    /// folder.
    pub fn fails(&self, arguments: &str, code: i32, words: &[&str]) {
        let before = self.list();
        let assert = self.tmad(arguments).assert().code(code);
        let message = stderr(&assert);
        for word in words {
            assert!(message.contains(word), "“{word}” is not in “{message}”");
        }
        assert!(!message.contains("panicked"), "{message}");
        assert_eq!(self.list(), before, "a failure leaves no file");
    }
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// Slanted stripes over a gradient: nothing in it is constant, and every pixel is known by a
/// formula.
pub fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let stripe = if (x + 2 * y) % 12 < 6 { 60 } else { 0 };
        Rgb([
            (40 + stripe + x % 100) as u8,
            (90 + stripe + y % 90) as u8,
            (120 + (x * y) % 97) as u8,
        ])
    })
}

/// A hole over the central third of each side.
pub fn middle(width: u32, height: u32) -> Mask {
    let hole = Rect {
        x: width / 3,
        y: height / 3,
        width: width.div_ceil(3),
        height: height.div_ceil(3),
    };
    Mask::rectangle(width, height, hole)
}

/// Panics unless both pictures have the same samples, of the same kind, outside the hole.
pub fn assert_known_equal(before: &DynamicImage, after: &DynamicImage, mask: &Mask) {
    assert_eq!(after.color(), before.color());
    assert_eq!(after.width(), before.width());
    assert_eq!(after.height(), before.height());
    let pixel_bytes = usize::from(before.color().bytes_per_pixel());
    let pairs = (before.as_bytes().chunks_exact(pixel_bytes))
        .zip(after.as_bytes().chunks_exact(pixel_bytes));
    for (i, ((a, b), &hole)) in pairs.zip(mask.as_bytes()).enumerate() {
        assert!(hole == 1 || a == b, "pixel {i}: {a:?} became {b:?}");
    }
}

/// Whether any sample of the hole changed.
pub fn hole_changed(before: &DynamicImage, after: &DynamicImage, mask: &Mask) -> bool {
    let (before, after) = (before.to_rgb8(), after.to_rgb8());
    let pairs = before.pixels().zip(after.pixels());
    (pairs.zip(mask.as_bytes())).any(|((a, b), &hole)| hole == 1 && a != b)
}

/// The smallest Exif block: an orientation and nothing else.
pub fn exif_with_orientation(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    // Tag 0x0112 of one 16-bit number, then the end of the list.
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    exif.extend([0; 4]);
    exif
}

/// Bytes that claim to be a colour profile for this colour space.
pub fn icc_profile(color_space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[8] = 4;
    profile[12..16].copy_from_slice(b"mntr");
    profile[16..20].copy_from_slice(color_space);
    profile[20..24].copy_from_slice(b"XYZ ");
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

/// Stores a picture with metadata.
pub fn save_with(
    path: &Path,
    picture: &DynamicImage,
    mut encoder: impl image::ImageEncoder,
    exif: Option<Vec<u8>>,
    icc: Option<Vec<u8>>,
) {
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc).unwrap();
    }
    let (width, height) = (picture.width(), picture.height());
    let color = picture.color().into();
    encoder
        .write_image(picture.as_bytes(), width, height, color)
        .unwrap();
    assert!(path.exists());
}
