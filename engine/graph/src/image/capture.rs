//! Capturing: a snapshot read out page by page, in steps.
//!
//! Owned here: [`Capture`], one part of an image. Called by `server`, on each core for some shards.
//! Always holds: between two steps nothing of the graph is held but the snapshot, which the caller holds; a step writes one block of about
//! [`BLOCK_BYTES`](super) or looks at one page. A list is read in one go, whatever its length, and written in pieces.
//! Left to others: the snapshot (`txn`), where blocks go.

use super::{BLOCK_BYTES, BlockKind, PIECE_ENTRIES};
use crate::adjacency::{Key, Walk};
use crate::delta::{DeltaWriter, NameKind};
use crate::ids::{LabelSetId, PageId, ShardId};
use crate::schema::ItemKind;
use crate::state::PropertiesRef;
use crate::value::codec::{encode_ref, put_varint};
use crate::version::Record;
use crate::view::View;
use std::sync::atomic::Ordering;

/// An entry of a list on its way into a block.
#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    record: Option<u32>,
}

/// One part of an image: the shards of one core. The first part also has what belongs to no shard.
pub struct Capture {
    pages: Vec<PageId>,
    kind: BlockKind,
    /// The page at hand, and where in it.
    page: usize,
    slot: usize,
    is_first: bool,
    /// Settings as they stand at the snapshot.
    settings: Vec<(String, Vec<u8>)>,
    /// What is left of the list at hand, last entries first taken from `next_entry`.
    entries: Vec<Entry>,
    next_entry: usize,
    scratch: Vec<u8>,
    is_done: bool,
}

impl Capture {
    /// Of the shards that `is_part` names, as `view` sees them. The part for which `settings` is given is the first: it also has names,
    /// schema and allocation. All parts together name each shard once; every view of one image is of one snapshot.
    pub fn new(
        view: &View<'_>,
        is_part: impl Fn(ShardId) -> bool,
        settings: Option<Vec<(String, Vec<u8>)>>,
    ) -> Capture {
        let graph = view.graph();
        let mut pages: Vec<PageId> = view.pages(None);
        pages.retain(|page| is_part(page.shard(graph.shard_count())));
        pages.sort_unstable();
        Capture {
            pages,
            kind: BlockKind::Definitions,
            page: 0,
            slot: 0,
            is_first: settings.is_some(),
            settings: settings.unwrap_or_default(),
            entries: Vec::new(),
            next_entry: 0,
            scratch: Vec::new(),
            is_done: false,
        }
    }

    /// How much is done, from 0 to 1, roughly.
    pub fn progress(&self) -> f64 {
        let round = match self.kind {
            _ if self.is_done => return 1.0,
            BlockKind::Definitions => return 0.0,
            BlockKind::Vertices => 0.0,
            BlockKind::Outgoing => 1.0,
            BlockKind::Incoming => 2.0,
            BlockKind::Schema | BlockKind::Allocation => return 1.0,
        };
        let within = self.page as f64 / self.pages.len().max(1) as f64;
        (round + within) / 3.0
    }

    /// Does one step; `None` at the end. The bytes that it appends to `out`, which is empty, are a block of that kind; none: no block.
    pub fn step(&mut self, view: &View<'_>, out: &mut Vec<u8>) -> Option<BlockKind> {
        if self.is_done {
            return None;
        }
        let kind = self.kind;
        match kind {
            BlockKind::Definitions => {
                if self.is_first {
                    definitions(view, out);
                }
                self.kind = BlockKind::Vertices;
            }
            BlockKind::Vertices => {
                if !self.pages.is_empty() {
                    self.vertices(view, out);
                }
                self.end_round(BlockKind::Outgoing);
            }
            BlockKind::Outgoing | BlockKind::Incoming => {
                let outgoing = kind == BlockKind::Outgoing;
                if !self.pages.is_empty() {
                    self.lists(view, outgoing, out);
                }
                self.end_round(match outgoing {
                    true => BlockKind::Incoming,
                    false => BlockKind::Schema,
                });
            }
            BlockKind::Schema => {
                if self.is_first {
                    self.schema(view, out);
                }
                self.kind = BlockKind::Allocation;
            }
            BlockKind::Allocation => {
                if self.is_first {
                    // Pages given out after the snapshot are given again by the log, if it names them.
                    put_varint(out, u64::from(next_page(view)));
                }
                self.is_done = true;
            }
        }
        Some(kind)
    }

    fn end_round(&mut self, next: BlockKind) {
        if self.page == self.pages.len() {
            (self.page, self.slot) = (0, 0);
            self.kind = next;
        }
    }

    fn end_page(&mut self) {
        (self.page, self.slot) = (self.page + 1, 0);
    }

    fn vertices(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let id = self.pages[self.page];
        let graph = view.graph();
        // A page goes only when no snapshot sees any vertex of it.
        let (Some(page), Some(seen)) = (graph.directory.page(id, view.guard()), view.page(id))
        else {
            return self.end_page();
        };
        let selection = seen.select(None);
        let mut sets: Vec<LabelSetId> = Vec::new();
        let body = &mut self.scratch;
        body.clear();
        let mut next = None;
        for at in selection.slots().filter(|at| *at >= self.slot) {
            if body.len() >= BLOCK_BYTES {
                next = Some(at);
                break;
            }
            let Some(state) = view.state(seen.vertex_id(at)) else {
                continue;
            };
            let set = state.label_set();
            let number = sets.iter().position(|other| *other == set);
            let number = number.unwrap_or_else(|| {
                sets.push(set);
                sets.len() - 1
            });
            put_varint(body, at as u64);
            put_varint(body, number as u64);
            // Ordinals given after the snapshot are left out: at most some are.
            put_varint(body, page.ordinals(at).load(Ordering::Relaxed).into());
            put_properties(state.properties(), body);
        }
        if !body.is_empty() {
            put_varint(out, u64::from(id.0));
            let used = page.header().used.load(Ordering::Acquire);
            put_varint(out, u64::from(used));
            put_labels(view, page.header().labels, out);
            put_varint(out, sets.len() as u64);
            for set in sets {
                put_labels(view, set, out);
            }
            out.extend_from_slice(body);
        }
        match next {
            Some(at) => self.slot = at,
            None => self.end_page(),
        }
    }

    fn lists(&mut self, view: &View<'_>, outgoing: bool, out: &mut Vec<u8>) {
        let id = self.pages[self.page];
        let (Some(page), Some(seen)) =
            (view.graph().directory.page(id, view.guard()), view.page(id))
        else {
            return self.end_page();
        };
        let selection = seen.select(None);
        let first = self.slot;
        for at in selection.slots().filter(|at| *at >= first) {
            self.slot = at;
            if out.len() >= BLOCK_BYTES {
                return;
            }
            if self.next_entry == self.entries.len() {
                self.read_list(view, &page.items()[at], outgoing);
            }
            while self.next_entry < self.entries.len() {
                if out.len() >= BLOCK_BYTES {
                    return;
                }
                if out.is_empty() {
                    put_varint(out, u64::from(id.0));
                }
                let from = self.next_entry;
                let to = self.entries.len().min(from + PIECE_ENTRIES);
                put_varint(out, at as u64);
                out.push(u8::from(to < self.entries.len()));
                put_piece(
                    view,
                    seen.vertex_id(at),
                    &self.entries[from..to],
                    outgoing,
                    out,
                );
                self.next_entry = to;
            }
            self.entries.clear();
            self.next_entry = 0;
            self.slot = at + 1;
        }
        self.end_page();
    }

    fn read_list(&mut self, view: &View<'_>, slot: &crate::page::Slot, outgoing: bool) {
        self.entries.clear();
        self.next_entry = 0;
        let list = slot.list(outgoing);
        let walk = Walk::new(Some(list), *view.sight(), &[], None, view.guard());
        self.entries.extend(walk.map(|hop| Entry {
            key: hop.key,
            record: hop.record(),
        }));
        // What is recent stands behind what is settled.
        if !self.entries.is_sorted_by_key(|entry| entry.key) {
            self.entries.sort_unstable_by_key(|entry| entry.key);
        }
    }

    fn schema(&self, view: &View<'_>, out: &mut Vec<u8>) {
        let mut writer = DeltaWriter::new(out);
        let snapshot = view.sight().snapshot;
        for item in view.graph().listed() {
            // What was made later the log makes; what was dropped since is not missed, nor by the log.
            if item.since().is_none_or(|since| since > snapshot) {
                continue;
            }
            let name = item.name.as_deref();
            match &item.kind {
                ItemKind::Index(index) => writer.create_index(&index.definition, name),
                ItemKind::Constraint(constraint) => {
                    writer.create_constraint(&constraint.definition, name)
                }
            }
        }
        for (name, value) in &self.settings {
            writer.setting(name, value);
        }
    }
}

/// One more than the largest page number that has been given out.
fn next_page(view: &View<'_>) -> u32 {
    view.graph().pages_given().load(Ordering::Acquire)
}

fn definitions(view: &View<'_>, out: &mut Vec<u8>) {
    let names = view.graph().names();
    let snapshot = view.sight().snapshot;
    let mut writer = DeltaWriter::new(out);
    for kind in [NameKind::Label, NameKind::Type, NameKind::Key] {
        for id in 0..names.limit(kind) {
            // Those that no frame up to here defines are defined by the frames that use them.
            let is_defined = names.defined(kind, id).is_some_and(|by| by <= snapshot);
            if let Some(name) = names.name(kind, id).filter(|_| is_defined) {
                writer.define_name(kind, id, name);
            }
        }
    }
}

fn put_labels(view: &View<'_>, set: LabelSetId, out: &mut Vec<u8>) {
    let labels = view.graph().label_sets.labels(set);
    put_varint(out, labels.len() as u64);
    for label in labels {
        put_varint(out, u64::from(label.0));
    }
}

fn put_properties(properties: PropertiesRef<'_>, out: &mut Vec<u8>) {
    // The length goes in front: a byte is kept free for it, and what is longer moves.
    let start = out.len();
    out.push(0);
    for (key, value) in properties.iter() {
        put_varint(out, u64::from(key.0));
        encode_ref(value, out);
    }
    let bytes = out.len() - start - 1;
    if bytes < 0x80 {
        out[start] = bytes as u8;
        return;
    }
    let mut length = Vec::with_capacity(10);
    put_varint(&mut length, bytes as u64);
    out.splice(start..=start, length);
}

/// The properties of an edge at this snapshot, if it has any: its record may be younger.
fn properties<'e>(
    view: &View<'e>,
    vertex: crate::ids::VertexId,
    entry: Entry,
    outgoing: bool,
) -> Option<PropertiesRef<'e>> {
    let record = entry.record?;
    let source = entry.key.edge(vertex, outgoing).source();
    let records = view.graph().records_of(source);
    let state = records.seen(record, view.sight(), view.guard())?;
    Some(state.properties()).filter(|properties| !properties.is_empty())
}

fn put_piece(
    view: &View<'_>,
    vertex: crate::ids::VertexId,
    entries: &[Entry],
    outgoing: bool,
    out: &mut Vec<u8>,
) {
    let place = |entry: &Entry| (entry.key.type_(), entry.key.neighbour().0 >> 32);
    let runs = || entries.chunk_by(|a, b| place(a) == place(b));
    put_varint(out, runs().count() as u64);
    for run in runs() {
        let (type_, upper) = place(&run[0]);
        put_varint(out, u64::from(type_.0));
        put_varint(out, upper);
        put_varint(out, run.len() as u64);
        for entry in run {
            out.extend_from_slice(&(entry.key.neighbour().0 as u32).to_le_bytes());
        }
        let bits = run.iter().fold(0, |bits, entry| bits | entry.key.ordinal());
        match bits {
            0..=0xff => {
                out.push(1);
                out.extend(run.iter().map(|entry| entry.key.ordinal() as u8));
            }
            0x100..=0xffff => {
                out.push(2);
                for entry in run {
                    out.extend_from_slice(&(entry.key.ordinal() as u16).to_le_bytes());
                }
            }
            _ => {
                out.push(4);
                for entry in run {
                    out.extend_from_slice(&entry.key.ordinal().to_le_bytes());
                }
            }
        }
        let of = |entry: &Entry| properties(view, vertex, *entry, outgoing);
        let has_records = run.iter().any(|entry| entry.record.is_some());
        if !has_records || run.iter().all(|entry| of(entry).is_none()) {
            out.push(0);
            continue;
        }
        out.push(1);
        if outgoing {
            for entry in run {
                put_properties(of(entry).unwrap_or_default(), out);
            }
        } else {
            for eight in run.chunks(8) {
                let bits = eight.iter().enumerate();
                out.push(bits.fold(0, |byte, (at, entry)| {
                    byte | u8::from(of(entry).is_some()) << at
                }));
            }
        }
    }
}
