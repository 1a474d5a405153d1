//! Writes of edges: creation, deletion, properties, and vertices with all their edges.

use super::Pen;
use super::vertex::Touch;
use crate::adjacency::{
    self, Keeper, Key, LISTS_AHEAD, Ordinals, SLOTS_AHEAD, Side, Source, TAILS_AHEAD,
};
use crate::error::{Entity, WriteError};
use crate::ids::{EdgeId, LabelSetId, ShardId, TypeId, VertexId};
use crate::memory::{MemoryOwner, prefetch};
use crate::mutants::Mutant;
use crate::page::Slot;
use crate::shard::Hold;
use crate::stamp::{NEVER, Standing};
use crate::state::State;
use crate::statistics::EndKey;
use crate::txn::NewEdge;
use crate::value::Edge;
use crate::value::codec::Properties;
use crate::version::Record;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU32, Ordering};

const TOO_MANY: WriteError = WriteError::LimitExceeded("2^28 relationships start at one node");

/// Where an edge stands: in the list of its source, and in that of its target.
pub(super) fn sides(edge: Edge) -> [(Side, Key); 2] {
    let side = |vertex, outgoing| Side { vertex, outgoing };
    [
        (side(edge.source(), true), Key::outgoing(edge)),
        (side(edge.target, false), Key::incoming(edge)),
    ]
}

/// An end of a new edge, on which its author has the shared right.
#[derive(Clone, Copy)]
struct End<'a> {
    slot: &'a Slot,
    /// The ordinal of the next edge that starts there.
    ordinals: &'a AtomicU32,
    /// Its newest labels.
    labels: LabelSetId,
}

impl<'a> Pen<'a> {
    pub(super) fn hold_ends(&self, source: VertexId, target: VertexId) -> Hold<'a> {
        self.hold([self.graph().shard_of(source), self.graph().shard_of(target)])
    }

    /// The shared right on an end: it exists for the author, and no deletion of it is in flight or newer than the snapshot.
    fn end(&self, hold: &mut Hold<'_>, vertex: VertexId) -> Result<End<'a>, WriteError> {
        let page = self.page(vertex).ok_or(WriteError::VertexDeleted(vertex))?;
        let labels = match page.newest(vertex.slot(), self.guard) {
            Some(state @ State::Settled(_)) => state.label_set(),
            _ => self.labels_of_contended_end(hold, vertex)?,
        };
        Ok(End {
            slot: &page.items()[vertex.slot()],
            ordinals: page.ordinals(vertex.slot()),
            labels,
        })
    }

    /// The labels of an end that not everyone sees alike, if [`Pen::end`] may give it.
    fn labels_of_contended_end(
        &self,
        hold: &mut Hold<'_>,
        vertex: VertexId,
    ) -> Result<LabelSetId, WriteError> {
        let (newest, standing) = self
            .newest(hold, vertex)
            .ok_or(WriteError::VertexDeleted(vertex))?;
        if matches!(standing, Standing::Mine | Standing::Old) && !newest.is_deleted() {
            return Ok(newest.label_set());
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
        if newest.is_deleted() && !Mutant::NoSharedRight.is_on() {
            return Err(match standing {
                Standing::Contested => conflict,
                _ => WriteError::VertexDeleted(vertex),
            });
        }
        Ok(newest.label_set())
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
        let (from, to) = (self.end(&mut hold, source)?, self.end(&mut hold, target)?);
        self.room_for_ordinals(&mut hold, (source, from), 1, || 1)?;
        if !properties.is_empty() {
            self.room_for_records(&mut hold, source, 1)?;
        }
        let edge = Edge {
            id: self.next_edge(&mut hold, (source, from)),
            target,
            type_,
        };
        self.link_edge(&mut hold, (from, to), edge, properties, &self.keeper());
        let ends = EndKey::both(from.labels, to.labels, type_);
        self.tally.borrow_mut().edge(type_, ends, 1);
        Ok(edge)
    }

    /// New edges, all or none; their tokens are taken once. `properties` are those of the edge of a number.
    pub(crate) fn create_edges<'p>(
        &self,
        new: &[NewEdge<'_>],
        properties: impl Fn(usize) -> Properties<'p>,
    ) -> Result<Vec<Edge>, WriteError> {
        let mut hold = self.hold(self.shards_of_ends(new));
        let ends = self.ends_of_batch(&mut hold, new)?;
        let keeper = self.keeper();
        let mut made = Vec::with_capacity(new.len());
        for (at, edge) in new.iter().enumerate() {
            // Slots have been read for the checks, and may be gone again.
            if let Some([from, to]) = ends.get(at + SLOTS_AHEAD) {
                from.slot.prefetch();
                to.slot.prefetch();
                prefetch(from.ordinals);
            }
            if let Some([from, to]) = ends.get(at + LISTS_AHEAD) {
                from.slot.outgoing.prefetch(2);
                to.slot.incoming.prefetch(2);
            }
            if let Some([from, to]) = ends.get(at + TAILS_AHEAD) {
                adjacency::prefetch_recent(&from.slot.outgoing, self.guard);
                adjacency::prefetch_recent(&to.slot.incoming, self.guard);
            }
            let [from, to] = ends[at];
            let edge = Edge {
                id: self.next_edge(&mut hold, (edge.source, from)),
                target: edge.target,
                type_: edge.type_,
            };
            self.link_edge(&mut hold, (from, to), edge, properties(at), &keeper);
            made.push(edge);
        }
        let tally = &mut *self.tally.borrow_mut();
        let alike = |at: usize| {
            let [from, to] = ends[at];
            (from.labels, to.labels, new[at].type_)
        };
        let mut at = 0;
        while at < new.len() {
            let (source, target, type_) = alike(at);
            let next = (at + 1..new.len()).find(|&next| alike(next) != alike(at));
            let next = next.unwrap_or(new.len());
            let ends = EndKey::both(source, target, type_);
            tally.edge(type_, ends, (next - at) as i64);
            at = next;
        }
        Ok(made)
    }

    /// The shards of both ends of new edges, each once.
    fn shards_of_ends(&self, new: &[NewEdge<'_>]) -> SmallVec<[ShardId; 8]> {
        let graph = self.graph();
        let mut shards = SmallVec::new();
        for edge in new {
            if shards.len() == usize::from(graph.shard_count()) {
                break;
            }
            for shard in [edge.source, edge.target].map(|vertex| graph.shard_of(vertex)) {
                if !shards.contains(&shard) {
                    shards.push(shard);
                }
            }
        }
        shards
    }

    /// The rights on the ends of all new edges, source and target of each, and room for the edges there.
    fn ends_of_batch(
        &self,
        hold: &mut Hold<'_>,
        new: &[NewEdge<'_>],
    ) -> Result<Vec<[End<'a>; 2]>, WriteError> {
        let mut ends = Vec::with_capacity(new.len());
        for (at, edge) in new.iter().enumerate() {
            if let Some(far) = new.get(at + SLOTS_AHEAD) {
                self.graph().prefetch_slot(far.source, self.guard);
                self.graph().prefetch_slot(far.target, self.guard);
            }
            let to = self.end(hold, edge.target)?;
            let from = self.end(hold, edge.source)?;
            if !edge.properties.is_empty() {
                self.room_for_records(hold, edge.source, new.len())?;
            }
            let from_here = || {
                new.iter()
                    .filter(|other| other.source == edge.source)
                    .count()
            };
            self.room_for_ordinals(hold, (edge.source, from), new.len(), from_here)?;
            ends.push([from, to]);
        }
        Ok(ends)
    }

    /// Sees to it that `most` edges may start at a vertex, or if there is no room for so many, exactly as many as `needed` says.
    #[inline]
    fn room_for_ordinals(
        &self,
        hold: &mut Hold<'_>,
        (id, end): (VertexId, End<'a>),
        most: usize,
        needed: impl FnOnce() -> usize,
    ) -> Result<(), WriteError> {
        let source = self.source_of_ordinals(end);
        if source.are_plenty(most) {
            return Ok(());
        }
        let has_room = self.with_ordinals(hold, id, |ordinals| {
            ordinals.available(source) >= most || ordinals.ensure(needed(), source)
        });
        if has_room { Ok(()) } else { Err(TOO_MANY) }
    }

    /// The id of an edge that starts at a vertex, which is linked at once; there is room for it.
    #[inline]
    fn next_edge(&self, hold: &mut Hold<'_>, (id, end): (VertexId, End<'a>)) -> EdgeId {
        let source = self.source_of_ordinals(end);
        let ordinal = match source.next_of_plenty() {
            Some(ordinal) => ordinal,
            None => self
                .with_ordinals(hold, id, |ordinals| ordinals.next(source))
                .expect("room was made for it"),
        };
        EdgeId::new(id, ordinal)
    }

    #[inline]
    fn source_of_ordinals(&self, end: End<'a>) -> Source<'a> {
        Source {
            list: &end.slot.outgoing,
            counter: end.ordinals,
            limit: self.graph().ordinals(),
            guard: self.guard,
        }
    }

    /// Works with what is known of the free ordinals of a vertex.
    #[cold]
    fn with_ordinals<R>(
        &self,
        hold: &mut Hold<'_>,
        id: VertexId,
        work: impl FnOnce(&mut Ordinals) -> R,
    ) -> R {
        let shard = hold.shard(self.graph().shard_of(id));
        let ordinals = shard.ordinals.entry(id).or_default();
        let before = ordinals.bytes() as i64;
        let result = work(ordinals);
        let more = ordinals.bytes() as i64 - before;
        self.guard.heap().count(MemoryOwner::Adjacency, more);
        result
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
        // The main gives an ordinal again when nobody there sees the dead edge; a reader here may.
        let live = |entry: &adjacency::Entry<'_>| entry.deleted(self.guard) == NEVER;
        if adjacency::find_where(&from.slot.outgoing, Key::outgoing(edge), self.guard, live)
            .is_some()
        {
            return Err("an edge is created twice");
        }
        if !properties.is_empty() {
            let room = self.room_for_records(&mut hold, edge.source(), 1);
            room.map_err(|_| "no record is left for the properties of an edge")?;
        }
        let ordinal = edge.id.ordinal();
        from.ordinals.fetch_max(ordinal + 1, Ordering::Relaxed);
        hold.shard(self.graph().shard_of(edge.source()))
            .forget_ordinals(edge.source(), self.guard.heap());
        self.link_edge(&mut hold, (from, to), edge, properties, &self.keeper());
        let ends = EndKey::both(from.labels, to.labels, edge.type_);
        self.tally.borrow_mut().edge(edge.type_, ends, 1);
        Ok(())
    }

    fn link_edge(
        &self,
        hold: &mut Hold<'_>,
        (from, to): (End<'a>, End<'a>),
        edge: Edge,
        properties: Properties<'_>,
        keeper: &Keeper<'_>,
    ) {
        let stamp = self.author.stamp;
        let record = self.first_record(hold, edge, properties);
        let lists = [&from.slot.outgoing, &to.slot.incoming];
        for (list, (side, key)) in lists.into_iter().zip(sides(edge)) {
            if side.outgoing || !Mutant::EdgeOnOneSide.is_on() {
                adjacency::insert(list, side, key, stamp, record, keeper);
            }
        }
        self.core
            .index_edge(edge, |key| properties.get(key), self.guard);
    }

    /// The entry of an edge at its source, for an author who wants to change or delete it: live, and nobody else's.
    pub(super) fn edge_to_change(
        &self,
        edge: Edge,
    ) -> Result<(&'a Slot, adjacency::Entry<'a>), WriteError> {
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
        let newest = entry
            .record(self.guard)
            .and_then(|record| self.newest_of_record(edge, record));
        if newest.is_some_and(|(_, standing)| standing == Standing::Contested) {
            return Err(conflict);
        }
        Ok((slot, entry))
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

    /// The entry of a live edge at its target.
    pub(super) fn incoming_entry(&self, edge: Edge) -> adjacency::Entry<'a> {
        let entry = self
            .slot(edge.target)
            .and_then(|slot| adjacency::find(&slot.incoming, Key::incoming(edge), self.guard));
        entry.expect("a live edge stands in the lists of both its ends")
    }

    fn stamp_deleted(&self, edge: Edge, outgoing: adjacency::Entry<'a>) {
        self.core.doubt_all_of_edge(edge, self.guard);
        let labels = |vertex: VertexId| {
            let mut states = self.graph().states(vertex, self.guard);
            let newest = states.find(|s| self.author.standing(s.stamp()) != Standing::Void);
            newest.map_or(LabelSetId(0), |newest| newest.label_set())
        };
        let ends = EndKey::both(labels(edge.source()), labels(edge.target), edge.type_);
        self.tally.borrow_mut().edge(edge.type_, ends, -1);
        if let Some(record) = outgoing.record(self.guard) {
            self.delete_record(edge, record);
        }
        let incoming = self.incoming_entry(edge);
        let keeper = self.keeper();
        for (entry, (side, key)) in [outgoing, incoming].into_iter().zip(sides(edge)) {
            if side.outgoing || !Mutant::DeletedOnOneSide.is_on() {
                entry.set_deleted(self.author.stamp, side, key, &keeper);
            }
        }
    }

    /// The live edges of a vertex, each once, if nobody contests any; reads as everyone does, so no token need be held.
    pub(crate) fn edges_of(&self, id: VertexId) -> Result<Vec<Edge>, WriteError> {
        let mut edges = Vec::new();
        let Some(slot) = self.slot(id) else {
            return Ok(edges);
        };
        for outgoing in [true, false] {
            for (key, entry) in adjacency::entries(slot.list(outgoing), self.guard) {
                // A self loop stands in both lists.
                if self.uncontested(id, entry)? && (outgoing || key.neighbour() != id) {
                    edges.push(key.edge(id, outgoing));
                }
            }
        }
        Ok(edges)
    }

    /// How many edges would go with a vertex that its author may delete, if nobody contests any; `None` if the author has deleted it already.
    pub(crate) fn edges_to_detach(&self, id: VertexId) -> Result<Option<usize>, WriteError> {
        match self.to_change(&mut self.hold_vertex(id), id) {
            Err(WriteError::VertexDeleted(_)) if self.deleted_by_author(id) => return Ok(None),
            found => drop(found?),
        }
        Ok(Some(self.edges_of(id)?.len()))
    }

    /// Deletes a vertex before its edges: from here on nobody makes another at it, so those that it has ([`Pen::edges_of`], asked after
    /// this) can be deleted one after the other, with others getting their turn in between. Its author's transaction deletes all of them
    /// ([`Pen::detach_edges`]), or is undone. Answers the vertex's labels.
    pub(crate) fn begin_detach(&self, id: VertexId) -> Result<(LabelSetId, Touch), WriteError> {
        let mut hold = self.hold_vertex(id);
        let (slot, newest) = self.to_change(&mut hold, id)?;
        Ok(self.push_deleted(&mut hold, (id, slot), newest))
    }

    /// Deletes some edges of one vertex, which their author has deleted; `gone` gets each that is done, also where a conflict ends it.
    pub(crate) fn detach_edges(
        &self,
        edges: &[Edge],
        gone: &mut Vec<Edge>,
    ) -> Result<(), WriteError> {
        let graph = self.graph();
        let mut shards: SmallVec<[ShardId; 8]> = SmallVec::new();
        for shard in edges
            .iter()
            .flat_map(|edge| [edge.source(), edge.target])
            .map(|vertex| graph.shard_of(vertex))
        {
            if !shards.contains(&shard) {
                shards.push(shard);
            }
        }
        let mut hold = self.hold(shards);
        for (at, &edge) in edges.iter().enumerate() {
            let ahead = |n: usize| edges.get(at + n).into_iter().flat_map(|&edge| sides(edge));
            ahead(SLOTS_AHEAD).for_each(|(side, _)| graph.prefetch_slot(side.vertex, self.guard));
            ahead(LISTS_AHEAD).for_each(|(side, _)| graph.prefetch_list(side, self.guard));
            let (_, entry) = self.edge_to_change(edge)?;
            self.stamp_deleted(edge, entry);
            hold.count_parts(2);
            gone.push(edge);
        }
        Ok(())
    }
}
