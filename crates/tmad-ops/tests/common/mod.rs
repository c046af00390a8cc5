//! What the kernel tests share.

#![allow(dead_code)] // Each test binary uses its own part.

use tmad_ops::kernels::Level;

/// Numbers in [−1, 1) from a linear congruential generator, so that failures shrink by shape
/// only.
pub fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The instruction sets of this machine.
pub fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_supported())
}

/// Fails unless every `|actual − expected| ≤ tolerance · scale`.
pub fn assert_close(actual: &[f32], expected: &[f64], scale: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, ((&a, &e), &s)) in actual.iter().zip(expected).zip(scale).enumerate() {
        let error = (f64::from(a) - e).abs();
        assert!(
            error <= tolerance * s + 1e-30,
            "{what}[{i}]: {a} instead of {e}, scale {s}"
        );
    }
}

/// The absolute values.
pub fn abs(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| v.abs()).collect()
}
