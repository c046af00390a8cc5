//! Box means against the plain loop, over random shapes.

mod common;

use common::{abs, assert_close, levels, random};
use proptest::prelude::*;
use tmad_ops::kernels::{box_means, reference};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Boxes larger than the picture among them.
    #[test]
    fn agree_with_the_plain_loop(
        planes in 1..4usize,
        height in 1..40usize,
        width in 1..50usize,
        reach in prop_oneof![0..9usize, Just(60)],
    ) {
        let (shape, side) = ([planes, height, width], 2 * reach + 1);
        let x = random(planes * height * width, 1);
        let exact = reference::box_means(shape, side, &x);
        let scale = reference::box_means(shape, side, &abs(&x));
        for level in levels() {
            level.force(|| {
                let mut means = vec![f32::NAN; x.len()];
                box_means(shape, side, &x, &mut means);
                assert_close(&means, &exact, &scale, 1e-5, level.name());
            });
        }
    }
}
