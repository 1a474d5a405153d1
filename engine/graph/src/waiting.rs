//! Things that wait until a commit is behind everyone, or until a snapshot has ended, each once.
//!
//! Owned here: [`Waiting`] and [`Held`]. Called by `prune`, `housekeeping`, `index` and `adjacency`, for what a core looks at later.
//! Always holds: a thing stands in a [`Waiting`] once, in a [`Held`] once a snapshot, so they are bounded by how many things and snapshots
//! there are, not by how often things change; what is taken out is forgotten, and whoever finds that it has to wait for more puts it in
//! again.

use crate::horizon::Active;
use crate::ids::CommitSeq;
use hashbrown::HashSet;
use std::collections::{BTreeMap, VecDeque};
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

    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.capacity() * size_of::<(CommitSeq, T)>() + self.known.allocation_size()
    }
}

/// Things of which active snapshots need something, by the snapshot that each waits for. A snapshot of an hour keeps only what it sees
/// itself: what others have needed besides is looked at when they end.
pub(crate) struct Held<T> {
    by: BTreeMap<u64, Waiting<T>>,
}

impl<T> Default for Held<T> {
    fn default() -> Held<T> {
        Held {
            by: BTreeMap::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Held<T> {
    /// A thing waits for a snapshot to end.
    pub(crate) fn push(&mut self, snapshot: CommitSeq, thing: T) {
        let things = self.by.entry(snapshot.0).or_default();
        things.push(CommitSeq(0), thing);
    }

    /// The first snapshot things wait for that has ended.
    fn ended(&self, active: &Active) -> Option<u64> {
        let mut snapshots = self.by.keys().copied();
        snapshots.find(|&snapshot| !active.holds(snapshot))
    }

    /// Something whose snapshot has ended.
    pub(crate) fn pop(&mut self, active: &Active) -> Option<T> {
        let snapshot = self.ended(active)?;
        let things = self.by.get_mut(&snapshot)?;
        let thing = things.pop(CommitSeq(0));
        if things.is_empty() {
            self.by.remove(&snapshot);
        }
        thing
    }

    /// Whether [`Held::pop`] would give something.
    pub(crate) fn is_due(&self, active: &Active) -> bool {
        self.ended(active).is_some()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let things = self.by.values().map(Waiting::bytes);
        things.map(|bytes| bytes + size_of::<Waiting<T>>()).sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::horizon::{Horizon, Snapshots};

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

    #[test]
    fn a_thing_waits_once_for_each_snapshot_and_comes_when_that_has_ended() {
        let horizon: Horizon = Horizon::new(1);
        let core = Snapshots::default();
        let [old, young] = [5, 9].map(|now| core.begin(&horizon, 0, || now));
        let active = || horizon.active(|| 20);
        let mut held = Held::default();
        for _ in 0..100 {
            held.push(old, 'a');
            held.push(young, 'a');
            held.push(young, 'b');
        }
        assert!(!held.is_due(&active()));
        assert_eq!(held.pop(&active()), None);
        core.end(&horizon, 0, young);
        assert!(held.is_due(&active()));
        assert_eq!(
            [
                held.pop(&active()),
                held.pop(&active()),
                held.pop(&active())
            ],
            [Some('a'), Some('b'), None]
        );
        core.end(&horizon, 0, old);
        assert_eq!(held.pop(&active()), Some('a'));
        assert!(held.is_empty());
    }
}
