//! The budget: how much a graph's cores may use together, dealt in slices (design D6).
//!
//! Owned here: the limit, what cores have taken of it, what the process uses besides, and the reserve. Called by `heap` (a core's
//! credit) and `account`.
//! A core has a credit: bytes it has taken from the budget and not used. Allocation uses it up and freeing adds to it; below zero
//! or two slices above what the operation at work was admitted to the core settles with the budget, so that the budget's one atomic is touched once for many allocations.
//! Always holds: what is taken is at least what is used, by at most [`CREDIT_MAX`] a core and what was admitted; an operation that is admitted never
//! takes more than the limit less the reserve; housekeeping and undoing may take more (`Budget::take`), so they never fail.
//! Left to others: asking before an operation begins (`txn`, `query`).

use crate::sync::{AtomicI64, AtomicU64, Ordering, Padded};

/// What a core takes at once, in bytes.
pub(super) const SLICE: i64 = 256 << 10;
/// What a core keeps at most, in bytes, unless an operation that asked for more is at work.
pub(super) const CREDIT_MAX: i64 = 2 * SLICE;

/// No limit.
const NONE: u64 = u64::MAX;
/// The reserve is this part of the limit, within [`RESERVE_MIN`] and [`RESERVE_MAX`].
const RESERVE_PART: u64 = 16;
const RESERVE_MIN: u64 = 1 << 20;
const RESERVE_MAX: u64 = 64 << 20;

/// The memory limit has been reached: what was asked for has not been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "memory limit exceeded: {} more would put the use at {}, while the limit is {} (of which {} are kept for undoing)",
    Size(*.wanted), Size(*.wanted + *.used), Size(*.limit), Size(*.reserve)
)]
pub struct MemoryLimitExceeded {
    /// Bytes asked for.
    pub wanted: u64,
    /// Bytes in use, counted over all cores.
    pub used: u64,
    /// The limit in bytes.
    pub limit: u64,
    /// Bytes of the limit that only undoing and housekeeping may use.
    pub reserve: u64,
}

/// Bytes for people: the largest unit in which the number is at least one.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let unit = (self.0.max(1).ilog2() / 10).min(4) as usize;
        if unit == 0 {
            return write!(f, "{} B", self.0);
        }
        write!(
            f,
            "{:.2} {}",
            self.0 as f64 / (1_u64 << (10 * unit)) as f64,
            UNITS[unit]
        )
    }
}

/// See the module. `STEPWISE` is true only in the model that shows what taking in one step is for.
#[derive(Debug)]
pub(crate) struct Budget<const STEPWISE: bool = false> {
    taken: Padded<AtomicI64>,
    /// Changed rarely, read when a slice is taken.
    limit: Padded<AtomicU64>,
    unaccounted: AtomicU64,
}

impl<const STEPWISE: bool> Budget<STEPWISE> {
    /// Without a limit.
    pub(super) fn new() -> Budget<STEPWISE> {
        Budget {
            taken: Padded(AtomicI64::new(0)),
            limit: Padded(AtomicU64::new(NONE)),
            unaccounted: AtomicU64::new(0),
        }
    }

    /// The limit in bytes.
    pub(crate) fn limit(&self) -> Option<u64> {
        Some(self.limit.0.load(Ordering::Relaxed)).filter(|&limit| limit != NONE)
    }

    /// Sets the limit; what is above it already stays, and nothing more is admitted.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        self.limit.0.store(limit.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// The part of the limit that operations are not admitted to.
    pub(crate) fn reserve(&self) -> u64 {
        self.limit().map_or(0, |limit| {
            (limit / RESERVE_PART)
                .clamp(RESERVE_MIN, RESERVE_MAX)
                .min(limit / 2)
        })
    }

    /// What the process uses beyond what is counted.
    pub(crate) fn unaccounted(&self) -> u64 {
        self.unaccounted.load(Ordering::Relaxed)
    }

    pub(super) fn set_unaccounted(&self, bytes: u64) {
        self.unaccounted.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that cores have taken.
    #[cfg(all(test, not(loom)))]
    pub(super) fn taken(&self) -> i64 {
        self.taken.0.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, whatever the limit says.
    pub(super) fn take(&self, bytes: i64) {
        self.taken.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives `bytes` back.
    pub(super) fn give_back(&self, bytes: i64) {
        self.taken.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes `bytes` if the limit less the reserve allows.
    pub(super) fn try_take(&self, bytes: i64) -> Result<(), MemoryLimitExceeded> {
        let limit = self.limit.0.load(Ordering::Relaxed);
        if limit == NONE {
            self.take(bytes);
            return Ok(());
        }
        let (unaccounted, reserve) = (self.unaccounted(), self.reserve());
        let mut taken = self.taken.0.load(Ordering::Relaxed);
        loop {
            let used = (taken.max(0) as u64).saturating_add(unaccounted);
            if used.saturating_add(bytes as u64) > limit.saturating_sub(reserve) {
                return Err(MemoryLimitExceeded {
                    wanted: bytes as u64,
                    used,
                    limit,
                    reserve,
                });
            }
            if STEPWISE {
                self.take(bytes);
                return Ok(());
            }
            // Relaxed: the counter stands for itself, nothing is published by it.
            match self.taken.0.compare_exchange(
                taken,
                taken + bytes,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => taken = now,
            }
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Two cores ask for more than there is together.
    fn two_takers<const STEPWISE: bool>() {
        loom::model(|| {
            let budget: Arc<Budget<STEPWISE>> = Arc::new(Budget::new());
            budget.set_limit(Some(8 << 20));
            let room = (8 << 20) - budget.reserve() as i64;
            let other = {
                let budget = budget.clone();
                thread::spawn(move || budget.try_take(room - 1).is_ok())
            };
            let mine = budget.try_take(room - 1).is_ok();
            let theirs = other.join().unwrap();
            assert!(
                budget.taken.0.load(Ordering::Relaxed) <= room,
                "two operations were admitted to the same bytes"
            );
            assert!(mine || theirs);
        });
    }

    #[test]
    fn loom_no_two_cores_are_admitted_to_the_same_bytes() {
        two_takers::<false>();
    }

    #[test]
    #[should_panic(expected = "same bytes")]
    fn loom_looking_and_taking_in_two_steps_admits_both() {
        two_takers::<true>();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn operations_stop_at_the_reserve_and_housekeeping_does_not() {
        let budget: Budget = Budget::new();
        assert!(budget.try_take(1 << 40).is_ok(), "without a limit");
        budget.give_back(1 << 40);
        budget.set_limit(Some(64 << 20));
        assert_eq!(budget.reserve(), 4 << 20);
        assert!(budget.try_take(60 << 20).is_ok());
        let error = budget.try_take(1).unwrap_err();
        assert_eq!(
            (error.used, error.limit, error.wanted),
            (60 << 20, 64 << 20, 1)
        );
        budget.take(4 << 20);
        budget.give_back(8 << 20);
        assert!(budget.try_take(4 << 20).is_ok());
        budget.give_back(4 << 20);
        budget.set_unaccounted(1 << 20);
        assert!(
            budget.try_take(4 << 20).is_err(),
            "what the process uses besides counts too"
        );
    }

    #[test]
    fn a_refusal_says_what_was_asked_for_in_units_of_people() {
        let error = MemoryLimitExceeded {
            wanted: 262_144,
            used: 99 << 20,
            limit: 100 << 20,
            reserve: 6 << 20,
        };
        assert_eq!(
            error.to_string(),
            "memory limit exceeded: 256.00 KiB more would put the use at 99.25 MiB, while the limit is 100.00 MiB \
             (of which 6.00 MiB are kept for undoing)"
        );
    }
}
