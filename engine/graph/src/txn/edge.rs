//! A transaction's writes of edges.
//!
//! Owned here: what each operation asks before it begins, puts into the frame and notes for the transaction's end. Called by `query`.
//! Always holds: a write that fails has changed nothing; what was done stands in the list of writes.
//! Left to others: the change itself (`write`).

use super::frame::replacement;
use super::{NewEdge, Txn};
use crate::delta::{DeltaWriter, NameKind};
use crate::error::WriteError;
use crate::ids::{KeyId, TypeId, VertexId};
use crate::settle::Write;
use crate::value::codec::Properties;
use crate::value::{Edge, Value};

impl Txn {
    /// Creates an edge between two vertices that exist for this transaction.
    pub fn create_edge(
        &mut self,
        source: VertexId,
        target: VertexId,
        type_: TypeId,
        properties: &[(KeyId, Value)],
    ) -> Result<Edge, WriteError> {
        self.begin_write()?;
        self.define(NameKind::Type, type_.0)?;
        let bytes = self.encode(properties)?;
        let properties = Properties::trusted(&bytes);
        let edge = self.with_pen(|pen| pen.create_edge(source, target, type_, properties))?;
        self.writes.push(Write::EdgeCreated(edge));
        DeltaWriter::new(&mut self.frame).create_edge(edge, properties);
        self.stats.edges_created += 1;
        self.stats.properties_set += properties.iter().count() as u64;
        Ok(edge)
    }

    /// Creates many edges between vertices that exist for this transaction, all or none, with their shards' tokens taken once: the
    /// fastest way to load. Whoever has a long list gives it in batches of some thousands, so that others get their turn.
    pub fn create_edges(&mut self, new: &[NewEdge<'_>]) -> Result<Vec<Edge>, WriteError> {
        self.begin_write()?;
        let mut defined = None;
        let mut bytes = Vec::new();
        // Where the properties of each end, if any has some.
        let mut ends = Vec::new();
        let any = new.iter().any(|edge| !edge.properties.is_empty());
        for edge in new {
            if defined != Some(edge.type_) {
                self.define(NameKind::Type, edge.type_.0)?;
                defined = Some(edge.type_);
            }
            if any {
                bytes.extend_from_slice(&self.encode(edge.properties)?);
                ends.push(bytes.len());
            }
        }
        self.make_room_for_batch(new.len(), bytes.len())?;
        let properties = |at: usize| {
            let start = if at == 0 {
                0
            } else {
                ends.get(at - 1).copied().unwrap_or(0)
            };
            let end = ends.get(at).copied().unwrap_or(0);
            Properties::trusted(&bytes[start..end])
        };
        let made = self.with_pen(|pen| pen.create_edges(new, properties))?;
        self.writes.reserve(made.len());
        for (at, &edge) in made.iter().enumerate() {
            self.writes.push(Write::EdgeCreated(edge));
            DeltaWriter::new(&mut self.frame).create_edge(edge, properties(at));
            self.stats.properties_set += properties(at).iter().count() as u64;
        }
        self.stats.edges_created += made.len() as u64;
        Ok(made)
    }

    /// Deletes an edge; `false` if this transaction has deleted it already.
    pub fn delete_edge(&mut self, edge: Edge) -> Result<bool, WriteError> {
        self.begin_write()?;
        let deleted = self.with_pen(|pen| pen.delete_edge(edge))?;
        if deleted {
            self.note_deleted_edge(edge);
        }
        Ok(deleted)
    }

    /// Sets one property of an edge; null removes it.
    pub fn set_edge_property(
        &mut self,
        edge: Edge,
        key: KeyId,
        value: &Value,
    ) -> Result<(), WriteError> {
        self.set_edge_properties(edge, &[(key, value.clone())])
    }

    /// Sets several properties of an edge; null removes.
    pub fn set_edge_properties(
        &mut self,
        edge: Edge,
        changes: &[(KeyId, Value)],
    ) -> Result<(), WriteError> {
        self.begin_write()?;
        let changes = self.encode_changes(changes)?;
        let changes = Properties::trusted(&changes);
        let changed = self.with_pen(|pen| {
            pen.change_edge_properties(edge, |present| present.overlaid_if_changed(changes))
        })?;
        self.note_edge_properties(edge, changes, changed);
        Ok(())
    }

    /// Gives an edge these properties and no others.
    pub fn replace_edge_properties(
        &mut self,
        edge: Edge,
        properties: &[(KeyId, Value)],
    ) -> Result<(), WriteError> {
        self.begin_write()?;
        let bytes = self.encode(properties)?;
        let mut changes = Vec::new();
        let changed = self.with_pen(|pen| {
            pen.change_edge_properties(edge, |present| replacement(present, &bytes, &mut changes))
        })?;
        self.note_edge_properties(edge, Properties::trusted(&changes), changed);
        Ok(())
    }

    fn note_edge_properties(&mut self, edge: Edge, changes: Properties<'_>, changed: bool) {
        if changed {
            DeltaWriter::new(&mut self.frame).set_edge_properties(edge, changes);
            self.stats.properties_set += changes.raw().count() as u64;
        }
    }

    pub(super) fn note_deleted_edge(&mut self, edge: Edge) {
        self.writes.push(Write::EdgeDeleted(edge));
        DeltaWriter::new(&mut self.frame).delete_edge(edge);
        self.stats.edges_deleted += 1;
    }
}
