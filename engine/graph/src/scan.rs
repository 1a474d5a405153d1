//! Scans: the vertices of a page at once, and their properties as columns.
//!
//! Owned here: [`PageView`] and [`Selection`]. Called by `query` (scans and aggregates), `view` (`scan_page`).
//! Always holds: a selection is what asking each vertex would say; slots without anything recent are answered from the page's arrays
//! alone, the others one by one.
//! Left to others: which pages (`View::pages`).

use crate::column::encoding::Column;
use crate::column::kernel::{self, Summary};
use crate::column::table::Table;
use crate::column::{Bits, WORDS, has, slots};
use crate::ids::{KeyId, LabelId, LabelSetId, PAGE_SLOTS, PageId, VertexId};
use crate::long::{self, LongList, LongValue};
use crate::page::Page;
use crate::state::State;
use crate::value::ValueRef;
use crate::value::codec::Properties;
use crate::version::Record;
use crate::view::View;

/// A page as one transaction sees it. It holds pointers: for one batch, as its view.
#[derive(Clone, Copy)]
pub struct PageView<'e> {
    view: View<'e>,
    page: Page<'e>,
    /// Slots that may have something recent, looked at before the table.
    recent: Bits,
    table: Option<Table<'e>>,
}

/// Vertices of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// By the arrays.
    settled: Bits,
    /// By asking them.
    recent: Bits,
}

impl Selection {
    /// Slots that the page's arrays speak for.
    pub(crate) fn settled(&self) -> &Bits {
        &self.settled
    }

    /// Slots with something recent.
    pub(crate) fn recent(&self) -> &Bits {
        &self.recent
    }

    /// A bit for each of its slots.
    pub fn bits(&self) -> Bits {
        std::array::from_fn(|i| self.settled[i] | self.recent[i])
    }

    /// Those of its vertices whose bits are set.
    #[must_use]
    pub fn narrowed(&self, to: &Bits) -> Selection {
        Selection {
            settled: std::array::from_fn(|i| self.settled[i] & to[i]),
            recent: std::array::from_fn(|i| self.recent[i] & to[i]),
        }
    }

    /// How many vertices it has.
    pub fn count(&self) -> u64 {
        let words = self.settled.iter().chain(&self.recent);
        words.map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The slots, ascending.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        let all = self.bits();
        (0..WORDS).flat_map(move |i| {
            let mut left = all[i];
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(i * 64 + bit)
            })
        })
    }
}

impl<'e> View<'e> {
    /// A page, if there is one of this number.
    pub fn page(&self, id: PageId) -> Option<PageView<'e>> {
        let page = self.graph().directory.page(id, self.guard())?;
        let (recent, table) = page.header().columns.look(self.guard());
        Some(PageView {
            view: *self,
            page,
            recent,
            table,
        })
    }

    /// Appends the vertices of a page that exist for this transaction and have the label (`None`: all), ascending.
    pub fn scan_page(&self, page: PageId, label: Option<LabelId>, out: &mut Vec<VertexId>) {
        if let Some(page) = self.page(page) {
            let selection = page.select(label);
            out.extend(selection.slots().map(|at| page.vertex_id(at)));
        }
    }
}

impl<'e> PageView<'e> {
    /// Its number.
    pub fn id(&self) -> PageId {
        self.page.header().id
    }

    /// The vertex of a slot.
    pub fn vertex_id(&self, slot: usize) -> VertexId {
        VertexId::new(self.id(), slot)
    }

    /// The vertices that exist for this transaction and have the label (`None`: all).
    pub fn select(&self, label: Option<LabelId>) -> Selection {
        self.select_of(&[u64::MAX; WORDS], label)
    }

    /// Those of some slots whose vertex exists for this transaction and has the label (`None`: all).
    pub fn select_of(&self, of: &[u64; PAGE_SLOTS / 64], label: Option<LabelId>) -> Selection {
        let sets = &self.view.graph().label_sets;
        let asked = |set: LabelSetId| {
            label.is_none_or(|label| sets.labels(set).binary_search(&label).is_ok())
        };
        let home = self.page.header().labels;
        let home_asked = asked(home);
        let has_label = |set| if set == home { home_asked } else { asked(set) };
        let mut settled: Bits = [0; WORDS];
        if let Some(table) = self.table {
            if home_asked {
                settled = *table.present();
            }
            for &(at, set) in table.exceptions() {
                let (word, bit) = (usize::from(at) / 64, 1 << (at % 64));
                if has_label(set) {
                    settled[word] |= bit;
                } else {
                    settled[word] &= !bit;
                }
            }
        }
        let mut recent: Bits = [0; WORDS];
        for (i, &word) in self.recent.iter().enumerate() {
            settled[i] &= of[i] & !word;
        }
        let asked: Bits = std::array::from_fn(|i| self.recent[i] & of[i]);
        for at in slots(&asked) {
            if self.state(at).is_some_and(|s| has_label(s.label_set())) {
                recent[at / 64] |= 1 << (at % 64);
            }
        }
        Selection { settled, recent }
    }

    fn state(&self, slot: usize) -> Option<State<'e>> {
        self.view.state(self.vertex_id(slot))
    }

    /// One property of a vertex of a selection.
    #[inline]
    pub fn property(&self, slot: usize, key: KeyId) -> Option<ValueRef<'e>> {
        if has(&self.recent, slot) {
            return self.state(slot)?.get(key);
        }
        self.table?.row(slot)?.get(key)
    }

    /// Takes the values of a key into a summary, for the vertices of a selection of this page.
    pub fn summarize(&self, selection: &Selection, key: KeyId, into: &mut Summary) {
        match self.table.and_then(|table| table.column(key)) {
            Some(column) => into.add_column(column, &selection.settled),
            None => {
                if let Some(rest) = self.table.and_then(Table::rest) {
                    let rows = slots(&selection.settled);
                    let values = rows.filter_map(|at| rest_of(rest, at).get(key));
                    values.for_each(|value| into.add(value));
                }
            }
        }
        for (_, value) in self.long_values(selection, key) {
            into.add(long::value(value));
        }
        let recent = slots(&selection.recent).filter_map(|at| self.property(at, key));
        recent.for_each(|value| into.add(value));
    }

    /// The long values of a key in the rows of a selection.
    fn long_values<'s>(
        &self,
        selection: &'s Selection,
        key: KeyId,
    ) -> impl Iterator<Item = (usize, LongValue<'e>)> + use<'e, 's> {
        let longs = self.table.map_or(LongList::default(), Table::longs);
        longs
            .of_key(key)
            .filter(|(at, _)| has(&selection.settled, *at))
    }

    /// The column of a key, if it has one of its own here.
    pub(crate) fn settled_column(&self, key: KeyId) -> Option<Column<'e>> {
        self.table?.column(key)
    }

    /// Whether some row has properties without a column.
    pub(crate) fn has_rest(&self) -> bool {
        self.table.is_some_and(|table| table.rest().is_some())
    }

    /// The slots of a selection whose value of a key is a long one.
    pub(crate) fn long_slots<'s>(
        &self,
        selection: &'s Selection,
        key: KeyId,
    ) -> impl Iterator<Item = usize> + use<'e, 's> {
        self.long_values(selection, key).map(|(at, _)| at)
    }

    /// How many vertices of a selection of this page have a value of a key: `count(n.p)`.
    pub fn count_values(&self, selection: &Selection, key: KeyId) -> u64 {
        let table = self.table;
        let short = match table.and_then(|table| table.column(key)) {
            Some(column) => kernel::count_values(column, &selection.settled),
            None => {
                let rest = table.and_then(Table::rest).into_iter();
                let rows =
                    rest.flat_map(|rest| slots(&selection.settled).map(move |at| (rest, at)));
                rows.filter(|(rest, at)| rest_of(*rest, *at).get(key).is_some())
                    .count() as u64
            }
        };
        let recent = slots(&selection.recent).filter(|&at| self.property(at, key).is_some());
        short + self.long_values(selection, key).count() as u64 + recent.count() as u64
    }
}

/// The properties of a row that have no column.
fn rest_of<'e>(rest: Column<'e>, at: usize) -> Properties<'e> {
    Properties::trusted(rest.bytes(at))
}
