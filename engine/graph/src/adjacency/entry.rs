//! Entries: what a writer has found in a list, or adds to it.
//!
//! Owned here: [`Entry`], finding one, adding one, all of a list. Called by `write`, `settle` and `view`.
//! Always holds: an entry stays good while the shard's token is held and nothing is inserted into its list: stamping and giving records
//! replace tails, never chunks.
//! Left to others: which of several entries of one key is meant (the caller asks by stamps).

use super::chunk::{self, Settled};
use super::merge::{self, Place};
use super::quiet::Keeper;
use super::recent::{self, Room, TailEntry};
use super::{Chunk, Key, List, NO_RECORD, Side, chunks, directory};
use crate::memory::{Either, Guard};
use crate::stamp::{IN_FLIGHT, NEVER};

/// An entry of a list.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'g> {
    chunk: Chunk<'g>,
    at: At,
}

#[derive(Clone, Copy)]
enum At {
    Settled(usize),
    Tail(usize),
}

impl<'g> Entry<'g> {
    /// The stamp of its creation.
    pub(crate) fn created(&self, guard: &Guard<'_>) -> u64 {
        match self.at {
            At::Settled(at) => recent::columns(self.chunk, guard).born(at),
            At::Tail(at) => recent::tail(self.chunk, guard).created(at),
        }
    }

    /// The stamp of its deletion.
    pub(crate) fn deleted(&self, guard: &Guard<'_>) -> u64 {
        match self.at {
            At::Settled(at) => recent::columns(self.chunk, guard).died(at),
            At::Tail(at) => recent::tail(self.chunk, guard).deleted(at),
        }
    }

    /// The number of its property record.
    pub(crate) fn record(&self, guard: &Guard<'_>) -> Option<u32> {
        let record = match self.at {
            At::Settled(at) => recent::columns(self.chunk, guard)
                .record(at)
                .unwrap_or_else(|| Settled::of(self.chunk).record(at)),
            At::Tail(at) => recent::tail(self.chunk, guard).record(at),
        };
        (record != NO_RECORD).then_some(record)
    }

    /// Stamps its creation anew: with its number, or as undone. `side` says whose list it stands in.
    pub(crate) fn set_created(&self, stamp: u64, side: Side, key: Key, keeper: &Keeper<'_>) {
        look_again(self.chunk, side, key, keeper);
        match self.at {
            At::Settled(at) => recent::set_born(self.chunk, self.place(at), stamp, keeper.guard),
            At::Tail(at) => recent::tail(self.chunk, keeper.guard).set_created(at, stamp),
        }
    }

    /// Stamps its deletion: in flight, with its number, or undone (never). `side` says whose list it stands in.
    pub(crate) fn set_deleted(&self, stamp: u64, side: Side, key: Key, keeper: &Keeper<'_>) {
        self.wake(side, key, keeper);
        match self.at {
            At::Settled(at) => recent::set_died(self.chunk, self.place(at), stamp, keeper.guard),
            At::Tail(at) => recent::set_tail_deleted(self.chunk, at, stamp, keeper.guard),
        }
    }

    /// Gives it a property record, or takes it away. `side` says whose list it stands in.
    pub(crate) fn set_record(
        &self,
        record: Option<u32>,
        side: Side,
        key: Key,
        keeper: &Keeper<'_>,
    ) {
        self.wake(side, key, keeper);
        let record = record.unwrap_or(NO_RECORD);
        match self.at {
            At::Settled(at) => recent::set_record(self.chunk, self.place(at), record, keeper.guard),
            At::Tail(at) => recent::set_tail_record(self.chunk, at, record, keeper.guard),
        }
    }

    fn place(&self, at: usize) -> (usize, usize) {
        (at, Settled::of(self.chunk).len())
    }

    /// Something of the chunk is going to change.
    fn wake(&self, side: Side, key: Key, keeper: &Keeper<'_>) {
        keeper.quiet.written();
        if self.chunk.header().recent.is_null() {
            keeper.quiet.push(side, Some(key));
        } else {
            look_again(self.chunk, side, key, keeper);
        }
    }
}

/// Queues a chunk with something recent, that of `key`, unless it is.
#[inline]
fn look_again(chunk: Chunk<'_>, side: Side, key: Key, keeper: &Keeper<'_>) {
    if recent::set_queued(chunk, true, keeper.guard) {
        keeper.quiet.push(side, Some(key));
    }
}

/// The chunk where a key belongs.
#[inline]
fn chunk_of<'g>(list: &List, key: Key, guard: &'g Guard<'_>) -> Option<Chunk<'g>> {
    Some(match list.load(guard)? {
        Either::First(chunk) => chunk,
        Either::Second(directory) => {
            directory.items()[directory::index(directory, key)].chunk(guard)
        }
    })
}

/// The newest entry of a key that is `meant`, which is asked of each, newest first.
#[inline]
pub(crate) fn find_where<'g>(
    list: &List,
    key: Key,
    guard: &'g Guard<'_>,
    mut meant: impl FnMut(&Entry<'g>) -> bool,
) -> Option<Entry<'g>> {
    let chunk = chunk_of(list, key, guard)?;
    let tail = recent::tail(chunk, guard);
    for at in (0..tail.len()).rev() {
        if tail.key(at) == key {
            let at = At::Tail(at);
            let entry = Entry { chunk, at };
            if meant(&entry) {
                return Some(entry);
            }
        }
    }
    // Looked for only if the tail has none.
    let settled = Settled::of(chunk).find(key).rev().map(At::Settled);
    settled.map(|at| Entry { chunk, at }).find(meant)
}

/// The newest entry of a key whose creation was not undone.
pub(crate) fn find<'g>(list: &List, key: Key, guard: &'g Guard<'_>) -> Option<Entry<'g>> {
    find_where(list, key, guard, |entry| entry.created(guard) != NEVER)
}

/// All entries, dead ones too.
pub(crate) fn entries<'g>(
    list: &List,
    guard: &'g Guard<'_>,
) -> impl Iterator<Item = (Key, Entry<'g>)> + use<'g> {
    let guard: &'g Guard<'_> = guard;
    chunks(Some(list), guard).flat_map(move |chunk| {
        let tail = recent::tail(chunk, guard);
        let recent = (0..tail.len()).map(move |at| {
            let at_tail = At::Tail(at);
            (tail.key(at), Entry { chunk, at: at_tail })
        });
        let settled = chunk::keys(Settled::of(chunk)).enumerate();
        settled
            .map(move |(at, key)| {
                let at = At::Settled(at);
                (key, Entry { chunk, at })
            })
            .chain(recent)
    })
}

/// How many entries of a tail make it worth merging.
#[inline]
pub(super) fn tail_limit(settled: usize) -> usize {
    (settled / 8).clamp(TAIL_LEAST, TAIL_MOST)
}

/// A tail of fewer entries is never merged for its size.
const TAIL_LEAST: usize = 8;
/// The most entries of a tail, also where they are too young for merging to forget anything about them.
const TAIL_MOST: usize = 64;
/// Room for entries that a tail begins with.
const TAIL_FIRST: usize = 4;

/// Adds an entry to the list of `side`.
#[inline]
pub(crate) fn insert(
    list: &List,
    side: Side,
    key: Key,
    created: u64,
    record: Option<u32>,
    keeper: &Keeper<'_>,
) {
    let entry = TailEntry {
        key,
        created,
        deleted: NEVER,
        record: record.unwrap_or(NO_RECORD),
    };
    keeper.quiet.written();
    let chunk = chunk_of(list, key, keeper.guard);
    match chunk {
        Some(chunk) if recent::append(chunk, &entry, keeper.guard) => {
            // What is in flight is looked at when it has its number.
            if created & IN_FLIGHT == 0 {
                look_again(chunk, side, key, keeper);
            }
        }
        _ => insert_with_room(list, side, entry, chunk, keeper),
    }
}

/// As [`insert`], where the chunk has no room for the entry.
#[inline(never)]
fn insert_with_room(
    list: &List,
    side: Side,
    entry: TailEntry,
    chunk: Option<Chunk<'_>>,
    keeper: &Keeper<'_>,
) {
    let (guard, key) = (keeper.guard, entry.key);
    let Some(chunk) = chunk else {
        let room = Room::like(key, entry.record, TAIL_FIRST);
        let first = merge::empty_with_room(room, guard.heap());
        recent::append(first.as_ref(), &entry, guard);
        let none = list.set_first(first);
        debug_assert!(none.is_none());
        return keeper.quiet.push(side, None);
    };
    if chunk.header().recent.is_null() {
        let several = matches!(list.load(guard), Some(Either::Second(_)));
        keeper.quiet.push(side, several.then_some(key));
    }
    let tail = recent::tail(chunk, guard);
    let limit = tail_limit(Settled::of(chunk).len());
    let settles = || 2 * tail.count_below(keeper.active().horizon()) >= tail.len();
    if tail.len() >= TAIL_MOST || (tail.len() >= limit && settles()) {
        let place = Place { side, key };
        let room = Room::like(key, entry.record, TAIL_FIRST);
        merge::merge(list, place, Some(room), keeper);
        let chunk = chunk_of(list, key, guard).expect("it has room for the entry");
        if !recent::append(chunk, &entry, guard) {
            recent::push(chunk, &entry, TAIL_FIRST, guard);
        }
    } else {
        let most = if tail.len() < limit { limit } else { TAIL_MOST };
        let room = (2 * tail.len()).clamp(TAIL_FIRST, most);
        recent::push(chunk, &entry, room, guard);
        look_again(chunk, side, key, keeper);
    }
}
