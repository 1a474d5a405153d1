//! Lists that wait to be merged: each core's queue of chunks with something recent, and what it keeps for merging.
//!
//! Owned here: [`QuietLists`] and [`Keeper`], what a writer of lists has at hand. Called by `write` and `settle` (through [`Keeper`]), `core`
//! (housekeeping).
//! Always holds: a chunk whose `recent` is not null stands in some core's queue, unless all it waits for is in flight: whoever rewrites
//! or undoes a stamp queues it. It is looked at once what is deleted in it is visible, again when a snapshot that sees something deleted has
//! ended, and when the horizon has passed its stamps; so every list comes to rest once its writers and readers have gone, and a reader
//! of an hour keeps no entry that it does not see, once what can go is an eighth of its chunk. A place that finds nothing to do is
//! dropped. While a core writes, lists are let be as long as they are few beside the edges: a tail that grows is merged by its
//! size, and merging each entry by itself would cost more than the memory it saves.
//! Left to others: merging itself (`merge`), laying out (`layout`).

use super::layout::Layouts;
use super::merge::{self, Place, Scratch};
use super::{Key, Side};
use crate::graph::Graph;
use crate::horizon::Active;
use crate::ids::{CommitSeq, VertexId};
use crate::memory::{Guard, Heap};
use crate::shard::Hold;
use crate::waiting::{Held, Waiting};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;

/// Lists that may wait whatever the number of edges: some 8 MB of what is recent in them.
const WAITING_MIN: u64 = 1 << 16;
/// One waiting list for so many edges: some twelve bytes an edge.
const EDGES_PER_WAITING: u64 = 9;
/// While the core writes it lays out one slab for so many entries written: a tenth of what they cost.
const ENTRIES_PER_SLAB: u64 = 8192;
/// Lists merged under one token and one epoch.
const BATCH: usize = 32;
/// What laying out one slab counts for, in pieces of housekeeping.
const PIECES_PER_SLAB: usize = 128;
/// Room in places that an empty queue keeps.
const ROOM_KEPT: usize = 1 << 12;

/// Places in the order of their coming, in eight bytes each where the list has one chunk: there may be many.
#[derive(Default)]
struct Places {
    /// `vertex << 2 | outgoing << 1 | whether a key follows`; the key in two words.
    words: VecDeque<u64>,
    len: usize,
}

impl Places {
    /// `key` says which chunk of the list is meant, if it has several.
    fn push(&mut self, side: Side, key: Option<Key>) {
        self.len += 1;
        let flags = u64::from(side.outgoing) << 1 | u64::from(key.is_some());
        self.make_room();
        self.words.push_back(side.vertex.0 << 2 | flags);
        if let Some(key) = key {
            self.words.extend(key.to_words());
        }
    }

    /// A queue this long grows by a quarter.
    fn make_room(&mut self) {
        let (len, room) = (self.words.len(), self.words.capacity());
        if len + 3 > room && room > ROOM_KEPT {
            self.words.reserve_exact(len / 4);
        }
    }

    fn pop(&mut self) -> Option<Place> {
        let word = self.words.pop_front()?;
        self.len -= 1;
        let side = Side {
            vertex: VertexId(word >> 2),
            outgoing: word & 2 != 0,
        };
        let mut next = || self.words.pop_front().expect("a key has two words");
        let key = match word & 1 {
            0 => Key::FIRST,
            _ => Key::of_words([next(), next()]),
        };
        Some(Place { side, key })
    }

    fn shrink(&mut self) {
        if self.len == 0 && self.words.capacity() > ROOM_KEPT {
            self.words.shrink_to(0);
        }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct QuietLists {
    /// Not looked at yet, in the order in which they became recent.
    fresh: RefCell<Places>,
    /// Looked at, with something deleted by a commit that is not visible yet; in about that order.
    to_be_visible: RefCell<VecDeque<(CommitSeq, Place)>>,
    /// Looked at, with something deleted that a snapshot sees.
    held: RefCell<Held<Place>>,
    /// Looked at, with stamps that the horizon has to pass.
    young: RefCell<Waiting<Place>>,
    /// Entries written since the core kept house last.
    written: Cell<u64>,
    /// The same since it laid out a slab.
    written_since_slab: Cell<u64>,
    pub(super) scratch: RefCell<Scratch>,
    layouts: RefCell<Layouts>,
}

/// What a writer of lists has at hand, for the length of an operation or a batch.
pub(crate) struct Keeper<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) guard: &'a Guard<'a>,
    pub(crate) quiet: &'a QuietLists,
    /// Found out when first needed.
    active: OnceCell<Active>,
}

impl<'a> Keeper<'a> {
    /// For one operation or batch.
    pub(crate) fn new(graph: &'a Graph, guard: &'a Guard<'a>, quiet: &'a QuietLists) -> Keeper<'a> {
        Keeper {
            graph,
            guard,
            quiet,
            active: OnceCell::new(),
        }
    }

    /// A list of a vertex got a block of its own.
    pub(super) fn scatter(&self, vertex: VertexId) {
        if let Some(page) = self.graph.directory.page(vertex.page(), self.guard) {
            self.quiet.layouts.borrow_mut().scatter(page);
        }
    }

    /// The snapshots that may still be read at.
    pub(super) fn active(&self) -> &Active {
        self.active.get_or_init(|| self.graph.active_snapshots())
    }
}

impl QuietLists {
    /// What its queues take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.fresh.borrow().words.capacity() * size_of::<u64>()
            + self.to_be_visible.borrow().capacity() * size_of::<(CommitSeq, Place)>()
            + self.held.borrow().bytes()
            + self.young.borrow().bytes()
    }

    /// An entry was added or stamped.
    #[inline]
    pub(super) fn written(&self) {
        self.written.set(self.written.get() + 1);
    }

    /// A chunk has something recent: that of `key`, or the only one of its list.
    pub(super) fn push(&self, side: Side, key: Option<Key>) {
        self.fresh.borrow_mut().push(side, key);
    }

    /// Whether looking at once would find something to merge.
    pub(crate) fn more(&self, graph: &Graph) -> bool {
        self.fresh.borrow().len as u64 > self.allowed(graph)
            || self.layouts.borrow().more()
            || self.is_due(graph)
    }

    /// Whether something that was looked at is to be looked at again.
    fn is_due(&self, graph: &Graph) -> bool {
        let first = self.to_be_visible.borrow().front().map(|&(due, _)| due);
        let (held, young) = (self.held.borrow(), self.young.borrow());
        if first.is_none() && held.is_empty() && young.is_empty() {
            return false;
        }
        let active = graph.active_snapshots();
        first.is_some_and(|due| due <= active.open())
            || held.is_due(&active)
            || young.is_due(active.horizon())
    }

    /// The next place to look at, as long as more than `allowed` fresh ones are left.
    fn next(&self, allowed: u64, active: &Active) -> Option<Place> {
        let mut fresh = self.fresh.borrow_mut();
        let next = if fresh.len as u64 > allowed {
            fresh.pop()
        } else {
            None
        };
        let open = active.open();
        let seen = || {
            let mut queue = self.to_be_visible.borrow_mut();
            Some(queue.pop_front_if(|(due, _)| *due <= open)?.1)
        };
        next.or_else(seen)
            .or_else(|| self.held.borrow_mut().pop(active))
            .or_else(|| self.young.borrow_mut().pop(active.horizon()))
    }

    /// Lists that may go on waiting: none once the core has stopped writing.
    fn allowed(&self, graph: &Graph) -> u64 {
        if self.written.get() == 0 {
            0
        } else {
            WAITING_MIN.max(graph.edge_count() / EDGES_PER_WAITING)
        }
    }

    /// Merges lists that have waited longest, up to `budget`; how many it looked at.
    pub(crate) fn merge(&self, budget: usize, graph: &Graph, heap: &Heap, core: u16) -> usize {
        let allowed = self.allowed(graph);
        if self.fresh.borrow().len as u64 <= allowed && !self.is_due(graph) {
            return 0;
        }
        let active = graph.active_snapshots();
        let mut done = 0;
        let mut batch: Vec<Place> = Vec::new();
        while done < budget {
            let size = BATCH.min(budget - done);
            batch.extend(std::iter::from_fn(|| self.next(allowed, &active)).take(size));
            if batch.is_empty() {
                break;
            }
            done += batch.len();
            self.merge_batch(&mut batch, graph, heap, core);
            // What was replaced makes room for what comes next.
            heap.collect(4 * BATCH);
        }
        // A queue that was long keeps no room for it.
        self.fresh.borrow_mut().shrink();
        let mut queue = self.to_be_visible.borrow_mut();
        if queue.is_empty() && queue.capacity() > ROOM_KEPT {
            queue.shrink_to(0);
        }
        done
    }

    fn merge_batch(&self, batch: &mut Vec<Place>, graph: &Graph, heap: &Heap, core: u16) {
        let guard = heap.enter();
        let keeper = Keeper::new(graph, &guard, self);
        for place in batch.iter() {
            graph.prefetch_slot(place.side.vertex, &guard);
        }
        for place in batch.iter() {
            graph.prefetch_list(place.side, &guard);
        }
        for place in batch.iter() {
            graph.prefetch_recent(place.side, &guard);
        }
        let shard = |place: &Place| graph.shard_of(place.side.vertex);
        batch.sort_by_key(shard);
        for group in batch.chunk_by(|a, b| shard(a) == shard(b)) {
            let _hold = Hold::take(&graph.shards, core, [shard(&group[0])]);
            for &place in group {
                let Some(slot) = graph.slot(place.side.vertex, &guard) else {
                    continue;
                };
                let list = slot.list(place.side.outgoing);
                let outlook = merge::tidy(list, place, &keeper);
                let key = outlook.bound.unwrap_or(place.key);
                let place = Place { key, ..place };
                if let Some(seq) = outlook.visible {
                    self.to_be_visible.borrow_mut().push_back((seq, place));
                }
                if let Some(snapshot) = outlook.ended {
                    self.held.borrow_mut().push(snapshot, place);
                }
                if let Some(seq) = outlook.horizon {
                    self.young.borrow_mut().push(seq, place);
                }
            }
        }
        batch.clear();
    }

    /// Lays out lists side by side: one slab, or while the core does not write as many as `budget` is good for; how much of it was used.
    pub(crate) fn lay_out(&self, budget: usize, graph: &Graph, heap: &Heap, core: u16) -> usize {
        let idle = self.written.get() == 0;
        if !idle && self.written_since_slab.get() < ENTRIES_PER_SLAB {
            return 0;
        }
        self.written_since_slab.set(0);
        let mut layouts = self.layouts.borrow_mut();
        let at_rest = || idle && self.fresh.borrow().len == 0;
        if at_rest() {
            layouts.settle_for_less();
        }
        let mut done = 0;
        while done < budget && layouts.step(graph, heap, core) {
            done += PIECES_PER_SLAB;
            heap.collect(8 * PIECES_PER_SLAB);
            if !idle {
                break;
            }
        }
        if at_rest() {
            // What came below the line while the rest was laid out.
            layouts.settle_for_less();
        }
        done.min(budget)
    }

    /// The core has kept house: whatever is written from here on says that it is not idle.
    pub(crate) fn kept_house(&self) {
        let since_slab = &self.written_since_slab;
        since_slab.set(since_slab.get() + self.written.take());
    }
}
