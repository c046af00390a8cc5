//! Cutting windows out and putting cells back, and between bytes and numbers.

use super::grid::masks;
use crate::common::golden::formula;
use crate::common::masks::noise_picture;
use crate::common::tensors::{assert_same, device, tensor, values};
use inpaint_core::image::Rgb;
use inpaint_core::{Mask, RgbImage};
use proptest::prelude::*;
use tmad::patches::{Position, assemble, extract, hole_cells};
use tmad::tensors::{images_to_tensor, masks_to_tensor, tensor_to_images};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn windows_repeat_the_border(
        [height, width] in [1..20usize, 1..20usize],
        side in 1..12usize,
        corners in prop::collection::vec((0..2usize, -25..25i32, -25..25i32), 1..5),
    ) {
        let images = formula("images", 2 * 3 * height * width, 1.0);
        let positions: Vec<_> =
            corners.into_iter().map(|(image, y, x)| Position { image, y, x }).collect();
        let mut expected = Vec::new();
        for p in &positions {
            for channel in 0..3 {
                for (i, j) in (0..side as i32).flat_map(|i| (0..side as i32).map(move |j| (i, j))) {
                    let y = (p.y + i).clamp(0, height as i32 - 1) as usize;
                    let x = (p.x + j).clamp(0, width as i32 - 1) as usize;
                    expected.push(images[((p.image * 3 + channel) * height + y) * width + x]);
                }
            }
        }
        let images = tensor(images, [2, 3, height, width], &device());
        assert_same(&values(extract(&images, &positions, side)), &expected, "windows");
    }

    #[test]
    fn holes_come_from_their_cell_and_the_rest_stays(mask in masks(50), side in 3..20usize) {
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        let empty = Mask::new(mask.width(), mask.height());
        // The first picture has no hole: indices must not slip.
        let all = [&empty, &mask];
        let cells = hole_cells(&mask, side, 1);
        let images = formula("known", 2 * 3 * height * width, 1.0);
        let patches = formula("patches", cells.len() * 3 * side * side, 1.0);
        let mut expected = images.clone();
        for (n, cell) in cells.iter().enumerate() {
            for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
                let (y, x) = (cell.y + i as i32, cell.x + j as i32);
                let is_inside = (0..height as i32).contains(&y) && (0..width as i32).contains(&x);
                if is_inside && mask.is_hole(x as u32, y as u32) {
                    for channel in 0..3 {
                        let at = ((3 + channel) * height + y as usize) * width + x as usize;
                        expected[at] = patches[((n * 3 + channel) * side + i) * side + j];
                    }
                }
            }
        }
        let found = assemble(
            tensor(patches, [cells.len(), 3, side, side], &device()),
            &cells,
            tensor(images, [2, 3, height, width], &device()),
            &all,
            masks_to_tensor(&all, &device()),
        );
        assert_same(&values(found), &expected, "assembled");
    }
}

/// Every byte survives the way to a tensor and back, in every channel.
#[test]
fn bytes_survive_tensors() {
    let ramp = RgbImage::from_fn(256, 3, |x, y| {
        let byte = x as u8;
        Rgb([byte, byte.wrapping_mul(3).wrapping_add(y as u8), 255 - byte])
    });
    let noise = noise_picture("bytes", 256, 3);
    let tensor = images_to_tensor(&[&ramp, &noise], &device());
    assert_eq!(tensor.dims(), [2, 3, 3, 256]);
    let all = values(tensor.clone());
    assert_eq!((all[0], all[255]), (-1.0, 1.0), "black and white");
    assert_eq!(tensor_to_images(tensor), [ramp, noise]);
}

/// Networks overshoot; bytes do not wrap.
#[test]
fn numbers_out_of_range_are_clamped() {
    let pixel = tensor(vec![-1.5, 7.0, 0.0], [1, 3, 1, 1], &device());
    // 0 lies between 127 and 128; half rounds away from zero.
    assert_eq!(
        tensor_to_images(pixel)[0].get_pixel(0, 0),
        &Rgb([0, 255, 128])
    );
}
