//! Counting distinct keys by sketch: HyperLogLog with 1,024 registers.
//!
//! Owned here: [`Sketch`]. Called by `index` (each new entry), `analysis` (which begins again with what is there now).
//! Always holds: a register only grows between two beginnings, so an estimate counts every key since then, also those that have gone;
//! any core may add and read at any time.
//! Left to others: when to begin again.
//!
//! The standard error is 1.04 / sqrt(1024), or 3.25 %; small counts are exact within a percent (linear counting, by the number of empty
//! registers). Source: Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007.

use crate::value::sort_key;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU8, Ordering};

const REGISTER_BITS: u32 = 10;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// See the module.
pub(crate) struct Sketch {
    /// For each register, the longest run of leading zeros seen, plus one.
    registers: Box<[AtomicU8]>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            registers: (0..REGISTERS).map(|_| AtomicU8::new(0)).collect(),
        }
    }
}

fn hash(key: &[u8]) -> u64 {
    // Whoever chooses keys that collide here spoils an estimate, no more: no secret is needed.
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

impl Sketch {
    /// Counts a key.
    pub(crate) fn add(&self, key: &[u8]) {
        let hash = hash(key);
        let register = &self.registers[(hash >> (64 - REGISTER_BITS)) as usize];
        let run = ((hash << REGISTER_BITS)
            .leading_zeros()
            .min(64 - REGISTER_BITS)
            + 1) as u8;
        if register.load(Ordering::Relaxed) < run {
            register.fetch_max(run, Ordering::Relaxed);
        }
    }

    /// About how many distinct keys were added.
    pub(crate) fn estimate(&self) -> u64 {
        let (mut sum, mut empty) = (0.0, 0);
        for register in &self.registers {
            let run = register.load(Ordering::Relaxed);
            sum += (-f64::from(run)).exp2();
            empty += usize::from(run == 0);
        }
        let m = REGISTERS as f64;
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let estimate = if raw <= 2.5 * m && empty > 0 {
            m * (m / empty as f64).ln()
        } else {
            raw
        };
        estimate.round() as u64
    }

    /// Takes what `fresh` has counted in the place of everything before.
    pub(crate) fn replace(&self, fresh: &Sketch) {
        for (old, new) in self.registers.iter().zip(&fresh.registers) {
            old.store(new.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Counts a key of several values in the sketches for each number of its first values.
pub(crate) fn note(sketches: &[Sketch], key: &[u8]) {
    match sketches {
        [] => {}
        [only] => only.add(key),
        several => {
            let mut end = 0;
            for sketch in several {
                end += sort_key::first_len(&key[end..]);
                sketch.add(&key[..end]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_within_a_tenth() {
        let sketch = Sketch::default();
        assert_eq!(sketch.estimate(), 0);
        let mut counted = 0u64;
        for step in [1u64, 9, 90, 900, 9_000, 90_000, 900_000] {
            for _ in 0..step {
                counted += 1;
                sketch.add(&counted.to_be_bytes());
                sketch.add(&counted.to_be_bytes());
            }
            let estimate = sketch.estimate() as f64;
            assert!(
                (estimate - counted as f64).abs() <= (counted as f64 * 0.1).max(1.0),
                "{estimate} for {counted}"
            );
        }
    }
}
