//! What a file says about its picture, apart from the samples.

use crate::exif::Field;
use crate::jpeg_segments::AppSegment;
use crate::png_chunks::PngChunk;
use crate::{exif, jpeg_segments, photoshop, png_chunks, webp_file, xmp};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat};
use std::ops::Range;

/// Where TIFF files keep what other formats keep in segments and chunks.
const ICC_TAG: u16 = 34675;
const XMP_TAG: u16 = 700;
const IPTC_TAG: u16 = 33723;
const PHOTOSHOP_TAG: u16 = 34377;
/// Size of the BMP header that has a place for a profile; where it names its colour space, and how
/// one that is embedded; where place (from the header on) and length of the profile are.
pub(crate) const BMP_V5_HEADER: u32 = 124;
pub(crate) const BMP_COLOUR_SPACE: Range<usize> = 70..74;
pub(crate) const BMP_EMBEDDED: &[u8] = b"DEBM";
pub(crate) const BMP_PROFILE_PLACE: usize = 126;
const EXTRA_SAMPLES_TAG: u16 = 338;
const COMPRESSION_TAG: u16 = 259;
const PREDICTOR_TAG: u16 = 317;

/// Everything of a file that is no sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    /// Colour profile.
    pub icc: Option<Vec<u8>>,
    /// An Exif block: a TIFF structure without its own picture.
    pub exif: Option<Vec<u8>>,
    /// XMP as text.
    pub xmp: Option<Vec<u8>>,
    /// What did not fit into a JPEG file's packet.
    pub xmp_extension: Option<Vec<u8>>,
    /// Photoshop's resources, IPTC among them.
    pub photoshop: Option<Vec<u8>>,
    pub density: Option<Density>,
    /// What only TIFF files have.
    pub tiff_fields: Vec<Field>,
    /// How the samples of a TIFF file are packed.
    pub tiff_packing: Option<TiffPacking>,
    /// How coarsely a lossy WebP file is quantised, from 0 to 127.
    pub webp_quantiser: Option<u8>,
    /// Comments of JPEG files.
    pub comments: Vec<Vec<u8>>,
    /// Segments of a JPEG file that are kept as they are.
    pub app_segments: Vec<AppSegment>,
    /// Chunks of a PNG file that are kept as they are.
    pub png_chunks: Vec<PngChunk>,
    /// Colours are multiplied by alpha, as TIFF files can declare.
    pub is_alpha_associated: bool,
    /// The file holds further pictures.
    pub is_first_of_several: bool,
    /// There is something behind the end of a JPEG picture.
    pub has_data_behind: bool,
    /// What is not kept, in words, because it may show what is taken out or belongs to something
    /// that goes.
    pub lost: Vec<String>,
}

/// How a TIFF file is compressed, in TIFF's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TiffPacking {
    pub compression: u16,
    /// Samples are differences to their left neighbours.
    pub is_predicted: bool,
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
            ..Self::default()
        };
        match format {
            ImageFormat::Jpeg => jpeg_segments::read(file, &mut metadata),
            ImageFormat::Png => png_chunks::read(file, &mut metadata),
            _ => {
                metadata.exif = decoder.exif_metadata().ok().flatten();
                metadata.xmp = decoder.xmp_metadata().ok().flatten();
            }
        }
        match format {
            ImageFormat::Tiff => {
                // The decoder allows values no more than a fraction of the picture's own size.
                let value = |tag| Some(file.get(exif::tiff_value(file, tag)?)?.to_vec());
                metadata.icc = value(ICC_TAG).or(metadata.icc);
                metadata.xmp = value(XMP_TAG).or(metadata.xmp);
                metadata.photoshop = value(PHOTOSHOP_TAG);
                if let Some(captions) = value(IPTC_TAG) {
                    metadata.add_captions(&captions);
                }
                let numbers = |tag| exif::tiff_numbers(file, tag);
                let extra = numbers(EXTRA_SAMPLES_TAG);
                metadata.is_alpha_associated = extra.first() == Some(&1);
                metadata.tiff_packing = Some(TiffPacking {
                    compression: numbers(COMPRESSION_TAG)
                        .first()
                        .map_or(1, |&number| number as u16),
                    is_predicted: numbers(PREDICTOR_TAG).first() == Some(&2),
                });
                let num_lost = extra.len() - usize::from(matches!(extra.first(), Some(1 | 2)));
                match num_lost {
                    0 => {}
                    1 => metadata.lose("a further channel of the TIFF file"),
                    n => metadata.lose(format!("{n} further channels of the TIFF file")),
                }
                let tiff = exif::Directories::parse_tiff(file);
                metadata.density = tiff.density();
                metadata.is_first_of_several = tiff.has_next;
                metadata.exif = tiff.to_exif();
                for tag in &tiff.lost {
                    metadata.lose(format!("the TIFF tag {tag}"));
                }
                metadata.tiff_fields = tiff.own;
            }
            ImageFormat::WebP => {
                metadata.xmp = metadata.xmp.or_else(|| webp_file::misnamed_xmp(file));
                metadata.webp_quantiser = webp_file::quantiser(file);
                webp_file::lost(file)
                    .into_iter()
                    .for_each(|what| metadata.lose(what));
                // VP8X with the flag of animations.
                metadata.is_first_of_several = file.get(12..16) == Some(b"VP8X")
                    && file.get(20).is_some_and(|flags| flags & 2 != 0);
            }
            ImageFormat::Bmp => {
                metadata.density = bmp_density(file);
                metadata.icc = bmp_profile(file).or(metadata.icc);
            }
            _ => {}
        }
        metadata.remove_previews();
        metadata
    }

    /// Notes that something is not kept.
    pub fn lose(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.lost.contains(&what) {
            self.lost.push(what);
        }
    }

    /// Takes captions in that lie outside of Photoshop's resources, which have a place for them.
    pub fn add_captions(&mut self, captions: &[u8]) {
        let resources = self.photoshop.get_or_insert_default();
        if !photoshop::has_captions(resources) {
            resources.extend(photoshop::from_captions(captions));
        }
    }

    /// Takes out the pictures, which would still show what was removed, and what announces them.
    fn remove_previews(&mut self) {
        if self
            .exif
            .as_mut()
            .is_some_and(|exif| !exif::remove_previews(exif))
        {
            self.exif = None;
            self.lose("EXIF data that cannot be read");
        }
        if let Some(resources) = self.photoshop.take() {
            self.photoshop = photoshop::without_previews(&resources);
        }
        for packet in [&mut self.xmp, &mut self.xmp_extension] {
            let Some(xmp) = packet.take() else {
                continue;
            };
            match xmp::clean(&xmp) {
                Some(cleaned) => {
                    *packet = Some(cleaned.packet);
                    for what in cleaned.announced {
                        if !self.lost.iter().any(|lost| lost == what) {
                            self.lost.push(what.to_owned());
                        }
                    }
                }
                None => self.lost.push("XMP data that cannot be read".to_owned()),
            }
        }
        if self.has_data_behind && self.lost.is_empty() {
            self.lose("what is stored behind the picture");
        }
    }

    /// Makes it describe the picture after `orientation` was applied.
    pub fn make_upright(&mut self, orientation: Orientation) {
        self.turn(Orientation::NoTransforms, orientation);
    }

    /// Takes [`Self::make_upright`] back.
    pub fn make_stored(&mut self, orientation: Orientation) {
        self.turn(orientation, orientation);
    }

    /// `orientation` is what is to be said, `applied` what was done or is taken back.
    fn turn(&mut self, orientation: Orientation, applied: Orientation) {
        let are_sides_swapped = swaps_sides(applied);
        if applied != Orientation::NoTransforms {
            let is_geographic = |field: &Field| exif::GEOGRAPHIC.contains(&field.tag);
            if self.tiff_fields.iter().any(is_geographic) {
                self.lose("where the picture lies on earth (it was stored turned)");
            }
            self.tiff_fields.retain(|field| !is_geographic(field));
        }
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

fn bmp_profile(file: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    let is_embedded = file.get(BMP_COLOUR_SPACE)? == BMP_EMBEDDED;
    if number(14)? < BMP_V5_HEADER || !is_embedded {
        return None;
    }
    let start = 14usize.checked_add(number(BMP_PROFILE_PLACE)? as usize)?;
    let end = start.checked_add(number(BMP_PROFILE_PLACE + 4)? as usize)?;
    Some(file.get(start..end)?.to_vec())
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
