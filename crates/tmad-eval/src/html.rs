//! `report.html`: the tables and a gallery in one file that needs nothing else.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use inpaint_core::RgbImage;
use serde::Serialize;

use crate::EvalError;
use crate::files::{open_rgb, read};
use crate::metric::{Better, Metric};
use crate::paper;
use crate::report::Report;
use crate::store::Score;

/// Pictures in the gallery at most: some 50 kB each.
const MAX_PICTURES: usize = 100;
const JPEG_QUALITY: u8 = 88;

#[derive(Serialize)]
struct Page<'a> {
    report: &'a Report,
    metrics: Vec<MetricInfo>,
    columns: Vec<ColumnInfo>,
    sets: Vec<SetInfo>,
    paper: Vec<[String; 7]>,
    statements: [&'static str; 4],
    gallery_note: String,
    pictures: Vec<GalleryPicture<'a>>,
}

#[derive(Serialize)]
struct MetricInfo {
    key: Metric,
    better: &'static str,
    digits: usize,
}

#[derive(Serialize)]
struct ColumnInfo {
    title: &'static str,
    hole: Option<Metric>,
    image: Option<Metric>,
}

#[derive(Serialize)]
struct SetInfo {
    title: &'static str,
    key: &'static str,
    digits: usize,
}

#[derive(Serialize)]
struct GalleryPicture<'a> {
    name: &'a str,
    hole: f64,
    truth: String,
    mask: String,
    results: BTreeMap<&'a str, String>,
    values: BTreeMap<&'a str, &'a BTreeMap<Metric, f64>>,
}

/// The page for a report whose pictures, if saved, lie in `folder`.
pub(crate) fn page(report: &Report, folder: &Path) -> Result<String, EvalError> {
    let (pictures, gallery_note) = gallery(report, folder)?;
    let page = Page {
        report,
        metrics: (Metric::ALL.iter())
            .map(|&key| MetricInfo {
                key,
                better: match key.better() {
                    Better::Lower => "lower",
                    Better::Higher => "higher",
                    Better::NearTruth => "near_truth",
                },
                digits: key.digits(),
            })
            .collect(),
        columns: (report.columns().into_iter())
            .map(|column| ColumnInfo {
                title: column.title,
                hole: column.hole,
                image: column.image,
            })
            .collect(),
        sets: (report.set_columns().iter())
            .map(|column| SetInfo {
                title: column.title,
                key: column.key,
                digits: column.digits,
            })
            .collect(),
        paper: paper::PLACES.iter().map(paper::PaperRow::cells).collect(),
        statements: paper::STATEMENTS,
        gallery_note,
        pictures,
    };
    let json = serde_json::to_string(&page).expect("numbers and strings");
    // A name that holds `</script>` must not end the data.
    let json = json.replace('<', "\\u003c");
    Ok(include_str!("report.html").replace("/*DATA*/", &json))
}

fn gallery<'a>(
    report: &'a Report,
    folder: &Path,
) -> Result<(Vec<GalleryPicture<'a>>, String), EvalError> {
    let mut by_picture: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    for score in &report.scores {
        by_picture.entry(&score.picture).or_default().push(score);
    }
    let path = |kind: &str, name: &str| folder.join(kind).join(format!("{name}.png"));
    by_picture.retain(|name, _| path("truths", name).is_file());
    let num_saved = by_picture.len();
    let mut chosen: Vec<_> = by_picture.into_iter().collect();
    chosen.sort_by(|a, b| spread(&b.1).total_cmp(&spread(&a.1)));
    chosen.truncate(MAX_PICTURES);
    let mut pictures = Vec::with_capacity(chosen.len());
    for (name, scores) in chosen {
        let mut results = BTreeMap::new();
        for score in &scores {
            let path = path(&format!("results/{}", score.method), name);
            if path.is_file() {
                results.insert(score.method.as_str(), jpeg_uri(&path)?);
            }
        }
        pictures.push(GalleryPicture {
            name,
            hole: scores[0].hole_fraction,
            truth: jpeg_uri(&path("truths", name))?,
            mask: data_uri("image/png", &read(&path("masks", name))?),
            results,
            values: (scores.iter())
                .map(|score| (score.method.as_str(), &score.metrics))
                .collect(),
        });
    }
    let note = match num_saved {
        0 => "No pictures: the images of this evaluation were not saved.".to_owned(),
        n if n > MAX_PICTURES => format!(
            "The {MAX_PICTURES} of {n} pictures on which the methods differ most in l1 over the hole."
        ),
        n => format!("All {n} pictures."),
    };
    Ok((pictures, note))
}

/// How far methods lie apart on a picture; for a single method its error.
fn spread(scores: &[&Score]) -> f64 {
    let values = (scores.iter()).filter_map(|score| score.metrics.get(&Metric::L1Hole).copied());
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if scores.len() == 1 { high } else { high - low }
}

/// Smaller than the PNG; a gallery is for looking, the figures come from the PNG's pixels.
fn jpeg_uri(path: &Path) -> Result<String, EvalError> {
    let picture: RgbImage = open_rgb(path)?;
    let mut bytes = Cursor::new(Vec::new());
    (picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))).map_err(
        |source| EvalError::Encode {
            path: path.to_owned(),
            source,
        },
    )?;
    Ok(data_uri("image/jpeg", &bytes.into_inner()))
}

fn data_uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", base64(bytes))
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                text.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char);
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xFB, 0xFF]), "+/8=");
    }
}
