//! Settling: what happens to a transaction's marks after it has ended.
//!
//! Owned here: rewriting stamps in flight to their number, undoing, and what housekeeping does in which order. Called by `txn` (at the
//! end of a transaction), `core` (housekeeping), `apply`.
//! Always holds: a commit cell rests (and is used again after an epoch) only when no stamp names it; all of it is done under the
//! token of the shard, shard after shard, and may be done at any time after the end.
//! Left to others: when there is time for it (`Core::maintain`), forgetting what nobody sees (`prune`).

use crate::adjacency::{self, Keeper, Key, LISTS_AHEAD, SLOTS_AHEAD, Side, TAILS_AHEAD};
use crate::core::CoreState;
use crate::graph::Graph;
use crate::ids::{CommitSeq, ShardId, VertexId};
use crate::memory::Guard;
use crate::mutants::Mutant;
use crate::page::Slot;
use crate::prune::Thing;
use crate::records;
use crate::shard::Hold;
use crate::stamp::{Author, CellId, NEVER, in_flight};
use crate::value::Edge;
use crate::version::{self, Versions};
use crate::write::Pen;
use std::sync::atomic::Ordering;

/// Retired blocks that are freed in one turn at least, if there are so many: some 50 µs.
const FREED_AT_ONCE: usize = 1024;

/// A thing a transaction has stamped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// Versions of a vertex.
    Vertex(VertexId),
    /// The creation of an edge, with its first properties.
    EdgeCreated(Edge),
    /// The deletion of an edge.
    EdgeDeleted(Edge),
    /// The properties of an edge, in this record of its source's shard.
    Record(Edge, u32),
}

/// A committed transaction whose stamps still name its cell.
pub(crate) struct Settling {
    pub(crate) cell: CellId,
    pub(crate) seq: CommitSeq,
    pub(crate) writes: Vec<Write>,
}

/// One side of a write, in one shard.
#[derive(Clone, Copy)]
enum Part {
    Vertex(VertexId),
    Outgoing(Edge, EdgeMark),
    Incoming(Edge, EdgeMark),
    Record(Edge, u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EdgeMark {
    Created,
    Deleted,
}

fn parts(write: Write) -> impl Iterator<Item = Part> {
    let parts = match write {
        Write::Vertex(id) => [Some(Part::Vertex(id)), None, None],
        Write::EdgeCreated(edge) => [
            None,
            Some(Part::Outgoing(edge, EdgeMark::Created)),
            Some(Part::Incoming(edge, EdgeMark::Created)),
        ],
        Write::EdgeDeleted(edge) => [
            Some(Part::Outgoing(edge, EdgeMark::Deleted)),
            Some(Part::Incoming(edge, EdgeMark::Deleted)),
            None,
        ],
        Write::Record(edge, record) => [Some(Part::Record(edge, record)), None, None],
    };
    parts.into_iter().flatten()
}

impl Part {
    /// The vertex in whose shard it lies.
    fn place(self) -> VertexId {
        match self {
            Part::Vertex(id) => id,
            Part::Outgoing(edge, _) | Part::Record(edge, _) => edge.source(),
            Part::Incoming(edge, _) => edge.target,
        }
    }
}

/// Does `work` for each part of the writes, one shard's token after the other.
fn for_parts(core: &CoreState, writes: &[Write], mut work: impl FnMut(&mut Hold<'_>, Part)) {
    let graph: &Graph = &core.graph;
    if let [write] = writes
        && let Write::Vertex(id) = *write
    {
        let mut hold = Hold::take(&graph.shards, core.number, [graph.shard_of(id)]);
        return work(&mut hold, Part::Vertex(id));
    }
    let guard = core.heap.enter();
    for shard in (0..graph.shard_count()).map(ShardId) {
        let mut hold = None;
        for at in 0..writes.len() {
            ask_ahead(graph, writes, at, &guard);
            for part in parts(writes[at]) {
                if graph.shard_of(part.place()) == shard {
                    work(
                        hold.get_or_insert_with(|| Hold::take(&graph.shards, core.number, [shard])),
                        part,
                    );
                }
            }
        }
    }
}

/// Asks for the lists of edges that come after number `at`.
fn ask_ahead(graph: &Graph, writes: &[Write], at: usize, guard: &Guard<'_>) {
    let sides = |ahead: usize| {
        let edge = match writes.get(at + ahead) {
            Some(&(Write::EdgeCreated(edge) | Write::EdgeDeleted(edge))) => Some(edge),
            _ => None,
        };
        edge.into_iter().flat_map(|edge| {
            let side = |vertex, outgoing| Side { vertex, outgoing };
            [side(edge.source(), true), side(edge.target, false)]
        })
    };
    sides(SLOTS_AHEAD).for_each(|side| graph.prefetch_slot(side.vertex, guard));
    sides(LISTS_AHEAD).for_each(|side| graph.prefetch_list(side, guard));
    sides(TAILS_AHEAD).for_each(|side| graph.prefetch_recent(side, guard));
}

/// The chain of a part that has one.
fn chain_of<'g>(graph: &'g Graph, part: Part, guard: &'g Guard<'_>) -> Option<&'g Versions> {
    match part {
        Part::Vertex(id) => Some(&graph.slot(id, guard)?.recent),
        Part::Record(edge, record) => {
            let (page, at) = records::place(record);
            let page = graph.records_of(edge.source()).page(page, guard)?;
            Some(page.word(at))
        }
        Part::Outgoing(..) | Part::Incoming(..) => None,
    }
}

/// Gives the stamp that `cell` has put on one side of an edge to `restamp`.
fn restamp(slot: &Slot, part: Part, cell: CellId, stamp: u64, keeper: &Keeper<'_>) {
    let guard = keeper.guard;
    let (side, key, mark) = match part {
        Part::Outgoing(edge, mark) => (true, Key::outgoing(edge), mark),
        Part::Incoming(edge, mark) => (false, Key::incoming(edge), mark),
        Part::Vertex(_) | Part::Record(..) => return,
    };
    let side = Side {
        vertex: part.place(),
        outgoing: side,
    };
    let marked = |entry: &adjacency::Entry<'_>| match mark {
        EdgeMark::Created => names(entry.created(guard), cell),
        EdgeMark::Deleted => names(entry.deleted(guard), cell),
    };
    if let Some(entry) = adjacency::find_where(slot.list(side.outgoing), key, guard, marked) {
        match mark {
            EdgeMark::Created => entry.set_created(stamp, keeper),
            EdgeMark::Deleted => entry.set_deleted(stamp, side, key, keeper),
        }
        if stamp == NEVER {
            keeper.quiet.undone(side, key);
        }
    }
}

fn names(stamp: u64, cell: CellId) -> bool {
    in_flight(stamp).is_some_and(|(named, _)| named == cell)
}

impl CoreState {
    /// Rewrites the stamps of up to `budget` committed transactions; how many it was.
    pub(crate) fn settle(&self, budget: usize) -> usize {
        let mut done = 0;
        while done < budget {
            let Some(Settling { cell, seq, writes }) = self.settling.borrow_mut().pop_front()
            else {
                break;
            };
            let guard = self.heap.enter();
            for_parts(self, &writes, |_, part| {
                self.rewrite(part, cell, seq, &guard)
            });
            for &write in &writes {
                self.fold_later(seq, write);
                self.prune_later(seq, write, &guard);
            }
            self.resting
                .borrow_mut()
                .push_back((self.heap.mark(), cell));
            done += 1;
        }
        done
    }

    /// Notes what a write of commit `seq` leaves to be forgotten.
    pub(crate) fn prune_later(&self, seq: CommitSeq, write: Write, guard: &Guard<'_>) {
        let (part, thing) = match write {
            Write::Vertex(id) => (Part::Vertex(id), Thing::Vertex(id)),
            Write::Record(edge, record) => (
                Part::Record(edge, record),
                Thing::Record(edge.source(), record),
            ),
            // Their lists wait in a queue of their own.
            Write::EdgeCreated(_) | Write::EdgeDeleted(_) => return,
        };
        let newest = chain_of(&self.graph, part, guard).and_then(|chain| chain.load(guard));
        if newest.is_some_and(|newest| !newest.header().previous.is_null()) {
            self.pruning.borrow_mut().changed(seq, thing);
        }
    }

    fn rewrite(&self, part: Part, cell: CellId, seq: CommitSeq, guard: &Guard<'_>) {
        let Some(slot) = self.graph.slot(part.place(), guard) else {
            return;
        };
        match part {
            Part::Vertex(_) | Part::Record(..) => {
                let Some(versions) = chain_of(&self.graph, part, guard) else {
                    return;
                };
                // A later transaction's versions may stand in front of ours.
                let chain = version::chain(versions, guard)
                    .skip_while(|v| !names(v.header().stamp(), cell));
                for version in chain.take_while(|v| names(v.header().stamp(), cell)) {
                    version.header().stamp.store(seq.0, Ordering::Release);
                }
            }
            Part::Outgoing(..) | Part::Incoming(..) => {
                let keeper = Keeper::new(&self.graph, guard, &self.quiet);
                restamp(slot, part, cell, seq.0, &keeper);
            }
        }
    }

    /// Undoes the writes of a transaction whose cell says aborted; afterwards nothing names the cell.
    pub(crate) fn undo(&self, cell: CellId, writes: &[Write]) {
        let guard = self.heap.enter();
        let author = Author {
            cells: &self.graph.cells,
            snapshot: CommitSeq(0),
            cell: None,
            stamp: NEVER,
            uncommitted: false,
        };
        let pen = Pen {
            core: self,
            guard: &guard,
            author,
            touched: Default::default(),
            // What is undone was never counted.
            tally: Default::default(),
        };
        for_parts(self, writes, |hold, part| {
            let Some(slot) = self.graph.slot(part.place(), &guard) else {
                return;
            };
            if let Part::Record(edge, _) | Part::Outgoing(edge, EdgeMark::Created) = part {
                self.doubt_all_of_edge(edge, &guard);
            }
            match part {
                Part::Vertex(_) if Mutant::ForgetsUndoOfVersions.is_on() => {}
                Part::Outgoing(..) | Part::Incoming(..) if Mutant::ForgetsUndoOfEdges.is_on() => {}
                Part::Vertex(id) => {
                    while slot
                        .recent
                        .load(&guard)
                        .is_some_and(|v| names(v.header().stamp(), cell))
                    {
                        pen.unlink_newest(hold, id);
                    }
                }
                Part::Record(edge, record) => {
                    let newest = || chain_of(&self.graph, part, &guard)?.load(&guard);
                    while newest().is_some_and(|v| names(v.header().stamp(), cell)) {
                        pen.unlink_newest_of_record(edge, record);
                    }
                }
                Part::Outgoing(..) | Part::Incoming(..) => {
                    restamp(slot, part, cell, NEVER, &pen.keeper());
                }
            }
        });
        self.resting
            .borrow_mut()
            .push_back((self.heap.mark(), cell));
    }

    /// See [`crate::core::Core::maintain`].
    pub(crate) fn maintain(&self, budget: usize) -> bool {
        let mut left = budget;
        left -= self.settle(left);
        left -= self.prune(left);
        left -= self.fold_due(left);
        left -= self.sweep_unique_keys(left);
        left -= self.tidy_edge_indexes(left);
        left -= self.quiet.merge(left, &self.graph, &self.heap, self.number);
        left -= self
            .quiet
            .lay_out(left, &self.graph, &self.heap, self.number);
        self.quiet.kept_house();
        self.release_records();
        // Freeing costs far less than the rest, which gives it its work.
        let freeing = left.saturating_mul(16).max(FREED_AT_ONCE);
        let freed = self.heap.collect(freeing);
        self.recover_cells(&mut self.cells.borrow_mut());
        let pruning = self.pruning.borrow();
        freed == freeing
            || !self.settling.borrow().is_empty()
            || self.quiet.more(&self.graph)
            || (!pruning.is_empty() && pruning.is_due(&self.graph.active_snapshots()))
            || self.folds_are_due()
            || self.edge_indexes_are_untidy()
    }
}
