//! Seeded random numbers that are the same on every machine, in every
//! version.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, *Fast splittable
//! pseudorandom number generators*, 2014): a counter and a mixing function,
//! all in wrapping 64-bit arithmetic. It lives here, rather than in a
//! dependency, since stored masks and evaluation protocols must not change
//! when a dependency does, and since its mixing function also gives parallel
//! code its random numbers by position.

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's mixing function: a bijection of 64-bit numbers whose output
/// bits look independent for neighbouring inputs.
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Derives the seed of stream `index` from `seed`.
pub const fn stream(seed: u64, index: u64) -> u64 {
    mix(mix(seed.wrapping_add(GOLDEN_GAMMA)) ^ index.wrapping_mul(GOLDEN_GAMMA))
}

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts the sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number in `0..count`; 0 for a `count` of 0.
    ///
    /// The bias of the multiplication is below `count` / 2⁶⁴.
    pub const fn below(&mut self, count: u64) -> u64 {
        ((self.bits() as u128 * count as u128) >> 64) as u64
    }

    /// A whole number in `low..=high`; `low` when `high` is smaller.
    pub const fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) as u64 + 1) as u32
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number (Box and Muller, one of the pair).
    ///
    /// Through `libm`, since the functions of the platform's own library
    /// differ in the last bit.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(expected.map(|_| random.bits()), expected);
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut random = Random::new(5);
        let mut seen = [false; 3];
        for _ in 0..100 {
            seen[random.between(4, 6) as usize - 4] = true;
            assert!((0.0..1.0).contains(&random.unit()));
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(7, 3), 7);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Random::new(11);
        let values: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / 2e4;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 2e4;
        // The standard errors are 0.007 and 0.01.
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04);
    }
}
