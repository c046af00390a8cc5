//! What a hole goes through, stage by stage.

use super::canvas::{Canvas, scaled};
use super::{INK, MARGIN, TITLE, WIDTH, length};
use crate::{Explanation, Mask, Rect};
use image::{Rgb, RgbImage, imageops};

/// Largest height of a stage.
const STAGE_HEIGHT: u32 = 420;

/// Input, coarse guess, origins and result around the hole.
pub(super) struct Stages {
    pictures: [(&'static str, RgbImage); NUM_STAGES],
}

const NUM_STAGES: usize = 4;

impl Stages {
    pub fn new(image: &RgbImage, mask: &Mask, explanation: &Explanation) -> Self {
        let view = view(mask);
        let num_stages = NUM_STAGES as u32;
        let width = (WIDTH - (num_stages + 1) * MARGIN) / num_stages;
        let scale = (f64::from(width) / f64::from(view.width))
            .min(f64::from(STAGE_HEIGHT) / f64::from(view.height));
        let picture = |source: &RgbImage| {
            let part = imageops::crop_imm(source, view.x, view.y, view.width, view.height);
            scaled(
                &part.to_image(),
                length(view.width, scale),
                length(view.height, scale),
            )
        };
        Self {
            pictures: [
                ("Input", picture(&hatched(image, mask, scale))),
                ("Coarse", picture(&explanation.coarse)),
                ("Copied from", picture(&origins(image, explanation))),
                ("Completed", picture(&explanation.completed)),
            ],
        }
    }

    pub fn height(&self) -> u32 {
        TITLE + self.pictures[0].1.height()
    }

    pub fn draw(&self, canvas: &mut Canvas) {
        let slot = (WIDTH - MARGIN) / NUM_STAGES as u32;
        for (i, (title, picture)) in (0..).zip(&self.pictures) {
            let x = i64::from(MARGIN + i * slot);
            canvas.text(x, i64::from(MARGIN), 2, title, INK);
            canvas.paste(picture, x, i64::from(MARGIN + TITLE));
        }
    }
}

/// The part of the picture that stages show: the hole and half of its extent around it.
fn view(mask: &Mask) -> Rect {
    let (width, height) = mask.dimensions();
    let hole = mask.hole_bounds().unwrap_or(Rect {
        x: 0,
        y: 0,
        width,
        height,
    });
    let margin = (hole.width.max(hole.height) / 2).max(64);
    let (x, y) = (hole.x.saturating_sub(margin), hole.y.saturating_sub(margin));
    Rect {
        x,
        y,
        width: (hole.x + hole.width + margin).min(width) - x,
        height: (hole.y + hole.height + margin).min(height) - y,
    }
}

/// The hole as a hatching, which no picture is mistaken for; its lines keep their distance at
/// every `scale`.
fn hatched(image: &RgbImage, mask: &Mask, scale: f64) -> RgbImage {
    let period = ((12.0 / scale).round() as u32).max(4);
    let mut picture = image.clone();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if mask.is_hole(x, y) {
            let dark = (x + y) % period < period.div_ceil(4);
            *pixel = Rgb([if dark { 190 } else { 240 }; 3]);
        }
    }
    picture
}

/// The hole in colours that stand for places: redder from further right, greener from further
/// down.
fn origins(image: &RgbImage, explanation: &Explanation) -> RgbImage {
    let (width, height) = image.dimensions();
    let share = |at: u32, length: u32| (255 * u64::from(at) / u64::from(length.max(1))) as u8;
    let mut picture = image.clone();
    for (pixel, origin) in picture.pixels_mut().zip(&explanation.origins) {
        if let Some(origin) = origin {
            *pixel = Rgb([share(origin.x, width), share(origin.y, height), 128]);
        }
    }
    picture
}
