//! Loading: an empty graph is built from the blocks of an image.
//!
//! Owned here: [`Loader`]. Called by `server` in recovery and where a replica takes over a snapshot, on one or more cores, before anybody reads.
//! Always holds: every id, length, label and key is checked before it is used; pages and lists are built as housekeeping would leave them,
//! settled and laid out; counts are those of what was loaded. After an error the graph holds part of an image and must not be used.
//! Left to others: that all blocks of a kind are loaded before those of the next (`server`), that none is missing (`log`).

use super::{BlockKind, ImageError};
use crate::adjacency::{self, Key, Settling};
use crate::apply::AppliedSetting;
use crate::core::Core;
use crate::delta::{Labels, NameKind};
use crate::draft::Draft;
use crate::ids::{
    CommitSeq, EdgeId, LabelId, LabelSetId, PAGE_SLOTS, PageId, ShardId, TypeId, VertexId,
};
use crate::memory::Guard;
use crate::records::{NO_LABELS, place};
use crate::shard::Hold;
use crate::stamp::SETTLED;
use crate::statistics::{End, EndKey, Tally};
use crate::value::Edge;
use crate::value::codec::{DecodeError, Properties, Reader};
use crate::version::{self, Record};
use std::sync::atomic::Ordering;

/// Loads blocks on one core. Blocks of one part go to one loader, in order.
pub struct Loader {
    core: Core,
    seq: CommitSeq,
    tally: Tally,
    /// The list that goes on in the next block, and whose it is.
    pending: Settling,
    pending_slot: Option<(VertexId, bool)>,
    settings: Vec<AppliedSetting>,
}

/// An error about the block at hand.
type Failure = Result<(), ImageError>;

impl Loader {
    /// For the image of a snapshot at commit `seq`.
    pub fn new(core: &Core, seq: CommitSeq) -> Loader {
        Loader {
            core: core.clone(),
            seq,
            tally: Tally::default(),
            pending: Settling::default(),
            pending_slot: None,
            settings: Vec::new(),
        }
    }

    /// Loads one block.
    ///
    /// # Errors
    /// The bytes are no block of this kind, or do not fit the blocks before.
    pub fn load(&mut self, kind: BlockKind, block: &[u8]) -> Failure {
        if kind != BlockKind::Outgoing && kind != BlockKind::Incoming {
            self.no_list_pends(kind)?;
        }
        let mut reader = Reader::new(block);
        match kind {
            BlockKind::Definitions | BlockKind::Schema => {
                let applied = self.core.apply(self.seq, block)?;
                self.settings.extend(applied);
                Ok(())
            }
            BlockKind::Vertices => self.vertices(&mut reader),
            BlockKind::Outgoing => self.lists(&mut reader, true),
            BlockKind::Incoming => self.lists(&mut reader, false),
            BlockKind::Allocation => self.allocation(&mut reader),
        }?;
        self.core.0.fold_noted(64);
        self.core.heap().collect(4096);
        Ok(())
    }

    /// All blocks of this loader have been loaded: counts are added up. The settings that the image carries.
    ///
    /// # Errors
    /// A list is cut off.
    pub fn finish(mut self) -> Result<Vec<AppliedSetting>, ImageError> {
        self.no_list_pends(BlockKind::Incoming)?;
        let numbers = &mut self.core.0.end_numbers.borrow_mut();
        let graph = self.core.graph();
        graph.counts[self.core.slot()]
            .0
            .add(&mut self.tally, numbers);
        Ok(self.settings)
    }

    fn no_list_pends(&self, kind: BlockKind) -> Failure {
        match self.pending_slot {
            None => Ok(()),
            Some((vertex, _)) => Err(unfit(kind, format!("the list of node {vertex} is cut off"))),
        }
    }

    fn label_set(
        &self,
        kind: BlockKind,
        reader: &mut Reader<'_>,
    ) -> Result<LabelSetId, ImageError> {
        let field = |source| ImageError::Field { kind, source };
        let count = reader.varint().map_err(field)?;
        let mut labels = Labels::new();
        for _ in 0..count {
            let label = LabelId(reader.varint32().map_err(field)?);
            if labels.last().is_some_and(|last| *last >= label) {
                return Err(field(reader.error("labels are not ascending")));
            }
            let names = self.core.graph().names();
            if names.name(NameKind::Label, label.0).is_none() {
                return Err(field(reader.error("a label without a name")));
            }
            labels.push(label);
        }
        let set = self.core.label_set(&labels);
        set.ok_or_else(|| unfit(kind, "too many combinations of labels".to_owned()))
    }

    fn page_id(kind: BlockKind, reader: &mut Reader<'_>) -> Result<PageId, ImageError> {
        let field = |source| ImageError::Field { kind, source };
        let page = PageId(reader.varint32().map_err(field)?);
        match page.0 < PageId::LIMIT {
            true => Ok(page),
            false => Err(field(reader.error("a page number out of range"))),
        }
    }

    fn slot(kind: BlockKind, reader: &mut Reader<'_>) -> Result<usize, ImageError> {
        let field = |source| ImageError::Field { kind, source };
        match reader.varint().map_err(field)? {
            slot if slot < PAGE_SLOTS as u64 => Ok(slot as usize),
            _ => Err(field(reader.error("a slot out of range"))),
        }
    }

    fn properties<'b>(
        &self,
        kind: BlockKind,
        reader: &mut Reader<'b>,
    ) -> Result<Properties<'b>, ImageError> {
        let field = |source| ImageError::Field { kind, source };
        let bytes = reader.prefixed().map_err(field)?;
        let properties = Properties::check(bytes, false).map_err(field)?;
        let names = self.core.graph().names();
        for (key, _) in properties.raw() {
            if names.name(NameKind::Key, key.0).is_none() {
                return Err(field(reader.error("a property key without a name")));
            }
        }
        Ok(properties)
    }

    fn vertices(&mut self, reader: &mut Reader<'_>) -> Failure {
        let kind = BlockKind::Vertices;
        let field = |source: DecodeError| ImageError::Field { kind, source };
        let id = Self::page_id(kind, reader)?;
        let used = reader.varint().map_err(field)?;
        if used > PAGE_SLOTS as u64 {
            return Err(field(reader.error("more slots than a page has")));
        }
        let home = self.label_set(kind, reader)?;
        let sets = reader.varint().map_err(field)?;
        if sets > PAGE_SLOTS as u64 {
            return Err(field(reader.error("more label sets than a page has slots")));
        }
        let sets = (0..sets).map(|_| self.label_set(kind, reader));
        let sets: Vec<LabelSetId> = sets.collect::<Result<_, _>>()?;
        let graph = self.core.graph().clone();
        let guard = self.core.heap().enter();
        let shard = id.shard(graph.shard_count());
        let mut hold = Hold::take(&graph.shards, self.core.number(), [shard]);
        while !reader.is_empty() {
            let at = Self::slot(kind, reader)?;
            if at as u64 >= used {
                return Err(field(reader.error("a slot that was never given out")));
            }
            let number = reader.varint().map_err(field)? as usize;
            let set = *sets
                .get(number)
                .ok_or_else(|| field(reader.error("an unknown label set")))?;
            let ordinal = reader.varint32().map_err(field)?;
            let properties = self.properties(kind, reader)?;
            let vertex = VertexId::new(id, at);
            let page = graph.directory.page(id, &guard);
            if page.is_some_and(|page| page.newest(at, &guard).is_some()) {
                return Err(unfit(kind, format!("node {vertex} stands there twice")));
            }
            let state = hold.shard(shard);
            let slot = state.slot_of(&graph, vertex, home, &guard);
            let labels = graph.label_sets.labels(set);
            if set != home {
                state.list_for(&graph, id, labels, &guard);
            }
            let draft = Draft::of(properties);
            let heap = guard.heap();
            let none = slot
                .recent
                .set(version::build(heap, SETTLED, None, set, false, &draft));
            debug_assert!(none.is_none(), "the slot was looked at");
            let page = graph
                .directory
                .page(id, &guard)
                .expect("a slot of it was taken");
            page.header().columns.mark(at);
            page.ordinals(at).store(ordinal, Ordering::Relaxed);
            self.tally.vertex(labels, 1);
        }
        let Some(page) = graph.directory.page(id, &guard) else {
            return Ok(());
        };
        page.header().used.fetch_max(used as u32, Ordering::Release);
        drop(hold);
        self.core.0.fold_page(id, &guard);
        Ok(())
    }

    fn lists(&mut self, reader: &mut Reader<'_>, outgoing: bool) -> Failure {
        let kind = match outgoing {
            true => BlockKind::Outgoing,
            false => BlockKind::Incoming,
        };
        let field = |source: DecodeError| ImageError::Field { kind, source };
        let id = Self::page_id(kind, reader)?;
        let graph = self.core.graph().clone();
        let core = self.core.clone();
        let guard = core.heap().enter();
        let shard = id.shard(graph.shard_count());
        let Some(page) = graph.directory.page(id, &guard) else {
            return Err(unfit(
                kind,
                format!("edges of page {}, which has no nodes", id.0),
            ));
        };
        let mut hold = Hold::take(&graph.shards, self.core.number(), [shard]);
        while !reader.is_empty() {
            let at = Self::slot(kind, reader)?;
            let vertex = VertexId::new(id, at);
            let goes_on = reader.u8().map_err(field)? != 0;
            match self.pending_slot {
                Some(pending) if pending != (vertex, outgoing) => self.no_list_pends(kind)?,
                Some(_) => {}
                None if page.items()[at].list(outgoing).load(&guard).is_some() => {
                    return Err(unfit(kind, format!("a second list of node {vertex}")));
                }
                None => {}
            }
            let Some(labels) = page.newest(at, &guard).map(|state| state.label_set()) else {
                return Err(unfit(
                    kind,
                    format!("edges of node {vertex}, which is not there"),
                ));
            };
            let runs = reader.varint().map_err(field)?;
            for _ in 0..runs {
                self.run(reader, (vertex, labels), outgoing, &mut hold, &guard)?;
            }
            self.pending_slot = goes_on.then_some((vertex, outgoing));
            if !goes_on {
                let list = page.items()[at].list(outgoing);
                if !self.pending.is_ordered() {
                    return Err(unfit(
                        kind,
                        format!("the edges of node {vertex} are in no order"),
                    ));
                }
                if outgoing && let Some(most) = self.pending.greatest_ordinal() {
                    page.ordinals(at).fetch_max(most + 1, Ordering::Relaxed);
                }
                self.pending.settle(list, &guard);
            }
        }
        drop(hold);
        adjacency::lay_out(&graph, id, outgoing, self.core.number(), &guard);
        Ok(())
    }

    fn run(
        &mut self,
        reader: &mut Reader<'_>,
        (vertex, labels): (VertexId, LabelSetId),
        outgoing: bool,
        hold: &mut Hold<'_>,
        guard: &Guard<'_>,
    ) -> Failure {
        let kind = match outgoing {
            true => BlockKind::Outgoing,
            false => BlockKind::Incoming,
        };
        let field = |source: DecodeError| ImageError::Field { kind, source };
        let graph = self.core.graph().clone();
        let type_ = TypeId(reader.varint32().map_err(field)?);
        if graph.names().name(NameKind::Type, type_.0).is_none() {
            return Err(field(reader.error("a type without a name")));
        }
        let upper = reader.varint().map_err(field)?;
        let count = reader.varint().map_err(field)? as usize;
        if upper > VertexId::MAX.0 >> 32 || count == 0 {
            return Err(field(reader.error("a run out of range")));
        }
        let bytes = count.checked_mul(4);
        let bytes = bytes.ok_or_else(|| field(reader.error("a run out of range")))?;
        let lows = reader.take(bytes).map_err(field)?;
        let width = usize::from(reader.u8().map_err(field)?);
        if ![1, 2, 4].contains(&width) {
            return Err(field(reader.error("ordinals of an unknown width")));
        }
        // `count` entries have taken four bytes each by now.
        let ordinals = reader.take(count * width).map_err(field)?;
        let has_properties = reader.u8().map_err(field)? != 0;
        let bits: &[u8] = match has_properties && !outgoing {
            true => reader.take(count.div_ceil(8)).map_err(field)?,
            false => &[],
        };
        let entries = lows.chunks_exact(4).zip(ordinals.chunks_exact(width));
        for (n, (low, ordinal)) in entries.enumerate() {
            let low = u32::from_le_bytes(low.try_into().expect("four bytes"));
            let neighbour = VertexId(upper << 32 | u64::from(low));
            let mut bytes = [0; 4];
            bytes[..width].copy_from_slice(ordinal);
            let ordinal = u32::from_le_bytes(bytes);
            if ordinal >= EdgeId::ORDINALS {
                return Err(field(reader.error("an ordinal out of range")));
            }
            let key = Key::new(type_, neighbour, ordinal);
            let record = if outgoing && has_properties {
                let properties = self.properties(kind, reader)?;
                self.new_record(key.edge(vertex, true), properties, hold, guard)?
            } else if bits.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1) {
                Some(self.record_of(key.edge(vertex, false), guard)?)
            } else {
                None
            };
            self.pending.push(key, record);
        }
        if outgoing {
            self.tally.edges_of_type(type_, count as i64);
        }
        let end = match outgoing {
            true => End::Source,
            false => End::Target,
        };
        self.tally
            .end(EndKey::new(labels, type_, end), count as i64);
        Ok(())
    }

    /// A record with these properties, if there are any.
    fn new_record(
        &self,
        edge: Edge,
        properties: Properties<'_>,
        hold: &mut Hold<'_>,
        guard: &Guard<'_>,
    ) -> Result<Option<u32>, ImageError> {
        if properties.is_empty() {
            return Ok(None);
        }
        let graph = self.core.graph();
        let room = &mut hold.shard(graph.shard_of(edge.source())).records;
        if !room.has_room(1) {
            let reason = "more relationships with properties than a shard has room for";
            return Err(unfit(BlockKind::Outgoing, reason.to_owned()));
        }
        let records = graph.records_of(edge.source());
        let record = room.take(records, edge.type_, guard);
        let (number, at) = place(record);
        let page = records
            .page(number, guard)
            .expect("a record was taken from it");
        let draft = Draft::of(properties);
        page.header().columns.mark(at);
        let heap = guard.heap();
        let first = version::build(heap, SETTLED, None, NO_LABELS, false, &draft);
        let none = page.word(at).set(first);
        debug_assert!(none.is_none(), "a record that was free has a version");
        self.core
            .0
            .fold_later(CommitSeq(0), crate::settle::Write::Record(edge, record));
        Ok(Some(record))
    }

    /// The record of an edge that its source's list has.
    fn record_of(&self, edge: Edge, guard: &Guard<'_>) -> Result<u32, ImageError> {
        let slot = self.core.graph().slot(edge.source(), guard);
        let entry = slot.and_then(|slot| {
            adjacency::find_where(&slot.outgoing, Key::outgoing(edge), guard, |_| true)
        });
        entry.and_then(|entry| entry.record(guard)).ok_or_else(|| {
            let reason = format!("relationship {} has no properties at its source", edge.id);
            unfit(BlockKind::Incoming, reason)
        })
    }

    fn allocation(&self, reader: &mut Reader<'_>) -> Failure {
        let kind = BlockKind::Allocation;
        let next = reader.varint32();
        let next = next.map_err(|source| ImageError::Field { kind, source })?;
        let graph = self.core.graph();
        let shards = graph.shard_count();
        for shard in (0..shards).map(ShardId) {
            let mut hold = Hold::take(&graph.shards, self.core.number(), [shard]);
            hold.shard(shard).give_pages_from(graph, next);
        }
        Ok(())
    }
}

fn unfit(kind: BlockKind, reason: String) -> ImageError {
    ImageError::Unfit { kind, reason }
}
