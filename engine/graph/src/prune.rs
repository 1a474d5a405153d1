//! Pruning: forgetting what nobody can see any more (design D6).
//!
//! Owned here: [`Pruning`] (what a core is going to look at), and what is forgotten of vertices and of edges' properties. Called by
//! `settle` and `apply` (things to look at), `core` (housekeeping).
//! A thing is looked at when its commit is visible: what lies between two active snapshots goes at once, so a chain of versions is
//! no longer than the active snapshots are many, however long the oldest has been there. What snapshots still need is
//! kept in mind and looked at again when the newest of them that sees the last of it has ended.
//! Always holds: what is forgotten is what no active snapshot sees and none that begins can see (`horizon::Active`); all of it
//! is done under the token of the shard; the list of things to look at is bounded by what has changed since the horizon, once for each
//! active snapshot.
//! Left to others: when there is time for it (`Core::maintain`), lists of edges (`adjacency::quiet`), when the last version of a chain
//! becomes a row (`housekeeping`).

use crate::core::CoreState;
use crate::horizon::{Active, Need};
use crate::ids::{CommitSeq, VertexId};
use crate::index::Gone;
use crate::memory::Guard;
use crate::records;
use crate::shard::Hold;
use crate::stamp::{in_flight, is_below};
use crate::version::{self, Version, Versions};
use crate::waiting::{Held, Waiting};

/// Something that may hold what can be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Thing {
    /// The versions of a vertex, or the vertex itself.
    Vertex(VertexId),
    /// The properties of an edge that starts at this vertex, in this record.
    Record(VertexId, u32),
}

impl Thing {
    /// The vertex in whose shard it lies.
    fn place(self) -> VertexId {
        match self {
            Thing::Vertex(id) => id,
            Thing::Record(source, _) => source,
        }
    }
}

/// What a core is going to look at.
#[derive(Default)]
pub(crate) struct Pruning {
    /// Changed by commits that are to become visible.
    changed: Waiting<Thing>,
    /// Of which snapshots need something.
    held: Held<Thing>,
}

impl Pruning {
    /// Has been changed by commit `seq`.
    pub(crate) fn changed(&mut self, seq: CommitSeq, thing: Thing) {
        self.changed.push(seq, thing);
    }

    fn pop(&mut self, active: &Active) -> Option<Thing> {
        self.held
            .pop(active)
            .or_else(|| self.changed.pop(active.open()))
    }

    /// Whether there is something to look at.
    pub(crate) fn is_due(&self, active: &Active) -> bool {
        self.held.is_due(active) || self.changed.is_due(active.open())
    }

    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.changed.bytes() + self.held.bytes()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.held.is_empty()
    }
}

/// What is left of a thing behind its newest version.
enum Left {
    /// Nothing but what is in flight, or names a transaction that was: who gives it its number has it looked at.
    Nothing,
    /// What can be decided when this commit is visible.
    Until(CommitSeq),
    /// What snapshots need. Of those that are the oldest to need a version, this is the newest: the next to end, most likely.
    HeldBy(CommitSeq),
    /// More that can go than is taken out while a token is held.
    More,
}

impl CoreState {
    /// Forgets what no snapshot needs, looking at up to `budget` things; how many it was. One with many versions counts as several: once
    /// for each token that it takes.
    pub(crate) fn prune(&self, budget: usize) -> usize {
        if self.pruning.borrow().is_empty() {
            return 0;
        }
        let active = self.graph.active_snapshots();
        let mut done = 0;
        while done < budget {
            let Some(thing) = self.pruning.borrow_mut().pop(&active) else {
                break;
            };
            let guard = self.heap.enter();
            let shard = self.graph.shard_of(thing.place());
            let take = || Hold::take(&self.graph.shards, self.number, [shard]);
            let at_once = self.graph.parts_per_hold();
            let mut gone = Gone::default();
            let mut hold = take();
            let left = loop {
                let left = self.prune_thing(&mut hold, thing, &active, &mut gone, &guard);
                done += 1;
                if !matches!(left, Left::More) || done >= budget {
                    break left;
                }
                drop(hold);
                hold = take();
            };
            while !gone.is_empty() {
                if hold.has_done(at_once) {
                    drop(hold);
                    hold = take();
                    done += 1;
                }
                let n = gone.take_out(&self.graph, thing.place(), hold.left(at_once), &guard);
                hold.count_parts(n);
            }
            drop(hold);
            let mut pruning = self.pruning.borrow_mut();
            match left {
                Left::Nothing => {}
                Left::Until(seq) => pruning.changed.push(seq, thing),
                Left::HeldBy(snapshot) => pruning.held.push(snapshot, thing),
                Left::More => pruning.changed.push(active.open(), thing),
            }
        }
        done.min(budget)
    }

    /// What the versions of a vertex that go were found by comes to `gone`.
    fn prune_thing<'g>(
        &'g self,
        hold: &mut Hold<'_>,
        thing: Thing,
        active: &Active,
        gone: &mut Gone<'g>,
        guard: &'g Guard<'_>,
    ) -> Left {
        match thing {
            Thing::Vertex(id) => self.prune_vertex(hold, id, active, gone, guard),
            Thing::Record(source, record) => self.prune_record(hold, source, record, active, guard),
        }
    }

    fn prune_record(
        &self,
        hold: &mut Hold<'_>,
        source: VertexId,
        record: u32,
        active: &Active,
        guard: &Guard<'_>,
    ) -> Left {
        let (page, at) = records::place(record);
        let Some(page) = self.graph.records_of(source).page(page, guard) else {
            return Left::Nothing;
        };
        let word = page.word(at);
        let left = self.prune_chain(hold, word, active, guard, |_| {});
        let columns = &page.header().columns;
        if is_forgotten(word, active, guard) && columns.states(at, word, guard).nth(1).is_none() {
            version::retire_chain(word, &self.heap);
            columns.unmark(at);
            self.release_record(self.graph.shard_of(source), record);
        }
        left
    }

    fn prune_vertex<'g>(
        &'g self,
        hold: &mut Hold<'_>,
        id: VertexId,
        active: &Active,
        gone: &mut Gone<'g>,
        guard: &'g Guard<'_>,
    ) -> Left {
        let Some(page) = self.graph.directory.page(id.page(), guard) else {
            return Left::Nothing;
        };
        let word = &page.items()[id.slot()].recent;
        let left = self.prune_chain(hold, word, active, guard, |version| {
            gone.add(&self.graph, &version, (id, guard))
        });
        if is_forgotten(word, active, guard) && page.states(id.slot(), guard).nth(1).is_none() {
            version::retire_chain(word, &self.heap);
            page.header().columns.unmark(id.slot());
            self.forget(hold, page, id.slot(), guard);
        }
        left
    }

    /// Takes out of a chain each version that no snapshot sees, since one that all of them see, or none of those that see this
    /// one, stands in front of it; `gone` is told of each when it has left.
    fn prune_chain<'g>(
        &self,
        hold: &mut Hold<'_>,
        versions: &Versions,
        active: &Active,
        guard: &'g Guard<'_>,
        mut gone: impl FnMut(Version<'g>),
    ) -> Left {
        let Some(mut newer) = versions.load(guard) else {
            return Left::Nothing;
        };
        let mut left = Left::Nothing;
        while let Some(version) = newer.header().previous.load(guard) {
            match active.need(version.header().stamp(), newer.header().stamp()) {
                Need::No => {}
                Need::By(snapshot) => {
                    if let Left::Nothing = left {
                        left = Left::HeldBy(snapshot);
                    }
                    newer = version;
                    continue;
                }
                Need::Undecided => {
                    // Of a visible one the version that it replaces is in flight.
                    let replaced = newer.header().stamp();
                    if let Left::Nothing = left
                        && in_flight(replaced).is_none()
                        && !is_below(replaced, active.open())
                    {
                        left = Left::Until(CommitSeq(replaced));
                    }
                    newer = version;
                    continue;
                }
            }
            if hold.has_done(self.graph.parts_per_hold()) {
                return Left::More;
            }
            hold.count_parts(1);
            let behind = version.header().previous.load(guard);
            if let Some(old) = newer.header().previous.splice(behind) {
                version::retire(old, &self.heap);
            }
            gone(version);
        }
        left
    }
}

/// Whether the newest version is a deletion that has come to be visible. With nothing behind it, not even a row, it says what an
/// empty word says, to those who see it and to those who do not.
fn is_forgotten(word: &Versions, active: &Active, guard: &Guard<'_>) -> bool {
    word.load(guard)
        .is_some_and(|head| head.header().deleted && is_below(head.header().stamp(), active.open()))
}
