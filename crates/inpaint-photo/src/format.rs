//! Formats by content, by name, and by content type.

use crate::PhotoError;
use image::ImageFormat;

/// What can be read, for messages.
pub const READABLE: &str = "JPEG, PNG, WebP, TIFF or BMP";

/// Extensions that can be written, for messages.
pub const WRITABLE: &str = ".jpg, .jpeg, .png, .webp, .tif, .tiff, .bmp";

/// The format of a file by its first bytes; 64 are enough.
///
/// # Errors
///
/// [`PhotoError::Empty`], [`PhotoError::Unsupported`] with what to do for formats that are known,
/// [`PhotoError::UnknownFormat`] otherwise.
pub fn format_of(bytes: &[u8]) -> Result<ImageFormat, PhotoError> {
    if bytes.is_empty() {
        return Err(PhotoError::Empty);
    }
    if let Some((format, advice)) = unreadable(bytes) {
        let kind = None;
        return Err(PhotoError::Unsupported {
            format,
            kind,
            advice,
        });
    }
    if is_big_tiff(bytes) {
        return Ok(ImageFormat::Tiff);
    }
    match image::guess_format(bytes) {
        Ok(format) if is_supported(format) => Ok(format),
        Ok(format) => Err(PhotoError::Unsupported {
            format: name_of(format),
            kind: None,
            advice: "convert it to PNG first",
        }),
        Err(_) => Err(PhotoError::UnknownFormat),
    }
}

/// The format that a file of this extension (without the dot) is written in; `None` if it cannot
/// be written.
pub fn format_of_extension(extension: &str) -> Option<ImageFormat> {
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" | "jfif" => Some(ImageFormat::Jpeg),
        "png" => Some(ImageFormat::Png),
        "webp" => Some(ImageFormat::WebP),
        "tif" | "tiff" => Some(ImageFormat::Tiff),
        "bmp" => Some(ImageFormat::Bmp),
        _ => None,
    }
}

/// The media type of a format, as HTTP headers name it.
pub fn content_type(format: ImageFormat) -> &'static str {
    format.to_mime_type()
}

/// The name of a format as people write it.
pub fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Ico => "ICO",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Tga => "TGA",
        ImageFormat::Dds => "DDS",
        ImageFormat::Hdr => "Radiance HDR",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Farbfeld => "farbfeld",
        ImageFormat::Qoi => "QOI",
        _ => "another format",
    }
}

fn is_supported(format: ImageFormat) -> bool {
    matches!(
        format,
        ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::WebP
            | ImageFormat::Tiff
            | ImageFormat::Bmp
    )
}

/// TIFF with positions of 64 bits, for files of more than 4 GB, but also made for small ones.
fn is_big_tiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II\x2B\0\x08\0\0\0") || bytes.starts_with(b"MM\0\x2B\0\x08\0\0")
}

/// Formats that people have and that are not read.
fn unreadable(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const PHONE: &str =
        "convert it to JPEG or PNG first (phones do when sharing as “most compatible”)";
    const PLAIN: &str = "convert it to PNG first";
    const DEVELOP: &str = "develop it to 16-bit TIFF first";
    if bytes.get(4..8) == Some(b"ftyp") {
        let brands = bytes.get(8..64.min(bytes.len())).unwrap_or_default();
        let has = |brand: &[u8]| brands.chunks(4).any(|b| b == brand);
        if has(b"crx ") {
            return Some(("a camera's raw file (CR3)", DEVELOP));
        }
        if has(b"avif") || has(b"avis") {
            return Some(("AVIF", PLAIN));
        }
        if [
            b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1",
        ]
        .into_iter()
        .any(|brand| has(brand))
        {
            return Some(("HEIC", PHONE));
        }
        return Some(("a film", "take a still picture from it"));
    }
    if bytes.starts_with(b"\xFF\x0A") || bytes.starts_with(b"\0\0\0\x0CJXL ") {
        return Some(("JPEG XL", PLAIN));
    }
    if bytes.starts_with(b"\0\0\0\x0CjP  ") || bytes.starts_with(b"\xFF\x4F\xFF\x51") {
        return Some(("JPEG 2000", PLAIN));
    }
    if bytes.starts_with(b"%PDF") {
        return Some(("a PDF document", "save the page as a picture first"));
    }
    if bytes.starts_with(b"8BPS") {
        return Some(("a Photoshop document", "export it as TIFF or PNG first"));
    }
    if bytes.starts_with(b"II\x2A\0\x10\0\0\0CR") {
        return Some(("a camera's raw file (CR2)", DEVELOP));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        format_of(bytes).unwrap_err().to_string()
    }

    #[test]
    fn formats_that_are_known_and_not_read_are_named_with_what_to_do() {
        assert_eq!(refusal(b""), "is empty");
        assert!(refusal(b"Dear Sir or Madam,").contains("JPEG, PNG"));
        for (bytes, words) in [
            (
                &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..],
                "HEIC, which cannot be read; convert it to JPEG",
            ),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41", "a film"),
            (
                b"GIF89a\x01\0\x01\0",
                "GIF, which cannot be read; convert it to PNG",
            ),
            (b"\xFF\x0A\0\0", "JPEG XL"),
            (b"%PDF-1.7", "a PDF document"),
        ] {
            let refusal = refusal(bytes);
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn big_tiff_is_tiff() {
        for bytes in [&b"II\x2B\0\x08\0\0\0\x10"[..], b"MM\0\x2B\0\x08\0\0\0"] {
            assert_eq!(format_of(bytes).ok(), Some(ImageFormat::Tiff));
        }
        assert!(format_of(b"II\x2B\0\x04\0\0\0").is_err());
    }

    #[test]
    fn extensions_and_content_types() {
        assert_eq!(format_of_extension("JPeG"), Some(ImageFormat::Jpeg));
        assert_eq!(format_of_extension("gif"), None);
        assert_eq!(content_type(ImageFormat::WebP), "image/webp");
    }
}
