//! Schema changes: making and dropping indexes.
//!
//! Owned here: the list of indexes as it changes. Called by `txn` and `apply`.
//! Always holds: the list changes only while every shard's token is held, so each writer feeds exactly the indexes of the list it
//! sees under its token; an index is filled, from every version there is, before it is online, so it serves every snapshot.
//! Left to others: filling behind the writers' backs. Until then writers wait for the length of the filling.

use crate::core::Core;
use crate::delta::Keys;
use crate::error::WriteError;
use crate::ids::{KeyId, LabelId, ShardId};
use crate::index::{Index, IndexDefinition};
use crate::shard::Hold;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The most indexes at once.
pub const INDEXES_MAX: usize = 1024;

/// A change that a transaction has prepared.
pub(crate) enum SchemaChange {
    /// In the list and fed, not yet read.
    Create(IndexDefinition),
    /// Goes at commit.
    Drop(IndexDefinition),
}

fn find(indexes: &[Arc<Index>], label: LabelId, keys: &[KeyId]) -> Option<usize> {
    indexes
        .iter()
        .position(|i| i.definition.label == label && i.definition.keys.as_slice() == keys)
}

fn hold_all(core: &Core) -> Hold<'_> {
    let graph = core.graph();
    Hold::take(
        &graph.shards,
        core.number(),
        (0..graph.shard_count()).map(ShardId),
    )
}

/// Changes the list under all tokens.
fn change_list(core: &Core, change: impl FnOnce(&mut Vec<Arc<Index>>)) {
    let graph = core.graph();
    let guard = core.heap().enter();
    let _hold = hold_all(core);
    let mut list = graph.indexes.load(&guard).clone();
    change(&mut list);
    let online = list
        .iter()
        .filter(|index| index.online.load(Ordering::Relaxed));
    *graph
        .listed
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) =
        online.map(|index| index.definition.clone()).collect();
    graph.indexes.replace(list, core.heap());
}

impl SchemaChange {
    /// Makes and fills an index; `None` if there is one.
    pub(crate) fn create(
        core: &Core,
        label: LabelId,
        keys: &[KeyId],
    ) -> Result<Option<SchemaChange>, WriteError> {
        let graph = core.graph();
        let guard = core.heap().enter();
        let _hold = hold_all(core);
        let mut list = graph.indexes.load(&guard).clone();
        if let Some(at) = find(&list, label, keys) {
            return match list[at].online.load(Ordering::Acquire) {
                true => Ok(None),
                false => Err(WriteError::Schema(
                    "the index is being made by another transaction",
                )),
            };
        }
        if list.len() >= INDEXES_MAX {
            return Err(WriteError::LimitExceeded("indexes"));
        }
        let definition = IndexDefinition {
            label,
            keys: Keys::from_slice(keys),
        };
        let index = Arc::new(Index::new(
            definition.clone(),
            graph.shard_count(),
            graph.account.clone(),
        ));
        graph.fill_index(&index, &guard);
        list.push(index);
        graph.indexes.replace(list, core.heap());
        Ok(Some(SchemaChange::Create(definition)))
    }

    /// Prepares to drop an index; `None` if there is none.
    pub(crate) fn drop(core: &Core, label: LabelId, keys: &[KeyId]) -> Option<SchemaChange> {
        let guard = core.heap().enter();
        let list = core.graph().indexes.load(&guard);
        let at = find(list, label, keys).filter(|&at| list[at].online.load(Ordering::Acquire))?;
        Some(SchemaChange::Drop(list[at].definition.clone()))
    }

    /// The transaction has its number.
    pub(crate) fn commit(self, core: &Core) {
        change_list(core, |list| match self {
            SchemaChange::Create(d) => {
                if let Some(at) = find(list, d.label, &d.keys) {
                    list[at].online.store(true, Ordering::Release);
                }
            }
            SchemaChange::Drop(d) => list.retain(|index| index.definition != d),
        });
    }

    /// The transaction is undone.
    pub(crate) fn rollback(self, core: &Core) {
        if let SchemaChange::Create(d) = self {
            change_list(core, |list| list.retain(|index| index.definition != d));
        }
    }
}
