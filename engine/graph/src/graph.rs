//! The graph: everything that all cores share, and its schema.
//!
//! Owned here: [`Graph`], its making and its end. Called by `server` (one a process), tests.
//! Always holds: what is in it is reached without locks by readers; shard state only under the shard's token; the schema changes only
//! while all tokens are held, so a writer under any token sees one schema.
//! Left to others: transactions (`core`, `txn`), writes (`write`), housekeeping (`settle`).

use crate::adjacency::{self, Side};
use crate::core::Core;
use crate::delta::NameKind;
use crate::door::{Door, Journal};
use crate::horizon::{Active, Horizon};
use crate::ids::{CommitSeq, EdgeId, LabelId, ShardId, TypeId, VertexId};
use crate::labels::LabelSets;
use crate::memory::{
    Account, Alone, Charged, Guard, Heap, MemoryOwner, MemoryReport, Published, Token,
};
use crate::names::Names;
use crate::page::{Directory, PageLists, Slot};
use crate::records::Records;
use crate::schema::{self, ConstraintInfo, IndexInfo, Item, Schema};
use crate::settle::{PARTS_PER_HOLD, SETTLED_AT_ONCE};
use crate::shard::ShardState;
use crate::stamp::Cells;
use crate::state::State;
use crate::statistics::{self, Corrections, Counts, Statistics};
use crate::sync::Padded;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

impl Charged for Schema {
    const OWNER: MemoryOwner = MemoryOwner::Indexes;
}

/// How a graph is made.
pub struct GraphConfig {
    /// Shards, at least one: today's number of cores.
    pub shards: u16,
    /// Core handles, 0 to `cores` - 1, at least one.
    pub cores: u16,
    /// What stands behind the commit door.
    pub journal: Arc<dyn Journal>,
}

/// See the module.
pub struct Graph {
    pub(crate) shards: Box<[Token<ShardState>]>,
    pub(crate) lists: Box<[PageLists]>,
    pub(crate) records: Box<[Records]>,
    pub(crate) directory: Directory,
    pub(crate) label_sets: LabelSets,
    pub(crate) cells: Cells,
    pub(crate) horizon: Horizon,
    pub(crate) account: Arc<Account>,
    pub(crate) schema: Published<Schema>,
    pub(crate) schema_version: AtomicU64,
    pub(crate) counts: Box<[Padded<Counts>]>,
    pub(crate) end_corrections: Corrections,
    pub(crate) taken: Box<[AtomicBool]>,
    /// Writes of a transaction that are settled when it ends.
    pub(crate) settled_at_once: AtomicUsize,
    parts_per_hold: AtomicUsize,
    /// Bytes of names as some core has counted them last.
    pub(crate) counted_names: AtomicI64,
    ordinals: AtomicU32,
    /// One more than the largest page number that was ever given out.
    pages_given: AtomicU32,
    /// The entries of the schema once more, for whoever has no epoch: showing and planning.
    pub(crate) listed: Mutex<Vec<Arc<Item>>>,
    names: Names,
    door: Door,
}

impl Graph {
    /// An empty graph.
    pub fn new(config: GraphConfig) -> Arc<Graph> {
        assert!(
            config.shards > 0 && config.cores > 0,
            "a graph has at least one shard and one core"
        );
        let cores = usize::from(config.cores);
        Arc::new(Graph {
            shards: (0..config.shards)
                .map(|n| Token::new(ShardState::new(n, config.shards)))
                .collect(),
            lists: (0..config.shards).map(|_| PageLists::default()).collect(),
            records: (0..config.shards).map(|_| Records::default()).collect(),
            directory: Directory::new(),
            label_sets: LabelSets::default(),
            cells: Cells::default(),
            horizon: Horizon::new(cores),
            account: Arc::new(Account::new(cores)),
            schema: Published::new(Schema::default()),
            schema_version: AtomicU64::new(0),
            counts: (0..cores).map(|_| Padded(Counts::default())).collect(),
            end_corrections: Corrections::default(),
            taken: (0..cores).map(|_| AtomicBool::new(false)).collect(),
            settled_at_once: AtomicUsize::new(SETTLED_AT_ONCE),
            parts_per_hold: AtomicUsize::new(PARTS_PER_HOLD),
            counted_names: AtomicI64::new(0),
            ordinals: AtomicU32::new(EdgeId::ORDINALS),
            pages_given: AtomicU32::new(0),
            listed: Mutex::default(),
            names: Names::default(),
            door: Door::new(config.journal, config.cores),
        })
    }

    /// The handle of core `n`: `!Send`, cheap to clone. One handle (with its clones) a core at a time; a second one panics.
    pub fn core(self: &Arc<Graph>, n: u16) -> Core {
        Core::new(self, n)
    }

    /// The commit door.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Labels, types and keys.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The number of shards.
    pub fn shard_count(&self) -> u16 {
        self.shards.len() as u16
    }

    /// The shard of a vertex.
    pub fn shard_of(&self, vertex: VertexId) -> ShardId {
        vertex.page().shard(self.shard_count())
    }

    /// One more than the largest page number that was ever given out.
    pub(crate) fn pages_given(&self) -> &AtomicU32 {
        &self.pages_given
    }

    pub(crate) fn listed(&self) -> Vec<Arc<Item>> {
        self.listed
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// All indexes, in the order they were made. For showing and planning; who reads one asks `View::index`.
    pub fn indexes(&self) -> Vec<IndexInfo> {
        schema::indexes(&self.listed(), self)
    }

    /// All constraints, in the order they were made.
    pub fn constraints(&self) -> Vec<ConstraintInfo> {
        schema::constraints(&self.listed())
    }

    /// Grows with each change of indexes and constraints: a plan is good as long as this is what it was.
    pub fn schema_version(&self) -> u64 {
        self.schema_version.load(Ordering::Acquire)
    }

    /// All vertices, committed.
    pub fn vertex_count(&self) -> u64 {
        statistics::vertices(&self.counts)
    }

    /// All edges, committed.
    pub fn edge_count(&self) -> u64 {
        statistics::edges(&self.counts)
    }

    /// Committed vertices with a label.
    pub fn vertices_with_label(&self, label: LabelId) -> u64 {
        statistics::with_label(&self.counts, label)
    }

    /// Committed edges of a type.
    pub fn edges_of_type(&self, type_: TypeId) -> u64 {
        statistics::of_type(&self.counts, type_)
    }

    /// All counts at once; the planner asks for single ones.
    pub fn statistics(&self) -> Statistics {
        let labels = (0..self.names.limit(NameKind::Label))
            .map(LabelId)
            .map(|l| (l, self.vertices_with_label(l)));
        let types = (0..self.names.limit(NameKind::Type))
            .map(TypeId)
            .map(|t| (t, self.edges_of_type(t)));
        Statistics {
            vertices: self.vertex_count(),
            edges: self.edge_count(),
            vertices_by_label: labels.filter(|(_, n)| *n > 0).collect(),
            edges_by_type: types.filter(|(_, n)| *n > 0).collect(),
        }
    }

    /// What memory is used for, and the limit.
    pub fn memory(&self) -> MemoryReport {
        self.account.report()
    }

    /// Sets the most that the graph, its transactions and queries may use together with what else the process holds (see
    /// [`Graph::observe_active_memory`]); a part of it is kept for undoing and housekeeping. `None`: no limit.
    pub fn set_memory_limit(&self, bytes: Option<u64>) {
        self.account.budget.set_limit(bytes);
    }

    /// Sets how large transactions are cut up: how many writes are settled when one ends (the rest is left to [`Core::maintain`], and means the
    /// same meanwhile), and how many parts of it are worked on while a shard's token is held. With small numbers tests meet every state
    /// in between.
    pub fn set_slices(&self, settled_at_once: usize, parts_per_hold: usize) {
        let parts_per_hold = parts_per_hold.max(1);
        self.settled_at_once
            .store(settled_at_once, Ordering::Relaxed);
        self.parts_per_hold.store(parts_per_hold, Ordering::Relaxed);
    }

    /// What names, sets of labels and commit cells take, in bytes.
    pub(crate) fn name_bytes(&self) -> usize {
        self.names.bytes() + self.label_sets.bytes() + self.cells.bytes()
    }

    /// How many parts of a long work (stamps, versions, edges' ends) are done while a shard's token is held: then others get their turn.
    pub(crate) fn parts_per_hold(&self) -> usize {
        self.parts_per_hold.load(Ordering::Relaxed)
    }

    /// Sets how many ordinals the edges of one source have between them, at most [`EdgeId::ORDINALS`]: so many may stand there at once, and when
    /// so many have stood there those of dead ones are used again. With a small number tests meet what else takes hours.
    pub fn set_ordinals(&self, ordinals: u32) {
        let ordinals = ordinals.clamp(1, EdgeId::ORDINALS);
        self.ordinals.store(ordinals, Ordering::Relaxed);
    }

    /// See [`Graph::set_ordinals`].
    pub(crate) fn ordinals(&self) -> u32 {
        self.ordinals.load(Ordering::Relaxed)
    }

    /// Takes in how many bytes the process's allocator holds on pages that are in use, so that what is not counted by owner
    /// (buffers, rounding, fragments) stays within the limit too. To be told from time to time.
    pub fn observe_active_memory(&self, bytes: u64) {
        self.account.observe_active(bytes);
    }

    /// Bytes of all owners, retired ones included.
    pub fn live_bytes(&self) -> u64 {
        self.account.live_bytes()
    }

    /// The oldest snapshot that anyone may still read at: what lies below is pruned.
    pub fn oldest_snapshot(&self) -> CommitSeq {
        self.horizon.now(|| self.door.visible().0)
    }

    /// The snapshots that are in use, one by one: what none of them sees is pruned too.
    pub(crate) fn active_snapshots(&self) -> Active {
        self.horizon.active(|| self.door.visible().0)
    }

    /// The property records of the edges that start at a vertex.
    pub(crate) fn records_of(&self, source: VertexId) -> &Records {
        &self.records[usize::from(self.shard_of(source).0)]
    }

    /// Every state of an edge's properties, newest first, undone ones included; none if it has had no property. `entry` is that at its
    /// source. For the holder of the token.
    pub(crate) fn edge_states<'g>(
        &'g self,
        source: VertexId,
        entry: &adjacency::Entry<'g>,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = State<'g>> + use<'g> {
        let record = entry.record(guard);
        let records = self.records_of(source);
        let states = record.map(|record| records.states(record, guard));
        states.into_iter().flatten()
    }

    #[inline]
    pub(crate) fn slot<'g>(&self, id: VertexId, guard: &'g Guard<'_>) -> Option<&'g Slot> {
        self.directory.slot(id, guard)
    }

    /// Asks for a vertex's slot, to be read soon.
    #[inline]
    pub(crate) fn prefetch_slot(&self, id: VertexId, guard: &Guard<'_>) {
        if let Some(slot) = self.slot(id, guard) {
            slot.prefetch();
        }
    }

    /// Asks for the beginning of one list of a vertex, whose slot was asked for before.
    #[inline]
    pub(crate) fn prefetch_list(&self, side: Side, guard: &Guard<'_>) {
        if let Some(slot) = self.slot(side.vertex, guard) {
            slot.list(side.outgoing).prefetch(2);
        }
    }

    /// Asks for what is recent in one list of a vertex, whose beginning was asked for before.
    #[inline]
    pub(crate) fn prefetch_recent(&self, side: Side, guard: &Guard<'_>) {
        if let Some(slot) = self.slot(side.vertex, guard) {
            adjacency::prefetch_recent(slot.list(side.outgoing), guard);
        }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // Cores hold the graph, so none is left: this heap only keeps the account.
        let heap = Heap::teardown(self.account.clone());
        Alone::with(self, |graph, alone| graph.account.free_orphans(alone));
        self.directory.free(&heap);
        for records in &mut self.records {
            records.free(&heap);
        }
        for lists in &mut self.lists {
            lists.free(&heap);
        }
    }
}
