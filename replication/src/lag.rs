//! How long a commit has been durable here: the clock behind `lag_seconds`.
//!
//! Owns samples "commit c was durable at time t" in four rings of coarser and coarser spacing. Written by
//! whichever core leads (one at a time), read by `SHOW REPLICAS` on any core. Always: the age given for a commit is
//! that of the oldest sample newer than it (of the newest sample, if none is newer), so it errs by one spacing at most, and never below the newest ring's
//! span: what is older than all samples is as old as the oldest.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use quoit_log::CommitSeq;

/// Samples a ring.
const LEN: usize = 256;

/// Nanoseconds between samples: 5 ms, 100 ms, 2 s, 40 s; so a ring covers 1.3 s, 26 s, 8.5 min, 2.8 h.
const SPACINGS_NS: [u64; 4] = [5_000_000, 100_000_000, 2_000_000_000, 40_000_000_000];

pub(crate) struct LagClock {
    rings: [Ring; SPACINGS_NS.len()],
}

struct Ring {
    /// Samples written so far.
    count: AtomicU64,
    samples: Box<[(AtomicU64, AtomicU64)]>,
}

impl LagClock {
    pub fn new() -> LagClock {
        let ring = || Ring {
            count: AtomicU64::new(0),
            samples: (0..LEN)
                .map(|_| (AtomicU64::new(0), AtomicU64::new(0)))
                .collect(),
        };
        LagClock {
            rings: std::array::from_fn(|_| ring()),
        }
    }

    /// `commit` has become durable. Called in the order of commits.
    pub fn durable(&self, commit: CommitSeq, now_ns: u64) {
        for (ring, spacing) in self.rings.iter().zip(SPACINGS_NS) {
            let count = ring.count.load(Relaxed);
            if count > 0 {
                let (_, last_ns) = &ring.samples[(count - 1) as usize % LEN];
                if now_ns < last_ns.load(Relaxed) + spacing {
                    return;
                }
            }
            let (seq, at) = &ring.samples[count as usize % LEN];
            seq.store(commit.0, Relaxed);
            at.store(now_ns, Relaxed);
            ring.count.store(count + 1, Release);
        }
    }

    /// For how long there has been a durable commit newer than `acked`, in nanoseconds. Only to be asked when there is
    /// one.
    pub fn age_ns(&self, acked: CommitSeq, now_ns: u64) -> u64 {
        let mut oldest = None;
        for ring in &self.rings {
            let count = ring.count.load(Acquire);
            let kept = count.min(LEN as u64 - 1);
            if oldest.is_none() && count > 0 {
                // A commit within a spacing of the newest sample has none of its own.
                oldest = Some(ring.samples[(count - 1) as usize % LEN].1.load(Relaxed));
            }
            let mut reaches_back = false;
            for i in (count - kept..count).rev() {
                let (seq, at) = &ring.samples[i as usize % LEN];
                if seq.load(Relaxed) <= acked.0 {
                    reaches_back = true;
                    break;
                }
                oldest = Some(oldest.unwrap_or(u64::MAX).min(at.load(Relaxed)));
            }
            if reaches_back {
                break;
            }
        }
        oldest.map_or(0, |at| now_ns.saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_what_is_outstanding_is_known_within_a_spacing_however_old_it_is() {
        let clock = LagClock::new();
        let ms = 1_000_000;
        // A commit every 10 ms for 1,000 s.
        for commit in 1..=100_000u64 {
            clock.durable(CommitSeq(commit), commit * 10 * ms);
        }
        let now = 100_000 * 10 * ms;
        for (acked, spacing) in [
            (99_999, 10 * ms),
            (99_900, 10 * ms),
            (99_000, 110 * ms),
            (90_000, 2010 * ms),
            (10_000, 40_010 * ms),
        ] {
            let age = clock.age_ns(CommitSeq(acked), now);
            let exact = now - (acked + 1) * 10 * ms;
            assert!(
                age <= exact && age + spacing >= exact,
                "acked {acked}: {age} for {exact}"
            );
        }
    }

    #[test]
    fn a_lone_commit_ages_from_its_own_moment() {
        let clock = LagClock::new();
        clock.durable(CommitSeq(1), 1_000);
        assert_eq!(clock.age_ns(CommitSeq(0), 5_000), 4_000);
    }
}
