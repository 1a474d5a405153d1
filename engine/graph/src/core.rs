//! Cores: one handle a core, through which it reads, begins transactions and keeps house.
//!
//! Owned here: [`Core`] (a core's heap, snapshots, commit cells and queues), [`Epoch`]. Called by `query` and `server`.
//! Always holds: nothing in it leaves its thread; an epoch is entered for a batch and never across a park.
//! Left to others: what a transaction does (`txn`), what housekeeping does (`settle`).

use crate::adjacency::QuietLists;
use crate::delta::Labels;
use crate::graph::Graph;
use crate::horizon::Snapshots;
use crate::housekeeping::Folding;
use crate::ids::{LabelSetId, ShardId};
use crate::index::Edging;
use crate::lend::Lent;
use crate::memory::{Guard, Heap, MemoryOwner};
use crate::mutants::Mutant;
use crate::prune::Pruning;
use crate::settle::Settling;
use crate::shard::Hold;
use crate::stamp::CellId;
use crate::statistics::EndNumbers;
use crate::txn::{Access, Isolation, Txn};
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A core's handle; clones are the same core.
#[derive(Clone)]
pub struct Core(pub(crate) Rc<CoreState>);

pub(crate) struct CoreState {
    pub(crate) number: u16,
    pub(crate) snapshots: Snapshots,
    /// Commit cells that are free to use.
    pub(crate) cells: RefCell<Vec<CellId>>,
    /// Commit cells that no stamp names, with the mark of the epoch that has to pass.
    pub(crate) resting: RefCell<VecDeque<(u64, CellId)>>,
    /// Transactions that have ended and are not settled wholly.
    pub(crate) settling: RefCell<Settling>,
    pub(crate) pruning: RefCell<Pruning>,
    pub(crate) folding: RefCell<Folding>,
    /// Entries of indexes on edges that may have to go.
    pub(crate) edging: Edging,
    /// Lists that wait to be merged.
    pub(crate) quiet: QuietLists,
    /// Snapshots that were taken back from other cores while these were still reading at them.
    pub(crate) lent: RefCell<Vec<Arc<Lent>>>,
    label_sets: RefCell<HashMap<Labels, LabelSetId>>,
    /// Bytes of its own lists, as they are counted.
    pub(crate) counted: Cell<i64>,
    /// Where this core counts which ends of edges.
    pub(crate) end_numbers: RefCell<EndNumbers>,
    // Dropped before the graph, which frees what the heap leaves behind.
    pub(crate) heap: Heap,
    pub(crate) graph: Arc<Graph>,
}

/// An epoch: references into storage live as long as this guard. Entered for one batch, never held across a park or an await.
pub struct Epoch<'c> {
    pub(crate) guard: Guard<'c>,
    pub(crate) graph: &'c Graph,
}

impl Core {
    pub(crate) fn new(graph: &Arc<Graph>, number: u16) -> Core {
        let before = graph.taken[usize::from(number)].swap(true, Ordering::AcqRel);
        assert!(!before, "core {number} already has a handle");
        Core(Rc::new(CoreState {
            number,
            snapshots: Snapshots::default(),
            cells: RefCell::default(),
            resting: RefCell::default(),
            settling: RefCell::default(),
            pruning: RefCell::default(),
            folding: RefCell::default(),
            edging: Edging::default(),
            quiet: QuietLists::default(),
            lent: RefCell::default(),
            label_sets: RefCell::default(),
            counted: Cell::new(0),
            end_numbers: RefCell::new(EndNumbers::of(&graph.counts[usize::from(number)].0.ends)),
            heap: Heap::new(graph.account.clone(), usize::from(number)),
            graph: graph.clone(),
        }))
    }

    /// The core's number.
    pub fn number(&self) -> u16 {
        self.0.number
    }

    /// The graph.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.0.graph
    }

    /// Enters an epoch; entering again while one is held is cheap.
    pub fn enter(&self) -> Epoch<'_> {
        Epoch {
            guard: self.0.heap.enter(),
            graph: &self.0.graph,
        }
    }

    /// Begins a transaction at the visible (durable) watermark. Its statements say when they begin
    /// ([`Txn::begin_statement`]), as far as its isolation asks for more than one snapshot.
    pub fn begin(&self, access: Access, isolation: Isolation) -> Txn {
        let door = self.0.graph.door();
        let watermark = || match door.visible().0 {
            visible if Mutant::SnapshotAhead.is_on() => visible + 8,
            visible if Mutant::SnapshotBehind.is_on() => visible.saturating_sub(8),
            visible => visible,
        };
        let snapshot = self
            .0
            .snapshots
            .begin(&self.0.graph.horizon, self.slot(), watermark);
        Txn::new(self.clone(), access, isolation, snapshot)
    }

    /// Begins an auto-commit statement that writes: at the sealed watermark, so that a hot row is not held to one update per
    /// disk write. Its answer has to wait until its snapshot is visible, also if it wrote nothing.
    pub fn begin_auto_commit_write(&self, isolation: Isolation) -> Txn {
        let door = self.0.graph.door();
        let snapshot = self
            .0
            .snapshots
            .begin(&self.0.graph.horizon, self.slot(), || door.sealed().0);
        Txn::new(self.clone(), Access::Write, isolation, snapshot)
    }

    /// Does up to `budget` pieces of housekeeping (rewriting stamps, pruning, freeing); whether more could be done at once.
    pub fn maintain(&self, budget: usize) -> bool {
        self.0.maintain(budget)
    }

    /// The most parts (stamps, versions, edges) of a long work that any core has done while it held the right to write a shard: others
    /// wait that long.
    pub fn longest_hold(&self) -> u32 {
        let graph = &self.0.graph;
        let longest = |shard| {
            let mut hold = Hold::take(&graph.shards, self.number(), [shard]);
            hold.shard(shard).longest_hold
        };
        let shards = (0..graph.shard_count()).map(ShardId);
        shards.map(longest).max().unwrap_or(0)
    }

    pub(crate) fn heap(&self) -> &Heap {
        &self.0.heap
    }

    pub(crate) fn slot(&self) -> usize {
        usize::from(self.0.number)
    }

    /// The shard whose token this core normally holds.
    pub(crate) fn home(&self) -> ShardId {
        ShardId(self.0.number % self.0.graph.shard_count())
    }

    /// The number of a set of ascending labels.
    pub(crate) fn label_set(&self, labels: &Labels) -> Option<LabelSetId> {
        let mut known = self.0.label_sets.borrow_mut();
        if let Some(id) = known.get(labels) {
            return Some(*id);
        }
        let id = self.0.graph.label_sets.intern(labels)?;
        known.insert(labels.clone(), id);
        Some(id)
    }

    /// A fresh commit cell; `None` when too many are in use.
    pub(crate) fn take_cell(&self) -> Option<CellId> {
        let mut cells = self.0.cells.borrow_mut();
        if cells.is_empty() {
            self.0.recover_cells(&mut cells);
        }
        if cells.is_empty() && !self.0.graph.cells.refill(&mut cells) {
            return None;
        }
        let cell = cells.pop()?;
        self.0.graph.cells.activate(cell);
        Some(cell)
    }
}

impl CoreState {
    /// Counts what the core's own lists take by now, and the graph's names.
    pub(crate) fn count_lists(&self) {
        let lists = self.pruning.borrow().bytes()
            + self.folding.borrow().bytes()
            + self.edging.bytes()
            + self.quiet.bytes()
            + self.heap.retired_list_bytes()
            + self.cells.borrow().capacity() * size_of::<CellId>()
            + self.resting.borrow().capacity() * size_of::<(u64, CellId)>();
        let before = self.counted.replace(lists as i64);
        self.count_change(MemoryOwner::Housekeeping, before, lists as i64);
        let names = self.graph.name_bytes() as i64;
        let counted = &self.graph.counted_names;
        if counted.load(Ordering::Relaxed) != names {
            // Of two cores that meet here each counts what the other did not.
            let before = counted.swap(names, Ordering::Relaxed);
            self.count_change(MemoryOwner::Names, before, names);
        }
    }

    fn count_change(&self, owner: MemoryOwner, before: i64, now: i64) {
        if now != before {
            self.heap.count(owner, now - before);
        }
    }

    pub(crate) fn recover_cells(&self, cells: &mut Vec<CellId>) {
        let mut resting = self.resting.borrow_mut();
        if resting.is_empty() {
            return;
        }
        let passed = self.heap.passed();
        while let Some(&(mark, cell)) = resting.front() {
            if mark >= passed {
                break;
            }
            resting.pop_front();
            cells.push(cell);
        }
    }
}

impl Drop for CoreState {
    fn drop(&mut self) {
        // Stamps that name a cell of this core are rewritten before the core goes.
        if !std::thread::panicking() {
            self.end_lending();
            self.settle(usize::MAX);
        }
        self.count_change(MemoryOwner::Housekeeping, self.counted.get(), 0);
        self.graph.taken[usize::from(self.number)].store(false, Ordering::Release);
    }
}
