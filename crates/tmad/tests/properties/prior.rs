//! What the coarse network starts from, and what texture is compared with.

use super::tiny;
use crate::common::masks::{mask_of_boxes, noise_picture};
use crate::common::tensors::{assert_close, device, values};
use burn::module::Module;
use inpaint_core::image::imageops;
use inpaint_core::{Control, RgbImage, membrane};
use tmad::coarse::Prior;
use tmad::model::{Inputs, Model};
use tmad::patches::Position;
use tmad::tensors::{images_to_tensor, membranes_to_tensor};

/// An untrained network takes half of what PatchMatch adds to the membrane.
#[test]
fn an_untrained_guess_lies_between_membrane_and_copies() {
    let device = device();
    let mut config = tiny::config();
    config.coarse.prior = Prior::PatchMatch;
    let model = Model::new(&config, 3, &device);
    // Three more planes into the first layer, two more out of the last.
    let num_more = model.num_params() - tiny::model().num_params();
    assert_eq!(num_more, 5 * config.coarse.widths[0] + 2);

    let mask = mask_of_boxes(64, 80, &[[20, 24, 24, 30]]);
    let image = noise_picture("prior", 80, 64);
    let filling = (Prior::PatchMatch)
        .filling(&image, &mask, &Control::default())
        .unwrap()
        .expect("this prior has a filling");
    let inputs = Inputs::new(&[&image], vec![&mask], &config, &device);
    let smooth = membranes_to_tensor(&[&image], &[&mask], &device);
    let copied = images_to_tensor(&[&filling], &device);
    let expected: Vec<f32> = (values(smooth).iter().zip(values(copied)))
        .map(|(smooth, copied)| 0.5 * (smooth + copied))
        .collect();
    let guess = model.guess(&inputs);
    assert_close(&values(guess.clone().whole()), &expected, 1e-5, "guess");
    // Noise is texture: the structure of the copies is hardly more than the membrane.
    let texture = guess.texture.expect("this prior copies texture");
    let energy = |t: Vec<f32>| t.iter().map(|v| v * v).sum::<f32>();
    let copies = energy(values(texture.clone()));
    let structure = energy(values(
        guess.structure - membranes_to_tensor(&[&image], &[&mask], &device),
    ));
    assert!(copies > 4.0 * structure, "{copies} and {structure}");
}

/// Without any known pixel there is nothing to copy: the membrane's grey, to half a level.
#[test]
fn a_full_mask_has_a_filling() {
    let mask = mask_of_boxes(9, 7, &[[0, 0, 9, 7]]);
    let image = noise_picture("full", 7, 9);
    for prior in [Prior::None, Prior::Membrane, Prior::PatchMatch] {
        let filling = prior.filling(&image, &mask, &Control::default()).unwrap();
        assert_eq!(filling.is_some(), prior == Prior::PatchMatch);
        for (found, expected) in
            (filling.iter().flat_map(|f| f.pixels())).zip(membrane(&image, &mask).unwrap())
        {
            for (found, expected) in found.0.iter().zip(expected) {
                assert!((f32::from(*found) - expected).abs() <= 0.5);
            }
        }
    }
}

/// A patch that a smaller scale has blurred finds the sharp window that looks like it from there,
/// not another one that is blurred anyway.
#[test]
fn blurred_patches_find_sharp_windows() {
    let model = tiny::model();
    let side = model.config().patch_px as u32;
    let at = |column: u32| Position {
        image: 0,
        y: 0,
        x: (column * side) as i32,
    };
    // The hole's patch, a blurred window of another texture, and the patch's own texture.
    let own = noise_picture("own", side, side);
    let other = noise_picture("other", side, side);
    let [own_blurred, other_blurred] = [&own, &other].map(blurred);
    let row = |parts: [&RgbImage; 3]| {
        let mut row = RgbImage::new(3 * side, side);
        for (part, column) in parts.into_iter().zip(0i64..) {
            let x = column * i64::from(side);
            imageops::replace(&mut row, part, x, 0);
        }
        images_to_tensor(&[&row], &device())
    };
    let guess = row([&own_blurred, &other_blurred, &own]);
    let shown = row([&own_blurred, &blurred(&other_blurred), &own_blurred]);
    let windows = [at(1), at(2)];
    let memory = model.remember_as(&shown, &guess, &windows);
    let found = model.retrieve_cells(&shown, &[at(0)], &[memory]);
    assert_eq!(found[0].ranking[0][0], 1, "{:?}", found[0].ranked_scores);
    let sharp = images_to_tensor(&[&own], &device());
    let best = found[0].patches.clone().narrow(1, 0, 3);
    assert_close(
        &values(best),
        &values(sharp),
        0.0,
        "the sharp window itself",
    );
}

fn blurred(picture: &RgbImage) -> RgbImage {
    imageops::blur(picture, 1.5)
}
