//! The horizon and the active snapshots: what anyone may still read at (design D6, the first of the two clocks).
//!
//! Owned here: what each core publishes of its active snapshots, each core's list behind it, and [`Active`], all of them at one
//! moment. Called by `core` and `txn` (transactions begin and end), `settle` and `prune` (what may be forgotten).
//! A core publishes its snapshots in spans, at first each by itself. When its places are taken, the two neighbouring spans with the least
//! between them become one: so however many snapshots there are and however old, what is held back beyond what they see lies
//! between snapshots that began close together, and never behind the newest.
//! Always holds: each active snapshot lies in a published span; the horizon is at most every active snapshot and at most the visible
//! watermark, so no future snapshot falls below it either. Beginning publishes, fences, and reads the watermark again until it has not
//! moved; asking reads the watermark, fences, and then reads what is published: whichever fence comes first, one side sees the
//! other. A span that takes in another is the one that is read later, and is published before the other's place is free: whoever finds
//! the place free finds the larger span. So an answer stays good for ever: what it says nobody needs, nobody is going to need.
//! Left to others: which watermark a transaction starts at (visible or sealed; sealed is never below visible).

use crate::ids::CommitSeq;
use crate::stamp::IN_FLIGHT;
use crate::sync::{AtomicU64, Ordering, Padded, fence};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::BTreeMap;

const NONE: u64 = u64::MAX;

/// Spans that a core publishes; with the oldest snapshot they fill four cache lines.
const PLACES: usize = if cfg!(loom) { 2 } else { 15 };

/// As it is meant to be.
const WHOLE: u8 = 0;
/// Without the fences, for the models that show what they are for.
const UNFENCED: u8 = 1;
/// Spans are read in the order in which they are taken in, likewise.
const MISORDERED: u8 = 2;

/// Snapshots from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn of(snapshot: u64) -> Span {
        Span {
            from: snapshot,
            to: snapshot,
        }
    }

    fn contains(self, snapshot: u64) -> bool {
        (self.from..=self.to).contains(&snapshot)
    }
}

/// What a core publishes.
#[derive(Debug)]
struct Published {
    oldest: AtomicU64,
    /// `from` and `to` of each span; `from` is [`NONE`] where a place is free.
    spans: [(AtomicU64, AtomicU64); PLACES],
}

impl Default for Published {
    fn default() -> Published {
        let none = || AtomicU64::new(NONE);
        Published {
            oldest: none(),
            spans: std::array::from_fn(|_| (none(), none())),
        }
    }
}

impl Published {
    /// Whoever reads the new `from` reads this `to` or a later one; what is read of two states lies around both.
    fn set(&self, place: usize, span: Span) {
        let (from, to) = &self.spans[place];
        to.store(span.to, Ordering::Release);
        from.store(span.from, Ordering::Release);
    }

    fn free(&self, place: usize) {
        self.spans[place].0.store(NONE, Ordering::Release);
    }

    fn span(&self, place: usize) -> Option<Span> {
        let (from, to) = &self.spans[place];
        let from = from.load(Ordering::Acquire);
        let to = to.load(Ordering::Acquire);
        (from != NONE).then_some(Span { from, to })
    }
}

/// See the module. `VARIANT` is [`WHOLE`] but in the models that show what each of its rules is for.
#[derive(Debug)]
pub(crate) struct Horizon<const VARIANT: u8 = WHOLE> {
    cores: Box<[Padded<Published>]>,
}

/// The snapshots that were active at one moment, and all that may begin later.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    /// Ascending, none touching another.
    spans: SmallVec<[Span; 8]>,
    /// From here on any number may be somebody's snapshot.
    open: u64,
}

impl Active {
    fn new(mut spans: SmallVec<[Span; 8]>, open: u64) -> Active {
        spans.sort_unstable_by_key(|span| span.from);
        spans.dedup_by(|later, first| {
            let touch = later.from <= first.to;
            if touch {
                first.to = first.to.max(later.to);
            }
            touch
        });
        Active { spans, open }
    }

    /// The least snapshot that anyone may read at.
    pub(crate) fn horizon(&self) -> CommitSeq {
        let oldest = self.spans.first().map_or(NONE, |span| span.from);
        CommitSeq(oldest.min(self.open))
    }

    /// Below this, snapshots are known.
    pub(crate) fn open(&self) -> CommitSeq {
        CommitSeq(self.open)
    }

    /// Who needs what was made by commit `from` and replaced or deleted by commit `to`. Either stamp may still name a commit cell, also of
    /// a transaction that has its number already: what it marks is needed.
    #[inline]
    pub(crate) fn need(&self, from: u64, to: u64) -> Need {
        if to > self.open || from >= IN_FLIGHT {
            return Need::Undecided;
        }
        let next = self.spans.partition_point(|span| span.to < from);
        match self.spans.get(next) {
            Some(span) if span.from < to => Need::By(CommitSeq(span.from)),
            _ => Need::No,
        }
    }

    /// Whether anyone needs it, or may come to; see [`Active::need`].
    #[inline]
    pub(crate) fn needs(&self, from: u64, to: u64) -> bool {
        self.need(from, to) != Need::No
    }

    /// Whether a snapshot is active, as far as that is known one by one.
    pub(crate) fn holds(&self, snapshot: u64) -> bool {
        let next = self.spans.partition_point(|span| span.to < snapshot);
        let span = self.spans.get(next);
        span.is_some_and(|span| span.contains(snapshot))
    }
}

/// Whether something past is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nobody sees it, now or ever.
    No,
    /// The oldest snapshot that sees it, among others perhaps.
    By(CommitSeq),
    /// Its end is not visible yet: its transaction is in flight, or has left its marks, or waits for the disk.
    Undecided,
}

impl<const VARIANT: u8> Horizon<VARIANT> {
    const FENCED: bool = VARIANT != UNFENCED;

    /// For `cores` cores, nothing active.
    pub(crate) fn new(cores: usize) -> Horizon<VARIANT> {
        Horizon {
            cores: (0..cores).map(|_| Padded(Published::default())).collect(),
        }
    }

    /// The horizon, given how to read the visible watermark.
    pub(crate) fn now(&self, visible: impl FnOnce() -> u64) -> CommitSeq {
        let visible = visible();
        if Self::FENCED {
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
        let open = visible();
        if Self::FENCED {
            fence(Ordering::SeqCst);
        }
        let mut spans = SmallVec::new();
        for core in &self.cores {
            for at in 0..PLACES {
                // The last first: a span is taken in by one before it.
                let at = if VARIANT == MISORDERED {
                    at
                } else {
                    PLACES - 1 - at
                };
                spans.extend(core.0.span(at));
            }
        }
        Active::new(spans, open)
    }

    /// Publishes a snapshot at what `watermark` reads, at a free place; `floor` is the oldest that the core publishes already.
    fn announce(&self, core: usize, place: usize, floor: u64, watermark: impl Fn() -> u64) -> u64 {
        let published = &self.cores[core].0;
        let mut snapshot = watermark();
        loop {
            published.set(place, Span::of(snapshot));
            published
                .oldest
                .store(floor.min(snapshot), Ordering::Relaxed);
            if Self::FENCED {
                fence(Ordering::SeqCst);
            }
            let now = watermark();
            if now == snapshot {
                return snapshot;
            }
            snapshot = now;
        }
    }
}

/// A core's active snapshots.
#[derive(Default)]
pub(crate) struct Snapshots(RefCell<Held>);

#[derive(Default)]
struct Held {
    /// How many hold each.
    active: BTreeMap<u64, u32>,
    /// What is published: each snapshot is in one span, and each span begins and ends with one.
    spans: [Option<Span>; PLACES],
}

impl Held {
    fn oldest(&self) -> u64 {
        self.active.keys().next().copied().unwrap_or(NONE)
    }

    fn place_of(&self, snapshot: u64) -> Option<usize> {
        let contains = |span: &Option<Span>| span.is_some_and(|span| span.contains(snapshot));
        self.spans.iter().position(contains)
    }

    /// A place for one more span: a free one, or that of one of two neighbours, which the other takes in.
    fn free_place(&mut self, published: &Published) -> usize {
        if let Some(free) = self.spans.iter().position(Option::is_none) {
            return free;
        }
        let mut all: SmallVec<[(Span, usize); PLACES]> =
            self.spans.iter().flatten().copied().zip(0..).collect();
        all.sort_unstable_by_key(|(span, _)| span.from);
        let pairs = all.windows(2);
        let nearest = pairs.min_by_key(|pair| pair[1].0.from - pair[0].0.to);
        let &[(before, a), (after, b)] = nearest.expect("there are two places at least") else {
            unreachable!("a window of two");
        };
        let both = Span {
            from: before.from,
            to: after.to,
        };
        let (into, free) = (a.min(b), a.max(b));
        published.set(into, both);
        published.free(free);
        self.spans[into] = Some(both);
        self.spans[free] = None;
        free
    }
}

impl Snapshots {
    /// A snapshot at what `watermark` reads, held until [`Snapshots::end`].
    pub(crate) fn begin<const VARIANT: u8>(
        &self,
        horizon: &Horizon<VARIANT>,
        core: usize,
        watermark: impl Fn() -> u64,
    ) -> CommitSeq {
        let held = &mut *self.0.borrow_mut();
        let now = watermark();
        if let Some(holders) = held.active.get_mut(&now) {
            // Published already, and only this core withdraws it.
            *holders += 1;
            return CommitSeq(now);
        }
        let published = &horizon.cores[core].0;
        let place = held.free_place(published);
        let snapshot = horizon.announce(core, place, held.oldest(), watermark);
        *held.active.entry(snapshot).or_default() += 1;
        if held.place_of(snapshot).is_some() {
            // The watermark has moved into a span that is there: its publication serves both.
            published.free(place);
            published.oldest.store(held.oldest(), Ordering::Release);
        } else {
            held.spans[place] = Some(Span::of(snapshot));
        }
        CommitSeq(snapshot)
    }

    /// One more holder of a snapshot that is active already.
    pub(crate) fn hold(&self, snapshot: CommitSeq) {
        let held = &mut *self.0.borrow_mut();
        let holders = held.active.get_mut(&snapshot.0);
        *holders.expect("an active snapshot is in its core's list") += 1;
    }

    /// A transaction that began at `snapshot` is over.
    pub(crate) fn end<const VARIANT: u8>(
        &self,
        horizon: &Horizon<VARIANT>,
        core: usize,
        snapshot: CommitSeq,
    ) {
        let held = &mut *self.0.borrow_mut();
        let holders = held.active.get_mut(&snapshot.0);
        let holders = holders.expect("an active snapshot is in its core's list");
        *holders -= 1;
        if *holders > 0 {
            return;
        }
        held.active.remove(&snapshot.0);
        let published = &horizon.cores[core].0;
        let place = held.place_of(snapshot.0);
        let place = place.expect("an active snapshot is published");
        let span = held.spans[place].expect("it contains a snapshot");
        let mut left = held.active.range(span.from..=span.to).map(|(&at, _)| at);
        let left = left.next().map(|from| Span {
            from,
            to: left.next_back().unwrap_or(from),
        });
        match left {
            Some(left) => published.set(place, left),
            None => published.free(place),
        }
        held.spans[place] = left;
        published.oldest.store(held.oldest(), Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A transaction begins while the watermark moves and someone asks what is needed, to prune by it.
    fn begin_and_prune<const VARIANT: u8>(
        place: usize,
        needed: fn(&Horizon<VARIANT>, u64, u64) -> bool,
    ) {
        loom::model(move || {
            let horizon: Arc<Horizon<VARIANT>> = Arc::new(Horizon::new(1));
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

    fn by_horizon<const VARIANT: u8>(horizon: &Horizon<VARIANT>, from: u64, visible: u64) -> bool {
        horizon.now(|| visible).0 <= from
    }

    fn by_snapshots<const VARIANT: u8>(
        horizon: &Horizon<VARIANT>,
        from: u64,
        visible: u64,
    ) -> bool {
        horizon.active(|| visible).needs(from, visible)
    }

    /// Someone asks what is needed while a core, all of whose places are taken, begins one more transaction and ends another.
    fn span_that_takes_in_another<const VARIANT: u8>() {
        loom::model(|| {
            let horizon: Arc<Horizon<VARIANT>> = Arc::new(Horizon::new(1));
            let core = Snapshots::default();
            core.begin(&horizon, 0, || 1);
            core.begin(&horizon, 0, || 3);
            let pruner = {
                let horizon = horizon.clone();
                thread::spawn(move || {
                    let active = horizon.active(|| 9);
                    assert!(
                        active.needs(0, 2) && active.needs(2, 4),
                        "versions that a snapshot needs were pruned"
                    );
                })
            };
            core.begin(&horizon, 0, || 7);
            core.end(&horizon, 0, CommitSeq(7));
            pruner.join().unwrap();
        });
    }

    #[test]
    fn loom_the_horizon_never_passes_a_snapshot_that_begins() {
        begin_and_prune::<WHOLE>(0, by_horizon);
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_without_its_fence_the_horizon_can_pass_a_snapshot() {
        begin_and_prune::<UNFENCED>(0, by_horizon);
    }

    #[test]
    fn loom_nothing_is_pruned_between_snapshots_that_one_that_begins_needs() {
        begin_and_prune::<WHOLE>(1, by_snapshots);
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_without_its_fence_a_snapshot_that_begins_can_be_overlooked() {
        begin_and_prune::<UNFENCED>(1, by_snapshots);
    }

    #[test]
    fn loom_a_snapshot_is_never_overlooked_while_its_span_is_taken_in_by_another() {
        span_that_takes_in_another::<WHOLE>();
    }

    #[test]
    #[should_panic(expected = "were pruned")]
    fn loom_read_in_the_other_order_a_snapshot_can_be_overlooked() {
        span_that_takes_in_another::<MISORDERED>();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn active(horizon: &Horizon, visible: u64) -> Active {
        horizon.active(|| visible)
    }

    #[test]
    fn what_lies_between_two_snapshots_is_needed_by_neither() {
        let (horizon, core): (Horizon, _) = (Horizon::new(2), Snapshots::default());
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
    fn however_many_snapshots_there_are_only_what_lies_between_close_ones_is_held_back() {
        let (horizon, core): (Horizon, _) = (Horizon::new(1), Snapshots::default());
        // Ever further apart.
        let begun: Vec<CommitSeq> = (0..PLACES as u64 + 5)
            .map(|n| core.begin(&horizon, 0, || 100 + n * n))
            .collect();
        let now = active(&horizon, 1_000);
        assert_eq!((now.horizon().0, now.open().0), (100, 1_000));
        for &CommitSeq(snapshot) in &begun {
            assert!(now.needs(snapshot, snapshot + 1));
        }
        let newest = begun[begun.len() - 1].0;
        assert!(!now.needs(newest + 1, 1_000), "behind the newest");
        for pair in begun.windows(2).rev().take(10) {
            assert!(!now.needs(pair[0].0 + 1, pair[1].0), "between {pair:?}");
        }
        // One that is held twice stays until both have ended.
        core.hold(begun[0]);
        core.end(&horizon, 0, begun[0]);
        assert_eq!(active(&horizon, 1_000).horizon(), begun[0]);
        core.end(&horizon, 0, begun[0]);
        assert_eq!(active(&horizon, 1_000).horizon(), begun[1]);
        for &snapshot in &begun[1..] {
            core.end(&horizon, 0, snapshot);
        }
        let now = active(&horizon, 1_000);
        assert_eq!((now.horizon().0, now.open().0), (1_000, 1_000));
        assert!(!now.needs(0, 1_000));
    }

    #[test]
    fn a_watermark_that_moves_to_a_snapshot_in_use_gives_its_place_back() {
        let (horizon, core): (Horizon, _) = (Horizon::new(1), Snapshots::default());
        // Begun at the sealed watermark, ahead of the visible one.
        core.begin(&horizon, 0, || 7);
        let looks = std::cell::Cell::new(5);
        let moving = || {
            looks.set((looks.get() + 1).min(7));
            looks.get()
        };
        let again = core.begin(&horizon, 0, moving);
        assert_eq!(again, CommitSeq(7));
        assert_eq!(active(&horizon, 9).spans.as_slice(), [Span::of(7)]);
        core.end(&horizon, 0, again);
        assert_eq!(active(&horizon, 9).spans.as_slice(), [Span::of(7)]);
        core.end(&horizon, 0, again);
        assert_eq!(active(&horizon, 9).spans.as_slice(), []);
    }

    proptest! {
        /// Of two cores, with the sealed watermark ahead of the visible one.
        #[test]
        fn each_active_snapshot_is_published_and_nothing_once_all_have_ended(
            steps in proptest::collection::vec((0..2_usize, 0..6_u64, 0..3_u64, any::<usize>()), 1..300),
        ) {
            let horizon: Horizon = Horizon::new(2);
            let cores = [Snapshots::default(), Snapshots::default()];
            let mut held: Vec<(usize, CommitSeq)> = Vec::new();
            let mut visible = 1;
            for (core, moves, ahead, pick) in steps {
                visible += moves;
                if pick % 5 < 3 || held.is_empty() {
                    held.push((core, cores[core].begin(&horizon, core, || visible + ahead)));
                } else {
                    let (core, snapshot) = held.swap_remove(pick % held.len());
                    cores[core].end(&horizon, core, snapshot);
                }
                let now = active(&horizon, visible);
                let oldest = held.iter().map(|(_, snapshot)| snapshot.0).min();
                prop_assert_eq!(now.horizon().0, oldest.unwrap_or(NONE).min(visible));
                prop_assert_eq!(horizon.now(|| visible), now.horizon());
                for (_, snapshot) in &held {
                    prop_assert!(now.needs(snapshot.0, snapshot.0 + 1));
                }
            }
            for (core, snapshot) in held {
                cores[core].end(&horizon, core, snapshot);
            }
            prop_assert_eq!(active(&horizon, visible).spans.len(), 0);
        }
    }
}
