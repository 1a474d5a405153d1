//! Property records of edges: pages of 1,024 records of one edge type, settled in columns as vertices are (design D5, D7).
//!
//! Owned here: the record page, the way from a number to it, and who gets which record ([`RecordRoom`]). Called by `view` (reads), `write`,
//! `settle` and `housekeeping` (under the token of the shard).
//! An edge that has had a property has a record in the shard of its source; its number stands in the edge's entries on both sides.
//! Always holds: a record belongs to one edge, from the first property on until no snapshot sees the edge; then its number is
//! used again, when every epoch that could have found it in a list is over; records lie in pages by the type of their edges.
//! Left to others: the states of a record (`column`), when a page is folded (`housekeeping`).

use crate::column::{Bits, Columns, WORDS};
use crate::growing::Growing;
use crate::ids::{LabelSetId, PAGE_SLOTS, SLOT_BITS, TypeId};
use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner};
use crate::stamp::Sight;
use crate::state::State;
use crate::version::{self, Versions};
use hashbrown::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Labels of what has none.
pub(crate) const NO_LABELS: LabelSetId = LabelSetId(0);

/// Pages of one shard: the last number is that of no record.
const PAGES_MAX: u32 = (u32::MAX >> SLOT_BITS) - 1;
const _: () = assert!(PAGES_MAX as usize <= Growing::<Link<RecordPageHead, Versions>>::LIMIT);

/// What stands before the records.
pub(crate) struct RecordPageHead {
    number: u32,
    type_: TypeId,
    /// Records in use; only the holder of the token looks at it.
    taken: [AtomicU64; WORDS],
    /// Whether its shard knows that there is room.
    roomy: AtomicBool,
    pub(crate) columns: Columns,
}

impl Charged for RecordPageHead {
    const OWNER: MemoryOwner = MemoryOwner::Columns;
}

/// A page of records.
pub(crate) type RecordPage<'g> = BlockRef<'g, RecordPageHead, Versions>;

impl<'g> RecordPage<'g> {
    /// The newest version of each record, in front of the page's row; see `page::Slot`.
    pub(crate) fn word(self, at: usize) -> &'g Versions {
        &self.items()[at]
    }

    /// Whether every record has been taken.
    pub(crate) fn is_full(self) -> bool {
        !self.header().roomy.load(Ordering::Relaxed)
    }

    /// The number of a record of this page.
    pub(crate) fn number(self, at: usize) -> u32 {
        self.header().number << SLOT_BITS | at as u32
    }

    /// The newest state of a record, undone or not; for the holder of the token.
    pub(crate) fn newest(self, at: usize, guard: &'g Guard<'_>) -> Option<State<'g>> {
        let columns = &self.header().columns;
        columns.newest(at, self.word(at), guard)
    }
}

/// The page of a record's number, and its place there.
pub(crate) fn place(record: u32) -> (u32, usize) {
    (record >> SLOT_BITS, record as usize % PAGE_SLOTS)
}

/// The record pages of one shard.
#[derive(Default)]
pub(crate) struct Records {
    pages: Growing<Link<RecordPageHead, Versions>>,
}

impl Records {
    /// A page, if there is one of this number.
    #[inline]
    pub(crate) fn page<'g>(&self, page: u32, guard: &'g Guard<'_>) -> Option<RecordPage<'g>> {
        self.pages.get(page as usize)?.load(guard)
    }

    /// What `sight` sees of a record's properties; nothing if there are none to see.
    #[inline]
    pub(crate) fn seen<'g>(
        &self,
        record: u32,
        sight: &Sight<'_>,
        guard: &'g Guard<'_>,
    ) -> Option<State<'g>> {
        let (page, at) = place(record);
        let page = self.page(page, guard)?;
        let columns = &page.header().columns;
        columns.seen(at, page.word(at), sight, guard)
    }

    /// Every state of a record, newest first, undone ones included; for the holder of the token.
    pub(crate) fn states<'g>(
        &self,
        record: u32,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = State<'g>> + use<'g> {
        let (page, at) = place(record);
        let page = self.page(page, guard).into_iter();
        page.flat_map(move |page| {
            let columns = &page.header().columns;
            columns.states(at, page.word(at), guard)
        })
    }

    /// Frees everything.
    pub(crate) fn free(&mut self, heap: &Heap) {
        Alone::with(self, |records, alone| {
            for page in records.pages.iter().filter_map(Link::take) {
                for word in page.items() {
                    version::free_chain(word, heap, alone);
                }
                page.header().columns.free(heap, alone);
                heap.free_block(page, alone);
            }
        });
    }
}

/// Which records of a shard are free; touched under its token.
#[derive(Default)]
pub(crate) struct RecordRoom {
    /// Pages with room, by edge type.
    roomy: HashMap<TypeId, Vec<u32>>,
    /// Numbers of pages that have left.
    left: Vec<u32>,
    /// The next number that no page has had.
    next: u32,
}

impl RecordRoom {
    /// Whether `n` more records can be taken, whatever their types: each may be the first of its type and need a page.
    pub(crate) fn has_room(&self, n: usize) -> bool {
        let pages = (PAGES_MAX - self.next) as usize + self.left.len();
        n <= pages
    }

    /// A record for an edge of a type; [`RecordRoom::has_room`] has said that there is one.
    pub(crate) fn take(&mut self, records: &Records, type_: TypeId, guard: &Guard<'_>) -> u32 {
        let roomy = self.roomy.entry(type_).or_default();
        let number = match roomy.last() {
            Some(number) => *number,
            None => {
                let number = self.left.pop().unwrap_or_else(|| {
                    self.next += 1;
                    self.next - 1
                });
                records.make_page(number, type_, guard);
                roomy.push(number);
                number
            }
        };
        let page = records
            .page(number, guard)
            .expect("a page with room exists");
        let taken = &page.header().taken;
        let words = taken.iter().map(|word| word.load(Ordering::Relaxed));
        let (i, word) = words
            .enumerate()
            .find(|(_, word)| *word != u64::MAX)
            .expect("a page with room has a free record");
        let bit = word.trailing_ones() as usize;
        taken[i].store(word | 1 << bit, Ordering::Relaxed);
        if page.taken().iter().all(|word| *word == u64::MAX) {
            page.header().roomy.store(false, Ordering::Relaxed);
            roomy.pop();
        }
        page.number(i * 64 + bit)
    }

    /// Gives a record back that has no state any more; its page leaves with its last one.
    pub(crate) fn release(&mut self, records: &Records, record: u32, guard: &Guard<'_>) {
        let (number, at) = place(record);
        let Some(page) = records.page(number, guard) else {
            return;
        };
        let head = page.header();
        head.taken[at / 64].fetch_and(!(1 << (at % 64)), Ordering::Relaxed);
        let roomy = self.roomy.entry(head.type_).or_default();
        if page.taken() == [0; WORDS] {
            roomy.retain(|other| *other != number);
            self.left.push(number);
            records.retire_page(number, guard.heap());
        } else if !head.roomy.swap(true, Ordering::Relaxed) {
            roomy.push(number);
        }
    }
}

impl RecordPage<'_> {
    fn taken(self) -> Bits {
        let taken = &self.header().taken;
        std::array::from_fn(|i| taken[i].load(Ordering::Relaxed))
    }
}

impl Records {
    fn make_page(&self, number: u32, type_: TypeId, guard: &Guard<'_>) {
        let head = RecordPageHead {
            number,
            type_,
            taken: Default::default(),
            roomy: AtomicBool::new(true),
            columns: Columns::default(),
        };
        let page = guard
            .heap()
            .block(head, PAGE_SLOTS, |_| Versions::default());
        let none = self.pages.get_or_make(number as usize).set(page);
        assert!(none.is_none(), "record page {number} is made twice");
    }

    fn retire_page(&self, number: u32, heap: &Heap) {
        let page = self.pages.get(number as usize).and_then(Link::take);
        if let Some(page) = page {
            page.header().columns.retire(heap);
            heap.retire_block(page);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::Account;
    use std::sync::Arc;

    #[test]
    fn there_is_room_for_records_of_as_many_types_as_there_are_pages() {
        let heap = Heap::new(Arc::new(Account::new(1)), 0);
        let mut records = Records::default();
        let mut room = RecordRoom {
            next: PAGES_MAX - 2,
            left: vec![7],
            ..RecordRoom::default()
        };
        assert!(room.has_room(3) && !room.has_room(4));
        let guard = heap.enter();
        let taken = [0, 1, 2].map(|type_| room.take(&records, TypeId(type_), &guard));
        assert_eq!(taken.map(|record| place(record).1), [0; 3]);
        assert!(taken.iter().all(|record| *record != u32::MAX));
        assert!(!room.has_room(1) && room.has_room(0));
        room.release(&records, taken[1], &guard);
        assert!(room.has_room(1));
        drop(guard);
        records.free(&heap);
        while heap.collect(100) > 0 {}
    }
}
