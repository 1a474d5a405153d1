//! Housekeeping of pages: when a page is folded, and what follows when a vertex is forgotten (design D7).
//!
//! Owned here: [`Folding`], a core's list of pages that its transactions have written. Called by `settle` (which notes writes and is
//! the door of `Core::maintain`), `apply`.
//! Always holds: a page that has been written is noted until it has been folded up to that write; a fold is done under the token of
//! its shard; a vertex is forgotten (its lists given back, its slot vacated) only when no snapshot can see it.
//! Left to others: the fold itself (`column`), chains behind the horizon (`settle`).
//!
//! A fold writes whole columns, so it waits until many slots share its price ([`ENOUGH`]), or until nobody has written to the page
//! for a while: between two calls of housekeeping that had nothing else to do.

use crate::adjacency;
use crate::core::CoreState;
use crate::ids::{CommitSeq, PageId, VertexId};
use crate::memory::Guard;
use crate::page::Page;
use crate::shard::Hold;
use crate::waiting::Waiting;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// A page with this many slots to fold is folded at once.
const ENOUGH: usize = 128;

/// What a core will fold.
#[derive(Default)]
pub(crate) struct Folding {
    /// Pages written by a commit.
    noted: Waiting<PageId>,
    /// Pages with few slots to fold, and how often they had been written to when they were last looked at.
    lingering: VecDeque<(PageId, u32)>,
}

impl Folding {
    /// Commit `seq` wrote to a page.
    pub(crate) fn note(&mut self, seq: CommitSeq, page: PageId) {
        self.noted.push(seq, page);
    }
}

impl CoreState {
    /// Whether [`CoreState::fold_due`] has something to do at once.
    pub(crate) fn folds_are_due(&self) -> bool {
        let noted = &self.folding.borrow().noted;
        !noted.is_empty() && noted.is_due(self.graph.oldest_snapshot())
    }

    /// Looks at up to `budget` pages whose writes everyone sees by now; how many it looked at. With budget left it folds pages that
    /// have been quiet since it was last so.
    pub(crate) fn fold_due(&self, budget: usize) -> usize {
        let mut done = 0;
        if self.folding.borrow().noted.is_empty() && self.folding.borrow().lingering.is_empty() {
            return done;
        }
        let horizon = self.graph.oldest_snapshot();
        while done < budget {
            let Some(id) = self.folding.borrow_mut().noted.pop(horizon) else {
                break;
            };
            self.fold_if_worth_it(id, horizon);
            done += 1;
        }
        if done == 0 {
            done += self.fold_quiet(budget, horizon);
        }
        done
    }

    fn fold_if_worth_it(&self, id: PageId, horizon: CommitSeq) {
        let guard = self.heap.enter();
        let Some(page) = self.graph.directory.page(id, &guard) else {
            return;
        };
        let head = page.header();
        let recent = head.columns.recent_slots();
        if recent >= ENOUGH {
            let word = |at: usize| &page.items()[at].recent;
            // Where a long reader keeps most from being folded, a few are not worth it either.
            let enough = ENOUGH.max(recent / 4);
            if head.columns.foldable(word, horizon, &guard, enough) == enough {
                self.fold(id, horizon, &guard);
                return;
            }
        }
        if recent > 0 && !head.lingers.swap(true, Ordering::Relaxed) {
            let changes = head.changes.load(Ordering::Relaxed);
            self.folding.borrow_mut().lingering.push_back((id, changes));
        }
    }

    /// Goes once through the pages that linger, up to `budget` of them.
    fn fold_quiet(&self, budget: usize, horizon: CommitSeq) -> usize {
        let waiting = self.folding.borrow().lingering.len();
        let n = waiting.min(budget);
        for _ in 0..n {
            let next = self.folding.borrow_mut().lingering.pop_front();
            let Some((id, seen)) = next else { break };
            let guard = self.heap.enter();
            let Some(page) = self.graph.directory.page(id, &guard) else {
                continue;
            };
            let head = page.header();
            let changes = head.changes.load(Ordering::Relaxed);
            if changes == seen {
                head.lingers.store(false, Ordering::Relaxed);
                self.fold(id, horizon, &guard);
            } else {
                self.folding.borrow_mut().lingering.push_back((id, changes));
            }
        }
        n
    }

    /// Folds a page up to the horizon.
    pub(crate) fn fold(&self, id: PageId, horizon: CommitSeq, guard: &Guard<'_>) {
        let graph = &self.graph;
        let shard = id.shard(graph.shard_count());
        let mut hold = Hold::take(&graph.shards, self.number, [shard]);
        // Under the token: it may have left since.
        let Some(page) = graph.directory.page(id, guard) else {
            return;
        };
        let head = page.header();
        let word = |at: usize| &page.items()[at].recent;
        let forgotten = head
            .columns
            .fold(word, head.labels, horizon, guard, |at, state| {
                graph.unindex_record(VertexId::new(id, at), &state, guard);
            });
        for at in forgotten {
            self.forget(&mut hold, page, at, guard);
        }
        // What older snapshots keep from being folded waits for the horizon; what is in flight is noted when it commits.
        let visible = graph.door().visible();
        if visible > horizon && head.columns.recent_slots() > 0 {
            self.folding.borrow_mut().note(visible, id);
        }
    }

    /// A vertex that nobody can see: its lists are given back, its slot is vacated.
    pub(crate) fn forget(&self, hold: &mut Hold<'_>, page: Page<'_>, at: usize, guard: &Guard<'_>) {
        let (slot, id) = (&page.items()[at], VertexId::new(page.header().id, at));
        adjacency::retire(&slot.outgoing, &self.heap);
        adjacency::retire(&slot.incoming, &self.heap);
        if let Some(table) = slot.edges.take() {
            for versions in table.items() {
                // The copy of a link in a retired table is of no account: this table is the one that owns.
                crate::version::retire_chain(versions, &self.heap);
            }
            self.heap.retire_block(table);
        }
        let shard = hold.shard(self.graph.shard_of(id));
        shard.vacate(&self.graph, id, guard);
    }
}
