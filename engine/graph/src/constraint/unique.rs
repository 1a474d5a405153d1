//! The hash table behind a unique constraint: from a key's hash to the vertices that have, or had, the key.
//!
//! Owned here: [`UniqueTable`]. Called by `constraint` (claims, checks, look-ups), `schema` (filling).
//! Always holds: for each state of a vertex that has the label and all keys there is an entry in the partition of its key's hash; entries
//! beyond that lead to a record that does not agree, and are left out when their segment is built anew. A partition changes only under
//! the token of the shard of its number; readers take no lock and find every entry whose state their snapshot can see.
//! Left to others: what a key is, and whether a vertex has it: the table keeps no keys.
//!
//! A partition is a linear hash of segments: with `n` of them a hash belongs to segment `hash mod 2^(L+1)`, or if there is none of that
//! number yet, `hash mod 2^L`, where `2^L <= n`. When the partition has more than [`ENTRIES_PER_SEGMENT`] a segment, the next one in
//! turn is split in two, so the largest step moves about twice that many words, whatever the size. A segment is an array of buckets, a cache
//! line each; what finds its bucket full goes into the next one. A look-up is: the segment's place, a bucket, the record.
//!
//! ```text
//! entry   u64: tag (29 bits, never 0: the low bits of the hash) << 35 | vertex id (35 bits); 0 is free
//! ```

use crate::growing::Growing;
use crate::ids::{ShardId, VertexId};
use crate::memory::{Account, Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner, prefetch};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

const ID_BITS: u32 = 35;
const TAG_BITS: u32 = 64 - ID_BITS;
const _: () = assert!(VertexId::MAX.0 < 1 << ID_BITS);
/// Bits of a tag that are left to find the bucket when there are most segments.
const BUCKET_BITS: u32 = 10;
const SEGMENTS_MAX: u32 = 1 << (TAG_BITS - BUCKET_BITS);
const _: () = assert!(SEGMENTS_MAX as usize <= Growing::<Place>::LIMIT);
/// So many that the segments' places stay in a core's own cache, and so few that splitting one takes some tens of microseconds.
const ENTRIES_PER_SEGMENT: u64 = 4096;
const BUCKET: usize = 8;
/// A segment is built this full, in entries a bucket, and built anew above [`FULLEST`].
const FRESH: usize = 5;
const FULLEST: usize = 7;

/// The hash of a key in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    fn tag(self) -> u64 {
        (self.0 & ((1 << TAG_BITS) - 1)).max(1)
    }
}

/// Whether some state of a vertex has a key whose hash is one that the table asks about.
type Agrees<'a> = &'a dyn Fn(VertexId, &dyn Fn(KeyHash) -> bool) -> bool;

/// Entries of a segment that are looked at one by one.
struct Doubt<'a> {
    parts: Range<u32>,
    agrees: Agrees<'a>,
}

impl<'a> Doubt<'a> {
    /// The half of the segment in which a part lies.
    fn of_half(part: u32, agrees: Agrees<'a>) -> Doubt<'a> {
        let half = PARTS / 2;
        let first = part / half * half;
        Doubt {
            parts: first..first + half,
            agrees,
        }
    }

    fn of_part(part: u32, agrees: Agrees<'a>) -> Doubt<'a> {
        Doubt {
            parts: part..part + 1,
            agrees,
        }
    }

    fn is_about(&self, tag: u64) -> bool {
        self.parts.contains(&part_of(tag))
    }
}

/// A segment is looked through for stale entries in so many steps, since each entry costs a look at its record, under the token.
const PARTS: u32 = 16;

fn part_of(tag: u64) -> u32 {
    bucket_of(tag, PARTS as usize) as u32
}

/// One cache line of entries.
#[repr(align(64))]
struct Bucket([AtomicU64; BUCKET]);

struct SegmentHead {
    /// How many low bits all tags in it share.
    bits: u32,
    len: AtomicU32,
}

impl Charged for SegmentHead {
    const OWNER: MemoryOwner = MemoryOwner::Indexes;
}

/// A segment's place in its partition.
#[derive(Default)]
struct Place {
    link: Link<SegmentHead, Bucket>,
    /// How many buckets the segment has, or had a moment ago: with it a look-up can ask for its bucket and for the segment's head at once.
    buckets: AtomicU32,
}

type Segment<'g> = BlockRef<'g, SegmentHead, Bucket>;

/// See the module. `ORDERED` is false only in the model that shows what the order of a split is for.
pub(crate) struct UniqueTable<const ORDERED: bool = true> {
    partitions: Box<[Partition]>,
    hasher: RandomState,
    account: Arc<Account>,
}

#[derive(Default)]
struct Partition {
    /// How many segments there are, less one.
    more: AtomicU32,
    segments: Growing<Place>,
    entries: AtomicU64,
    /// How many entries at most have come to lead to a record that does not agree since the last look through all.
    stale: AtomicU64,
    /// Of a look through all: the parts that are left, the segments there were when it began, and what was stale then.
    left: AtomicU32,
    looked_among: AtomicU32,
    stale_before: AtomicU64,
    /// The part that is looked through for stale entries next: [`PARTS`] of the first segment, then those of the second.
    sweep: AtomicU32,
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The segment of a tag among `n`.
fn segment_of(tag: u64, n: u32) -> u32 {
    let level = n.ilog2();
    let wide = (tag & mask(level + 1)) as u32;
    if wide < n {
        wide
    } else {
        (tag & mask(level)) as u32
    }
}

/// The entries of a segment, in no order.
fn entries(segment: Segment<'_>) -> impl Iterator<Item = u64> + '_ {
    let slots = segment.items().iter().flat_map(|bucket| &bucket.0);
    slots
        .map(|slot| slot.load(Ordering::Relaxed))
        .filter(|&entry| entry != 0)
}

/// Where a tag's entries begin.
fn bucket_of(tag: u64, buckets: usize) -> usize {
    ((tag * buckets as u64) >> TAG_BITS) as usize
}

/// Buckets in which a tag's entries can stand, in the order they fill up.
fn probe(segment: Segment<'_>, tag: u64) -> impl Iterator<Item = &Bucket> {
    let at = bucket_of(tag, segment.items().len());
    let (ahead, behind) = segment.items().split_at(at);
    behind.iter().chain(ahead)
}

impl<const ORDERED: bool> UniqueTable<ORDERED> {
    pub(crate) fn new(shards: u16, account: Arc<Account>) -> UniqueTable<ORDERED> {
        UniqueTable {
            partitions: (0..shards).map(|_| Partition::default()).collect(),
            hasher: RandomState::new(),
            account,
        }
    }

    /// The hash of a key; nobody outside can choose keys that collide, since each table has a seed of its own.
    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(self.hasher.hash_one(key))
    }

    /// The shard whose token guards the entries of a hash.
    pub(crate) fn shard(&self, hash: KeyHash) -> ShardId {
        ShardId(((hash.0 >> 40) % self.partitions.len() as u64) as u16)
    }

    fn partition(&self, hash: KeyHash) -> &Partition {
        &self.partitions[usize::from(self.shard(hash).0)]
    }

    /// Entries, stale ones included.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn entries(&self) -> u64 {
        let entries = self
            .partitions
            .iter()
            .map(|p| p.entries.load(Ordering::Relaxed));
        entries.sum()
    }

    /// The first vertex that `is_it` among those that may have a key of this hash; each may be asked about more than once.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: KeyHash,
        guard: &Guard<'_>,
        mut is_it: impl FnMut(VertexId) -> bool,
    ) -> Option<VertexId> {
        let (partition, tag) = (self.partition(hash), hash.tag());
        'again: loop {
            // Partner of the Release in `split`: whoever finds a segment that was split finds the new number of segments.
            let more = partition.more.load(Ordering::Acquire);
            let number = segment_of(tag, more + 1);
            let place = partition.segments.get(number as usize)?;
            let guess = place.buckets.load(Ordering::Relaxed) as usize;
            let Some(segment) = place.link.load(guard) else {
                if partition.more.load(Ordering::Acquire) != more {
                    continue 'again;
                }
                return None;
            };
            // Without waiting for the head, which says how many buckets there are: a branch is guessed, a number is not.
            if let Some(bucket) = segment.items().get(bucket_of(tag, guess)) {
                prefetch(bucket);
            }
            if tag & mask(segment.header().bits) != u64::from(number) {
                continue 'again;
            }
            for bucket in probe(segment, tag) {
                for slot in &bucket.0 {
                    let entry = slot.load(Ordering::Acquire);
                    if entry == 0 {
                        return None;
                    }
                    let vertex = VertexId(entry & mask(ID_BITS));
                    if entry >> ID_BITS == tag && is_it(vertex) {
                        return Some(vertex);
                    }
                }
            }
            return None;
        }
    }

    /// Adds a vertex under a hash; the token of [`UniqueTable::shard`] is held. `agrees` says whether some state of a vertex still has a
    /// key of a hash that shares the hash's tag.
    pub(crate) fn insert(
        &self,
        hash: KeyHash,
        vertex: VertexId,
        guard: &Guard<'_>,
        agrees: Agrees<'_>,
    ) {
        let partition = self.partition(hash);
        let entry = hash.tag() << ID_BITS | vertex.0;
        let n = partition.more.load(Ordering::Relaxed) + 1;
        let number = segment_of(hash.tag(), n);
        let place = partition.segments.get_or_make(number as usize);
        if place.link.load(guard).is_none_or(|segment| {
            segment.header().len.load(Ordering::Relaxed) as usize + 1
                > segment.items().len() * FULLEST
        }) {
            let stale = partition.stale.load(Ordering::Relaxed);
            let entries = partition.entries.load(Ordering::Relaxed);
            // Looking at records costs: only where some can be expected to be stale.
            let doubted =
                (stale > entries / 8).then(|| Doubt::of_half(part_of(hash.tag()), agrees));
            partition.rebuild(number, bits_of(number, n), 1, guard, doubted);
        }
        let segment = place.link.load(guard).expect("it was just built");
        for slot in probe(segment, hash.tag()).flat_map(|bucket| &bucket.0) {
            match slot.load(Ordering::Relaxed) {
                0 => {
                    slot.store(entry, Ordering::Release);
                    segment.header().len.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                present if present == entry => return,
                _ => {}
            }
        }
        let entries = partition.entries.fetch_add(1, Ordering::Relaxed) + 1;
        if entries > u64::from(n) * ENTRIES_PER_SEGMENT && n < SEGMENTS_MAX {
            partition.split::<ORDERED>(n, guard);
        }
    }

    /// Splits the first segment, however few entries there are.
    #[cfg(all(test, loom))]
    fn split_first(&self, guard: &Guard<'_>) {
        self.partitions[0].split::<ORDERED>(1, guard);
    }

    /// A state with a key of this hash has gone, and no state of its vertex has the key any more. Needs no token.
    pub(crate) fn note_stale(&self, hash: KeyHash) {
        self.partition(hash).stale.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether enough entries of a shard's partition are stale that looking for them pays.
    pub(crate) fn wants_sweep(&self, shard: ShardId) -> bool {
        let partition = &self.partitions[usize::from(shard.0)];
        let stale = partition.stale.load(Ordering::Relaxed);
        partition.left.load(Ordering::Relaxed) > 0
            || stale > 64.max(partition.entries.load(Ordering::Relaxed) / 8)
    }

    /// Leaves out the stale entries of the next part of a segment of a shard's partition; its token is held. `agrees` as for insertion.
    pub(crate) fn sweep(&self, shard: ShardId, guard: &Guard<'_>, agrees: Agrees<'_>) {
        let partition = &self.partitions[usize::from(shard.0)];
        let n = partition.more.load(Ordering::Relaxed) + 1;
        // Keys go while it is looked for them: what was noted before a look through all began is gone at its end, of the rest nobody
        // knows on which side of the look it was. A look begins again when a split has moved what is ahead of it.
        let left = partition.left.load(Ordering::Relaxed);
        let left = match left {
            0 => {
                let stale = partition.stale.load(Ordering::Relaxed);
                partition.stale_before.store(stale, Ordering::Relaxed);
                n * PARTS
            }
            _ if partition.looked_among.load(Ordering::Relaxed) != n => n * PARTS,
            _ => left,
        };
        partition.looked_among.store(n, Ordering::Relaxed);
        partition.left.store(left - 1, Ordering::Relaxed);
        let next = partition.sweep.load(Ordering::Relaxed) % (n * PARTS);
        partition.sweep.store(next + 1, Ordering::Relaxed);
        let (number, part) = (next / PARTS, next % PARTS);
        let doubted = Some(Doubt::of_part(part, agrees));
        partition.rebuild(number, bits_of(number, n), 0, guard, doubted);
        if left == 1 {
            let before = partition.stale_before.load(Ordering::Relaxed);
            partition.stale.fetch_sub(before, Ordering::Relaxed);
        }
    }
}

/// How many low bits the tags of a segment share, among `n`.
fn bits_of(number: u32, n: u32) -> u32 {
    let level = n.ilog2();
    let split = number + (1 << level) < n || number >= 1 << level;
    level + u32::from(split)
}

/// A new segment with these entries and room for `extra`; nothing if there are none.
fn replace(place: &Place, bits: u32, kept: &[u64], extra: usize, heap: &Heap) {
    let old = if kept.len() + extra == 0 {
        place.link.take()
    } else {
        let buckets = (kept.len() + extra).div_ceil(FRESH);
        let mut slots = vec![0u64; buckets * BUCKET];
        for &entry in kept {
            let mut at = bucket_of(entry >> ID_BITS, buckets) * BUCKET;
            while slots[at] != 0 {
                at = (at + 1) % slots.len();
            }
            slots[at] = entry;
        }
        let head = SegmentHead {
            bits,
            len: AtomicU32::new(kept.len() as u32),
        };
        place.buckets.store(buckets as u32, Ordering::Relaxed);
        place.link.set(heap.block(head, buckets, |bucket| {
            Bucket(std::array::from_fn(|slot| {
                AtomicU64::new(slots[bucket * BUCKET + slot])
            }))
        }))
    };
    if let Some(old) = old {
        heap.retire_block(old);
    }
}

impl Partition {
    /// Builds a segment anew, with room for `extra` more, without doubted entries that do not agree.
    fn rebuild(
        &self,
        number: u32,
        bits: u32,
        extra: usize,
        guard: &Guard<'_>,
        doubted: Option<Doubt<'_>>,
    ) {
        let place = self.segments.get_or_make(number as usize);
        let before: Vec<u64> = place
            .link
            .load(guard)
            .into_iter()
            .flat_map(entries)
            .collect();
        let kept: Vec<u64> = before
            .iter()
            .copied()
            .filter(|&entry| {
                let tag = entry >> ID_BITS;
                let doubted = doubted.as_ref().filter(|doubt| doubt.is_about(tag));
                doubted.is_none_or(|doubt| {
                    (doubt.agrees)(VertexId(entry & mask(ID_BITS)), &|hash| hash.tag() == tag)
                })
            })
            .collect();
        let gone = (before.len() - kept.len()) as u64;
        if extra == 0 && gone == 0 {
            return;
        }
        self.entries.fetch_sub(gone, Ordering::Relaxed);
        replace(place, bits, &kept, extra, guard.heap());
    }

    /// Adds segment number `n`, with what belongs to it from the one that it splits.
    fn split<const ORDERED: bool>(&self, n: u32, guard: &Guard<'_>) {
        let level = n.ilog2();
        let from = n - (1 << level);
        let place = self.segments.get_or_make(from as usize);
        let (moved, kept): (Vec<u64>, Vec<u64>) = place
            .link
            .load(guard)
            .into_iter()
            .flat_map(entries)
            .partition(|entry| entry >> ID_BITS & mask(level + 1) == u64::from(n));
        let heap = guard.heap();
        if !ORDERED {
            replace(place, level + 1, &kept, 0, heap);
            self.more.store(n, Ordering::Release);
        }
        // In this order: a reader finds the entries that move in the old segment, until it can find them in the new one.
        let fresh = self.segments.get_or_make(n as usize);
        replace(fresh, level + 1, &moved, 0, heap);
        self.more.store(n, Ordering::Release);
        if ORDERED {
            replace(place, level + 1, &kept, 0, heap);
        }
    }
}

impl<const ORDERED: bool> Drop for UniqueTable<ORDERED> {
    /// The last holder is the retired schema, so an epoch has passed since a reader could reach it.
    fn drop(&mut self) {
        let heap = Heap::teardown(self.account.clone());
        Alone::with(self, |table, alone| {
            for place in table.partitions.iter().flat_map(|p| p.segments.iter()) {
                if let Some(segment) = place.link.take() {
                    heap.free_block(segment, alone);
                }
            }
        });
    }
}

#[cfg(all(test, loom))]
#[path = "model.rs"]
mod model;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::{HashMap, HashSet};

    fn all(table: &UniqueTable, hash: KeyHash, guard: &Guard<'_>) -> HashSet<u64> {
        let found = RefCell::new(HashSet::new());
        table.find(hash, guard, |vertex| {
            found.borrow_mut().insert(vertex.0);
            false
        });
        found.into_inner()
    }

    #[test]
    fn entries_that_go_stale_during_a_look_through_all_are_gone_after_the_next() {
        let account = Arc::new(Account::new(1));
        let heap = Heap::new(account.clone(), 0);
        let table: UniqueTable = UniqueTable::new(1, account.clone());
        let hash = |key: u64| table.hash(&key.to_be_bytes());
        let live: RefCell<HashSet<u64>> = RefCell::default();
        let agrees = |vertex: VertexId, has: &dyn Fn(KeyHash) -> bool| {
            live.borrow().contains(&vertex.0) && has(hash(vertex.0))
        };
        let sweep = || {
            let is_wanted = table.wants_sweep(ShardId(0));
            if is_wanted {
                table.sweep(ShardId(0), &heap.enter(), &agrees);
            }
            is_wanted
        };
        for round in 0..8 {
            let ids = round * 20_000..(round + 1) * 20_000;
            for id in ids.clone() {
                live.borrow_mut().insert(id);
                table.insert(hash(id), VertexId(id), &heap.enter(), &agrees);
            }
            for id in ids {
                live.borrow_mut().remove(&id);
                table.note_stale(hash(id));
                if id % 97 == 0 {
                    sweep();
                }
            }
            while sweep() {}
            heap.collect(usize::MAX);
            assert!(
                table.entries() <= 64,
                "{} entries of no keys after {round} rounds",
                table.entries()
            );
        }
    }

    #[test]
    fn every_entry_is_found_while_segments_split_and_stale_ones_leave() {
        let account = Arc::new(Account::new(1));
        let heap = Heap::new(account.clone(), 0);
        let table = UniqueTable::new(3, account.clone());
        let mut keys: HashMap<u64, u64> = HashMap::new();
        let hash = |key: u64| table.hash(&key.to_be_bytes());
        for round in 0..4u64 {
            for id in 0..20_000u64 {
                let key = id + round * 7_000;
                if let Some(old) = keys.insert(id, key)
                    && old != key
                {
                    table.note_stale(hash(old));
                }
                let agrees = |vertex: VertexId, has: &dyn Fn(KeyHash) -> bool| {
                    keys.get(&vertex.0).is_some_and(|&key| has(hash(key)))
                };
                let guard = heap.enter();
                table.insert(hash(key), VertexId(id), &guard, &agrees);
                table.insert(hash(key), VertexId(id), &guard, &agrees);
                assert!(all(&table, hash(key), &guard).contains(&id));
            }
            let guard = heap.enter();
            for (&id, &key) in &keys {
                assert!(
                    all(&table, hash(key), &guard).contains(&id),
                    "{id} under {key}"
                );
            }
            drop(guard);
            heap.collect(usize::MAX);
        }
        assert!(
            table.entries() < 55_000,
            "{} entries of 20,000 keys: stale ones stay",
            table.entries()
        );
        let nothing = |_: VertexId, _: &dyn Fn(KeyHash) -> bool| false;
        for _ in 0..1_000 {
            for shard in 0..3 {
                table.sweep(ShardId(shard), &heap.enter(), &nothing);
            }
        }
        heap.collect(usize::MAX);
        assert_eq!(table.entries(), 0);
        assert_eq!(account.live_bytes(), 0, "empty segments take no memory");
        assert_eq!(all(&table, hash(1), &heap.enter()), HashSet::new());
    }

    #[test]
    fn a_segment_says_which_tags_are_its_own() {
        for n in 1..200u32 {
            for tag in 1..4_000u64 {
                let number = segment_of(tag, n);
                assert!(number < n);
                assert_eq!(tag & mask(bits_of(number, n)), u64::from(number));
            }
        }
    }
}
