//! The figure of an [`Explanation`]: the stages of a result side by side (the paper's Figure 6), and
//! the candidates of its patches with the places that they come from (Figure 7).

mod canvas;
mod font;
mod stages;

use crate::{ExplainedPatch, Explanation, Mask, Square};
use canvas::{Area, Canvas, cut, scaled, text_width};
use image::{Rgb, RgbImage};
use stages::Stages;

const WIDTH: u32 = 1320;
const MARGIN: u32 = 20;
/// Room for a line of text at scale 2 and the gap below it.
const TITLE: u32 = 24;
/// Width of the map that shows where candidates come from.
const MAP_WIDTH: u32 = 680;
/// Columns of candidates at most; more are in the JSON.
const MAX_CANDIDATES: usize = 8;
const INK: Rgb<u8> = Rgb([40, 40, 40]);
const FAINT: Rgb<u8> = Rgb([120, 120, 120]);

/// A colour per patch, of those that stay apart for most eyes.
const COLOURS: [Rgb<u8>; 8] = [
    Rgb([214, 39, 40]),
    Rgb([31, 119, 180]),
    Rgb([44, 160, 44]),
    Rgb([148, 103, 189]),
    Rgb([217, 95, 2]),
    Rgb([23, 150, 165]),
    Rgb([197, 27, 125]),
    Rgb([120, 94, 20]),
];

/// Draws the figure with at most `num_patches` patches.
pub fn figure(
    image: &RgbImage,
    mask: &Mask,
    explanation: &Explanation,
    num_patches: usize,
) -> RgbImage {
    let chosen = spread(&explanation.patches, mask, num_patches);
    let stages = Stages::new(image, mask, explanation);
    let table = Table::new(&chosen);
    let map_scale = (f64::from(MAP_WIDTH) / f64::from(image.width()))
        .min(f64::from(table.height().max(480)) / f64::from(image.height()));
    let map_height = length(image.height(), map_scale);
    let top = MARGIN + stages.height() + MARGIN;
    let height = top + TITLE + map_height.max(table.height()) + TITLE + MARGIN;
    let mut canvas = Canvas::new(WIDTH, height);
    stages.draw(&mut canvas);

    let top = i64::from(top);
    let left = i64::from(MARGIN);
    canvas.text(left, top, 2, "Where the texture comes from", INK);
    let map_top = top + i64::from(TITLE);
    draw_map(
        &mut canvas,
        &explanation.completed,
        &chosen,
        map_scale,
        (left, map_top),
    );
    let table_left = i64::from(WIDTH - MARGIN - TABLE_WIDTH);
    table.draw(&mut canvas, explanation, (table_left, top));
    let note = format!(
        "{} of {} patches. Scores compare within a row only.",
        chosen.len(),
        explanation.patches.len()
    );
    canvas.text(left, i64::from(height - MARGIN) - 14, 2, &note, FAINT);
    canvas.into_image()
}

fn length(pixels: u32, scale: f64) -> u32 {
    ((f64::from(pixels) * scale).round() as u32).max(1)
}

/// The whole picture, paler, with the patches and the places of their candidates.
fn draw_map(
    canvas: &mut Canvas,
    picture: &RgbImage,
    chosen: &[&ExplainedPatch],
    scale: f64,
    (left, top): (i64, i64),
) {
    let (width, height) = picture.dimensions();
    let mut map = scaled(picture, length(width, scale), length(height, scale));
    for value in map.iter_mut() {
        *value = 255 - (255 - *value) / 5 * 3;
    }
    canvas.paste(&map, left, top);
    let area = |square: Square| {
        let at = |start: i64| (start as f64 * scale).round() as i64;
        let (x, y) = (at(square.x), at(square.y));
        let side = i64::from(square.side);
        Area {
            x: left + x,
            y: top + y,
            width: (at(square.x + side) - x) as u32,
            height: (at(square.y + side) - y) as u32,
        }
    };
    // Lines first, so that no frame or label is crossed.
    for (patch, colour) in chosen.iter().zip(COLOURS.iter().cycle()) {
        for candidate in patch.candidates.iter().take(MAX_CANDIDATES) {
            let (from, to) = (area(patch.place).centre(), area(candidate.source).centre());
            canvas.line(from, to, *colour);
        }
    }
    for (patch, colour) in chosen.iter().zip(COLOURS.iter().cycle()) {
        for candidate in patch.candidates.iter().take(MAX_CANDIDATES) {
            canvas.frame(area(candidate.source), 1, *colour);
        }
    }
    for ((patch, colour), number) in chosen.iter().zip(COLOURS.iter().cycle()).zip(1..) {
        for (candidate, rank) in patch.candidates.iter().take(MAX_CANDIDATES).zip(1..) {
            let place = area(candidate.source);
            canvas.label(place.x, place.y, &format!("{number}.{rank}"), *colour);
        }
        let place = area(patch.place);
        canvas.frame(place, 3, *colour);
        canvas.label(place.x, place.y, &number.to_string(), *colour);
    }
}

const TABLE_WIDTH: u32 = WIDTH - 3 * MARGIN - MAP_WIDTH;
/// Width of the column with a patch's number.
const NUMBER_WIDTH: u32 = 34;
/// Between two tiles.
const GAP: u32 = 8;
/// Below a tile, for the score.
const SCORE_HEIGHT: u32 = 24;

/// A row per patch: what it was, what it became, its candidates.
struct Table<'a> {
    patches: &'a [&'a ExplainedPatch],
    tile: u32,
    /// Pixels per dot of the scores.
    text_scale: u32,
}

impl<'a> Table<'a> {
    fn new(patches: &'a [&'a ExplainedPatch]) -> Self {
        let num_candidates = patches.iter().map(|patch| patch.candidates.len()).max();
        let columns = 2 + num_candidates.unwrap_or(0).clamp(1, MAX_CANDIDATES) as u32;
        let tile = ((TABLE_WIDTH - NUMBER_WIDTH) / columns - GAP).min(80);
        Self {
            patches,
            tile,
            text_scale: if tile >= 64 { 2 } else { 1 },
        }
    }

    fn height(&self) -> u32 {
        self.patches.len() as u32 * (self.tile + SCORE_HEIGHT)
    }

    fn draw(&self, canvas: &mut Canvas, explanation: &Explanation, (left, top): (i64, i64)) {
        let step = i64::from(self.tile + GAP);
        let first = left + i64::from(NUMBER_WIDTH);
        // Patch and result, a gap, candidates.
        let column = |i: i64| first + i * step + if i > 1 { i64::from(GAP) } else { 0 };
        let scale = self.text_scale;
        canvas.text(column(0), top, scale, "Coarse", INK);
        canvas.text(column(1), top, scale, "Result", INK);
        canvas.text(column(2), top, scale, "Candidates by rank", INK);
        let rows = self.patches.iter().zip(COLOURS.iter().cycle());
        for ((patch, &colour), row) in rows.zip(0..) {
            let y = top + i64::from(TITLE) + row * i64::from(self.tile + SCORE_HEIGHT);
            canvas.text(
                left,
                y + i64::from(self.tile / 2) - 10,
                3,
                &(row + 1).to_string(),
                colour,
            );
            let mut tile = |source: &RgbImage, square: Square, column_x: i64, thickness: u32| {
                let patch = scaled(&cut(source, square), self.tile, self.tile);
                canvas.paste(&patch, column_x, y);
                let area = Area {
                    x: column_x,
                    y,
                    width: self.tile,
                    height: self.tile,
                };
                canvas.frame(area, thickness, colour);
            };
            tile(&explanation.coarse, patch.place, column(0), 2);
            tile(&explanation.completed, patch.place, column(1), 2);
            let candidates = || patch.candidates.iter().take(MAX_CANDIDATES).zip(2..);
            for (candidate, i) in candidates() {
                tile(&explanation.completed, candidate.source, column(i), 1);
            }
            for (candidate, i) in candidates() {
                let text = short(candidate.score);
                let indent = i64::from(self.tile.saturating_sub(text_width(&text, scale)) / 2);
                let below = y + i64::from(self.tile) + 5;
                canvas.text(column(i) + indent, below, scale, &text, INK);
            }
        }
    }
}

/// A score in at most six letters.
fn short(score: f32) -> String {
    match score.abs() {
        a if a >= 1000.0 => format!("{score:.0}"),
        a if a >= 100.0 => format!("{score:.1}"),
        a if a >= 10.0 => format!("{score:.2}"),
        _ => format!("{score:.3}"),
    }
}

/// At most `count` patches, far from each other, row by row: the one nearest to the middle of
/// them all, then again and again the one farthest from those taken. Patches that hardly touch the
/// hole are taken last.
fn spread<'a>(patches: &'a [ExplainedPatch], mask: &Mask, count: usize) -> Vec<&'a ExplainedPatch> {
    let is_full = |patch: &&ExplainedPatch| {
        let Square { x, y, side } = patch.place;
        let inside = (0..side * side).filter(|i| {
            let (x, y) = (x + i64::from(i % side), y + i64::from(i / side));
            match (u32::try_from(x), u32::try_from(y)) {
                (Ok(x), Ok(y)) => x < mask.width() && y < mask.height() && mask.is_hole(x, y),
                _ => false,
            }
        });
        2 * inside.count() as u32 >= side * side
    };
    let (full, rest): (Vec<_>, Vec<_>) = patches.iter().partition(is_full);
    let mut left = if full.len() >= count {
        full
    } else {
        [full, rest].concat()
    };
    let mut taken: Vec<&ExplainedPatch> = Vec::new();
    let total = left.len().max(1) as i64;
    let middle_x = left.iter().map(|patch| patch.place.x).sum::<i64>() / total;
    let middle_y = left.iter().map(|patch| patch.place.y).sum::<i64>() / total;
    let squared = |a: Square, x: i64, y: i64| (a.x - x).pow(2) + (a.y - y).pow(2);
    while taken.len() < count && !left.is_empty() {
        let next = if taken.is_empty() {
            (0..left.len()).min_by_key(|&i| squared(left[i].place, middle_x, middle_y))
        } else {
            (0..left.len()).max_by_key(|&i| {
                let distances = taken
                    .iter()
                    .map(|t| squared(left[i].place, t.place.x, t.place.y));
                (distances.min(), std::cmp::Reverse(i))
            })
        };
        taken.push(left.remove(next.unwrap_or(0)));
    }
    taken.sort_by_key(|patch| (patch.place.y, patch.place.x));
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExplainedCandidate;

    fn patch(x: i64, y: i64) -> ExplainedPatch {
        let candidates = (0..4u8).map(|rank| ExplainedCandidate {
            source: Square {
                x: 8 * i64::from(rank),
                y: 0,
                side: 16,
            },
            score: 4.0 - f32::from(rank),
        });
        ExplainedPatch {
            place: Square { x, y, side: 16 },
            candidates: candidates.collect(),
        }
    }

    #[test]
    fn patches_of_a_figure_are_spread() {
        let mask = Mask::new(200, 200).inverted();
        let patches: Vec<_> = (0..25).map(|i| patch(i % 5 * 16, i / 5 * 16)).collect();
        let chosen: Vec<_> = (spread(&patches, &mask, 5).iter())
            .map(|patch| (patch.place.x / 16, patch.place.y / 16))
            .collect();
        assert_eq!(chosen, [(0, 0), (4, 0), (2, 2), (0, 4), (4, 4)]);
        assert_eq!(spread(&patches, &mask, 99).len(), 25);
    }

    #[test]
    fn every_size_has_a_figure() {
        for (width, height) in [(20, 17), (300, 40), (40, 900), (1500, 1000)] {
            let image = RgbImage::from_pixel(width, height, Rgb([90, 120, 200]));
            let mask = Mask::from_fn(width, height, |x, y| x < 10 && y < 8);
            let explanation = Explanation {
                coarse: image.clone(),
                completed: image.clone(),
                patches: vec![patch(-8, -4), patch(8, -4)],
                origins: Vec::new(),
            };
            let figure = super::figure(&image, &mask, &explanation, 8);
            assert_eq!(figure.width(), WIDTH);
            let red = figure.pixels().filter(|p| **p == COLOURS[0]).count();
            // The frames of two tiles, 2 px on each of four sides.
            assert!(red > 2 * 2 * 4 * 60, "{red}");
        }
    }

    #[test]
    fn scores_are_short() {
        let texts = [0.12345, -3.98765, 45.678, 12345.6].map(short);
        assert_eq!(texts, ["0.123", "-3.988", "45.68", "12346"]);
    }
}
