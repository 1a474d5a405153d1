//! Writes of edges' properties, in their records.

use super::Pen;
use super::edge::sides;
use crate::adjacency::Entry;
use crate::draft::Draft;
use crate::error::WriteError;
use crate::ids::VertexId;
use crate::memory::Link;
use crate::records::{NO_LABELS, RecordPage, place};
use crate::shard::Hold;
use crate::stamp::{SETTLED, Standing, in_flight};
use crate::state::{PropertiesRef, State};
use crate::value::Edge;
use crate::value::codec::Properties;
use crate::version;

impl<'a> Pen<'a> {
    fn record_page(&self, edge: Edge, record: u32) -> RecordPage<'a> {
        let records = self.graph().records_of(edge.source());
        let page = records.page(place(record).0, self.guard);
        page.expect("a record that stands in a list has its page")
    }

    /// A record for an edge that has none yet; the token of its source's shard is held.
    fn take_record(&self, hold: &mut Hold<'_>, edge: Edge) -> u32 {
        let graph = self.graph();
        let room = &mut hold.shard(graph.shard_of(edge.source())).records;
        let records = graph.records_of(edge.source());
        room.take(records, edge.type_, self.guard)
    }

    /// Whether `n` edges that start in the shard of `source` may get records.
    pub(super) fn room_for_records(
        &self,
        hold: &mut Hold<'_>,
        source: VertexId,
        n: usize,
    ) -> Result<(), WriteError> {
        let shard = hold.shard(self.graph().shard_of(source));
        if shard.records.has_room(n) {
            Ok(())
        } else {
            Err(WriteError::LimitExceeded(
                "relationships with properties that start in one shard",
            ))
        }
    }

    /// The record of an edge that is being created, unless it has no properties.
    pub(super) fn first_record(
        &self,
        hold: &mut Hold<'_>,
        edge: Edge,
        properties: Properties<'_>,
    ) -> Option<u32> {
        if properties.is_empty() {
            return None;
        }
        let record = self.take_record(hold, edge);
        self.push_record(edge, record, None, false, &Draft::of(properties));
        Some(record)
    }

    /// The newest state of an edge's record that counts, and how it stands to the author, as [`Pen::newest`] has it for a vertex.
    pub(super) fn newest_of_record(
        &self,
        edge: Edge,
        record: u32,
    ) -> Option<(State<'a>, Standing)> {
        loop {
            let page = self.record_page(edge, record);
            let newest = page.newest(place(record).1, self.guard)?;
            let standing = self.author.standing(newest.stamp());
            if standing != Standing::Void {
                return Some((newest, standing));
            }
            self.unlink_newest_of_record(edge, record);
        }
    }

    /// Unlinks the newest version of a record. One that has no state left goes back, when nobody can stand in the list where it was.
    pub(crate) fn unlink_newest_of_record(&self, edge: Edge, record: u32) {
        let (page, at) = (self.record_page(edge, record), place(record).1);
        let word = page.word(at);
        let Some(head) = word.load(self.guard) else {
            return;
        };
        self.core
            .doubt_edge(edge, |key| version::property(head, key), self.guard);
        if let Some(old) = word.splice(head.header().previous.load(self.guard)) {
            version::retire(old, self.guard.heap());
        }
        if word.is_null() {
            page.header().columns.unmark(at);
            if page.newest(at, self.guard).is_none() {
                let shard = self.graph().shard_of(edge.source());
                self.core.release_record(shard, record);
            }
        }
    }

    /// Puts a version in front of a record; of two in the same clause only the later stays.
    fn push_record(
        &self,
        edge: Edge,
        record: u32,
        newest: Option<State<'a>>,
        deleted: bool,
        properties: &Draft<'_>,
    ) {
        let (page, at) = (self.record_page(edge, record), place(record).1);
        let stamp = newest.map(|newest| newest.stamp());
        let same_clause =
            stamp == Some(self.author.stamp) && in_flight(self.author.stamp).is_some();
        let previous = match newest.and_then(|newest| newest.version()) {
            Some(head) if same_clause => head.header().previous.load(self.guard),
            head => head,
        };
        let heap = self.guard.heap();
        page.header().columns.mark(at);
        let old = page.word(at).set(version::build(
            heap,
            self.author.stamp,
            previous,
            NO_LABELS,
            deleted,
            properties,
        ));
        if let Some(old) = old.filter(|_| same_clause) {
            version::retire(old, heap);
        }
        if stamp.is_none_or(|stamp| self.author.standing(stamp) != Standing::Mine) {
            self.touched.borrow_mut().push((edge, record));
        }
    }

    /// The properties of an edge go with it.
    pub(super) fn delete_record(&self, edge: Edge, record: u32) {
        let newest = self
            .newest_of_record(edge, record)
            .map(|(newest, _)| newest);
        self.push_record(edge, record, newest, true, &Draft::default());
    }

    /// New properties of an edge, made from the present ones by `change`, if it makes any; whether it does.
    pub(crate) fn change_edge_properties<'d>(
        &self,
        edge: Edge,
        change: impl FnOnce(PropertiesRef<'a>) -> Option<Draft<'d>>,
    ) -> Result<bool, WriteError> {
        let mut hold = self.hold_vertex(edge.source());
        let (_, mut entry) = self.edge_to_change(edge)?;
        if entry.record(self.guard).is_none() {
            // Its number will stand on both sides.
            drop(hold);
            hold = self.hold_ends(edge.source(), edge.target);
            entry = self.edge_to_change(edge)?.1;
        }
        let newest = entry
            .record(self.guard)
            .and_then(|record| self.newest_of_record(edge, record))
            .map(|(newest, _)| newest);
        let properties = newest.map_or(PropertiesRef::default(), |newest| newest.properties());
        let Some(draft) = change(properties) else {
            return Ok(false);
        };
        match entry.record(self.guard) {
            Some(record) => self.push_record(edge, record, newest, false, &draft),
            None => {
                self.room_for_records(&mut hold, edge.source(), 1)?;
                self.add_record(&mut hold, edge, entry, &draft);
            }
        }
        self.core.reindex_edge(
            edge,
            |key| properties.get(key),
            |key| draft.get(key),
            self.guard,
        );
        Ok(true)
    }

    /// Gives an edge that exists its record: beneath the new properties stand none, since the edge came to be.
    fn add_record(
        &self,
        hold: &mut Hold<'_>,
        edge: Edge,
        outgoing: Entry<'a>,
        properties: &Draft<'_>,
    ) {
        let record = self.take_record(hold, edge);
        let created = outgoing.created(self.guard);
        // Another's creation is within the author's snapshot, and who does not see the edge does not ask for its properties.
        let stamp = match self.author.standing(created) {
            Standing::Mine => created,
            _ => SETTLED,
        };
        let (page, at) = (self.record_page(edge, record), place(record).1);
        page.header().columns.mark(at);
        let empty = Draft::default();
        let none = version::build(self.guard.heap(), stamp, None, NO_LABELS, false, &empty);
        let first = Link::owning(none);
        let base = first.load(self.guard);
        let version = version::build(
            self.guard.heap(),
            self.author.stamp,
            base,
            NO_LABELS,
            false,
            properties,
        );
        let before = page.word(at).set(version);
        debug_assert!(before.is_none(), "a record that was free has a version");
        self.touched.borrow_mut().push((edge, record));
        let keeper = self.keeper();
        let incoming = self.incoming_entry(edge);
        for (entry, (side, key)) in [outgoing, incoming].into_iter().zip(sides(edge)) {
            entry.set_record(Some(record), side, key, &keeper);
        }
    }
}
