//! Label+property indexes: ordered, per shard, verified against the record (design D8).
//!
//! Owned here: [`Index`], how entries are made, and the reads of [`IndexRef`]. Called by `view` and `query` (reads), `write` and
//! `settle` (entries), `schema` (making and dropping).
//! Always holds: for each version in a vertex's chain that has the label and all keys there is an entry (key, id) in the tree of the
//! vertex's shard, and no other; so an entry stays as long as a snapshot can need it, and a reader asks the record what is true for it.
//! Left to others: unique keys, edge types, descending order.
//!
//! An entry is the sort keys of the values one behind the other, cut at [`KEY_MAX`] bytes, and the vertex id (8 bytes, big-endian).

use crate::delta::Keys;
use crate::ids::{KeyId, LabelId, VertexId};
use crate::memory::{Account, Guard, Heap};
use crate::state::State;
use crate::tree::{Ascent, STRING_MAX, Tree};
use crate::value::Value;
use crate::value::sort_key::{self, SortKey};
use crate::version::Record;
use crate::view::View;
use std::cmp::Ordering as Cmp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Keys longer than this are cut; entries that share the cut part are told apart by the record.
pub const KEY_MAX: usize = 1024;
const ID_BYTES: usize = 8;
const _: () = assert!(KEY_MAX + ID_BYTES == STRING_MAX);

/// What an index is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Vertices with this label,
    pub label: LabelId,
    /// by these properties, in this order; a vertex that lacks one is not in the index.
    pub keys: Keys,
}

/// An index over all shards.
pub(crate) struct Index {
    pub(crate) definition: IndexDefinition,
    /// False while the transaction that makes it has not committed.
    pub(crate) online: AtomicBool,
    trees: Box<[Tree]>,
    entries: AtomicU64,
    account: Arc<Account>,
}

impl Index {
    pub(crate) fn new(definition: IndexDefinition, shards: u16, account: Arc<Account>) -> Index {
        Index {
            definition,
            online: AtomicBool::new(false),
            trees: (0..shards).map(|_| Tree::default()).collect(),
            entries: AtomicU64::new(0),
            account,
        }
    }

    /// The entry of a record, or nothing if it is not in the index.
    pub(crate) fn entry(
        &self,
        id: VertexId,
        labels: &[LabelId],
        record: &impl Record,
    ) -> Option<SortKey> {
        if record.is_deleted() || labels.binary_search(&self.definition.label).is_err() {
            return None;
        }
        let mut entry = self.key_of(record)?;
        entry.extend_from_slice(&id.0.to_be_bytes());
        Some(entry)
    }

    fn key_of(&self, record: &impl Record) -> Option<SortKey> {
        let mut key = SortKey::new();
        for &name in &self.definition.keys {
            sort_key::append_ref(record.property(name)?, &mut key);
        }
        key.truncate(KEY_MAX);
        Some(key)
    }

    pub(crate) fn insert(&self, shard: usize, entry: &[u8], guard: &Guard<'_>) {
        if self.trees[shard].insert(entry, guard) {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn remove(&self, shard: usize, entry: &[u8], guard: &Guard<'_>) {
        if self.trees[shard].remove(entry, guard) {
            self.entries.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Index {
    /// The last holder is the retired list of indexes, so an epoch has passed since a reader could reach it.
    fn drop(&mut self) {
        let heap = Heap::teardown(self.account.clone());
        for tree in &mut self.trees {
            tree.free(&heap);
        }
    }
}

fn id_of(entry: &[u8]) -> VertexId {
    let (_, id) = entry.split_at(entry.len() - ID_BYTES);
    VertexId(u64::from_be_bytes(
        id.try_into().expect("an entry ends with an id"),
    ))
}

fn key_of(entry: &[u8]) -> &[u8] {
    &entry[..entry.len() - ID_BYTES]
}

/// An index as one transaction sees it.
#[derive(Clone, Copy)]
pub struct IndexRef<'e> {
    pub(crate) index: &'e Index,
    pub(crate) view: View<'e>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'a> {
    /// No end on this side.
    Unbounded,
    /// The value itself is in the range.
    Included(&'a Value),
    /// The value itself is not in the range.
    Excluded(&'a Value),
}

/// Where a range scan goes on: it holds a key, no pointer, so it may be parked across epochs.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The last entry looked at.
    last: Option<SortKey>,
    done: bool,
}

impl Cursor {
    /// Whether the range has been read to its end.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

impl<'e> IndexRef<'e> {
    /// What the index is of.
    pub fn definition(&self) -> &'e IndexDefinition {
        &self.index.definition
    }

    /// Entries, those of versions not yet pruned included.
    pub fn size(&self) -> u64 {
        self.index.entries.load(Ordering::Relaxed)
    }

    /// Whether an entry is true for this transaction, and then the state of its vertex.
    fn verified(&self, entry: &[u8]) -> Option<State<'e>> {
        let state = self.view.state(id_of(entry))?;
        let labels = self.view.graph().label_sets.labels(state.label_set());
        if labels.binary_search(&self.index.definition.label).is_err() {
            return None;
        }
        (self.index.key_of(&state)?.as_slice() == key_of(entry)).then_some(state)
    }

    /// Visible vertices whose properties equal `values`, one value a key of the index, in the sense of Cypher's `=`
    /// (so null and NaN find nothing). In order of shards, then ids.
    pub fn seek(&self, values: &[Value]) -> Seek<'e> {
        debug_assert_eq!(values.len(), self.index.definition.keys.len());
        let mut key = SortKey::new();
        for value in values {
            sort_key::append(value, &mut key);
        }
        let cut = key.len() >= KEY_MAX;
        key.truncate(KEY_MAX);
        let exact = cut.then(|| values.to_vec());
        let nothing = values.iter().any(|value| value.equals(value) != Some(true));
        let shard = if nothing { self.index.trees.len() } else { 0 };
        Seek {
            index: *self,
            key,
            exact,
            shard,
            ascent: None,
        }
    }

    /// Appends up to `limit` visible vertices of a range of the first key, ascending over all shards, going on behind `cursor`.
    /// Call again with the same cursor until [`Cursor::is_done`]. Both bounds compare in the sense of Cypher's `<`: only values
    /// that can be compared with the bounds are given. Values longer than [`KEY_MAX`] bytes are given, but those that
    /// share their first bytes come in the order of their ids.
    pub fn range(
        &self,
        lower: Bound<'_>,
        upper: Bound<'_>,
        cursor: &mut Cursor,
        limit: usize,
        out: &mut Vec<VertexId>,
    ) {
        let within = |value: &Value| {
            let above = match lower {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(bound).is_some_and(Cmp::is_ge),
                Bound::Excluded(bound) => value.compare(bound).is_some_and(Cmp::is_gt),
            };
            above
                && match upper {
                    Bound::Unbounded => true,
                    Bound::Included(bound) => value.compare(bound).is_some_and(Cmp::is_le),
                    Bound::Excluded(bound) => value.compare(bound).is_some_and(Cmp::is_lt),
                }
        };
        let key = |bound: Bound<'_>| match bound {
            Bound::Unbounded => SortKey::new(),
            Bound::Included(value) | Bound::Excluded(value) => {
                let mut key = SortKey::new();
                sort_key::append(value, &mut key);
                key.truncate(KEY_MAX);
                key
            }
        };
        let (mut start, stop) = (key(lower), key(upper));
        // With one bound the range stays within the types that compare with it.
        let rank = start.first().or(stop.first()).copied();
        if let Some(rank) = rank.filter(|_| start.is_empty()) {
            start.push(rank);
        }
        self.walk(
            &start,
            cursor,
            limit,
            |entry| {
                rank.is_some_and(|rank| entry[0] != rank)
                    || (!stop.is_empty() && !entry.starts_with(&stop) && *entry > stop[..])
            },
            within,
            out,
        );
    }

    /// As [`IndexRef::range`], for text that starts with `prefix`.
    pub fn prefix(&self, prefix: &str, cursor: &mut Cursor, limit: usize, out: &mut Vec<VertexId>) {
        let mut start = SortKey::new();
        sort_key::append_prefix(prefix, &mut start);
        start.truncate(KEY_MAX);
        let within =
            |value: &Value| matches!(value, Value::String(text) if text.starts_with(prefix));
        self.walk(
            &start,
            cursor,
            limit,
            |entry| !entry.starts_with(&start),
            within,
            out,
        );
    }

    /// Merges the shards' entries from `start` (or behind the cursor) until `beyond`.
    fn walk(
        &self,
        start: &[u8],
        cursor: &mut Cursor,
        limit: usize,
        beyond: impl Fn(&[u8]) -> bool,
        within: impl Fn(&Value) -> bool,
        out: &mut Vec<VertexId>,
    ) {
        if cursor.done {
            return;
        }
        let from: &[u8] = cursor.last.as_deref().unwrap_or(start);
        let skip = cursor.last.clone();
        let mut heads: smallvec::SmallVec<[(&[u8], Ascent<'e>); 8]> = self
            .index
            .trees
            .iter()
            .filter_map(|tree| {
                let mut ascent = tree.from(from, self.view.guard());
                let mut first = ascent.next()?;
                if skip.as_deref() == Some(first) {
                    first = ascent.next()?;
                }
                Some((first, ascent))
            })
            .collect();
        let mut left = limit;
        while left > 0 {
            let least = heads
                .iter()
                .enumerate()
                .min_by_key(|(_, head)| head.0)
                .map(|(at, _)| at);
            let Some(at) = least.filter(|&at| !beyond(heads[at].0)) else {
                cursor.done = true;
                return;
            };
            let entry = heads[at].0;
            match heads[at].1.next() {
                Some(next) => heads[at].0 = next,
                None => {
                    heads.swap_remove(at);
                }
            }
            cursor.last = Some(SortKey::from_slice(entry));
            if let Some(state) = self.verified(entry) {
                let first = state.property(self.index.definition.keys[0]);
                if first.is_some_and(|value| within(&value.to_value())) {
                    out.push(id_of(entry));
                    left -= 1;
                }
            }
        }
    }
}

/// What [`IndexRef::seek`] finds; allocates nothing for keys of up to 64 bytes.
pub struct Seek<'e> {
    index: IndexRef<'e>,
    key: SortKey,
    /// The values themselves, where their key was cut.
    exact: Option<Vec<Value>>,
    shard: usize,
    ascent: Option<Ascent<'e>>,
}

impl Iterator for Seek<'_> {
    type Item = VertexId;

    #[inline]
    fn next(&mut self) -> Option<VertexId> {
        loop {
            let tree = self.index.index.trees.get(self.shard)?;
            let ascent = self
                .ascent
                .get_or_insert_with(|| tree.from(&self.key, self.index.view.guard()));
            match ascent.next().filter(|entry| entry.starts_with(&self.key)) {
                Some(entry) => {
                    let Some(state) = self.index.verified(entry) else {
                        continue;
                    };
                    let keys: &[KeyId] = &self.index.index.definition.keys;
                    let equal = self.exact.as_ref().is_none_or(|values| {
                        keys.iter()
                            .zip(values)
                            .all(|(&k, v)| state.property(k).is_some_and(|p| p.is(v)))
                    });
                    if equal {
                        return Some(id_of(entry));
                    }
                }
                None => {
                    self.ascent = None;
                    self.shard += 1;
                }
            }
        }
    }
}
