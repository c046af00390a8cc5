//! Means over pictures and how far they can be trusted.

use inpaint_core::random::Random;
use serde::{Deserialize, Serialize};

const NUM_RESAMPLES: usize = 2000;

/// A mean over pictures with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Number of pictures.
    pub count: usize,
}

impl Estimate {
    /// The mean of `values` and the 2.5 % and 97.5 % quantiles of the means of 2000 resamples
    /// with replacement (Efron's percentile bootstrap), seeded, so that a report can be made
    /// again. It tells how far the mean would move with other pictures of the same kind; it
    /// knows nothing of differences between kinds. `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let mut random = Random::new(0);
        let mut means: Vec<f64> = (0..NUM_RESAMPLES)
            .map(|_| {
                let sum: f64 = (0..count)
                    .map(|_| values[random.below(count as u64) as usize])
                    .sum();
                sum / count as f64
            })
            .collect();
        means.sort_by(f64::total_cmp);
        let quantile =
            |fraction: f64| means[(fraction * (NUM_RESAMPLES - 1) as f64).round() as usize];
        Some(Self {
            mean,
            low: quantile(0.025),
            high: quantile(0.975),
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_normal_theory_for_many_values() {
        let mut random = Random::new(3);
        let values: Vec<f64> = (0..400).map(|_| 5.0 + random.normal()).collect();
        let estimate = Estimate::of(&values).unwrap();
        // ±1.96 / √400 = ±0.098; quantiles of 2000 resamples wander by a few percent.
        assert!(
            (estimate.mean - estimate.low - 0.098).abs() < 0.015,
            "{estimate:?}"
        );
        assert!(
            (estimate.high - estimate.mean - 0.098).abs() < 0.015,
            "{estimate:?}"
        );
        assert_eq!(estimate, Estimate::of(&values).unwrap());
    }

    #[test]
    fn few_values() {
        assert_eq!(Estimate::of(&[]), None);
        let one = Estimate::of(&[7.0]).unwrap();
        assert_eq!((one.mean, one.low, one.high, one.count), (7.0, 7.0, 7.0, 1));
    }
}
