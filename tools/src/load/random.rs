//! Numbers that look random and are the same for the same seed.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): one addition and three multiplications a number, no state
//! but a counter. Runs of the load tool are repeatable by their seed.

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// Any u64, all equally likely.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// An integer in 0..n; `n` is above 0. The bias of the multiplication is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        debug_assert!(n > 0);
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// An integer in low..=high; `low` is not above `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low <= high);
        match high.abs_diff(low).checked_add(1) {
            Some(span) => low.wrapping_add(self.below(span) as i64),
            None => self.next_u64() as i64,
        }
    }

    /// A float in [0, 1) with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        // The first outputs of the published reference for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn ranges_are_reached_at_both_ends_and_never_left() {
        let mut random = Random::new(1);
        let mut seen = [false; 4];
        for _ in 0..1000 {
            let n = random.between(-1, 2);
            seen[(n + 1) as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
        random.between(i64::MIN, i64::MAX);
        assert_eq!(random.between(7, 7), 7);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random.unit())));
    }
}
