//! A photo in, a photo out: [`TMad`] as an [`Inpainter`].
//!
//! The networks were trained on holes of about 128 pixels, so a hole is first filled at the scale
//! at which it has that size. What larger scales add comes from the picture itself: see
//! `TMad::fill_large` for networks that start from PatchMatch, and `TMad::fill_by_doubling`
//! for the others.

use crate::coarse::Prior;
use crate::detail;
use crate::model::{Inputs, Model, ModelConfig};
use crate::patches::{Position, assemble, hole_cells, select_hole};
use crate::regions::{Region, regions};
use crate::scale::Scaled;
use crate::tensors::{images_to_tensor, tensor_to_images};
use crate::texture_memory::{MemoryConfig, Sampling, memory_windows, sample_windows};
use crate::tiles::Tiles;
use crate::weights::{WeightsError, WeightsFile};
use burn::tensor::{Device, Tensor};
use energy::{Missing, Surroundings};
use explain::Trace;
use inpaint_core::{
    Control, InpaintError, Inpainter, Mask, Rect, RgbImage, check_sizes, composite,
};
use levels::{Scale, num_halvings};
use seams::SecondGrid;
use std::collections::BTreeMap;

mod doubling;
mod energy;
mod explain;
mod large;
mod levels;
mod refine;
mod seams;

/// Weights that this project trained, compiled in.
static BUILT_IN: &[u8] = include_bytes!("../weights/tmad.safetensors");

/// Metadata key of the networks' configuration.
pub const CONFIG_KEY: &str = "config";

/// Hole cells that go through the patch synthesis network at once, to bound memory.
const CELLS_AT_ONCE: usize = 32;
/// Windows of a texture memory at most.
const MAX_WINDOWS: usize = 1536;

/// T-MAD, ready to inpaint.
#[derive(Debug)]
pub struct TMad {
    model: Model,
    metadata: BTreeMap<String, String>,
    device: Device,
    coarse_only: bool,
}

impl TMad {
    /// With the weights that come with this crate.
    ///
    /// # Errors
    ///
    /// None in practice; the weights are checked by this crate's tests.
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
        config.check().map_err(metadata_error)?;
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
    pub fn with_memory(self, change: impl FnOnce(&mut MemoryConfig)) -> Result<Self, String> {
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

    /// Fills the hole of a picture at one scale.
    fn fill_at_scale(
        &self,
        picture: &Scaled,
        start: Start,
        scale: Scale,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<RgbImage, InpaintError> {
        control.check_cancelled()?;
        let Scaled { image, mask } = picture;
        let (inputs, guess) = match start {
            Start::Guess(guess) => {
                let inputs = Inputs::without_prior(&[image], vec![mask], &self.device);
                let guess = images_to_tensor(&[guess], &self.device);
                (inputs, guess)
            }
            Start::Hole => {
                let prior = self.model.config().coarse.prior;
                let filling = prior.filling(image, mask, &control.part(0.0, BEFORE_PATCHES))?;
                self.guess_from(picture, filling.as_ref(), trace)
            }
        };
        control.report(BEFORE_PATCHES, STAGE);
        let completed = if self.coarse_only {
            guess
        } else {
            self.synthesise_in_chunks(guess, scale, &inputs, control, trace)?
        };
        let mut images = tensor_to_images(completed);
        composite(&picture.image, &images.remove(0), &picture.mask)
    }

    /// The coarse network's guess, or what the patch networks start from, with the picture's
    /// pixels outside the hole.
    fn guess_from<'a>(
        &self,
        picture: &'a Scaled,
        filling: Option<&RgbImage>,
        trace: &mut Trace,
    ) -> (Inputs<'a>, Tensor<4>) {
        let Scaled { image, mask } = picture;
        let fillings: Vec<_> = filling.into_iter().collect();
        let config = self.model.config();
        let inputs = Inputs::with_fillings(&[image], vec![mask], &fillings, config, &self.device);
        let guess = self.model.guess(&inputs);
        let in_picture = |guess| select_hole(inputs.mask.clone(), guess, inputs.image.clone());
        let coarse = in_picture(guess.structure.clone());
        trace.guessed(&coarse);
        let start = if self.coarse_only {
            coarse
        } else {
            in_picture(guess.whole())
        };
        (inputs, start)
    }

    fn synthesise_in_chunks(
        &self,
        shown: Tensor<4>,
        scale: Scale,
        inputs: &Inputs,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<Tensor<4>, InpaintError> {
        let cells = hole_cells(inputs.masks[0], self.model.config().patch_px, 0);
        let windows = self.windows(inputs.masks[0], control.seed, MAX_WINDOWS);
        let guess = select_hole(inputs.mask.clone(), shown.clone(), inputs.image.clone());
        let memory = [self.model.remember_as(&shown, &guess, &windows)];
        let switches = &self.model.config().synthesis;
        let (has_detail, margin) = (switches.candidate_detail, switches.detail_margin_px);
        let tiles = self.model.tiles(&cells);
        // At larger scales only fine detail is added, and in scratches there is no room for seams.
        let may_show_seams = scale.is_smallest
            && inputs.masks[0].hole_thickness() >= self.model.config().patch_px as u32;
        let is_blended = may_show_seams && switches.tile_cells > 1 && tiles.origins.len() > 1;
        let num_passes = if is_blended { 2 } else { 1 };
        let num_in_all = num_passes * cells.len();
        let mut num_done = 0;
        let mut synthesise = |cells: &[Position], tiles: &Tiles| {
            control.check_cancelled()?;
            let done =
                (self.model).synthesise_tiles(&shown, &guess, &inputs.mask, cells, tiles, &memory);
            num_done += cells.len();
            let share = num_done as f32 / num_in_all as f32;
            control.report(BEFORE_PATCHES + (1.0 - BEFORE_PATCHES) * share, STAGE);
            Ok::<_, InpaintError>(done)
        };
        let second = if is_blended {
            let (side, t) = (self.model.config().patch_px, switches.tile_cells);
            let shifted = Tiles::shifted(&cells, side, t, SecondGrid::shift_cells(t));
            let mut patches = Vec::new();
            let mut ordered = Vec::new();
            for (cells, tiles) in shifted.groups(&cells, CELLS_AT_ONCE) {
                patches.push(synthesise(&cells, &tiles)?.0);
                ordered.extend(cells);
            }
            let patches = Tensor::cat(patches, 0);
            Some(SecondGrid::new(patches, &ordered, tiles.origins[0], t))
        } else {
            None
        };
        let groups = tiles.groups(&cells, CELLS_AT_ONCE);
        // Tile by tile, not row by row as `cells`.
        let ordered: Vec<_> = (groups.iter())
            .flat_map(|(cells, _)| cells.iter().copied())
            .collect();
        trace.starts_level(&ordered, &windows);
        let [_, _, height, width] = guess.dims();
        // Where the smallest scale is all there is, the networks' own mixture stays: as strong as
        // its candidates, it lies 0.4 dB farther from the truth. What larger scales build on must
        // not be soft, though: they cannot make up for it.
        let has_missing = has_detail && !(scale.is_smallest && scale.is_full);
        let mut missing = has_missing.then(|| {
            let surroundings = Surroundings::new(&guess, inputs.masks[0]);
            (Missing::new(width, height), surroundings)
        });
        let mut patches = Vec::new();
        for (cells, tiles) in &groups {
            let (done, candidates) = synthesise(cells, tiles)?;
            let done = match &second {
                Some(second) => second.blend(done, cells),
                None => done,
            };
            trace.retrieved(&candidates);
            if let Some((missing, surroundings)) = &mut missing {
                missing.add(&done, &candidates[0].patches, cells, surroundings, margin);
            }
            patches.push(done);
        }
        let completed = assemble(
            Tensor::cat(patches, 0),
            &ordered,
            inputs.image.clone(),
            &inputs.masks,
            inputs.mask.clone(),
        );
        let Some((missing, _)) = missing else {
            return Ok(completed);
        };
        // The level before has decided everything that its pixels can show; taking more over again
        // would add the same detail at every scale.
        let completed = match scale.is_smallest {
            true => completed,
            false => guess.clone() + detail::finest(completed - guess),
        };
        let missing = missing.into_tensor(&completed);
        Ok(select_hole(
            inputs.mask.clone(),
            completed + missing,
            inputs.image.clone(),
        ))
    }

    /// The windows of the texture memory of a picture with this mask; beyond `at_most`, their
    /// distance grows.
    fn windows(&self, mask: &Mask, seed: u64, at_most: usize) -> Vec<Position> {
        let ModelConfig {
            patch_px, memory, ..
        } = self.model.config();
        let mut config = memory.clone();
        let mut windows = memory_windows(mask, *patch_px, &config, 0);
        while windows.len() > at_most {
            config.stride_px *= 2;
            windows = memory_windows(mask, *patch_px, &config, 0);
        }
        if config.sampling == Sampling::Paper {
            windows = sample_windows(windows, config.num_pool, seed);
        }
        windows
    }

    /// Fills a region, from the scale of training up to full resolution.
    fn fill_region(
        &self,
        full: &Scaled,
        control: &Control,
        trace: &mut Trace,
    ) -> Result<RgbImage, InpaintError> {
        let starts_from_copies =
            self.model.config().coarse.prior == Prior::PatchMatch && !full.mask.is_full();
        if starts_from_copies && !self.coarse_only && num_halvings(full) > 0 {
            self.fill_large(full, control, trace)
        } else {
            self.fill_by_doubling(full, control, trace)
        }
    }
}

/// What a hole is filled from.
#[derive(Debug, Clone, Copy)]
enum Start<'a> {
    /// Nothing but the picture.
    Hole,
    /// A guess in place of the coarse network's. It shows the whole picture.
    Guess(&'a RgbImage),
}

/// Share of the work of a scale that comes before the patches.
const BEFORE_PATCHES: f32 = 0.3;
/// What progress reports call the work.
const STAGE: &str = "filling";

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
            self.fill_region(region, control, &mut Trace::off())
        })
    }
}
