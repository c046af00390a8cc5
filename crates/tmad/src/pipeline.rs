//! A photo in, a photo out: [`TMad`] as an [`Inpainter`].
//!
//! One way for holes of every size: the holes are grouped into regions; for each region, the coarse
//! network guesses the *structure*, and *synthesis* retrieves windows from the texture memory,
//! chooses pixel by pixel between them and PatchMatch's copies, and repairs colours, both at the
//! scale that they were trained for. *Texture* at full resolution are copies of known pixels that
//! follow what synthesis made ([`inpaint_core::patchmatch`]); known pixels stay as they are.

use crate::config_error::ConfigError;
use crate::model::{Model, ModelConfig, guided_copies, guided_texture};
use crate::patches::Position;
use crate::regions::{Region, regions};
use crate::scale::{Scaled, detail_px};
use crate::texture_memory::{MemoryConfig, Sampling, memory_windows, sample_windows};
use crate::weights::{WeightsError, WeightsFile};
use burn::tensor::Device;
use inpaint_core::{
    Control, InpaintError, Inpainter, Mask, Origin, Rect, RgbImage, check_sizes, composite,
};
use std::collections::BTreeMap;

mod explain;
mod structure;
mod synthesis;
mod tiles;

/// Weights that this project trained, compiled in.
#[cfg(feature = "built-in-weights")]
static BUILT_IN: &[u8] = include_bytes!("../weights/tmad.safetensors");

/// Metadata key of the networks' configuration.
pub const CONFIG_KEY: &str = "config";

/// Windows of a texture memory at most.
const MAX_WINDOWS: usize = 1536;
/// The same for a small hole: one for so many of its pixels, but this many anyway. There can be
/// hundreds of specks of dust, and embedding their windows would take most of the time.
const PIXELS_OF_A_WINDOW: usize = 4;
const FEW_WINDOWS: usize = 96;

/// T-MAD, ready to inpaint.
#[derive(Debug)]
pub struct TMad {
    model: Model,
    metadata: BTreeMap<String, String>,
    device: Device,
    coarse_only: bool,
}

impl TMad {
    /// With the weights that come with this crate (feature `built-in-weights`, on by default).
    ///
    /// # Errors
    ///
    /// None in practice; the weights are checked by this crate's tests.
    #[cfg(feature = "built-in-weights")]
    pub fn built_in(device: &Device) -> Result<Self, WeightsError> {
        Self::from_bytes(BUILT_IN, device)
    }

    /// With the weights of a safetensors file, read into memory, that carries its configuration.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] names what is wrong with the file.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, WeightsError> {
        let file = WeightsFile::parse(bytes)?;
        let metadata_error = |reason: String| WeightsError::Metadata {
            key: CONFIG_KEY.to_owned(),
            reason,
        };
        let config = (file.metadata().get(CONFIG_KEY))
            .ok_or_else(|| metadata_error("it is missing".to_owned()))?;
        let config: ModelConfig =
            serde_json::from_str(config).map_err(|error| metadata_error(error.to_string()))?;
        (config.check()).map_err(|error| metadata_error(error.to_string()))?;
        Ok(Self {
            model: file.load(Model::unloaded(&config, device))?,
            metadata: file.metadata().clone(),
            device: device.clone(),
            coarse_only: false,
        })
    }

    /// Stops behind the coarse network, as the method `coarse`.
    #[must_use]
    pub fn coarse_only(mut self) -> Self {
        self.coarse_only = true;
        self
    }

    /// With other switches of the texture memory, for ablations that need no training.
    ///
    /// # Errors
    ///
    /// What is wrong with the switches, and with which field.
    pub fn with_memory(self, change: impl FnOnce(&mut MemoryConfig)) -> Result<Self, ConfigError> {
        let mut config = self.model.config().clone();
        change(&mut config.memory);
        config.check()?;
        Ok(Self {
            model: self.model.with_memory(config.memory),
            ..self
        })
    }

    /// The networks.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Where the weights come from: the text metadata of their file.
    pub fn provenance(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The windows of the texture memory of a picture with this mask; beyond as many as pay for
    /// its hole, their distance grows.
    fn windows(&self, mask: &Mask, seed: u64) -> Vec<Position> {
        let most = (mask.hole_area() / PIXELS_OF_A_WINDOW).clamp(FEW_WINDOWS, MAX_WINDOWS);
        let ModelConfig {
            patch_px, memory, ..
        } = self.model.config();
        let mut config = memory.clone();
        let mut windows = memory_windows(mask, *patch_px, &config, 0);
        while windows.len() > most {
            config.stride_px *= 2;
            windows = memory_windows(mask, *patch_px, &config, 0);
        }
        if config.sampling == Sampling::Paper {
            windows = sample_windows(windows, config.num_pool, seed);
        }
        windows
    }

    /// Fills a region, stage by stage. A `guess` of the region's size, which shows all of it,
    /// takes the place of the coarse network's. Where pixels come from is told if it is wanted.
    fn fill_region(
        &self,
        region: &Scaled,
        guess: Option<&RgbImage>,
        wants_origins: bool,
        control: &Control,
    ) -> Result<Filled, InpaintError> {
        control.check_cancelled()?;
        let (structure, detail_px) = match guess {
            Some(guess) => {
                let detail_px = detail_px(region, guess)?;
                (composite(&region.image, guess, &region.mask)?, detail_px)
            }
            None => self.structure(region, &control.part(0.0, STRUCTURED))?,
        };
        control.check_cancelled()?;
        control.report(STRUCTURED, STAGE);
        let rest = control.part(STRUCTURED, 1.0 - STRUCTURED);
        let mut origins = Vec::new();
        let (completed, patches) = match &self.model.aligned {
            _ if self.coarse_only => (structure.clone(), Vec::new()),
            Some(network) => {
                let part = rest.part(0.0, CHOSEN);
                let made =
                    self.synthesise_in_register(network, region, &structure, detail_px, &part)?;
                let guide = composite(&region.image, &made.completed, &region.mask)?;
                let rest = rest.part(CHOSEN, 1.0 - CHOSEN);
                let texture = match wants_origins {
                    false => guided_texture(&guide, made.detail_px, &region.mask, &rest)?,
                    true => {
                        let copies = guided_copies(&guide, made.detail_px, &region.mask, &rest)?;
                        let num_windows = self.model.config().memory.num_candidates;
                        origins = explain::origins(&copies, &made.choices, num_windows);
                        copies.voted
                    }
                };
                (texture, made.patches)
            }
            None => self.synthesise_patches(region, &structure, &rest)?,
        };
        Ok(Filled {
            structure,
            patches,
            origins,
            completed: composite(&region.image, &completed, &region.mask)?,
        })
    }
}

/// What becomes of a region, with where it comes from.
#[derive(Debug)]
struct Filled {
    /// The guess of the structure.
    structure: RgbImage,
    /// What was retrieved for the cells of the hole.
    patches: Vec<Retrieved>,
    /// Where the texture of every pixel of the region comes from, in its pixels, if single pixels
    /// are copied and it is wanted; else empty.
    origins: Vec<Option<Origin>>,
    completed: RgbImage,
}

/// A cell of the hole with its candidates by rank and their scores.
#[derive(Debug, Clone)]
struct Retrieved {
    cell: Position,
    /// Side of the cell and of its candidates in pixels of the region.
    side_px: u32,
    candidates: Vec<(Position, f32)>,
}

impl Retrieved {
    /// From a reduced region to the region itself, of this size. Candidates stay inside: the last
    /// pixels of a reduced picture may stand for less than a whole cell.
    fn enlarge(&mut self, factor: u32, width: u32, height: u32) {
        self.side_px *= factor;
        self.cell.x *= factor as i32;
        self.cell.y *= factor as i32;
        for (window, _) in &mut self.candidates {
            let inside = |at: i32, limit: u32| {
                let last = limit.saturating_sub(self.side_px) as i32;
                (at * factor as i32).min(last)
            };
            window.x = inside(window.x, width);
            window.y = inside(window.y, height);
        }
    }
}

/// What progress reports call the work.
const STAGE: &str = "filling";
/// Share of the work that is done when the structure is there, and of the rest when it is chosen
/// what the texture follows.
const STRUCTURED: f32 = 0.3;
const CHOSEN: f32 = 0.5;

/// The part of a picture inside `context`.
fn crop(image: &RgbImage, context: Rect) -> RgbImage {
    let Rect {
        x,
        y,
        width,
        height,
    } = context;
    inpaint_core::image::imageops::crop_imm(image, x, y, width, height).to_image()
}

/// Fills the hole of a picture region by region. `fill` gets each with the place that it has in
/// the picture, and the control of its part of the work; it must leave known pixels as they are.
fn fill_regions(
    image: &RgbImage,
    mask: &Mask,
    control: &Control,
    mut fill: impl FnMut(&Scaled, Rect, &Control) -> Result<RgbImage, InpaintError>,
) -> Result<RgbImage, InpaintError> {
    check_sizes(image, mask)?;
    if mask.is_full() && !mask.is_empty() {
        return Err(InpaintError::NoKnownPixels {
            size: mask.dimensions().into(),
        });
    }
    let regions = regions(mask);
    let mut filled = image.clone();
    for (index, Region { context, holes }) in regions.iter().enumerate() {
        let region = Scaled {
            image: crop(&filled, *context),
            mask: holes.clone(),
        };
        let share = 1.0 / regions.len() as f32;
        let part = control.part(index as f32 * share, share);
        let result = fill(&region, *context, &part)?;
        let (x, y) = (i64::from(context.x), i64::from(context.y));
        inpaint_core::image::imageops::replace(&mut filled, &result, x, y);
    }
    Ok(filled)
}

impl Inpainter for TMad {
    fn name(&self) -> &str {
        if self.coarse_only { "coarse" } else { "tmad" }
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        fill_regions(image, mask, control, |region, _, control| {
            Ok(self.fill_region(region, None, false, control)?.completed)
        })
    }
}
