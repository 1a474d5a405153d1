//! The horizon and the active snapshots: what anyone may still read at (design D6, the first of the two clocks).
//!
//! Owned here: what each core publishes of its active snapshots, each core's list behind it, and [`Active`], all of them at one
//! moment. Called by `core` and `txn` (transactions begin and end), `settle` and `prune` (what may be forgotten).
//! Always holds: each active snapshot is published, by itself or as part of what its core publishes as "all from here on"; the horizon is at
//! most every active snapshot and at most the visible watermark, so no future snapshot falls below it either. Beginning
//! publishes, fences, and reads the watermark again until it has not moved; asking reads the watermark, fences, and then reads what is
//! published: whichever fence comes first, one side sees the other. So an answer stays good for ever: what it says nobody
//! needs, nobody is going to need.
//! Left to others: which watermark a transaction starts at (visible or sealed; sealed is never below visible).

use crate::ids::CommitSeq;
use crate::stamp::IN_FLIGHT;
use crate::sync::{AtomicU64, Ordering, Padded, fence};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const NONE: u64 = u64::MAX;

/// Snapshots that a core publishes one by one; with the two bounds they fill two cache lines.
const PLACES: usize = if cfg!(loom) { 2 } else { 14 };

/// What a core publishes.
#[derive(Debug)]
struct Published {
    oldest: AtomicU64,
    /// Everything from here on counts as active: the least of the snapshots that have no place.
    from: AtomicU64,
    each: [AtomicU64; PLACES],
}

impl Default for Published {
    fn default() -> Published {
        let none = || AtomicU64::new(NONE);
        Published {
            oldest: none(),
            from: none(),
            each: std::array::from_fn(|_| none()),
        }
    }
}

/// Where a core publishes a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By itself.
    At(u8),
    /// With all that is newer, from this number on.
    From(u64),
}

/// See the module. `FENCED` is false only in the model that shows what the fence is for.
#[derive(Debug)]
pub(crate) struct Horizon<const FENCED: bool = true> {
    cores: Box<[Padded<Published>]>,
}

/// The snapshots that were active at one moment, and all that may begin later.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    /// Ascending, each once.
    snapshots: SmallVec<[u64; 16]>,
    /// From here on any number may be somebody's snapshot.
    open: u64,
}

impl Active {
    /// The least snapshot that anyone may read at.
    pub(crate) fn horizon(&self) -> CommitSeq {
        let oldest = self.snapshots.first().copied().unwrap_or(NONE);
        CommitSeq(oldest.min(self.open))
    }

    /// Below this, snapshots are known one by one.
    pub(crate) fn open(&self) -> CommitSeq {
        CommitSeq(self.open)
    }

    /// Whether some snapshot sees what was made by commit `from` and replaced or deleted by commit `to`. Either stamp may
    /// still name a commit cell, also of a transaction that has its number already: what it marks is needed.
    #[inline]
    pub(crate) fn needs(&self, from: u64, to: u64) -> bool {
        if to > self.open || from >= IN_FLIGHT {
            return true;
        }
        let next = self.snapshots.partition_point(|&snapshot| snapshot < from);
        self.snapshots
            .get(next)
            .is_some_and(|&snapshot| snapshot < to)
    }
}

impl<const FENCED: bool> Horizon<FENCED> {
    /// For `cores` cores, nothing active.
    pub(crate) fn new(cores: usize) -> Horizon<FENCED> {
        Horizon {
            cores: (0..cores).map(|_| Padded(Published::default())).collect(),
        }
    }

    /// The horizon, given how to read the visible watermark.
    pub(crate) fn now(&self, visible: impl FnOnce() -> u64) -> CommitSeq {
        let visible = visible();
        if FENCED {
            fence(Ordering::SeqCst);
        }
        let oldest = |core: &Padded<Published>| core.0.oldest.load(Ordering::Acquire);
        CommitSeq(
            self.cores
                .iter()
                .map(oldest)
                .min()
                .unwrap_or(NONE)
                .min(visible),
        )
    }

    /// All active snapshots, given how to read the visible watermark.
    pub(crate) fn active(&self, visible: impl FnOnce() -> u64) -> Active {
        let mut open = visible();
        if FENCED {
            fence(Ordering::SeqCst);
        }
        let mut snapshots = SmallVec::new();
        for core in &self.cores {
            open = open.min(core.0.from.load(Ordering::Acquire));
            let each = core.0.each.iter().map(|s| s.load(Ordering::Acquire));
            snapshots.extend(each.filter(|&snapshot| snapshot != NONE));
        }
        snapshots.sort_unstable();
        snapshots.dedup();
        Active { snapshots, open }
    }

    /// Publishes a snapshot at what `watermark` reads, at a place of its own or with all that is newer; `floor` is the oldest
    /// that the core publishes already.
    pub(crate) fn announce(
        &self,
        core: usize,
        place: Place,
        floor: u64,
        watermark: impl Fn() -> u64,
    ) -> u64 {
        let published = &self.cores[core].0;
        let mut snapshot = watermark();
        loop {
            match place {
                Place::At(at) => published.each[usize::from(at)].store(snapshot, Ordering::Relaxed),
                Place::From(others) => published
                    .from
                    .store(others.min(snapshot), Ordering::Relaxed),
            }
            published
                .oldest
                .store(floor.min(snapshot), Ordering::Relaxed);
            if FENCED {
                fence(Ordering::SeqCst);
            }
            let now = watermark();
            if now == snapshot {
                return snapshot;
            }
            snapshot = now;
        }
    }

    /// Publishes that a snapshot is over: its place, the core's oldest, and from where on all count, as they are without it.
    fn withdraw(&self, core: usize, place: Option<u8>, oldest: u64, from: u64) {
        let published = &self.cores[core].0;
        if let Some(at) = place {
            published.each[usize::from(at)].store(NONE, Ordering::Release);
        }
        published.from.store(from, Ordering::Release);
        published.oldest.store(oldest, Ordering::Release);
    }
}

/// How an active snapshot is held and published.
struct Holding {
    transactions: u32,
    /// `None`: with all that is newer.
    place: Option<u8>,
}

/// A core's active snapshots.
#[derive(Default)]
pub(crate) struct Snapshots(RefCell<Held>);

#[derive(Default)]
struct Held {
    active: BTreeMap<u64, Holding>,
    /// One bit a place that is taken.
    places: u16,
}

impl Held {
    fn oldest(&self) -> u64 {
        self.active.keys().next().copied().unwrap_or(NONE)
    }

    fn from(&self) -> u64 {
        let placeless = self.active.iter().find(|(_, held)| held.place.is_none());
        placeless.map_or(NONE, |(&snapshot, _)| snapshot)
    }
}

impl Snapshots {
    /// A snapshot at what `watermark` reads, held until [`Snapshots::end`].
    pub(crate) fn begin(
        &self,
        horizon: &Horizon,
        core: usize,
        watermark: impl Fn() -> u64,
    ) -> CommitSeq {
        let held = &mut *self.0.borrow_mut();
        let now = watermark();
        if let Some(holding) = held.active.get_mut(&now) {
            // Published already, and only this core withdraws it.
            holding.transactions += 1;
            return CommitSeq(now);
        }
        let place = (0..PLACES as u8).find(|at| held.places & 1 << at == 0);
        let published = place.map_or(Place::From(held.from()), Place::At);
        let snapshot = horizon.announce(core, published, held.oldest(), watermark);
        match held.active.entry(snapshot) {
            Entry::Vacant(vacant) => {
                vacant.insert(Holding {
                    transactions: 1,
                    place,
                });
                held.places |= place.map_or(0, |at| 1 << at);
            }
            Entry::Occupied(mut occupied) => {
                // The watermark has moved to one that is held: its publication serves both.
                occupied.get_mut().transactions += 1;
                horizon.withdraw(core, place, held.oldest(), held.from());
            }
        }
        CommitSeq(snapshot)
    }

    /// One more holder of a snapshot that is active already.
    pub(crate) fn hold(&self, snapshot: CommitSeq) {
        self.0
            .borrow_mut()
            .active
            .get_mut(&snapshot.0)
            .expect("an active snapshot is in its core's list")
            .transactions += 1;
    }

    /// A transaction that began at `snapshot` is over.
    pub(crate) fn end(&self, horizon: &Horizon, core: usize, snapshot: CommitSeq) {
        let held = &mut *self.0.borrow_mut();
        let holding = held
            .active
            .get_mut(&snapshot.0)
            .expect("an active snapshot is in its core's list");
        holding.transactions -= 1;
        if holding.transactions == 0 {
            let place = holding.place;
            held.active.remove(&snapshot.0);
            held.places &= !place.map_or(0, |at| 1 << at);
            horizon.withdraw(core, place, held.oldest(), held.from());
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A transaction begins while the watermark moves and someone asks what is needed, to prune by it.
    fn begin_and_prune<const FENCED: bool>(
        place: Place,
        needed: fn(&Horizon<FENCED>, u64, u64) -> bool,
    ) {
        loom::model(move || {
            let horizon: Arc<Horizon<FENCED>> = Arc::new(Horizon::new(1));
            let visible = Arc::new(AtomicU64::new(1));
            let pruner = {
                let (horizon, visible) = (horizon.clone(), visible.clone());
                thread::spawn(move || {
                    visible.store(2, Ordering::Release);
                    // What commit 1 made and commit 2 replaced.
                    needed(&horizon, 1, visible.load(Ordering::Acquire))
                })
            };
            let snapshot = horizon.announce(0, place, NONE, || visible.load(Ordering::Acquire));
            let needed = pruner.join().unwrap();
            assert!(
                snapshot >= 2 || needed,
                "versions that a snapshot needs were pruned"
            );
        });
    }

    fn by_horizon<const FENCED: bool>(horizon: &Horizon<FENCED>, from: u64, visible: u64) -> bool {
        horizon.now(|| visible).0 <= from
    }

    fn by_snapshots<const FENCED: bool>(
        horizon: &Horizon<FENCED>,
        from: u64,
        visible: u64,
    ) -> bool {
        horizon.active(|| visible).needs(from, visible)
    }

    #[test]
    fn loom_the_horizon_never_passes_a_snapshot_that_begins() {
        begin_and_prune::<true>(Place::At(0), by_horizon);
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_without_its_fence_the_horizon_can_pass_a_snapshot() {
        begin_and_prune::<false>(Place::At(0), by_horizon);
    }

    #[test]
    fn loom_nothing_is_pruned_between_snapshots_that_one_that_begins_needs() {
        begin_and_prune::<true>(Place::At(1), by_snapshots);
        begin_and_prune::<true>(Place::From(NONE), by_snapshots);
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_without_its_fence_a_snapshot_that_begins_can_be_overlooked() {
        begin_and_prune::<false>(Place::At(1), by_snapshots);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn active(horizon: &Horizon, visible: u64) -> Active {
        horizon.active(|| visible)
    }

    #[test]
    fn what_lies_between_two_snapshots_is_needed_by_neither() {
        let (horizon, core) = (Horizon::new(2), Snapshots::default());
        core.begin(&horizon, 0, || 10);
        core.begin(&horizon, 0, || 20);
        let active = active(&horizon, 30);
        assert_eq!((active.horizon().0, active.open().0), (10, 30));
        let table = [
            // made, replaced, needed
            (0, 10, false),
            (0, 11, true),
            (10, 11, true),
            (11, 20, false),
            (11, 21, true),
            (21, 30, false),
            (21, 31, true),
            (5, 5, false),
        ];
        for (from, to, needed) in table {
            assert_eq!(active.needs(from, to), needed, "{from}..{to}");
        }
    }

    #[test]
    fn snapshots_beyond_the_places_count_as_all_from_there_on_and_end_like_others() {
        let (horizon, core) = (Horizon::new(1), Snapshots::default());
        let begun: Vec<CommitSeq> = (0..PLACES as u64 + 5)
            .map(|n| core.begin(&horizon, 0, || 100 + 10 * n))
            .collect();
        let placeless = begun[PLACES].0;
        let now = active(&horizon, 1000);
        assert_eq!((now.horizon().0, now.open().0), (100, placeless));
        assert!(!now.needs(101, 110) && now.needs(placeless + 1, placeless + 2));
        // One that is held twice stays until both have ended.
        core.hold(begun[0]);
        core.end(&horizon, 0, begun[0]);
        assert_eq!(active(&horizon, 1000).horizon(), begun[0]);
        core.end(&horizon, 0, begun[0]);
        assert_eq!(active(&horizon, 1000).horizon(), begun[1]);
        for &snapshot in &begun[1..] {
            core.end(&horizon, 0, snapshot);
        }
        let now = active(&horizon, 1000);
        assert_eq!((now.horizon().0, now.open().0), (1000, 1000));
        assert!(!now.needs(0, 1000));
    }

    #[test]
    fn a_watermark_that_moves_to_a_snapshot_in_use_gives_its_place_back() {
        let (horizon, core) = (Horizon::new(1), Snapshots::default());
        // Begun at the sealed watermark, ahead of the visible one.
        core.begin(&horizon, 0, || 7);
        let looks = std::cell::Cell::new(5);
        let moving = || {
            looks.set((looks.get() + 1).min(7));
            looks.get()
        };
        let again = core.begin(&horizon, 0, moving);
        assert_eq!(again, CommitSeq(7));
        assert_eq!(active(&horizon, 9).snapshots.as_slice(), [7]);
        core.end(&horizon, 0, again);
        assert_eq!(active(&horizon, 9).snapshots.as_slice(), [7]);
        core.end(&horizon, 0, again);
        assert_eq!(active(&horizon, 9).snapshots.as_slice(), [0; 0]);
    }
}
