//! Keeping indexes on vertices true to their records.
//!
//! Owned here: what each state of a vertex enters into which index, entering and taking out. Called by `write`, `settle` and the folding of
//! pages (states that come and go), `schema` (filling).
//! Always holds: all of it is done under the token of the vertex's shard; a state's entry is taken out only when no state that is left
//! has the same.
//! Left to others: when a state goes.

use super::Index;
use crate::constraint::let_go;
use crate::graph::Graph;
use crate::ids::{LabelId, VertexId};
use crate::memory::Guard;
use crate::state::State;
use crate::version::Record;

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
        let schema = self.schema.load(guard);
        for index in schema.vertex_indexes(self.labels_of(record)) {
            let Some(entry) = index.vertex_entry(id, |key| record.property(key)) else {
                continue;
            };
            let mut needed = false;
            self.each_vertex_entry(index, id, guard, |left| needed |= left == &entry[..]);
            if !needed {
                index.remove(usize::from(self.shard_of(id).0), &entry, guard);
            }
        }
        let_go(self, id, record, guard);
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
