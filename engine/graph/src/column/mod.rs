//! Columns: the settled properties of a page, one typed array a key, and the word in front of each slot (design D7).
//!
//! Owned here: [`Columns`], the settled side of a page and the order in which it is read and folded; the formats in [`encoding`] (written by [`format`]), the
//! table of a page in [`table`], the making of the next table in [`fold`], loops over arrays in [`kernel`]. Called by `page` and
//! `records` (which hold a [`Columns`] each), `view` (reads), `write` and `housekeeping` (under the token of the page's shard).
//!
//! A slot has a *word*: its newest versions, or null. Beneath the last version of the chain lies the row of the page's *table*: the state
//! that everyone agrees on. A fold publishes a table with the values of every version at or below the horizon and then clears
//! the words; a reader looks at the word and then at the table.
//!
//! Why that order suffices. A reader whose chain shows nothing it sees has read either a word from before the fold, and then its
//! snapshot is older than the versions it passed over, which the horizon keeps from being folded, so that both tables say the same of
//! the slot; or a word cleared by the fold (Acquire, from the Release that cleared it), and then it finds the table of that fold or a
//! later one. The bits of recent slots are set before a version is linked and cleared behind the word, so the same holds for a
//! reader who looks at the bits instead of the words.
//!
//! Always holds: tables and columns are immutable once published; a column that a fold does not change is shared with the next
//! table, not copied; a slot whose bit is clear has a null word.
//! Left to others: when a page is folded, and what follows from a state that is gone (`housekeeping`).

pub(crate) mod encoding;
pub(crate) mod fold;
mod format;
pub(crate) mod kernel;
#[cfg(all(test, loom))]
mod model;
pub(crate) mod table;

use crate::ids::PAGE_SLOTS;
use crate::long;
use crate::memory::{Alone, Guard, Heap, Link};
use crate::stamp::Sight;
use crate::state::State;
use crate::sync::{AtomicU32, AtomicU64, Ordering, Padded};
use crate::version::{self, Versions};
use std::sync::atomic::AtomicBool;
use table::{Entry, Table, TableHead};

/// Words of a bit a slot.
pub(crate) const WORDS: usize = PAGE_SLOTS / 64;
/// A bit a slot.
pub(crate) type Bits = [u64; WORDS];

/// The order of reads and folds that the module argues for.
const RIGHT: u8 = 0;
/// The fold clears words before it publishes the table: a model shows what goes wrong.
const CLEARS_FIRST: u8 = 1;
/// The reader looks at the table before the word: likewise.
const TABLE_FIRST: u8 = 2;

/// See the module. `ORDER` is not [`RIGHT`] only in models. What each write changes lies apart from what each read looks at.
pub(crate) struct Columns<const ORDER: u8 = RIGHT> {
    table: Link<TableHead, Entry>,
    written: Padded<Written>,
}

struct Written {
    /// A bit for each slot whose word may not be null.
    recent: [AtomicU64; WORDS],
    /// Versions linked, modulo 2^32.
    changes: AtomicU32,
    /// What `changes` was at the last fold.
    folded: AtomicU32,
    lingers: AtomicBool,
}

impl<const ORDER: u8> Default for Columns<ORDER> {
    fn default() -> Self {
        Columns {
            table: Link::default(),
            written: Padded(Written {
                recent: std::array::from_fn(|_| AtomicU64::new(0)),
                changes: AtomicU32::new(0),
                folded: AtomicU32::new(0),
                lingers: AtomicBool::new(false),
            }),
        }
    }
}

impl<const ORDER: u8> Columns<ORDER> {
    /// What `sight` sees at a slot: nothing if the thing does not exist for it.
    #[inline]
    pub(crate) fn seen<'g>(
        &self,
        at: usize,
        word: &Versions,
        sight: &Sight<'_>,
        guard: &'g Guard<'_>,
    ) -> Option<State<'g>> {
        let early = if ORDER == TABLE_FIRST {
            Some(self.table.load(guard))
        } else {
            None
        };
        if let Some(version) = version::seen(word, sight, guard) {
            return (!version.header().deleted).then_some(State::Recent(version));
        }
        let table = early.unwrap_or_else(|| self.table.load(guard))?;
        Some(State::Settled(Table(table).row(at)?))
    }

    /// Every state of a slot, newest first, in flight and undone ones included. For the holder of the token, to whom it stands still.
    pub(crate) fn states<'g>(
        &'g self,
        at: usize,
        word: &Versions,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = State<'g>> + use<'g, ORDER> {
        let chain = version::chain(word, guard).map(State::Recent);
        // Only when the chain has been walked to its end: a fold publishes the table before it cuts a chain.
        let row = std::iter::once_with(move || self.table(guard)?.row(at)).flatten();
        chain.chain(row.map(State::Settled))
    }

    /// The newest state of a slot, in flight or not. For the holder of the token.
    pub(crate) fn newest<'g>(
        &self,
        at: usize,
        word: &Versions,
        guard: &'g Guard<'_>,
    ) -> Option<State<'g>> {
        match word.load(guard) {
            Some(version) => Some(State::Recent(version)),
            None => Some(State::Settled(self.table(guard)?.row(at)?)),
        }
    }

    /// The slots that may have something recent, and then the table: in this order what the table says of a slot without its bit
    /// is what every reader sees.
    pub(crate) fn look<'g>(&self, guard: &'g Guard<'_>) -> (Bits, Option<Table<'g>>) {
        let recent = std::array::from_fn(|i| self.recent()[i].load(Ordering::Acquire));
        (recent, self.table(guard))
    }

    /// The present table.
    pub(crate) fn table<'g>(&self, guard: &'g Guard<'_>) -> Option<Table<'g>> {
        self.table.load(guard).map(Table)
    }

    /// A version is about to be linked to a slot's word.
    pub(crate) fn mark(&self, at: usize) {
        self.recent()[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
        self.written.0.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn recent(&self) -> &[AtomicU64; WORDS] {
        &self.written.0.recent
    }

    /// Counts versions linked, so that housekeeping can tell a quiet page.
    pub(crate) fn changes(&self) -> u32 {
        self.written.0.changes.load(Ordering::Relaxed)
    }

    /// How many versions have been linked since the last fold.
    pub(crate) fn changes_since_fold(&self) -> u32 {
        let folded = self.written.0.folded.load(Ordering::Relaxed);
        self.changes().wrapping_sub(folded)
    }

    /// Whether some core waits for the page to be quiet.
    pub(crate) fn lingers(&self) -> &AtomicBool {
        &self.written.0.lingers
    }

    /// A slot's word has become null without a fold.
    pub(crate) fn unmark(&self, at: usize) {
        self.recent()[at / 64].fetch_and(!(1 << (at % 64)), Ordering::Release);
    }

    /// How many slots may have something recent.
    pub(crate) fn recent_slots(&self) -> usize {
        count(&self.recent_bits())
    }

    /// Of the slots that may have something recent, how many have a row beneath it.
    pub(crate) fn recent_rows(&self, guard: &Guard<'_>) -> usize {
        let Some(table) = self.table(guard) else {
            return 0;
        };
        let recent = self.recent_bits();
        count(&std::array::from_fn(|i| recent[i] & table.present()[i]))
    }

    fn recent_bits(&self) -> Bits {
        std::array::from_fn(|i| self.recent()[i].load(Ordering::Relaxed))
    }

    /// Unlinks the table with its columns: nobody needs them after this epoch.
    pub(crate) fn retire(&self, heap: &Heap) {
        if let Some(table) = self.table.take() {
            for column in table.columns() {
                heap.retire_block(column);
            }
            if let Some(exceptions) = table.header().exceptions.inherit() {
                heap.retire_block(exceptions);
            }
            if let Some(longs) = table.header().longs.inherit() {
                long::retire(longs, |_| true, heap);
            }
            heap.retire_block(table);
        }
    }

    /// As [`Columns::retire`], in a teardown.
    pub(crate) fn free(&self, heap: &Heap, alone: &mut Alone) {
        if let Some(table) = self.table.take() {
            for column in table.columns() {
                heap.free_block(column, alone);
            }
            if let Some(exceptions) = table.header().exceptions.inherit() {
                heap.free_block(exceptions, alone);
            }
            long::free(&table.header().longs, heap, alone);
            heap.free_block(table, alone);
        }
    }
}

/// How many bits are set.
fn count(bits: &Bits) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

/// The slots of some bits, ascending.
pub(crate) fn slots(bits: &Bits) -> impl Iterator<Item = usize> + use<'_> {
    bits.iter().enumerate().flat_map(|(i, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(i * 64 + bit)
        })
    })
}

/// Whether a slot's bit is set.
#[inline]
pub(crate) fn has(bits: &Bits, at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
}
