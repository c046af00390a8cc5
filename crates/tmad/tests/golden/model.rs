//! The whole model: one picture in, the composited picture and all gradients out.

use super::networks::{by_formula, tiny_synthesis};
use crate::common::golden::{Golden, formula_tensor};
use crate::common::masks::mask_of_boxes;
use crate::common::parameters::assert_gradients;
use crate::common::tensors::{assert_close, autodiff, device, values};
use burn::tensor::{Device, Tensor};
use inpaint_core::Mask;
use tmad::coarse::CoarseConfig;
use tmad::model::{Inputs, Model, ModelConfig, Output};
use tmad::patches::{extract, select_hole};
use tmad::tensors::masks_to_tensor;
use tmad::texture_memory::{MemoryConfig, scores};

/// The whole model loses 2e-6 and 5e-5 in f32.
const OUTPUT: f64 = 1e-5;
const GRADIENT: f64 = 2.5e-4;

fn model(device: &Device) -> Model {
    let config = ModelConfig {
        patch_px: 32,
        coarse: CoarseConfig {
            widths: vec![4, 8, 8, 8],
            num_residual: 2,
            dilation: 2,
            carafe_channels: 4,
            ..Default::default()
        },
        memory: MemoryConfig {
            embedding_widths: (4, 2),
            ..Default::default()
        },
        synthesis: tiny_synthesis(),
        aligned: None,
    };
    by_formula(Model::new(&config, 1, device), "")
}

fn inputs<'a>(mask: &'a Mask, device: &Device) -> Inputs<'a> {
    let image: Tensor<4> = formula_tensor("model/image", [1, 3, 72, 80], device);
    let mask_tensor = masks_to_tensor(&[mask], device);
    let nothing = Tensor::zeros_like(&image);
    Inputs {
        prior: select_hole(mask_tensor.clone(), nothing, image.clone()),
        image,
        mask: mask_tensor,
        masks: vec![mask],
        pictures: Vec::new(),
    }
}

fn check_outputs(golden: &Golden, output: Output) {
    let corner = |p: &tmad::patches::Position| [i64::from(p.y), i64::from(p.x)];
    let cells: Vec<_> = output.layout.cells.iter().map(corner).collect();
    assert_eq!(cells, golden.rows("cells"));
    let windows: Vec<_> = output.layout.windows[0].iter().map(corner).collect();
    assert_eq!(windows, golden.rows("positions"));

    let candidates = &output.synthesis.candidates[0];
    let ranking: Vec<i64> = candidates
        .ranking
        .iter()
        .flatten()
        .map(|&i| i as i64)
        .collect();
    assert_eq!(ranking, golden.integers("ranking"));
    let all = golden.values("scores");
    let expected: Vec<f32> = (candidates.ranking.iter().enumerate())
        .flat_map(|(row, ranks)| ranks.iter().map(move |&i| (row, i)))
        .map(|(row, i)| all[row * windows.len() + i])
        .collect();
    assert_close(
        &candidates.ranked_scores.concat(),
        &expected,
        OUTPUT,
        "ranked scores",
    );

    golden.assert_close("coarse", &values(output.coarse), OUTPUT);
    golden.assert_close("completed", &values(output.synthesis.patches), OUTPUT);
    let hole = output
        .synthesis
        .completed
        .narrow(2, 36, 36)
        .narrow(3, 40, 30);
    golden.assert_close("hole", &values(hole), OUTPUT);
}

#[test]
fn outputs() {
    let golden = Golden::open("model");
    let model = model(&device());
    let mask = mask_of_boxes(72, 80, &[[36, 40, 36, 30]]);
    let inputs = inputs(&mask, &device());
    let layout = model.layout(&inputs.masks);

    let guess = select_hole(
        inputs.mask.clone(),
        model.guess(&inputs),
        inputs.image.clone(),
    );
    let patches = extract(&guess, &layout.cells, 32);
    let memory = extract(&guess, &layout.windows[0], 32);
    let c = scores(
        model.theta.forward(patches),
        model.phi.forward(memory),
        1.0 / 32.0,
    );
    golden.assert_close("scores", &values(c), OUTPUT);

    check_outputs(&golden, model.forward(&inputs, layout));
}

#[test]
fn gradients() {
    let golden = Golden::open("model");
    let device = autodiff();
    let model = model(&device);
    let mask = mask_of_boxes(72, 80, &[[36, 40, 36, 30]]);
    let inputs = inputs(&mask, &device);
    let output = model.forward(&inputs, model.layout(&inputs.masks));
    let composited = output.synthesis.completed.clone();
    check_outputs(&golden, output);
    let cotangent: Tensor<4> = formula_tensor("model/cotangent", [1, 3, 72, 80], &device);
    let grads = (composited * cotangent).sum().backward();
    assert_gradients(&model, &grads, &golden, "grad.", GRADIENT);
}
