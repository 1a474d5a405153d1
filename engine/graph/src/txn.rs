//! Transactions: a snapshot, the writes made on it, and their end.
//!
//! Owned here: [`Txn`]: its frame as it grows, its list of writes for settling and undo, its counts. Called by `query` (reads and
//! writes), `server` (begin, commit, rollback).
//! Always holds: a write that fails has changed nothing, or else dooms the transaction, as every conflict does; what has no number yet is undone when the
//! transaction is dropped; each name its frame uses is defined in a durable frame or in its own, before its first use.
//! Left to others: how a write is made (`write`), what an answer waits for after the commit (`server`).

use crate::constraint::ConstraintDefinition;
use crate::core::{Core, Epoch};
use crate::delta::{DeltaWriter, INDEX_KEYS_MAX, LABELS_MAX, Labels, NAME_BYTES_MAX, NameKind};
use crate::draft::Draft;
use crate::error::{CommitError, Entity, WriteError};
use crate::ids::{CommitSeq, KeyId, LabelId, LabelSetId, TypeId, VertexId};
use crate::index::IndexDefinition;
use crate::memory::{Guard, MemoryOwner};
use crate::mutants::Mutant;
use crate::schema::{Filling, Schema, SchemaBuild, SchemaChange};
use crate::settle::Write;
use crate::stamp::{Author, CellId, NEVER, Sight};
use crate::state::PropertiesRef;
use crate::statistics::Tally;
use crate::value::codec::{Properties, encode_properties, put_varint};
use crate::value::{Edge, Value};
use crate::view::View;
use crate::write::{Pen, Touch};
use hashbrown::HashSet;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};

/// The largest frame of one transaction, in bytes.
pub const TXN_BYTES_MAX: usize = 256 << 20;

/// What a write is admitted to beyond its values, in bytes: a page, the lists and index nodes that it copies.
const WRITE_BYTES: usize = 64 << 10;
/// Room in the frame for what stands beside a write's values, in bytes.
const DELTA_BYTES: usize = 256;
/// The same for each of a batch: vertices or edges with a few labels.
const BATCHED_DELTA_BYTES: usize = 40;
/// What each of a batch is admitted to in the graph beyond its values, in bytes: slot, version, entries on both sides.
const BATCHED_BYTES: usize = 192;
/// What a property takes up, for a guess at what several do.
const PROPERTY_BYTES: usize = 16;
/// Up to this size a frame grows by doubling, beyond by half, in bytes.
const FRAME_DOUBLES_TO: usize = 1 << 20;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only: writes are refused.
    Read,
    /// Reads and writes.
    Write,
}

/// What a transaction sees of others. Whatever the level, the first updater wins: nobody writes over what another has in flight, or has
/// committed since the writer's present snapshot; and no edge dangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// The graph as of its beginning.
    #[default]
    Snapshot,
    /// The graph as of the beginning of each statement, with its own writes.
    ReadCommitted,
    /// The newest state of everything that is not undone, whoever wrote it, committed or not; it may change under a
    /// statement. What is written still conflicts with others as of the beginning of each statement.
    ReadUncommitted,
}

/// What a statement of a transaction sees, from its first step to its last row, whatever later statements do. While it lives, what it
/// sees is kept.
pub struct Statement {
    snapshot: CommitSeq,
    /// The clause whose state a statement that only reads goes on seeing; `None`: that of the transaction.
    clause: Option<u32>,
    /// Where the snapshot is held, if the transaction may let go of it before.
    held: Option<Core>,
}

impl Drop for Statement {
    fn drop(&mut self) {
        if let Some(core) = &self.held {
            core.0
                .snapshots
                .end(&core.0.graph.horizon, core.slot(), self.snapshot);
        }
    }
}

/// A transaction that has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What the answer waits for until it is visible: the transaction's number, or a reader's snapshot.
    pub seq: CommitSeq,
    /// Whether there is a frame.
    pub wrote: bool,
}

/// What a transaction has done, for the client's summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Vertices created.
    pub vertices_created: u64,
    /// Vertices deleted.
    pub vertices_deleted: u64,
    /// Edges created.
    pub edges_created: u64,
    /// Edges deleted.
    pub edges_deleted: u64,
    /// Properties set or removed, those of created things included.
    pub properties_set: u64,
    /// Labels added, those of created vertices included.
    pub labels_added: u64,
    /// Labels removed.
    pub labels_removed: u64,
    /// Indexes made.
    pub indexes_added: u64,
    /// Indexes dropped.
    pub indexes_removed: u64,
    /// Constraints made.
    pub constraints_added: u64,
    /// Constraints dropped.
    pub constraints_removed: u64,
}

/// A vertex to be made, see [`Txn::create_vertices`].
#[derive(Clone, Copy, Debug)]
pub struct NewVertex<'p> {
    /// Its labels, in any order; repeated ones count once.
    pub labels: &'p [LabelId],
    /// Its properties; null ones are left out.
    pub properties: &'p [(KeyId, Value)],
}

/// An edge to be made, see [`Txn::create_edges`].
#[derive(Clone, Copy, Debug)]
pub struct NewEdge<'p> {
    /// Where it starts.
    pub source: VertexId,
    /// Where it ends.
    pub target: VertexId,
    /// Its type.
    pub type_: TypeId,
    /// Its properties; null ones are left out.
    pub properties: &'p [(KeyId, Value)],
}

/// A transaction; `!Send`, owned by a session. Dropping it rolls it back.
pub struct Txn {
    core: Core,
    access: Access,
    isolation: Isolation,
    snapshot: CommitSeq,
    clause: u32,
    /// Taken with the first write.
    cell: Option<CellId>,
    /// Room for the frame's header, then deltas.
    frame: Vec<u8>,
    writes: Vec<Write>,
    /// Bytes of the frame and of the list of writes that are counted.
    charged: usize,
    /// Vertices that may lack what has to exist when it ends.
    unfinished: Vec<VertexId>,
    defined: HashSet<(NameKind, u32)>,
    stats: WriteStats,
    tally: Tally,
    schema: Vec<SchemaChange>,
    doomed: bool,
    /// The newest commit that a violation it met rests on.
    rests_on: CommitSeq,
}

impl Txn {
    pub(crate) fn new(
        core: Core,
        access: Access,
        isolation: Isolation,
        snapshot: CommitSeq,
    ) -> Txn {
        Txn {
            core,
            access,
            isolation,
            snapshot,
            clause: 0,
            cell: None,
            frame: Vec::new(),
            writes: Vec::new(),
            charged: 0,
            unfinished: Vec::new(),
            defined: HashSet::new(),
            stats: WriteStats::default(),
            tally: Tally::default(),
            schema: Vec::new(),
            doomed: false,
            rests_on: CommitSeq(0),
        }
    }

    /// The commit it sees the graph at: that of its present statement, if it takes one for each.
    pub fn snapshot(&self) -> CommitSeq {
        self.snapshot
    }

    /// What it was begun with.
    pub fn access(&self) -> Access {
        self.access
    }

    /// What it was begun with.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The core it belongs to.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Begins a statement: a new snapshot, at the visible watermark, where the isolation asks for one. A statement that `reads` only
    /// goes on seeing the writes made before it, and no later ones.
    pub fn begin_statement(&mut self, reads: bool) -> Statement {
        let graph = self.core.graph();
        let snapshots = &self.core.0.snapshots;
        let clause = reads.then_some(self.clause);
        if self.isolation == Isolation::Snapshot {
            return Statement {
                snapshot: self.snapshot,
                clause,
                held: None,
            };
        }
        // An auto-commit write may stand ahead of the visible mark; nobody goes back.
        if graph.door().visible() > self.snapshot {
            let newer = snapshots.begin(&graph.horizon, self.core.slot(), || {
                graph.door().visible().0
            });
            snapshots.end(&graph.horizon, self.core.slot(), self.snapshot);
            self.snapshot = newer;
        }
        snapshots.hold(self.snapshot);
        Statement {
            snapshot: self.snapshot,
            clause,
            held: Some(self.core.clone()),
        }
    }

    /// What it sees: its snapshot and its own writes of earlier clauses.
    pub fn view<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        self.view_at(epoch, self.snapshot, self.clause)
    }

    /// As [`Txn::view`], with the writes of the current clause made so far (MERGE).
    pub fn view_including_current_clause<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        self.view_at(epoch, self.snapshot, self.clause + 1)
    }

    /// As [`Txn::view`] was for a statement, also when later ones have begun since: for results that are read lazily.
    pub fn view_of_statement<'e>(&self, epoch: &'e Epoch<'_>, statement: &Statement) -> View<'e> {
        let clause = statement.clause.unwrap_or(self.clause);
        self.view_at(epoch, statement.snapshot, clause)
    }

    /// The newest state of everything that is not undone: committed, durable or not, or in flight, own writes of the current clause
    /// included. For decisions that have to hold whatever others are doing: who writes first and looks here after it either finds what a
    /// concurrent transaction has written, or that one, doing the same, finds this. So of two MERGEs of one key at least
    /// one meets the other, and gives way ([`Txn::conflict`]).
    pub fn newest_view<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> {
        // Between my write and my look; partner of the fence of whoever writes and looks at the same time.
        fence(Ordering::SeqCst);
        self.view_through(epoch, Sight::ALL_COMMITTED, self.clause + 1, true)
    }

    fn view_at<'e>(&self, epoch: &'e Epoch<'_>, snapshot: CommitSeq, clause: u32) -> View<'e> {
        if self.isolation == Isolation::ReadUncommitted || Mutant::ReadsDirty.is_on() {
            self.view_through(epoch, Sight::ALL_COMMITTED, clause, true)
        } else if Mutant::ReadsLatest.is_on() {
            self.view_through(epoch, Sight::ALL_COMMITTED, clause, false)
        } else {
            self.view_through(epoch, snapshot, clause, false)
        }
    }

    fn view_through<'e>(
        &self,
        epoch: &'e Epoch<'_>,
        snapshot: CommitSeq,
        clauses_below: u32,
        uncommitted: bool,
    ) -> View<'e> {
        debug_assert!(
            std::ptr::eq(epoch.graph, &**self.core.graph()),
            "an epoch of another graph"
        );
        let sight = Sight {
            cells: &epoch.graph.cells,
            snapshot,
            own: self.cell,
            clauses_below,
            uncommitted,
        };
        View::new(epoch.graph, &epoch.guard, sight)
    }

    /// The transaction has met another at `entity` and gives way: it can only be rolled back. The error says so.
    pub fn conflict(&mut self, entity: Entity) -> WriteError {
        self.doomed = true;
        WriteError::Conflict { entity }
    }

    /// From here on [`Txn::view`] shows what has been written so far.
    pub fn next_clause(&mut self) {
        self.clause += 1;
    }

    /// The current clause, counted from 0.
    pub fn clause(&self) -> u32 {
        self.clause
    }

    /// The label of a name, made if need be.
    pub fn label(&mut self, name: &str) -> Result<LabelId, WriteError> {
        Ok(self.core.graph().names().intern_label(name)?)
    }

    /// The edge type of a name, made if need be.
    pub fn edge_type(&mut self, name: &str) -> Result<TypeId, WriteError> {
        Ok(self.core.graph().names().intern_type(name)?)
    }

    /// The property key of a name, made if need be.
    pub fn key(&mut self, name: &str) -> Result<KeyId, WriteError> {
        Ok(self.core.graph().names().intern_key(name)?)
    }

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
            return Err(WriteError::LimitExceeded("labels of one node"));
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

    /// Begins to make an index; nothing if there is one. From now on writers feed it; the caller fills it step by step, or leaves that to
    /// the commit, after which it can be read. A transaction that changes the schema changes nothing else.
    pub fn create_index(
        &mut self,
        definition: IndexDefinition,
        name: Option<&str>,
    ) -> Result<Option<SchemaBuild>, WriteError> {
        self.begin_schema_change(definition.keys(), name)?;
        self.define_target(
            definition.label(),
            definition.edge_type(),
            definition.keys(),
        )?;
        let core = self.core.clone();
        let made = SchemaChange::create_index(&core, definition.clone(), name)?;
        Ok(made.map(|filling| {
            DeltaWriter::new(&mut self.frame).create_index(&definition, name);
            self.stats.indexes_added += 1;
            self.note_filling(filling)
        }))
    }

    /// Drops an index when the transaction commits; `false` if there is none; a conflict if another transaction is going to. See [`Txn::create_index`].
    pub fn drop_index(&mut self, definition: &IndexDefinition) -> Result<bool, WriteError> {
        self.begin_schema_change(definition.keys(), None)?;
        self.define_target(
            definition.label(),
            definition.edge_type(),
            definition.keys(),
        )?;
        let change = SchemaChange::drop_index(&self.core, definition, &self.schema);
        self.doomed |= change.is_err();
        let Some(change) = change? else {
            return Ok(false);
        };
        self.schema.push(change);
        DeltaWriter::new(&mut self.frame).drop_index(definition);
        self.stats.indexes_removed += 1;
        Ok(true)
    }

    /// Begins to make a constraint; nothing if there is one. From now on writers obey it; the caller has what is there checked step by
    /// step, or leaves that to the commit. See [`Txn::create_index`].
    pub fn create_constraint(
        &mut self,
        definition: ConstraintDefinition,
        name: Option<&str>,
    ) -> Result<Option<SchemaBuild>, WriteError> {
        self.begin_schema_change(definition.keys(), name)?;
        if definition.keys().is_empty() {
            return Err(WriteError::Schema("a constraint has 1 to 16 keys"));
        }
        self.define_target(Some(definition.label()), None, definition.keys())?;
        let core = self.core.clone();
        let made = SchemaChange::create_constraint(&core, definition.clone(), name)?;
        Ok(made.map(|filling| {
            DeltaWriter::new(&mut self.frame).create_constraint(&definition, name);
            self.stats.constraints_added += 1;
            self.note_filling(filling)
        }))
    }

    /// Drops a constraint when the transaction commits; `false` if there is none; a conflict if another transaction is going to. See
    /// [`Txn::create_index`].
    pub fn drop_constraint(
        &mut self,
        definition: &ConstraintDefinition,
    ) -> Result<bool, WriteError> {
        self.begin_schema_change(definition.keys(), None)?;
        self.define_target(Some(definition.label()), None, definition.keys())?;
        let change = SchemaChange::drop_constraint(&self.core, definition, &self.schema);
        self.doomed |= change.is_err();
        let Some(change) = change? else {
            return Ok(false);
        };
        self.schema.push(change);
        DeltaWriter::new(&mut self.frame).drop_constraint(definition);
        self.stats.constraints_removed += 1;
        Ok(true)
    }

    /// Puts a setting into the log; the graph keeps nothing of it.
    pub fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), WriteError> {
        self.begin_write()?;
        if name.len() > NAME_BYTES_MAX || value.len() > TXN_BYTES_MAX {
            return Err(WriteError::LimitExceeded("bytes of a setting"));
        }
        DeltaWriter::new(&mut self.frame).setting(name, value);
        Ok(())
    }

    /// What it has done so far.
    pub fn stats(&self) -> WriteStats {
        self.stats
    }

    /// The newest commit, beyond its snapshot, that an error it met rests on: a key was found taken by a commit that may not be durable
    /// yet. No such error may be told before this is visible.
    pub fn rests_on(&self) -> CommitSeq {
        self.rests_on
    }

    /// Whether it will have a frame.
    pub fn wrote(&self) -> bool {
        self.frame.len() > self.core.graph().door().journal().header_bytes()
    }

    /// The size of its frame so far, header included, in bytes.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    /// Commits: takes a number, after which nothing can fail. The caller waits until the number is visible (durable), and for
    /// replicas, before it answers. On an error everything is rolled back.
    pub fn commit(self) -> Result<Committed, CommitError> {
        self.try_commit().map_err(|(error, _)| error)
    }

    /// As [`commit`](Self::commit), but a refused transaction is given back as it was: one that was refused as busy may be
    /// committed again once the journal has room for [`frame_bytes`](Self::frame_bytes).
    pub fn try_commit(mut self) -> Result<Committed, (CommitError, Box<Txn>)> {
        if self.doomed {
            return Err((CommitError::Doomed, Box::new(self)));
        }
        if !self.wrote() {
            return Ok(Committed {
                seq: self.snapshot,
                wrote: false,
            });
        }
        if let Err(error) = self.complete() {
            if let WriteError::Constraint { rests_on, .. } = &error {
                self.rests_on = self.rests_on.max(*rests_on);
            }
            self.doomed = true;
            return Err((error.into(), Box::new(self)));
        }
        let core = self.core.clone();
        let graph = core.graph();
        let door = graph.door();
        let reservation = match door.reserve(self.frame.len(), core.number()) {
            Ok(reservation) => reservation,
            Err(error) => return Err((error.into(), Box::new(self))),
        };
        let frame = door.journal().finish_frame(std::mem::take(&mut self.frame));
        self.charge(0);
        let seq = door.seal(reservation, frame, |seq| {
            if let Some(cell) = self.cell
                && !Mutant::NumberBeforeCell.is_on()
            {
                graph.cells.commit(cell, seq);
            }
        });
        if Mutant::NumberBeforeCell.is_on() {
            std::thread::yield_now();
            self.cell
                .iter()
                .for_each(|&cell| graph.cells.commit(cell, seq));
        }
        for &(kind, id) in &self.defined {
            graph.names().mark_defined(kind, id, seq);
        }
        let numbers = &mut core.0.end_numbers.borrow_mut();
        graph.counts[core.slot()].0.add(&mut self.tally, numbers);
        for change in std::mem::take(&mut self.schema) {
            change.commit(&core, seq);
        }
        if let Some(cell) = self.cell.take() {
            let writes = std::mem::take(&mut self.writes);
            core.0.ended(cell, Some(seq), writes);
        }
        Ok(Committed { seq, wrote: true })
    }

    /// Undoes everything.
    pub fn rollback(self) {}

    fn begin_write(&mut self) -> Result<(), WriteError> {
        if !self.schema.is_empty() {
            return Err(WriteError::Schema(SCHEMA_ALONE));
        }
        self.begin_any_write()
    }

    fn begin_any_write(&mut self) -> Result<(), WriteError> {
        if self.access == Access::Read {
            return Err(WriteError::ReadOnly);
        }
        if self.doomed {
            return Err(WriteError::Doomed);
        }
        if self.frame.len() > TXN_BYTES_MAX {
            return Err(WriteError::LimitExceeded(
                "bytes written by one transaction",
            ));
        }
        self.make_room(DELTA_BYTES, WRITE_BYTES)?;
        if self.cell.is_none() {
            let cell = self.core.take_cell();
            self.cell =
                Some(cell.ok_or(WriteError::LimitExceeded("transactions writing at once"))?);
            let header = self.core.graph().door().journal().header_bytes();
            self.frame.resize(header, 0);
        }
        Ok(())
    }

    /// Counts what the transaction itself takes.
    fn charge(&mut self, bytes: usize) {
        if bytes != self.charged {
            let more = bytes as i64 - self.charged as i64;
            self.core.heap().count(MemoryOwner::Transactions, more);
            self.charged = bytes;
        }
    }

    fn begin_schema_change(
        &mut self,
        keys: &[KeyId],
        name: Option<&str>,
    ) -> Result<(), WriteError> {
        if self.wrote() && self.schema.is_empty() {
            return Err(WriteError::Schema(SCHEMA_ALONE));
        }
        self.begin_any_write()?;
        if keys.len() > INDEX_KEYS_MAX {
            return Err(WriteError::Schema(
                "an index or a constraint has at most 16 keys",
            ));
        }
        if keys
            .iter()
            .enumerate()
            .any(|(i, key)| keys[..i].contains(key))
        {
            return Err(WriteError::Schema(
                "an index or a constraint has each key once",
            ));
        }
        match name {
            Some(name) if name.is_empty() || name.len() > NAME_BYTES_MAX => Err(
                WriteError::Schema("the name of an index or a constraint has 1 to 65,536 bytes"),
            ),
            _ => Ok(()),
        }
    }

    fn define_target(
        &mut self,
        label: Option<LabelId>,
        type_: Option<TypeId>,
        keys: &[KeyId],
    ) -> Result<(), WriteError> {
        label.map_or(Ok(()), |label| self.define(NameKind::Label, label.0))?;
        type_.map_or(Ok(()), |type_| self.define(NameKind::Type, type_.0))?;
        keys.iter()
            .try_for_each(|key| self.define(NameKind::Key, key.0))
    }

    fn note_filling(&mut self, filling: Rc<RefCell<Filling>>) -> SchemaBuild {
        self.schema.push(SchemaChange::Create(filling.clone()));
        SchemaBuild::new(self.core.clone(), filling)
    }

    /// What a transaction has to fulfil when it ends: properties that have to exist, and schema changes that are not done yet.
    fn complete(&self) -> Result<(), WriteError> {
        self.schema
            .iter()
            .try_for_each(|change| change.complete(&self.core))?;
        let graph = self.core.graph();
        let guard = self.core.heap().enter();
        let schema = graph.schema.load(&guard);
        // Others were whole whenever they were written, and who makes a constraint meets what was written before it.
        self.unfinished
            .iter()
            .try_for_each(|&id| self.ends_well(id, schema, &guard))
    }

    /// Whether this transaction's last state of a vertex may stay.
    fn ends_well(
        &self,
        id: VertexId,
        schema: &Schema,
        guard: &Guard<'_>,
    ) -> Result<(), WriteError> {
        let graph = self.core.graph();
        let Some(state) = graph.states(id, guard).next() else {
            return Ok(());
        };
        for item in schema.constraints(graph.labels_of(&state)) {
            let Some(constraint) = item.constraint() else {
                continue;
            };
            if let Some(fault) = constraint.fault_at_end(|key| state.get(key)) {
                let since = item.since().unwrap_or_default();
                return Err(constraint.error(graph, Some(id), fault, since));
            }
        }
        Ok(())
    }

    fn with_pen<R>(
        &mut self,
        work: impl FnOnce(&Pen<'_>) -> Result<R, WriteError>,
    ) -> Result<R, WriteError> {
        let state = &self.core.0;
        let guard = state.heap.enter();
        let cells = &state.graph.cells;
        let stamp = self.cell.map_or(NEVER, |cell| cell.stamp(self.clause));
        let author = Author {
            cells,
            snapshot: self.snapshot,
            cell: self.cell,
            stamp,
            uncommitted: self.isolation == Isolation::ReadUncommitted,
        };
        let tally = std::mem::take(&mut self.tally);
        let pen = Pen::new(state, &guard, author, tally);
        let result = work(&pen);
        self.tally = pen.tally.into_inner();
        let touched = pen.touched.into_inner();
        self.unfinished.extend(pen.unfinished.into_inner());
        self.writes.extend(
            touched
                .iter()
                .map(|&(edge, record)| Write::Record(edge, record)),
        );
        drop(guard);
        match &result {
            Err(WriteError::Conflict { .. }) => self.doomed = true,
            Err(WriteError::Constraint { rests_on, .. }) => {
                self.rests_on = self.rests_on.max(*rests_on);
            }
            _ => {}
        }
        result
    }

    /// Sees to it that the log knows a name before this frame uses it.
    fn define(&mut self, kind: NameKind, id: u32) -> Result<(), WriteError> {
        let graph = self.core.graph();
        let durable = graph
            .names()
            .defined(kind, id)
            .is_some_and(|seq| seq <= graph.door().visible());
        if durable || self.defined.contains(&(kind, id)) {
            return Ok(());
        }
        let name = graph
            .names()
            .name(kind, id)
            .ok_or(WriteError::UnknownName { kind, id })?;
        DeltaWriter::new(&mut self.frame).define_name(kind, id, name);
        self.defined.insert((kind, id));
        Ok(())
    }

    fn encode(&mut self, properties: &[(KeyId, Value)]) -> Result<Vec<u8>, WriteError> {
        for (key, value) in properties {
            if !value.is_null() {
                self.define(NameKind::Key, key.0)?;
            }
        }
        let mut bytes = Vec::with_capacity(properties.len() * PROPERTY_BYTES);
        encode_properties(properties, &mut bytes)?;
        self.make_room_for_values(bytes.len())?;
        Ok(bytes)
    }

    /// As [`Txn::encode`], with null for "removed".
    fn encode_changes(&mut self, changes: &[(KeyId, Value)]) -> Result<Vec<u8>, WriteError> {
        for (key, _) in changes {
            self.define(NameKind::Key, key.0)?;
        }
        let mut bytes = Vec::with_capacity(changes.len() * PROPERTY_BYTES);
        crate::value::codec::encode_changes(changes, &mut bytes)?;
        self.make_room_for_values(bytes.len())?;
        Ok(bytes)
    }

    /// Sees to it that a write with so many bytes of values may be done.
    fn make_room_for_values(&mut self, values: usize) -> Result<(), WriteError> {
        self.make_room(DELTA_BYTES + values, WRITE_BYTES + values)
    }

    /// Sees to it that so many things with so many bytes of values in all may be made.
    fn make_room_for_batch(&mut self, things: usize, values: usize) -> Result<(), WriteError> {
        self.make_room(
            DELTA_BYTES + things * BATCHED_DELTA_BYTES + values,
            WRITE_BYTES + things * BATCHED_BYTES + values,
        )
    }

    /// Sees to it that there is memory for what is kept in the graph, and room in the frame for deltas, which is made here so that it is
    /// admitted before it is taken.
    fn make_room(&mut self, deltas: usize, kept: usize) -> Result<(), WriteError> {
        self.charge(self.frame.capacity() + self.writes.capacity() * size_of::<Write>());
        let (len, capacity) = (self.frame.len(), self.frame.capacity());
        let wanted = len + deltas;
        let mut room = 0;
        if wanted > capacity {
            let growth = if capacity < FRAME_DOUBLES_TO {
                capacity
            } else {
                capacity / 2
            };
            room = wanted.max(capacity + growth);
        }
        self.core.heap().admit(kept + room)?;
        if room > 0 {
            self.frame.reserve_exact(room - len);
        }
        Ok(())
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

    fn note_edge_properties(&mut self, edge: Edge, changes: Properties<'_>, changed: bool) {
        if changed {
            DeltaWriter::new(&mut self.frame).set_edge_properties(edge, changes);
            self.stats.properties_set += changes.raw().count() as u64;
        }
    }

    fn note_deleted_edge(&mut self, edge: Edge) {
        self.writes.push(Write::EdgeDeleted(edge));
        DeltaWriter::new(&mut self.frame).delete_edge(edge);
        self.stats.edges_deleted += 1;
    }

    fn note_deleted_vertex(&mut self, vertex: VertexId, labels: LabelSetId) {
        DeltaWriter::new(&mut self.frame).delete_vertex(vertex);
        self.tally
            .vertex(self.core.graph().label_sets.labels(labels), -1);
        self.stats.vertices_deleted += 1;
    }
}

/// The properties that take the place of the present ones, with the changes that lead there; nothing if there is none.
fn replacement<'d>(
    present: PropertiesRef<'_>,
    bytes: &'d [u8],
    changes: &mut Vec<u8>,
) -> Option<Draft<'d>> {
    changes.clear();
    let new = Properties::trusted(bytes);
    let mut removed: Vec<(KeyId, &[u8])> = present
        .iter()
        .map(|(key, _)| (key, NULL))
        .filter(|(key, _)| new.get(*key).is_none())
        .collect();
    removed.extend(new.raw());
    removed.sort_by_key(|(key, _)| *key);
    for (key, value) in removed {
        put_varint(changes, u64::from(key.0));
        changes.extend_from_slice(value);
    }
    (!changes.is_empty()).then(|| Draft::of(new))
}

const SCHEMA_ALONE: &str =
    "indexes and constraints are made and dropped in a transaction that changes nothing else";

const NULL: &[u8] = &[crate::value::codec::tag::NULL];

impl Drop for Txn {
    fn drop(&mut self) {
        self.charge(0);
        self.core.heap().release();
        let state = &self.core.0;
        for change in std::mem::take(&mut self.schema) {
            change.rollback(&self.core);
        }
        if let Some(cell) = self.cell.take() {
            state.graph.cells.abort(cell);
            state.ended(cell, None, std::mem::take(&mut self.writes));
        }
        state
            .snapshots
            .end(&state.graph.horizon, self.core.slot(), self.snapshot);
    }
}
