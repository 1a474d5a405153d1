//! The horizon: the oldest snapshot that anyone may still read at (design D6, the first of the two clocks).
//!
//! Owned here: one published "oldest active snapshot" a core, and each core's list behind it. Called by `core` (transactions begin and
//! end) and `settle` (what may be forgotten).
//! Always holds: the horizon is at most every active snapshot and at most the visible watermark, so no future snapshot
//! falls below it either. Beginning stores the slot, fences, and reads the watermark again until it has not moved; asking for the
//! horizon reads the watermark, fences, and then reads the slots: whichever fence comes first, one side sees the other.
//! Left to others: which watermark a transaction starts at (visible or sealed; sealed is never below visible).

use crate::ids::CommitSeq;
use crate::sync::{AtomicU64, Ordering, Padded, fence};
use std::cell::RefCell;
use std::collections::BTreeMap;

const NONE: u64 = u64::MAX;

/// One slot a core. `FENCED` is false only in the model that shows what the fence is for.
#[derive(Debug)]
pub(crate) struct Horizon<const FENCED: bool = true> {
    oldest: Box<[Padded<AtomicU64>]>,
}

impl<const FENCED: bool> Horizon<FENCED> {
    /// Slots for `cores` cores, none active.
    pub(crate) fn new(cores: usize) -> Horizon<FENCED> {
        Horizon {
            oldest: (0..cores).map(|_| Padded(AtomicU64::new(NONE))).collect(),
        }
    }

    /// The horizon, given how to read the visible watermark.
    pub(crate) fn now(&self, visible: impl FnOnce() -> u64) -> CommitSeq {
        let visible = visible();
        if FENCED {
            fence(Ordering::SeqCst);
        }
        CommitSeq(
            self.oldest
                .iter()
                .map(|slot| slot.0.load(Ordering::Acquire))
                .min()
                .unwrap_or(NONE)
                .min(visible),
        )
    }

    /// Publishes a snapshot at what `watermark` reads, beside others of the core of which `floor` is the oldest.
    pub(crate) fn announce(&self, slot: usize, floor: u64, watermark: impl Fn() -> u64) -> u64 {
        let mut snapshot = watermark();
        while snapshot < floor {
            self.oldest[slot].0.store(snapshot, Ordering::Relaxed);
            if FENCED {
                fence(Ordering::SeqCst);
            }
            let now = watermark();
            if now == snapshot {
                return snapshot;
            }
            snapshot = now;
        }
        // The older announcement stands, and covers this one.
        self.set(slot, floor);
        snapshot
    }

    fn set(&self, slot: usize, oldest: u64) {
        self.oldest[slot].0.store(oldest, Ordering::Release);
    }
}

/// A core's active snapshots, how many transactions hold each.
#[derive(Default)]
pub(crate) struct Snapshots(RefCell<BTreeMap<u64, u32>>);

impl Snapshots {
    /// A snapshot at what `watermark` reads, held until [`Snapshots::end`].
    pub(crate) fn begin(
        &self,
        horizon: &Horizon,
        slot: usize,
        watermark: impl Fn() -> u64,
    ) -> CommitSeq {
        let mut active = self.0.borrow_mut();
        let floor = active.keys().next().copied().unwrap_or(NONE);
        let snapshot = horizon.announce(slot, floor, watermark);
        *active.entry(snapshot).or_insert(0) += 1;
        CommitSeq(snapshot)
    }

    /// One more holder of a snapshot that is active already.
    pub(crate) fn hold(&self, snapshot: CommitSeq) {
        *self
            .0
            .borrow_mut()
            .get_mut(&snapshot.0)
            .expect("an active snapshot is in its core's list") += 1;
    }

    /// A transaction that began at `snapshot` is over.
    pub(crate) fn end(&self, horizon: &Horizon, slot: usize, snapshot: CommitSeq) {
        let mut active = self.0.borrow_mut();
        let count = active
            .get_mut(&snapshot.0)
            .expect("an active snapshot is in its core's list");
        *count -= 1;
        if *count == 0 {
            active.remove(&snapshot.0);
            horizon.set(slot, active.keys().next().copied().unwrap_or(NONE));
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A transaction begins while the watermark moves and someone asks for the horizon, to prune by it.
    fn begin_and_prune<const FENCED: bool>() {
        loom::model(|| {
            let horizon: Arc<Horizon<FENCED>> = Arc::new(Horizon::new(1));
            let visible = Arc::new(AtomicU64::new(1));
            let pruner = {
                let (horizon, visible) = (horizon.clone(), visible.clone());
                thread::spawn(move || {
                    visible.store(2, Ordering::Release);
                    horizon.now(|| visible.load(Ordering::Acquire)).0
                })
            };
            let snapshot = horizon.announce(0, NONE, || visible.load(Ordering::Acquire));
            let pruned_by = pruner.join().unwrap();
            assert!(
                pruned_by <= snapshot,
                "versions that a snapshot needs were pruned"
            );
        });
    }

    #[test]
    fn loom_the_horizon_never_passes_a_snapshot_that_begins() {
        begin_and_prune::<true>();
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_without_its_fence_the_horizon_can_pass_a_snapshot() {
        begin_and_prune::<false>();
    }
}
