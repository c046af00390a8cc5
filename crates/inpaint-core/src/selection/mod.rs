//! From a few marks on a thing to the whole of it: [`select_object`].
//!
//! GrabCut (Rother, Kolmogorov and Blake, *"GrabCut": interactive foreground extraction using
//! iterated graph cuts*, SIGGRAPH 2004): the colours of object and background are mixtures of
//! Gaussians, the border is the cheapest cut through the picture's grid, and both are found in
//! turns; far from the marks a pixel needs better reasons. Details come from coarse to fine, each level deciding about a band around the border of
//! the coarser one alone (Lombaert, Sun, Grady and Xu, *A multilevel banded graph cuts method for
//! fast image segmentation*, ICCV 2005). What is not in one piece with a mark is left out, and what
//! the object surrounds belongs to it.

mod min_cut;
mod mixture;
mod pyramid;

use crate::distance::squared_distance;
use crate::{Control, InpaintError, Mask, Rect, RgbImage};
use min_cut::{Grid, STEPS};
use mixture::Mixture;
use pyramid::{Level, levels};

/// Rounds of cutting and learning the colours anew, at most.
const ROUNDS: usize = 6;
/// Standard deviations in levels that are added to the colours of what was marked, at first and
/// when there is more of it.
const FIRST_SPREAD: f64 = 12.0;
const SPREAD: f64 = 6.0;
/// What it costs to part two pixels of the same colour (GrabCut's γ), in units of −ln p.
const BOND: f64 = 50.0;
/// Most that a pixel's own colour counts.
const MAX_WISH: f64 = 400.0;
/// Prices are whole numbers of this fraction of a unit.
const UNITS: f64 = 64.0;
/// What it costs to select a pixel as far from the marks as they reach; at other distances it grows
/// with the square. Colours that object and background share would otherwise take the object away
/// over the picture.
const FAR_PRICE: f64 = 15.0;
/// Of the pixels without a mark, the share farthest from the marks that stands for the background
/// at first.
const FAR_SHARE: f64 = 0.5;

/// Grows `marks` on a thing to its border.
///
/// `marks` lie on the thing: a scribble, a blob. Nothing outside `bounds` belongs to it, apart from
/// the marks; where `bounds` reaches the picture's own border, the thing may be cut off by it.
/// Without `bounds` it is looked for around the marks, as far again as they reach and a quarter of
/// the picture at least. Without marks the selection is empty.
///
/// # Errors
///
/// [`InpaintError::MaskSize`] when the sizes differ, [`InpaintError::Cancelled`].
pub fn select_object(
    image: &RgbImage,
    marks: &Mask,
    bounds: Option<Rect>,
    control: &Control,
) -> Result<Mask, InpaintError> {
    if marks.dimensions() != image.dimensions() {
        return Err(InpaintError::MaskSize {
            mask: marks.dimensions().into(),
            image: image.dimensions().into(),
        });
    }
    let mut selected = marks.clone();
    let Some(marked) = marks.hole_bounds() else {
        return Ok(selected);
    };
    let bounds = bounds.unwrap_or_else(|| around(marked, image));
    let levels = levels(image, marks, marked, bounds);
    let mut levels = levels.into_iter();
    // There is one at least.
    let Some(coarsest) = levels.next() else {
        return Ok(selected);
    };
    let (mut sides, models) = cut_anew(&coarsest, control)?;
    let mut last = coarsest;
    for level in levels {
        control.check_cancelled()?;
        let unknown = band(&last, &sides, &level);
        sides = upsampled(&last, &sides, &level);
        cut_unknown(&level, &models, &unknown, |_| 0.0, &mut sides);
        last = level;
    }
    keep_marked_pieces(&last, &mut sides);
    fill_enclosed(&last, &mut sides);
    last.draw(&sides, &mut selected);
    Ok(selected)
}

/// Where a thing is looked for.
fn around(marked: Rect, image: &RgbImage) -> Rect {
    let longest = image.width().max(image.height());
    let reach = marked.width.max(marked.height).max(longest / 4);
    let (x, y) = (
        marked.x.saturating_sub(reach),
        marked.y.saturating_sub(reach),
    );
    Rect {
        x,
        y,
        width: marked.x + marked.width + reach - x,
        height: marked.y + marked.height + reach - y,
    }
}

/// The colours of both sides.
struct Models {
    object: Mixture,
    background: Mixture,
}

/// Cuts a level of which nothing is known but its marks.
fn cut_anew(level: &Level, control: &Control) -> Result<(Vec<bool>, Models), InpaintError> {
    let colours = |is_wanted: &dyn Fn(usize) -> bool| {
        let wanted = (0..level.len()).filter(|&i| is_wanted(i));
        wanted.map(|i| level.colours[i]).collect::<Vec<_>>()
    };
    let distances = squared_distance(level.width, level.height, |i| level.marks[i]);
    let mut sorted = distances.clone();
    sorted.sort_unstable();
    let far = sorted[((1.0 - FAR_SHARE) * (level.len() - 1) as f64) as usize].max(1);
    let mut models = Models {
        object: Mixture::of(colours(&|i| level.marks[i]), FIRST_SPREAD),
        background: Mixture::of(colours(&|i| distances[i] >= far), SPREAD),
    };
    let unknown: Vec<bool> = (0..level.len())
        .map(|i| !level.marks[i] && !level.is_outside(i))
        .collect();
    let reach = level.reach_of_marks();
    let doubt = |i: usize| FAR_PRICE * distances[i] as f64 / (reach * reach);
    let mut sides = level.marks.clone();
    for _ in 0..ROUNDS {
        control.check_cancelled()?;
        let before = sides.clone();
        cut_unknown(level, &models, &unknown, doubt, &mut sides);
        keep_marked_pieces(level, &mut sides);
        if sides == before {
            break;
        }
        if sides.iter().all(|&side| side) {
            // Nothing is left to learn the background from.
            break;
        }
        models = Models {
            object: Mixture::of(colours(&|i| sides[i]), SPREAD),
            background: Mixture::of(colours(&|i| !sides[i]), SPREAD),
        };
    }
    Ok((sides, models))
}

/// Decides about the unknown pixels of a level, each of which costs its `doubt` if it is selected;
/// the others stay on their sides.
fn cut_unknown(
    level: &Level,
    models: &Models,
    unknown: &[bool],
    doubt: impl Fn(usize) -> f64,
    sides: &mut [bool],
) {
    let mut places = vec![usize::MAX; level.len()];
    let pixels: Vec<usize> = (0..level.len()).filter(|&i| unknown[i]).collect();
    for (place, &pixel) in pixels.iter().enumerate() {
        places[pixel] = place;
    }
    let price = |units: f64| (units * UNITS) as i32;
    let steps = || {
        pixels.iter().flat_map(|&pixel| {
            (0..STEPS.len())
                .filter_map(move |step| Some((pixel, step, level.neighbour(pixel, STEPS[step])?)))
        })
    };
    // GrabCut's β: contrasts count relative to the mean one.
    let (sum, count) = steps().fold((0.0, 0_usize), |(sum, count), (a, _, b)| {
        (sum + level.contrast(a, b), count + 1)
    });
    let beta = count.max(1) as f64 / (2.0 * sum.max(1e-3));
    let bond = |a: usize, b: usize, step: usize| {
        let length = if STEPS[step].0 != 0 && STEPS[step].1 != 0 {
            std::f64::consts::SQRT_2
        } else {
            1.0
        };
        price(BOND * libm::exp(-beta * level.contrast(a, b)) / length)
    };
    let mut wishes: Vec<i32> = (pixels.iter())
        .map(|&pixel| {
            let colour = level.colours[pixel];
            let gain = models.background.cost(colour) - models.object.cost(colour);
            price(gain.clamp(-MAX_WISH, MAX_WISH) - doubt(pixel))
        })
        .collect();
    let mut bonds = Vec::new();
    for (pixel, step, to) in steps() {
        let price = bond(pixel, to, step);
        if !unknown[to] {
            // A neighbour whose side is known pulls to it.
            wishes[places[pixel]] += if sides[to] { price } else { -price };
        } else if step >= STEPS.len() / 2 {
            bonds.push((places[pixel], step, places[to], price));
        }
    }
    let mut grid = Grid::new(wishes);
    for (from, step, to, price) in bonds {
        grid.bind(from, step, to, price);
    }
    for (&pixel, side) in pixels.iter().zip(grid.cut()) {
        sides[pixel] = side;
    }
}

/// The pixels of `fine` around the border that was found at half its size.
fn band(coarse: &Level, sides: &[bool], fine: &Level) -> Vec<bool> {
    let is_at_border: Vec<bool> = (0..coarse.len())
        .map(|i| {
            let around = STEPS
                .into_iter()
                .filter_map(|step| coarse.neighbour(i, step));
            around.into_iter().any(|other| sides[other] != sides[i])
        })
        .collect();
    let at_border = upsampled(coarse, &is_at_border, fine);
    (0..fine.len())
        .map(|i| at_border[i] && !fine.marks[i] && !fine.is_outside(i))
        .collect()
}

/// Flags at twice the size; marks are set.
fn upsampled(coarse: &Level, flags: &[bool], fine: &Level) -> Vec<bool> {
    (0..fine.len())
        .map(|i| {
            let (x, y) = (i % fine.width / 2, i / fine.width / 2);
            fine.marks[i] || flags[y * coarse.width + x]
        })
        .collect()
}

/// Everything that can be reached from `starts` without leaving `is_inside`, four neighbours each.
fn reachable(
    level: &Level,
    starts: impl Iterator<Item = usize>,
    is_inside: impl Fn(usize) -> bool,
) -> Vec<bool> {
    let mut reached = vec![false; level.len()];
    let mut open: Vec<usize> = starts.filter(|&i| is_inside(i)).collect();
    for &i in &open {
        reached[i] = true;
    }
    while let Some(i) = open.pop() {
        for step in [(0, -1), (-1, 0), (1, 0), (0, 1)] {
            if let Some(to) = level.neighbour(i, step)
                && !reached[to]
                && is_inside(to)
            {
                reached[to] = true;
                open.push(to);
            }
        }
    }
    reached
}

fn keep_marked_pieces(level: &Level, sides: &mut Vec<bool>) {
    let marked = (0..level.len()).filter(|&i| level.marks[i]);
    *sides = reachable(level, marked, |i| sides[i]);
}

/// Adds what the object surrounds: background that does not reach the level's rim.
fn fill_enclosed(level: &Level, sides: &mut Vec<bool>) {
    let rim = (0..level.len()).filter(|&i| level.is_at_rim(i));
    let outside = reachable(level, rim, |i| !sides[i]);
    *sides = outside.into_iter().map(|is_outside| !is_outside).collect();
}

#[cfg(test)]
mod tests;
