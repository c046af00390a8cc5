//! Coarse to fine.
use super::PatchMatch;
use super::field::{Field, Match};
use super::picture::{BYTES, Picture};
use super::smooth_fill::smooth_fill;
use super::sources::Sources;
use super::vote::{vote, weights};
use crate::distance::squared_distance;
use crate::random::stream;
use crate::{Control, InpaintError, Mask, RgbImage};

pub(super) struct Plan<'a> {
    settings: &'a PatchMatch,
    image: &'a RgbImage,
    mask: &'a Mask,
}

const MIN_SOURCES: usize = 64;

impl<'a> Plan<'a> {
    pub fn new(settings: &'a PatchMatch, image: &'a RgbImage, mask: &'a Mask) -> Self {
        Self {
            settings,
            image,
            mask,
        }
    }

    pub fn run(&self, control: &Control) -> Result<RgbImage, InpaintError> {
        match self.settings.patch_px {
            3 => self.complete::<3>(control),
            5 => self.complete::<5>(control),
            7 => self.complete::<7>(control),
            9 => self.complete::<9>(control),
            _ => self.complete::<11>(control),
        }
    }

    fn complete<const P: usize>(&self, control: &Control) -> Result<RgbImage, InpaintError> {
        let mut levels = vec![Picture::new(self.image, self.mask, P)];
        loop {
            let next = levels[levels.len() - 1].halved();
            if next.width < P || next.height < P || next.hole_bounds().is_none() {
                break;
            }
            if Sources::new(&next, P).len() < MIN_SOURCES {
                break;
            }
            levels.push(next);
        }
        let mut coarser: Option<(Picture, Field)> = None;
        while let Some(mut picture) = levels.pop() {
            let level = levels.len();
            let sources = Sources::new(&picture, P);
            let mut field = Field::new(&picture, P).unwrap();
            let seed = stream(control.seed, level as u64);
            let depth = squared_distance(picture.width, picture.height, |i| picture.hole[i] == 0);
            let depth: Vec<f32> = depth.iter().map(|&d| (d as f32).sqrt()).collect();
            let w = picture.width;
            let at = |x: usize, y: usize| depth[(y + P / 2) * w + x + P / 2];
            match coarser.take() {
                None => smooth_fill(&mut picture),
                Some((coarse, coarse_field)) => {
                    upscale::<P>(&mut picture, &mut field, &sources, &coarse, &coarse_field);
                    let ww = weights(&field, at, self.settings.sharpness);
                    vote::<P>(&mut picture, &field, &ww);
                }
            }
            field.fill_randomly(&sources, seed);
            let rounds = self.settings.num_rounds + self.settings.extra_rounds_per_level * level;
            for round in 0..rounds {
                field.measure::<P>(&picture);
                for i in 0..self.settings.num_searches {
                    control.check_cancelled()?;
                    let n = (round * self.settings.num_searches + i) as u64;
                    field.improve::<P>(
                        &picture,
                        &sources,
                        stream(seed, n + 1),
                        n % 2 == 1,
                        control,
                    );
                }
                let ww = weights(&field, at, self.settings.sharpness);
                vote::<P>(&mut picture, &field, &ww);
            }
            coarser = Some((picture, field));
        }
        let (picture, _) = coarser.unwrap();
        let mut out = self.image.clone();
        for (x, y, p) in out.enumerate_pixels_mut() {
            if self.mask.is_hole(x, y) {
                let i = (y as usize * picture.width + x as usize) * BYTES;
                p.0.copy_from_slice(&picture.pixels[i..i + 3]);
            }
        }
        Ok(out)
    }
}

fn upscale<const P: usize>(
    picture: &mut Picture,
    field: &mut Field,
    sources: &Sources,
    coarse: &Picture,
    coarse_field: &Field,
) {
    for y in 0..picture.height {
        for x in 0..picture.width {
            let i = y * picture.width + x;
            if picture.hole[i] != 0 {
                let j = (y / 2) * coarse.width + x / 2;
                for c in 0..3 {
                    picture.pixels[BYTES * i + c] = coarse.pixels[BYTES * j + c];
                }
            }
        }
    }
    let (left, top, width) = (field.left, field.top, field.width);
    for (i, entry) in field.matches.iter_mut().enumerate() {
        if !entry.is_target() {
            continue;
        }
        let (x, y) = (left + i % width, top + i / width);
        // centre-aligned
        let Some(found) = coarse_field.get(
            (x + P / 2) / 2 - (P / 2).min((x + P / 2) / 2),
            (y + P / 2) / 2 - (P / 2).min((y + P / 2) / 2),
        ) else {
            continue;
        };
        let cx = (x + P / 2) / 2;
        let cy = (y + P / 2) / 2;
        if cx < P / 2 || cy < P / 2 {
            continue;
        }
        let sx = (found.x as usize + P / 2) * 2 + (x + P / 2) % 2;
        let sy = (found.y as usize + P / 2) * 2 + (y + P / 2) % 2;
        let sx = sx.saturating_sub(P / 2).min(picture.width - P);
        let sy = sy.saturating_sub(P / 2).min(picture.height - P);
        if sources.contains(sx, sy) {
            *entry = Match {
                x: sx as u32,
                y: sy as u32,
                distance: found.distance,
            };
        }
    }
}
