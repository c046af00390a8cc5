//! The whole forward pass over pictures of every kind, with a tiny model.

use super::tiny::{self, inputs, model};
use crate::common::masks::{mask_of_boxes, noise_picture};
use crate::common::tensors::{assert_close, assert_same, device, values};
use burn::tensor::Tensor;
use inpaint_core::{Mask, RgbImage};
use tmad::model::{Model, ModelConfig, Output};
use tmad::patches::{extract, select_hole};
use tmad::tensors::tensor_to_images;
use tmad::texture_memory::{MemoryConfig, Retrieval, WindowRule};

fn complete(model: &Model, picture: &RgbImage, mask: &Mask) -> Output {
    let inputs = inputs(&[picture], &[mask], &device());
    model.forward(&inputs, model.layout(&[mask]))
}

/// Unmasked pixels are the input's, in numbers and in bytes; the hole is finite.
fn check(model: &Model, picture: &RgbImage, mask: &Mask) {
    let what = format!(
        "{:?}, {} px of hole",
        picture.dimensions(),
        mask.hole_area()
    );
    let output = complete(model, picture, mask);
    let completed = output.synthesis.completed;
    let found = values(completed.clone());
    let expected = values(inputs(&[picture], &[mask], &device()).image);
    let num_pixels = mask.as_bytes().len();
    for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
        let is_hole = mask.as_bytes()[i % num_pixels] != 0;
        assert!(
            if is_hole {
                found.is_finite()
            } else {
                found == expected
            },
            "{what}: {i}"
        );
    }
    let bytes = &tensor_to_images(completed)[0];
    for (x, y, pixel) in bytes.enumerate_pixels() {
        assert!(
            mask.is_hole(x, y) || pixel == picture.get_pixel(x, y),
            "{what}: {x}, {y}"
        );
    }
    let num_runs = output.synthesis.candidates.len();
    assert_eq!(num_runs, usize::from(!mask.is_empty()), "{what}");
}

#[test]
fn all_sizes_and_masks() {
    let model = model();
    for (width, height) in [(1, 1), (8, 8), (31, 47), (64, 33), (250, 333)] {
        let picture = noise_picture("sizes", width, height);
        let full = Mask::from_fn(width, height, |_, _| true);
        let slanted = Mask::from_fn(width, height, |x, y| (3 * x + y) % 47 < 9);
        for mask in [full, slanted, Mask::new(width, height)] {
            check(&model, &picture, &mask);
        }
    }
}

/// Without a hole there is nothing to do, bit for bit.
#[test]
fn no_hole_is_the_identity() {
    let picture = noise_picture("identity", 50, 40);
    let completed = complete(&model(), &picture, &Mask::new(50, 40))
        .synthesis
        .completed;
    assert_eq!(
        tensor_to_images(completed.clone()),
        std::slice::from_ref(&picture)
    );
    let image = inputs(&[&picture], &[&Mask::new(50, 40)], &device()).image;
    assert_same(&values(completed), &values(image), "completed");
}

/// What a picture holds inside the hole must not leak into the result, not even as NaN.
#[test]
fn the_hole_is_never_looked_at() {
    let model = model();
    let mask = mask_of_boxes(70, 80, &[[20, 30, 25, 31]]);
    let picture = noise_picture("leak", 80, 70);
    let inputs = inputs(&[&picture], &[&mask], &device());
    let layout = model.layout(&[&mask]);
    let expected = model.forward(&inputs, layout.clone()).synthesis.completed;
    for junk in [0.5, f32::NAN] {
        let mut changed = inputs.clone();
        let junk = Tensor::full(changed.image.shape(), junk, &device());
        changed.image = select_hole(changed.mask.clone(), junk, changed.image);
        let found = model.forward(&changed, layout.clone()).synthesis.completed;
        assert_same(&values(found), &values(expected.clone()), "completed");
    }
}

/// Candidates of a photo with room are windows of the photo itself, bit for bit.
#[test]
fn candidates_are_windows_of_the_picture() {
    let model = model();
    let mask = mask_of_boxes(128, 144, &[[40, 50, 40, 45]]);
    let picture = noise_picture("windows", 144, 128);
    let inputs = inputs(&[&picture], &[&mask], &device());
    let output = model.forward(&inputs, model.layout(&[&mask]));
    let candidates = &output.synthesis.candidates[0];
    let windows = &output.layout.windows[0];
    let chosen: Vec<_> = candidates
        .ranking
        .iter()
        .flatten()
        .map(|&i| windows[i])
        .collect();
    let cut = values(extract(&inputs.image, &chosen, 32));
    assert_same(&values(candidates.patches.clone()), &cut, "candidates");
    for (ranking, scores) in candidates.ranking.iter().zip(&candidates.ranked_scores) {
        assert!(
            scores.is_sorted_by(|a, b| a >= b),
            "scores fall with the rank: {scores:?}"
        );
        let mut distinct = ranking.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 4);
    }
}

/// A batch is a loop: no picture, however few cells or windows it has, changes another's result.
/// The kernels may split batches in other ways, hence the tolerance of a few roundings.
#[test]
fn a_batch_is_a_loop() {
    let model = model();
    let pictures = ["a", "b", "c", "d"].map(|name| noise_picture(name, 72, 60));
    let masks = [
        mask_of_boxes(60, 72, &[[10, 12, 33, 20]]),
        Mask::new(72, 60),
        mask_of_boxes(60, 72, &[[0, 0, 60, 72]]),
        mask_of_boxes(60, 72, &[[50, 60, 1, 1]]),
    ];
    let pictures: Vec<_> = pictures.iter().collect();
    let masks: Vec<_> = masks.iter().collect();
    let together = inputs(&pictures, &masks, &device());
    let output = model.forward(&together, model.layout(&masks));
    let mut rankings = output.synthesis.candidates.iter();
    for (i, (picture, mask)) in pictures.iter().zip(&masks).enumerate() {
        let alone = complete(&model, picture, mask).synthesis;
        let found = values(output.synthesis.completed.clone().narrow(0, i, 1));
        let expected = values(alone.completed);
        assert_close(&found, &expected, 1e-5, &format!("picture {i}"));
        for expected in &alone.candidates {
            let found = rankings.next().expect("one for every picture with a hole");
            assert_eq!(found.ranking, expected.ranking, "picture {i}");
        }
    }
    assert!(rankings.next().is_none());
}

/// In whatever order cells and windows are listed, the picture is the same.
#[test]
fn the_order_of_cells_and_windows_does_not_matter() {
    let model = model();
    let mask = mask_of_boxes(96, 110, &[[20, 20, 50, 70]]);
    let picture = noise_picture("order", 110, 96);
    let inputs = inputs(&[&picture], &[&mask], &device());
    let mut layout = model.layout(&[&mask]);
    assert!(layout.cells.len() > 4 && layout.windows[0].len() > 4);
    let plain = model.forward(&inputs, layout.clone()).synthesis;
    layout.cells.reverse();
    layout.windows[0].rotate_left(3);
    let shuffled = model.forward(&inputs, layout.clone()).synthesis;
    assert_close(
        &values(shuffled.completed),
        &values(plain.completed),
        1e-5,
        "completed",
    );
    let mut patches: Vec<_> = (0..layout.cells.len())
        .map(|i| values(shuffled.patches.clone().narrow(0, i, 1)))
        .collect();
    patches.reverse();
    assert_close(&patches.concat(), &values(plain.patches), 1e-5, "patches");
}

#[test]
fn the_same_input_gives_the_same_bits() {
    let picture = noise_picture("bits", 90, 80);
    let mask = mask_of_boxes(80, 90, &[[5, 5, 40, 60]]);
    let run = || values(complete(&model(), &picture, &mask).synthesis.completed);
    assert_same(&run(), &run(), "a second run");
}

/// The random choice is for training: seeded, and no more than the pool.
#[test]
fn a_sampled_layout_follows_its_seed() {
    let memory = MemoryConfig {
        num_pool: 5,
        ..tiny::config().memory
    };
    let model = model().with_memory(memory);
    let mask = mask_of_boxes(128, 128, &[[0, 0, 40, 40]]);
    let windows = |seed| model.sampled_layout(&[&mask, &mask], seed).windows;
    assert_eq!(windows(1), windows(1));
    assert_ne!(windows(1), windows(2));
    assert_ne!(
        windows(1)[0],
        windows(1)[1],
        "pictures of a batch draw their own"
    );
    assert!(windows(1).iter().all(|windows| windows.len() == 5));
}

/// Every switch of the configuration runs and has an effect.
#[test]
fn all_switches_run() {
    let mask = mask_of_boxes(80, 96, &[[10, 40, 60, 50]]);
    let picture = noise_picture("switches", 96, 80);
    let base = tiny::config();
    let mut variants = vec![base.clone(); 7];
    variants[0].synthesis.mask_plane = true;
    variants[1].memory.retrieval = Retrieval::Soft;
    variants[2].memory.rule = WindowRule::FewestHolePixels;
    variants[3].memory.embedding_pool = Some(8);
    variants[4].synthesis.crop_margin = 2;
    variants[5].memory.num_candidates = 1;
    variants[6].coarse.num_halvings = 1;
    let plain = values(
        complete(&Model::new(&base, 3, &device()), &picture, &mask)
            .synthesis
            .completed,
    );
    for config in variants {
        let model = Model::new(&config, 3, &device());
        check(&model, &picture, &mask);
        let found = values(complete(&model, &picture, &mask).synthesis.completed);
        assert_ne!(found, plain, "the switch does nothing: {config:?}");
    }
}

/// A network that predicts the difference to the guess starts with no difference.
#[test]
fn residual_output_starts_at_the_guess() {
    let mut config: ModelConfig = tiny::config();
    config.synthesis.residual_output = true;
    let model = Model::new(&config, 3, &device());
    let mask = mask_of_boxes(70, 66, &[[10, 8, 40, 50]]);
    let picture = noise_picture("residual", 66, 70);
    let output = complete(&model, &picture, &mask);
    let inputs = inputs(&[&picture], &[&mask], &device());
    let guess = select_hole(inputs.mask, output.coarse, inputs.image);
    assert_same(
        &values(output.synthesis.completed),
        &values(guess),
        "completed",
    );
}
