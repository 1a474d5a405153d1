//! Things that wait until a commit is behind everyone, each once.
//!
//! Owned here: [`Waiting`]. Called by `prune`, `housekeeping` and `index`, for what a core looks at later.
//! Always holds: a thing stands in it once, so it is bounded by how many things there are, not by how often they change; what is
//! taken out is forgotten, and whoever finds that it has to wait for more puts it in again.

use crate::ids::CommitSeq;
use hashbrown::HashSet;
use std::collections::VecDeque;
use std::hash::Hash;

/// A list with room for this many things or fewer keeps it.
const ROOM_KEPT: usize = 4096;

/// See the module.
pub(crate) struct Waiting<T> {
    queue: VecDeque<(CommitSeq, T)>,
    known: HashSet<T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Waiting<T> {
        Waiting {
            queue: VecDeque::new(),
            known: HashSet::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Waiting<T> {
    /// A thing waits for a commit, unless it waits already: then for that one.
    pub(crate) fn push(&mut self, seq: CommitSeq, thing: T) {
        if self.known.insert(thing) {
            self.queue.push_back((seq, thing));
        }
    }

    /// The first thing, if its commit is at or below `reached`. Commits come about in order; a later one in front only waits.
    pub(crate) fn pop(&mut self, reached: CommitSeq) -> Option<T> {
        let (_, thing) = self.queue.pop_front_if(|(seq, _)| *seq <= reached)?;
        self.known.remove(&thing);
        if self.queue.capacity() > ROOM_KEPT && self.queue.len() < self.queue.capacity() / 4 {
            let room = self.queue.capacity() / 2;
            self.queue.shrink_to(room);
            self.known.shrink_to(room);
        }
        Some(thing)
    }

    /// Whether [`Waiting::pop`] would give something.
    pub(crate) fn is_due(&self, reached: CommitSeq) -> bool {
        self.queue.front().is_some_and(|(seq, _)| *seq <= reached)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_thing_that_changes_all_the_time_waits_once() {
        let mut waiting = Waiting::default();
        for seq in 1..=100_000 {
            waiting.push(CommitSeq(seq), seq % 3);
        }
        assert_eq!(waiting.queue.len(), 3);
        assert_eq!(waiting.pop(CommitSeq(0)), None);
        assert_eq!(waiting.pop(CommitSeq(1)), Some(1));
        assert!(!waiting.is_due(CommitSeq(1)));
        waiting.push(CommitSeq(9), 1);
        assert_eq!(waiting.pop(CommitSeq(9)), Some(2));
        assert_eq!(waiting.pop(CommitSeq(9)), Some(0));
        assert_eq!(waiting.pop(CommitSeq(9)), Some(1));
        assert!(waiting.is_empty());
    }

    #[test]
    fn room_for_many_goes_when_few_are_left() {
        let mut waiting = Waiting::default();
        for thing in 0..100_000u64 {
            waiting.push(CommitSeq(thing), thing);
        }
        while waiting.pop(CommitSeq(99_990)).is_some() {}
        assert!(waiting.queue.capacity() <= ROOM_KEPT && waiting.known.capacity() <= 2 * ROOM_KEPT);
    }
}
