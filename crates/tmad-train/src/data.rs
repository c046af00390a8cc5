//! Training samples: pictures cropped, flipped and masked on worker threads.

use crate::augment;
use crate::config::DataConfig;
use crate::pack::Pack;
use burn::tensor::Device;
use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops::flip_horizontal_in_place;
use inpaint_core::mask_generator::{FreeFormMask, MaskGenerator, RectangleMask};
use inpaint_core::random::{Random, stream};
use inpaint_core::{Control, Mask};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tmad::coarse::Prior;
use tmad::model::{Inputs, ModelConfig};

mod loader;

pub use loader::Loader;

/// Why a folder cannot be trained on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file of pictures cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Pack {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The caller stopped the packing.
    #[error("stopped; nothing was written")]
    Stopped,
    /// Nothing to train on.
    #[error("{} holds {found} pictures (JPEG, PNG or WebP, searched recursively); at least {needed} are needed", path.display())]
    TooFew {
        /// The folder or file.
        path: PathBuf,
        /// Pictures found.
        found: usize,
        /// Pictures that the configuration needs.
        needed: usize,
    },
}

/// Where pictures come from.
#[derive(Debug)]
enum Source {
    Folder(Vec<PathBuf>),
    Pack(Pack),
}

impl Source {
    fn len(&self) -> usize {
        match self {
            Self::Folder(paths) => paths.len(),
            Self::Pack(pack) => pack.len(),
        }
    }

    fn name(&self, index: usize) -> String {
        match self {
            Self::Folder(paths) => paths[index].display().to_string(),
            Self::Pack(pack) => pack.name(index),
        }
    }

    /// `None` if the picture is damaged.
    fn read(&self, index: usize) -> Option<RgbImage> {
        match self {
            Self::Folder(paths) => Some(image::open(&paths[index]).ok()?.to_rgb8()),
            Self::Pack(pack) => pack.read(index),
        }
    }
}

/// The pictures of a folder or of a file of pictures.
#[derive(Debug)]
pub struct Pictures {
    source: Source,
    decoded: Vec<OnceLock<Option<Arc<RgbImage>>>>,
    cache_left: AtomicUsize,
    damaged: Mutex<Vec<String>>,
}

impl Pictures {
    /// Lists the pictures below a folder, in the order of their paths, or in a file that
    /// [`pack`](crate::pack::pack) wrote.
    ///
    /// # Errors
    ///
    /// [`DataError`] if the folder or file cannot be read or holds fewer than `needed` pictures.
    pub fn open(path: &Path, needed: usize, cache_mib: usize) -> Result<Self, DataError> {
        let source = if path.is_file() {
            Source::Pack(Pack::open(path)?)
        } else {
            Source::Folder(list_pictures(path)?)
        };
        if source.len() < needed {
            return Err(DataError::TooFew {
                path: path.to_owned(),
                found: source.len(),
                needed,
            });
        }
        Ok(Self {
            decoded: (0..source.len()).map(|_| OnceLock::new()).collect(),
            source,
            cache_left: AtomicUsize::new(cache_mib << 20),
            damaged: Mutex::new(Vec::new()),
        })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.decoded.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.decoded.is_empty()
    }

    /// Names of pictures that could not be decoded, without the first `known` ones.
    pub fn damaged_since(&self, known: usize) -> Vec<String> {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.get(known..).unwrap_or_default().to_vec()
    }

    /// Decodes a picture, or finds it in the cache; `None` if it is damaged.
    pub fn get(&self, index: usize) -> Option<Arc<RgbImage>> {
        if let Some(known) = self.decoded[index].get() {
            return known.clone();
        }
        let picture = self.source.read(index).map(Arc::new);
        let num_bytes = picture.as_ref().map_or(0, |p| p.as_raw().len());
        let take = |left: usize| left.checked_sub(num_bytes);
        let fits = (self.cache_left)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok();
        if !fits {
            return picture;
        }
        self.decoded[index]
            .get_or_init(|| {
                if picture.is_none() {
                    let damaged = self.damaged.lock();
                    let mut damaged = damaged.unwrap_or_else(PoisonError::into_inner);
                    damaged.push(self.source.name(index));
                }
                picture
            })
            .clone()
    }
}

/// All pictures below `folder`, sorted.
pub(crate) fn list_pictures(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    add_pictures(folder, &mut paths)?;
    paths.sort();
    Ok(paths)
}

fn add_pictures(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let failed = |source| DataError::Folder {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            add_pictures(&path, paths)?;
        } else if is_picture(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["jpg", "jpeg", "png", "webp"]
        .iter()
        .any(|e| extension == *e)
}

/// A square crop and its mask.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `size_px` × `size_px`.
    pub image: RgbImage,
    /// Same size, 1 = hole.
    pub mask: Mask,
    /// Same size: what [`Prior::filling`] made of them.
    pub filling: Option<RgbImage>,
}

impl Sample {
    /// Left and right exchanged.
    fn flipped(mut self) -> Self {
        let (width, height) = self.mask.dimensions();
        let mirrored = |x, y| self.mask.is_hole(width - 1 - x, y);
        self.mask = Mask::from_fn(width, height, mirrored);
        flip_horizontal_in_place(&mut self.image);
        if let Some(filling) = &mut self.filling {
            flip_horizontal_in_place(filling);
        }
        self
    }
}

/// Crops between two uses of the same one, where they are repeated.
const BLOCK: u64 = 512;

/// Keeps the random numbers of a sample's variant apart from those of its crop.
const VARIANTS: u64 = 0x7661_7269_616e_7473;

/// Draws samples by number: the same number is the same sample, whoever draws it.
#[derive(Debug, Clone)]
pub struct Sampler {
    pictures: Arc<Pictures>,
    /// Indices of the pictures to draw from.
    range: std::ops::Range<usize>,
    data: DataConfig,
    prior: Prior,
    size_px: u32,
    seed: u64,
}

impl Sampler {
    /// Draws from the pictures of `range` in a fixed pseudo-random order, for networks with this
    /// prior.
    pub fn new(
        pictures: Arc<Pictures>,
        range: std::ops::Range<usize>,
        data: DataConfig,
        prior: Prior,
        size_px: u32,
        seed: u64,
    ) -> Self {
        Self {
            pictures,
            range,
            data,
            prior,
            size_px,
            seed,
        }
    }

    /// Sample number `index`: see [`DataConfig::repeats`] for which crop it shows. Damaged
    /// pictures give their place to another one; `None` after 64 damaged ones in a row.
    pub fn sample(&self, index: u64) -> Option<Sample> {
        let base = self.base(self.base_of(index))?;
        Some(self.variant(base, index))
    }

    /// Number of the crop that sample `index` shows: blocks of crops are gone through
    /// [`DataConfig::repeats`] times.
    fn base_of(&self, index: u64) -> u64 {
        let block = index / (BLOCK * self.data.repeats);
        block * BLOCK + index % BLOCK
    }

    /// Sample `index` of its crop `base`.
    fn variant(&self, mut base: Sample, index: u64) -> Sample {
        let mut random = Random::new(stream(self.seed ^ VARIANTS, index));
        if self.data.repeats > 1 && random.unit() < 0.5 {
            base = base.flipped();
        }
        let filling = base.filling.iter_mut();
        augment::recolour(
            std::iter::once(&mut base.image).chain(filling),
            self.data.recolour,
            &mut random,
        );
        base
    }

    /// Crop number `index` with its mask and what stands in its hole. Damaged pictures give their
    /// place to another one; `None` after 64 damaged ones in a row.
    fn base(&self, index: u64) -> Option<Sample> {
        let mut random = Random::new(stream(self.seed, index));
        let picture = (0..64).find_map(|_| {
            let pick = random.below(self.range.len() as u64) as usize;
            self.pictures
                .get(shuffled(self.range.start + pick, self.pictures.len()))
        })?;
        let image = augment::random_crop(&picture, &self.data, self.size_px, &mut random);
        let mask_seed = random.bits();
        let mask = if random.unit() < self.data.rectangle_fraction {
            RectangleMask::default().generate(self.size_px, self.size_px, mask_seed)
        } else {
            FreeFormMask::default().generate(self.size_px, self.size_px, mask_seed)
        };
        let filling = (self.prior)
            .filling(&image, &mask, &Control::with_seed(mask_seed))
            .expect("a mask has the size of its picture, and nobody cancels");
        Some(Sample {
            image,
            mask,
            filling,
        })
    }
}

/// A fixed permutation of `0..len`, so that a range of it is no folder in particular.
fn shuffled(index: usize, len: usize) -> usize {
    // A multiplier near the golden section of `len` that shares no divisor with it.
    let mut multiplier = (len as f64 * 0.618) as usize | 1;
    while gcd(multiplier, len) != 1 {
        multiplier += 2;
    }
    (index * multiplier) % len
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Resizes the rectangle (left, top, width, height) of `picture` with an area filter when
/// shrinking and a bilinear one when growing.
pub fn resize_area(
    picture: &RgbImage,
    (left, top, width, height): (f64, f64, f64, f64),
    out_width: u32,
    out_height: u32,
) -> RgbImage {
    let filter = if width > out_width as f64 && height > out_height as f64 {
        FilterType::Box
    } else {
        FilterType::Bilinear
    };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(left, top, width, height);
    let mut out = Image::new(out_width, out_height, PixelType::U8x3);
    Resizer::new()
        .resize(picture, &mut out, &options)
        .expect("the rectangle lies inside the picture, and both hold 8-bit RGB");
    RgbImage::from_raw(out_width, out_height, out.into_vec()).expect("sizes agree")
}

/// Samples of one size as a model's inputs.
///
/// # Panics
///
/// If `samples` is empty, their sizes differ, or they were drawn for another prior.
pub fn inputs<'a>(samples: &'a [Sample], config: &ModelConfig, device: &Device) -> Inputs<'a> {
    let images: Vec<_> = samples.iter().map(|s| &s.image).collect();
    let masks = samples.iter().map(|s| &s.mask).collect();
    let fillings: Vec<_> = samples.iter().filter_map(|s| s.filling.as_ref()).collect();
    Inputs::with_fillings(&images, masks, &fillings, config, device)
}
