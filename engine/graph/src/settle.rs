//! Settling: what happens to a transaction's marks after it has ended.
//!
//! Owned here: rewriting stamps in flight to their number, undoing, and what housekeeping does in which order. Called by `txn` (at the
//! end of a transaction), `core` (housekeeping), `apply`.
//! A transaction has ended when its cell says how. From then on everyone who meets a stamp of it asks the cell: a committed one's are what
//! they will be once they have numbers; an undone one's are void: nobody sees them, they are no conflict, no right, no unique key and no
//! statistic rests on them, and who wants to build on what they mark unlinks it first. So settling may come at any time, in any order,
//! and a large transaction's is done in slices: the first when it ends, the rest by housekeeping. The answer to a rollback does not
//! wait for it; memory and entries of indexes come back as it goes.
//! Always holds: a commit cell rests (and is used again after an epoch) only when no stamp names it; all of it is done under the
//! token of the shard, shard after shard, no more than [`Graph::parts_per_hold`] stamps at a time.
//! Left to others: when there is time for it (`Core::maintain`), forgetting what nobody sees (`prune`).

use crate::adjacency::{self, Keeper, Key, List, Side};
use crate::core::CoreState;
use crate::graph::Graph;
use crate::ids::{CommitSeq, ShardId, VertexId};
use crate::index::Gone;
use crate::memory::{Guard, MemoryOwner};
use crate::mutants::Mutant;
use crate::page::Slot;
use crate::prune::Thing;
use crate::records;
use crate::shard::Hold;
use crate::stamp::{Author, CellId, NEVER, in_flight};
use crate::statistics::Tally;
use crate::value::Edge;
use crate::version::{self, Version, Versions};
use crate::write::Pen;
use smallvec::SmallVec;
use std::collections::VecDeque;
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

/// Writes of a transaction that are settled when it ends, since stamps in flight cost readers; housekeeping does the rest of a large
/// one: some milliseconds.
pub(crate) const SETTLED_AT_ONCE: usize = 2048;
/// Writes settled in one turn.
const SLICE: usize = 256;
/// Sides of writes whose lists are asked for together.
const TOGETHER: usize = 64;
/// Writes settled for one piece of housekeeping.
const WRITES_PER_PIECE: usize = 8;
/// Stamps that are rewritten, set or undone while a token is held.
pub(crate) const PARTS_PER_HOLD: usize = 512;
/// The most writes that wait on a core; what is more is done by the transaction that ends: some 32 MB.
const WAITING_MAX: usize = 1 << 20;
/// A list of this many writes or fewer keeps its room.
const ROOM_KEPT: usize = 4096;

/// A transaction that has ended, some of whose stamps still name its cell.
struct Ended {
    cell: CellId,
    /// `None`: it is undone.
    seq: Option<CommitSeq>,
    /// What is not settled yet: the first of what it wrote.
    writes: Vec<Write>,
    /// Whether it has waited already.
    waited: bool,
}

/// Transactions that have ended and are not settled wholly.
#[derive(Default)]
pub(crate) struct Settling {
    queue: VecDeque<Ended>,
    /// Writes of all of them.
    writes: usize,
    /// What they take, in bytes.
    bytes: i64,
}

impl Settling {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn add(&mut self, ended: &Ended, sign: i64) {
        self.writes = (self.writes as i64 + sign * ended.writes.len() as i64) as usize;
        self.bytes += sign * (ended.writes.capacity() * size_of::<Write>()) as i64;
    }

    fn pop(&mut self) -> Option<Ended> {
        let ended = self.queue.pop_front()?;
        self.add(&ended, -1);
        Some(ended)
    }

    /// In front, unless it is the newest to wait.
    fn push(&mut self, ended: Ended) {
        self.add(&ended, 1);
        match ended.waited {
            true => self.queue.push_front(ended),
            false => self.queue.push_back(ended),
        }
    }
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

/// The first side of a write, or the second if it has one.
#[inline]
fn part(write: Write, second: bool) -> Option<Part> {
    use EdgeMark::{Created, Deleted};
    Some(match (write, second) {
        (Write::Vertex(id), false) => Part::Vertex(id),
        (Write::Record(edge, record), false) => Part::Record(edge, record),
        (Write::EdgeCreated(edge), false) => Part::Outgoing(edge, Created),
        (Write::EdgeCreated(edge), true) => Part::Incoming(edge, Created),
        (Write::EdgeDeleted(edge), false) => Part::Outgoing(edge, Deleted),
        (Write::EdgeDeleted(edge), true) => Part::Incoming(edge, Deleted),
        (Write::Vertex(_) | Write::Record(..), true) => return None,
    })
}

/// The sides of writes that lie in a shard, one after the other.
struct Parts<'w> {
    graph: &'w Graph,
    shard: ShardId,
    writes: &'w [Write],
    second: bool,
}

impl Iterator for Parts<'_> {
    type Item = Part;

    #[inline]
    fn next(&mut self) -> Option<Part> {
        loop {
            let part = part(*self.writes.first()?, self.second);
            if self.second {
                self.writes = &self.writes[1..];
            }
            self.second = !self.second;
            let here = |part: &Part| {
                self.graph.shard_count() == 1 || self.graph.shard_of(part.place()) == self.shard
            };
            if let Some(part) = part.filter(here) {
                return Some(part);
            }
        }
    }
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

    /// The list it lies in, of its place's slot.
    fn list(self, slot: &Slot) -> Option<&List> {
        match self {
            Part::Outgoing(..) => Some(&slot.outgoing),
            Part::Incoming(..) => Some(&slot.incoming),
            Part::Vertex(_) | Part::Record(..) => None,
        }
    }
}

/// Does `work` for each part of the writes, one shard's token after the other, which others get in between. A part's vertex has no slot
/// when its page has gone since; its record may be there still. `work` finds room for one thing at least in what is held, counts what it
/// does, and answers whether the part is done: one that is not comes again under the next token.
fn for_parts(
    core: &CoreState,
    writes: &[Write],
    mut work: impl FnMut(&mut Hold<'_>, Part, Option<&Slot>) -> bool,
) {
    let graph: &Graph = &core.graph;
    let take = |shard| Hold::take(&graph.shards, core.number, [shard]);
    let at_once = graph.parts_per_hold();
    let guard = core.heap.enter();
    if let [write] = writes
        && let Write::Vertex(id) = *write
    {
        let shard = graph.shard_of(id);
        while !work(&mut take(shard), Part::Vertex(id), graph.slot(id, &guard)) {}
        return;
    }
    let mut found: SmallVec<[(Part, Option<&Slot>); TOGETHER]> = SmallVec::new();
    for shard in (0..graph.shard_count()).map(ShardId) {
        let mut parts = Parts {
            graph,
            shard,
            writes,
            second: false,
        };
        let mut next = parts.next();
        while next.is_some() {
            let mut hold = take(shard);
            while !hold.has_done(at_once) && next.is_some() {
                found.clear();
                while let Some(part) = next
                    && found.len() < hold.left(at_once).min(TOGETHER)
                {
                    // Under the token: the page may have gone.
                    let slot = graph.slot(part.place(), &guard);
                    if let Some(slot) = slot {
                        slot.prefetch();
                    }
                    found.push((part, slot));
                    next = parts.next();
                }
                let lists = || found.iter().filter_map(|(part, slot)| part.list((*slot)?));
                for list in lists() {
                    list.prefetch(2);
                }
                for list in lists() {
                    adjacency::prefetch_recent(list, &guard);
                }
                let mut is_same_hold = true;
                for &(part, slot) in &found {
                    loop {
                        if hold.has_done(at_once) {
                            drop(hold);
                            hold = take(shard);
                            is_same_hold = false;
                        }
                        let slot = match is_same_hold {
                            true => slot,
                            false => graph.slot(part.place(), &guard),
                        };
                        if work(&mut hold, part, slot) {
                            break;
                        }
                    }
                }
            }
        }
    }
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

/// Replaces the stamp that `cell` has put on one side of an edge.
fn restamp(slot: Option<&Slot>, part: Part, cell: CellId, stamp: u64, keeper: &Keeper<'_>) {
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
    let list = slot.map(|slot| slot.list(side.outgoing));
    if let Some(entry) = list.and_then(|list| adjacency::find_where(list, key, guard, marked)) {
        match mark {
            EdgeMark::Created => entry.set_created(stamp, side, key, keeper),
            EdgeMark::Deleted => entry.set_deleted(stamp, side, key, keeper),
        }
    }
}

fn names(stamp: u64, cell: CellId) -> bool {
    in_flight(stamp).is_some_and(|(named, _)| named == cell)
}

impl CoreState {
    /// A transaction has ended, as its cell says: committed with a number, or undone. A small one is settled wholly, of a large one so much
    /// that no more than [`WAITING_MAX`] writes wait.
    pub(crate) fn ended(&self, cell: CellId, seq: Option<CommitSeq>, writes: Vec<Write>) {
        let mut ended = Ended {
            cell,
            seq,
            writes,
            waited: false,
        };
        let mut at_once = self.graph.settled_at_once.load(Ordering::Relaxed);
        while at_once > 0 && !ended.writes.is_empty() {
            at_once -= self.settle_some(&mut ended, SLICE.min(at_once));
        }
        if ended.writes.is_empty() {
            return self.rest(cell);
        }
        self.change_settling(|settling| settling.push(ended));
        let waiting = self.settling.borrow().writes;
        self.settle(waiting.saturating_sub(WAITING_MAX));
    }

    /// Settles up to `budget` writes of transactions that have ended; how many it was.
    pub(crate) fn settle(&self, budget: usize) -> usize {
        let mut done = 0;
        while done < budget {
            let Some(mut ended) = self.change_settling(Settling::pop) else {
                break;
            };
            ended.waited = true;
            done += self.settle_some(&mut ended, SLICE.min(budget - done));
            if ended.writes.is_empty() {
                self.rest(ended.cell);
            } else {
                self.change_settling(|settling| settling.push(ended));
            }
        }
        done
    }

    /// Changes what waits, and counts its bytes.
    fn change_settling<R>(&self, change: impl FnOnce(&mut Settling) -> R) -> R {
        let settling = &mut *self.settling.borrow_mut();
        let before = settling.bytes;
        let result = change(settling);
        self.heap
            .count(MemoryOwner::Transactions, settling.bytes - before);
        result
    }

    /// No stamp names a cell any more: it is used again after an epoch.
    fn rest(&self, cell: CellId) {
        let mark = self.heap.mark();
        self.resting.borrow_mut().push_back((mark, cell));
    }

    /// Settles the last `budget` writes of a transaction; how many it was.
    fn settle_some(&self, ended: &mut Ended, budget: usize) -> usize {
        let writes = &mut ended.writes;
        let from = writes.len().saturating_sub(budget);
        let done = writes.len() - from;
        match ended.seq {
            Some(seq) => self.number(ended.cell, seq, &writes[from..]),
            None => self.undo(ended.cell, &writes[from..]),
        }
        writes.truncate(from);
        if writes.capacity() > ROOM_KEPT && writes.len() < writes.capacity() / 2 {
            writes.shrink_to(ROOM_KEPT);
        }
        done
    }

    /// Rewrites the stamps of writes to their commit's number.
    fn number(&self, cell: CellId, seq: CommitSeq, writes: &[Write]) {
        let guard = self.heap.enter();
        let keeper = Keeper::new(&self.graph, &guard, &self.quiet);
        // Where a chain goes on that is longer than what is done under one token.
        let mut resume = None;
        for_parts(self, writes, |hold, part, slot| {
            if let Part::Outgoing(..) | Part::Incoming(..) = part {
                restamp(slot, part, cell, seq.0, &keeper);
                hold.count_parts(1);
                return true;
            }
            let from = resume.take();
            resume = self.rewrite(hold, part, from, (cell, seq), &guard);
            resume.is_none()
        });
        for &write in writes {
            self.fold_later(seq, write);
            self.prune_later(seq, write, &guard);
        }
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

    /// Numbers versions of a chain, from `resume` on; where to go on, if not all of them.
    fn rewrite<'g>(
        &'g self,
        hold: &mut Hold<'_>,
        part: Part,
        resume: Option<Version<'g>>,
        (cell, seq): (CellId, CommitSeq),
        guard: &'g Guard<'_>,
    ) -> Option<Version<'g>> {
        let mine = |version: &Version<'_>| names(version.header().stamp(), cell);
        // One that is not numbered yet is in its chain still.
        let mut next = resume.or_else(|| {
            // A later transaction's versions may stand in front of ours.
            let versions = chain_of(&self.graph, part, guard)?;
            version::chain(versions, guard).find(mine)
        });
        let (mut left, mut done) = (hold.left(self.graph.parts_per_hold()), 0);
        while let Some(version) = next.filter(mine) {
            if left == 0 {
                break;
            }
            version.header().stamp.store(seq.0, Ordering::Release);
            next = version.header().previous.load(guard);
            (left, done) = (left - 1, done + 1);
        }
        hold.count_parts(done.max(1));
        next.filter(mine)
    }

    /// Undoes writes of a transaction whose cell says aborted.
    fn undo(&self, cell: CellId, writes: &[Write]) {
        let guard = self.heap.enter();
        let author = Author {
            cells: &self.graph.cells,
            snapshot: CommitSeq(0),
            cell: None,
            stamp: NEVER,
            uncommitted: false,
        };
        // What is undone was never counted.
        let pen = Pen::new(self, &guard, author, Tally::default());
        let at_once = self.graph.parts_per_hold();
        let mut gone = Gone::default();
        for_parts(self, writes, |hold, part, slot| {
            if let Part::Outgoing(edge, EdgeMark::Created) = part {
                // What its properties are entered by goes with their versions.
                self.doubt_edge(edge, |_| None, &guard);
            }
            let room = hold.left(at_once);
            match part {
                Part::Vertex(_) if Mutant::ForgetsUndoOfVersions.is_on() => true,
                Part::Outgoing(..) | Part::Incoming(..) if Mutant::ForgetsUndoOfEdges.is_on() => {
                    true
                }
                Part::Vertex(id) => {
                    let done = pen.unlink_void(hold, id, room, &mut gone);
                    let taken_out = match room - done {
                        0 => 0,
                        room => gone.take_out(&self.graph, id, room, &guard),
                    };
                    hold.count_parts((done + taken_out).max(1));
                    done < room && gone.is_empty()
                }
                Part::Record(edge, record) => {
                    let newest = || chain_of(&self.graph, part, &guard)?.load(&guard);
                    let mut done = 0;
                    while done < room && newest().is_some_and(|v| names(v.header().stamp(), cell)) {
                        pen.unlink_newest_of_record(edge, record);
                        done += 1;
                    }
                    hold.count_parts(done.max(1));
                    if done == room {
                        return false;
                    }
                    if newest().is_some() {
                        // Beneath a first property stands a state that nobody has noted.
                        let visible = self.graph.door().visible();
                        self.fold_later(visible, Write::Record(edge, record));
                    }
                    true
                }
                Part::Outgoing(..) | Part::Incoming(..) => {
                    restamp(slot, part, cell, NEVER, &pen.keeper());
                    hold.count_parts(1);
                    true
                }
            }
        });
    }

    /// See [`crate::core::Core::maintain`].
    pub(crate) fn maintain(&self, budget: usize) -> bool {
        self.let_go_of_lent();
        let mut left = budget;
        let settled = self.settle(left.saturating_mul(WRITES_PER_PIECE));
        left -= settled.div_ceil(WRITES_PER_PIECE);
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
        self.count_lists();
        let pruning = self.pruning.borrow();
        freed == freeing
            || !self.settling.borrow().is_empty()
            || self.quiet.more(&self.graph)
            || (!pruning.is_empty() && pruning.is_due(&self.graph.active_snapshots()))
            || self.folds_are_due()
            || self.edge_indexes_are_untidy()
    }
}
