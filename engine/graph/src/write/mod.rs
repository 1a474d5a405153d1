//! Writes: the changes of vertices and edges under their shards' tokens, for transactions and for the log alike.
//!
//! Owned here: [`Pen`], with vertices in [`vertex`] and edges in [`edge`]. Called by `txn` (stamps in flight) and `apply` (stamps that are
//! numbers already).
//! Always holds: each operation checks all it needs before it changes anything, so one that fails has changed nothing; but a vertex that
//! goes with its edges is deleted first, and they follow batch by batch, each in the list of its author's writes. First updater
//! wins; no edge is made at a vertex whose deletion is in flight or newer than the author's snapshot, and no vertex is deleted while
//! an incident edge is in flight or newer, so no edge ever lacks an end, seen from either side.
//! Left to others: deltas, undo, counts of vertices and labels (`txn`); stamps after commit (`settle`).

mod edge;
mod record;
mod vertex;

pub(crate) use vertex::Touch;

use crate::adjacency::Keeper;
use crate::constraint::Claims;
use crate::core::CoreState;
use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{KeyId, LabelId, ShardId, VertexId};
use crate::index::Gone;
use crate::memory::Guard;
use crate::page::{Page, Slot};
use crate::schema::Schema;
use crate::shard::Hold;
use crate::stamp::{Author, Standing};
use crate::state::State;
use crate::statistics::Tally;
use crate::value::{Edge, ValueRef};
use crate::version::{self, Record};
use smallvec::SmallVec;
use std::cell::RefCell;

/// An author with its core, for the length of an operation.
pub(crate) struct Pen<'a> {
    pub(crate) core: &'a CoreState,
    pub(crate) guard: &'a Guard<'a>,
    pub(crate) author: Author<'a>,
    /// Records that got their first version of this author, for its list of writes.
    pub(crate) touched: RefCell<SmallVec<[(Edge, u32); 1]>>,
    /// The author's counts; edges and their ends are added here.
    pub(crate) tally: RefCell<Tally>,
    /// Vertices that got a state which may not be their transaction's last.
    pub(crate) unfinished: RefCell<SmallVec<[VertexId; 1]>>,
}

impl<'a> Pen<'a> {
    /// For one operation or batch.
    pub(crate) fn new(
        core: &'a CoreState,
        guard: &'a Guard<'a>,
        author: Author<'a>,
        tally: Tally,
    ) -> Pen<'a> {
        Pen {
            core,
            guard,
            author,
            touched: RefCell::default(),
            tally: RefCell::new(tally),
            unfinished: RefCell::default(),
        }
    }

    pub(crate) fn graph(&self) -> &'a Graph {
        &self.core.graph
    }

    /// Takes the tokens of some shards.
    pub(crate) fn hold(&self, shards: impl IntoIterator<Item = ShardId>) -> Hold<'a> {
        Hold::take(&self.graph().shards, self.core.number, shards)
    }

    /// Takes the token of a vertex's shard.
    pub(crate) fn hold_vertex(&self, vertex: VertexId) -> Hold<'a> {
        self.hold([self.graph().shard_of(vertex)])
    }

    fn schema(&self) -> &'a Schema {
        self.graph().schema.load(self.guard)
    }

    /// Whether a state with these labels and properties may be written; its tokens and those of its claims are held. What the log
    /// says may always. Answers whether it may also be the transaction's last.
    fn admit<'v>(
        &self,
        vertex: Option<VertexId>,
        labels: &[LabelId],
        property: impl Fn(KeyId) -> Option<ValueRef<'v>>,
        claims: &Claims<'_>,
    ) -> Result<bool, WriteError> {
        let mut may_last = true;
        if self.author.cell.is_none() {
            return Ok(may_last);
        }
        for item in self.schema().constraints(labels) {
            let Some(constraint) = item.constraint() else {
                continue;
            };
            if let Some(fault) = constraint.fault_when_written(&property) {
                let since = item.since().unwrap_or_default();
                return Err(constraint.error(self.graph(), vertex, fault, since));
            }
            may_last &= constraint.fault_at_end(&property).is_none();
        }
        claims.check(self.graph(), (vertex, &property), &self.author, self.guard)?;
        Ok(may_last)
    }

    /// Notes a vertex whose new state is not one to end with.
    fn note_unfinished(&self, vertex: VertexId, may_last: bool) {
        if !may_last {
            self.unfinished.borrow_mut().push(vertex);
        }
    }

    /// For the lists that the operation changes.
    pub(crate) fn keeper(&self) -> Keeper<'a> {
        Keeper::new(self.graph(), self.guard, &self.core.quiet)
    }

    fn slot(&self, vertex: VertexId) -> Option<&'a Slot> {
        if vertex > VertexId::MAX {
            return None;
        }
        self.graph().slot(vertex, self.guard)
    }

    fn page(&self, vertex: VertexId) -> Option<Page<'a>> {
        if vertex > VertexId::MAX {
            return None;
        }
        self.graph().directory.page(vertex.page(), self.guard)
    }

    /// The newest state of a vertex that counts, and how it stands to the author: aborted ones in front of it are unlinked. A transaction
    /// is aborted without any token, so whoever asked again could be told something else, and build on what is void.
    fn newest(&self, hold: &mut Hold<'_>, vertex: VertexId) -> Option<(State<'a>, Standing)> {
        loop {
            let newest = self.page(vertex)?.newest(vertex.slot(), self.guard)?;
            let standing = self.author.standing(newest.stamp());
            if standing != Standing::Void {
                return Some((newest, standing));
            }
            let mut gone = Gone::default();
            self.unlink_void(hold, vertex, usize::MAX, &mut gone);
            gone.take_out(self.graph(), vertex, usize::MAX, self.guard);
        }
    }

    /// Unlinks up to `most` void versions in front of a vertex's others; how many it was. What they were found by comes to `gone`.
    pub(crate) fn unlink_void(
        &self,
        hold: &mut Hold<'_>,
        vertex: VertexId,
        most: usize,
        gone: &mut Gone<'a>,
    ) -> usize {
        let Some(page) = self.page(vertex) else {
            return 0;
        };
        let word = &page.items()[vertex.slot()].recent;
        let mut done = 0;
        while done < most
            && let Some(head) = word.load(self.guard)
            && self.author.standing(head.header().stamp()) == Standing::Void
        {
            gone.add(self.graph(), &head, (vertex, self.guard));
            if let Some(old) = word.splice(head.header().previous.load(self.guard)) {
                version::retire(old, self.guard.heap());
            }
            done += 1;
        }
        if done > 0 && word.is_null() {
            page.header().columns.unmark(vertex.slot());
            if page.newest(vertex.slot(), self.guard).is_none() {
                hold.shard(self.graph().shard_of(vertex))
                    .vacate(self.graph(), vertex, self.guard);
            }
        }
        done
    }

    /// The newest state for an author who wants to change the vertex: its own or an old one, and not a deletion.
    fn to_change(
        &self,
        hold: &mut Hold<'_>,
        vertex: VertexId,
    ) -> Result<(&'a Slot, State<'a>), WriteError> {
        let slot = self.slot(vertex).ok_or(WriteError::VertexDeleted(vertex))?;
        let (newest, standing) = self
            .newest(hold, vertex)
            .ok_or(WriteError::VertexDeleted(vertex))?;
        match standing {
            Standing::Contested if self.author.uncommitted || self.known(vertex) => {
                Err(WriteError::Conflict {
                    entity: Entity::Vertex(vertex),
                })
            }
            Standing::Contested => Err(WriteError::VertexDeleted(vertex)),
            _ if newest.is_deleted() => Err(WriteError::VertexDeleted(vertex)),
            _ => Ok((slot, newest)),
        }
    }

    /// Whether the author could have seen the vertex at all: some state is its own or old.
    fn known(&self, vertex: VertexId) -> bool {
        let states = self
            .page(vertex)
            .into_iter()
            .flat_map(|page| page.states(vertex.slot(), self.guard));
        states.into_iter().any(|state| {
            matches!(
                self.author.standing(state.stamp()),
                Standing::Mine | Standing::Old
            )
        })
    }
}
