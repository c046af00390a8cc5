//! Damaged requests by the thousand, through everything that looks at what clients send: the form,
//! its JSON, and the pictures.
//!
//! `TMAD_MUTATIONS=1000000 cargo test -p tmad-serve mutat` runs longer than usual. A case is
//! given by its number, so a failure can be repeated.

use crate::config::Limits;
use crate::form::{self, Submission};
use crate::iopaint;
use crate::models::{Model, Models, Operation};
use crate::multipart::{Field, boundary, parse};
use crate::problem::{Code, Problem};
use crate::work;
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use inpaint_core::random::{Random, stream};
use inpaint_core::{
    Control, Explanation, GrayImage, InpaintError, Inpainter, Mask, RgbImage, TextureMethod,
};
use inpaint_photo::ImageFormat;
use std::io::Cursor;
use std::sync::Arc;

const BOUNDARY: &str = "the-boundary";
/// Pieces that mean something to one of the parsers.
const PIECES: [&[u8]; 20] = [
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b"--the-boundary",
    b"\r\n--the-boundary\r\n",
    b"\r\n--the-boundary--",
    b"Content-Disposition: form-data; name=\"",
    b"\"; filename=\"",
    b"\\",
    b"\"",
    b";",
    b"=",
    b"\0",
    b"\xFF",
    b"[[",
    b"1e308",
    b"-1",
    b"{\"seed\":",
    b"options",
    b"polygon",
];

fn cases(usual: u64) -> u64 {
    let wanted = std::env::var("TMAD_MUTATIONS").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in fields {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.b\"\r\n\r\n"
        );
        body.extend(head.bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

fn below(random: &mut Random, count: usize) -> usize {
    random.below(count as u64) as usize
}

/// Changes a few places.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = below(random, bytes.len() + 1);
        let end = (at + below(random, 40)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = random.bits() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1u8 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = PIECES[below(random, PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            4 => {
                let copied = bytes[at..end].to_vec();
                let to = below(random, bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            _ if random.below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

/// Returns what it gets.
struct Identity;

impl Inpainter for Identity {
    fn name(&self) -> &str {
        "identity"
    }

    fn inpaint(&self, image: &RgbImage, _: &Mask, _: &Control) -> Result<RgbImage, InpaintError> {
        Ok(image.clone())
    }
}

impl TextureMethod for Identity {
    fn refine(
        &self,
        image: &RgbImage,
        guess: &RgbImage,
        mask: &Mask,
        _: &Control,
    ) -> Result<RgbImage, InpaintError> {
        inpaint_core::composite(image, guess, mask)
    }

    fn explain(
        &self,
        image: &RgbImage,
        _: &Mask,
        _: &Control,
    ) -> Result<Explanation, InpaintError> {
        Ok(Explanation {
            coarse: image.clone(),
            completed: image.clone(),
            patches: Vec::new(),
            origins: Vec::new(),
        })
    }
}

/// Good forms to start from, one with each kind of picture and of hole.
fn seeds() -> Vec<(Operation, Vec<u8>)> {
    let noise = |width, height, seed| {
        let mut random = Random::new(seed);
        RgbImage::from_fn(width, height, |_, _| {
            inpaint_core::image::Rgb([(); 3].map(|()| random.bits() as u8))
        })
    };
    let mut mask = Cursor::new(Vec::new());
    GrayImage::from_fn(12, 10, |x, _| inpaint_core::image::Luma([(x * 20) as u8]))
        .write_to(&mut mask, ImageFormat::Png)
        .unwrap();
    let mask = mask.into_inner();
    let options = br#"{"seed":3,"grow_px":2,"feather_px":1,"mask_threshold":99,"images":true}"#;
    let polygon = b"[[[1,2],[8.5,2],[8,9]],[[0,0],[3,0],[3,3]]]";
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Bmp,
    ];
    let mut seeds = Vec::new();
    for (format, seed) in formats.into_iter().zip(0..) {
        let mut image = Cursor::new(Vec::new());
        noise(12, 10, seed).write_to(&mut image, format).unwrap();
        let image = &image.into_inner()[..];
        let fields = [("image", image), ("mask", &mask), ("options", options)];
        seeds.push((Operation::Inpaint, form(&fields)));
        let fields = [
            ("options", &options[..]),
            ("polygon", polygon),
            ("image", image),
        ];
        seeds.push((Operation::Explain, form(&fields)));
        let fields = [("image", image), ("polygon", polygon), ("guess", image)];
        seeds.push((Operation::Refine, form(&fields)));
    }
    seeds
}

fn parse_and_run(
    operation: Operation,
    body: &Bytes,
    models: &Models,
    limits: &Limits,
) -> Result<(), Problem> {
    let submission: Submission = form::parse(body, BOUNDARY, operation, models)?;
    work::run(submission, limits, &Control::default()).map(drop)
}

#[test]
fn mutated_requests_are_answered_or_refused() {
    let models = Models::new(vec![Model::texture(Arc::new(Identity), "")]).unwrap();
    let limits = Limits {
        pixels: 10_000,
        side: 1_000,
        decode_bytes: 1 << 20,
        ..Limits::default()
    };
    let seeds = seeds();
    for (operation, body) in &seeds {
        let result = parse_and_run(*operation, &Bytes::from(body.clone()), &models, &limits);
        assert!(result.is_ok(), "{operation:?}: {result:?}");
    }
    let (mut num_good, mut num_refused) = (0, 0);
    for case in 0..cases(6_000) {
        let mut random = Random::new(stream(1, case));
        let (operation, body) = &seeds[below(&mut random, seeds.len())];
        let mut body = body.clone();
        mutate(&mut body, &mut random);
        match parse_and_run(*operation, &Bytes::from(body), &models, &limits) {
            Ok(()) => num_good += 1,
            Err(problem) => {
                assert_ne!(problem.code, Code::Internal, "case {case}: {problem:?}");
                num_refused += 1;
            }
        }
    }
    // The JSON of IOPaint's clients, with a piece of base64 or of JSON broken.
    let picture = |color| {
        let mut png = Cursor::new(Vec::new());
        GrayImage::from_fn(9, 7, |x, _| {
            inpaint_core::image::Luma([color * u8::from(x > 5)])
        })
        .write_to(&mut png, ImageFormat::Png)
        .unwrap();
        BASE64.encode(png.into_inner())
    };
    let (image, mask) = (picture(99), picture(255));
    let fill =
        format!(r#"{{"image":"data:image/png;base64,{image}","mask":"{mask}","sd_seed":-1}}"#);
    let adjust = format!(r#"{{"mask":"{mask}","operate":"expand","kernel_size":2}}"#);
    for case in 0..cases(2_000) {
        let mut random = Random::new(stream(5, case));
        let is_fill = case % 2 == 0;
        let mut body = if is_fill { &fill } else { &adjust }.clone().into_bytes();
        if case > 1 {
            mutate(&mut body, &mut random);
        }
        let result = if is_fill {
            iopaint::parse_inpaint(&body, &models)
                .and_then(|task| work::run(task, &limits, &Control::default()))
        } else {
            iopaint::parse_adjust_mask(&body).and_then(|task| task.run(&limits))
        };
        match result {
            Ok(_) => num_good += 1,
            Err(problem) => {
                assert!(case > 1, "{problem:?}");
                assert_ne!(problem.code, Code::Internal, "case {case}: {problem:?}");
                num_refused += 1;
            }
        }
    }
    // Mutations that all do nothing, or all break everything, would test nothing.
    assert!(
        num_good > 100 && num_refused > 100,
        "{num_good} good, {num_refused} refused"
    );
}

#[test]
fn mutated_forms_give_slices_of_the_body() {
    let seed = form(&[
        ("image", b"abc"),
        ("mask", b""),
        ("options", b"\r\n--x\r\n"),
    ]);
    for case in 0..cases(60_000) {
        let mut random = Random::new(stream(2, case));
        let mut body = seed.clone();
        mutate(&mut body, &mut random);
        let body = Bytes::from(body);
        let Ok(fields) = parse(&body, BOUNDARY, 16) else {
            continue;
        };
        let total: usize = fields.iter().map(|field| field.content.len()).sum();
        assert!(total <= body.len(), "case {case}");
        for field in fields {
            let delimiter = format!("\r\n--{BOUNDARY}");
            let mut windows = field.content.windows(delimiter.len());
            assert!(!windows.any(|w| w == delimiter.as_bytes()), "case {case}");
        }
    }
}

#[test]
fn whatever_fields_hold_comes_back() {
    for case in 0..cases(5_000) {
        let mut random = Random::new(stream(3, case));
        let contents: Vec<Vec<u8>> = (0..random.below(5))
            .map(|_| {
                let mut content = Vec::new();
                mutate(&mut content, &mut random);
                mutate(&mut content, &mut random);
                content
            })
            .filter(|content| {
                // Only a delimiter may not occur, also with the line break that comes before.
                let text = [b"\r\n", &content[..]].concat();
                !text
                    .windows(BOUNDARY.len() + 4)
                    .any(|w| w == b"\r\n--the-boundary")
            })
            .collect();
        let fields: Vec<_> = contents
            .iter()
            .map(|content| ("image", &content[..]))
            .collect();
        let expected: Vec<_> = contents
            .iter()
            .map(|content| Field {
                name: "image".to_owned(),
                content: Bytes::from(content.clone()),
            })
            .collect();
        let body = Bytes::from(form(&fields));
        assert_eq!(parse(&body, BOUNDARY, 16).unwrap(), expected, "case {case}");
    }
}

#[test]
fn mutated_content_types_are_understood_or_refused() {
    for case in 0..cases(60_000) {
        let mut random = Random::new(stream(4, case));
        let mut bytes = b"multipart/form-data; charset=\"utf-8\"; boundary=\"a \\\"b\"".to_vec();
        mutate(&mut bytes, &mut random);
        if let Some(Ok(found)) = boundary(&String::from_utf8_lossy(&bytes)) {
            assert!((1..=70).contains(&found.len()), "case {case}: {found:?}");
        }
    }
}
