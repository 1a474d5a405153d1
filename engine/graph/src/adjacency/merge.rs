//! Merging: what is recent becomes settled, what nobody needs is left out, and chunks split and join.
//!
//! Owned here: collecting what is kept, building chunks and directories, retiring and freeing lists. Called by `entry` (a tail is full),
//! `quiet` (a list has come to rest), `page` (a list goes with its vertex).
//! Always holds: stamps at or below the horizon are forgotten, entries deleted at or below it and undone ones are left out; young stamps
//! go to columns beside the settled part, so that merging goes by size even under a reader of an hour. One pointer is swapped: the list's
//! or that of a branch. A chunk of more than [`CHUNK`] entries is cut into equal parts, never between equal keys; one that has become
//! small joins its neighbour.
//! Left to others: when (`entry` by size, `quiet` by horizon).

use super::chunk::{self, ChunkHead, Settled};
use super::directory::{self, Branch, DirectoryHead};
use super::quiet::Keeper;
use super::recent::{self, BesideHead, Columns, Part, Room, Tail};
use super::{CHUNK, Chunk, Directory, Key, List, Side};
use crate::horizon::{Active, Need};
use crate::ids::{CommitSeq, TypeId};
use crate::memory::{Alone, Either, Guard, Heap, Link, Owned, Unforked, Unlinked};
use crate::stamp::{IN_FLIGHT, NEVER, SETTLED, in_flight, is_below};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// A chunk with fewer entries than this joins its neighbour if both together stay below half of [`CHUNK`].
const JOIN: usize = CHUNK / 8;
/// Chunks up to this many entries are merged whenever something in them can be forgotten.
const SMALL: usize = 64;

/// The most recent entries that the usual merge takes.
const RUN_TAIL: usize = 64;

/// An entry on its way into a new chunk.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) record: u32,
    pub(super) created: u64,
    pub(super) deleted: u64,
}

/// Memory for merging, kept between merges.
#[derive(Default)]
pub(super) struct Scratch {
    kept: Vec<Kept>,
    tail: Vec<Kept>,
    entries: Vec<u64>,
    words: Vec<u32>,
}

/// A list, and a key that says which of its chunks is meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) side: Side,
    pub(super) key: Key,
}

/// When something more can be forgotten in a chunk that has been looked at. What is in flight is looked at when its transaction's marks are
/// rewritten.
#[derive(Default)]
pub(super) struct Outlook {
    /// Once this commit is visible: entries deleted by then.
    pub(super) visible: Option<CommitSeq>,
    /// Once this snapshot has ended: deleted entries that it sees.
    pub(super) ended: Option<CommitSeq>,
    /// Once the horizon has come so far: stamps of entries that live.
    pub(super) horizon: Option<CommitSeq>,
    /// Where the chunk begins, whatever has been merged.
    pub(super) bound: Option<Key>,
}

/// A chunk without settled entries, with room for recent ones; its maker queues it.
pub(super) fn empty_with_room(room: Room, heap: &Heap) -> Owned<'_, ChunkHead, u32> {
    build(&[], (Some(room), true), &mut Vec::new(), heap)
}

fn build<'h>(
    kept: &[Kept],
    recent: (Option<Room>, bool),
    words: &mut Vec<u32>,
    heap: &'h Heap,
) -> Owned<'h, ChunkHead, u32> {
    let head = chunk::pack(kept, words);
    let beside = recent::build_beside(kept, heap);
    build_packed(head, words, beside, recent, heap)
}

fn build_packed<'h>(
    mut head: ChunkHead,
    words: &[u32],
    beside: Link<BesideHead, ()>,
    (room, queued): (Option<Room>, bool),
    heap: &'h Heap,
) -> Owned<'h, ChunkHead, u32> {
    if room.is_some() || !beside.is_null() {
        let nothing = Room {
            entries: 0,
            wide: false,
            type_: TypeId(0),
        };
        let recent = recent::build(room.unwrap_or(nothing), beside, queued, heap);
        head.recent = Link::owning(recent);
    }
    heap.block_of(head, words)
}

/// The usual merge, in the fewest steps: everything in a chunk is everyone's from now on, of one run and without records. Its
/// head, and its words in the scratch; nothing if it is not so.
fn merge_run(chunk: Chunk<'_>, keeper: &Keeper<'_>, scratch: &mut Scratch) -> Option<ChunkHead> {
    let (tail, columns) = recent::of(chunk, keeper.guard)?;
    let (type_, late) = tail.narrow()?;
    let settled = Settled::of(chunk);
    let len = settled.len() + late.len();
    if !columns.is_empty() || late.is_empty() || late.len() > RUN_TAIL || len > CHUNK {
        return None;
    }
    let horizon = keeper.active().horizon();
    let mut room = [0; RUN_TAIL];
    let words = &mut room[..late.len()];
    let mut tags = (u32::MAX, 0);
    for (to, [word, created]) in words.iter_mut().zip(late) {
        if !is_below(created.load(Ordering::Acquire), horizon) {
            return None;
        }
        let key = Key::of_word(type_, word.load(Ordering::Relaxed));
        tags = (tags.0.min(key.tag), tags.1.max(key.tag));
        *to = chunk::run_word(key);
    }
    let entries = &mut scratch.entries;
    entries.clear();
    let tag = match settled.len() {
        0 => tags.0,
        _ => settled.only_run(entries)?,
    };
    if tags != (tag, tag) {
        return None;
    }
    words.sort_unstable();
    // From behind: of equal entries the later one stays behind.
    let mut from = entries.len();
    entries.extend_from_slice(words);
    let mut to = len;
    for &late in words.iter().rev() {
        to -= 1;
        while from > 0 && entries[from - 1] > late {
            from -= 1;
            entries[to] = entries[from];
            to -= 1;
        }
        entries[to] = late;
    }
    Some(chunk::pack_run(tag, entries, &mut scratch.words))
}

/// What is kept of an entry for the snapshots that are active: nothing if none of them sees it, stamps that they ask about otherwise.
#[inline]
fn keep(key: Key, record: u32, (created, deleted): (u64, u64), active: &Active) -> Option<Kept> {
    let gone = created == NEVER || (deleted != NEVER && !active.needs(created, deleted));
    let created = if is_below(created, active.horizon()) {
        SETTLED
    } else {
        created
    };
    (!gone).then_some(Kept {
        key,
        record,
        created,
        deleted,
    })
}

/// Appends what is kept of a chunk, in order.
fn collect(
    chunk: Chunk<'_>,
    active: &Active,
    guard: &Guard<'_>,
    late: &mut Vec<Kept>,
    kept: &mut Vec<Kept>,
) {
    let settled = Settled::of(chunk);
    let recent = recent::of(chunk, guard);
    let (tail, columns) = recent.unwrap_or((Tail::none(), Columns::default()));
    late.clear();
    for at in 0..tail.len() {
        let entry = tail.get(at);
        let stamps = (entry.created, entry.deleted);
        late.extend(keep(entry.key, entry.record, stamps, active));
    }
    // Stable: of equal keys the later one comes behind.
    late.sort_by_key(|kept| kept.key);
    kept.reserve(settled.len() + late.len());
    let mut next_late = 0;
    let plain = columns.is_empty();
    let (lows, ordinals) = (settled.lows(), settled.ordinals());
    for at in 0..settled.runs() {
        let run = settled.run(at);
        for (&low, at) in lows[run.start..run.end].iter().zip(run.start..) {
            let key = Key {
                tag: run.tag,
                low,
                ordinal: ordinals.get(at),
            };
            while next_late < late.len() && late[next_late].key < key {
                kept.push(late[next_late]);
                next_late += 1;
            }
            if plain {
                kept.push(Kept {
                    key,
                    record: settled.record(at),
                    created: SETTLED,
                    deleted: NEVER,
                });
            } else {
                let record = columns.record(at).unwrap_or_else(|| settled.record(at));
                let stamps = (columns.born(at), columns.died(at));
                kept.extend(keep(key, record, stamps, active));
            }
        }
    }
    kept.extend_from_slice(&late[next_late..]);
}

/// Cuts entries into parts for chunks; one empty part if there are none.
fn parts(kept: &[Kept]) -> SmallVec<[Range<usize>; 4]> {
    let count = kept.len().div_ceil(CHUNK).max(1);
    let mut parts = SmallVec::new();
    let mut start = 0;
    for part in 1..=count {
        let mut end = (kept.len() * part / count).max(start);
        while end > start && end < kept.len() && kept[end].key == kept[end - 1].key {
            end += 1;
        }
        if end > start || count == 1 {
            parts.push(start..end);
        }
        start = end;
    }
    parts
}

/// Gives a list without entries these, which are in order and everyone's.
pub(super) fn build_settled(list: &List, kept: &[Kept], words: &mut Vec<u32>, guard: &Guard<'_>) {
    let heap = guard.heap();
    let parts = parts(kept);
    let old = if parts.len() == 1 {
        list.set_first(build(kept, (None, false), words, heap))
    } else {
        let branch = |at: usize| {
            let part = &kept[parts[at].clone()];
            Branch {
                bound: if at == 0 { Key::FIRST } else { part[0].key },
                link: Link::owning(build(part, (None, false), words, heap)),
            }
        };
        list.set_second(heap.block(DirectoryHead, parts.len(), branch))
    };
    debug_assert!(old.is_none(), "the list had no entries");
}

/// Builds one chunk of the list anew, and the directory if their number changes. `room` is for an entry of `place.key` that is to come;
/// without it a list without entries goes.
pub(super) fn merge(list: &List, place: Place, room: Option<Room>, keeper: &Keeper<'_>) {
    let scratch = &mut *keeper.quiet.scratch.borrow_mut();
    scratch.kept.clear();
    match list.load(keeper.guard) {
        None => {}
        Some(Either::First(chunk)) => merge_chunk(list, chunk, place, room, keeper, scratch),
        Some(Either::Second(directory)) => {
            merge_branch(list, directory, place, room, keeper, scratch);
        }
    }
}

fn merge_chunk(
    list: &List,
    chunk: Chunk<'_>,
    place: Place,
    room: Option<Room>,
    keeper: &Keeper<'_>,
    scratch: &mut Scratch,
) {
    let (guard, heap) = (keeper.guard, keeper.guard.heap());
    let queued = recent::in_queue(chunk, guard);
    if let Some(head) = merge_run(chunk, keeper, scratch) {
        let none = Link::default();
        let new = build_packed(head, &scratch.words, none, (room, queued), heap);
        keeper.scatter(place.side.vertex);
        let old = list.set_first(new);
        return retire_unforked(old.expect("the list was not empty"), heap);
    }
    let Scratch {
        kept, tail, words, ..
    } = scratch;
    collect(chunk, keeper.active(), guard, tail, kept);
    let parts = parts(kept);
    let old = if kept.is_empty() && room.is_none() {
        list.take()
    } else if parts.len() == 1 {
        list.set_first(build(kept, (room, queued), words, heap))
    } else {
        let built = build_parts(
            &parts,
            Key::FIRST,
            place,
            (room, queued),
            keeper,
            kept,
            words,
        );
        let mut built = built.into_iter();
        let branch = |_| built.next().expect("as many as there are parts");
        list.set_second(heap.block(DirectoryHead, parts.len(), branch))
    };
    keeper.scatter(place.side.vertex);
    retire_unforked(old.expect("the list was not empty"), heap);
}

/// Chunks for several parts, the first from `bound` on.
fn build_parts(
    parts: &[Range<usize>],
    bound: Key,
    place: Place,
    (room, queued): (Option<Room>, bool),
    keeper: &Keeper<'_>,
    kept: &[Kept],
    words: &mut Vec<u32>,
) -> SmallVec<[Branch; 4]> {
    let heap = keeper.guard.heap();
    let bounds: SmallVec<[Key; 4]> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| if at == 0 { bound } else { kept[part.start].key })
        .collect();
    let home = bounds.partition_point(|&b| b <= place.key).max(1) - 1;
    // Of a chunk that is cut one place may stand in a queue: each part gets its own.
    let cut = parts.len() > 1;
    let build_part = |(at, part): (usize, &Range<usize>)| {
        let part = &kept[part.clone()];
        let recent = (room.filter(|_| at == home), queued || cut);
        let link = Link::owning(build(part, recent, words, heap));
        let branch = Branch {
            bound: bounds[at],
            link,
        };
        if cut && !branch.chunk(keeper.guard).header().recent.is_null() {
            keeper.quiet.push(place.side, Some(branch.bound));
        }
        branch
    };
    parts.iter().enumerate().map(build_part).collect()
}

fn merge_branch(
    list: &List,
    directory: Directory<'_>,
    place: Place,
    room: Option<Room>,
    keeper: &Keeper<'_>,
    scratch: &mut Scratch,
) {
    let (guard, heap) = (keeper.guard, keeper.guard.heap());
    let Scratch {
        kept, tail, words, ..
    } = scratch;
    let branches = directory.items();
    let at = directory::index(directory, place.key);
    collect(
        branches[at].chunk(guard),
        keeper.active(),
        guard,
        tail,
        kept,
    );
    let mut covered = at..at + 1;
    if kept.len() < JOIN && branches.len() > 1 {
        let from = if at + 1 < branches.len() { at } else { at - 1 };
        let other = branches[if from == at { at + 1 } else { from }].chunk(guard);
        let others = Settled::of(other).len() + recent::tail(other, guard).len();
        if kept.len() + others <= CHUNK / 2 {
            kept.clear();
            covered = from..from + 2;
            for branch in &branches[covered.clone()] {
                collect(branch.chunk(guard), keeper.active(), guard, tail, kept);
            }
        }
    }
    let parts = if kept.is_empty() && room.is_none() {
        SmallVec::new()
    } else {
        parts(kept)
    };
    let bound = branches[covered.start].bound;
    let mut merged = branches[covered.clone()].iter();
    let queued = merged.any(|branch| recent::in_queue(branch.chunk(guard), guard));
    let recent = (room, queued);
    let mut built = build_parts(&parts, bound, place, recent, keeper, kept, words).into_iter();
    if covered.len() == 1 && parts.len() == 1 {
        let new = built.next().expect("there is one part");
        let old = branches[at].link.pass(new.link);
        return retire_chunk(old.expect("a branch has a chunk"), heap);
    }
    let count = branches.len() - covered.len() + parts.len();
    let old = match count {
        0 => list.take(),
        1 => {
            let only = built.next();
            let stays = branches
                .iter()
                .enumerate()
                .find(|(at, _)| !covered.contains(at));
            let only = only.or(stays.map(|(_, branch)| branch.moved(guard)));
            let only = only.expect("one is left");
            list.pass_first(only.chunk(guard))
        }
        _ => {
            let behind = &branches[covered.end..];
            let mut all = branches[..covered.start]
                .iter()
                .map(|branch| branch.moved(guard))
                .chain(built)
                .chain(behind.iter().map(|branch| branch.moved(guard)));
            let branch = |at| {
                let mut branch = all.next().expect("as many as were counted");
                if at == 0 {
                    branch.bound = Key::FIRST;
                }
                branch
            };
            list.set_second(heap.block(DirectoryHead, count, branch))
        }
    };
    // The chunks that stayed belong to the list's new block.
    for branch in &branches[covered] {
        retire_chunk(branch.link.inherit().expect("a branch has a chunk"), heap);
    }
    if let Some(Either::Second(directory)) = old {
        heap.retire_block(directory);
    }
}

/// Merges the chunk of a place if that forgets enough to be worth the copy.
pub(super) fn tidy(list: &List, place: Place, keeper: &Keeper<'_>) -> Outlook {
    let mut outlook = Outlook::default();
    let (chunk, bound) = match list.load(keeper.guard) {
        None => return outlook,
        Some(Either::First(chunk)) => (chunk, Key::FIRST),
        Some(Either::Second(directory)) => {
            let branch = &directory.items()[directory::index(directory, place.key)];
            (branch.chunk(keeper.guard), branch.bound)
        }
    };
    let Some((tail, columns)) = recent::of(chunk, keeper.guard) else {
        return outlook;
    };
    outlook.bound = Some(bound);
    let active = keeper.active();
    let horizon = active.horizon();
    let (mut old, mut open) = (0, false);
    let mut look = |created: u64, deleted: u64| {
        let need = match deleted {
            _ if created == NEVER => Need::No,
            NEVER => Need::Undecided,
            deleted => active.need(created, deleted),
        };
        open |= in_flight(created).is_some() || in_flight(deleted).is_some();
        match need {
            Need::No => {
                old += 1;
                return;
            }
            Need::By(snapshot) => outlook.ended = outlook.ended.max(Some(snapshot)),
            // Of what is deleted visibly the creation is in flight.
            Need::Undecided if deleted & IN_FLIGHT == 0 && deleted > active.open().0 => {
                outlook.visible = outlook.visible.max(Some(CommitSeq(deleted)));
            }
            Need::Undecided => {}
        }
        if created & IN_FLIGHT == 0 && created > horizon.0 {
            outlook.horizon = outlook.horizon.max(Some(CommitSeq(created)));
        } else if created & IN_FLIGHT == 0 && created != SETTLED {
            old += 1;
        }
    };
    let len = Settled::of(chunk).len();
    for at in 0..tail.len() {
        look(tail.created(at), tail.deleted(at));
    }
    if !columns.no_stamps() {
        for at in 0..len {
            look(columns.born(at), columns.died(at));
        }
    }
    let total = len + tail.len();
    let waits = outlook.visible.or(outlook.ended).or(outlook.horizon);
    let all_old = !open && waits.is_none();
    recent::set_queued(chunk, outlook.visible.is_some(), keeper.guard);
    if all_old || (old > 0 && total <= SMALL) || old * 8 >= total {
        merge(list, place, None, keeper);
    }
    outlook
}

fn for_chunk_parts(chunk: &Unlinked<ChunkHead, u32>, give: impl FnMut(Part)) {
    recent::for_parts(&chunk.header().recent, give);
}

fn retire_chunk(chunk: Unlinked<ChunkHead, u32>, heap: &Heap) {
    for_chunk_parts(&chunk, |part| match part {
        Part::Recent(x) => heap.retire_block(x),
        Part::Beside(x) => heap.retire_block(x),
        Part::Stamps(x) => heap.retire_block(x),
        Part::Records(x) => heap.retire_block(x),
    });
    heap.retire_block(chunk);
}

fn free_chunk(chunk: Unlinked<ChunkHead, u32>, heap: &Heap, alone: &mut Alone) {
    for_chunk_parts(&chunk, |part| match part {
        Part::Recent(x) => heap.free_block(x, alone),
        Part::Beside(x) => heap.free_block(x, alone),
        Part::Stamps(x) => heap.free_block(x, alone),
        Part::Records(x) => heap.free_block(x, alone),
    });
    heap.free_block(chunk, alone);
}

type Unlisted = Unforked<ChunkHead, u32, DirectoryHead, Branch>;

fn for_chunks(
    directory: &Unlinked<DirectoryHead, Branch>,
    mut give: impl FnMut(Unlinked<ChunkHead, u32>),
) {
    for branch in directory.items() {
        give(branch.link.inherit().expect("a branch has a chunk"));
    }
}

/// Retires what a list pointed to.
pub(super) fn retire_unforked(list: Unlisted, heap: &Heap) {
    match list {
        Either::First(chunk) => retire_chunk(chunk, heap),
        Either::Second(directory) => {
            for_chunks(&directory, |chunk| retire_chunk(chunk, heap));
            heap.retire_block(directory);
        }
    }
}

/// Unlinks a whole list.
pub(crate) fn retire(list: &List, heap: &Heap) {
    if let Some(list) = list.take() {
        retire_unforked(list, heap);
    }
}

/// Frees a whole list at once.
pub(crate) fn free(list: &List, heap: &Heap, alone: &mut Alone) {
    match list.take() {
        None => {}
        Some(Either::First(chunk)) => free_chunk(chunk, heap, alone),
        Some(Either::Second(directory)) => {
            for_chunks(&directory, |chunk| free_chunk(chunk, heap, alone));
            heap.free_block(directory, alone);
        }
    }
}
