//! Constraints: what vertices with a label have to fulfil, and who checks it when (design D8).
//!
//! Owned here: [`Constraint`] and what is wrong with a single state; who else has a key ([`claim`]); the table of unique keys ([`unique`]);
//! what is asked and how a violation is told ([`definition`]). Called by `write` (types and unique keys, under tokens, before anything
//! changes), `txn` (existence, when a transaction ends), `schema` (all that is there already), `view` (look-ups by unique key).
//! Always holds: from the moment a constraint stands in the schema no writer commits what it forbids, and it comes online only after
//! every vertex has been looked at; so no committed state violates it. What comes from the log is not checked: its MAIN has.
//! Left to others: which answer waits for the commit that a violation rests on (`server`).

mod claim;
pub(crate) mod definition;
mod unique;

pub(crate) use claim::Claims;
pub use claim::UniqueRef;
pub use definition::{ConstraintDefinition, ContestedKey, PropertyType, Violation};
pub(crate) use unique::KeyHash;

use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{CommitSeq, KeyId, VertexId};
use crate::memory::Guard;
use crate::stamp::{Fate, NEVER, in_flight};
use crate::value::ValueRef;
use crate::version::Record;
use unique::UniqueTable;

/// A constraint at work.
pub(crate) struct Constraint {
    pub(crate) definition: ConstraintDefinition,
    /// Of a constraint under which no two have the same values.
    pub(crate) unique: Option<UniqueTable>,
}

/// What has become of the transaction behind a stamp.
pub(crate) fn fate(graph: &Graph, stamp: u64) -> Fate {
    match in_flight(stamp) {
        _ if stamp == NEVER => Fate::Aborted,
        Some((cell, _)) => graph.cells.fate(cell),
        None => Fate::Committed(CommitSeq(stamp)),
    }
}

/// A violation that was found because its constraint was being made.
fn while_making(mut error: WriteError) -> WriteError {
    if let WriteError::Constraint { violation, .. } = &mut error {
        violation.making = true;
    }
    error
}

/// What is wrong with a state, as far as it can be seen from that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It lacks a property.
    Lacking,
    /// The property is of this type.
    Typed(PropertyType),
}

impl Constraint {
    pub(crate) fn new(definition: ConstraintDefinition, graph: &Graph) -> Constraint {
        let table = || UniqueTable::new(graph.shard_count(), graph.account.clone());
        Constraint {
            unique: definition.is_unique().then(table),
            definition,
        }
    }

    /// What is wrong with something that has the label and these properties, when it is written.
    pub(crate) fn fault_when_written<'v>(
        &self,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> Option<Fault> {
        match &self.definition {
            ConstraintDefinition::Type { key, type_, .. } => {
                let found = PropertyType::of_stored(property(*key)?)?;
                (found != *type_).then_some(Fault::Typed(found))
            }
            _ => None,
        }
    }

    /// What is wrong with something that has the label and these properties, when its transaction ends.
    pub(crate) fn fault_at_end<'v>(
        &self,
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
    ) -> Option<Fault> {
        match &self.definition {
            ConstraintDefinition::Exists { .. } | ConstraintDefinition::Key { .. } => {
                let mut keys = self.definition.keys().iter();
                keys.any(|key| property(*key).is_none())
                    .then_some(Fault::Lacking)
            }
            _ => None,
        }
    }

    /// The violation of a vertex, by names.
    pub(crate) fn violation(&self, graph: &Graph, vertex: Option<VertexId>) -> Violation {
        let names = graph.names();
        let definition = self.definition.clone();
        Violation {
            label: names
                .label_name(definition.label())
                .cloned()
                .unwrap_or_else(|| "?".into()),
            keys: definition
                .keys()
                .iter()
                .map(|&key| names.key_name(key).cloned().unwrap_or_else(|| "?".into()))
                .collect(),
            definition,
            vertex,
            holder: None,
            values: Vec::new(),
            found: None,
            making: false,
        }
    }

    /// As an error.
    pub(crate) fn error(
        &self,
        graph: &Graph,
        vertex: Option<VertexId>,
        fault: Fault,
        rests_on: CommitSeq,
    ) -> WriteError {
        let mut violation = self.violation(graph, vertex);
        if let Fault::Typed(found) = fault {
            violation.found = Some(found);
        }
        WriteError::Constraint {
            violation: Box::new(violation),
            rests_on,
        }
    }

    /// Whether a record, not of a deletion, has the label.
    fn is_on(&self, graph: &Graph, record: &impl Record) -> bool {
        let labels = graph.labels_of(record);
        labels.binary_search(&self.definition.label()).is_ok()
    }

    /// Looks at a vertex that was there before the constraint; its token is held, and for unique keys all
    /// tokens. What is committed and wrong is a violation; what is in
    /// flight and wrong may go away, so it is a conflict.
    pub(crate) fn look(
        &self,
        graph: &Graph,
        vertex: VertexId,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        if let Some(table) = &self.unique {
            self.look_for_others(table, graph, vertex, guard)?;
        }
        if matches!(self.definition, ConstraintDefinition::Unique { .. }) {
            return Ok(());
        }
        for state in graph.states(vertex, guard) {
            let fate = fate(graph, state.stamp());
            let fault = self
                .is_on(graph, &state)
                .then(|| {
                    self.fault_when_written(|key| state.get(key))
                        .or_else(|| self.fault_at_end(|key| state.get(key)))
                })
                .flatten();
            match (fault, fate) {
                (_, Fate::Aborted) => {}
                (None, Fate::Active) => {}
                (Some(_), Fate::Active) => {
                    return Err(WriteError::Conflict {
                        entity: Entity::Vertex(vertex),
                    });
                }
                (None, Fate::Committed(_)) => return Ok(()),
                (Some(fault), Fate::Committed(seq)) => {
                    return Err(while_making(self.error(graph, Some(vertex), fault, seq)));
                }
            }
        }
        Ok(())
    }
}
