//! The nearest-neighbour field: for every patch that touches the hole, the
//! most similar known patch found so far.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::measure::{Measure, distance};
use super::picture::Picture;
use super::sources::Sources;
use super::texture::Texture;
use crate::Control;
use crate::random::{Random, mix, stream};

/// Rows that one task scans in order. Fixed, so that the result does not
/// depend on the number of threads.
const BAND_ROWS: usize = 16;

/// A known patch (by its top-left pixel) and its distance to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub x: u32,
    pub y: u32,
    /// Sum of squared differences of channel values, and what the source
    /// lacks in texture.
    pub distance: u32,
}

impl Match {
    /// Stands where the patch does not touch the hole.
    const NO_TARGET: Self = Self {
        x: u32::MAX,
        y: u32::MAX,
        distance: 0,
    };

    /// A target whose match is still to be found.
    pub const UNKNOWN: Self = Self {
        x: u32::MAX,
        y: u32::MAX,
        distance: u32::MAX,
    };

    pub fn is_target(self) -> bool {
        self.distance > 0 || self.x != u32::MAX
    }

    pub fn is_known(self) -> bool {
        self.x != u32::MAX
    }
}

/// Matches of all patches in a box around the hole, row by row.
pub(super) struct Field {
    /// Top-left pixel of the first patch.
    pub left: usize,
    pub top: usize,
    /// Patches per row.
    pub width: usize,
    pub matches: Vec<Match>,
    /// What smooth sources pay, as a part of their distance; without it,
    /// nothing.
    pub texture: Option<Texture>,
}

impl Field {
    /// A field of unknown matches for the patches of `side` pixels that touch
    /// the hole; `None` without a hole.
    pub fn new(picture: &Picture, side: usize) -> Option<Self> {
        let bounds = picture.hole_bounds()?;
        let left = bounds.left.saturating_sub(side - 1);
        let top = bounds.top.saturating_sub(side - 1);
        let width = bounds.right.min(picture.width + 1 - side) - left;
        let height = bounds.bottom.min(picture.height + 1 - side) - top;
        let mut matches = vec![Match::NO_TARGET; width * height];
        for (y, row) in matches.chunks_exact_mut(width).enumerate() {
            for (x, entry) in row.iter_mut().enumerate() {
                let touches = (top + y..top + y + side).any(|v| {
                    let start = v * picture.width + left + x;
                    picture.hole[start..start + side].contains(&1)
                });
                if touches {
                    *entry = Match::UNKNOWN;
                }
            }
        }
        Some(Self {
            left,
            top,
            width,
            matches,
            texture: None,
        })
    }

    /// A field without patches.
    pub fn empty() -> Self {
        Self {
            left: 0,
            top: 0,
            width: 1,
            matches: Vec::new(),
            texture: None,
        }
    }

    /// Rows of patches.
    pub fn height(&self) -> usize {
        self.matches.len() / self.width
    }

    /// The match of the patch at `(x, y)`, if it is a target of this field.
    pub fn get(&self, x: usize, y: usize) -> Option<Match> {
        let (column, row) = (x.checked_sub(self.left)?, y.checked_sub(self.top)?);
        if column >= self.width {
            return None;
        }
        let found = self.matches.get(row * self.width + column);
        found.copied().filter(|found| found.is_target())
    }

    /// Gives every target without a match a random one.
    pub fn fill_randomly(&mut self, sources: &Sources, seed: u64) {
        for (i, entry) in self.matches.iter_mut().enumerate() {
            if entry.is_target() && !entry.is_known() {
                let (x, y) = sources.draw(&mut Random::new(stream(seed, i as u64)));
                *entry = Match { x, y, ..*entry };
            }
        }
    }

    /// Computes every distance anew, after the estimate has changed.
    pub fn measure<const P: usize>(&mut self, picture: &Picture) {
        let (left, top, width) = (self.left, self.top, self.width);
        let texture = self.texture.as_ref();
        let rows = self.matches.par_chunks_mut(width).enumerate();
        rows.for_each(|(y, entries)| {
            Arch::new().dispatch(Measure::<P> {
                entries,
                picture,
                texture,
                first: y * width,
                offset: (top + y) * picture.width + left,
            });
        });
    }

    /// One iteration of PatchMatch: each target tries the shifted matches of
    /// its two neighbours in scan order, then random patches in windows that
    /// shrink around its best match. A distance can only fall.
    ///
    /// Bands of rows are scanned in parallel. Inside a band, good matches
    /// spread along the scan; across its edge they come from the field as it
    /// was before this iteration. Random numbers belong to positions.
    pub fn improve<const P: usize>(
        &mut self,
        picture: &Picture,
        sources: &Sources,
        search: Search,
        control: &Control,
    ) {
        let (left, top, width) = (self.left, self.top, self.width);
        // Of each band's neighbour, the row beside its first, or backwards its last.
        let bands = self.matches.chunks(width * BAND_ROWS);
        let edges: Vec<_> = if search.backwards {
            bands.skip(1).map(|band| band[..width].to_vec()).collect()
        } else {
            bands
                .map(|band| band[band.len() - width..].to_vec())
                .collect()
        };
        let texture = self.texture.as_ref();
        self.matches
            .par_chunks_mut(width * BAND_ROWS)
            .enumerate()
            .for_each(|(band, entries)| {
                if control.is_cancelled() {
                    return;
                }
                let beyond = match search.backwards {
                    false => band.checked_sub(1).map(|band| &edges[band]),
                    true => edges.get(band),
                };
                let scan = Scan::<P> {
                    entries,
                    picture,
                    sources,
                    texture,
                    seed: mix(search.seed),
                    backwards: search.backwards,
                    radius: search.radius,
                    beyond: beyond.map(Vec::as_slice),
                    first: band * BAND_ROWS * width,
                    left,
                    top,
                    width,
                };
                Arch::new().dispatch(scan);
            });
    }
}

/// One iteration of [`Field::improve`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub seed: u64,
    /// Whether the scan goes from the last target to the first.
    pub backwards: bool,
    /// Largest distance in pixels, along each axis, of a random patch from the best match.
    pub radius: usize,
}

/// One band of [`Field::improve`].
struct Scan<'a, const P: usize> {
    entries: &'a mut [Match],
    picture: &'a Picture,
    sources: &'a Sources,
    texture: Option<&'a Texture>,
    seed: u64,
    backwards: bool,
    radius: usize,
    /// The row of the neighbouring band beside this one, as it was before.
    beyond: Option<&'a [Match]>,
    /// Index of the band's first entry in the field.
    first: usize,
    left: usize,
    top: usize,
    width: usize,
}

/// Run with the widest instructions that the processor has. Only what is inlined is compiled for
/// them: a closure is not, or only by chance, so every function from here on says so.
impl<const P: usize> NullaryFnOnce for Scan<'_, P> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let entries = std::mem::take(&mut self.entries);
        let count = entries.len();
        for step in 0..count {
            let i = if self.backwards {
                count - 1 - step
            } else {
                step
            };
            // An exact repetition cannot be improved on.
            if !entries[i].is_target() || entries[i].distance == 0 {
                continue;
            }
            let x = (self.first + i) % self.width;
            let target = Target {
                index: self.first + i,
                offset: (self.top + (self.first + i) / self.width) * self.picture.width
                    + self.left
                    + x,
            };
            let mut best = entries[i];
            let beside = match self.backwards {
                false => (x > 0).then(|| entries[i - 1]),
                true => (x + 1 < self.width).then(|| entries[i + 1]),
            };
            let above = self.entry_above(entries, i);
            let shift = if self.backwards { -1 } else { 1 };
            for (neighbour, dx, dy) in [(beside, shift, 0), (above, 0, shift)] {
                if let Some(found) = neighbour.filter(|found| found.is_known()) {
                    let x = i64::from(found.x) + dx;
                    let y = i64::from(found.y) + dy;
                    self.try_source(&target, x, y, &mut best);
                }
            }
            self.search_randomly(&target, &mut best);
            entries[i] = best;
        }
    }
}

impl<const P: usize> Scan<'_, P> {
    /// The entry one row earlier in scan order.
    #[inline(always)]
    fn entry_above(&self, entries: &[Match], i: usize) -> Option<Match> {
        let x = (self.first + i) % self.width;
        let beyond = || self.beyond.map(|row| row[x]);
        if self.backwards {
            entries.get(i + self.width).copied().or_else(beyond)
        } else if i >= self.width {
            Some(entries[i - self.width])
        } else {
            beyond()
        }
    }

    #[inline(always)]
    fn search_randomly(&self, target: &Target, best: &mut Match) {
        let last_x = (self.picture.width - P) as u64;
        let last_y = (self.picture.height - P) as u64;
        let mut random = Random::new(self.seed ^ mix(target.index as u64));
        let mut radius = last_x.max(last_y).min(self.radius as u64);
        while radius > 0 {
            let draw = |around: u32, last: u64, bits: u64| {
                let low = u64::from(around).saturating_sub(radius);
                let high = (u64::from(around) + radius).min(last);
                low + ((bits * (high - low + 1)) >> 32)
            };
            let bits = random.bits();
            let x = draw(best.x, last_x, bits >> 32);
            let y = draw(best.y, last_y, bits & 0xFFFF_FFFF);
            self.try_source(target, x as i64, y as i64, best);
            radius /= 2;
        }
    }

    #[inline(always)]
    fn try_source(&self, target: &Target, x: i64, y: i64, best: &mut Match) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        let (width, height) = (self.picture.width, self.picture.height);
        if x >= width || y >= height || !self.sources.contains(x, y) {
            return;
        }
        if (x as u32, y as u32) == (best.x, best.y) {
            return;
        }
        let source = y * width + x;
        let mut found = distance::<P>(self.picture, target.offset, source, best.distance);
        if found >= best.distance {
            return;
        }
        if let Some(texture) = self.texture {
            let penalty = texture.penalty(target.index, source, found);
            found = found.saturating_add(penalty);
        }
        if found < best.distance {
            *best = Match {
                x: x as u32,
                y: y as u32,
                distance: found,
            };
        }
    }
}

struct Target {
    /// Index in the field.
    index: usize,
    /// Top-left pixel in the picture.
    offset: usize,
}
