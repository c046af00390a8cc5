//! Weights files: what comes back is what was written, and what cannot be read says why.

#[path = "common/mod.rs"]
mod common;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use common::golden::formula;
use common::parameters::{parameter_shapes, with_parameters};
use common::tensors::{assert_same, autodiff, device, tensor, values};
use half::f16;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tmad::layers::{Down, Initializer};
use tmad::texture_memory::{Embedding, MemoryConfig};
use tmad::weights::{Precision, WeightsError, WeightsFile, parameter_counts, to_bytes};

/// Two parts, so that one of them can be loaded alone.
#[derive(Module, Debug)]
struct Net {
    down: Down,
    theta: Embedding,
}

fn net(seed: u64) -> Net {
    let device = device();
    let mut init = Initializer::new(seed, &device);
    let config = MemoryConfig {
        embedding_widths: (2, 1),
        ..Default::default()
    };
    Net {
        down: Down::new(&mut init, 2, 3),
        theta: Embedding::new(&config, &mut init),
    }
}

/// A file of `net(1)` with f32 values.
fn file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| to_bytes(&net(1), Precision::F32, &metadata()).expect("finite weights"))
}

fn metadata() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("config".to_owned(), r#"{"patch_px":32}"#.to_owned()),
        ("note".to_owned(), "ψ \"quoted\"\n".to_owned()),
    ])
}

/// Names with values, in the order of the names.
fn contents(net: &Net) -> Vec<(String, Vec<f32>)> {
    let bytes = to_bytes(net, Precision::F32, &BTreeMap::new()).expect("finite weights");
    let file = SafeTensors::deserialize(&bytes).expect("a file just written");
    let floats = |data: &[u8]| {
        (data.chunks_exact(4))
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let mut contents: Vec<_> = (file.iter())
        .map(|(name, view)| (name.to_owned(), floats(view.data())))
        .collect();
    contents.sort_by(|a, b| a.0.cmp(&b.0));
    contents
}

/// The file of `net(1)` with its tensors changed.
fn changed(change: impl FnOnce(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>)) -> Vec<u8> {
    let file = SafeTensors::deserialize(file()).expect("a file just written");
    let mut tensors: Vec<_> = (file.iter())
        .map(|(name, view)| {
            (
                name.to_owned(),
                view.dtype(),
                view.shape().to_vec(),
                view.data().to_vec(),
            )
        })
        .collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            name,
            TensorView::new(*dtype, shape.clone(), bytes).expect("bytes follow the shape"),
        )
    });
    safetensors::serialize(views, None).expect("a file in memory")
}

fn load(bytes: &[u8]) -> Result<Net, WeightsError> {
    WeightsFile::parse(bytes)?.load(net(2))
}

#[test]
fn f32_weights_come_back_bit_for_bit() {
    let file = WeightsFile::parse(file()).unwrap();
    assert_eq!(file.metadata(), &metadata());
    assert_eq!(file.precision(), Some(Precision::F32));
    assert_ne!(
        contents(&net(1)),
        contents(&net(2)),
        "or the test shows nothing"
    );
    assert_eq!(contents(&file.load(net(2)).unwrap()), contents(&net(1)));
}

#[test]
fn f16_weights_come_back_rounded_once() {
    let bytes = to_bytes(&net(1), Precision::F16, &metadata()).unwrap();
    assert!(bytes.len() < file().len());
    let file = WeightsFile::parse(&bytes).unwrap();
    assert_eq!(file.metadata(), &metadata());
    assert_eq!(file.precision(), Some(Precision::F16));
    let rounded: Vec<_> = (contents(&net(1)).into_iter())
        .map(|(name, values)| {
            (
                name,
                values
                    .into_iter()
                    .map(|v| f16::from_f32(v).to_f32())
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(contents(&file.load(net(2)).unwrap()), rounded);
}

/// Loading must not take a network out of training.
#[test]
fn loaded_parameters_keep_their_gradients() {
    let device = autodiff();
    let build = || Down::new(&mut Initializer::new(1, &device), 2, 3);
    let block = with_parameters(build(), |name, shape| {
        formula(name, shape.iter().product(), 1.0)
    });
    let y = block.forward(Tensor::ones([1, 2, 4, 4], &device));
    let grads = common::parameters::gradients(&block, &y.sum().backward());
    assert_eq!(grads.len(), parameter_shapes(&block).len());
}

/// To start a network from a part of another: what only one side has is left alone, but what
/// both have must fit.
#[test]
fn available_tensors_are_loaded() {
    let bytes = changed(|tensors| {
        tensors.retain(|(name, ..)| name.starts_with("down."));
        tensors.push(("other".to_owned(), Dtype::F32, vec![1], vec![0; 4]));
    });
    let file = WeightsFile::parse(&bytes).unwrap();
    let loaded = contents(&file.load_available(net(2)).unwrap());
    let (first, second) = (contents(&net(1)), contents(&net(2)));
    for ((found, first), second) in loaded.iter().zip(&first).zip(&second) {
        let is_available = found.0.starts_with("down.");
        assert_eq!(found, if is_available { first } else { second });
    }

    let bytes = changed(|tensors| {
        let tensor = tensors.iter_mut().find(|t| t.0 == "down.conv2.weight");
        tensor.unwrap().2 = vec![2, 3, 3, 3];
    });
    let file = WeightsFile::parse(&bytes).unwrap();
    let error = file.load_available(net(2)).unwrap_err();
    assert!(matches!(&error, WeightsError::Shape { name, .. } if name == "down.conv2.weight"));
}

#[test]
fn counts_follow_the_parts() {
    let down = 2 * 2 * 9 + 2 + 2 * 3 * 9 + 3;
    let theta = 3 * 2 * 9 + 2 + 2 + 1;
    let expected = [("down".to_owned(), down), ("theta".to_owned(), theta)];
    assert_eq!(parameter_counts(&net(1)), expected);
}

/// Wherever the file ends, the message names the first tensor that is not whole.
#[test]
fn a_truncated_file_names_the_tensor() {
    let (header_len, header) = SafeTensors::read_metadata(file()).unwrap();
    let data_start = 8 + header_len;
    let mut infos: Vec<_> = header.tensors().into_iter().collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    for (expected, info) in infos {
        let (start, end) = info.data_offsets;
        for len in [start, (start + end) / 2, end - 1] {
            match WeightsFile::parse(&file()[..data_start + len]) {
                Err(WeightsError::Truncated {
                    name,
                    needed,
                    found,
                }) => {
                    assert_eq!((&name, found), (&expected, data_start + len));
                    assert_eq!(needed, data_start + end);
                }
                other => panic!("{expected} at {len}: {other:?}"),
            }
        }
    }
}

#[test]
fn missing_tensors_are_named() {
    let bytes = changed(|tensors| tensors.retain(|(name, ..)| name != "theta.conv2.bias"));
    let error = load(&bytes).unwrap_err();
    assert!(matches!(&error, WeightsError::Missing { name } if name == "theta.conv2.bias"));
}

#[test]
fn tensors_without_a_place_are_named() {
    let bytes = changed(|tensors| {
        tensors.push(("phi.conv1.bias".to_owned(), Dtype::F32, vec![1], vec![0; 4]));
    });
    let error = load(&bytes).unwrap_err();
    assert!(matches!(&error, WeightsError::Unexpected { name } if name == "phi.conv1.bias"));
}

#[test]
fn other_shapes_are_named() {
    // As many values, other sides: a flat copy would not notice.
    let bytes = changed(|tensors| {
        let tensor = tensors
            .iter_mut()
            .find(|t| t.0 == "down.conv2.weight")
            .unwrap();
        tensor.2 = vec![2, 3, 3, 3];
    });
    match load(&bytes).unwrap_err() {
        WeightsError::Shape {
            name,
            expected,
            found,
        } => {
            assert_eq!(name, "down.conv2.weight");
            assert_eq!((expected, found), (vec![3, 2, 3, 3], vec![2, 3, 3, 3]));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn other_number_formats_are_named() {
    let bytes = changed(|tensors| {
        let tensor = tensors
            .iter_mut()
            .find(|t| t.0 == "down.conv1.bias")
            .unwrap();
        tensor.1 = Dtype::I32;
    });
    let error = load(&bytes).unwrap_err();
    assert!(matches!(&error, WeightsError::Dtype { name, .. } if name == "down.conv1.bias"));
}

#[test]
fn values_that_are_not_finite_are_named() {
    for value in [f32::NAN, f32::INFINITY] {
        let bytes = changed(|tensors| {
            let tensor = tensors
                .iter_mut()
                .find(|t| t.0 == "theta.conv1.weight")
                .unwrap();
            tensor.3[4..8].copy_from_slice(&value.to_le_bytes());
        });
        let error = load(&bytes).unwrap_err();
        assert!(matches!(&error, WeightsError::NotFinite { name } if name == "theta.conv1.weight"));
    }
}

#[derive(Module, Debug)]
struct Single {
    weight: Param<Tensor<1>>,
}

/// 65520 rounds to infinity in f16 and is an ordinary number in f32.
#[test]
fn values_too_large_for_f16_are_refused_when_written() {
    let weight = tensor(vec![1.0, 65520.0], [2], &device());
    let module = Single {
        weight: Param::from_tensor(weight),
    };
    let error = to_bytes(&module, Precision::F16, &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, WeightsError::NotFinite { name } if name == "weight"));
    let bytes = to_bytes(&module, Precision::F32, &BTreeMap::new()).unwrap();
    let zeros = Single {
        weight: Param::from_tensor(Tensor::zeros([2], &device())),
    };
    let loaded = WeightsFile::parse(&bytes).unwrap().load(zeros).unwrap();
    assert_same(&values(loaded.weight.val()), &[1.0, 65520.0], "weight");
}

/// Offsets that end near the largest number must not overflow while they are added up.
#[test]
fn huge_offsets_are_an_error() {
    let quarter = 1u64 << 61;
    let mut entries: Vec<_> = (0..7)
        .map(|i| (i * quarter, (i + 1) * quarter))
        .map(|(start, end)| entry(start, end, quarter))
        .collect();
    entries.push(entry(7 * quarter, u64::MAX - 7, quarter - 8));
    let header = format!("{{{}}}", entries.join(","));
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    assert!(WeightsFile::parse(&bytes).is_err());
}

fn entry(start: u64, end: u64, values: u64) -> String {
    format!(r#""t{start}":{{"dtype":"U8","shape":[{values}],"data_offsets":[{start},{end}]}}"#)
}

/// Where the data starts: everything before it is the length and the header.
fn data_start() -> usize {
    8 + SafeTensors::read_metadata(file()).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn garbage_is_no_weights_file(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let is_format = matches!(WeightsFile::parse(&bytes), Err(WeightsError::Format { .. }));
        prop_assert!(is_format);
    }

    #[test]
    fn any_beginning_of_a_file_is_an_error(fraction in 0.0..1.0f64) {
        let len = (fraction * file().len() as f64) as usize;
        let error = WeightsFile::parse(&file()[..len]).unwrap_err();
        let inside_header = len < data_start();
        prop_assert_eq!(matches!(error, WeightsError::Format { .. }), inside_header);
        prop_assert_eq!(matches!(error, WeightsError::Truncated { .. }), !inside_header);
    }

    /// A flipped bit in the header may go unnoticed (in the text of the metadata) or rename a
    /// tensor; it must never panic.
    #[test]
    fn a_flipped_bit_in_the_header_never_panics(position in 0.0..1.0f64, bit in 0..8u8) {
        let mut bytes = file().to_vec();
        let at = (position * data_start() as f64) as usize;
        bytes[at] ^= 1 << bit;
        if let Ok(loaded) = load(&bytes) {
            prop_assert_eq!(contents(&loaded), contents(&net(1)));
        }
    }
}
