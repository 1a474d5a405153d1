//! Generated texts and queries: what parser, planner and executor must answer whatever comes, and answer alike however it is planned.
//!
//! Owned here: the draws, the generators, the arrangements of one graph, the budget. Called by this crate's tests, which are part of
//! the ordinary ones with a budget of seconds; `QUOIT_FUZZ_SECONDS` asks for a longer run, `QUOIT_FUZZ_SEED` for one seed. Always
//! holds: a seed gives the same texts on every machine, so what fails can be seen again.

pub mod arrangement;
pub mod expression;
pub mod graph;
pub mod query;
pub mod text;

use std::time::{Duration, Instant};

/// Draws by splitmix64 (Steele, Lea, Flood 2014).
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// A number of a range, both ends in it.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as usize) as i64
    }

    pub fn chance(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// How long a test goes on, and with which seeds.
pub struct Budget {
    end: Instant,
    next: u64,
    only: Option<u64>,
}

impl Budget {
    /// `seconds` if the environment does not ask for more. Seeds begin at the same number in every run.
    pub fn new(seconds: u64) -> Budget {
        let asked = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seconds = asked("QUOIT_FUZZ_SECONDS").unwrap_or(seconds);
        let only = asked("QUOIT_FUZZ_SEED");
        Budget {
            end: Instant::now() + Duration::from_secs(seconds),
            next: only.unwrap_or(1),
            only,
        }
    }
}

impl Iterator for Budget {
    type Item = u64;

    /// At least one, then until the time is over.
    fn next(&mut self) -> Option<u64> {
        let seed = self.next;
        let is_first = seed == self.only.unwrap_or(1);
        if !is_first && (self.only.is_some() || Instant::now() >= self.end) {
            return None;
        }
        self.next += 1;
        Some(seed)
    }
}
