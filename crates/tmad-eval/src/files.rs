//! Files: listing, reading, and writing without ever leaving half a file.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use image::{ImageDecoder, ImageReader};
use inpaint_core::{GrayImage, RgbImage};

use crate::EvalError;

const EXTENSIONS: [&str; 9] = [
    "png", "jpg", "jpeg", "webp", "bmp", "ppm", "pgm", "pnm", "pbm",
];

/// A picture below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Path below the folder without extension, with `/` between its parts: what pictures, masks
    /// and results have in common, on every system.
    pub name: String,
    pub path: PathBuf,
}

/// All pictures below `folder`, ordered by name.
///
/// # Errors
///
/// The folder cannot be read or holds no picture, or two pictures share a name.
pub(crate) fn list_pictures(folder: &Path) -> Result<Vec<Picture>, EvalError> {
    let mut pictures = Vec::new();
    collect(folder, "", &mut pictures)?;
    if pictures.is_empty() {
        return Err(EvalError::NoPictures {
            folder: folder.to_owned(),
        });
    }
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = pictures
        .windows(2)
        .find(|pair| pair[0].name == pair[1].name)
    {
        return Err(EvalError::SameName {
            first: pair[0].path.clone(),
            second: pair[1].path.clone(),
        });
    }
    Ok(pictures)
}

fn collect(folder: &Path, prefix: &str, pictures: &mut Vec<Picture>) -> Result<(), EvalError> {
    let failed = |source| EvalError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        // Editors and file managers hide their own files behind a dot.
        if part(path.file_name()).starts_with('.') {
            continue;
        }
        if path.is_dir() {
            let deeper = format!("{prefix}{}/", part(path.file_name()));
            collect(&path, &deeper, pictures)?;
        } else if EXTENSIONS.contains(&part(path.extension()).to_lowercase().as_str()) {
            pictures.push(Picture {
                name: format!("{prefix}{}", part(path.file_stem())),
                path,
            });
        }
    }
    Ok(())
}

/// A picture as 8-bit RGB, turned as its EXIF orientation says.
pub(crate) fn open_rgb(path: &Path) -> Result<RgbImage, EvalError> {
    Ok(open(path)?.to_rgb8())
}

/// A picture as 8-bit grey.
pub(crate) fn open_gray(path: &Path) -> Result<GrayImage, EvalError> {
    Ok(open(path)?.to_luma8())
}

fn open(path: &Path) -> Result<image::DynamicImage, EvalError> {
    let failed = |source| EvalError::Decode {
        path: path.to_owned(),
        source,
    };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let reader = reader.map_err(|source| EvalError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let orientation = decoder.orientation().map_err(failed)?;
    let mut picture = image::DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, EvalError> {
    fs::read(path).map_err(|source| EvalError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes beside the file's place and renames, so that a reader sees the old file or the new.
/// Folders are made as needed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), EvalError> {
    let failed = |source| EvalError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, bytes).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// Writes a picture as PNG.
pub(crate) fn write_png<P, C>(
    path: &Path,
    picture: &image::ImageBuffer<P, C>,
) -> Result<(), EvalError>
where
    P: image::Pixel<Subpixel = u8> + image::PixelWithColorType,
    C: std::ops::Deref<Target = [u8]>,
{
    let mut bytes = std::io::Cursor::new(Vec::new());
    (picture.write_to(&mut bytes, image::ImageFormat::Png)).map_err(|source| {
        EvalError::Encode {
            path: path.to_owned(),
            source,
        }
    })?;
    write(path, &bytes.into_inner())
}
