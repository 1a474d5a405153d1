//! Keeping indexes on vertices true to their records.
//!
//! Owned here: what each state of a vertex enters into which index, entering and taking out ([`Gone`]). Called by `write`, `settle` and the folding of
//! pages (states that come and go), `schema` (filling).
//! Always holds: all of it is done under the token of the vertex's shard; a state's entry is taken out only when no state that is left
//! has the same, when the state goes or, of many that go together, under one of the next tokens: until then readers find that it
//! is nobody's.
//! Left to others: when a state goes.

use super::Index;
use crate::constraint::{Constraint, KeyHash};
use crate::graph::Graph;
use crate::ids::{LabelId, VertexId};
use crate::memory::Guard;
use crate::state::State;
use crate::value::sort_key::SortKey;
use crate::version::Record;
use smallvec::{SmallVec, smallvec};
use std::ptr;

/// What states of one vertex that have gone were found by: their entries in indexes, and their unique keys. However many states
/// there were, those that are left are asked once whether they have the same.
#[derive(Default)]
pub(crate) struct Gone<'g> {
    entries: SmallVec<[(&'g Index, SortKey); 1]>,
    keys: SmallVec<[(&'g Constraint, KeyHash); 1]>,
    /// Whether they are in order, each once.
    in_order: bool,
}

impl<'g> Gone<'g> {
    /// A record has gone, or is about to go.
    pub(crate) fn add(
        &mut self,
        graph: &'g Graph,
        record: &impl Record,
        (id, guard): (VertexId, &'g Guard<'_>),
    ) {
        let schema = graph.schema.load(guard);
        let labels = graph.labels_of(record);
        for index in schema.vertex_indexes(labels) {
            let entry = index.vertex_entry(id, |key| record.property(key));
            self.entries.extend(entry.map(|entry| (index, entry)));
        }
        for constraint in schema.constraints(labels).filter_map(|i| i.constraint()) {
            let hash = constraint.key_hash(record);
            self.keys.extend(hash.map(|hash| (constraint, hash)));
        }
        self.in_order = false;
    }

    /// Whether all has been taken out.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.keys.is_empty()
    }

    /// Takes up to `most` entries and keys out, where no state that is left has the same; how many it looked at. The states have gone,
    /// and the token of the vertex's shard is held, the same or a later one.
    pub(crate) fn take_out(
        &mut self,
        graph: &Graph,
        id: VertexId,
        most: usize,
        guard: &Guard<'_>,
    ) -> usize {
        self.put_in_order();
        let shard = usize::from(graph.shard_of(id).0);
        let from = self.entries.len().saturating_sub(most);
        for of_index in self.entries[from..].chunk_by(|(a, _), (b, _)| ptr::eq(*a, *b)) {
            let index = of_index[0].0;
            let mut needed: SmallVec<[bool; 8]> = smallvec![false; of_index.len()];
            graph.each_vertex_entry(index, id, guard, |left| {
                let found = of_index.binary_search_by(|(_, entry)| entry[..].cmp(left));
                if let Ok(at) = found {
                    needed[at] = true;
                }
            });
            for ((_, entry), _) in of_index.iter().zip(needed).filter(|(_, needed)| !needed) {
                index.remove(shard, entry, guard);
            }
        }
        let entries = self.entries.len() - from;
        self.entries.truncate(from);
        let from = self.keys.len().saturating_sub(most - entries);
        for of_constraint in self.keys[from..].chunk_by(|(a, _), (b, _)| ptr::eq(*a, *b)) {
            let hashes: SmallVec<[KeyHash; 8]> = of_constraint.iter().map(|(_, h)| *h).collect();
            of_constraint[0].0.let_go(graph, id, &hashes, guard);
        }
        let keys = self.keys.len() - from;
        self.keys.truncate(from);
        entries + keys
    }

    fn put_in_order(&mut self) {
        if self.in_order {
            return;
        }
        self.in_order = true;
        self.entries.sort_unstable_by(|(a, x), (b, y)| {
            (ptr::from_ref(*a).addr(), x).cmp(&(ptr::from_ref(*b).addr(), y))
        });
        self.entries
            .dedup_by(|(a, x), (b, y)| ptr::eq(*a, *b) && x == y);
        let of = |(constraint, hash): &(&Constraint, KeyHash)| {
            (ptr::from_ref(*constraint).addr(), *hash)
        };
        self.keys.sort_unstable_by_key(of);
        self.keys.dedup_by_key(|key| of(key));
    }
}

impl Graph {
    /// Every state of a vertex, newest first, undone ones included; the shard's token is held.
    pub(crate) fn states<'g>(
        &self,
        id: VertexId,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = State<'g>> + use<'g> {
        let page = self.directory.page(id.page(), guard);
        page.into_iter()
            .flat_map(move |page| page.states(id.slot(), guard))
    }

    /// The labels of a record; none of one that says that the vertex is gone.
    pub(crate) fn labels_of(&self, record: &impl Record) -> &[LabelId] {
        match record.is_deleted() {
            true => &[],
            false => self.label_sets.labels(record.label_set()),
        }
    }

    /// Enters a record into the indexes it belongs to.
    pub(crate) fn index_record(&self, id: VertexId, record: &impl Record, guard: &Guard<'_>) {
        let schema = self.schema.load(guard);
        for index in schema.vertex_indexes(self.labels_of(record)) {
            if let Some(entry) = index.vertex_entry(id, |key| record.property(key)) {
                index.insert(usize::from(self.shard_of(id).0), &entry, guard);
            }
        }
    }

    /// Takes a record that nobody can see any more out of the indexes, where no state that is left has the same entry.
    pub(crate) fn unindex_record(&self, id: VertexId, record: &impl Record, guard: &Guard<'_>) {
        let mut gone = Gone::default();
        gone.add(self, record, (id, guard));
        gone.take_out(self, id, usize::MAX, guard);
    }

    /// The entries of an index that the states of a vertex ask for.
    fn each_vertex_entry(
        &self,
        index: &Index,
        id: VertexId,
        guard: &Guard<'_>,
        mut visit: impl FnMut(&[u8]),
    ) {
        let Some(label) = index.definition.label() else {
            return;
        };
        for state in self.states(id, guard) {
            if self.labels_of(&state).binary_search(&label).is_ok()
                && let Some(entry) = index.vertex_entry(id, |key| state.get(key))
            {
                visit(&entry);
            }
        }
    }

    /// Enters every state of a vertex into a new index.
    pub(crate) fn fill_vertex(&self, index: &Index, id: VertexId, guard: &Guard<'_>) {
        let shard = usize::from(self.shard_of(id).0);
        self.each_vertex_entry(index, id, guard, |entry| index.insert(shard, entry, guard));
    }
}
