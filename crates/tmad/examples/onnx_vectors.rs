//! Writes the built-in networks as ONNX files, and for each a case to compare other runtimes with:
//! `CASE.onnx`, `CASE.INPUT.in` and `CASE.OUTPUT.out` (numbers of f32), shapes and time in
//! `CASE.json`. `tools/onnx/check_export.py` reads them.
//!
//! `cargo run --release -p tmad --features onnx --example onnx_vectors -- FOLDER`

use burn::tensor::{Device, Tensor};
use inpaint_core::image::Rgb;
use inpaint_core::patchmatch::PatchMatch;
use inpaint_core::{Control, Inpainter, Mask, Rect, RgbImage};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tmad::model::Inputs;
use tmad::onnx::{OnnxFile, export};
use tmad::pipeline::TMad;
use tmad::tensors::tensor_values;
use tmad::texture_memory::Keys;

/// Sizes of the pictures, and whether the file is for it alone; free ones are multiples of 16.
const CASES: [([usize; 2], bool); 3] =
    [([256, 256], false), ([512, 512], true), ([301, 203], true)];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    fs::create_dir_all(&folder)?;
    let device = Device::flex();
    let tmad = TMad::built_in(&device)?;
    let model = tmad.model();
    for (size, is_fixed) in CASES {
        let [width, height] = size;
        let (image, mask) = scene(width as u32, height as u32);
        let filling = PatchMatch::default().inpaint(&image, &mask, &Control::default())?;
        let prior = model.config().coarse.prior;
        let seen = Inputs::new(&[&image], vec![&mask], &[&filling], prior, &device);
        let files = export(model, is_fixed.then_some(size), tmad.provenance());
        let store =
            |name: &str, inputs: &[(&str, &Tensor<4>)], outputs: &[(&str, Vec<f32>)], ms| {
                let file = files.iter().find(|file| file.name == name);
                let file = file.ok_or("the built-in weights have no such network")?;
                store(
                    &folder.join(format!("{name}-{width}x{height}")),
                    file,
                    inputs,
                    outputs,
                    ms,
                )
            };

        let (guess, ms) = timed(|| model.guess(&seen));
        let inputs = [("prior", &seen.prior), ("mask", &seen.mask)];
        store(
            "coarse",
            &inputs,
            &[("guess", tensor_values(guess.clone()))],
            ms,
        )?;

        let (sources, _) = model.sources(guess, &seen, &model.layout(&[&mask]));
        let network = model
            .aligned
            .as_ref()
            .ok_or("the built-in weights are not in register")?;
        let ((completed, chosen), ms) = timed(|| network.forward(sources.clone()));
        let inputs = sources.planes();
        let outputs = [
            ("completed", tensor_values(completed)),
            ("source", tensor_values(chosen.float())),
        ];
        store("synthesis", &inputs, &outputs, ms)?;

        let side = model.config().patch_px;
        let cut = |x: &Tensor<4>, y: usize| x.clone().narrow(2, y, side).narrow(3, 40, side);
        let two = |x: &Tensor<4>, y: [usize; 2]| Tensor::cat(y.map(|y| cut(x, y)).to_vec(), 0);
        let planes = [&sources.voted, &sources.guess, &sources.mask].map(|x| two(x, [60, 90]));
        let cells = Tensor::cat(planes.to_vec(), 1);
        let (theta, ms) = timed(|| model.theta.forward(cells.clone()));
        store(
            "query",
            &[("patches", &cells)],
            &[("vectors", tensor_values(theta))],
            ms,
        )?;

        let windows = two(&sources.voted, [0, 31]);
        let (phi, ms) = timed(|| model.phi.forward(windows.clone()));
        // What the scores of unit vectors are is the keys' components.
        let units = Tensor::eye(phi.dims()[1], &device);
        let keys = Keys::new(phi, model.config().memory.temperature).scores(units);
        let outputs = [("vectors", tensor_values(keys.transpose()))];
        store("key", &[("patches", &windows)], &outputs, ms)?;
    }
    Ok(())
}

/// A case; `place` is the beginning of its files' names.
fn store(
    place: &Path,
    file: &OnnxFile,
    inputs: &[(&str, &Tensor<4>)],
    outputs: &[(&str, Vec<f32>)],
    ms: f64,
) -> Result<(), Box<dyn Error>> {
    let at = |part: &str| format!("{}.{part}", place.display());
    let shapes: Vec<_> = (inputs.iter())
        .map(|(name, tensor)| format!("\"{name}\": {:?}", tensor.dims()))
        .collect();
    fs::write(at("onnx"), &file.bytes)?;
    let json = format!(
        "{{\"inputs\": {{{}}}, \"ms\": {ms:.1}}}\n",
        shapes.join(", ")
    );
    fs::write(at("json"), json)?;
    let write = |part: String, values: &[f32]| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        fs::write(at(&part), bytes)
    };
    for (name, tensor) in inputs {
        write(format!("{name}.in"), &tensor_values((*tensor).clone()))?;
    }
    for (name, values) in outputs {
        write(format!("{name}.out"), values)?;
    }
    Ok(())
}

/// The result, and the median of the milliseconds that it takes.
fn timed<T>(work: impl Fn() -> T) -> (T, f64) {
    let mut times = Vec::new();
    let mut result = work();
    for _ in 0..5 {
        let start = Instant::now();
        result = work();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    (result, times[2])
}

/// Stripes that bend, with a gradient and grain over them and a hole in their middle.
fn scene(width: u32, height: u32) -> (RgbImage, Mask) {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (f64::from(x), f64::from(y));
        let stripe = 60.0 * (0.35 * u + 0.004 * v * v).sin();
        let grain = f64::from((x * 7919 + y * 104_729) % 17);
        let level = |base: f64, slope: f64| (base + stripe + slope * v + grain) as u8;
        Rgb([level(90.0, 0.2), level(110.0, 0.1), level(120.0, 0.05)])
    });
    let hole = Rect {
        x: width / 3,
        y: height / 3,
        width: width / 5,
        height: height / 4,
    };
    (image, Mask::rectangle(width, height, hole))
}
