//! Keeping indexes on edges true: entering states, and taking out what nobody can see any more.
//!
//! Owned here: [`Edging`], the entries that may have to go, and the edges a core looks at for their sake. Called by `write` (states that
//! come and are superseded), `settle` (undoing, housekeeping), `schema` (filling).
//! Always holds: whoever enters an edge's state does so under the token of its source; an entry whose state is superseded, deleted
//! or undone is noted at its edge by some core, and stays noted until either no snapshot, active or to come, sees a state that asks for it
//! (it is taken out), or the edge's newest state asks for it and is committed (it stays). What lies between two active snapshots goes at
//! once, as versions do; an edge is looked at again when it changes, so it has no more entries than states, however old the oldest snapshot is.
//! Left to others: what an entry is (`index`), where an edge's states stand (`graph`'s pages).
//!
//! So nothing here depends on when a version is pruned or folded, or on an ordinal's being used again: what an edge of this source,
//! ordinal and target asks for is decided anew from what stands there.

use super::Index;
use crate::adjacency::{self, Key};
use crate::constraint::fate;
use crate::core::CoreState;
use crate::graph::Graph;
use crate::horizon::{Active, Need};
use crate::ids::{CommitSeq, KeyId, TypeId, VertexId};
use crate::memory::{Guard, MemoryOwner};
use crate::page::Slot;
use crate::schema::Item;
use crate::shard::Hold;
use crate::stamp::{Fate, NEVER, is_below};
use crate::value::sort_key::SortKey;
use crate::value::{Edge, ValueRef};
use crate::waiting::{Held, Waiting};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::Arc;

/// A map with room for this many edges or fewer keeps it.
const ROOM_KEPT: usize = 4096;

/// An entry that may have to go.
type Doubtful = (Arc<Item>, SortKey);
type Entries = SmallVec<[Doubtful; 1]>;

/// See the module.
#[derive(Default)]
pub(crate) struct Edging(RefCell<Doubts>);

#[derive(Default)]
struct Doubts {
    of: HashMap<Edge, Entries>,
    /// To be looked at when this commit is visible.
    changed: Waiting<Edge>,
    /// Of which active snapshots ask for an entry.
    held: Held<Edge>,
}

impl Doubts {
    /// The next edge that is due, with what is in doubt of it.
    fn take(&mut self, active: &Active) -> Option<(Edge, Entries)> {
        loop {
            let edge = self
                .held
                .pop(active)
                .or_else(|| self.changed.pop(active.open()))?;
            if let Some(entries) = self.of.remove(&edge) {
                if self.of.capacity() > ROOM_KEPT && self.of.len() < self.of.capacity() / 4 {
                    self.of.shrink_to(self.of.capacity() / 2);
                }
                return Some((edge, entries));
            }
        }
    }
}

impl Edging {
    /// What its lists take, in bytes; entries are counted as they come and go.
    pub(crate) fn bytes(&self) -> usize {
        let doubts = self.0.borrow();
        doubts.of.allocation_size() + doubts.changed.bytes() + doubts.held.bytes()
    }
}

/// What the entries of an edge take, in bytes.
fn bytes(entries: &[Doubtful]) -> i64 {
    let spilled = entries.iter().filter(|(_, entry)| entry.spilled());
    let spilled: usize = spilled.map(|(_, entry)| entry.len()).sum();
    (size_of_val(entries) + spilled) as i64
}

/// What an edge asks of an index.
enum Asked {
    /// That depends on a transaction in flight.
    Open,
    /// This.
    Known {
        /// What its newest state asks for, which is committed.
        lasting: Option<SortKey>,
        /// What snapshots ask for that see an older state; ascending.
        passing: Vec<SortKey>,
        /// The newest commit that has replaced one of those and is not visible yet.
        until: CommitSeq,
        /// Of the snapshots that are the oldest to ask for one of those, the newest.
        held_by: CommitSeq,
    },
}

impl Asked {
    const NOTHING: Asked = Asked::Known {
        lasting: None,
        passing: Vec::new(),
        until: CommitSeq(0),
        held_by: CommitSeq(0),
    };

    /// Whether an entry stays as long as nobody writes the edge again.
    fn is_lasting(&self, entry: &SortKey) -> bool {
        matches!(self, Asked::Known { lasting: Some(lasting), .. } if lasting == entry)
    }
}

impl Graph {
    /// What an edge asks of an index; the source's token is held.
    fn asked(&self, index: &Index, edge: Edge, active: &Active, guard: &Guard<'_>) -> Asked {
        let horizon = active.horizon();
        let Some(source) = self.slot(edge.source(), guard) else {
            return Asked::NOTHING;
        };
        let present = |entry: &adjacency::Entry<'_>| {
            fate(self, entry.created(guard)) != Fate::Aborted
                && !is_below(entry.deleted(guard), horizon)
        };
        // Where an ordinal was used again and an older reader is still there, both edges.
        let mut all: SmallVec<[adjacency::Entry<'_>; 1]> = SmallVec::new();
        adjacency::find_where(&source.outgoing, Key::outgoing(edge), guard, |entry| {
            all.extend(present(entry).then_some(*entry));
            false
        });
        let (mut lasting, mut passing) = (None, Vec::new());
        let (mut until, mut held_by) = (CommitSeq(0), CommitSeq(0));
        let mut note = |from: CommitSeq, to: Option<CommitSeq>, entry: Option<SortKey>| match to {
            None => lasting = entry,
            Some(to) => match active.need(from.0, to.0) {
                Need::No => {}
                Need::By(snapshot) => {
                    passing.extend(entry);
                    held_by = held_by.max(snapshot);
                }
                Need::Undecided => {
                    passing.extend(entry);
                    until = until.max(to);
                }
            },
        };
        for found in &all {
            let Fate::Committed(created) = fate(self, found.created(guard)) else {
                return Asked::Open;
            };
            let deleted = match fate(self, found.deleted(guard)) {
                Fate::Active => return Asked::Open,
                Fate::Aborted => None,
                Fate::Committed(seq) => Some(seq),
            };
            if index.definition.keys().is_empty() {
                note(created, deleted, index.edge_entry(edge, |_| None));
                continue;
            }
            let mut to = deleted;
            for state in self.edge_states(edge.source(), found, guard) {
                let from = match fate(self, state.stamp()) {
                    Fate::Active => return Asked::Open,
                    Fate::Aborted => continue,
                    Fate::Committed(seq) => seq,
                };
                note(from, to, index.edge_entry(edge, |key| state.get(key)));
                if from <= horizon {
                    break;
                }
                to = Some(from);
            }
        }
        passing.sort_unstable();
        Asked::Known {
            lasting,
            passing,
            until,
            held_by,
        }
    }
}

impl CoreState {
    /// Enters a new edge with its properties; the source's token is held.
    pub(crate) fn index_edge<'v>(
        &self,
        edge: Edge,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        guard: &Guard<'_>,
    ) {
        let shard = usize::from(self.graph.shard_of(edge.source()).0);
        for (_, index) in self.graph.schema.load(guard).edge_indexes(edge.type_) {
            if let Some(entry) = index.edge_entry(edge, &property) {
                index.insert(shard, &entry, guard);
            }
        }
    }

    /// An edge gets other properties; the source's token is held.
    pub(crate) fn reindex_edge<'v>(
        &self,
        edge: Edge,
        before: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        after: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        guard: &Guard<'_>,
    ) {
        let shard = usize::from(self.graph.shard_of(edge.source()).0);
        for (item, index) in self.graph.schema.load(guard).edge_indexes(edge.type_) {
            let before = index.edge_entry(edge, &before);
            let after = index.edge_entry(edge, &after);
            if before == after {
                continue;
            }
            if let Some(entry) = after {
                index.insert(shard, &entry, guard);
            }
            if let Some(entry) = before {
                self.doubt(item, edge, entry);
            }
        }
    }

    /// A state of an edge is deleted or undone.
    pub(crate) fn doubt_edge<'v>(
        &self,
        edge: Edge,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        guard: &Guard<'_>,
    ) {
        for (item, index) in self.graph.schema.load(guard).edge_indexes(edge.type_) {
            if let Some(entry) = index.edge_entry(edge, &property) {
                self.doubt(item, edge, entry);
            }
        }
    }

    fn doubt(&self, item: &Arc<Item>, edge: Edge, entry: SortKey) {
        let doubts = &mut *self.edging.0.borrow_mut();
        let doubtful = (item.clone(), entry);
        self.heap
            .count(MemoryOwner::Indexes, bytes(std::slice::from_ref(&doubtful)));
        doubts.of.entry(edge).or_default().push(doubtful);
        doubts.changed.push(CommitSeq(0), edge);
    }

    /// An edge is deleted: every state of it goes. The source's token is held.
    pub(crate) fn doubt_all_of_edge(&self, edge: Edge, guard: &Guard<'_>) {
        if self
            .graph
            .schema
            .load(guard)
            .edge_indexes(edge.type_)
            .next()
            .is_none()
        {
            return;
        }
        let Some(source) = self.graph.slot(edge.source(), guard) else {
            return;
        };
        self.doubt_edge(edge, |_| None, guard);
        let Some(entry) = adjacency::find(&source.outgoing, Key::outgoing(edge), guard) else {
            return;
        };
        for state in self.graph.edge_states(edge.source(), &entry, guard) {
            self.doubt_edge(edge, |key| state.get(key), guard);
        }
    }

    /// Enters every edge of an index's type that starts at a vertex; its token is held.
    pub(crate) fn fill_edges(
        &self,
        item: &Arc<Item>,
        index: &Index,
        id: VertexId,
        source: &Slot,
        guard: &Guard<'_>,
    ) {
        let shard = usize::from(self.graph.shard_of(id).0);
        let meant: Option<TypeId> = index.definition.edge_type();
        let active = self.graph.active_snapshots();
        for (key, entry) in adjacency::entries(&source.outgoing, guard) {
            if Some(key.type_()) != meant || entry.created(guard) == NEVER {
                continue;
            }
            let edge = key.edge(id, true);
            let asked = self.graph.asked(index, edge, &active, guard);
            let enter = |entry: Option<SortKey>| {
                if let Some(entry) = entry {
                    index.insert(shard, &entry, guard);
                    if !asked.is_lasting(&entry) {
                        self.doubt(item, edge, entry);
                    }
                }
            };
            if index.definition.keys().is_empty() {
                enter(index.edge_entry(edge, |_| None));
                continue;
            }
            for state in self.graph.edge_states(id, &entry, guard) {
                enter(index.edge_entry(edge, |key| state.get(key)));
            }
        }
    }

    /// Looks at up to `budget` edges that may have entries that have to go; how many it was.
    pub(crate) fn tidy_edge_indexes(&self, budget: usize) -> usize {
        if self.edging.0.borrow().of.is_empty() {
            return 0;
        }
        let active = self.graph.active_snapshots();
        let mut done = 0;
        while done < budget {
            let Some((edge, entries)) = self.edging.0.borrow_mut().take(&active) else {
                break;
            };
            let guard = self.heap.enter();
            let shard = self.graph.shard_of(edge.source());
            let _hold = Hold::take(&self.graph.shards, self.number, [shard]);
            self.tidy_edge(edge, entries, &active, &guard);
            done += 1;
        }
        done
    }

    /// Takes out what nobody sees of what is in doubt; the source's token is held.
    fn tidy_edge(&self, edge: Edge, mut entries: Entries, active: &Active, guard: &Guard<'_>) {
        let shard = usize::from(self.graph.shard_of(edge.source()).0);
        let before = bytes(&entries);
        entries.sort_unstable_by(|(a, x), (b, y)| {
            (Arc::as_ptr(a).addr(), x).cmp(&(Arc::as_ptr(b).addr(), y))
        });
        entries.dedup_by(|(a, x), (b, y)| Arc::ptr_eq(a, b) && x == y);
        // When to look again: once this is visible, or when this snapshot has ended.
        let (mut due, mut awaited) = (CommitSeq(0), CommitSeq(0));
        let mut kept = Entries::new();
        for of_index in entries.chunk_by(|(a, _), (b, _)| Arc::ptr_eq(a, b)) {
            let Some(index) = of_index[0].0.index() else {
                continue;
            };
            match self.graph.asked(index, edge, active, guard) {
                Asked::Open => {
                    due = active.open().next().max(due);
                    kept.extend(of_index.iter().cloned());
                }
                Asked::Known {
                    lasting,
                    passing,
                    until,
                    held_by,
                } => {
                    for doubtful in of_index {
                        let entry = &doubtful.1;
                        if lasting.as_ref() == Some(entry) {
                            continue;
                        }
                        if passing.binary_search(entry).is_ok() {
                            due = due.max(until);
                            awaited = awaited.max(held_by);
                            kept.push(doubtful.clone());
                        } else {
                            index.remove(shard, entry, guard);
                        }
                    }
                }
            }
        }
        self.heap.count(MemoryOwner::Indexes, bytes(&kept) - before);
        if kept.is_empty() {
            return;
        }
        let doubts = &mut *self.edging.0.borrow_mut();
        doubts.of.insert(edge, kept);
        match due > active.open() {
            true => doubts.changed.push(due, edge),
            false => doubts.held.push(awaited, edge),
        }
    }

    /// Whether [`CoreState::tidy_edge_indexes`] has something to look at.
    pub(crate) fn edge_indexes_are_untidy(&self) -> bool {
        let doubts = self.edging.0.borrow();
        if doubts.of.is_empty() {
            return false;
        }
        let active = self.graph.active_snapshots();
        doubts.held.is_due(&active) || doubts.changed.is_due(active.open())
    }
}
