//! Indexes: ordered, per shard, verified against the record (design D8).
//!
//! Owned here: [`Index`] and how its entries are made; what an index is of ([`definition`]), reading ([`read`]), counts of distinct
//! keys ([`sketch`]). Called by `view` and `query` (reads), `schema` (making, filling, dropping), `write` and `settle` (entries).
//! Always holds: for each state of a vertex (version or settled row) that has the label and the first key there is an entry in the
//! tree of the vertex's shard, and no other; for an index on edges the same in the tree of the source's shard; so an entry stays as
//! long as a snapshot can need it, and a reader asks the record what is true for it.
//! Left to others: unique keys (`constraint`); labels alone, which pages are listed by.
//!
//! An entry is the sort keys of the values one behind the other (null where a later key is missing), cut at [`KEY_MAX`] bytes, and
//! what it leads to: a vertex id, or an edge id and its target (8 bytes each, big-endian). On an edge type alone there are no values.

pub(crate) mod definition;
mod edges;
pub(crate) mod read;
pub(crate) mod sketch;
mod upkeep;

pub use definition::{Bound, IndexDefinition, KeyRange, NextKey, Order};
pub(crate) use edges::Edging;
pub use read::{Cursor, EdgeIndexRef, IndexRef, Seek};
pub(crate) use upkeep::Gone;

use crate::delta::Keys;
use crate::ids::{EdgeId, KeyId, LabelId, TypeId, VertexId};
use crate::memory::{Account, Guard, Heap};
use crate::tree::{STRING_MAX, Tree};
use crate::value::sort_key::{self, SortKey};
use crate::value::{Edge, Value, ValueRef};
use sketch::Sketch;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys longer than this are cut; entries that share the cut part are told apart by the record.
pub const KEY_MAX: usize = 1024;
const ID_BYTES: usize = 8;
const _: () = assert!(KEY_MAX + 2 * ID_BYTES == STRING_MAX);

impl IndexDefinition {
    /// An ascending index on vertices; without keys, on the label alone.
    pub fn on_label(label: LabelId, keys: &[KeyId]) -> IndexDefinition {
        match keys {
            [] => IndexDefinition::Label(label),
            keys => IndexDefinition::LabelProperties {
                label,
                keys: Keys::from_slice(keys),
                order: Order::Ascending,
            },
        }
    }

    /// An ascending index on edges; without keys, on the type alone.
    pub fn on_type(type_: TypeId, keys: &[KeyId]) -> IndexDefinition {
        match keys {
            [] => IndexDefinition::EdgeType(type_),
            keys => IndexDefinition::EdgeTypeProperties {
                type_,
                keys: Keys::from_slice(keys),
                order: Order::Ascending,
            },
        }
    }
}

/// An index over all shards.
pub struct Index {
    pub(crate) definition: IndexDefinition,
    trees: Box<[Tree]>,
    /// For each number of first keys, how many distinct values they have taken.
    sketches: Box<[Sketch]>,
    entries: AtomicU64,
    account: Arc<Account>,
}

impl Index {
    pub(crate) fn new(definition: IndexDefinition, shards: u16, account: Arc<Account>) -> Index {
        Index {
            sketches: definition
                .keys()
                .iter()
                .map(|_| Sketch::default())
                .collect(),
            definition,
            trees: (0..shards).map(|_| Tree::default()).collect(),
            entries: AtomicU64::new(0),
            account,
        }
    }

    /// Entries, those of states not yet forgotten included.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// About how many distinct values the first `n` keys have taken since the index was made or last analysed; see [`sketch`].
    pub(crate) fn distinct(&self, n: usize) -> u64 {
        self.sketches[n - 1].estimate()
    }

    /// Counts distinct keys from what is in `fresh` on.
    pub(crate) fn count_anew(&self, fresh: &[Sketch]) {
        for (sketch, fresh) in self.sketches.iter().zip(fresh) {
            sketch.replace(fresh);
        }
    }

    /// The key of something with these properties; nothing if it lacks the first.
    pub(crate) fn key_of<'v>(
        &self,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> Option<SortKey> {
        let mut key = SortKey::new();
        for (at, &name) in self.definition.keys().iter().enumerate() {
            match property(name) {
                Some(value) => sort_key::append_ref(value, &mut key),
                None if at == 0 => return None,
                None => sort_key::append(&Value::Null, &mut key),
            }
        }
        key.truncate(KEY_MAX);
        Some(key)
    }

    /// The entry of a vertex that has the label and these properties; nothing if it is not in the index.
    pub(crate) fn vertex_entry<'v>(
        &self,
        id: VertexId,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> Option<SortKey> {
        let mut entry = self.key_of(property)?;
        entry.extend_from_slice(&id.0.to_be_bytes());
        Some(entry)
    }

    /// The entry of an edge of the type with these properties; nothing if it is not in the index.
    pub(crate) fn edge_entry<'v>(
        &self,
        edge: Edge,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> Option<SortKey> {
        let mut entry = self.key_of(property)?;
        entry.extend_from_slice(&edge.id.0.to_be_bytes());
        entry.extend_from_slice(&edge.target.0.to_be_bytes());
        Some(entry)
    }

    /// Bytes behind the key of an entry.
    fn tail(&self) -> usize {
        match self.definition.edge_type() {
            Some(_) => 2 * ID_BYTES,
            None => ID_BYTES,
        }
    }

    fn key<'s>(&self, entry: &'s [u8]) -> &'s [u8] {
        &entry[..entry.len() - self.tail()]
    }

    fn vertex_of(&self, entry: &[u8]) -> VertexId {
        VertexId(number(&entry[entry.len() - ID_BYTES..]))
    }

    fn edge_of(&self, entry: &[u8], type_: TypeId) -> Edge {
        let (id, target) = entry[entry.len() - 2 * ID_BYTES..].split_at(ID_BYTES);
        Edge {
            id: EdgeId(number(id)),
            target: VertexId(number(target)),
            type_,
        }
    }

    /// Adds an entry; the shard's token is held.
    pub(crate) fn insert(&self, shard: usize, entry: &[u8], guard: &Guard<'_>) {
        if self.trees[shard].insert(entry, guard) {
            self.entries.fetch_add(1, Ordering::Relaxed);
            sketch::note(&self.sketches, self.key(entry));
        }
    }

    /// Takes an entry out; the shard's token is held.
    pub(crate) fn remove(&self, shard: usize, entry: &[u8], guard: &Guard<'_>) {
        if self.trees[shard].remove(entry, guard) {
            self.entries.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("ids are eight bytes"))
}

impl Drop for Index {
    /// The last holder is the retired list of the schema, so an epoch has passed since a reader could reach it.
    fn drop(&mut self) {
        let heap = Heap::teardown(self.account.clone());
        for tree in &mut self.trees {
            tree.free(&heap);
        }
    }
}
