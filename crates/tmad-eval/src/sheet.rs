//! A contact sheet: results side by side on one picture.

use std::collections::BTreeSet;
use std::path::Path;

use image::Rgb;
use image::imageops::replace;
use inpaint_core::RgbImage;

use crate::files::open_rgb;
use crate::{EvalError, Report};

/// Space between pictures in pixels.
const GAP_PX: u32 = 4;
/// Pictures on the sheet of an evaluation at most.
const MAX_ROWS: usize = 24;

/// A line of a contact sheet.
#[derive(Debug, Clone)]
pub struct SheetRow {
    /// The picture with its hole.
    pub input: RgbImage,
    /// A result per method, in one order for all lines.
    pub results: Vec<RgbImage>,
    /// The whole picture.
    pub truth: RgbImage,
}

/// Puts lines of input, results and truth below each other on white. Columns are as wide as their
/// widest picture, lines as high as their highest; a line with fewer results than others has its
/// truth further left. No line gives an empty picture.
pub fn contact_sheet(rows: &[SheetRow]) -> RgbImage {
    let cells: Vec<Vec<&RgbImage>> = (rows.iter())
        .map(|row| {
            let mut cells = vec![&row.input];
            cells.extend(&row.results);
            cells.push(&row.truth);
            cells
        })
        .collect();
    let num_columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<u32> = (0..num_columns)
        .map(|column| {
            let pictures = cells.iter().filter_map(|row| row.get(column));
            pictures.map(|picture| picture.width()).max().unwrap_or(0)
        })
        .collect();
    let heights: Vec<u32> = (cells.iter())
        .map(|row| {
            row.iter()
                .map(|picture| picture.height())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let (width, height) = (total(&widths), total(&heights));
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut y = 0;
    for (row, height) in cells.iter().zip(&heights) {
        let mut x = 0;
        for (picture, width) in row.iter().zip(&widths) {
            replace(&mut sheet, *picture, i64::from(x), i64::from(y));
            x += width + GAP_PX;
        }
        y += height + GAP_PX;
    }
    sheet
}

/// The first pictures of a report, if they were saved: input, the report's methods in their order,
/// truth. A method without a saved result shows the input again.
pub(crate) fn saved_sheet(report: &Report, folder: &Path) -> Result<Option<RgbImage>, EvalError> {
    let path = |kind: &str, name: &str| folder.join(kind).join(format!("{name}.png"));
    let names: BTreeSet<&str> = report.scores.iter().map(|s| s.picture.as_str()).collect();
    let saved = names
        .into_iter()
        .filter(|name| path("truths", name).is_file());
    let mut rows = Vec::new();
    for name in saved.take(MAX_ROWS) {
        let input = open_rgb(&path("inputs", name))?;
        let mut results = Vec::new();
        for method in &report.methods {
            let path = path(&format!("results/{}", method.method), name);
            results.push(if path.is_file() {
                open_rgb(&path)?
            } else {
                input.clone()
            });
        }
        rows.push(SheetRow {
            input,
            results,
            truth: open_rgb(&path("truths", name))?,
        });
    }
    Ok((!rows.is_empty()).then(|| contact_sheet(&rows)))
}

fn total(lengths: &[u32]) -> u32 {
    let gaps = GAP_PX * (lengths.len() as u32).saturating_sub(1);
    lengths.iter().sum::<u32>() + gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_in_their_places() {
        let plain = |value: u8, side: u32| RgbImage::from_pixel(side, side, Rgb([value; 3]));
        let row = |value: u8| SheetRow {
            input: plain(value, 3),
            results: vec![plain(value + 1, 3)],
            truth: plain(value + 2, 3),
        };
        let sheet = contact_sheet(&[row(10), row(20)]);
        assert_eq!(sheet.dimensions(), (3 * 3 + 2 * GAP_PX, 2 * 3 + GAP_PX));
        assert_eq!(sheet.get_pixel(0, 0).0, [10; 3]);
        assert_eq!(sheet.get_pixel(3 + GAP_PX, 2).0, [11; 3]);
        assert_eq!(sheet.get_pixel(8 + 2 * GAP_PX, 5 + GAP_PX).0, [22; 3]);
        assert_eq!(sheet.get_pixel(3, 0).0, [255; 3]);
    }

    #[test]
    fn lines_may_differ_and_be_missing() {
        assert_eq!(contact_sheet(&[]).dimensions(), (0, 0));
        let lonely = SheetRow {
            input: RgbImage::new(2, 5),
            results: Vec::new(),
            truth: RgbImage::new(4, 1),
        };
        assert_eq!(contact_sheet(&[lonely]).dimensions(), (6 + GAP_PX, 5));
    }
}
