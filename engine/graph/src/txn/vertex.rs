//! A transaction's writes of vertices.
//!
//! Owned here: what each operation asks before it begins, puts into the frame and notes for the transaction's end. Called by `query`.
//! Always holds: a write that fails has changed nothing, or else dooms the transaction; what was done stands in the list of writes.
//! Left to others: the change itself (`write`).

use super::frame::replacement;
use super::{NewVertex, Txn};
use crate::delta::{DeltaWriter, LABELS_MAX, Labels, NameKind};
use crate::error::WriteError;
use crate::ids::{KeyId, LabelId, LabelSetId, VertexId};
use crate::settle::Write;
use crate::value::Value;
use crate::value::codec::Properties;
use crate::write::Touch;

impl Txn {
    /// Creates a vertex on this core's shard. Labels in any order, repeated ones count once; null properties are left out.
    pub fn create_vertex(
        &mut self,
        labels: &[LabelId],
        properties: &[(KeyId, Value)],
    ) -> Result<VertexId, WriteError> {
        self.begin_write()?;
        let (sorted, set) = self.labels_to_create(labels)?;
        let bytes = self.encode(properties)?;
        let home = self.core.home();
        let properties = Properties::trusted(&bytes);
        let id = self.with_pen(|pen| pen.create_vertex(home, set, properties))?;
        self.writes.push(Write::Vertex(id));
        self.note_created_vertex(id, &sorted, properties);
        Ok(id)
    }

    /// Creates many vertices on this core's shard, with its token taken once: the fastest way to load. After an error some may have been
    /// made: the transaction can only be rolled back. Whoever has a long list gives it in batches of some thousands, so that
    /// others get their turn.
    pub fn create_vertices(&mut self, new: &[NewVertex<'_>]) -> Result<Vec<VertexId>, WriteError> {
        self.begin_write()?;
        let mut rows: Vec<(LabelSetId, usize)> = Vec::with_capacity(new.len());
        let mut bytes = Vec::new();
        let mut known: Option<(&[LabelId], LabelSetId)> = None;
        for vertex in new {
            let set = match known {
                Some((labels, set)) if labels == vertex.labels => set,
                _ => self.labels_to_create(vertex.labels)?.1,
            };
            known = Some((vertex.labels, set));
            bytes.extend_from_slice(&self.encode(vertex.properties)?);
            rows.push((set, bytes.len()));
        }
        self.make_room_for_batch(new.len(), bytes.len())?;
        let starts = std::iter::once(0).chain(rows.iter().map(|row| row.1));
        let rows = rows.iter().zip(starts);
        let rows = rows.map(|(&(set, end), start)| (set, Properties::trusted(&bytes[start..end])));
        let home = self.core.home();
        let mut ids = Vec::with_capacity(new.len());
        let made = self.with_pen(|pen| pen.create_vertices(home, rows.clone(), &mut ids));
        self.doomed |= made.is_err();
        self.writes.extend(ids.iter().map(|&id| Write::Vertex(id)));
        made?;
        let core = self.core.clone();
        for (&id, (set, properties)) in ids.iter().zip(rows) {
            let labels: Labels = core.graph().label_sets.labels(set).into();
            self.note_created_vertex(id, &labels, properties);
        }
        Ok(ids)
    }

    /// The labels of a vertex to be created, ascending, each once, with the number of the set.
    fn labels_to_create(&mut self, labels: &[LabelId]) -> Result<(Labels, LabelSetId), WriteError> {
        let mut sorted: Labels = labels.into();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() > LABELS_MAX {
            return Err(WriteError::LimitExceeded(
                "labels of one node, which are 1,024 at most",
            ));
        }
        for label in &sorted {
            self.define(NameKind::Label, label.0)?;
        }
        let set = self.core.label_set(&sorted);
        let set = set.ok_or(WriteError::LimitExceeded("too many combinations of labels"))?;
        Ok((sorted, set))
    }

    fn note_created_vertex(&mut self, id: VertexId, labels: &Labels, properties: Properties<'_>) {
        DeltaWriter::new(&mut self.frame).create_vertex(id, labels, properties);
        self.tally.vertex(labels, 1);
        self.stats.vertices_created += 1;
        self.stats.labels_added += labels.len() as u64;
        self.stats.properties_set += properties.iter().count() as u64;
    }

    /// Deletes a vertex that has no edges; `false` if this transaction has deleted it already.
    pub fn delete_vertex(&mut self, vertex: VertexId) -> Result<bool, WriteError> {
        self.begin_write()?;
        let Some((labels, touch)) = self.with_pen(|pen| pen.delete_vertex(vertex))? else {
            return Ok(false);
        };
        self.note_vertex(vertex, touch);
        self.note_deleted_vertex(vertex, labels);
        Ok(true)
    }

    /// Deletes a vertex and its edges; how many edges went with it. A conflict may come when some of them are deleted already: then the
    /// transaction can only be rolled back, as after every conflict.
    pub fn detach_delete_vertex(&mut self, vertex: VertexId) -> Result<u64, WriteError> {
        self.begin_write()?;
        // A contest that is found now has changed nothing.
        let Some(edges) = self.with_pen(|pen| pen.edges_to_detach(vertex))? else {
            return Ok(0);
        };
        self.make_room_for_batch(edges, 0)?;
        let (labels, touch) = self.with_pen(|pen| pen.begin_detach(vertex))?;
        self.note_vertex(vertex, touch);
        let gone = self.detach_edges(vertex);
        self.doomed |= gone.is_err();
        let gone = gone?;
        self.note_deleted_vertex(vertex, labels);
        Ok(gone)
    }

    /// Deletes the edges of a vertex that it has deleted; how many it was.
    fn detach_edges(&mut self, vertex: VertexId) -> Result<u64, WriteError> {
        let edges = self.with_pen(|pen| pen.edges_of(vertex))?;
        let at_once = self.core.graph().parts_per_hold().div_ceil(2);
        let mut gone = Vec::new();
        for batch in edges.chunks(at_once) {
            let deleted = self.with_pen(|pen| pen.detach_edges(batch, &mut gone));
            for edge in gone.drain(..) {
                self.note_deleted_edge(edge);
            }
            deleted?;
        }
        Ok(edges.len() as u64)
    }

    /// Sets one property of a vertex; null removes it. Builds on this transaction's newest state, also within a clause.
    pub fn set_vertex_property(
        &mut self,
        vertex: VertexId,
        key: KeyId,
        value: &Value,
    ) -> Result<(), WriteError> {
        self.set_vertex_properties(vertex, &[(key, value.clone())])
    }

    /// Sets several properties (`SET n += map`); null removes.
    pub fn set_vertex_properties(
        &mut self,
        vertex: VertexId,
        changes: &[(KeyId, Value)],
    ) -> Result<(), WriteError> {
        self.begin_write()?;
        let changes = self.encode_changes(changes)?;
        let changes = Properties::trusted(&changes);
        let touch = self.with_pen(|pen| {
            pen.change_properties(vertex, |present| present.overlaid_if_changed(changes))
        })?;
        self.note_vertex_properties(vertex, changes, touch);
        Ok(())
    }

    /// Gives a vertex these properties and no others (`SET n = map`).
    pub fn replace_vertex_properties(
        &mut self,
        vertex: VertexId,
        properties: &[(KeyId, Value)],
    ) -> Result<(), WriteError> {
        self.begin_write()?;
        let bytes = self.encode(properties)?;
        let mut changes = Vec::new();
        let touch = self.with_pen(|pen| {
            pen.change_properties(vertex, |present| replacement(present, &bytes, &mut changes))
        })?;
        self.note_vertex_properties(vertex, Properties::trusted(&changes), touch);
        Ok(())
    }

    /// Adds a label; `false` if the vertex has it.
    pub fn add_label(&mut self, vertex: VertexId, label: LabelId) -> Result<bool, WriteError> {
        self.begin_write()?;
        self.define(NameKind::Label, label.0)?;
        let core = self.core.clone();
        let add = |labels: &mut Labels| match labels.binary_search(&label) {
            Ok(_) => false,
            Err(at) => {
                labels.insert(at, label);
                true
            }
        };
        let within = |labels: &Labels| {
            if labels.len() > LABELS_MAX {
                None
            } else {
                core.label_set(labels)
            }
        };
        let Some(touch) = self.with_pen(|pen| pen.change_labels(vertex, add, within))? else {
            return Ok(false);
        };
        self.note_vertex(vertex, touch);
        DeltaWriter::new(&mut self.frame).set_vertex_labels(vertex, &[label], &[]);
        self.tally.label(label, 1);
        self.stats.labels_added += 1;
        Ok(true)
    }

    /// Removes a label; `false` if the vertex does not have it.
    pub fn remove_label(&mut self, vertex: VertexId, label: LabelId) -> Result<bool, WriteError> {
        self.begin_write()?;
        self.define(NameKind::Label, label.0)?;
        let core = self.core.clone();
        let remove = |labels: &mut Labels| match labels.binary_search(&label) {
            Ok(at) => {
                labels.remove(at);
                true
            }
            Err(_) => false,
        };
        let touch = self
            .with_pen(|pen| pen.change_labels(vertex, remove, |labels| core.label_set(labels)))?;
        let Some(touch) = touch else { return Ok(false) };
        self.note_vertex(vertex, touch);
        DeltaWriter::new(&mut self.frame).set_vertex_labels(vertex, &[], &[label]);
        self.tally.label(label, -1);
        self.stats.labels_removed += 1;
        Ok(true)
    }

    fn note_vertex(&mut self, vertex: VertexId, touch: Touch) {
        if touch == Touch::First {
            self.writes.push(Write::Vertex(vertex));
        }
    }

    fn note_vertex_properties(
        &mut self,
        vertex: VertexId,
        changes: Properties<'_>,
        touch: Option<Touch>,
    ) {
        if let Some(touch) = touch {
            self.note_vertex(vertex, touch);
            DeltaWriter::new(&mut self.frame).set_vertex_properties(vertex, changes);
            self.stats.properties_set += changes.raw().count() as u64;
        }
    }

    fn note_deleted_vertex(&mut self, vertex: VertexId, labels: LabelSetId) {
        DeltaWriter::new(&mut self.frame).delete_vertex(vertex);
        self.tally
            .vertex(self.core.graph().label_sets.labels(labels), -1);
        self.stats.vertices_deleted += 1;
    }
}
