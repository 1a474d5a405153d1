//! A log position that one core writes and any core reads.
//!
//! Owns one kind of shared cell. Written by the holder of the baton after each group, read by hellos,
//! acknowledgements, statements that show state. What always holds: a reader sees one whole position
//! that was stored, and positions in the order they were stored. A sequence lock over atomics: the
//! count is odd while a store is under way; a reader whose two looks at it differ tries again.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::CommitSeq;
use crate::position::{Chain, GroupSeq, Incarnation, LogPosition, Term};

pub(crate) struct PositionCell {
    /// Even when at rest. The store of an even value (release) publishes the words below to a reader
    /// whose first look (acquire) sees it.
    count: AtomicU64,
    words: [AtomicU64; 7],
}

impl PositionCell {
    pub(crate) fn new() -> PositionCell {
        PositionCell {
            count: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; 7],
        }
    }

    /// Stores `position`. One caller at a time: the holder of a baton.
    pub(crate) fn store(&self, position: &LogPosition) {
        let count = self.count.load(Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        // The odd count is seen by whoever sees one of the words below.
        fence(Ordering::Release);
        let values = [
            position.term.counter,
            position.term.id,
            position.incarnation.number,
            position.incarnation.id,
            position.group.0,
            position.commit.0,
            position.chain.0,
        ];
        for (word, value) in self.words.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        self.count.store(count + 2, Ordering::Release);
    }

    /// The position stored last.
    pub(crate) fn load(&self) -> LogPosition {
        loop {
            let before = self.count.load(Ordering::Acquire);
            let [counter, term, number, incarnation, group, commit, chain] =
                std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.count.load(Ordering::Relaxed) == before {
                return LogPosition {
                    term: Term { counter, id: term },
                    incarnation: Incarnation {
                        number,
                        id: incarnation,
                    },
                    group: GroupSeq(group),
                    commit: CommitSeq(commit),
                    chain: Chain(chain),
                };
            }
            std::hint::spin_loop();
        }
    }

    /// The commit number alone: one load, never torn.
    pub(crate) fn commit(&self) -> CommitSeq {
        CommitSeq(self.words[5].load(Ordering::Acquire))
    }

    /// The group number alone.
    pub(crate) fn group(&self) -> GroupSeq {
        GroupSeq(self.words[4].load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_position() {
        let cell = PositionCell::new();
        let rounds = 50_000;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=rounds {
                    cell.store(&LogPosition {
                        term: Term { counter: n, id: n },
                        incarnation: Incarnation { number: n, id: n },
                        group: GroupSeq(n),
                        commit: CommitSeq(n),
                        chain: Chain(n),
                    });
                }
            });
            let mut last = 0;
            while last < rounds {
                let seen = cell.load();
                let n = seen.group.0;
                assert!(n >= last);
                assert_eq!(
                    (seen.term.counter, seen.term.id, seen.commit.0, seen.chain.0),
                    (n, n, n, n)
                );
                last = n;
            }
        });
    }
}
