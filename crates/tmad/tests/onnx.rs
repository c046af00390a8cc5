//! The exported networks give what the networks themselves give.

use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::Random;
use rten::{Model as Rten, Value};
use std::collections::BTreeMap;
use tmad::aligned::{AlignedConfig, Sources};
use tmad::coarse::{CoarseConfig, Prior};
use tmad::model::{Inputs, Model, ModelConfig};
use tmad::onnx::export;
use tmad::patch_synthesis::PatchSynthesisConfig;
use tmad::tensors::tensor_values;
use tmad::texture_memory::{Keys, MemoryConfig};
use tmad::weights::{Precision, WeightsFile, to_bytes};

const SIDE: usize = 8;

fn config(prior: Prior, num_halvings: usize, skips: bool) -> ModelConfig {
    ModelConfig {
        patch_px: SIDE,
        coarse: CoarseConfig {
            widths: vec![4, 5, 6],
            num_residual: 2,
            carafe_channels: 4,
            prior,
            num_halvings,
            skips,
            ..CoarseConfig::default()
        },
        memory: MemoryConfig {
            num_candidates: 2,
            embedding_widths: (4, 3),
            ..MemoryConfig::default()
        },
        synthesis: PatchSynthesisConfig {
            encoder_widths: vec![4, 5, 6],
            num_residual: 1,
            decoder_widths: vec![6, 5, 4],
            feature_widths: [4, 5, 6],
            num_feature_residual: 1,
            carafe_channels: 4,
            ..PatchSynthesisConfig::default()
        },
        ..ModelConfig::default()
    }
}

/// Every weight is random: fresh networks have layers of zeros that would hide what is wrong.
fn model(config: &ModelConfig) -> Model {
    let device = Device::flex();
    let zeros = to_bytes(
        &Model::unloaded(config, &device),
        Precision::F32,
        &BTreeMap::new(),
    );
    let mut bytes = zeros.unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut random = Random::new(7);
    for value in bytes[8 + header..].chunks_exact_mut(4) {
        value.copy_from_slice(&(0.15 * random.normal() as f32).to_le_bytes());
    }
    let weights = WeightsFile::parse(&bytes).unwrap();
    weights.load(Model::unloaded(config, &device)).unwrap()
}

fn noise(shape: [usize; 4], random: &mut Random) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|_| random.normal() as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Runs the file `name` of an export; outputs in the order of `outputs`.
fn run<const N: usize>(
    model: &Model,
    size: Option<[usize; 2]>,
    name: &str,
    inputs: &[(&str, &Tensor<4>)],
    outputs: [&str; N],
) -> [Vec<f32>; N] {
    let file = (export(model, size, &BTreeMap::new()).into_iter()).find(|file| file.name == name);
    let network = Rten::load(file.unwrap().bytes).unwrap();
    let inputs = inputs.iter().map(|(name, tensor)| {
        let value = Value::from_shape(tensor.dims(), tensor_values((*tensor).clone()));
        (network.node_id(name).unwrap(), value.unwrap().into())
    });
    let outputs = outputs.map(|name| network.node_id(name).unwrap());
    let results = network.run_n(inputs.collect(), outputs, None).unwrap();
    results.map(|result| match result {
        Value::Int32Tensor(tensor) => tensor.into_data().into_iter().map(|n| n as f32).collect(),
        result => result.into_tensor::<f32>().unwrap().into_data(),
    })
}

/// Agreement to 10⁻⁴ of the largest value.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
    let errors = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let error = errors.fold(0.0, f32::max);
    assert!(
        largest > 0.0 && error < 1e-4 * largest,
        "{error} of {largest}"
    );
}

#[test]
fn coarse_networks_are_the_same_in_every_size() {
    let cases = [
        (Prior::None, 0, false),
        (Prior::Membrane, 2, false),
        (Prior::PatchMatch, 1, true),
        (Prior::PatchMatch, 0, false),
    ];
    let mut random = Random::new(1);
    for (prior, num_halvings, skips) in cases {
        let model = model(&config(prior, num_halvings, skips));
        // Of a fixed size that is no multiple of the stride, and of a free one that is.
        for ([width, height], is_fixed) in [([37, 29], true), ([48, 32], false), ([32, 16], true)] {
            let channels = if prior == Prior::PatchMatch { 6 } else { 3 };
            let prior = noise([1, channels, height, width], &mut random);
            let mask = noise([1, 1, height, width], &mut random);
            let inputs = Inputs {
                image: prior.clone(),
                mask: mask.clone(),
                masks: Vec::new(),
                prior: prior.clone(),
                pictures: Vec::new(),
            };
            let size = is_fixed.then_some([width, height]);
            let inputs_of_file = [("prior", &prior), ("mask", &mask)];
            let [found] = run(&model, size, "coarse", &inputs_of_file, ["guess"]);
            assert_close(&found, &tensor_values(model.guess(&inputs)));
        }
    }
}

#[test]
fn embeddings_give_the_same_scores() {
    for pool in [None, Some(2)] {
        let mut config = config(Prior::None, 0, false);
        config.memory.embedding_pool = pool;
        let model = model(&config);
        let mut random = Random::new(2);
        let cells = noise([3, 3, SIDE, SIDE], &mut random);
        let windows = noise([5, 3, SIDE, SIDE], &mut random);
        let [query] = run(&model, None, "query", &[("patches", &cells)], ["vectors"]);
        let [key] = run(&model, None, "key", &[("patches", &windows)], ["vectors"]);
        let length = query.len() / 3;
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let scores = (query.chunks_exact(length))
            .flat_map(|a| key.chunks_exact(length).map(move |b| product(a, b)));
        let keys = Keys::new(model.phi.forward(windows), config.memory.temperature);
        let expected = keys.scores(model.theta.forward(cells));
        assert_close(
            &scores.collect::<Vec<_>>(),
            &expected.into_data().try_into_vec::<f32>().unwrap(),
        );
    }
}

#[test]
fn synthesis_in_register_chooses_the_same() {
    let config = ModelConfig {
        aligned: Some(AlignedConfig {
            widths: vec![4, 5, 6],
            num_residual: 1,
            carafe_channels: 4,
            ..AlignedConfig::default()
        }),
        ..config(Prior::PatchMatch, 1, true)
    };
    let model = model(&config);
    let mut random = Random::new(3);
    for ([width, height], is_fixed) in [([37, 29], true), ([40, 32], false)] {
        let mut plane = |channels| noise([1, channels, height, width], &mut random);
        let sources = Sources {
            ranked: plane(6),
            voted: plane(3),
            retrieved: plane(6),
            guess: plane(3),
            mask: plane(1),
            doubt: plane(1),
        };
        let inputs = sources.planes();
        let size = is_fixed.then_some([width, height]);
        let [found, source] = run(&model, size, "synthesis", &inputs, ["completed", "source"]);
        let (completed, chosen) = model.aligned.as_ref().unwrap().forward(sources.clone());
        assert_eq!(source, tensor_values(chosen.float()));
        let first = source[0];
        assert!(source.iter().any(|source| *source != first));
        assert_close(&found, &tensor_values(completed));
    }
}

#[test]
fn the_papers_patches_are_the_same() {
    for (crop_margin, mask_plane, residual_output, up_scales) in [
        (0, false, false, vec![1, 2, 2]),
        (1, true, true, vec![1, 2, 2]),
        (1, false, true, vec![2, 2, 2]),
    ] {
        let mut config = config(Prior::None, 0, false);
        config.synthesis.crop_margin = crop_margin;
        config.synthesis.mask_plane = mask_plane;
        config.synthesis.residual_output = residual_output;
        config.synthesis.up_scales = up_scales;
        let model = model(&config);
        let mut random = Random::new(4);
        let planes = 3 + usize::from(mask_plane);
        let windows = noise([3, planes, 3 * SIDE, 3 * SIDE], &mut random);
        let candidates = noise([3, 6, SIDE, SIDE], &mut random);
        let inputs = [("windows", &windows), ("candidates", &candidates)];
        let [found] = run(&model, None, "patches", &inputs, ["patches"]);
        let features = (model.feature_encoder.as_ref().unwrap()).forward(candidates.clone());
        let mut expected = (model.backbone.as_ref().unwrap()).forward(windows.clone(), features);
        if residual_output {
            let guess = windows.narrow(1, 0, 3);
            let guess = guess.narrow(2, SIDE, SIDE).narrow(3, SIDE, SIDE);
            expected = expected + guess;
        }
        assert_close(&found, &tensor_values(expected));
    }
}
