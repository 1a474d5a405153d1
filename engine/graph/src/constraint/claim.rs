//! Unique keys: who has one, who may take it, and finding a vertex by it (design D8).
//!
//! Owned here: [`Claims`] (the unique keys that a new state takes), the rule of who has a key, [`UniqueRef`]. Called by `write`, `schema`, `view`,
//! `index` (seeks), `settle` (sweeping).
//! Always holds: a key is taken under the token of its partition, after looking at everyone who may have it in the newest state there
//! is; so of two that want it one finds the other. A committed holder is a violation; one in flight (about to take the key, or about to let it
//! go) is a conflict, and so is one that has let it go since the author's snapshot: there it has the key still. So no transaction ever
//! sees a key on two vertices.
//! Left to others: taking the tokens before (`write`), which must be all at once and in order.

use super::definition::shown;
use super::unique::{KeyHash, UniqueTable};
use super::{Constraint, ContestedKey, Violation, fate, while_making};
use crate::core::CoreState;
use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{CommitSeq, KeyId, LabelId, ShardId, VertexId};
use crate::memory::Guard;
use crate::schema::{Item, Schema};
use crate::shard::Hold;
use crate::stamp::{Author, CellId, Fate, Standing, in_flight};
use crate::state::State;
use crate::value::sort_key::{self, SortKey};
use crate::value::{Value, ValueRef};
use crate::version::Record;
use crate::view::View;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// One unique key that a state takes.
struct Claim<'s> {
    item: &'s Arc<Item>,
    constraint: &'s Constraint,
    table: &'s UniqueTable,
    hash: KeyHash,
    key: SortKey,
}

/// The unique keys that a new state of a vertex takes, beyond those its vertex has.
pub(crate) struct Claims<'s>(SmallVec<[Claim<'s>; 2]>);

/// Who stands in the way of a claim.
enum Holder {
    /// A vertex that has the key, or may have it again, depending on a transaction in flight; or that has let it go since the author's
    /// snapshot.
    Undecided,
    /// A vertex that has it since this commit; of the author's own, since nothing.
    Certain(CommitSeq),
}

impl Constraint {
    /// The unique key of something that has the label and these properties; nothing if it lacks any.
    fn unique_key<'v>(&self, property: impl Fn(KeyId) -> Option<ValueRef<'v>>) -> Option<SortKey> {
        let mut key = SortKey::new();
        for &name in self.definition.keys() {
            sort_key::append_ref(property(name)?, &mut key);
        }
        Some(key)
    }

    /// The unique key of a state; nothing if the constraint does not ask anything of it.
    fn unique_key_of(&self, graph: &Graph, state: &State<'_>) -> Option<SortKey> {
        self.is_on(graph, state)
            .then(|| self.unique_key(|key| state.get(key)))?
    }

    /// The hash of the unique key of a record that has the label; nothing if the constraint is another, or the record lacks a property.
    pub(crate) fn key_hash(&self, record: &impl Record) -> Option<KeyHash> {
        let table = self.unique.as_ref()?;
        Some(table.hash(&self.unique_key(|key| record.property(key))?))
    }

    /// States of a vertex with keys of these hashes, ascending, have gone: notes those that no state of it has any more.
    pub(crate) fn let_go(
        &self,
        graph: &Graph,
        vertex: VertexId,
        gone: &[KeyHash],
        guard: &Guard<'_>,
    ) {
        let Some(table) = &self.unique else {
            return;
        };
        let mut needed: SmallVec<[bool; 8]> = smallvec![false; gone.len()];
        for state in graph.states(vertex, guard) {
            let key = self.unique_key_of(graph, &state);
            if let Some(Ok(at)) = key.map(|key| gone.binary_search(&table.hash(&key))) {
                needed[at] = true;
            }
        }
        for (&hash, _) in gone.iter().zip(needed).filter(|(_, needed)| !needed) {
            table.note_stale(hash);
        }
    }

    /// Whether any state of a vertex has a key of a hash that `has`.
    fn agrees(
        &self,
        graph: &Graph,
        table: &UniqueTable,
        vertex: VertexId,
        guard: &Guard<'_>,
        has: &dyn Fn(KeyHash) -> bool,
    ) -> bool {
        graph.states(vertex, guard).any(|state| {
            let key = self.unique_key_of(graph, &state);
            key.is_some_and(|key| has(table.hash(&key)))
        })
    }

    /// How a vertex has a key, as `own` transaction sees it in the newest state there is.
    fn holding(
        &self,
        graph: &Graph,
        key: &SortKey,
        vertex: VertexId,
        own: Option<CellId>,
        guard: &Guard<'_>,
    ) -> Option<Holder> {
        for state in graph.states(vertex, guard) {
            let has = self.unique_key_of(graph, &state).as_ref() == Some(key);
            let mine = in_flight(state.stamp()).is_some_and(|(cell, _)| own == Some(cell));
            if mine {
                return has.then_some(Holder::Certain(CommitSeq(0)));
            }
            match fate(graph, state.stamp()) {
                Fate::Aborted => {}
                Fate::Active if has => return Some(Holder::Undecided),
                Fate::Active => {
                    // It lets the key go, if it had it and if it commits.
                    let before = self.committed_key(graph, vertex, guard);
                    return (before.as_ref() == Some(key)).then_some(Holder::Undecided);
                }
                Fate::Committed(seq) => return has.then_some(Holder::Certain(seq)),
            }
        }
        None
    }

    /// The key in the newest committed state.
    fn committed_key(&self, graph: &Graph, vertex: VertexId, guard: &Guard<'_>) -> Option<SortKey> {
        let mut states = graph.states(vertex, guard);
        let state =
            states.find(|state| matches!(fate(graph, state.stamp()), Fate::Committed(_)))?;
        self.unique_key_of(graph, &state)
    }

    /// Whether a vertex that others have changed since has a key in the author's snapshot.
    fn had(
        &self,
        graph: &Graph,
        key: &SortKey,
        vertex: VertexId,
        author: &Author<'_>,
        guard: &Guard<'_>,
    ) -> bool {
        for state in graph.states(vertex, guard) {
            match author.standing(state.stamp()) {
                Standing::Void | Standing::Contested => {}
                Standing::Mine => return false,
                Standing::Old => return self.unique_key_of(graph, &state).as_ref() == Some(key),
            }
        }
        false
    }

    /// Another vertex that has a key, and how; failing that, one that an author who reads a snapshot finds by it still. Without an
    /// author, as the newest state has it.
    fn other(
        &self,
        graph: &Graph,
        (table, hash, key): (&UniqueTable, KeyHash, &SortKey),
        vertex: Option<VertexId>,
        author: Option<&Author<'_>>,
        guard: &Guard<'_>,
    ) -> Option<(VertexId, Holder)> {
        let own = author.and_then(|author| author.cell);
        let author = author.filter(|author| !author.uncommitted);
        let (mut how, mut former) = (None, None);
        let holder = table.find(hash, guard, |holder| {
            if Some(holder) != vertex {
                how = self.holding(graph, key, holder, own, guard);
                let had = |author| self.had(graph, key, holder, author, guard);
                if how.is_none() && former.is_none() && author.is_some_and(had) {
                    former = Some(holder);
                }
            }
            how.is_some()
        });
        match holder {
            Some(holder) => Some((holder, how?)),
            None => Some((former?, Holder::Undecided)),
        }
    }

    /// The key that something with these properties has, contested by `holder`'s transaction.
    fn contested<'v>(
        &self,
        graph: &Graph,
        holder: VertexId,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> ContestedKey {
        let Violation { label, keys, .. } = self.violation(graph, None);
        ContestedKey {
            label,
            values: keys.into_iter().zip(self.shown_key(property)).collect(),
            holder,
        }
    }

    /// The values of the key of something with these properties, for a message.
    fn shown_key<'v>(&self, property: impl Fn(KeyId) -> Option<ValueRef<'v>>) -> Vec<String> {
        let values = self.definition.keys().iter().map(|&key| property(key));
        values
            .map(|value| shown(value.unwrap_or(ValueRef::Null)))
            .collect()
    }

    /// The violation of a vertex with these properties, whose key `holder` has.
    fn taken<'v>(
        &self,
        graph: &Graph,
        (vertex, property): (Option<VertexId>, impl Fn(KeyId) -> Option<ValueRef<'v>>),
        holder: VertexId,
        rests_on: CommitSeq,
    ) -> WriteError {
        let mut violation = self.violation(graph, vertex);
        violation.holder = Some(holder);
        violation.values = self.shown_key(property);
        WriteError::Constraint {
            violation: Box::new(violation),
            rests_on,
        }
    }

    /// Enters every state of a vertex that was there before the constraint, and looks whether another has the same key; all tokens
    /// are held.
    pub(super) fn look_for_others(
        &self,
        table: &UniqueTable,
        graph: &Graph,
        vertex: VertexId,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        let mut decided = false;
        for state in graph.states(vertex, guard) {
            let Some(key) = self.unique_key_of(graph, &state) else {
                decided |= matches!(fate(graph, state.stamp()), Fate::Committed(_));
                continue;
            };
            let hash = table.hash(&key);
            table.insert(hash, vertex, guard, &|other, has| {
                self.agrees(graph, table, other, guard, has)
            });
            let fate = fate(graph, state.stamp());
            if decided || fate == Fate::Aborted {
                continue;
            }
            decided |= fate != Fate::Active;
            let other = self.other(graph, (table, hash, &key), Some(vertex), None, guard);
            match (other, fate) {
                (None, _) => {}
                (Some((holder, Holder::Certain(seq))), Fate::Committed(own)) => {
                    let rests_on = seq.max(own);
                    return Err(while_making(self.taken(
                        graph,
                        (Some(vertex), |key| state.get(key)),
                        holder,
                        rests_on,
                    )));
                }
                (Some(_), _) => {
                    return Err(WriteError::Conflict {
                        entity: Entity::Vertex(vertex),
                    });
                }
            }
        }
        Ok(())
    }
}

impl<'s> Claims<'s> {
    /// What a state with these labels and properties takes, beyond what `present` has.
    pub(crate) fn new<'v>(
        graph: &Graph,
        schema: &'s Schema,
        labels: &'s [LabelId],
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        present: Option<State<'_>>,
    ) -> Claims<'s> {
        let claims = schema.constraints(labels).filter_map(|item| {
            let constraint = item.constraint()?;
            let table = constraint.unique.as_ref()?;
            let key = constraint.unique_key(&property)?;
            let before = present.and_then(|state| constraint.unique_key_of(graph, &state));
            (before.as_ref() != Some(&key)).then(|| Claim {
                item,
                constraint,
                table,
                hash: table.hash(&key),
                key,
            })
        });
        Claims(claims.collect())
    }

    /// The shards whose tokens have to be held to take them.
    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.0.iter().map(|claim| claim.table.shard(claim.hash))
    }

    /// Whether the author may take them for a vertex with these properties; their shards' tokens are held.
    pub(crate) fn check<'v>(
        &self,
        graph: &Graph,
        (vertex, property): (Option<VertexId>, impl Fn(KeyId) -> Option<ValueRef<'v>>),
        author: &Author<'_>,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        for claim in &self.0 {
            let key = (claim.table, claim.hash, &claim.key);
            match claim
                .constraint
                .other(graph, key, vertex, Some(author), guard)
            {
                None => {}
                Some((holder, Holder::Undecided)) => {
                    let key = claim.constraint.contested(graph, holder, &property);
                    return Err(WriteError::Conflict {
                        entity: Entity::Key(Box::new(key)),
                    });
                }
                Some((holder, Holder::Certain(seq))) => {
                    let since = claim.item.since().unwrap_or_default();
                    let rests_on = seq.max(since);
                    return Err(claim.constraint.taken(
                        graph,
                        (vertex, &property),
                        holder,
                        rests_on,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Takes them, under the same tokens.
    pub(crate) fn take(&self, graph: &Graph, vertex: VertexId, guard: &Guard<'_>) {
        for claim in &self.0 {
            let (constraint, table) = (claim.constraint, claim.table);
            table.insert(claim.hash, vertex, guard, &|other, has| {
                constraint.agrees(graph, table, other, guard, has)
            });
        }
    }
}

impl CoreState {
    /// Looks through the tables of unique keys where much is stale, up to `budget` segments of this core's shards; how many it was.
    pub(crate) fn sweep_unique_keys(&self, budget: usize) -> usize {
        let graph = &self.graph;
        let guard = self.heap.enter();
        let cores = graph.taken.len();
        let mut done = 0;
        for item in graph.schema.load(&guard).items() {
            let Some(constraint) = item.constraint() else {
                continue;
            };
            let Some(table) = &constraint.unique else {
                continue;
            };
            let own = (0..graph.shard_count())
                .filter(|shard| usize::from(*shard) % cores == usize::from(self.number));
            for shard in own.map(ShardId) {
                while done < budget && table.wants_sweep(shard) {
                    let _hold = Hold::take(&graph.shards, self.number, [shard]);
                    table.sweep(shard, &guard, &|other, has| {
                        constraint.agrees(graph, table, other, &guard, has)
                    });
                    done += 1;
                }
            }
        }
        done
    }
}

/// A unique constraint as one transaction sees it: a way to a vertex by its key, in constant time.
#[derive(Clone, Copy)]
pub struct UniqueRef<'e> {
    constraint: &'e Constraint,
    view: View<'e>,
    /// Whether the snapshot is older than the constraint: then several vertices may have a key in it.
    is_older: bool,
}

impl<'e> UniqueRef<'e> {
    pub(crate) fn new(item: &'e Item, view: View<'e>) -> Option<UniqueRef<'e>> {
        Some(UniqueRef {
            constraint: item.constraint()?,
            view,
            is_older: view.sight().snapshot < item.since()?,
        })
    }

    /// The visible vertex whose properties equal `values`, one value a key of the constraint, in the sense of Cypher's `=`. In a
    /// snapshot older than the constraint there may be several ([`UniqueRef::seek_all`]): one of them.
    #[inline]
    pub fn seek(&self, values: &[Value]) -> Option<VertexId> {
        self.find(values, |_| true)
    }

    /// As [`UniqueRef::seek`], but gives all of them, each once: one at most, unless the snapshot is older than the constraint.
    #[inline]
    pub fn seek_all(&self, values: &[Value], found: &mut Vec<VertexId>) {
        let start = found.len();
        self.find(values, |id| {
            if !found[start..].contains(&id) {
                found.push(id);
            }
            !self.is_older
        });
    }

    /// The first that `is_meant` of those whose properties equal `values`.
    #[inline]
    fn find(
        &self,
        values: &[Value],
        mut is_meant: impl FnMut(VertexId) -> bool,
    ) -> Option<VertexId> {
        let definition = &self.constraint.definition;
        debug_assert_eq!(values.len(), definition.keys().len());
        let table = self.constraint.unique.as_ref()?;
        let mut key = SortKey::new();
        for value in values {
            if value.equals(value) != Some(true) {
                return None;
            }
            sort_key::append(value, &mut key);
        }
        let equals = |id| {
            self.view.vertex(id).is_some_and(|vertex| {
                let mut pairs = definition.keys().iter().zip(values);
                vertex.has_label(definition.label())
                    && pairs.all(|(&key, value)| {
                        vertex.property(key).is_some_and(|found| found.is(value))
                    })
            })
        };
        table.find(table.hash(&key), self.view.guard(), |id| {
            equals(id) && is_meant(id)
        })
    }
}
