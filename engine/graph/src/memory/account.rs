//! What memory is used for: bytes by owner and core, within one budget (design D6).
//!
//! Owned here: [`MemoryOwner`], [`Account`] (what all heaps of a graph share: epochs, counters, budget, orphans), [`MemoryReport`].
//! Called by `heap` (each allocation), `graph` (limits, reports).
//! Always holds: bytes are counted with their owner from allocation until they are freed, retired ones included; a core's
//! counters are written by that core alone, except those of the last place, which teardown shares; the sum over places is exact
//! whenever no heap is at work.
//! Left to others: who may allocate how much (`budget`); what the allocator itself wastes (the process that owns it tells, see
//! [`Account::observe_active`]).

use super::block::Alone;
use super::budget::Budget;
use super::epoch::Epochs;
use super::heap::Retired;
use crate::sync::Padded;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// What memory of a graph is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryOwner {
    /// Pages of vertices and lists of pages.
    Pages,
    /// Lists of edges.
    Adjacency,
    /// Versions of vertices and edges that are not settled.
    Versions,
    /// Settled properties.
    Columns,
    /// Property values that are too long for columns and versions, settled or not.
    LongValues,
    /// Indexes and constraints.
    Indexes,
    /// Frames and lists of writes of transactions that have not ended.
    Transactions,
    /// What queries hold between steps.
    Queries,
    /// What housekeeping is going to look at, and lists of what waits to be freed.
    Housekeeping,
    /// Names, sets of labels, commit cells.
    Names,
}

impl MemoryOwner {
    /// All of them, in the order they are shown.
    pub const ALL: [MemoryOwner; 10] = [
        MemoryOwner::Pages,
        MemoryOwner::Adjacency,
        MemoryOwner::Versions,
        MemoryOwner::Columns,
        MemoryOwner::LongValues,
        MemoryOwner::Indexes,
        MemoryOwner::Transactions,
        MemoryOwner::Queries,
        MemoryOwner::Housekeeping,
        MemoryOwner::Names,
    ];

    /// Its name in `SHOW MEMORY INFO`.
    pub fn name(self) -> &'static str {
        match self {
            MemoryOwner::Pages => "pages",
            MemoryOwner::Adjacency => "adjacency",
            MemoryOwner::Versions => "versions",
            MemoryOwner::Columns => "columns",
            MemoryOwner::LongValues => "long values",
            MemoryOwner::Indexes => "indexes",
            MemoryOwner::Transactions => "transactions",
            MemoryOwner::Queries => "queries",
            MemoryOwner::Housekeeping => "housekeeping",
            MemoryOwner::Names => "names",
        }
    }

    /// What it stands for, in a line.
    pub fn description(self) -> &'static str {
        match self {
            MemoryOwner::Pages => "slots of vertices, and lists of pages",
            MemoryOwner::Adjacency => "lists of relationships",
            MemoryOwner::Versions => {
                "states of nodes and relationships that are not folded into columns"
            }
            MemoryOwner::Columns => "properties that everyone agrees on",
            MemoryOwner::LongValues => "long strings, lists and maps, which rows point to",
            MemoryOwner::Indexes => "indexes and constraints",
            MemoryOwner::Transactions => {
                "what open transactions have written, for the log and for undoing"
            }
            MemoryOwner::Queries => "rows and groups that running queries hold",
            MemoryOwner::Housekeeping => {
                "notes of what is going to be settled, folded, merged and freed"
            }
            MemoryOwner::Names => {
                "names of labels, types and properties, sets of labels, marks of transactions"
            }
        }
    }
}

/// Bytes of one core by owner.
pub(super) type Counters = [AtomicI64; MemoryOwner::ALL.len()];

/// What the heaps of a graph share.
pub(crate) struct Account {
    pub(super) epochs: Epochs,
    pub(crate) budget: Budget,
    /// One place a core, and one for teardown.
    pub(super) counters: Box<[Padded<Counters>]>,
    /// What heaps left behind when they were dropped.
    pub(super) orphans: Mutex<Vec<Retired>>,
}

/// What a graph's memory is used for at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// Bytes by owner, in the order of [`MemoryOwner::ALL`].
    pub owners: [(MemoryOwner, u64); MemoryOwner::ALL.len()],
    /// What the process held at the last observation beyond what is counted by owner: buffers of sessions and of the log, what
    /// the allocator rounds up, pages it can give back only in part.
    pub unaccounted: u64,
    /// The most that may be used; `None`: no limit.
    pub limit: Option<u64>,
    /// The part of the limit that is kept for undoing and housekeeping.
    pub reserve: u64,
}

impl MemoryReport {
    /// Bytes of all owners.
    pub fn tracked(&self) -> u64 {
        self.owners.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes of one owner.
    pub fn of(&self, owner: MemoryOwner) -> u64 {
        self.owners[owner as usize].1
    }
}

impl Account {
    /// For `cores` heaps.
    pub(crate) fn new(cores: usize) -> Account {
        Account {
            epochs: Epochs::new(cores),
            budget: Budget::new(),
            counters: (0..=cores).map(|_| Padded(Counters::default())).collect(),
            orphans: Mutex::new(Vec::new()),
        }
    }

    /// The place that is no core's.
    pub(super) fn teardown(&self) -> usize {
        self.counters.len() - 1
    }

    /// Adds to a counter of a place: plainly where one thread writes it, else as one step.
    #[inline]
    pub(super) fn count(&self, place: usize, owner: MemoryOwner, bytes: i64) {
        let counter = &self.counters[place].0[owner as usize];
        if place == self.teardown() {
            counter.fetch_add(bytes, Ordering::Relaxed);
        } else {
            counter.store(counter.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of one owner, allocated and not freed.
    pub(crate) fn bytes_of(&self, owner: MemoryOwner) -> u64 {
        self.counters
            .iter()
            .map(|place| place.0[owner as usize].load(Ordering::Relaxed))
            .sum::<i64>()
            .max(0) as u64
    }

    /// Bytes of all owners.
    pub(crate) fn live_bytes(&self) -> u64 {
        MemoryOwner::ALL
            .iter()
            .map(|&owner| self.bytes_of(owner))
            .sum()
    }

    /// Takes in how many bytes the process holds by its allocator (pages with something alive on them): what is beyond the
    /// owners' sum counts against the limit as well, until the next observation.
    pub(crate) fn observe_active(&self, bytes: u64) {
        self.budget
            .set_unaccounted(bytes.saturating_sub(self.live_bytes()));
    }

    /// See [`MemoryReport`].
    pub(crate) fn report(&self) -> MemoryReport {
        MemoryReport {
            owners: MemoryOwner::ALL.map(|owner| (owner, self.bytes_of(owner))),
            unaccounted: self.budget.unaccounted(),
            limit: self.budget.limit(),
            reserve: self.budget.reserve(),
        }
    }

    /// Frees what dropped heaps left behind, when nobody can be reading any more.
    pub(crate) fn free_orphans(&self, _alone: &mut Alone) {
        let orphans = std::mem::take(
            &mut *self
                .orphans
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
        for retired in orphans {
            // SAFETY: `Alone` says that no reader is left; each entry has left the list and is freed once.
            let freed = unsafe { retired.free() };
            self.count(self.teardown(), freed.owner, -(freed.bytes as i64));
            self.budget.give_back(freed.bytes as i64);
        }
    }
}
