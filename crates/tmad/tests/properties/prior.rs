//! What the coarse network starts from.

use super::tiny;
use crate::common::masks::{mask_of_boxes, noise_picture};
use crate::common::tensors::{assert_close, device, values};
use burn::module::Module;
use inpaint_core::{Control, membrane};
use tmad::coarse::Prior;
use tmad::model::{Inputs, Model};
use tmad::patches::select_hole;
use tmad::tensors::{images_to_tensor, membranes_to_tensor};
use tmad_ops::box_means;

/// An untrained network takes half of the structure that PatchMatch adds to the membrane.
#[test]
fn an_untrained_guess_lies_between_membrane_and_copies() {
    let device = device();
    let mut config = tiny::config();
    config.coarse.prior = Prior::PatchMatch;
    let model = Model::new(&config, 3, &device);
    // Three more planes into the first layer, one more out of the last.
    let num_more = model.num_params() - tiny::model().num_params();
    assert_eq!(num_more, 4 * config.coarse.widths[0] + 1);

    let mask = mask_of_boxes(64, 80, &[[20, 24, 24, 30]]);
    let image = noise_picture("prior", 80, 64);
    let filling = (Prior::PatchMatch)
        .filling(&image, &mask, &Control::default())
        .unwrap()
        .expect("this prior has a filling");
    let inputs = Inputs::new(
        &[&image],
        vec![&mask],
        &[&filling],
        Prior::PatchMatch,
        &device,
    );
    let smooth = membranes_to_tensor(&[&image], &[&mask], &device);
    let added = images_to_tensor(&[&filling], &device) - smooth.clone();
    let expected = smooth + box_means(added, 5) * 0.5;
    let guess = model.guess(&inputs);
    let in_hole = |guess| {
        values(select_hole(
            inputs.mask.clone(),
            guess,
            inputs.image.clone(),
        ))
    };
    assert_close(&in_hole(guess), &in_hole(expected), 1e-5, "guess");
}

/// Without any known pixel there is nothing to copy: the membrane's grey, to half a level.
#[test]
fn a_full_mask_has_a_filling() {
    let mask = mask_of_boxes(9, 7, &[[0, 0, 9, 7]]);
    let image = noise_picture("full", 7, 9);
    for prior in [Prior::None, Prior::Membrane, Prior::PatchMatch] {
        let filling = prior.filling(&image, &mask, &Control::default()).unwrap();
        assert_eq!(filling.is_some(), prior == Prior::PatchMatch);
        for (found, expected) in (filling.iter().flat_map(|filling| filling.pixels()))
            .zip(membrane(&image, &mask).unwrap())
        {
            for (found, expected) in found.0.iter().zip(expected) {
                assert!((f32::from(*found) - expected).abs() <= 0.5);
            }
        }
    }
}
