//! Which transactions are run: few keys, hot ones among them, that come and go.
//!
//! Owned here: [`Workload`] (shared by all processes) and [`Plan`]. Always holds: keys retire, so lists stay short; elements are
//! unique; a process's plans depend on its seed and on how far the others are.

use crate::history::{Element, Key};
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys that are in use at a time.
const LIVE: u64 = 6;
/// Transactions after which the oldest key retires.
const TURN: u64 = 24;

/// What a transaction will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// It is rolled back at its end.
    pub rolls_back: bool,
    /// It pauses between its steps.
    pub lingers: bool,
}

/// One planned operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read a list.
    Read(Key),
    /// Append to a list.
    Append(Key, Element),
}

/// What the processes of a run share.
#[derive(Debug, Default)]
pub struct Workload {
    plans: AtomicU64,
    elements: AtomicU64,
}

impl Workload {
    /// The number of keys that `plans` transactions use.
    pub fn keys(plans: u64) -> Key {
        (plans / TURN + LIVE + 1) as Key
    }

    /// The next transaction of a process.
    pub fn next(&self, random: &mut Random) -> Plan {
        let first = self.plans.fetch_add(1, Ordering::Relaxed) / TURN;
        // Each key is half as hot as the one before it.
        let key = |random: &mut Random| {
            (first + u64::from((random.next() | 1 << (LIVE - 1)).trailing_zeros())) as Key
        };
        let append = |key| Step::Append(key, self.elements.fetch_add(1, Ordering::Relaxed) + 1);
        let (a, b, c) = (key(random), key(random), key(random));
        let mut plan = Plan {
            steps: Vec::new(),
            rolls_back: random.below(12) == 0,
            lingers: false,
        };
        plan.steps = match random.below(8) {
            // Reads here, writes there.
            0 => vec![Step::Read(a), append(b)],
            1 => vec![Step::Read(a), Step::Read(b), append(c)],
            // Reads of several keys, at leisure or at once.
            2 => vec![Step::Read(a), Step::Read(b), Step::Read(c)],
            3 => {
                plan.lingers = true;
                vec![Step::Read(a), Step::Read(b), Step::Read(a), Step::Read(c)]
            }
            // Reads what it writes, before and after.
            4 => vec![Step::Read(a), append(a), Step::Read(a)],
            5 => {
                plan.rolls_back |= random.below(3) == 0;
                vec![append(a), Step::Read(a), append(a)]
            }
            // Writes blindly.
            6 => vec![append(a), append(b)],
            _ => (0..1 + random.below(4))
                .map(|_| {
                    let key = key(random);
                    if random.below(2) == 0 {
                        Step::Read(key)
                    } else {
                        append(key)
                    }
                })
                .collect(),
        };
        plan
    }
}

/// Numbers from a seed (xorshift64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}
