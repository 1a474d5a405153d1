//! Writes: the changes of vertices and edges under their shards' tokens, for transactions and for the log alike.
//!
//! Owned here: [`Pen`], with vertices in [`vertex`] and edges in [`edge`]. Called by `txn` (stamps in flight) and `apply` (stamps that are
//! numbers already).
//! Always holds: each operation checks all it needs before it changes anything, so one that fails has changed nothing; first updater
//! wins; no edge is made at a vertex whose deletion is in flight or newer than the author's snapshot, and no vertex is deleted while
//! an incident edge is in flight or newer, so no edge ever lacks an end, seen from either side.
//! Left to others: deltas, undo and statistics (`txn`); stamps after commit (`settle`).

mod edge;
mod vertex;

pub(crate) use vertex::Touch;

use crate::core::CoreState;
use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{CommitSeq, ShardId, VertexId};
use crate::memory::Guard;
use crate::page::Slot;
use crate::shard::Hold;
use crate::stamp::{Author, Standing};
use crate::version::{self, Version};

/// An author with its core, for the length of an operation.
pub(crate) struct Pen<'a> {
    pub(crate) core: &'a CoreState,
    pub(crate) guard: &'a Guard<'a>,
    pub(crate) author: Author<'a>,
}

impl<'a> Pen<'a> {
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

    /// Takes every token.
    pub(crate) fn hold_all(&self) -> Hold<'a> {
        self.hold((0..self.graph().shard_count()).map(ShardId))
    }

    fn horizon(&self) -> CommitSeq {
        self.graph().oldest_snapshot()
    }

    fn slot(&self, vertex: VertexId) -> Option<&'a Slot> {
        if vertex > VertexId::MAX {
            return None;
        }
        self.graph().slot(vertex, self.guard)
    }

    /// The newest version of a vertex that counts: aborted ones in front of it are unlinked.
    fn newest(&self, hold: &mut Hold<'_>, vertex: VertexId, slot: &'a Slot) -> Option<Version<'a>> {
        loop {
            let head = slot.versions.load(self.guard)?;
            if self.author.standing(head.header().stamp()) != Standing::Void {
                return Some(head);
            }
            self.unlink_newest(hold, vertex, slot);
        }
    }

    /// Unlinks the newest version of a vertex, with the index entries that only it had.
    pub(crate) fn unlink_newest(&self, hold: &mut Hold<'_>, vertex: VertexId, slot: &'a Slot) {
        let Some(head) = slot.versions.load(self.guard) else {
            return;
        };
        let old = slot
            .versions
            .splice(head.header().previous.load(self.guard));
        self.graph().unindex_record(vertex, &head, slot, self.guard);
        if let Some(old) = old {
            self.guard.heap().retire_block(old);
        }
        if slot.versions.is_null() {
            hold.shard(self.graph().shard_of(vertex))
                .vacate(self.graph(), vertex, self.guard);
        }
    }

    /// The newest version for an author who wants to change the vertex: its own or an old one, and not a deletion.
    fn to_change(
        &self,
        hold: &mut Hold<'_>,
        vertex: VertexId,
    ) -> Result<(&'a Slot, Version<'a>), WriteError> {
        let slot = self.slot(vertex).ok_or(WriteError::VertexDeleted(vertex))?;
        let head = self
            .newest(hold, vertex, slot)
            .ok_or(WriteError::VertexDeleted(vertex))?;
        match self.author.standing(head.header().stamp()) {
            Standing::Contested if self.author.uncommitted || self.known(slot) => {
                Err(WriteError::Conflict {
                    entity: Entity::Vertex(vertex),
                })
            }
            Standing::Contested => Err(WriteError::VertexDeleted(vertex)),
            _ if head.header().deleted => Err(WriteError::VertexDeleted(vertex)),
            _ => Ok((slot, head)),
        }
    }

    /// Whether the author could have seen the vertex at all: some version is its own or old.
    fn known(&self, slot: &'a Slot) -> bool {
        version::chain(&slot.versions, self.guard).any(|version| {
            matches!(
                self.author.standing(version.header().stamp()),
                Standing::Mine | Standing::Old
            )
        })
    }
}
