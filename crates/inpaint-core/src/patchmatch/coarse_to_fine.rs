//! The pyramid and the rounds on each of its levels.

use super::copies::Ranked;
use super::field::{Field, Match, Search};
use super::picture::{BYTES, Picture};
use super::prior::Prior;
use super::sources::Sources;
use super::texture::Texture;
use super::vote::{Confidence, vote};
use super::{Effort, PatchMatch};
use crate::random::stream;
use crate::{Control, InpaintError};

/// Fewest known patches of a pyramid level: with less choice, structure is
/// better decided one level finer.
const MIN_SOURCES: usize = 64;

/// Radius of the final colour correction as a share of the hole's greatest
/// depth. A third of a patch is the least.
const COLOURS_PER_DEPTH: usize = 20;

/// Fills the hole of `picture` with patches of `P` × `P` pixels; the picture
/// must hold one known patch. `report` receives the finished fraction. The
/// copies are kept apart if `keep_copies` says so.
pub(super) fn fill<const P: usize>(
    picture: Picture,
    settings: &PatchMatch,
    keep_copies: bool,
    control: &Control,
    report: &dyn Fn(f32),
) -> Result<(Picture, Option<Ranked>), InpaintError> {
    let mut levels = pyramid::<P>(picture);
    let mut work = Work::new(&levels, settings, report);
    let mut coarser: Option<(Picture, Field)> = None;
    let mut copies = None;
    let coarsest = levels.len() - 1;
    let is_guided = settings.guide_px.is_some();
    let guide_px = settings.guide_px.unwrap_or(1).max(1);
    let finest_guided = guide_px.next_power_of_two().ilog2() as usize;
    while let Some(mut picture) = levels.pop() {
        control.check_cancelled()?;
        let Some(mut field) = Field::new(&picture, P) else {
            coarser = Some((picture, Field::empty()));
            continue;
        };
        let sources = Sources::new(&picture, P);
        if settings.texture > 0.0 {
            let texture = Texture::new::<P>(&picture, &field, &sources, settings.texture);
            field.texture = Some(texture);
        }
        let confidence = Confidence::new::<P>(&picture, &field, settings.confidence_falloff);
        let level = levels.len();
        let share = level.saturating_sub(finest_guided) as f32
            / coarsest.saturating_sub(finest_guided).max(1) as f32;
        let share = if is_guided {
            share * share.sqrt()
        } else {
            share
        };
        let prior_weight = settings.prior * share;
        let prior = match (level, &coarser) {
            // The finest level's membrane is made when it is needed, at the end.
            (_, Some(_)) if prior_weight <= 0.0 && !(is_guided && level == 0) => None,
            _ => Prior::new(&picture, is_guided),
        };
        let blend = |picture: &mut Picture, weight: f32| {
            if let Some(prior) = prior.as_ref().filter(|_| weight > 0.0) {
                prior.blend(picture, weight);
            }
        };
        match coarser.take() {
            None => blend(&mut picture, 1.0),
            Some((coarse, coarse_field)) => {
                enlarge_colours(&mut picture, &coarse);
                enlarge_matches::<P>(&mut field, &coarse_field, &picture, &sources);
                vote::<P>(&mut picture, &field, &confidence);
                blend(&mut picture, prior_weight);
            }
        }
        let seed = stream(control.seed, level as u64);
        field.fill_randomly(&sources, seed);
        let Effort {
            rounds,
            searches,
            radius,
        } = settings.effort(level, picture.hole_area());
        for round in 0..rounds {
            field.measure::<P>(&picture);
            for search in 0..searches {
                let index = (round * searches + search) as u64;
                let search = Search {
                    seed: stream(seed, index + 1),
                    backwards: index % 2 == 1,
                    radius,
                };
                field.improve::<P>(&picture, &sources, search, control);
                control.check_cancelled()?;
                work.advance(&picture);
            }
            vote::<P>(&mut picture, &field, &confidence);
            blend(&mut picture, prior_weight);
        }
        if level == 0 {
            drop((sources, field.texture.take()));
            let radius = (confidence.deepest_px() / COLOURS_PER_DEPTH).max((P / 3).max(2));
            let weight = settings.prior_colours;
            let prior = prior.or_else(|| Prior::new(&picture, false));
            if let Some(prior) = prior.filter(|_| weight > 0.0) {
                prior.correct_colours(&mut picture, &field, P, radius, weight);
            }
            if keep_copies {
                copies = Some(Ranked::new::<P>(&picture, &field, &confidence, radius));
            }
        }
        coarser = Some((picture, field));
    }
    // The pyramid has at least one level.
    coarser
        .map(|(picture, _)| (picture, copies))
        .ok_or(InpaintError::Cancelled)
}

/// Ever smaller pictures, the largest first, while hole and choice remain.
fn pyramid<const P: usize>(picture: Picture) -> Vec<Picture> {
    let mut levels = Vec::new();
    let mut current = picture;
    loop {
        let halved = current.halved();
        levels.push(current);
        if halved.width < P
            || halved.height < P
            || halved.hole_bounds().is_none()
            || Sources::new(&halved, P).len() < MIN_SOURCES
        {
            return levels;
        }
        current = halved;
    }
}

/// Copies the coarser estimate into the hole.
fn enlarge_colours(picture: &mut Picture, coarse: &Picture) {
    for y in 0..picture.height {
        for x in 0..picture.width {
            let i = y * picture.width + x;
            if picture.hole[i] != 0 {
                let j = y / 2 * coarse.width + x / 2;
                let colour = &coarse.pixels[BYTES * j..BYTES * (j + 1)];
                picture.pixels[BYTES * i..BYTES * (i + 1)].copy_from_slice(colour);
            }
        }
    }
}

/// Takes over coarser matches: the centre of a patch lies on a coarse pixel,
/// whose match, doubled, is the new one where it is a known patch.
fn enlarge_matches<const P: usize>(
    field: &mut Field,
    coarse: &Field,
    picture: &Picture,
    sources: &Sources,
) {
    const fn finer(coarse: u32, remainder: usize, radius: usize, last: usize) -> usize {
        let position = (2 * (coarse as usize + radius) + remainder).saturating_sub(radius);
        if position < last { position } else { last }
    }
    let radius = P / 2;
    let (left, top, width) = (field.left, field.top, field.width);
    for (i, entry) in field.matches.iter_mut().enumerate() {
        let x = left + i % width + radius;
        let y = top + i / width + radius;
        let corner = (x / 2).checked_sub(radius).zip((y / 2).checked_sub(radius));
        let Some(found) = corner.and_then(|(x, y)| coarse.get(x, y)) else {
            continue;
        };
        let x = finer(found.x, x % 2, radius, picture.width - P);
        let y = finer(found.y, y % 2, radius, picture.height - P);
        if entry.is_target() && sources.contains(x, y) {
            *entry = Match {
                x: x as u32,
                y: y as u32,
                distance: u32::MAX,
            };
        }
    }
}

/// Counts searched pixels.
struct Work<'a> {
    done: f32,
    total: f32,
    report: &'a dyn Fn(f32),
}

impl<'a> Work<'a> {
    fn new(levels: &[Picture], settings: &PatchMatch, report: &'a dyn Fn(f32)) -> Self {
        let cost = |(level, picture): (usize, &Picture)| {
            let effort = settings.effort(level, picture.hole_area());
            picture.hole_area() * (effort.rounds * effort.searches) as f32
        };
        Self {
            done: 0.0,
            total: levels.iter().enumerate().map(cost).sum(),
            report,
        }
    }

    /// One search over one level is done.
    fn advance(&mut self, picture: &Picture) {
        self.done += picture.hole_area();
        (self.report)((self.done / self.total.max(1.0)).min(1.0));
    }
}
