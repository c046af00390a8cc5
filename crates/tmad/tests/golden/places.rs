//! Where patches lie: hole grid, windows with clamped coordinates, windows of the memory.

use crate::common::golden::{Golden, formula_tensor};
use crate::common::masks::{golden_mask, mask_of_boxes};
use crate::common::tensors::{autodiff, values};
use tmad::patches::{Position, extract, hole_cells};
use tmad::texture_memory::{MemoryConfig, memory_windows};

fn corners(positions: &[Position]) -> Vec<[i64; 2]> {
    positions
        .iter()
        .map(|p| [i64::from(p.y), i64::from(p.x)])
        .collect()
}

#[test]
fn hole_grids() {
    let golden = Golden::open("hole_grid");
    for name in ["aligned", "shifted", "corner", "two", "full", "pixel"] {
        let cells = corners(&hole_cells(&golden_mask(&golden, name), 32, 0));
        assert_eq!(cells, golden.rows(&format!("{name}.cells")), "{name}");
        let anchor = cells[0].map(|c| c.rem_euclid(32));
        assert_eq!(
            anchor.to_vec(),
            golden.integers(&format!("{name}.anchor")),
            "{name}"
        );
    }
}

#[test]
fn windows_of_the_memory() {
    let golden = Golden::open("memory");
    for name in ["valid", "stride8", "scarce", "mostly_hole", "all_hole"] {
        let stride_px = golden.integers(&format!("{name}.stride"))[0] as usize;
        let config = MemoryConfig {
            stride_px,
            ..Default::default()
        };
        let windows = memory_windows(&golden_mask(&golden, name), 32, &config, 0);
        assert_eq!(
            corners(&windows),
            golden.rows(&format!("{name}.positions")),
            "{name}"
        );
    }
}

/// Windows that leave the picture repeat its border, and gradients of repeated pixels add up.
#[test]
fn clamped_windows() {
    let golden = Golden::open("windows");
    let mask = mask_of_boxes(40, 56, &[[3, 5, 37, 40]]);
    let cells = hole_cells(&mask, 32, 0);
    assert_eq!(corners(&cells), golden.rows("cells"));
    for (prefix, side, offset) in [("patch.", 32, 0), ("context.", 96, -32)] {
        let image = formula_tensor("windows/image", [1, 3, 40, 56], &autodiff()).require_grad();
        let positions: Vec<_> = cells.iter().map(|cell| cell.shifted(offset)).collect();
        let windows = extract(&image, &positions, side);
        // Copies: only the norm is not exact.
        golden.assert_close(&format!("{prefix}output"), &values(windows.clone()), 1e-7);
        let name = format!("windows/{prefix}cotangent");
        let cotangent = formula_tensor(&name, windows.dims(), &autodiff());
        let grads = (windows * cotangent).sum().backward();
        let grad = values(image.grad(&grads).expect("the picture is tracked"));
        // A corner pixel's gradient is a sum of up to 4 · 33² values, in f32.
        golden.assert_close(&format!("{prefix}grad.image"), &grad, 1e-5);
    }
}
