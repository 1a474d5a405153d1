//! Writes of edges: creation, deletion, properties, and vertices with all their edges.

use super::Pen;
use super::vertex::Touch;
use crate::adjacency::{self, Keeper, Key, LISTS_AHEAD, SLOTS_AHEAD, Side, TAILS_AHEAD};
use crate::error::{Entity, WriteError};
use crate::ids::{EdgeId, LabelSetId, ShardId, TypeId, VertexId};
use crate::memory::Link;
use crate::page::{EdgeTableHead, Slot};
use crate::shard::Hold;
use crate::stamp::{NEVER, Standing, in_flight};
use crate::txn::NewEdge;
use crate::value::Edge;
use crate::value::codec::Properties;
use crate::version::{self, Record, Versions};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;

const TOO_MANY: WriteError =
    WriteError::LimitExceeded("2^28 relationships have started at one node");

/// Where an edge stands: in the list of its source, and in that of its target.
fn sides(edge: Edge) -> [(Side, Key); 2] {
    let side = |vertex, outgoing| Side { vertex, outgoing };
    [
        (side(edge.source(), true), Key::outgoing(edge)),
        (side(edge.target, false), Key::incoming(edge)),
    ]
}

impl<'a> Pen<'a> {
    fn hold_ends(&self, source: VertexId, target: VertexId) -> Hold<'a> {
        self.hold([self.graph().shard_of(source), self.graph().shard_of(target)])
    }

    /// The shared right on an end: it exists for the author, and no deletion of it is in flight or newer than the snapshot.
    fn end(&self, hold: &mut Hold<'_>, vertex: VertexId) -> Result<&'a Slot, WriteError> {
        let slot = self.slot(vertex).ok_or(WriteError::VertexDeleted(vertex))?;
        let newest = self
            .newest(hold, vertex)
            .ok_or(WriteError::VertexDeleted(vertex))?;
        let standing = self.author.standing(newest.stamp());
        if matches!(standing, Standing::Mine | Standing::Old) && !newest.is_deleted() {
            return Ok(slot);
        }
        let conflict = WriteError::Conflict {
            entity: Entity::Vertex(vertex),
        };
        if !self.known(vertex) {
            return Err(if self.author.uncommitted {
                conflict
            } else {
                WriteError::VertexDeleted(vertex)
            });
        }
        if newest.is_deleted() {
            return Err(match self.author.standing(newest.stamp()) {
                Standing::Contested => conflict,
                _ => WriteError::VertexDeleted(vertex),
            });
        }
        Ok(slot)
    }

    /// A new edge between two vertices, on both sides.
    pub(crate) fn create_edge(
        &self,
        source: VertexId,
        target: VertexId,
        type_: TypeId,
        properties: Properties<'_>,
    ) -> Result<Edge, WriteError> {
        let mut hold = self.hold_ends(source, target);
        let from = self.end(&mut hold, source)?;
        let to = self.end(&mut hold, target)?;
        let ordinal = from.ordinals.load(Ordering::Relaxed);
        if ordinal >= EdgeId::ORDINALS {
            return Err(TOO_MANY);
        }
        let edge = Edge {
            id: EdgeId::new(source, ordinal),
            target,
            type_,
        };
        self.link_edge(from, to, edge, properties, &self.keeper());
        Ok(edge)
    }

    /// New edges, all or none; their tokens are taken once. `properties` are those of the edge of a number.
    pub(crate) fn create_edges<'p>(
        &self,
        new: &[NewEdge<'_>],
        properties: impl Fn(usize) -> Properties<'p>,
    ) -> Result<Vec<Edge>, WriteError> {
        let graph = self.graph();
        let mut shards: SmallVec<[ShardId; 8]> = SmallVec::new();
        for shard in new
            .iter()
            .flat_map(|edge| [edge.source, edge.target])
            .map(|vertex| graph.shard_of(vertex))
        {
            if !shards.contains(&shard) {
                shards.push(shard);
            }
        }
        let mut hold = self.hold(shards);
        let ends = |at: usize| new.get(at).map(|edge| [edge.source, edge.target]);
        for (at, edge) in new.iter().enumerate() {
            for vertex in ends(at + SLOTS_AHEAD).into_iter().flatten() {
                graph.prefetch_slot(vertex, self.guard);
            }
            self.end(&mut hold, edge.target)?;
            let from = self.end(&mut hold, edge.source)?;
            // All of them may start there; who is that near the end is not served in a batch.
            if from.ordinals.load(Ordering::Relaxed) as usize + new.len()
                > EdgeId::ORDINALS as usize
            {
                return Err(TOO_MANY);
            }
        }
        let sides = |at: usize| {
            ends(at).into_iter().flat_map(|[source, target]| {
                let side = |vertex, outgoing| Side { vertex, outgoing };
                [side(source, true), side(target, false)]
            })
        };
        let keeper = self.keeper();
        let slot = |vertex| self.slot(vertex).expect("a moment ago it was there");
        let make = |(at, edge): (usize, &NewEdge<'_>)| {
            // Slots have been read for the checks, and may be gone again.
            for side in sides(at + SLOTS_AHEAD) {
                graph.prefetch_slot(side.vertex, self.guard);
            }
            for side in sides(at + LISTS_AHEAD) {
                graph.prefetch_list(side, self.guard);
            }
            for side in sides(at + TAILS_AHEAD) {
                graph.prefetch_recent(side, self.guard);
            }
            let (from, to) = (slot(edge.source), slot(edge.target));
            let ordinal = from.ordinals.load(Ordering::Relaxed);
            let made = Edge {
                id: EdgeId::new(edge.source, ordinal),
                target: edge.target,
                type_: edge.type_,
            };
            self.link_edge(from, to, made, properties(at), &keeper);
            made
        };
        Ok(new.iter().enumerate().map(make).collect())
    }

    /// An edge that the log names; the reason if it does not fit.
    pub(crate) fn restore_edge(
        &self,
        edge: Edge,
        properties: Properties<'_>,
    ) -> Result<(), &'static str> {
        let mut hold = self.hold_ends(edge.source(), edge.target);
        let from = self
            .end(&mut hold, edge.source())
            .map_err(|_| "an edge without its source")?;
        let to = self
            .end(&mut hold, edge.target)
            .map_err(|_| "an edge without its target")?;
        // Ordinals are given in ascending order and frames come in commit order, so one below `ordinals` may still be new.
        let live = |entry: &adjacency::Entry<'_>| entry.deleted(self.guard) == NEVER;
        if adjacency::find_where(&from.outgoing, Key::outgoing(edge), self.guard, live).is_some() {
            return Err("an edge is created twice");
        }
        self.link_edge(from, to, edge, properties, &self.keeper());
        Ok(())
    }

    fn link_edge(
        &self,
        from: &'a Slot,
        to: &'a Slot,
        edge: Edge,
        properties: Properties<'_>,
        keeper: &Keeper<'_>,
    ) {
        let ordinal = edge.id.ordinal();
        from.ordinals.fetch_max(ordinal + 1, Ordering::Relaxed);
        let stamp = self.author.stamp;
        for (list, (side, key)) in [&from.outgoing, &to.incoming].into_iter().zip(sides(edge)) {
            adjacency::insert(list, side, key, stamp, None, keeper);
        }
        self.core
            .index_edge(edge, |key| properties.get(key), self.guard);
        if !properties.is_empty() {
            let versions = self.edge_versions(from, ordinal);
            let new = version::build(
                self.guard.heap(),
                stamp,
                None,
                LabelSetId(0),
                false,
                properties.bytes(),
            );
            let none = versions.set(new);
            debug_assert!(
                none.is_none(),
                "{:?} is created with the properties of another",
                edge.id
            );
        }
    }

    /// The chain of an edge's property versions, its place made if need be.
    fn edge_versions(&self, source: &'a Slot, ordinal: u32) -> &'a Versions {
        let at = ordinal as usize;
        let table = source.edges.load(self.guard);
        if table.is_none_or(|table| table.items().len() <= at) {
            let old = table.map_or(&[][..], |table| table.items());
            let room = (at + 1).next_power_of_two().max(4);
            let copy = |i: usize| {
                old.get(i)
                    .map_or(Link::default(), |link| Link::to(link.load(self.guard)))
            };
            if let Some(old) = source
                .edges
                .set(self.guard.heap().block(EdgeTableHead, room, copy))
            {
                self.guard.heap().retire_block(old);
            }
        }
        let table = source.edges.load(self.guard).expect("it was just made");
        &table.items()[at]
    }

    /// The entry of an edge at its source, for an author who wants to change or delete it: live, and nobody else's.
    fn edge_to_change(&self, edge: Edge) -> Result<(&'a Slot, adjacency::Entry<'a>), WriteError> {
        let deleted = WriteError::EdgeDeleted(edge.id);
        let conflict = WriteError::Conflict {
            entity: Entity::Edge(edge.id),
        };
        let slot = self.slot(edge.source()).ok_or(deleted.clone())?;
        let entry = adjacency::find(&slot.outgoing, Key::outgoing(edge), self.guard)
            .ok_or(deleted.clone())?;
        match self.author.standing(entry.created(self.guard)) {
            Standing::Contested if self.author.uncommitted => return Err(conflict),
            Standing::Void | Standing::Contested => return Err(deleted),
            Standing::Mine | Standing::Old => {}
        }
        match self.author.standing(entry.deleted(self.guard)) {
            Standing::Void => {}
            Standing::Contested => return Err(conflict),
            Standing::Mine | Standing::Old => return Err(deleted),
        }
        if let Some(versions) = self.known_edge_versions(slot, edge) {
            self.drop_void(edge, versions);
            let newest = versions.load(self.guard);
            if newest
                .is_some_and(|v| self.author.standing(v.header().stamp()) == Standing::Contested)
            {
                return Err(conflict);
            }
        }
        Ok((slot, entry))
    }

    fn known_edge_versions(&self, source: &'a Slot, edge: Edge) -> Option<&'a Versions> {
        source
            .edges
            .load(self.guard)?
            .items()
            .get(edge.id.ordinal() as usize)
    }

    /// Unlinks aborted versions in front.
    fn drop_void(&self, edge: Edge, versions: &Versions) {
        while let Some(head) = versions.load(self.guard) {
            if self.author.standing(head.header().stamp()) != Standing::Void {
                return;
            }
            let properties = version::properties(head);
            self.core
                .doubt_edge(edge, |key| properties.get(key), self.guard);
            if let Some(old) = versions.splice(head.header().previous.load(self.guard)) {
                self.guard.heap().retire_block(old);
            }
        }
    }

    /// Deletes an edge on both sides; `false` if the author has deleted it already.
    pub(crate) fn delete_edge(&self, edge: Edge) -> Result<bool, WriteError> {
        let _hold = self.hold_ends(edge.source(), edge.target);
        match self.edge_to_change(edge) {
            Err(WriteError::EdgeDeleted(_)) if self.edge_deleted_by_author(edge) => Ok(false),
            Err(error) => Err(error),
            Ok((_, entry)) => {
                self.stamp_deleted(edge, entry);
                Ok(true)
            }
        }
    }

    fn edge_deleted_by_author(&self, edge: Edge) -> bool {
        let entry = self
            .slot(edge.source())
            .and_then(|slot| adjacency::find(&slot.outgoing, Key::outgoing(edge), self.guard));
        entry.is_some_and(|entry| self.author.standing(entry.deleted(self.guard)) == Standing::Mine)
    }

    fn stamp_deleted(&self, edge: Edge, outgoing: adjacency::Entry<'a>) {
        let incoming = self
            .slot(edge.target)
            .and_then(|slot| adjacency::find(&slot.incoming, Key::incoming(edge), self.guard));
        let incoming = incoming.expect("a live edge stands in the lists of both its ends");
        self.core.doubt_all_of_edge(edge, self.guard);
        let keeper = self.keeper();
        for (entry, (side, key)) in [outgoing, incoming].into_iter().zip(sides(edge)) {
            entry.set_deleted(self.author.stamp, side, key, &keeper);
        }
    }

    /// Deletes a vertex and its edges: all or nothing. Answers the edges, and the vertex's labels unless it was gone already.
    #[allow(clippy::type_complexity)]
    pub(crate) fn detach_delete_vertex(
        &self,
        id: VertexId,
    ) -> Result<Option<(Vec<Edge>, LabelSetId, Touch)>, WriteError> {
        // Edges lead to any shard; whoever detaches takes them all, in order.
        let mut hold = self.hold_all();
        let slot = match self.to_change(&mut hold, id) {
            Err(WriteError::VertexDeleted(_)) if self.deleted_by_author(id) => return Ok(None),
            found => found?.0,
        };
        self.uncontested_edges(id, &slot.outgoing)?;
        self.uncontested_edges(id, &slot.incoming)?;
        let live = |entry: adjacency::Entry<'a>| {
            let created = self.author.standing(entry.created(self.guard));
            let deleted = self.author.standing(entry.deleted(self.guard));
            matches!(created, Standing::Mine | Standing::Old) && deleted == Standing::Void
        };
        let mut edges = Vec::new();
        for outgoing in [true, false] {
            for (key, entry) in adjacency::entries(slot.list(outgoing), self.guard) {
                // A self loop stands in both lists.
                if live(entry) && (outgoing || key.neighbour() != id) {
                    edges.push(key.edge(id, outgoing));
                }
            }
        }
        let found: Vec<adjacency::Entry<'a>> = edges
            .iter()
            .map(|&edge| self.edge_to_change(edge).map(|(_, entry)| entry))
            .collect::<Result<_, _>>()?;
        for (&edge, entry) in edges.iter().zip(found) {
            self.stamp_deleted(edge, entry);
        }
        let deleted = self.delete_vertex_held(&mut hold, id)?;
        let (labels, touch) =
            deleted.expect("it was not deleted a moment ago, under the same tokens");
        Ok(Some((edges, labels, touch)))
    }

    /// New properties of an edge, made from the present ones by `change`.
    pub(crate) fn change_edge_properties(
        &self,
        edge: Edge,
        change: impl FnOnce(Properties<'_>, &mut Vec<u8>) -> bool,
    ) -> Result<Option<Touch>, WriteError> {
        let _hold = self.hold_vertex(edge.source());
        let (slot, _) = self.edge_to_change(edge)?;
        let head = self
            .known_edge_versions(slot, edge)
            .and_then(|versions| versions.load(self.guard));
        let mut bytes = Vec::new();
        if !change(
            head.map_or(Properties::default(), version::properties),
            &mut bytes,
        ) {
            return Ok(None);
        }
        let versions = self.edge_versions(slot, edge.id.ordinal());
        let stamp = head.map_or(NEVER, |head| head.header().stamp());
        let same_clause = stamp == self.author.stamp && in_flight(stamp).is_some();
        let previous = if same_clause {
            head.and_then(|h| h.header().previous.load(self.guard))
        } else {
            head
        };
        let heap = self.guard.heap();
        let old = versions.set(version::build(
            heap,
            self.author.stamp,
            previous,
            LabelSetId(0),
            false,
            &bytes,
        ));
        if let Some(old) = old.filter(|_| same_clause) {
            heap.retire_block(old);
        }
        let (before, after) = (
            head.map_or(Properties::default(), version::properties),
            Properties::trusted(&bytes),
        );
        self.core.reindex_edge(
            edge,
            |key| before.get(key),
            |key| after.get(key),
            self.guard,
        );
        Ok(Some(if self.author.standing(stamp) == Standing::Mine {
            Touch::Again
        } else {
            Touch::First
        }))
    }
}
