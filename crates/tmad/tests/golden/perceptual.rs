//! The feature network of the paper's perceptual loss.

use crate::common::golden::{Golden, formula_tensor};
use crate::common::tensors::{autodiff, values};
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use tmad::perceptual::Vgg19;
use tmad::weights::WeightsFile;

/// Widths of the golden vectors.
const WIDTHS: [usize; 15] = [4, 4, 4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8, 8];

/// The file's weights as a user's file of VGG-19 would hold them.
fn weights_file(golden: &Golden) -> Vec<u8> {
    let encoded: Vec<_> = (golden.names("features.").into_iter())
        .map(|name| {
            let bytes: Vec<u8> = (golden.values(name).iter())
                .flat_map(|v| v.to_le_bytes())
                .collect();
            (name.to_owned(), golden.shape(name).to_vec(), bytes)
        })
        .collect();
    let views = encoded.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("one value each");
        (name, view)
    });
    safetensors::serialize(views, None).expect("a file in memory")
}

/// Fifteen convolutions of at most 72 products lose 1e-6 in f32.
#[test]
fn vgg() {
    let golden = Golden::open("vgg");
    let bytes = weights_file(&golden);
    let file = WeightsFile::parse(&bytes).expect("a file just written");
    let network = Vgg19::with_widths(&file, &WIDTHS, &autodiff()).expect("its own widths");
    let picture = |name: &str| -> Tensor<4> {
        formula_tensor(&format!("vgg/{name}"), [2, 3, 32, 32], &autodiff())
    };
    let completed = picture("completed").require_grad();
    let found = network.taps(completed.clone());
    for (i, tap) in found.iter().enumerate() {
        golden.assert_close(&format!("tap{i}"), &values(tap.clone()), 5e-6);
    }
    let wanted = network.taps(picture("truth"));
    let loss = (found.into_iter().zip(wanted))
        .map(|(found, wanted)| (found - wanted).abs().mean())
        .reduce(|a, b| a + b)
        .expect("three taps");
    golden.assert_close("loss.output", &values(loss.clone()), 5e-6);
    let grad = completed.grad(&loss.backward()).expect("tracked");
    golden.assert_close("loss.grad.completed", &values(grad), 5e-5);
}

/// A file of another network is refused by name.
#[test]
fn a_file_without_the_network_names_the_missing_tensor() {
    let golden = Golden::open("vgg");
    let bytes = weights_file(&golden);
    let file = WeightsFile::parse(&bytes).expect("a file just written");
    let error = Vgg19::load(&file, &autodiff()).expect_err("other widths");
    assert!(error.to_string().contains("features.0.weight"), "{error}");
}
