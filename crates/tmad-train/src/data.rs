//! Training samples: pictures cropped, flipped and masked on worker threads.

use crate::pack::Pack;
use burn::tensor::Device;
use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tmad::model::{Inputs, ModelConfig};

mod loader;
mod sampler;

pub use loader::Loader;
pub use sampler::{Sample, Sampler};

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
    Inputs::new(&images, masks, &fillings, config.coarse.prior, device)
}
