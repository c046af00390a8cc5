//! Networks of every family, exported by `tools/onnx/make.py`, give what ONNX Runtime gives.

use inpaint_core::{Control, Inpainter, Mask, Rect, RgbImage};
use std::fs;
use std::path::PathBuf;
use tmad_onnx::{Coarse, Network, OnnxError, RunNetwork};

const SIDE: u32 = 32;
const FAMILIES: [(&str, &str); 8] = [
    ("lama", "LaMa, or another"),
    ("lama-dft", "LaMa, or another"),
    ("lama-generator", "LaMa, the generator alone"),
    ("aotgan", "AOT-GAN"),
    ("migan", "MI-GAN, the generator alone"),
    ("migan-pipeline", "MI-GAN, the whole pipeline"),
    ("deepfill", "DeepFillv2"),
    ("hifill", "HiFill (CRA)"),
];

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(data(name)).unwrap()
}

fn network(name: &str) -> Network {
    Network::load(&data(&format!("{name}.onnx")), None).unwrap()
}

/// What the networks were given.
fn picture() -> (RgbImage, Mask) {
    let image = RgbImage::from_raw(SIDE, SIDE, bytes("image.bin")).unwrap();
    (
        image,
        Mask::from_bytes(SIDE, SIDE, bytes("mask.bin")).unwrap(),
    )
}

/// Recognition, the preparation of inputs, and the runtime at once: the script prepares them as
/// each network's own project does.
#[test]
fn every_family_agrees_with_onnx_runtime() {
    let (image, mask) = picture();
    for (name, family) in FAMILIES {
        let network = network(name);
        let recognised = network.family().unwrap_or_default();
        assert!(recognised.starts_with(family), "{name} is {recognised}");
        let planes = network.raw(&image, &mask).unwrap().planes;
        let expected: Vec<f32> = (bytes(&format!("{name}.bin")).chunks_exact(4))
            .map(|value| f32::from_le_bytes(value.try_into().unwrap()))
            .collect();
        assert_eq!(planes.len(), expected.len());
        let errors = planes.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let extreme = |pick: fn(f32, f32) -> f32| expected.iter().copied().reduce(pick).unwrap();
        let relative = errors.fold(0.0, f32::max) / (extreme(f32::max) - extreme(f32::min));
        println!("{name}: {relative:e}");
        assert!(relative < 1e-4, "{name}: {relative:e}");
    }
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let (image, mask) = picture();
    for (name, _) in FAMILIES {
        let with = |threads| {
            network(name)
                .with_threads(threads)
                .raw(&image, &mask)
                .unwrap()
        };
        assert_eq!(with(1), with(3), "{name}");
    }
}

/// The exported LaMa gives 0 to 255 and puts the known pixels back: only then are these as in
/// the picture, so the range is found.
#[test]
fn the_range_of_a_result_is_found() {
    let (image, mask) = picture();
    let network = network("lama");
    assert_eq!(network.descriptor().output.range, None);
    let filled = network.run(&image, &mask, &Control::default()).unwrap();
    for (x, y, pixel) in filled.enumerate_pixels() {
        assert!(mask.is_hole(x, y) || pixel == image.get_pixel(x, y));
    }
}

#[test]
fn pictures_of_any_size_are_filled() {
    for (name, _) in FAMILIES {
        let method = Coarse::new(name, network(name));
        for (width, height) in [(150, 90), (20, 40)] {
            let image = RgbImage::from_fn(width, height, |x, y| [x as u8, y as u8, 77].into());
            let hole = Rect {
                x: 5,
                y: 7,
                width: width / 3,
                height: 9,
            };
            let mask = Mask::rectangle(width, height, hole);
            let filled = method.inpaint(&image, &mask, &Control::default()).unwrap();
            for (x, y, pixel) in filled.enumerate_pixels() {
                assert!(
                    mask.is_hole(x, y) || pixel == image.get_pixel(x, y),
                    "{name}"
                );
            }
            assert_ne!(filled, image, "{name}");
        }
    }
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let whole = bytes("lama.onnx");
    for length in (0..whole.len()).step_by(811) {
        let error = Network::from_bytes(whole[..length].to_vec(), None).unwrap_err();
        assert!(!error.to_string().is_empty(), "{length} bytes");
    }
    let foreign = Network::from_bytes(b"\x89PNG\r\n\x1a\n, not a network".to_vec(), None);
    assert!(matches!(foreign, Err(OnnxError::Load(_))), "{foreign:?}");
    let missing = Network::load(&data("none.onnx"), None);
    assert!(matches!(missing, Err(OnnxError::Read { .. })));
}

#[test]
fn a_descriptor_that_does_not_fit_is_refused() {
    let load = |json| {
        Network::from_bytes(bytes("aotgan.onnx"), Some(json))
            .unwrap_err()
            .to_string()
    };
    let unknown_input = load(r#"{"inputs": {"picture": ["image"]}}"#);
    assert!(unknown_input.contains("picture") && unknown_input.contains("image 1×3×32×32"));
    assert!(load(r#"{"output": {"name": "nothing"}}"#).contains("nothing"));
    assert!(load("{").contains("descriptor"));
    // Of a size that the network does not take.
    let network = network("aotgan");
    let error = network
        .raw(&RgbImage::new(16, 16), &Mask::new(16, 16))
        .unwrap_err();
    assert!(
        matches!(error, OnnxError::Run(_) | OnnxError::Output(_)),
        "{error}"
    );
}
