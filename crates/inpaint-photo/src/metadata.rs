//! What a file says about its picture, apart from the samples.

use crate::exif;
use crate::jpeg::JpegHeader;
use crate::xmp;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat};

/// Where TIFF files keep what other formats keep in segments and chunks.
const ICC_TAG: u16 = 34675;
const XMP_TAG: u16 = 700;
const EXTRA_SAMPLES_TAG: u16 = 338;

/// Everything of a file that is no sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    /// Colour profile.
    pub icc: Option<Vec<u8>>,
    /// An Exif block: a TIFF structure without its own picture.
    pub exif: Option<Vec<u8>>,
    /// XMP as text.
    pub xmp: Option<Vec<u8>>,
    /// Photoshop's resources, IPTC among them.
    pub photoshop: Option<Vec<u8>>,
    pub density: Option<Density>,
    /// Comments of JPEG files.
    pub comments: Vec<Vec<u8>>,
    /// Chunks of a PNG file that are kept as they are.
    pub png_chunks: Vec<PngChunk>,
    /// Colours are multiplied by alpha, as TIFF files can declare.
    pub is_alpha_associated: bool,
    /// The file holds further pictures.
    pub is_first_of_several: bool,
}

/// Name and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PngChunk {
    pub name: [u8; 4],
    pub data: Vec<u8>,
}

impl PngChunk {
    /// Whether people wrote it, or a program for people.
    pub fn is_text(&self) -> bool {
        matches!(&self.name, b"tEXt" | b"zTXt" | b"iTXt")
    }
}

/// Pixels per length, or the shape of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Density {
    pub x: f64,
    pub y: f64,
    pub unit: DensityUnit,
}

/// What [`Density`] counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DensityUnit {
    /// The shape of a pixel only.
    Aspect,
    Inch,
    Centimetre,
    Metre,
}

impl Density {
    /// Whether it says more than that pixels are square.
    pub fn is_telling(&self) -> bool {
        let positive = self.x > 0.0 && self.y > 0.0;
        positive && (self.unit != DensityUnit::Aspect || self.x != self.y)
    }

    /// In pixels per metre; `None` for a shape.
    pub fn per_metre(&self) -> Option<(f64, f64)> {
        let factor = match self.unit {
            DensityUnit::Aspect => return None,
            DensityUnit::Inch => 1.0 / 0.0254,
            DensityUnit::Centimetre => 100.0,
            DensityUnit::Metre => 1.0,
        };
        Some((self.x * factor, self.y * factor))
    }

    /// In pixels per inch, where whole numbers are the rule; `None` for a shape.
    pub fn per_inch(&self) -> Option<(f64, f64)> {
        match self.unit {
            DensityUnit::Inch => Some((self.x, self.y)),
            _ => {
                let (x, y) = self.per_metre()?;
                Some((x * 0.0254, y * 0.0254))
            }
        }
    }
}

impl Metadata {
    /// Collects what `file` holds. Whatever cannot be read is left out.
    pub fn read(file: &[u8], format: ImageFormat, decoder: &mut impl ImageDecoder) -> Self {
        let mut metadata = Self {
            icc: decoder.icc_profile().ok().flatten(),
            exif: decoder.exif_metadata().ok().flatten(),
            xmp: decoder.xmp_metadata().ok().flatten(),
            ..Self::default()
        };
        match format {
            ImageFormat::Jpeg => {
                let header = JpegHeader::parse(file);
                metadata.density = header.density;
                metadata.photoshop = header.photoshop;
                metadata.comments = header.comments;
            }
            ImageFormat::Png => metadata.read_png_chunks(file),
            ImageFormat::Tiff => {
                // The decoder allows values no more than a fraction of the picture's own size.
                let value = |tag| Some(file.get(exif::tiff_value(file, tag)?)?.to_vec());
                metadata.icc = value(ICC_TAG).or(metadata.icc);
                metadata.xmp = value(XMP_TAG).or(metadata.xmp);
                let associated = if file.starts_with(b"MM") {
                    [0, 1]
                } else {
                    [1, 0]
                };
                metadata.is_alpha_associated =
                    value(EXTRA_SAMPLES_TAG).is_some_and(|kinds| kinds.starts_with(&associated));
                let tiff = exif::Directories::parse_tiff(file);
                metadata.density = tiff.density();
                metadata.is_first_of_several = tiff.has_next;
                metadata.exif = tiff.to_exif();
            }
            ImageFormat::WebP => {
                // VP8X with the flag of animations.
                metadata.is_first_of_several = file.get(12..16) == Some(b"VP8X")
                    && file.get(20).is_some_and(|flags| flags & 2 != 0);
            }
            ImageFormat::Bmp => metadata.density = bmp_density(file),
            _ => {}
        }
        metadata
    }

    fn read_png_chunks(&mut self, file: &[u8]) {
        let mut rest = file.get(8..).unwrap_or_default();
        while let [a, b, c, d, n0, n1, n2, n3, data @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let name = [*n0, *n1, *n2, *n3];
            let Some(content) = data.get(..length) else {
                return;
            };
            match &name {
                b"pHYs" => self.density = png_density(content),
                b"acTL" => self.is_first_of_several = true,
                // How the samples are meant, and what people wrote.
                b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"tEXt" | b"zTXt" | b"iTXt" | b"tIME"
                    // XMP comes from the decoder.
                    if !content.starts_with(b"XML:com.adobe.xmp\0") =>
                {
                    let data = content.to_vec();
                    self.png_chunks.push(PngChunk { name, data });
                }
                b"IEND" => return,
                _ => {}
            }
            rest = data.get(length + 4..).unwrap_or_default();
        }
    }

    /// Makes it describe the picture after `orientation` was applied, and takes out the previews,
    /// which would still show what was removed.
    pub fn make_upright(&mut self, orientation: Orientation) {
        self.turn(Orientation::NoTransforms, orientation);
    }

    /// Takes [`Self::make_upright`] back, but for the previews.
    pub fn make_stored(&mut self, orientation: Orientation) {
        self.turn(orientation, orientation);
    }

    /// `orientation` is what is to be said, `applied` what was done or is taken back.
    fn turn(&mut self, orientation: Orientation, applied: Orientation) {
        let are_sides_swapped = swaps_sides(applied);
        if let Some(exif) = &mut self.exif {
            exif::turn(exif, orientation, are_sides_swapped);
        }
        // A picture that is not turned keeps its packet to the byte.
        if applied != Orientation::NoTransforms
            && let Some(xmp) = &mut self.xmp
        {
            xmp::turn(xmp, orientation, are_sides_swapped);
        }
        if are_sides_swapped && let Some(density) = &mut self.density {
            std::mem::swap(&mut density.x, &mut density.y);
        }
    }
}

/// Whether width and height change places.
pub(crate) fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn png_density(data: &[u8]) -> Option<Density> {
    let &[x3, x2, x1, x0, y3, y2, y1, y0, unit] = data else {
        return None;
    };
    let density = Density {
        x: u32::from_be_bytes([x3, x2, x1, x0]).into(),
        y: u32::from_be_bytes([y3, y2, y1, y0]).into(),
        unit: if unit == 1 {
            DensityUnit::Metre
        } else {
            DensityUnit::Aspect
        },
    };
    density.is_telling().then_some(density)
}

fn bmp_density(file: &[u8]) -> Option<Density> {
    let number = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        Some(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    // The older core header has no density.
    if number(14)? < 40 {
        return None;
    }
    let density = Density {
        x: number(38)?.into(),
        y: number(42)?.into(),
        unit: DensityUnit::Metre,
    };
    density.is_telling().then_some(density)
}
