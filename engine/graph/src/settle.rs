//! Settling: what happens to a transaction's marks after it has ended.
//!
//! Owned here: rewriting stamps in flight to their number, undoing, and pruning by the horizon. Called by `txn` (at the end of a
//! transaction), `core` (housekeeping), `apply`.
//! Always holds: a commit cell rests (and is used again after an epoch) only when no stamp names it; what is pruned lies behind a
//! version, or a deletion, at or below the horizon, so no snapshot can need it; all of it is done under the token of the shard,
//! shard after shard, and may be done at any time after the end.
//! Left to others: when there is time for it (`Core::maintain`).

use crate::adjacency::{self, Keeper, Key, Side};
use crate::core::CoreState;
use crate::graph::Graph;
use crate::ids::{CommitSeq, ShardId, VertexId};
use crate::memory::Guard;
use crate::page::Slot;
use crate::shard::Hold;
use crate::stamp::{Author, CellId, NEVER, in_flight, is_below};
use crate::value::Edge;
use crate::version::{self, Versions};
use crate::write::Pen;
use std::sync::atomic::Ordering;

/// A thing a transaction has stamped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// Versions of a vertex.
    Vertex(VertexId),
    /// The creation of an edge, with its first properties.
    EdgeCreated(Edge),
    /// The deletion of an edge.
    EdgeDeleted(Edge),
    /// Property versions of an edge.
    EdgeVersions(Edge),
}

/// A committed transaction whose stamps still name its cell.
pub(crate) struct Settling {
    pub(crate) cell: CellId,
    pub(crate) seq: CommitSeq,
    pub(crate) writes: Vec<Write>,
}

/// Something to look at once the horizon has reached its number.
pub(crate) type Pruning = Write;

/// One side of a write, in one shard.
#[derive(Clone, Copy)]
enum Part {
    Vertex(VertexId),
    Outgoing(Edge, EdgeMark),
    Incoming(Edge, EdgeMark),
    EdgeVersions(Edge),
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
            Some(Part::EdgeVersions(edge)),
            Some(Part::Outgoing(edge, EdgeMark::Created)),
            Some(Part::Incoming(edge, EdgeMark::Created)),
        ],
        Write::EdgeDeleted(edge) => [
            Some(Part::Outgoing(edge, EdgeMark::Deleted)),
            Some(Part::Incoming(edge, EdgeMark::Deleted)),
            None,
        ],
        Write::EdgeVersions(edge) => [Some(Part::EdgeVersions(edge)), None, None],
    };
    parts.into_iter().flatten()
}

impl Part {
    /// The vertex in whose shard it lies.
    fn place(self) -> VertexId {
        match self {
            Part::Vertex(id) => id,
            Part::Outgoing(edge, _) | Part::EdgeVersions(edge) => edge.source(),
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
    for shard in (0..graph.shard_count()).map(ShardId) {
        let mut hold = None;
        for part in writes.iter().flat_map(|&write| parts(write)) {
            if graph.shard_of(part.place()) == shard {
                work(
                    hold.get_or_insert_with(|| Hold::take(&graph.shards, core.number, [shard])),
                    part,
                );
            }
        }
    }
}

fn edge_versions<'g>(slot: &'g Slot, edge: Edge, guard: &'g Guard<'_>) -> Option<&'g Versions> {
    slot.edges
        .load(guard)?
        .items()
        .get(edge.id.ordinal() as usize)
}

/// Gives the stamp that `cell` has put on one side of an edge to `restamp`.
fn restamp(slot: &Slot, part: Part, cell: CellId, stamp: u64, keeper: &Keeper<'_>) {
    let guard = keeper.guard;
    let (side, key, mark) = match part {
        Part::Outgoing(edge, mark) => (true, Key::outgoing(edge), mark),
        Part::Incoming(edge, mark) => (false, Key::incoming(edge), mark),
        Part::Vertex(_) | Part::EdgeVersions(_) => return,
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
            let needs_pruning = |write: &Write| match *write {
                Write::Vertex(id) => self.graph.slot(id, &guard).is_some_and(|slot| {
                    slot.recent
                        .load(&guard)
                        .is_some_and(|v| !v.header().previous.is_null())
                }),
                // Their lists wait in a queue of their own; a new edge has nothing behind its first properties.
                Write::EdgeCreated(_) => false,
                Write::EdgeDeleted(edge) => self
                    .graph
                    .slot(edge.source(), &guard)
                    .is_some_and(|slot| !slot.edges.is_null()),
                Write::EdgeVersions(_) => true,
            };
            for write in &writes {
                if let Write::Vertex(id) = *write {
                    self.folding.borrow_mut().note(seq, id.page());
                }
            }
            let mut pruning = self.pruning.borrow_mut();
            pruning.extend(
                writes
                    .iter()
                    .filter(|w| needs_pruning(w))
                    .map(|&write| (seq, write)),
            );
            self.resting
                .borrow_mut()
                .push_back((self.heap.mark(), cell));
            done += 1;
        }
        done
    }

    fn rewrite(&self, part: Part, cell: CellId, seq: CommitSeq, guard: &Guard<'_>) {
        let Some(slot) = self.graph.slot(part.place(), guard) else {
            return;
        };
        let chain = |versions: &Versions| {
            // A later transaction's versions may stand in front of ours.
            let chain =
                version::chain(versions, guard).skip_while(|v| !names(v.header().stamp(), cell));
            for version in chain.take_while(|v| names(v.header().stamp(), cell)) {
                version.header().stamp.store(seq.0, Ordering::Release);
            }
        };
        match part {
            Part::Vertex(_) => chain(&slot.recent),
            Part::EdgeVersions(edge) => {
                if let Some(versions) = edge_versions(slot, edge, guard) {
                    chain(versions);
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
        };
        for_parts(self, writes, |hold, part| {
            let Some(slot) = self.graph.slot(part.place(), &guard) else {
                return;
            };
            match part {
                Part::Vertex(id) => {
                    while slot
                        .recent
                        .load(&guard)
                        .is_some_and(|v| names(v.header().stamp(), cell))
                    {
                        pen.unlink_newest(hold, id);
                    }
                }
                Part::EdgeVersions(edge) => {
                    let Some(versions) = edge_versions(slot, edge, &guard) else {
                        return;
                    };
                    while let Some(head) = versions
                        .load(&guard)
                        .filter(|v| names(v.header().stamp(), cell))
                    {
                        if let Some(old) = versions.splice(head.header().previous.load(&guard)) {
                            self.heap.retire_block(old);
                        }
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

    /// Forgets what lies behind the horizon, up to `budget` things; how many it looked at.
    fn prune(&self, budget: usize) -> usize {
        if self.pruning.borrow().is_empty() {
            return 0;
        }
        let horizon = self.graph.oldest_snapshot();
        let mut done = 0;
        while done < budget {
            let next = {
                let mut pruning = self.pruning.borrow_mut();
                // Each core settles its own transactions in about their order; a later number in front only waits.
                match pruning.front() {
                    Some(&(seq, _)) if seq <= horizon => pruning.pop_front(),
                    _ => None,
                }
            };
            let Some((_, write)) = next else { break };
            let guard = self.heap.enter();
            for_parts(self, &[write], |_, part| {
                self.prune_part(part, horizon, &guard)
            });
            done += 1;
        }
        done
    }

    fn prune_part(&self, part: Part, horizon: CommitSeq, guard: &Guard<'_>) {
        let Some(slot) = self.graph.slot(part.place(), guard) else {
            return;
        };
        match part {
            Part::Vertex(id) => self.prune_vertex(id, slot, horizon, guard),
            Part::EdgeVersions(edge) => {
                if let Some(versions) = edge_versions(slot, edge, guard) {
                    let settled = version::chain(versions, guard)
                        .find(|v| is_below(v.header().stamp(), horizon));
                    if let Some(settled) = settled {
                        version::retire_chain(&settled.header().previous, &self.heap);
                    }
                }
            }
            Part::Outgoing(edge, mark) => {
                let gone = mark == EdgeMark::Deleted
                    && adjacency::find(&slot.outgoing, Key::outgoing(edge), guard)
                        .is_none_or(|entry| is_below(entry.deleted(guard), horizon));
                if gone && let Some(versions) = edge_versions(slot, edge, guard) {
                    version::retire_chain(versions, &self.heap);
                }
            }
            // Lists wait in a queue of their own.
            Part::Incoming(..) => {}
        }
    }

    /// Drops what lies behind the newest version that everyone sees; that one becomes a row when its page is folded.
    fn prune_vertex(&self, id: VertexId, slot: &Slot, horizon: CommitSeq, guard: &Guard<'_>) {
        let settled =
            version::chain(&slot.recent, guard).find(|v| is_below(v.header().stamp(), horizon));
        let Some(settled) = settled else { return };
        let dropped = settled.header().previous.load(guard);
        version::retire_chain(&settled.header().previous, &self.heap);
        // Retired, but alive for this epoch.
        let mut next = dropped;
        while let Some(version) = next {
            self.graph.unindex_record(id, &version, guard);
            next = version.header().previous.load(guard);
        }
    }

    /// See [`crate::core::Core::maintain`].
    pub(crate) fn maintain(&self, budget: usize) -> bool {
        let mut left = budget;
        left -= self.settle(left);
        left -= self.prune(left);
        left -= self.fold_due(left);
        left -= self.quiet.merge(left, &self.graph, &self.heap, self.number);
        self.quiet.kept_house();
        // Freeing costs far less than pruning.
        self.heap.collect(left.saturating_mul(16).max(64));
        self.recover_cells(&mut self.cells.borrow_mut());
        !self.settling.borrow().is_empty()
            || self.quiet.more(&self.graph)
            || self
                .pruning
                .borrow()
                .front()
                .is_some_and(|&(seq, _)| seq <= self.graph.oldest_snapshot())
            || self.folds_are_due()
    }
}
