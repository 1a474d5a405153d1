//! Housekeeping of pages: when a page is folded, and what follows when a vertex is forgotten (design D7).
//!
//! Owned here: [`Folding`], a core's list of pages that its transactions have written, and [`FoldWork`], what folding them took. Called by `settle` (which notes writes and is
//! the door of `Core::maintain`), `apply`.
//! Always holds: a page that has been written is noted until it has been folded up to that write; a fold is done under the token of
//! its shard; a vertex is forgotten (its lists given back, its slot vacated) only when no snapshot can see it.
//! Left to others: the fold itself (`column`), chains behind the horizon (`settle`).
//!
//! A fold writes whole columns, so it waits until many slots share its price ([`ENOUGH`]), and while a page is filled with new things until
//! it is full, so that each row is written once; or until nobody has written to the page for a while: between two calls of
//! housekeeping that had nothing else to do.

use crate::adjacency;
use crate::column::Columns;
use crate::column::fold::Folded;
use crate::core::{Core, CoreState};
use crate::graph::Graph;
use crate::ids::{CommitSeq, PAGE_SLOTS, PageId, ShardId, VertexId};
use crate::memory::Guard;
use crate::page::Page;
use crate::records::{NO_LABELS, RecordPage, place};
use crate::settle::Write;
use crate::shard::Hold;
use crate::version::Versions;
use crate::waiting::Waiting;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// A page with this many rows to fold anew is folded at once, and so is a full one with this many new ones.
const ENOUGH: usize = 128;
/// A page that this many versions have been linked to since its last fold is folded, though there be room on it: so many are more
/// than those of the things that fill it up.
const WELL_WRITTEN: u32 = 2 * PAGE_SLOTS as u32;
/// A list with room for this many things or fewer keeps it.
const ROOM_KEPT: usize = 4096;

/// A page that is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Vertices.
    Vertices(PageId),
    /// Properties of edges that start in a shard.
    Records(ShardId, u32),
}

/// What a core will fold, and records it will give back.
#[derive(Default)]
pub(crate) struct Folding {
    /// Pages written by a commit.
    noted: Waiting<Place>,
    /// Pages with few slots to fold, and how often they had been written to when they were last looked at.
    lingering: VecDeque<(Place, u32)>,
    /// Records without a state, and the mark of the epoch that has to pass.
    released: VecDeque<(u64, ShardId, u32)>,
    work: FoldWork,
}

impl Folding {
    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.noted.bytes()
            + self.lingering.capacity() * size_of::<(Place, u32)>()
            + self.released.capacity() * size_of::<(u64, ShardId, u32)>()
    }
}

/// What folding has taken so far, on one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoldWork {
    /// Folds of a page.
    pub folds: u64,
    /// Rows that were written, those that only moved because another row of their column changed included.
    pub rows: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

impl FoldWork {
    fn add(&mut self, folded: &Folded) {
        self.folds += 1;
        self.rows += folded.rows as u64;
        self.bytes += folded.bytes as u64;
    }
}

impl Core {
    /// What folding pages has taken so far.
    pub fn fold_work(&self) -> FoldWork {
        self.0.folding.borrow().work
    }
}

/// A page, loaded.
#[derive(Clone, Copy)]
enum Loaded<'g> {
    Vertices(Page<'g>),
    Records(ShardId, RecordPage<'g>),
}

impl Place {
    fn load<'g>(self, graph: &'g Graph, guard: &'g Guard<'_>) -> Option<Loaded<'g>> {
        Some(match self {
            Place::Vertices(id) => Loaded::Vertices(graph.directory.page(id, guard)?),
            Place::Records(shard, page) => {
                let records = &graph.records[usize::from(shard.0)];
                Loaded::Records(shard, records.page(page, guard)?)
            }
        })
    }

    fn shard(self, graph: &Graph) -> ShardId {
        match self {
            Place::Vertices(id) => id.shard(graph.shard_count()),
            Place::Records(shard, _) => shard,
        }
    }
}

impl<'g> Loaded<'g> {
    fn columns(self) -> &'g Columns {
        match self {
            Loaded::Vertices(page) => &page.header().columns,
            Loaded::Records(_, page) => &page.header().columns,
        }
    }

    /// Whether nothing new has room on it.
    fn is_full(self) -> bool {
        match self {
            Loaded::Vertices(page) => page.is_full(),
            Loaded::Records(_, page) => page.is_full(),
        }
    }

    fn word(self, at: usize) -> &'g Versions {
        match self {
            Loaded::Vertices(page) => &page.items()[at].recent,
            Loaded::Records(_, page) => page.word(at),
        }
    }
}

impl CoreState {
    /// Commit `seq` wrote this: its page will be folded.
    pub(crate) fn fold_later(&self, seq: CommitSeq, write: Write) {
        let page = match write {
            Write::Vertex(id) => Place::Vertices(id.page()),
            Write::Record(edge, record) => {
                Place::Records(self.graph.shard_of(edge.source()), place(record).0)
            }
            Write::EdgeCreated(_) | Write::EdgeDeleted(_) => return,
        };
        self.folding.borrow_mut().noted.push(seq, page);
    }

    /// Whether [`CoreState::fold_due`] has something to do at once.
    pub(crate) fn folds_are_due(&self) -> bool {
        let noted = &self.folding.borrow().noted;
        !noted.is_empty() && noted.is_due(self.graph.oldest_snapshot())
    }

    /// Looks at up to `budget` pages whose writes everyone sees by now; how many it looked at. When there is none it folds pages that
    /// have been quiet since it was last so.
    pub(crate) fn fold_due(&self, budget: usize) -> usize {
        match self.fold_noted(budget) {
            0 if !self.folding.borrow().lingering.is_empty() => {
                self.fold_quiet(budget, self.graph.oldest_snapshot())
            }
            done => done,
        }
    }

    /// As [`CoreState::fold_due`], but for the quiet ones: between two writes.
    pub(crate) fn fold_noted(&self, budget: usize) -> usize {
        let mut done = 0;
        if self.folding.borrow().noted.is_empty() {
            return done;
        }
        let horizon = self.graph.oldest_snapshot();
        while done < budget {
            let Some(page) = self.folding.borrow_mut().noted.pop(horizon) else {
                break;
            };
            self.fold_if_worth_it(page, horizon);
            done += 1;
        }
        done
    }

    fn fold_if_worth_it(&self, place: Place, horizon: CommitSeq) {
        let guard = self.heap.enter();
        let Some(page) = place.load(&self.graph, &guard) else {
            return;
        };
        let columns = page.columns();
        let recent = columns.recent_slots();
        let least = if columns.recent_rows(&guard) >= ENOUGH || page.is_full() {
            ENOUGH
        } else if columns.changes_since_fold() >= WELL_WRITTEN {
            1
        } else {
            usize::MAX
        };
        // Where a long reader keeps most from being folded, a few are not worth it either.
        let least = least.max(recent / 4);
        if recent >= least && columns.foldable(|at| page.word(at), horizon, &guard, least) == least
        {
            self.fold(place, horizon, &guard);
            return;
        }
        if recent > 0 && !columns.lingers().swap(true, Ordering::Relaxed) {
            let changes = columns.changes();
            let lingering = &mut self.folding.borrow_mut().lingering;
            lingering.push_back((place, changes));
        }
    }

    /// Goes once through the pages that linger, up to `budget` of them.
    fn fold_quiet(&self, budget: usize, horizon: CommitSeq) -> usize {
        let waiting = self.folding.borrow().lingering.len();
        let n = waiting.min(budget);
        for _ in 0..n {
            let next = self.folding.borrow_mut().lingering.pop_front();
            let Some((place, seen)) = next else { break };
            let guard = self.heap.enter();
            let Some(page) = place.load(&self.graph, &guard) else {
                continue;
            };
            let columns = page.columns();
            let changes = columns.changes();
            if changes == seen {
                columns.lingers().store(false, Ordering::Relaxed);
                self.fold(place, horizon, &guard);
            } else {
                let lingering = &mut self.folding.borrow_mut().lingering;
                lingering.push_back((place, changes));
            }
        }
        n
    }

    /// Folds a page of vertices that has just been loaded from an image; nobody holds its shard.
    pub(crate) fn fold_page(&self, id: PageId, guard: &Guard<'_>) {
        self.fold(Place::Vertices(id), CommitSeq(0), guard);
    }

    /// Folds a page up to the horizon.
    fn fold(&self, place: Place, horizon: CommitSeq, guard: &Guard<'_>) {
        let graph = &self.graph;
        let mut hold = Hold::take(&graph.shards, self.number, [place.shard(graph)]);
        // Under the token: it may have left since.
        let Some(page) = place.load(graph, guard) else {
            return;
        };
        let columns = page.columns();
        let word = |at: usize| page.word(at);
        match page {
            Loaded::Vertices(page) => {
                let (id, home) = (page.header().id, page.header().labels);
                let folded = columns.fold(word, home, horizon, guard, |at, state| {
                    graph.unindex_record(VertexId::new(id, at), &state, guard);
                });
                graph.directory.note_table(page, guard);
                self.folding.borrow_mut().work.add(&folded);
                for at in folded.forgotten {
                    self.forget(&mut hold, page, at, guard);
                }
            }
            Loaded::Records(shard, records) => {
                let folded = columns.fold(word, NO_LABELS, horizon, guard, |_, _| {});
                self.folding.borrow_mut().work.add(&folded);
                for at in folded.forgotten {
                    self.release_record(shard, records.number(at));
                }
            }
        }
        // What older snapshots keep from being folded waits for the horizon; what is in flight is noted when it commits.
        if let Some(seq) = columns.newest_number(word, guard) {
            self.folding.borrow_mut().noted.push(seq, place);
        }
    }

    /// A vertex that nobody can see: its lists are given back, its slot is vacated.
    pub(crate) fn forget(&self, hold: &mut Hold<'_>, page: Page<'_>, at: usize, guard: &Guard<'_>) {
        let (slot, id) = (&page.items()[at], VertexId::new(page.header().id, at));
        adjacency::retire(&slot.outgoing, &self.heap);
        adjacency::retire(&slot.incoming, &self.heap);
        let shard = hold.shard(self.graph.shard_of(id));
        shard.vacate(&self.graph, id, guard);
    }

    /// A record has no state left: it goes back when nobody can hold its number any more.
    pub(crate) fn release_record(&self, shard: ShardId, record: u32) {
        let mark = self.heap.mark();
        let released = &mut self.folding.borrow_mut().released;
        released.push_back((mark, shard, record));
    }

    /// Gives back the records whose epoch has passed.
    pub(crate) fn release_records(&self) {
        if self.folding.borrow().released.is_empty() {
            return;
        }
        let passed = self.heap.passed();
        let guard = self.heap.enter();
        let next = || {
            let released = &mut self.folding.borrow_mut().released;
            released.pop_front_if(|(mark, _, _)| *mark < passed)
        };
        while let Some((_, shard, record)) = next() {
            let mut hold = Hold::take(&self.graph.shards, self.number, [shard]);
            let records = &self.graph.records[usize::from(shard.0)];
            let room = &mut hold.shard(shard).records;
            room.release(records, record, &guard);
        }
        let released = &mut self.folding.borrow_mut().released;
        if released.capacity() > ROOM_KEPT && released.len() < released.capacity() / 4 {
            let room = ROOM_KEPT.max(2 * released.len());
            released.shrink_to(room);
        }
    }
}
