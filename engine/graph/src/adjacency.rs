//! Adjacency: the edges of one vertex in one direction, settled and recent (design D5).
//!
//! Owned here: the list block, finding, inserting, stamping, merging, and the reader's iterator. Called by `view` (reads), `write` and
//! `settle` (under the token of the vertex's shard).
//!
//! A list is one block: runs (`type << 32 | end`), then the settled keys of all runs, each run ascending. A key is
//! `neighbour << 28 | ordinal`, eight bytes. The settled part has no stamps, unless some of its entries are young (`born`) or have been
//! deleted (`died`): then a column of stamps lies beside it. New edges go to the `tail`, stamped, in order of arrival.
//!
//! Always holds: a key stands once in a list (ordinals are never reused); a reader that loaded a block finds in it, and in
//! what hangs behind it, every entry that its snapshot knows: what replaced a block since then only holds news for others.
//! Merging goes by size (tail above max(8, degree/8)), forgetting stamps by horizon.
//! Left to others: chunks under a directory for lists of many thousands. Until then a hub is one block: its inserts stay amortised
//! (each merge copies eight entries per insert), its tail is searched entry by entry, and its first deletion after a merge
//! makes a column of eight bytes an entry.

use crate::ids::{CommitSeq, ORDINAL_BITS, TypeId, VertexId};
use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner, Unlinked};
use crate::stamp::{NEVER, SETTLED, Sight, is_below};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The adjacency of a vertex in one direction.
pub(crate) type List = Link<ListHead, u64>;

/// What stands before runs and keys.
#[derive(Default)]
pub(crate) struct ListHead {
    runs: u32,
    /// Entries, settled or in the tail, that some deletion or undoing has marked since the last merge.
    dead: AtomicU32,
    tail: Link<TailHead, Recent>,
    born: Link<Stamps, AtomicU64>,
    died: Link<Stamps, AtomicU64>,
}

impl Charged for ListHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

/// What stands before a column of stamps.
#[derive(Default)]
pub(crate) struct Stamps;

impl Charged for Stamps {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

/// How much of a tail is in use; entries below are complete.
#[derive(Default)]
pub(crate) struct TailHead {
    len: AtomicU32,
}

impl Charged for TailHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

/// A recent edge.
#[derive(Default)]
pub(crate) struct Recent {
    key: AtomicU64,
    created: AtomicU64,
    deleted: AtomicU64,
    type_: AtomicU32,
}

/// The key of an entry.
pub(crate) fn key(neighbour: VertexId, ordinal: u32) -> u64 {
    neighbour.0 << ORDINAL_BITS | u64::from(ordinal)
}

/// The other end that a key names.
pub(crate) fn neighbour(key: u64) -> VertexId {
    VertexId(key >> ORDINAL_BITS)
}

/// The ordinal that a key names.
pub(crate) fn ordinal(key: u64) -> u32 {
    key as u32 & ((1 << ORDINAL_BITS) - 1)
}

type Block<'g> = BlockRef<'g, ListHead, u64>;

fn runs(block: Block<'_>) -> &[u64] {
    &block.items()[..block.header().runs as usize]
}

fn keys(block: Block<'_>) -> &[u64] {
    &block.items()[block.header().runs as usize..]
}

fn run_type(run: u64) -> TypeId {
    TypeId((run >> 32) as u32)
}

fn run_end(run: u64) -> usize {
    run as u32 as usize
}

fn run_of(runs: &[u64], type_: TypeId) -> Option<Range<usize>> {
    let at = runs
        .binary_search_by_key(&type_, |&run| run_type(run))
        .ok()?;
    let start = if at == 0 { 0 } else { run_end(runs[at - 1]) };
    Some(start..run_end(runs[at]))
}

fn tail<'g>(block: Block<'g>, guard: &'g Guard<'_>) -> &'g [Recent] {
    match block.header().tail.load(guard) {
        Some(tail) => &tail.items()[..tail.header().len.load(Ordering::Acquire) as usize],
        None => &[],
    }
}

fn column(stamps: Option<BlockRef<'_, Stamps, AtomicU64>>, at: usize, absent: u64) -> u64 {
    stamps.map_or(absent, |stamps| stamps.items()[at].load(Ordering::Acquire))
}

/// An entry that a writer has found.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'g> {
    block: Block<'g>,
    place: Place<'g>,
}

#[derive(Clone, Copy)]
enum Place<'g> {
    Settled(usize),
    Tail(&'g Recent),
}

impl<'g> Entry<'g> {
    /// The stamp of its creation.
    pub(crate) fn created(&self, guard: &Guard<'_>) -> u64 {
        match self.place {
            Place::Settled(at) => column(self.block.header().born.load(guard), at, SETTLED),
            Place::Tail(recent) => recent.created.load(Ordering::Acquire),
        }
    }

    /// The stamp of its deletion.
    pub(crate) fn deleted(&self, guard: &Guard<'_>) -> u64 {
        match self.place {
            Place::Settled(at) => column(self.block.header().died.load(guard), at, NEVER),
            Place::Tail(recent) => recent.deleted.load(Ordering::Acquire),
        }
    }

    /// Stamps its creation anew: with its number, or as undone.
    pub(crate) fn set_created(&self, stamp: u64, guard: &Guard<'_>) {
        if stamp == NEVER {
            self.block.header().dead.fetch_add(1, Ordering::Relaxed);
        }
        match self.place {
            Place::Settled(at) => {
                let born = self
                    .block
                    .header()
                    .born
                    .load(guard)
                    .expect("an entry in flight has its stamp");
                born.items()[at].store(stamp, Ordering::Release);
            }
            Place::Tail(recent) => recent.created.store(stamp, Ordering::Release),
        }
    }

    /// Stamps its deletion: in flight, with its number, or undone (never).
    pub(crate) fn set_deleted(&self, stamp: u64, guard: &Guard<'_>) {
        let header = self.block.header();
        if stamp != NEVER && self.deleted(guard) == NEVER {
            header.dead.fetch_add(1, Ordering::Relaxed);
        }
        match self.place {
            Place::Settled(at) => {
                if header.died.is_null() {
                    let died = guard
                        .heap()
                        .block(Stamps, keys(self.block).len(), |_| AtomicU64::new(NEVER));
                    died.items()[at].store(stamp, Ordering::Relaxed);
                    let none = header.died.set(died);
                    debug_assert!(none.is_none());
                } else {
                    let died = header.died.load(guard).expect("it is there");
                    died.items()[at].store(stamp, Ordering::Release);
                }
            }
            Place::Tail(recent) => recent.deleted.store(stamp, Ordering::Release),
        }
    }
}

/// The entry of an edge.
pub(crate) fn find<'g>(
    list: &List,
    type_: TypeId,
    key: u64,
    guard: &'g Guard<'_>,
) -> Option<Entry<'g>> {
    let block = list.load(guard)?;
    if let Some(range) = run_of(runs(block), type_)
        && let Ok(at) = keys(block)[range.clone()].binary_search(&key)
    {
        return Some(Entry {
            block,
            place: Place::Settled(range.start + at),
        });
    }
    let recent = tail(block, guard).iter().rev().find(|r| {
        r.key.load(Ordering::Relaxed) == key && r.type_.load(Ordering::Relaxed) == type_.0
    })?;
    Some(Entry {
        block,
        place: Place::Tail(recent),
    })
}

/// All entries, dead ones too, as `(type, key, entry)`.
pub(crate) fn entries<'g>(
    list: &List,
    guard: &'g Guard<'_>,
) -> impl Iterator<Item = (TypeId, u64, Entry<'g>)> + use<'g> {
    let block = list.load(guard);
    let guard: &'g Guard<'_> = guard;
    block.into_iter().flat_map(move |block| {
        let mut run = 0;
        let settled = keys(block).iter().enumerate().map(move |(at, &key)| {
            while run_end(runs(block)[run]) <= at {
                run += 1;
            }
            (
                run_type(runs(block)[run]),
                key,
                Entry {
                    block,
                    place: Place::Settled(at),
                },
            )
        });
        let recent = tail(block, guard).iter().map(move |r| {
            let type_ = TypeId(r.type_.load(Ordering::Relaxed));
            (
                type_,
                r.key.load(Ordering::Relaxed),
                Entry {
                    block,
                    place: Place::Tail(r),
                },
            )
        });
        settled.chain(recent)
    })
}

/// Adds an edge. `horizon` is asked only if the list is merged first.
pub(crate) fn insert(
    list: &List,
    type_: TypeId,
    key: u64,
    created: u64,
    guard: &Guard<'_>,
    horizon: impl FnOnce() -> CommitSeq,
) {
    let heap = guard.heap();
    if let Some(block) = list.load(guard) {
        let settled = keys(block).len();
        let used = tail(block, guard).len();
        if used >= (settled / 8).max(8) {
            merge(list, guard, horizon());
        }
    }
    let block = list.load(guard).unwrap_or_else(|| {
        let none = list.set(heap.block(ListHead::default(), 0, |_| 0));
        debug_assert!(none.is_none());
        list.load(guard).expect("it was just set")
    });
    let header = block.header();
    let used = tail(block, guard);
    let room = header.tail.load(guard).map_or(0, |tail| tail.items().len());
    if used.len() == room {
        let cap = (room * 2).clamp(2, (keys(block).len() / 8).max(8).max(room + 1));
        let larger = heap.block(
            TailHead {
                len: AtomicU32::new(room as u32),
            },
            cap,
            |_| Recent::default(),
        );
        for (to, from) in larger.items().iter().zip(used) {
            to.fill(
                from.type_.load(Ordering::Relaxed),
                from.key.load(Ordering::Relaxed),
                from.created.load(Ordering::Relaxed),
                from.deleted.load(Ordering::Relaxed),
            );
        }
        if let Some(old) = header.tail.set(larger) {
            heap.retire_block(old);
        }
    }
    let tail = header.tail.load(guard).expect("it has room");
    tail.items()[used.len()].fill(type_.0, key, created, NEVER);
    // Publishes the entry; partner: the Acquire in `tail`.
    tail.header()
        .len
        .store(used.len() as u32 + 1, Ordering::Release);
}

impl Recent {
    fn fill(&self, type_: u32, key: u64, created: u64, deleted: u64) {
        self.type_.store(type_, Ordering::Relaxed);
        self.key.store(key, Ordering::Relaxed);
        self.created.store(created, Ordering::Relaxed);
        self.deleted.store(deleted, Ordering::Relaxed);
    }
}

/// Lists up to this many entries are merged whenever something in them can be forgotten.
const SMALL: usize = 64;

/// Merges if something can be forgotten and it is worth the copy; called when something in the list fell below the horizon.
pub(crate) fn tidy(list: &List, guard: &Guard<'_>, horizon: CommitSeq) {
    let Some(block) = list.load(guard) else {
        return;
    };
    let header = block.header();
    let recent = tail(block, guard).len();
    let dead = header.dead.load(Ordering::Relaxed) as usize;
    if header.tail.is_null() && header.born.is_null() && header.died.is_null() {
        return;
    }
    let total = keys(block).len() + recent;
    if total <= SMALL || (recent + dead) * 8 >= total {
        merge(list, guard, horizon);
    }
}

/// Builds the list anew: the tail sorted in, the dead below the horizon left out, stamps below it forgotten.
fn merge(list: &List, guard: &Guard<'_>, horizon: CommitSeq) {
    struct Kept {
        type_: TypeId,
        key: u64,
        created: u64,
        deleted: u64,
    }
    let heap = guard.heap();
    let keep = |(type_, key, entry): (TypeId, u64, Entry<'_>)| {
        let (created, deleted) = (entry.created(guard), entry.deleted(guard));
        let gone = created == NEVER || is_below(deleted, horizon);
        let created = if is_below(created, horizon) {
            SETTLED
        } else {
            created
        };
        (!gone).then_some(Kept {
            type_,
            key,
            created,
            deleted,
        })
    };
    let Some(block) = list.load(guard) else {
        return;
    };
    let mut kept: Vec<Kept> = entries(list, guard).filter_map(keep).collect();
    // The settled part comes sorted; the stable sort merges runs.
    kept.sort_by_key(|k| (k.type_, k.key));
    debug_assert!(
        kept.windows(2)
            .all(|w| (w[0].type_, w[0].key) < (w[1].type_, w[1].key))
    );

    let old = if kept.is_empty() {
        list.take()
    } else {
        let mut runs: Vec<u64> = Vec::new();
        for (at, entry) in kept.iter().enumerate() {
            let run = u64::from(entry.type_.0) << 32 | (at as u64 + 1);
            match runs.last_mut() {
                Some(last) if run_type(*last) == entry.type_ => *last = run,
                _ => runs.push(run),
            }
        }
        let stamps = |absent: u64, of: fn(&Kept) -> u64| {
            if kept.iter().all(|k| of(k) == absent) {
                Link::default()
            } else {
                Link::owning(heap.block(Stamps, kept.len(), |at| AtomicU64::new(of(&kept[at]))))
            }
        };
        let dead = kept.iter().filter(|k| k.deleted != NEVER).count();
        let head = ListHead {
            runs: runs.len() as u32,
            dead: AtomicU32::new(dead as u32),
            tail: Link::default(),
            born: stamps(SETTLED, |k| k.created),
            died: stamps(NEVER, |k| k.deleted),
        };
        let n = runs.len();
        list.set(heap.block(head, n + kept.len(), |at| {
            if at < n { runs[at] } else { kept[at - n].key }
        }))
    };
    let old = old.expect("the list was not empty");
    let _ = block;
    for_parts(old, |part| match part {
        Part::List(x) => heap.retire_block(x),
        Part::Tail(x) => heap.retire_block(x),
        Part::Stamps(x) => heap.retire_block(x),
    });
}

enum Part {
    List(Unlinked<ListHead, u64>),
    Tail(Unlinked<TailHead, Recent>),
    Stamps(Unlinked<Stamps, AtomicU64>),
}

/// Takes an unlinked list apart.
fn for_parts(list: Unlinked<ListHead, u64>, mut give: impl FnMut(Part)) {
    if let Some(tail) = list.header().tail.inherit() {
        give(Part::Tail(tail));
    }
    for stamps in [&list.header().born, &list.header().died] {
        if let Some(stamps) = stamps.inherit() {
            give(Part::Stamps(stamps));
        }
    }
    give(Part::List(list));
}

/// Unlinks a whole list.
pub(crate) fn retire(list: &List, heap: &Heap) {
    if let Some(list) = list.take() {
        for_parts(list, |part| match part {
            Part::List(x) => heap.retire_block(x),
            Part::Tail(x) => heap.retire_block(x),
            Part::Stamps(x) => heap.retire_block(x),
        });
    }
}

/// Frees a whole list at once.
pub(crate) fn free(list: &List, heap: &Heap, alone: &mut Alone) {
    if let Some(list) = list.take() {
        for_parts(list, |part| match part {
            Part::List(x) => heap.free_block(x, alone),
            Part::Tail(x) => heap.free_block(x, alone),
            Part::Stamps(x) => heap.free_block(x, alone),
        });
    }
}

/// A reader's walk over a list: `(type, key)` of what it sees, of some types or all, towards one neighbour or all.
pub(crate) struct Walk<'e, 't> {
    sight: Sight<'e>,
    types: &'t [TypeId],
    towards: Option<VertexId>,
    runs: &'e [u64],
    keys: &'e [u64],
    born: Option<BlockRef<'e, Stamps, AtomicU64>>,
    died: Option<BlockRef<'e, Stamps, AtomicU64>>,
    tail: &'e [Recent],
    run: usize,
    run_start: usize,
    type_: TypeId,
    at: usize,
    end: usize,
}

impl<'e, 't> Walk<'e, 't> {
    /// Over what the list is now; `types` empty means all.
    pub(crate) fn new(
        list: Option<&List>,
        sight: Sight<'e>,
        types: &'t [TypeId],
        towards: Option<VertexId>,
        guard: &'e Guard<'_>,
    ) -> Walk<'e, 't> {
        let mut walk = Walk {
            sight,
            types,
            towards,
            runs: &[],
            keys: &[],
            born: None,
            died: None,
            tail: &[],
            run: 0,
            run_start: 0,
            type_: TypeId(0),
            at: 0,
            end: 0,
        };
        if let Some(block) = list.and_then(|list| list.load(guard)) {
            walk.runs = runs(block);
            walk.keys = keys(block);
            walk.born = block.header().born.load(guard);
            walk.died = block.header().died.load(guard);
            walk.tail = tail(block, guard);
        }
        walk
    }

    fn wanted(&self, type_: TypeId) -> bool {
        self.types.is_empty() || self.types.contains(&type_)
    }

    /// Moves to the next run of a wanted type.
    fn next_run(&mut self) -> bool {
        while let Some(&run) = self.runs.get(self.run) {
            let range = self.run_start..run_end(run);
            self.run += 1;
            self.run_start = range.end;
            if !self.wanted(run_type(run)) {
                continue;
            }
            self.type_ = run_type(run);
            (self.at, self.end) = (range.start, range.end);
            if let Some(vertex) = self.towards {
                let keys = &self.keys[range];
                self.end = self.at + keys.partition_point(|&k| neighbour(k) <= vertex);
                self.at += keys.partition_point(|&k| neighbour(k) < vertex);
            }
            if self.at < self.end {
                return true;
            }
        }
        false
    }

    /// How many it would give; without looking at each entry where nothing is stamped.
    pub(crate) fn count_all(mut self) -> u64 {
        if self.born.is_none() && self.died.is_none() {
            let mut n = 0;
            while self.next_run() {
                n += (self.end - self.at) as u64;
            }
            (self.at, self.end) = (0, 0);
            return n + self.count() as u64;
        }
        self.count() as u64
    }
}

impl Iterator for Walk<'_, '_> {
    type Item = (TypeId, u64);

    #[inline]
    fn next(&mut self) -> Option<(TypeId, u64)> {
        loop {
            while self.at < self.end {
                let at = self.at;
                self.at += 1;
                if self.born.is_some() || self.died.is_some() {
                    let born = column(self.born, at, SETTLED);
                    let died = column(self.died, at, NEVER);
                    if !self.sight.sees(born) || self.sight.sees(died) {
                        continue;
                    }
                }
                return Some((self.type_, self.keys[at]));
            }
            if !self.next_run() {
                break;
            }
        }
        while let Some((recent, rest)) = self.tail.split_first() {
            self.tail = rest;
            let key = recent.key.load(Ordering::Relaxed);
            let type_ = TypeId(recent.type_.load(Ordering::Relaxed));
            if self.towards.is_some_and(|vertex| neighbour(key) != vertex) || !self.wanted(type_) {
                continue;
            }
            if self.sight.sees(recent.created.load(Ordering::Acquire))
                && !self.sight.sees(recent.deleted.load(Ordering::Acquire))
            {
                return Some((type_, key));
            }
        }
        None
    }
}
