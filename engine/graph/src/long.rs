//! Long values: property values that are too long to be copied with their row, each in a block of its own (design D7).
//!
//! Owned here: the block of a value, the lists of such values that stand beside the encoded properties of a version and beside the
//! columns of a page ([`Longs`]), and how many lists hold a value. Called by `version` and `column` (which own such lists),
//! `draft` (which decides what is long), `state` (reads).
//! A value is written once. Each version and table that has it points to it, so neither an update of another property nor a fold copies it.
//! Always holds: `holders` counts the lists of linked versions and tables that a value stands in; it changes only under the token of
//! the page's shard, and the value is retired with the last of them; entries ascend by slot and key.
//! Left to others: when a list is replaced, and which of its values pass on to the next.

use crate::ids::KeyId;
use crate::memory::{Alone, BlockRef, Charged, Heap, Link, MemoryOwner, Owned, Unlinked};
use crate::value::ValueRef;
use crate::value::codec::Reader;
use std::sync::atomic::{AtomicU32, Ordering};

/// What stands before the encoded value.
pub(crate) struct LongHead {
    holders: AtomicU32,
}

impl Charged for LongHead {
    const OWNER: MemoryOwner = MemoryOwner::LongValues;
}

/// A value as a reader sees it; its items are its encoding.
pub(crate) type LongValue<'g> = BlockRef<'g, LongHead, u8>;

/// What stands before the entries of a list.
pub(crate) struct LongsHead;

impl Charged for LongsHead {
    const OWNER: MemoryOwner = MemoryOwner::LongValues;
}

/// A value of a list.
pub(crate) struct LongEntry {
    /// The slot in the page; 0 in the list of a version.
    at: u16,
    key: KeyId,
    value: Link<LongHead, u8>,
}

/// A list, if there is one.
pub(crate) type Longs = Link<LongsHead, LongEntry>;

/// A new value, for one list.
pub(crate) fn write<'h>(encoded: &[u8], heap: &'h Heap) -> Owned<'h, LongHead, u8> {
    let head = LongHead {
        holders: AtomicU32::new(1),
    };
    heap.block(head, encoded.len(), |i| encoded[i])
}

/// The value that a block holds.
#[inline]
pub(crate) fn value(block: LongValue<'_>) -> ValueRef<'_> {
    let encoded = Reader::new(block.items()).value();
    encoded.expect("a long value was encoded here or checked when it came in")
}

impl LongEntry {
    /// One with a value of its own.
    pub(crate) fn of(at: usize, key: KeyId, value: Owned<'_, LongHead, u8>) -> LongEntry {
        LongEntry {
            at: at as u16,
            key,
            value: Link::owning(value),
        }
    }

    /// One that holds a value beside the lists that do already.
    pub(crate) fn beside(at: usize, key: KeyId, value: LongValue<'_>) -> LongEntry {
        let holders = &value.header().holders;
        holders.store(holders.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        LongEntry::passed(at, key, value)
    }

    /// One that takes the place of an entry of a list that leaves.
    pub(crate) fn passed(at: usize, key: KeyId, value: LongValue<'_>) -> LongEntry {
        LongEntry {
            at: at as u16,
            key,
            value: Link::to(Some(value)),
        }
    }

    /// The slot.
    pub(crate) fn at(&self) -> usize {
        usize::from(self.at)
    }

    /// The key.
    pub(crate) fn key(&self) -> KeyId {
        self.key
    }

    /// The value, if this was the last list that held it.
    fn let_go(&self) -> Option<Unlinked<LongHead, u8>> {
        let value = self.value.inherit()?;
        let holders = &value.header().holders;
        let left = holders.load(Ordering::Relaxed) - 1;
        holders.store(left, Ordering::Relaxed);
        (left == 0).then_some(value)
    }
}

/// Retires a list, and those of its values that `leaves` says do not pass on to another list; none of them may be found through it any more.
pub(crate) fn retire(
    list: Unlinked<LongsHead, LongEntry>,
    leaves: impl Fn(&LongEntry) -> bool,
    heap: &Heap,
) {
    let left = list.items().iter().filter(|entry| leaves(entry));
    for value in left.filter_map(LongEntry::let_go) {
        heap.retire_block(value);
    }
    heap.retire_block(list);
}

/// As [`retire`], for all values, in a teardown.
pub(crate) fn free(longs: &Longs, heap: &Heap, alone: &mut Alone) {
    if let Some(list) = longs.inherit() {
        for value in list.items().iter().filter_map(LongEntry::let_go) {
            heap.free_block(value, alone);
        }
        heap.free_block(list, alone);
    }
}

/// A list as a reader sees it.
#[derive(Clone, Copy, Default)]
pub(crate) struct LongList<'g>(pub(crate) Option<BlockRef<'g, LongsHead, LongEntry>>);

impl<'g> LongList<'g> {
    /// Whether there is no value.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_none()
    }

    /// Its entries.
    pub(crate) fn entries(self) -> &'g [LongEntry] {
        self.0.map_or(&[], |list| list.items())
    }

    /// The value of an entry.
    pub(crate) fn follow(self, entry: &'g LongEntry) -> Option<LongValue<'g>> {
        self.0?.follow(&entry.value)
    }

    /// The value of a slot and key.
    pub(crate) fn get(self, at: usize, key: KeyId) -> Option<LongValue<'g>> {
        let entries = self.entries();
        let found = entries.binary_search_by_key(&(at, key), |entry| (entry.at(), entry.key));
        self.follow(&entries[found.ok()?])
    }

    /// The values of a slot, ascending by key.
    pub(crate) fn of_slot(
        self,
        at: usize,
    ) -> impl Iterator<Item = (KeyId, LongValue<'g>)> + use<'g> {
        let entries = self.entries();
        let from = entries.partition_point(|entry| entry.at() < at);
        let of_slot = entries[from..]
            .iter()
            .take_while(move |entry| entry.at() == at);
        of_slot.filter_map(move |entry| Some((entry.key, self.follow(entry)?)))
    }

    /// The values of a key with their slots, ascending.
    pub(crate) fn of_key(
        self,
        key: KeyId,
    ) -> impl Iterator<Item = (usize, LongValue<'g>)> + use<'g> {
        let of_key = self.entries().iter().filter(move |entry| entry.key == key);
        of_key.filter_map(move |entry| Some((entry.at(), self.follow(entry)?)))
    }
}
