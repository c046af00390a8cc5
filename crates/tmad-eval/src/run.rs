//! The evaluation itself.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage, composite};

use crate::EvalError;
use crate::feature_sets::FeatureSets;
use crate::files::{Picture, list_pictures, open_rgb, write_png};
use crate::inception::InceptionResize;
use crate::lpips::Lpips;
use crate::meters::Meters;
use crate::metric::{Metrics, measure, measure_truth};
use crate::protocol::{Masks, Protocol, centre_square};
use crate::report::{Report, SetResults};
use crate::sheet::saved_sheet;
use crate::source::{Output, Source, open_result, sources};
use crate::store::{Score, Settings, Store};
use crate::textures::Textures;

/// What is evaluated, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalOptions {
    /// Folder of pictures, searched recursively. They are the truth.
    pub data: PathBuf,
    /// Where the holes are.
    pub protocol: Protocol,
    /// Side in pixels to which each picture's central square is scaled; 17 or more for
    /// LPIPS-squeeze, 16 or more for the sliced Wasserstein distance. Usually 256.
    pub size: u32,
    /// Seed of masks and methods.
    pub seed: u64,
    /// Evaluates the first pictures by name only.
    pub limit: Option<usize>,
    /// Report folder. An earlier run's results in it are kept and continued.
    pub out: Option<PathBuf>,
    /// Folder with weights for LPIPS ([`LpipsNetwork`](crate::LpipsNetwork) names the files) and
    /// for FID, KID, P-IDS and U-IDS ([`INCEPTION_FILE`](crate::INCEPTION_FILE)). What it lacks is
    /// left out, and the report says so.
    pub weights: Option<PathBuf>,
    /// How pictures are scaled for FID and the like.
    pub inception_resize: InceptionResize,
    /// Saves the truths, the masked inputs and the results below `out`. The first two are also
    /// what other programs need to make results for [`evaluate`]'s `outputs`.
    pub save_images: bool,
}

impl Default for EvalOptions {
    /// The centre protocol at 256 px in the current folder, seed 0, without report folder.
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            protocol: Protocol::Centre,
            size: 256,
            seed: 0,
            limit: None,
            out: None,
            weights: None,
            inception_resize: InceptionResize::default(),
            save_images: false,
        }
    }
}

/// A result that has just been scored, or found in the report folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Results done so far.
    pub done: usize,
    /// Results in all: pictures × methods.
    pub total: usize,
    /// Name of the picture.
    pub picture: String,
    /// Name of the method.
    pub method: String,
    /// Whether an earlier run had done it.
    pub continued: bool,
}

/// Scores methods, and folders of results made elsewhere, on the same pictures and masks.
///
/// Pictures stream: one is in memory at a time. With a report folder a line is written after every
/// result, and what an earlier run with the same settings has written is not done again. Results
/// are matched to pictures by name without extension, must be `size` × `size`, and are composited
/// first: only their hole counts. Without any method the run prepares the folder for others:
/// masks, and with [`EvalOptions::save_images`] inputs and truths.
///
/// Pictures whose mask has no hole inside the central square are left out, and the report's notes
/// name them.
///
/// # Errors
///
/// [`EvalError`]; results up to then stay in the report folder.
pub fn evaluate(
    options: &EvalOptions,
    methods: &[&dyn Inpainter],
    outputs: &[Output<'_>],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Report, EvalError> {
    if options.size == 0 {
        return Err(EvalError::Setting {
            name: "size",
            value: "0".to_owned(),
            allowed: "1 px or more",
        });
    }
    let mut pictures = list_pictures(&options.data)?;
    pictures.truncate(options.limit.unwrap_or(usize::MAX));
    let masks = Masks::new(&options.protocol, options.size, options.seed, &pictures)?;
    let (places, left_out) = masks.with_holes(&mut pictures)?;
    let sources = sources(methods, outputs, &pictures)?;
    let meters = Meters::load(options.weights.as_deref(), options.inception_resize)?;
    let settings = Settings {
        protocol: masks.description(),
        size: options.size,
        seed: options.seed,
        weights: meters.weights,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut notes = meters.notes;
    if !left_out.is_empty() {
        notes.push(format!(
            "{} of {} pictures left out, since their holes lie outside the central square: {}",
            left_out.len(),
            left_out.len() + pictures.len(),
            left_out.join(", ")
        ));
    }
    let mut run = Run {
        options,
        lpips: meters.lpips,
        features: (meters.inception).map(|network| {
            FeatureSets::new(network, options.inception_resize, options.out.clone())
        }),
        truths: Vec::new(),
        store: (options.out.as_deref())
            .map(|folder| Store::open(folder, &settings))
            .transpose()?,
        scores: Vec::new(),
        textures: Textures::new(
            sources.iter().map(|(name, _)| name.as_str()),
            options,
            pictures.len(),
        ),
        done: 0,
        total: pictures.len() * sources.len(),
    };
    for (picture, place) in pictures.iter().zip(places) {
        run.picture(
            picture,
            &masks.mask(place, &picture.name)?,
            &sources,
            on_progress,
        )?;
    }
    let sets = SetResults {
        textures: run.textures.finish(&mut notes),
        distances: match run.features {
            None => Default::default(),
            Some(features) => {
                let names: Vec<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
                let methods = sources.iter().map(|(name, _)| name.as_str());
                features.finish(&names, methods, &mut notes)
            }
        },
    };
    let scores = all_scores(run.store, run.scores, &pictures, &sources);
    let report = Report::new(settings, &run.truths, scores, sets, notes);
    if let Some(folder) = &options.out {
        report.write(folder)?;
        if let Some(sheet) = saved_sheet(&report, folder)? {
            write_png(&folder.join("contact_sheet.png"), &sheet)?;
        }
    }
    Ok(report)
}

/// A picture with its hole.
struct Pair<'a> {
    truth: RgbImage,
    input: RgbImage,
    mask: &'a Mask,
}

struct Run<'a> {
    options: &'a EvalOptions,
    lpips: Vec<Lpips>,
    features: Option<FeatureSets>,
    /// Total variations of the truths.
    truths: Vec<Metrics>,
    store: Option<Store>,
    scores: Vec<Score>,
    textures: Textures,
    done: usize,
    total: usize,
}

impl Run<'_> {
    fn picture(
        &mut self,
        picture: &Picture,
        mask: &Mask,
        sources: &[(String, Source<'_>)],
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), EvalError> {
        let truth = centre_square(&open_rgb(&picture.path)?, self.options.size)?;
        // Methods see grey where the hole is: none can look at what it is to guess.
        let grey = RgbImage::from_pixel(truth.width(), truth.height(), image::Rgb([128; 3]));
        let pair = Pair {
            input: composite(&truth, &grey, mask)?,
            truth,
            mask,
        };
        self.truths.push(measure_truth(&pair.truth, mask)?);
        if let Some(features) = &mut self.features {
            features.add_truth(&picture.name, &pair.truth)?;
        }
        if let Some(store) = &self.store {
            store.write_mask(&picture.name, mask)?;
            if self.options.save_images {
                store.write_picture("truths", &picture.name, &pair.truth)?;
                store.write_picture("inputs", &picture.name, &pair.input)?;
            }
        }
        for (at, (name, source)) in sources.iter().enumerate() {
            let continued = self.continues(at, picture, name, &pair)?;
            if !continued {
                self.result(at, picture, name, source, &pair)?;
            }
            self.done += 1;
            on_progress(Progress {
                done: self.done,
                total: self.total,
                picture: picture.name.clone(),
                method: name.clone(),
                continued,
            });
        }
        Ok(())
    }

    /// Whether an earlier run has scored this result; its picture joins the textures if saved.
    fn continues(
        &mut self,
        at: usize,
        picture: &Picture,
        method: &str,
        pair: &Pair<'_>,
    ) -> Result<bool, EvalError> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        if !store.has(&picture.name, method) {
            return Ok(false);
        }
        match store.saved_picture(&format!("results/{method}"), &picture.name) {
            Some(saved) => self.textures.add(at, &pair.truth, &saved, pair.mask)?,
            None => self.textures.lose(at),
        }
        Ok(true)
    }

    fn result(
        &mut self,
        at: usize,
        picture: &Picture,
        method: &str,
        source: &Source<'_>,
        pair: &Pair<'_>,
    ) -> Result<(), EvalError> {
        let Pair { truth, input, mask } = pair;
        let control = Control::with_seed(self.options.seed);
        let timed = |run: &dyn Fn() -> Result<RgbImage, InpaintError>| {
            let start = Instant::now();
            let completed = run().map_err(|source| EvalError::Method {
                method: method.to_owned(),
                picture: picture.name.clone(),
                source,
            })?;
            Ok::<_, EvalError>((completed, Some(start.elapsed().as_secs_f64())))
        };
        let (completed, seconds) = match source {
            Source::Method(inpainter) => timed(&|| inpainter.inpaint(input, mask, &control))?,
            Source::Folder(folder, files, refined_by) => {
                let guess = open_result(folder, files, picture, truth)?;
                match refined_by {
                    None => (guess, None),
                    Some(texture) => timed(&|| texture.refine(input, &guess, mask, &control))?,
                }
            }
        };
        let composited = composite(truth, &completed, mask)?;
        let score = Score {
            picture: picture.name.clone(),
            method: method.to_owned(),
            hole_fraction: mask.hole_fraction(),
            seconds,
            metrics: measure(truth, &composited, mask, &self.lpips)?,
        };
        self.textures.add(at, truth, &composited, mask)?;
        if let Some(features) = &mut self.features {
            features.add_result(method, &picture.name, &composited)?;
        }
        match &mut self.store {
            // The picture first: a line says that everything about its result is there.
            Some(store) => {
                if self.options.save_images {
                    let kind = format!("results/{method}");
                    store.write_picture(&kind, &picture.name, &composited)?;
                }
                store.add(score)?;
            }
            None => self.scores.push(score),
        }
        Ok(())
    }
}

/// The scores of these pictures: of this run's methods in their order, then of methods that only
/// earlier runs had.
fn all_scores(
    store: Option<Store>,
    new: Vec<Score>,
    pictures: &[Picture],
    sources: &[(String, Source<'_>)],
) -> Vec<Score> {
    let mut scores = store.map_or(new, |store| store.scores);
    let names: HashSet<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
    scores.retain(|score| names.contains(score.picture.as_str()));
    let place = |score: &Score| {
        let known = sources.iter().position(|(name, _)| *name == score.method);
        known.unwrap_or(sources.len())
    };
    scores.sort_by_key(place);
    scores
}
