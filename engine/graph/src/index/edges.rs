//! Keeping indexes on edges true: entering states, and taking out what nobody can see any more.
//!
//! Owned here: [`Edging`], a core's queue of entries that may have to go. Called by `write` (states that come and are superseded), `settle`
//! (undoing, housekeeping), `schema` (filling).
//! Always holds: whoever enters an edge's state does so under the token of its source; an entry whose state is superseded, deleted
//! or undone is noted in some core's queue and stays there until either nobody can see a state that asks for it (it is taken out), or the
//! edge has come to rest and asks for it (it stays).
//! Left to others: what an entry is (`index`), where an edge's states stand (`graph`'s pages).
//!
//! So nothing here depends on when a version is pruned or folded, or on an ordinal's being used again: what an edge of this source,
//! ordinal and target asks for is decided anew from what stands there.

use super::Index;
use crate::adjacency::{self, Key};
use crate::core::CoreState;
use crate::graph::Graph;
use crate::ids::{CommitSeq, KeyId, TypeId, VertexId};
use crate::memory::Guard;
use crate::page::Slot;
use crate::schema::Item;
use crate::shard::Hold;
use crate::stamp::{NEVER, in_flight, is_below};
use crate::value::sort_key::SortKey;
use crate::value::{Edge, ValueRef};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

/// An entry that may have to go.
struct Doubtful {
    item: Arc<Item>,
    edge: Edge,
    entry: SortKey,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Edging {
    /// With the horizon at which to look at it, in about that order.
    doubtful: RefCell<VecDeque<(CommitSeq, Doubtful)>>,
}

/// What an edge asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody can see a state that asks for the entry.
    Gone,
    /// Somebody can, but that may change without another write when the horizon gets here.
    Undecided(CommitSeq),
    /// Everybody sees it.
    Settled,
}

impl Graph {
    /// How an edge stands to an entry of an index.
    fn asks(
        &self,
        index: &Index,
        edge: Edge,
        entry: &[u8],
        horizon: CommitSeq,
        guard: &Guard<'_>,
    ) -> Standing {
        let Some(source) = self.slot(edge.source(), guard) else {
            return Standing::Gone;
        };
        let present = |entry: &adjacency::Entry<'_>| {
            entry.created(guard) != NEVER && !is_below(entry.deleted(guard), horizon)
        };
        let found = adjacency::find_where(&source.outgoing, Key::outgoing(edge), guard, present);
        let Some(found) = found else {
            return Standing::Gone;
        };
        // What has to fall below the horizon until nothing is left to wait for; nothing if it has.
        let later = |stamp: u64| match in_flight(stamp) {
            _ if is_below(stamp, horizon) => CommitSeq(0),
            Some(_) => horizon.next(),
            None => CommitSeq(stamp),
        };
        let mut due = later(found.created(guard));
        if found.deleted(guard) != NEVER {
            due = due.max(later(found.deleted(guard)));
        }
        let standing = |due: CommitSeq| match due {
            CommitSeq(0) => Standing::Settled,
            due => Standing::Undecided(due),
        };
        if index.definition.keys().is_empty() {
            return standing(due);
        }
        let records = self.records_of(edge.source());
        let record = found.record(guard);
        let states = record.map(|record| records.states(record, guard));
        for state in states.into_iter().flatten() {
            due = due.max(later(state.stamp()));
            let asked = index.edge_entry(edge, |key| state.get(key));
            if asked.as_deref() == Some(entry) {
                return standing(due);
            }
            if is_below(state.stamp(), horizon) {
                break;
            }
        }
        Standing::Gone
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
        let doubtful = Doubtful {
            item: item.clone(),
            edge,
            entry,
        };
        let queue = &mut self.edging.doubtful.borrow_mut();
        queue.push_back((CommitSeq(0), doubtful));
    }

    /// An edge is deleted, or its creation undone: every state of it goes. The source's token is held.
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
        for state in self.graph.edge_states(edge, source, guard) {
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
        for (key, entry) in adjacency::entries(&source.outgoing, guard) {
            if Some(key.type_()) != meant || entry.created(guard) == NEVER {
                continue;
            }
            let edge = key.edge(id, true);
            let horizon = self.graph.oldest_snapshot();
            let enter = |entry: Option<SortKey>| {
                if let Some(entry) = entry {
                    index.insert(shard, &entry, guard);
                    if self.graph.asks(index, edge, &entry, horizon, guard) != Standing::Settled {
                        self.doubt(item, edge, entry);
                    }
                }
            };
            if index.definition.keys().is_empty() {
                enter(index.edge_entry(edge, |_| None));
                continue;
            }
            for state in self.graph.edge_states(edge, source, guard) {
                enter(index.edge_entry(edge, |key| state.get(key)));
            }
        }
    }

    /// Decides about up to `budget` entries that may have to go; how many it looked at.
    pub(crate) fn tidy_edge_indexes(&self, budget: usize) -> usize {
        let horizon = self.graph.oldest_snapshot();
        let mut done = 0;
        while done < budget {
            let next = {
                let queue = &mut self.edging.doubtful.borrow_mut();
                match queue.front() {
                    Some(&(due, _)) if due <= horizon => queue.pop_front(),
                    _ => None,
                }
            };
            let Some((_, doubtful)) = next else { break };
            done += 1;
            let Some(index) = doubtful.item.index() else {
                continue;
            };
            let guard = self.heap.enter();
            let shard = self.graph.shard_of(doubtful.edge.source());
            let _hold = Hold::take(&self.graph.shards, self.number, [shard]);
            match self
                .graph
                .asks(index, doubtful.edge, &doubtful.entry, horizon, &guard)
            {
                Standing::Settled => {}
                Standing::Gone => index.remove(usize::from(shard.0), &doubtful.entry, &guard),
                Standing::Undecided(due) => {
                    let queue = &mut self.edging.doubtful.borrow_mut();
                    queue.push_back((due, doubtful));
                }
            }
        }
        done
    }

    /// Whether [`CoreState::tidy_edge_indexes`] has something to look at.
    pub(crate) fn edge_indexes_are_untidy(&self) -> bool {
        let first = self.edging.doubtful.borrow().front().map(|&(due, _)| due);
        first.is_some_and(|due| due <= self.graph.oldest_snapshot())
    }
}
