//! The table of a page: which slots have a settled row, their labels where they differ, and the columns.
//!
//! Owned here: [`Table`] and [`Row`]. Called by `state` (reads), `fold` (which makes the next one), `kernel`.
//! Always holds: entries ascend by key, and so do exceptions by slot; a key is in a column of its own or in the rest of rows, never in
//! both, and where a row's value is long it is in neither, but in the list of long ones; what stands in the columns of a row that is not present means nothing.
//! Left to others: which keys have a column (`fold`).

use super::encoding::{Column, ColumnBlock, ColumnHead};
use super::{Bits, has};
use crate::ids::{KeyId, LabelSetId, PAGE_SLOTS};
use crate::long::{self, LongList, Longs};
use crate::memory::{BlockRef, Charged, Link, MemoryOwner, Unlinked};
use crate::value::ValueRef;
use crate::value::codec::Properties;

/// A slot whose labels are not those of its page.
pub(crate) type LabelException = (u16, LabelSetId);

/// What stands before the exceptions of a page.
pub(crate) struct ExceptionsHead;

impl Charged for ExceptionsHead {
    const OWNER: MemoryOwner = MemoryOwner::Columns;
}

/// What stands before the entries.
pub(crate) struct TableHead {
    /// Slots with a row.
    pub(crate) present: Bits,
    /// The labels of rows that are not exceptions.
    pub(crate) home: LabelSetId,
    pub(crate) exceptions: Link<ExceptionsHead, LabelException>,
    /// Properties whose key has no column, encoded, a row each.
    pub(crate) rest: Link<ColumnHead, u64>,
    /// Long values of all rows and keys.
    pub(crate) longs: Longs,
}

impl Charged for TableHead {
    const OWNER: MemoryOwner = MemoryOwner::Columns;
}

/// A key with its column. What stands before the column's data stands here too, so that the way to a value has a dependent load less.
pub(crate) struct Entry {
    pub(crate) key: KeyId,
    pub(crate) head: ColumnHead,
    pub(crate) column: Link<ColumnHead, u64>,
}

pub(crate) type TableBlock<'g> = BlockRef<'g, TableHead, Entry>;

impl Unlinked<TableHead, Entry> {
    /// The columns it owns, the rest included: for retiring or freeing them with it.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Unlinked<ColumnHead, u64>> {
        let entries = self.items().iter().map(|entry| &entry.column);
        entries
            .chain([&self.header().rest])
            .filter_map(Link::inherit)
    }
}

/// A table as a reader sees it.
#[derive(Clone, Copy)]
pub(crate) struct Table<'g>(pub(crate) TableBlock<'g>);

impl<'g> Table<'g> {
    /// Slots with a row.
    #[inline]
    pub(crate) fn present(self) -> &'g Bits {
        &self.0.header().present
    }

    /// The row of a slot, if it has one.
    #[inline]
    pub(crate) fn row(self, at: usize) -> Option<Row<'g>> {
        has(self.present(), at).then_some(Row {
            table: self,
            at: at as u16,
        })
    }

    /// The column of a key, if it has one of its own.
    #[inline]
    pub(crate) fn column(self, key: KeyId) -> Option<Column<'g>> {
        const FEW: usize = 8;
        let entries = self.0.items();
        let at = if entries.len() <= FEW {
            entries.iter().position(|entry| entry.key == key)?
        } else {
            entries.binary_search_by_key(&key, |entry| entry.key).ok()?
        };
        let block = self.0.follow(&entries[at].column)?;
        Some(Column::with_head(&entries[at].head, block))
    }

    /// The keys with columns, ascending.
    pub(crate) fn columns(self) -> impl Iterator<Item = (KeyId, Column<'g>)> + use<'g> {
        let entries = self.0.items().iter();
        entries.filter_map(move |entry| {
            let column: ColumnBlock<'g> = self.0.follow(&entry.column)?;
            Some((entry.key, Column::with_head(&entry.head, column)))
        })
    }

    /// The rest of rows, if any has one.
    #[inline]
    pub(crate) fn rest(self) -> Option<Column<'g>> {
        self.0.follow(&self.0.header().rest).map(Column::of)
    }

    /// The long values.
    #[inline]
    pub(crate) fn longs(self) -> LongList<'g> {
        LongList(self.0.follow(&self.0.header().longs))
    }

    /// Slots whose labels are not the page's, ascending.
    pub(crate) fn exceptions(self) -> &'g [LabelException] {
        self.0
            .follow(&self.0.header().exceptions)
            .map_or(&[], |block| block.items())
    }
}

/// The settled state of a slot.
#[derive(Clone, Copy)]
pub(crate) struct Row<'g> {
    table: Table<'g>,
    at: u16,
}

const _: () = assert!(PAGE_SLOTS <= 1 << 16);

impl<'g> Row<'g> {
    /// Its labels.
    #[inline]
    pub(crate) fn label_set(self) -> LabelSetId {
        let exceptions = self.table.exceptions();
        if exceptions.is_empty() {
            return self.table.0.header().home;
        }
        match exceptions.binary_search_by_key(&self.at, |exception| exception.0) {
            Ok(i) => exceptions[i].1,
            Err(_) => self.table.0.header().home,
        }
    }

    /// The properties without a column that are not long.
    #[inline]
    pub(crate) fn rest(self) -> Properties<'g> {
        let rest = self.table.rest();
        rest.map_or(Properties::default(), |rest| {
            Properties::trusted(rest.bytes(usize::from(self.at)))
        })
    }

    /// One property.
    #[inline]
    pub(crate) fn get(self, key: KeyId) -> Option<ValueRef<'g>> {
        let short = match self.table.column(key) {
            Some(column) => column.get(self.at()),
            None => self.rest().get(key),
        };
        short.or_else(|| self.longs().get(self.at(), key).map(long::value))
    }

    /// The slot.
    #[inline]
    pub(crate) fn at(self) -> usize {
        usize::from(self.at)
    }

    /// The long properties, with those of other rows.
    #[inline]
    pub(crate) fn longs(self) -> LongList<'g> {
        self.table.longs()
    }

    /// The properties with a column, ascending by key.
    pub(crate) fn columns(self) -> impl Iterator<Item = (KeyId, ValueRef<'g>)> + use<'g> {
        let at = usize::from(self.at);
        let columns = self.table.columns();
        columns.filter_map(move |(key, column)| Some((key, column.get(at)?)))
    }
}
