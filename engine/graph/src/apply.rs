//! Applying: a frame of the log becomes part of the graph, on a replica and in recovery.
//!
//! Owned here: [`Core::apply`]. Called by `log` and `replication`, in commit order, one caller at a time.
//! Always holds: what is applied is stamped with its number at once and seen when the number is published; allocators of vertex ids and
//! ordinals stay above everything applied; bytes that fit no graph give an error and never a panic. After an error the graph
//! holds part of a frame: it must not be published.
//! Left to others: checksums, order, what settings mean.

use crate::core::Core;
use crate::delta::{Delta, Deltas, Labels, NameKind};
use crate::error::{ApplyError, WriteError};
use crate::ids::{CommitSeq, LabelSetId, VertexId};
use crate::index::IndexDefinition;
use crate::schema::{Filling, SchemaChange};
use crate::settle::Write;
use crate::stamp::Author;
use crate::statistics::Tally;
use crate::value::Edge;
use crate::value::codec::Properties;
use crate::write::{Pen, Touch};
use std::cell::RefCell;
use std::rc::Rc;

/// A setting that a frame carried, for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedSetting {
    /// The commit that carried it.
    pub commit: CommitSeq,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

impl Core {
    /// Applies the deltas of commit `seq`: the body of a frame, without its header. Publish as frames are applied: what lies
    /// above the visible mark cannot be settled, so memory grows with the distance.
    pub fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<Vec<AppliedSetting>, ApplyError> {
        let mut applying = Applying {
            core: self,
            seq,
            tally: Tally::default(),
            settings: Vec::new(),
        };
        for delta in Deltas::new(deltas) {
            applying.delta(delta?)?;
        }
        let numbers = &mut self.0.end_numbers.borrow_mut();
        self.graph().counts[self.slot()]
            .0
            .add(&mut applying.tally, numbers);
        // A recovery applies for long before anyone keeps house.
        self.0.fold_noted(4);
        self.heap().collect(64);
        Ok(applying.settings)
    }
}

struct Applying<'c> {
    core: &'c Core,
    seq: CommitSeq,
    tally: Tally,
    settings: Vec<AppliedSetting>,
}

impl Applying<'_> {
    fn unfit(&self, reason: impl Into<String>) -> ApplyError {
        ApplyError::Unfit {
            seq: self.seq,
            reason: reason.into(),
        }
    }

    fn with_pen<R>(&mut self, work: impl FnOnce(&Pen<'_>) -> R) -> R {
        let state = &self.core.0;
        let guard = state.heap.enter();
        // The log is the only author: everything before it is old to it.
        let author = Author {
            cells: &state.graph.cells,
            snapshot: self.seq,
            cell: None,
            stamp: self.seq.0,
            uncommitted: false,
        };
        let tally = std::mem::take(&mut self.tally);
        let pen = Pen::new(state, &guard, author, tally);
        let result = work(&pen);
        self.tally = pen.tally.into_inner();
        for (edge, record) in pen.touched.into_inner() {
            self.later(Write::Record(edge, record));
        }
        result
    }

    fn known(&self, kind: NameKind, ids: impl IntoIterator<Item = u32>) -> Result<(), ApplyError> {
        let names = self.core.graph().names();
        match ids.into_iter().find(|&id| names.name(kind, id).is_none()) {
            Some(id) => Err(self.unfit(format!("{kind:?} {id} has no name"))),
            None => Ok(()),
        }
    }

    fn keys_known(&self, properties: Properties<'_>) -> Result<(), ApplyError> {
        self.known(NameKind::Key, properties.raw().map(|(key, _)| key.0))
    }

    fn label_set(&self, labels: &Labels) -> Result<LabelSetId, ApplyError> {
        self.known(NameKind::Label, labels.iter().map(|label| label.0))?;
        self.core
            .label_set(labels)
            .ok_or_else(|| self.unfit("too many combinations of labels"))
    }

    fn later(&self, write: Write) {
        let state = &self.core.0;
        state.fold_later(self.seq, write);
        state.prune_later(self.seq, write, &state.heap.enter());
    }

    fn delta(&mut self, delta: Delta<'_>) -> Result<(), ApplyError> {
        let core = self.core;
        let names = core.graph().names();
        match delta {
            Delta::DefineName { kind, id, name } => names.define(kind, id, name, self.seq)?,
            Delta::CreateVertex {
                id,
                labels,
                properties,
            } => {
                self.keys_known(properties)?;
                let set = self.label_set(&labels)?;
                if !self.with_pen(|pen| pen.restore_vertex(id, set, properties)) {
                    return Err(self.unfit(format!("node {id} is created twice")));
                }
                self.core.0.fold_later(self.seq, Write::Vertex(id));
                self.tally.vertex(&labels, 1);
            }
            Delta::DeleteVertex { id } => {
                let deleted = self.with_pen(|pen| pen.delete_vertex(id));
                let Ok(Some((labels, _))) = deleted else {
                    return Err(self.unfit(format!("node {id} cannot be deleted: {deleted:?}")));
                };
                self.tally
                    .vertex(core.graph().label_sets.labels(labels), -1);
                self.later(Write::Vertex(id));
            }
            Delta::SetVertexLabels { id, added, removed } => self.labels(id, &added, &removed)?,
            Delta::SetVertexProperties { id, changes } => {
                self.keys_known(changes)?;
                let changed = self.with_pen(|pen| {
                    pen.change_properties(id, |present| Some(present.overlaid(changes)))
                });
                if let Err(error) = changed {
                    return Err(self.unfit(error.to_string()));
                }
                self.later(Write::Vertex(id));
            }
            Delta::CreateEdge { edge, properties } => {
                self.known(NameKind::Type, [edge.type_.0])?;
                self.keys_known(properties)?;
                if let Err(reason) = self.with_pen(|pen| pen.restore_edge(edge, properties)) {
                    return Err(self.unfit(format!("relationship {}: {reason}", edge.id)));
                }
            }
            Delta::DeleteEdge { edge } => self.delete_edge(edge)?,
            Delta::SetEdgeProperties { edge, changes } => {
                self.keys_known(changes)?;
                let changed = self.with_pen(|pen| {
                    pen.change_edge_properties(edge, |present| Some(present.overlaid(changes)))
                });
                if let Err(error) = changed {
                    return Err(self.unfit(error.to_string()));
                }
            }
            Delta::CreateIndex { definition, name } => {
                self.index_known(&definition)?;
                let made = SchemaChange::create_index(self.core, definition, name);
                self.create(made)?;
            }
            Delta::DropIndex { definition } => {
                self.drop(SchemaChange::drop_index(self.core, &definition, &[]))?;
            }
            Delta::CreateConstraint { definition, name } => {
                self.known(NameKind::Label, [definition.label().0])?;
                self.known(NameKind::Key, definition.keys().iter().map(|key| key.0))?;
                let made = SchemaChange::create_constraint(self.core, definition, name);
                self.create(made)?;
            }
            Delta::DropConstraint { definition } => {
                self.drop(SchemaChange::drop_constraint(self.core, &definition, &[]))?;
            }
            Delta::Setting { name, value } => {
                self.settings.push(AppliedSetting {
                    commit: self.seq,
                    name: name.to_owned(),
                    value: value.to_vec(),
                });
            }
        }
        Ok(())
    }

    fn index_known(&self, definition: &IndexDefinition) -> Result<(), ApplyError> {
        self.known(NameKind::Label, definition.label().map(|label| label.0))?;
        self.known(NameKind::Type, definition.edge_type().map(|type_| type_.0))?;
        self.known(NameKind::Key, definition.keys().iter().map(|key| key.0))
    }

    /// Fills what the log makes, at once: everything before it has been applied.
    fn create(
        &self,
        made: Result<Option<Rc<RefCell<Filling>>>, WriteError>,
    ) -> Result<(), ApplyError> {
        let unfit = |error: WriteError| self.unfit(error.to_string());
        if let Some(filling) = made.map_err(unfit)? {
            let change = SchemaChange::Create(filling);
            if let Err(error) = change.complete(self.core) {
                change.rollback(self.core);
                return Err(unfit(error));
            }
            change.commit(self.core, self.seq);
        }
        Ok(())
    }

    fn drop(&self, found: Result<Option<SchemaChange>, WriteError>) -> Result<(), ApplyError> {
        if let Some(change) = found.map_err(|error| self.unfit(error.to_string()))? {
            change.commit(self.core, self.seq);
        }
        Ok(())
    }

    fn delete_edge(&mut self, edge: Edge) -> Result<(), ApplyError> {
        match self.with_pen(|pen| pen.delete_edge(edge)) {
            Ok(true) => {
                self.later(Write::EdgeDeleted(edge));
                Ok(())
            }
            other => Err(self.unfit(format!(
                "relationship {} cannot be deleted: {other:?}",
                edge.id
            ))),
        }
    }

    fn labels(&mut self, id: VertexId, added: &Labels, removed: &Labels) -> Result<(), ApplyError> {
        self.known(
            NameKind::Label,
            added.iter().chain(removed).map(|label| label.0),
        )?;
        let change = |labels: &mut Labels| {
            labels.retain(|label| !removed.contains(label));
            labels.extend(added.iter().copied());
            labels.sort_unstable();
            labels.dedup();
            true
        };
        let core = self.core;
        let changed: Result<Option<Touch>, _> =
            self.with_pen(|pen| pen.change_labels(id, change, |labels| core.label_set(labels)));
        if let Err(error) = changed {
            return Err(self.unfit(error.to_string()));
        }
        for &label in added {
            self.tally.label(label, 1);
        }
        for &label in removed {
            self.tally.label(label, -1);
        }
        self.later(Write::Vertex(id));
        Ok(())
    }
}
