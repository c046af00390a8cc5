//! Windows of the memory.

use super::grid::masks;
use crate::common::masks::mask_of_boxes;
use inpaint_core::Mask;
use proptest::prelude::*;
use tmad::patches::{HoleCounts, Position};
use tmad::texture_memory::{MemoryConfig, WindowRule, memory_windows, sample_windows};

fn config(stride_px: usize, rule: WindowRule) -> MemoryConfig {
    MemoryConfig {
        stride_px,
        rule,
        ..Default::default()
    }
}

fn counts(mask: &Mask, windows: &[Position]) -> Vec<u32> {
    let counts = HoleCounts::new(mask);
    windows
        .iter()
        .map(|w| counts.in_square(w.y, w.x, 32))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn windows_lie_inside_and_are_distinct(mask in masks(120), stride in 1..40usize, valid: bool) {
        let rule = if valid { WindowRule::Valid } else { WindowRule::FewestHolePixels };
        let config = config(stride, rule);
        let windows = memory_windows(&mask, 32, &config, 7);
        prop_assert!(!windows.is_empty(), "retrieval needs something to retrieve");
        let (width, height) = (mask.width().max(32) as i32, mask.height().max(32) as i32);
        for w in &windows {
            prop_assert!((0..=height - 32).contains(&w.y) && (0..=width - 32).contains(&w.x));
            prop_assert_eq!(w.image, 7);
        }
        let mut distinct: Vec<_> = windows.iter().map(|w| (w.y, w.x)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), windows.len());

        let counts = counts(&mask, &windows);
        let all_known = counts.iter().all(|&count| count == 0);
        let is_valid_rule = valid && all_known && windows.len() >= config.num_candidates;
        if !is_valid_rule {
            // Fewest hole pixels first, and not the mostly masked ones if there is a choice.
            prop_assert!(counts.is_sorted());
            prop_assert!(windows.len() <= config.num_pool);
            let num_half = counts.iter().filter(|&&count| count <= 512).count();
            prop_assert!(num_half == windows.len() || num_half < config.num_candidates);
        }
    }

    #[test]
    fn a_random_choice_keeps_order_and_repeats_nothing(len in 0..150usize, count in 0..120usize, seed: u64) {
        let all: Vec<_> = (0..len as i32).map(|y| Position { image: 0, y, x: 0 }).collect();
        let chosen = sample_windows(all.clone(), count, seed);
        prop_assert_eq!(chosen.len(), count.min(len));
        let rows: Vec<_> = chosen.iter().map(|w| w.y).collect();
        prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(sample_windows(all, count, seed), chosen);
    }
}

/// The paper's case: a centred 128² hole in 256².
#[test]
fn numbers_of_windows() {
    let hole = mask_of_boxes(256, 256, &[[64, 64, 128, 128]]);
    let none = Mask::new(256, 256);
    for (stride, num_all, num_valid) in [(16, 225, 144), (8, 841, 480)] {
        let config = config(stride, WindowRule::Valid);
        assert_eq!(memory_windows(&none, 32, &config, 0).len(), num_all);
        let valid = memory_windows(&hole, 32, &config, 0);
        assert_eq!(valid.len(), num_valid);
        assert!(counts(&hole, &valid).iter().all(|&count| count == 0));
    }
}

/// Every window is drawn about equally often: 100 of 400, so 250 of 1000 draws each; the standard
/// deviation is 14, and a bias towards either end would show at 5 of them.
#[test]
fn a_random_choice_is_uniform() {
    let all: Vec<_> = (0..400).map(|y| Position { image: 0, y, x: 0 }).collect();
    let mut drawn = [0; 400];
    for seed in 0..1000 {
        for window in sample_windows(all.clone(), 100, seed) {
            drawn[window.y as usize] += 1;
        }
    }
    assert!(
        drawn.iter().all(|times| (180..320).contains(times)),
        "{drawn:?}"
    );
}
