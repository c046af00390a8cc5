//! Writing results: format by the name, everything or nothing on the disk.

use crate::interrupt;
use crate::terminal::{Terminal, UsageError};
use anyhow::{Context, Result, bail};
use image::codecs::bmp::BmpEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ColorType, DynamicImage, ImageEncoder, ImageFormat};
use std::borrow::Cow;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// What can be written, for messages.
const WRITABLE: &str = ".jpg, .jpeg, .png, .webp, .tif, .tiff, .bmp";

/// Where a picture goes, checked before any work is done for it.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    format: ImageFormat,
}

impl OutputFile {
    /// Takes the format from the extension.
    ///
    /// # Errors
    ///
    /// If the extension is unknown, the path is a folder, or its folder does not exist.
    pub fn new(path: &Path) -> Result<Self> {
        let name = path.display();
        if path.is_dir() {
            let message = format!("{name} is a folder; give the name of the file to write");
            return Err(UsageError(message).into());
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let format = match extension.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => ImageFormat::Jpeg,
            "png" => ImageFormat::Png,
            "webp" => ImageFormat::WebP,
            "tif" | "tiff" => ImageFormat::Tiff,
            "bmp" => ImageFormat::Bmp,
            _ => {
                let message = format!(
                    "{name} does not end in a format that can be written; use one of {WRITABLE}"
                );
                return Err(UsageError(message).into());
            }
        };
        check_folder(path)?;
        Ok(Self {
            path: path.to_owned(),
            format,
        })
    }

    /// Format by the name.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// Encodes and writes. What the format cannot hold is warned about.
    ///
    /// # Errors
    ///
    /// If the picture is too large for the format or the file cannot be written; then nothing of
    /// it is left.
    pub fn write(
        &self,
        pixels: &DynamicImage,
        icc_profile: Option<&[u8]>,
        jpeg_quality: u8,
        terminal: &Terminal,
    ) -> Result<()> {
        let mut bytes = Cursor::new(Vec::new());
        let name = self.path.display();
        let pixels = fit_to_format(pixels, self.format, terminal);
        let profile = icc_profile.filter(|profile| {
            let fits = profile_fits(profile, pixels.color());
            if !fits {
                terminal.warn("the colour profile is left out: it is for another kind of picture");
            }
            fits
        });
        match self.format {
            ImageFormat::Jpeg => {
                let encoder = JpegEncoder::new_with_quality(&mut bytes, jpeg_quality);
                encode(encoder, &pixels, profile, terminal)
            }
            ImageFormat::Png => encode(PngEncoder::new(&mut bytes), &pixels, profile, terminal),
            ImageFormat::WebP => {
                let encoder = WebPEncoder::new_lossless(&mut bytes);
                encode(encoder, &pixels, profile, terminal)
            }
            ImageFormat::Tiff => encode(TiffEncoder::new(&mut bytes), &pixels, profile, terminal),
            ImageFormat::Bmp => encode(BmpEncoder::new(&mut bytes), &pixels, profile, terminal),
            other => bail!("{other:?} cannot be written; use one of {WRITABLE}"),
        }
        .with_context(|| format!("cannot encode {name}"))?;
        self.write_bytes(bytes.get_ref())
    }

    /// Writes a file that is encoded already.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; then nothing of it is left.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<()> {
        write_file(&self.path, bytes)
    }
}

/// Whether the folder that `path` is to be written into exists.
///
/// # Errors
///
/// If it does not.
pub fn check_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        let folder = folder.display();
        bail!("the folder {folder} does not exist; create it first (mkdir -p \"{folder}\")");
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes a temporary file beside `path` and renames it, so that `path` is always whole: the old
/// file or the new one.
///
/// # Errors
///
/// If the file cannot be written; then nothing of it is left.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // Through a link to the file that it names, rather than replacing the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let write = || -> std::io::Result<()> {
        let _alive = interrupt::while_writing();
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tmad-").suffix(".tmp");
        #[cfg(unix)]
        {
            // As any new file: the process's umask takes away what it takes away.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn encode(
    mut encoder: impl ImageEncoder,
    pixels: &DynamicImage,
    icc_profile: Option<&[u8]>,
    terminal: &Terminal,
) -> Result<()> {
    if let Some(profile) = icc_profile
        && encoder.set_icc_profile(profile.to_vec()).is_err()
    {
        terminal.warn("the colour profile is left out: the output format holds none");
    }
    let (width, height) = (pixels.width(), pixels.height());
    encoder.write_image(pixels.as_bytes(), width, height, pixels.color().into())?;
    Ok(())
}

/// The nearest kind of picture that the format holds; losses are warned about.
fn fit_to_format<'a>(
    pixels: &'a DynamicImage,
    format: ImageFormat,
    terminal: &Terminal,
) -> Cow<'a, DynamicImage> {
    let color = pixels.color();
    let holds_alpha = format != ImageFormat::Jpeg;
    let sample_bits = match format {
        ImageFormat::Png => 16,
        ImageFormat::Tiff => 32,
        _ => 8,
    };
    let alpha = color.has_alpha() && holds_alpha;
    let bits = bits_per_sample(color).min(sample_bits);
    // TIFF's encoder knows grey without alpha only.
    let grey = !(color.has_color() || format == ImageFormat::Tiff && alpha);
    if color.has_alpha() && !alpha {
        terminal.warn("JPEG holds no transparency; write .png, .webp or .tif to keep it");
    }
    if bits < bits_per_sample(color) {
        terminal.warn(format_args!(
            "{} bits per sample become {bits}: {} holds no more",
            bits_per_sample(color),
            format.extensions_str()[0].to_uppercase(),
        ));
    }
    if (bits, grey, alpha)
        == (
            bits_per_sample(color),
            !color.has_color(),
            color.has_alpha(),
        )
    {
        return Cow::Borrowed(pixels);
    }
    let fitting = match (bits, grey, alpha) {
        (8, true, false) => DynamicImage::ImageLuma8(pixels.to_luma8()),
        (8, true, true) => DynamicImage::ImageLumaA8(pixels.to_luma_alpha8()),
        (8, false, false) => DynamicImage::ImageRgb8(pixels.to_rgb8()),
        (8, false, true) => DynamicImage::ImageRgba8(pixels.to_rgba8()),
        (16, true, false) => DynamicImage::ImageLuma16(pixels.to_luma16()),
        (16, true, true) => DynamicImage::ImageLumaA16(pixels.to_luma_alpha16()),
        (16, false, false) => DynamicImage::ImageRgb16(pixels.to_rgb16()),
        (16, false, true) => DynamicImage::ImageRgba16(pixels.to_rgba16()),
        // 32 bits come from TIFF and stay in TIFF.
        _ => return Cow::Borrowed(pixels),
    };
    Cow::Owned(fitting)
}

fn bits_per_sample(color: ColorType) -> u16 {
    color.bits_per_pixel() / u16::from(color.channel_count())
}

/// Whether a profile describes this kind of picture. CMYK pictures, for instance, are decoded to
/// RGB, and their profile with RGB samples would show wrong colours.
fn profile_fits(profile: &[u8], color: ColorType) -> bool {
    let color_space = if color.has_color() { b"RGB " } else { b"GRAY" };
    // ICC.1:2022, 7.2.6: data colour space.
    profile.get(16..20) == Some(color_space)
}
