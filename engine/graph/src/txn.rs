//! Transactions: the public signatures; bodies follow.
#![allow(clippy::unimplemented, unused_variables, dead_code, missing_docs)]
use crate::delta::{Keys, Labels};
use crate::door::{Door, Journal, ReserveError};
use crate::ids::*;
use crate::names::{NameError, Names};
use crate::value::codec::{NotStorable, Properties};
use crate::value::{Edge, Value, ValueRef};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

pub struct GraphConfig {
    /// Shards; today's number of cores.
    pub shards: u16,
    /// Core handles that [`Graph::core`] may give out: 0 to cores - 1.
    pub cores: u16,
    pub journal: Arc<dyn Journal>,
}

pub struct Graph(());
impl Graph {
    pub fn new(config: GraphConfig) -> Arc<Graph> { unimplemented!() }
    /// The handle of core `n`, once; it is `!Send` and cheap to clone.
    pub fn core(self: &Arc<Graph>, n: u16) -> Core { unimplemented!() }
    pub fn door(&self) -> &Door { unimplemented!() }
    pub fn names(&self) -> &Names { unimplemented!() }
    /// Indexes that exist.
    pub fn schema(&self) -> Vec<IndexDefinition> { unimplemented!() }
    pub fn statistics(&self) -> Statistics { unimplemented!() }
    /// Bytes of blocks alive, retired ones included.
    pub fn live_bytes(&self) -> u64 { unimplemented!() }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDefinition { pub label: LabelId, pub keys: Keys }

/// Committed counts for the planner.
#[derive(Clone, Debug, Default)]
pub struct Statistics { pub vertices: u64, pub edges: u64, pub vertices_by_label: Vec<(LabelId, u64)>, pub edges_by_type: Vec<(TypeId, u64)> }

#[derive(Clone)]
pub struct Core(Rc<()>);
impl Core {
    pub fn number(&self) -> u16 { unimplemented!() }
    pub fn graph(&self) -> &Arc<Graph> { unimplemented!() }
    /// Entered for one batch, never across a park or an await; may be nested.
    pub fn enter(&self) -> Epoch<'_> { unimplemented!() }
    /// Starts at the `visible` watermark.
    pub fn begin(&self, access: Access, isolation: Isolation) -> Txn { unimplemented!() }
    /// Starts at `sealed`: for an auto-commit statement that writes; its answer waits until what it read is durable.
    pub fn begin_auto_commit_write(&self) -> Txn { unimplemented!() }
    /// Replica and recovery: applies the deltas of commit `seq` (a frame without its header), stamped `seq`, seen once published.
    /// Commits are applied in order, by one caller at a time.
    pub fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<Vec<AppliedSetting>, ApplyError> { unimplemented!() }
    /// Does up to `budget` pieces of housekeeping (pruning, settling, freeing); whether more is to be done now.
    pub fn maintain(&self, budget: usize) -> bool { unimplemented!() }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedSetting { pub name: String, pub value: Vec<u8> }
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Delta(#[from] crate::delta::DeltaError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("commit {seq} does not fit the graph: {reason}")]
    Unfit { seq: CommitSeq, reason: String },
}

/// References into storage live as long as this guard.
pub struct Epoch<'c>(PhantomData<(&'c (), *const ())>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access { Read, Write }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Isolation { #[default] Snapshot }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity { Vertex(VertexId), Edge(EdgeId) }

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// First updater wins: a TransientError, retry the transaction.
    #[error("{entity:?} is being changed, or was changed, by a concurrent transaction")]
    Conflict { entity: Entity },
    #[error("vertex {0} has been deleted")]
    VertexDeleted(VertexId),
    #[error("edge {0} has been deleted")]
    EdgeDeleted(EdgeId),
    #[error("vertex {0} still has edges")]
    DeleteConnectedVertex(VertexId),
    #[error(transparent)]
    NotStorable(#[from] NotStorable),
    #[error("limit exceeded: {0}")]
    LimitExceeded(&'static str),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the transaction is read-only")]
    ReadOnly,
    /// An earlier write of the transaction failed: it can only be rolled back.
    #[error("the transaction has failed and can only be rolled back")]
    Doomed,
    #[error("{0}")]
    Schema(&'static str),
}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    #[error("the transaction has failed and can only be rolled back")]
    Doomed,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What the answer must wait for until it is visible: its own number, or for a reader its snapshot.
    pub seq: CommitSeq,
    pub wrote: bool,
}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    pub vertices_created: u64, pub vertices_deleted: u64, pub edges_created: u64, pub edges_deleted: u64,
    pub properties_set: u64, pub labels_added: u64, pub labels_removed: u64, pub indexes_added: u64, pub indexes_removed: u64,
}

/// `!Send`; owned by a session; dropping it rolls back.
pub struct Txn(PhantomData<*const ()>);
impl Txn {
    pub fn snapshot(&self) -> CommitSeq { unimplemented!() }
    /// What this transaction sees: its snapshot and its own writes of lower clauses. Independent of later writes of the current clause.
    pub fn view<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> { unimplemented!() }
    /// As `view`, and the writes of the current clause too (MERGE).
    pub fn view_including_current_clause<'e>(&self, epoch: &'e Epoch<'_>) -> View<'e> { unimplemented!() }
    /// From here on a view sees what was written so far.
    pub fn next_clause(&mut self) { unimplemented!() }
    pub fn clause(&self) -> u32 { unimplemented!() }
    /// As `view`, as it was in clause `clause` (a lazily read result of an earlier statement).
    pub fn view_at_clause<'e>(&self, epoch: &'e Epoch<'_>, clause: u32) -> View<'e> { unimplemented!() }
    pub fn label(&mut self, name: &str) -> Result<LabelId, WriteError> { unimplemented!() }
    pub fn edge_type(&mut self, name: &str) -> Result<TypeId, WriteError> { unimplemented!() }
    pub fn key(&mut self, name: &str) -> Result<KeyId, WriteError> { unimplemented!() }
    pub fn create_vertex(&mut self, labels: &[LabelId], properties: &[(KeyId, Value)]) -> Result<VertexId, WriteError> { unimplemented!() }
    pub fn create_edge(&mut self, source: VertexId, target: VertexId, type_: TypeId, properties: &[(KeyId, Value)]) -> Result<Edge, WriteError> { unimplemented!() }
    pub fn delete_edge(&mut self, edge: Edge) -> Result<(), WriteError> { unimplemented!() }
    pub fn delete_vertex(&mut self, vertex: VertexId) -> Result<(), WriteError> { unimplemented!() }
    /// Returns the number of edges that went with it.
    pub fn detach_delete_vertex(&mut self, vertex: VertexId) -> Result<u64, WriteError> { unimplemented!() }
    /// `Value::Null` removes. Works on the newest own state, also within a clause.
    pub fn set_vertex_property(&mut self, vertex: VertexId, key: KeyId, value: &Value) -> Result<(), WriteError> { unimplemented!() }
    /// Several at once (`SET n += map`): null removes.
    pub fn set_vertex_properties(&mut self, vertex: VertexId, changes: &[(KeyId, Value)]) -> Result<(), WriteError> { unimplemented!() }
    /// `SET n = map`.
    pub fn replace_vertex_properties(&mut self, vertex: VertexId, properties: &[(KeyId, Value)]) -> Result<(), WriteError> { unimplemented!() }
    /// Whether it did not have it.
    pub fn add_label(&mut self, vertex: VertexId, label: LabelId) -> Result<bool, WriteError> { unimplemented!() }
    /// Whether it had it.
    pub fn remove_label(&mut self, vertex: VertexId, label: LabelId) -> Result<bool, WriteError> { unimplemented!() }
    pub fn set_edge_property(&mut self, edge: Edge, key: KeyId, value: &Value) -> Result<(), WriteError> { unimplemented!() }
    pub fn set_edge_properties(&mut self, edge: Edge, changes: &[(KeyId, Value)]) -> Result<(), WriteError> { unimplemented!() }
    pub fn replace_edge_properties(&mut self, edge: Edge, properties: &[(KeyId, Value)]) -> Result<(), WriteError> { unimplemented!() }
    /// Only as the first and last write of its transaction. `false`: it exists already.
    pub fn create_index(&mut self, label: LabelId, keys: &[KeyId]) -> Result<bool, WriteError> { unimplemented!() }
    /// `false`: there is none.
    pub fn drop_index(&mut self, label: LabelId, keys: &[KeyId]) -> Result<bool, WriteError> { unimplemented!() }
    /// Puts a setting into the log; graph keeps nothing of it.
    pub fn set_setting(&mut self, name: &str, value: &[u8]) -> Result<(), WriteError> { unimplemented!() }
    pub fn stats(&self) -> WriteStats { unimplemented!() }
    pub fn wrote(&self) -> bool { unimplemented!() }
    /// Sealed when it returns; the caller waits for durable (`door.visible() >= seq`) and replicas.
    pub fn commit(self) -> Result<Committed, CommitError> { unimplemented!() }
    pub fn rollback(self) { unimplemented!() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction { Out, In, Both }
/// One incident edge as seen from a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incidence { pub edge: Edge, pub neighbour: VertexId, pub outgoing: bool }

/// What a transaction sees; `Copy`, borrows only the epoch, so the transaction may write while it is in use.
#[derive(Clone, Copy)]
pub struct View<'e>(PhantomData<&'e ()>);
impl<'e> View<'e> {
    pub fn vertex(&self, id: VertexId) -> Option<VertexRef<'e>> { unimplemented!() }
    /// Found by its id alone: linear in the source's degree.
    pub fn edge(&self, id: EdgeId) -> Option<EdgeRef<'e>> { unimplemented!() }
    /// Found with type and target: a binary search.
    pub fn edge_at(&self, edge: Edge) -> Option<EdgeRef<'e>> { unimplemented!() }
    /// Incident edges; `types` empty means all. `Both` gives a self loop once.
    pub fn edges<'t>(&self, vertex: VertexId, direction: Direction, types: &'t [TypeId]) -> Edges<'e, 't> { unimplemented!() }
    /// Edges from `vertex` in `direction` whose other end is `other`.
    pub fn edges_between<'t>(&self, vertex: VertexId, other: VertexId, direction: Direction, types: &'t [TypeId]) -> Edges<'e, 't> { unimplemented!() }
    pub fn degree(&self, vertex: VertexId, direction: Direction, types: &[TypeId]) -> u64 { unimplemented!() }
    /// Pages that may hold vertices of a label (`None`: all), ascending.
    pub fn pages(&self, label: Option<LabelId>) -> Vec<PageId> { unimplemented!() }
    /// Appends the visible vertices of a page that have the label, ascending.
    pub fn scan_page(&self, page: PageId, label: Option<LabelId>, out: &mut Vec<VertexId>) { unimplemented!() }
    pub fn index(&self, label: LabelId, keys: &[KeyId]) -> Option<IndexRef<'e>> { unimplemented!() }
    pub fn graph(&self) -> &'e Graph { unimplemented!() }
}
#[derive(Clone, Copy)]
pub struct VertexRef<'e>(PhantomData<&'e ()>);
impl<'e> VertexRef<'e> {
    pub fn id(&self) -> VertexId { unimplemented!() }
    pub fn labels(&self) -> &'e [LabelId] { unimplemented!() }
    pub fn has_label(&self, label: LabelId) -> bool { unimplemented!() }
    pub fn property(&self, key: KeyId) -> Option<ValueRef<'e>> { unimplemented!() }
    pub fn properties(&self) -> Properties<'e> { unimplemented!() }
}
#[derive(Clone, Copy)]
pub struct EdgeRef<'e>(PhantomData<&'e ()>);
impl<'e> EdgeRef<'e> {
    pub fn edge(&self) -> Edge { unimplemented!() }
    pub fn property(&self, key: KeyId) -> Option<ValueRef<'e>> { unimplemented!() }
    pub fn properties(&self) -> Properties<'e> { unimplemented!() }
}
pub struct Edges<'e, 't>(PhantomData<(&'e (), &'t ())>);
impl Iterator for Edges<'_, '_> {
    type Item = Incidence;
    fn next(&mut self) -> Option<Incidence> { unimplemented!() }
}
#[derive(Clone, Copy)]
pub struct IndexRef<'e>(PhantomData<&'e ()>);
#[derive(Clone, Copy, Debug)]
pub enum Bound<'a> { Unbounded, Included(&'a Value), Excluded(&'a Value) }
/// Where a range scan goes on; owned bytes, so it may be parked.
#[derive(Clone, Debug, Default)]
pub struct Cursor { at: Vec<u8>, shard: u16, done: bool }
impl Cursor { pub fn is_done(&self) -> bool { self.done } }
impl<'e> IndexRef<'e> {
    /// Visible vertices whose properties equal `values`, one value a key (in the sense of `=`: null and NaN find nothing).
    pub fn seek(&self, values: &[Value]) -> Seek<'e> { unimplemented!() }
    /// Appends up to `limit` visible vertices in ascending order of the first key, over all shards; go on with the same cursor until it is done.
    pub fn range(&self, lower: Bound<'_>, upper: Bound<'_>, cursor: &mut Cursor, limit: usize, out: &mut Vec<VertexId>) { unimplemented!() }
    /// As `range`, for strings that start with `prefix`.
    pub fn prefix(&self, prefix: &str, cursor: &mut Cursor, limit: usize, out: &mut Vec<VertexId>) { unimplemented!() }
    /// Entries, versions not yet pruned included.
    pub fn size(&self) -> u64 { unimplemented!() }
}
pub struct Seek<'e>(PhantomData<&'e ()>);
impl Iterator for Seek<'_> {
    type Item = VertexId;
    fn next(&mut self) -> Option<VertexId> { unimplemented!() }
}
#[doc(hidden)]
pub type CreatedLabels = Labels;
