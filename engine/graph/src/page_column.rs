//! The values of one key on a page as arrays, for loops that are written elsewhere.
//!
//! Owned here: [`PageColumn`] and how [`PageView::column`] fills it. Called by `query` (conditions, groups and aggregates over whole pages).
//! Always holds: a selected slot in neither of the two sets has no value of the key; what the arrays say of a settled slot is what
//! [`PageView::property`] says.
//! Left to others: which slots are selected (`scan`), the formats of columns (`column`).

use crate::column::encoding::Column;
use crate::column::{Bits, WORDS, has, slots};
use crate::ids::KeyId;
use crate::scan::{PageView, Selection};
use crate::value::ValueRef;

pub use crate::column::encoding::{Floats, Offsets};

/// A bit for each slot of a page.
pub type SlotBits = Bits;

/// The slots whose bits are set, ascending.
pub fn each_slot(bits: &SlotBits) -> impl Iterator<Item = usize> + use<'_> {
    slots(bits)
}

/// The values of a key for the vertices of a selection.
pub struct PageColumn<'e> {
    /// Slots whose value lies in `values`.
    pub settled: SlotBits,
    /// Slots whose value, if they have one, has to be asked for with [`PageView::property`].
    pub asked: SlotBits,
    /// Indexed by slots; what stands at slots that are not settled means nothing.
    pub values: ColumnValues<'e>,
}

/// Arrays as they lie; each reaches to the last settled slot at least.
pub enum ColumnValues<'e> {
    /// No slot has one.
    None,
    /// Integers: this base and what is added to it.
    Ints(i64, Offsets<'e>),
    /// Floats.
    Floats(Floats<'e>),
    /// Codes of one byte.
    Codes(Codes<'e>),
    /// Values that do not lie as an array of equal elements.
    Each(OneByOne<'e>),
}

/// Codes of one byte for values of any type.
#[derive(Clone, Copy)]
pub struct Codes<'e> {
    codes: &'e [u8],
    column: Column<'e>,
}

impl<'e> Codes<'e> {
    /// A code a slot. Slots with equal values have equal codes.
    pub fn codes(&self) -> &'e [u8] {
        self.codes
    }

    /// What the code of a settled slot stands for.
    pub fn value(&self, code: u8) -> ValueRef<'e> {
        self.column.coded(code)
    }
}

/// Values that are decoded one at a time.
#[derive(Clone, Copy)]
pub struct OneByOne<'e>(Column<'e>);

impl<'e> OneByOne<'e> {
    /// The value of a slot.
    #[inline]
    pub fn get(&self, slot: usize) -> Option<ValueRef<'e>> {
        self.0.get(slot)
    }
}

impl<'e> PageView<'e> {
    /// The values of a key for a selection of this page.
    pub fn column(&self, selection: &Selection, key: KeyId) -> PageColumn<'e> {
        let mut found = PageColumn {
            settled: [0; WORDS],
            asked: *selection.recent(),
            values: ColumnValues::None,
        };
        match self.settled_column(key) {
            Some(column) => {
                found.settled = column.valid_rows(selection.settled());
                found.values = arrays(column);
            }
            // Keys without a column lie with others in the rest of their rows.
            None if self.has_rest() => {
                for (asked, settled) in found.asked.iter_mut().zip(selection.settled()) {
                    *asked |= settled;
                }
            }
            None => {}
        }
        for slot in self.long_slots(selection, key) {
            debug_assert!(
                !has(&found.settled, slot),
                "a long value stands in no column"
            );
            found.asked[slot / 64] |= 1 << (slot % 64);
        }
        found
    }
}

fn arrays(column: Column<'_>) -> ColumnValues<'_> {
    if let Some(offsets) = column.offsets() {
        return ColumnValues::Ints(column.head().base, offsets);
    }
    if let Some(floats) = column.floats() {
        return ColumnValues::Floats(floats);
    }
    match column.codes() {
        Some(codes) => ColumnValues::Codes(Codes { codes, column }),
        None => ColumnValues::Each(OneByOne(column)),
    }
}
