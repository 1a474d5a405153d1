//! What hangs in front of a chunk's settled entries: new ones, and stamps of settled ones that some reader must still ask.
//!
//! Owned here: the block of recent entries (the tail), its two forms, and what lies beside the settled part. Called by `entry`, `merge`,
//! `walk`.
//!
//! ```text
//! narrow entry, 16 bytes:  neighbour << 28 | ordinal, created            all of one type, none deleted, no records
//! wide entry,   32 bytes:  the same, deleted, type << 32 | record
//! beside:                  born, died (stamps), records: columns as long as the settled part, each made when first needed
//! ```
//!
//! Always holds: entries below `len` are complete (Release; partner: the Acquire in [`Tail::of`]); an entry keeps its place when a tail is
//! replaced by a larger or wider one; columns are shared by a tail and the one that replaces it. A settled entry without a stamp in
//! `born` is everyone's, without one in `died` it is alive.
//! Left to others: when a tail is merged (`merge`).

use super::merge::Kept;
use super::{Chunk, Key, NO_RECORD};
use crate::ids::{CommitSeq, TypeId};
use crate::memory::{BlockRef, Charged, Guard, Heap, Link, MemoryOwner, Owned, Unlinked};
use crate::stamp::{NEVER, SETTLED, is_below};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What stands before recent entries.
#[derive(Default)]
pub(crate) struct RecentHead {
    len: AtomicU32,
    /// The type of all entries of a narrow tail.
    type_: u32,
    wide: bool,
    /// Whether a place of this chunk stands in a queue that is worked off whatever the horizon does (`quiet`).
    queued: AtomicBool,
    beside: Link<BesideHead, ()>,
}

/// Columns beside the settled part.
#[derive(Default)]
pub(crate) struct BesideHead {
    born: Link<StampsHead, AtomicU64>,
    died: Link<StampsHead, AtomicU64>,
    records: Link<RecordsHead, AtomicU32>,
}

/// What stands before a column of stamps: nothing.
#[derive(Default)]
pub(crate) struct StampsHead;

/// What stands before a column of records: nothing.
#[derive(Default)]
pub(crate) struct RecordsHead;

impl Charged for RecentHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}
impl Charged for BesideHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}
impl Charged for StampsHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}
impl Charged for RecordsHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

type Recent<'g> = BlockRef<'g, RecentHead, AtomicU64>;

const NARROW_WORDS: usize = 2;
const WIDE_WORDS: usize = 4;

/// An entry of a tail, as it stood when it was read.
#[derive(Clone, Copy)]
pub(super) struct TailEntry {
    pub(super) key: Key,
    pub(super) created: u64,
    pub(super) deleted: u64,
    pub(super) record: u32,
}

/// The complete entries of a tail.
#[derive(Clone, Copy)]
pub(super) struct Tail<'g> {
    words: &'g [AtomicU64],
    type_: TypeId,
    wide: bool,
    len: usize,
}

impl<'g> Tail<'g> {
    /// No entries.
    pub(super) fn none() -> Tail<'g> {
        Tail {
            words: &[],
            type_: TypeId(0),
            wide: false,
            len: 0,
        }
    }

    #[inline]
    fn of(recent: Recent<'g>) -> Tail<'g> {
        let head = recent.header();
        Tail {
            words: recent.items(),
            type_: TypeId(head.type_),
            wide: head.wide,
            len: head.len.load(Ordering::Acquire) as usize,
        }
    }

    /// How many entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn words_each(&self) -> usize {
        if self.wide { WIDE_WORDS } else { NARROW_WORDS }
    }

    /// Entries there is room for.
    #[inline]
    fn room(&self) -> usize {
        if self.wide {
            self.words.len() / WIDE_WORDS
        } else {
            self.words.len() / NARROW_WORDS
        }
    }

    /// How many entries were made by commits up to `horizon`.
    pub(super) fn count_below(&self, horizon: CommitSeq) -> usize {
        let below = |&at: &usize| is_below(self.created(at), horizon);
        (0..self.len).filter(below).count()
    }

    /// The words of entries of which only the creation is told: neighbour and ordinal, creation.
    pub(super) fn narrow(&self) -> Option<(TypeId, &'g [[AtomicU64; NARROW_WORDS]])> {
        let (entries, _) = self.words.as_chunks();
        (!self.wide).then(|| (self.type_, &entries[..self.len]))
    }

    /// The key of entry `at`.
    #[inline]
    pub(super) fn key(&self, at: usize) -> Key {
        let start = at * self.words_each();
        let type_ = if self.wide {
            TypeId((self.words[start + 3].load(Ordering::Relaxed) >> 32) as u32)
        } else {
            self.type_
        };
        Key::of_word(type_, self.words[start].load(Ordering::Relaxed))
    }

    /// The stamp of an entry's creation.
    #[inline]
    pub(super) fn created(&self, at: usize) -> u64 {
        self.words[at * self.words_each() + 1].load(Ordering::Acquire)
    }

    /// The stamp of an entry's deletion.
    #[inline]
    pub(super) fn deleted(&self, at: usize) -> u64 {
        if self.wide {
            self.words[at * WIDE_WORDS + 2].load(Ordering::Acquire)
        } else {
            NEVER
        }
    }

    /// An entry's record.
    #[inline]
    pub(super) fn record(&self, at: usize) -> u32 {
        if self.wide {
            self.words[at * WIDE_WORDS + 3].load(Ordering::Acquire) as u32
        } else {
            NO_RECORD
        }
    }

    /// Everything about entry `at`.
    #[inline]
    pub(super) fn get(&self, at: usize) -> TailEntry {
        TailEntry {
            key: self.key(at),
            created: self.created(at),
            deleted: self.deleted(at),
            record: self.record(at),
        }
    }

    #[inline]
    fn fill(&self, at: usize, entry: &TailEntry) {
        let words = &self.words[at * self.words_each()..][..self.words_each()];
        words[0].store(entry.key.word(), Ordering::Relaxed);
        words[1].store(entry.created, Ordering::Relaxed);
        if self.wide {
            words[2].store(entry.deleted, Ordering::Relaxed);
            let last = u64::from(entry.key.type_().0) << 32 | u64::from(entry.record);
            words[3].store(last, Ordering::Relaxed);
        }
    }

    fn is_fit_for(&self, entry: &TailEntry) -> bool {
        self.wide
            || (entry.key.type_() == self.type_
                && entry.deleted == NEVER
                && entry.record == NO_RECORD)
    }

    /// Stamps an entry's creation.
    pub(super) fn set_created(&self, at: usize, stamp: u64) {
        self.words[at * self.words_each() + 1].store(stamp, Ordering::Release);
    }
}

/// The columns beside a chunk's settled part.
#[derive(Clone, Copy, Default)]
pub(super) struct Columns<'g> {
    born: &'g [AtomicU64],
    died: &'g [AtomicU64],
    records: &'g [AtomicU32],
}

impl<'g> Columns<'g> {
    fn of(beside: &BesideHead, guard: &'g Guard<'_>) -> Columns<'g> {
        Columns {
            born: beside.born.load(guard).map_or(&[], |c| c.items()),
            died: beside.died.load(guard).map_or(&[], |c| c.items()),
            records: beside.records.load(guard).map_or(&[], |c| c.items()),
        }
    }

    /// Whether no settled entry has a stamp.
    #[inline]
    pub(super) fn no_stamps(&self) -> bool {
        self.born.is_empty() && self.died.is_empty()
    }

    /// The stamp of a settled entry's creation.
    #[inline]
    pub(super) fn born(&self, at: usize) -> u64 {
        self.born
            .get(at)
            .map_or(SETTLED, |stamp| stamp.load(Ordering::Acquire))
    }

    /// The stamp of a settled entry's deletion.
    #[inline]
    pub(super) fn died(&self, at: usize) -> u64 {
        self.died
            .get(at)
            .map_or(NEVER, |stamp| stamp.load(Ordering::Acquire))
    }

    /// A settled entry's record, if it got one since the last merge.
    pub(super) fn record(&self, at: usize) -> Option<u32> {
        self.records
            .get(at)
            .map(|record| record.load(Ordering::Acquire))
            .filter(|&record| record != UNCHANGED)
    }

    /// Whether there is nothing beside the settled part.
    pub(super) fn is_empty(&self) -> bool {
        self.no_stamps() && self.records.is_empty()
    }
}

/// A record beside that says: as it is in the chunk. No record has this number, see [`NO_RECORD`].
const UNCHANGED: u32 = u32::MAX - 1;

/// What hangs in front of a chunk, to read.
#[inline]
pub(super) fn of<'g>(chunk: Chunk<'g>, guard: &'g Guard<'_>) -> Option<(Tail<'g>, Columns<'g>)> {
    let recent = chunk.header().recent.load(guard)?;
    let beside = recent.header().beside.load(guard);
    let columns = beside.map_or(Columns::default(), |beside| {
        Columns::of(beside.header(), guard)
    });
    Some((Tail::of(recent), columns))
}

/// The tail alone; none where the chunk is at rest.
#[inline]
pub(super) fn tail<'g>(chunk: Chunk<'g>, guard: &'g Guard<'_>) -> Tail<'g> {
    chunk
        .header()
        .recent
        .load(guard)
        .map_or(Tail::none(), Tail::of)
}

/// The columns alone.
pub(super) fn columns<'g>(chunk: Chunk<'g>, guard: &'g Guard<'_>) -> Columns<'g> {
    of(chunk, guard).map_or(Columns::default(), |(_, columns)| columns)
}

/// What a new tail is to hold.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) entries: usize,
    pub(super) wide: bool,
    pub(super) type_: TypeId,
}

impl Room {
    /// Room for an entry like this and some more.
    pub(super) fn like(key: Key, record: u32, entries: usize) -> Room {
        Room {
            entries,
            wide: record != NO_RECORD,
            type_: key.type_(),
        }
    }
}

/// A block for what is recent, without entries.
pub(super) fn build<'h>(
    room: Room,
    beside: Link<BesideHead, ()>,
    queued: bool,
    heap: &'h Heap,
) -> Owned<'h, RecentHead, AtomicU64> {
    let head = RecentHead {
        len: AtomicU32::new(0),
        type_: room.type_.0,
        wide: room.wide,
        queued: AtomicBool::new(queued),
        beside,
    };
    let words = if room.wide { WIDE_WORDS } else { NARROW_WORDS };
    heap.block(head, room.entries * words, |_| AtomicU64::new(0))
}

/// Columns for a new chunk of these entries, each left out where it says nothing.
pub(super) fn build_beside(kept: &[Kept], heap: &Heap) -> Link<BesideHead, ()> {
    let (mut young, mut dying) = (false, false);
    for entry in kept {
        young |= entry.created != SETTLED;
        dying |= entry.deleted != NEVER;
    }
    if !young && !dying {
        return Link::default();
    }
    let column = |of: fn(&Kept) -> u64| {
        let stamp = |at: usize| AtomicU64::new(of(&kept[at]));
        Link::owning(heap.block(StampsHead, kept.len(), stamp))
    };
    let mut head = BesideHead::default();
    if young {
        head.born = column(|entry| entry.created);
    }
    if dying {
        head.died = column(|entry| entry.deleted);
    }
    Link::owning(heap.block(head, 0, |_| ()))
}

fn is_queued(recent: Recent<'_>) -> bool {
    recent.header().queued.load(Ordering::Relaxed)
}

/// Whether a place of a chunk stands in a queue.
pub(super) fn in_queue(chunk: Chunk<'_>, guard: &Guard<'_>) -> bool {
    chunk.header().recent.load(guard).is_some_and(is_queued)
}

/// Notes whether a place of a chunk that has something recent stands in a queue; whether that is news.
#[inline]
pub(super) fn set_queued(chunk: Chunk<'_>, queued: bool, guard: &Guard<'_>) -> bool {
    let Some(recent) = chunk.header().recent.load(guard) else {
        return false;
    };
    let news = is_queued(recent) != queued;
    if news {
        // Only the holder of the token asks and sets it.
        recent.header().queued.store(queued, Ordering::Relaxed);
    }
    news
}

/// Replaces what is recent by a larger or wider block with the same entries in the same places.
fn replace(chunk: Chunk<'_>, room: Room, guard: &Guard<'_>) {
    let link = &chunk.header().recent;
    let old = link.load(guard);
    let beside = old.and_then(|old| old.header().beside.load(guard));
    // Who makes the first sees to it that it is.
    let queued = old.is_none_or(is_queued);
    let new = build(room, Link::to(beside), queued, guard.heap());
    if let Some(old) = old {
        let (from, to) = (Tail::of(old), Tail::of(new.as_ref()));
        if from.wide == to.wide {
            let words = from.len() * from.words_each();
            for (to, from) in to.words[..words].iter().zip(from.words) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        } else {
            for at in 0..from.len() {
                to.fill(at, &from.get(at));
            }
        }
        new.as_ref()
            .header()
            .len
            .store(from.len() as u32, Ordering::Relaxed);
    }
    if let Some(old) = link.set(new) {
        guard.heap().retire_block(old);
    }
}

/// Appends an entry if there is room for one like it; whether there was.
#[inline]
pub(super) fn append(chunk: Chunk<'_>, entry: &TailEntry, guard: &Guard<'_>) -> bool {
    let Some(recent) = chunk.header().recent.load(guard) else {
        return false;
    };
    let tail = Tail::of(recent);
    if tail.len() == tail.room() || !tail.is_fit_for(entry) {
        return false;
    }
    tail.fill(tail.len(), entry);
    // Publishes the entry; partner: the Acquire in `Tail::of`.
    let len = &recent.header().len;
    len.store(tail.len() as u32 + 1, Ordering::Release);
    true
}

/// Appends an entry to a tail that has no room for it; with room for at least `room` entries from now on.
pub(super) fn push(chunk: Chunk<'_>, entry: &TailEntry, room: usize, guard: &Guard<'_>) {
    let tail = tail(chunk, guard);
    let wide = tail.len() > 0 && (tail.wide || !tail.is_fit_for(entry));
    let room = Room {
        entries: room.max(tail.len() + 1),
        wide: wide || entry.record != NO_RECORD || entry.deleted != NEVER,
        type_: entry.key.type_(),
    };
    replace(chunk, room, guard);
    let appended = append(chunk, entry, guard);
    debug_assert!(appended, "room was made for it");
}

/// Sees to it that tail entries can be deleted and have records.
pub(super) fn widen(chunk: Chunk<'_>, guard: &Guard<'_>) {
    let tail = tail(chunk, guard);
    if !tail.wide {
        let room = Room {
            entries: tail.room(),
            wide: true,
            type_: tail.type_,
        };
        replace(chunk, room, guard);
    }
}

/// Stamps the deletion of tail entry `at`.
pub(super) fn set_tail_deleted(chunk: Chunk<'_>, at: usize, stamp: u64, guard: &Guard<'_>) {
    if stamp == NEVER && !tail(chunk, guard).wide {
        return;
    }
    widen(chunk, guard);
    tail(chunk, guard).words[at * WIDE_WORDS + 2].store(stamp, Ordering::Release);
}

/// Gives tail entry `at` another record.
pub(super) fn set_tail_record(chunk: Chunk<'_>, at: usize, record: u32, guard: &Guard<'_>) {
    widen(chunk, guard);
    let word = &tail(chunk, guard).words[at * WIDE_WORDS + 3];
    let type_ = word.load(Ordering::Relaxed) >> 32 << 32;
    word.store(type_ | u64::from(record), Ordering::Release);
}

fn beside<'g>(chunk: Chunk<'g>, guard: &'g Guard<'_>) -> &'g BesideHead {
    let link = &chunk.header().recent;
    let recent = link.load(guard).unwrap_or_else(|| {
        let nothing = Room {
            entries: 0,
            wide: false,
            type_: TypeId(0),
        };
        // Who makes the first sees to it that it is queued.
        let none = link.set(build(nothing, Link::default(), true, guard.heap()));
        debug_assert!(none.is_none());
        link.load(guard).expect("it was just set")
    });
    let link = &recent.header().beside;
    let beside = link.load(guard).unwrap_or_else(|| {
        let none = link.set(guard.heap().block(BesideHead::default(), 0, |_| ()));
        debug_assert!(none.is_none());
        link.load(guard).expect("it was just set")
    });
    beside.header()
}

fn set_stamp(
    link: &Link<StampsHead, AtomicU64>,
    (at, len): (usize, usize),
    (stamp, absent): (u64, u64),
    guard: &Guard<'_>,
) {
    match link.load(guard) {
        Some(column) => column.items()[at].store(stamp, Ordering::Release),
        None if stamp == absent => {}
        None => {
            let column = |i| AtomicU64::new(if i == at { stamp } else { absent });
            let none = link.set(guard.heap().block(StampsHead, len, column));
            debug_assert!(none.is_none());
        }
    }
}

/// Stamps the creation of settled entry `at` of `len`.
pub(super) fn set_born(chunk: Chunk<'_>, at: (usize, usize), stamp: u64, guard: &Guard<'_>) {
    set_stamp(&beside(chunk, guard).born, at, (stamp, SETTLED), guard);
}

/// Stamps the deletion of settled entry `at` of `len`.
pub(super) fn set_died(chunk: Chunk<'_>, at: (usize, usize), stamp: u64, guard: &Guard<'_>) {
    set_stamp(&beside(chunk, guard).died, at, (stamp, NEVER), guard);
}

/// Gives settled entry `at` of `len` another record.
pub(super) fn set_record(chunk: Chunk<'_>, at: (usize, usize), record: u32, guard: &Guard<'_>) {
    let link = &beside(chunk, guard).records;
    match link.load(guard) {
        Some(column) => column.items()[at.0].store(record, Ordering::Release),
        None => {
            let column = |i| AtomicU32::new(if i == at.0 { record } else { UNCHANGED });
            let none = link.set(guard.heap().block(RecordsHead, at.1, column));
            debug_assert!(none.is_none());
        }
    }
}

/// A block that belonged to an unlinked chunk.
pub(super) enum Part {
    Recent(Unlinked<RecentHead, AtomicU64>),
    Beside(Unlinked<BesideHead, ()>),
    Stamps(Unlinked<StampsHead, AtomicU64>),
    Records(Unlinked<RecordsHead, AtomicU32>),
}

/// Takes apart what hung in front of an unlinked chunk.
pub(super) fn for_parts(link: &Link<RecentHead, AtomicU64>, mut give: impl FnMut(Part)) {
    let Some(recent) = link.inherit() else { return };
    if let Some(beside) = recent.header().beside.inherit() {
        let head = beside.header();
        for stamps in [&head.born, &head.died] {
            if let Some(stamps) = stamps.inherit() {
                give(Part::Stamps(stamps));
            }
        }
        if let Some(records) = head.records.inherit() {
            give(Part::Records(records));
        }
        give(Part::Beside(beside));
    }
    give(Part::Recent(recent));
}
