//! Constraints: what vertices with a label have to fulfil, and who checks it when (design D8).
//!
//! Owned here: [`Constraint`] and its checks; what is asked and how a violation is told ([`definition`]). Called by `write` (types, under
//! the vertex's token, before anything changes), `txn` (existence, when a transaction ends), `schema` (all that is there already).
//! Always holds: from the moment a constraint stands in the schema no writer commits what it forbids, and it comes online only after
//! every vertex has been looked at; so no committed state forbids it. What comes from the log is not checked: its MAIN has.
//! Left to others: which answer waits for the commit that a violation rests on (`server`).

pub(crate) mod definition;

pub use definition::{ConstraintDefinition, PropertyType, Violation};

use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{CommitSeq, KeyId, VertexId};
use crate::memory::Guard;
use crate::stamp::{Fate, NEVER, in_flight};
use crate::value::ValueRef;
use crate::version::Record;

/// A constraint at work.
pub(crate) struct Constraint {
    pub(crate) definition: ConstraintDefinition,
}

/// What is wrong with a state, as far as it can be seen from that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It lacks the property.
    Lacking,
    /// The property is of this type.
    Typed(PropertyType),
}

impl Constraint {
    pub(crate) fn new(definition: ConstraintDefinition, _graph: &Graph) -> Constraint {
        Constraint { definition }
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
            ConstraintDefinition::Exists { key, .. } => {
                property(*key).is_none().then_some(Fault::Lacking)
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

    /// Looks at a vertex that was there before the constraint; its token is held. What is committed and wrong is a violation; what is in
    /// flight and wrong may go away, so it is a conflict.
    pub(crate) fn look(
        &self,
        graph: &Graph,
        vertex: VertexId,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        for state in graph.states(vertex, guard) {
            let fate = match in_flight(state.stamp()) {
                _ if state.stamp() == NEVER => Fate::Aborted,
                Some((cell, _)) => graph.cells.fate(cell),
                None => Fate::Committed(CommitSeq(state.stamp())),
            };
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
                    let mut error = self.error(graph, Some(vertex), fault, seq);
                    if let WriteError::Constraint { violation, .. } = &mut error {
                        violation.making = true;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
