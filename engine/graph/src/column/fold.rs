//! Folding: what is recent becomes settled (design D7).
//!
//! Owned here: [`Columns::fold`], and which keys of the next table have a column. Called by `housekeeping`, under the token of the page's shard.
//! Always holds: the row that a fold writes is the newest version at or below the horizon, also where a later one stands in front of
//! it; the table is published before a word is cleared (see `column`); what no reader to come can reach is retired.
//! Left to others: when it pays (`housekeeping`).
//!
//! What a fold copies is bounded by the slots of a page: long values pass from versions to the table by pointer (`draft`, `long`).
//! A key has a column while enough rows have it; other properties lie together, encoded, in the rest of their rows. So a page of things
//! that have little in common costs what their encoded properties cost, and a row is read in a number of steps that the page bounds.

use super::encoding::{Column, ColumnHead};
use super::format;
use super::table::{Entry, LabelException, Table, TableHead};
use super::{Bits, CLEARS_FIRST, Columns, has, slots};
use crate::ids::{CommitSeq, KeyId, LabelSetId, PAGE_SLOTS};
use crate::long::{self, LongEntry, LongList, Longs, LongsHead};
use crate::memory::{Guard, Heap, Link, Owned, Unlinked};
use crate::stamp::{NEVER, in_flight, is_below};
use crate::state::State;
use crate::sync::Ordering;
use crate::value::ValueRef;
use crate::value::codec::{Properties, encode_ref, put_varint};
use crate::version::{self, Version, Versions};
use hashbrown::HashMap;

/// A key gets a column when it is in at least this many rows, and in one of [`COLUMN_SHARE`]; it keeps it down to half of that.
const COLUMN_ROWS: usize = 8;
/// See [`COLUMN_ROWS`].
const COLUMN_SHARE: usize = 16;
/// A column is written anew when it has more than this many values a row that is left.
const STALE_VALUES: usize = 4;

/// A version that becomes a row.
struct Update<'g> {
    at: usize,
    version: Version<'g>,
    /// What stands in front of it.
    front: Option<Version<'g>>,
}

/// What a fold has done.
#[derive(Default)]
pub(crate) struct Folded {
    /// Slots that have neither a word nor a row any more.
    pub(crate) forgotten: Vec<usize>,
    /// Rows that were written, those that only moved with their column included.
    pub(crate) rows: usize,
    /// Bytes that were written.
    pub(crate) bytes: usize,
}

impl<const ORDER: u8> Columns<ORDER> {
    /// How many slots could be folded, counting to `enough`.
    pub(crate) fn foldable<'g>(
        &self,
        word: impl Fn(usize) -> &'g Versions,
        horizon: CommitSeq,
        guard: &'g Guard<'_>,
        enough: usize,
    ) -> usize {
        let recent = self.recent_bits();
        let foldable = slots(&recent).filter(|&at| settled(word(at), horizon, guard).is_some());
        foldable.take(enough).count()
    }

    /// The greatest commit that has a version in front of a row: what the horizon has to reach until all can be folded.
    pub(crate) fn newest_number<'g>(
        &self,
        word: impl Fn(usize) -> &'g Versions,
        guard: &'g Guard<'_>,
    ) -> Option<CommitSeq> {
        let recent = self.recent_bits();
        let stamps = slots(&recent).flat_map(|at| version::chain(word(at), guard));
        let stamps = stamps.map(|version| version.header().stamp());
        let numbers = stamps.filter(|stamp| in_flight(*stamp).is_none() && *stamp != NEVER);
        numbers.max().map(CommitSeq)
    }

    /// Folds every slot whose word (`word`) has a version at or below the horizon; `home` is the label set of most rows. `gone` is told
    /// each state that nobody can read any more, when that is so: versions behind the new row and the row before it.
    pub(crate) fn fold<'g>(
        &self,
        word: impl Fn(usize) -> &'g Versions,
        home: LabelSetId,
        horizon: CommitSeq,
        guard: &'g Guard<'_>,
        mut gone: impl FnMut(usize, State<'g>),
    ) -> Folded {
        let changes = self.changes();
        self.written.0.folded.store(changes, Ordering::Relaxed);
        let recent = self.recent_bits();
        let updates: Vec<Update<'g>> = slots(&recent)
            .filter_map(|at| {
                let (front, version) = settled(word(at), horizon, guard)?;
                Some(Update { at, version, front })
            })
            .collect();
        if updates.is_empty() {
            return Folded::default();
        }
        let heap = guard.heap();
        let old = self.table(guard);
        let next = Next::of(old, &updates, home);
        let (table, replaced, mut folded) = next.build(old, heap);
        let clear = |update: &Update<'g>| match update.front {
            None => {
                version::retire_chain(word(update.at), heap);
                self.unmark(update.at);
            }
            Some(front) => version::retire_chain(&front.header().previous, heap),
        };
        if ORDER == CLEARS_FIRST {
            updates.iter().for_each(clear);
        }
        let before = self.table.set(table);
        if ORDER != CLEARS_FIRST {
            updates.iter().for_each(clear);
        }
        for update in &updates {
            // Retired, but alive for this epoch.
            for version in version::chain(&update.version.header().previous, guard) {
                gone(update.at, State::Recent(version));
            }
            if let Some(row) = old.and_then(|old| old.row(update.at)) {
                gone(update.at, State::Settled(row));
            }
            if update.version.header().deleted && update.front.is_none() {
                folded.forgotten.push(update.at);
            }
        }
        for column in replaced.columns {
            heap.retire_block(column);
        }
        if let Some(exceptions) = replaced.exceptions {
            heap.retire_block(exceptions);
        }
        if let Some(longs) = replaced.longs {
            long::retire(longs, |entry| !next.stays(entry.at()), heap);
        }
        if let Some(before) = before {
            heap.retire_block(before);
        }
        folded
    }
}

/// The newest version of a chain that everyone sees, and the one in front of it.
fn settled<'g>(
    word: &Versions,
    horizon: CommitSeq,
    guard: &'g Guard<'_>,
) -> Option<(Option<Version<'g>>, Version<'g>)> {
    let mut front = None;
    for version in version::chain(word, guard) {
        if is_below(version.header().stamp(), horizon) {
            return Some((front, version));
        }
        front = Some(version);
    }
    None
}

/// What the old table owned and the next does not.
#[derive(Default)]
struct Replaced {
    columns: Vec<Unlinked<ColumnHead, u64>>,
    exceptions: Option<Unlinked<super::table::ExceptionsHead, LabelException>>,
    /// Whose values of rows that stay pass on.
    longs: Option<Unlinked<LongsHead, LongEntry>>,
}

/// A value on its way into a table.
type Value<'g> = (KeyId, u16, ValueRef<'g>);

/// The next table, decided but not yet built.
struct Next<'g, 'u> {
    updates: &'u [Update<'g>],
    home: LabelSetId,
    present: Bits,
    updated: Bits,
    /// One more than the last slot present.
    rows: usize,
    /// The new values, by key and slot.
    values: Vec<Value<'g>>,
}

impl<'g, 'u> Next<'g, 'u> {
    fn of(old: Option<Table<'g>>, updates: &'u [Update<'g>], home: LabelSetId) -> Next<'g, 'u> {
        let mut present = old.map_or([0; super::WORDS], |old| *old.present());
        let mut updated = [0; super::WORDS];
        let mut values: Vec<Value<'g>> = Vec::with_capacity(updates.len() * 4);
        for update in updates {
            let (word, bit) = (update.at / 64, 1u64 << (update.at % 64));
            updated[word] |= bit;
            if update.version.header().deleted {
                present[word] &= !bit;
            } else {
                present[word] |= bit;
                let properties = version::short(update.version).iter();
                values.extend(properties.map(|(key, value)| (key, update.at as u16, value)));
            }
        }
        let values = by_key(&values);
        let rows = slots(&present).last().map_or(0, |last| last + 1);
        Next {
            updates,
            home,
            present,
            updated,
            rows,
            values,
        }
    }

    /// The new values of a key.
    fn of_key(&self, key: KeyId) -> &[Value<'g>] {
        let from = self.values.partition_point(|value| value.0 < key);
        let n = self.values[from..].partition_point(|value| value.0 == key);
        &self.values[from..from + n]
    }

    /// Whether a slot has a row in the next table that this fold does not write.
    fn stays(&self, at: usize) -> bool {
        has(&self.present, at) && !has(&self.updated, at)
    }

    /// Whether some row that is written has another value of the key than before.
    fn differs(&self, column: Column<'_>, new: &[Value<'_>]) -> bool {
        let mut new = new.iter().peekable();
        self.updates.iter().any(|update| {
            let value = new.next_if(|value| usize::from(value.1) == update.at);
            match (column.get(update.at), value) {
                (None, None) => false,
                (Some(before), Some(&(_, _, after))) => !identical(before, after),
                _ => true,
            }
        })
    }

    /// All values of a key: of rows that stay from `before`, of others from the new ones.
    fn gathered(
        &self,
        before: impl Fn(usize) -> Option<ValueRef<'g>>,
        new: &[Value<'g>],
    ) -> Vec<Option<ValueRef<'g>>> {
        let mut all: Vec<Option<ValueRef<'g>>> = (0..self.rows)
            .map(|at| self.stays(at).then(|| before(at)).flatten())
            .collect();
        for &(_, at, value) in new {
            all[usize::from(at)] = Some(value);
        }
        all
    }

    fn build<'h>(
        &self,
        old: Option<Table<'g>>,
        heap: &'h Heap,
    ) -> (Owned<'h, TableHead, Entry>, Replaced, Folded) {
        let live: usize = self.present.iter().map(|w| w.count_ones() as usize).sum();
        let enough = COLUMN_ROWS.max(live / COLUMN_SHARE);
        let mut replaced = Replaced::default();
        let mut folded = Folded::default();
        let mut entries: Vec<Entry> = Vec::new();
        // By slot and key.
        let mut to_rest: Vec<(u16, KeyId, ValueRef<'g>)> = Vec::new();
        let with_column: Vec<KeyId> = old.map_or(Vec::new(), |old| {
            old.columns().map(|(key, _)| key).collect()
        });
        let old_entries = old.map_or(&[][..], |old| old.0.items());
        for (entry, (key, column)) in old_entries
            .iter()
            .zip(old.into_iter().flat_map(Table::columns))
        {
            let new = self.of_key(key);
            let stale = usize::from(column.head().values) > STALE_VALUES * live.max(COLUMN_ROWS);
            if !stale && !self.differs(column, new) {
                entries.push(Entry {
                    key,
                    head: *column.head(),
                    column: Link::to(Some(column.block)),
                });
                continue;
            }
            let all = self.gathered(|at| column.get(at), new);
            if all.iter().flatten().count() * 2 >= enough {
                let (entry, written) = new_entry(key, &all, heap);
                folded.count(self.rows, written);
                entries.push(entry);
            } else {
                to_rest.extend(
                    all.iter()
                        .enumerate()
                        .filter_map(|(at, value)| Some((at as u16, key, (*value)?))),
                );
            }
            replaced.columns.extend(entry.column.inherit());
        }
        let old_rest = old.and_then(Table::rest);
        let mut promoted: Vec<KeyId> = Vec::new();
        let census = self.rest_census(old_rest);
        let mut values = self.values.as_slice();
        while let Some(&(key, _, _)) = values.first() {
            let (new, others) = values.split_at(values.partition_point(|value| value.0 == key));
            values = others;
            if with_column.binary_search(&key).is_ok() {
                continue;
            }
            if new.len() + census.get(&key).copied().unwrap_or(0) >= enough {
                let before = |at| {
                    let rest = old_rest?;
                    Properties::trusted(rest.bytes(at)).get(key)
                };
                let all = self.gathered(before, new);
                let (entry, written) = new_entry(key, &all, heap);
                folded.count(self.rows, written);
                entries.push(entry);
                promoted.push(key);
            } else {
                to_rest.extend(new.iter().map(|&(key, at, value)| (at, key, value)));
            }
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        let rest = match old_rest {
            Some(rest) if !self.rest_differs(rest, &to_rest, &promoted) => {
                Link::to(Some(rest.block))
            }
            _ => {
                let before = old.and_then(|old| old.0.header().rest.inherit());
                replaced.columns.extend(before);
                match self.built_rest(old_rest, to_rest, &promoted, heap) {
                    Some(block) => {
                        folded.count(self.rows, size_of_val(block.as_ref().items()));
                        Link::owning(block)
                    }
                    None => Link::default(),
                }
            }
        };
        let exceptions = self.exceptions(old, &mut replaced, heap);
        let longs = self.longs(old, &mut replaced, &mut folded, heap);
        let head = TableHead {
            present: self.present,
            home: self.home,
            exceptions,
            rest,
            longs,
        };
        let mut entries = entries.into_iter();
        let table = heap.block(head, entries.len(), |_| {
            entries.next().expect("an entry for each")
        });
        (table, replaced, folded)
    }

    /// In how many rows that stay each key of the rest is; nothing where no new value asks for it.
    fn rest_census(&self, rest: Option<Column<'g>>) -> HashMap<KeyId, usize> {
        let mut census = HashMap::new();
        if let Some(rest) = rest.filter(|_| !self.values.is_empty()) {
            for at in (0..self.rows).filter(|&at| self.stays(at)) {
                for (key, _) in Properties::trusted(rest.bytes(at)).raw() {
                    *census.entry(key).or_insert(0) += 1;
                }
            }
        }
        census
    }

    fn rest_differs(
        &self,
        rest: Column<'g>,
        to_rest: &[(u16, KeyId, ValueRef<'g>)],
        promoted: &[KeyId],
    ) -> bool {
        !to_rest.is_empty()
            || !promoted.is_empty()
            || self
                .updates
                .iter()
                .any(|update| !rest.bytes(update.at).is_empty())
    }

    fn built_rest<'h>(
        &self,
        old: Option<Column<'g>>,
        mut added: Vec<(u16, KeyId, ValueRef<'g>)>,
        promoted: &[KeyId],
        heap: &'h Heap,
    ) -> Option<Owned<'h, ColumnHead, u64>> {
        added.sort_unstable_by_key(|&(at, key, _)| (at, key));
        let mut added = added.into_iter().peekable();
        let mut row: Vec<(KeyId, ValueRef<'g>)> = Vec::new();
        let rows: Vec<Vec<u8>> = (0..self.rows)
            .map(|at| {
                row.clear();
                if let Some(old) = old.filter(|_| self.stays(at)) {
                    let kept = Properties::trusted(old.bytes(at)).iter();
                    row.extend(kept.filter(|(key, _)| promoted.binary_search(key).is_err()));
                }
                while let Some((_, key, value)) = added.next_if(|a| usize::from(a.0) == at) {
                    row.push((key, value));
                }
                row.sort_unstable_by_key(|(key, _)| *key);
                let mut bytes = Vec::new();
                for &(key, value) in &row {
                    put_varint(&mut bytes, u64::from(key.0));
                    encode_ref(value, &mut bytes);
                }
                bytes
            })
            .collect();
        format::build_bytes(&rows, heap)
    }

    fn exceptions(
        &self,
        old: Option<Table<'g>>,
        replaced: &mut Replaced,
        heap: &Heap,
    ) -> Link<super::table::ExceptionsHead, LabelException> {
        let before = old.map_or(&[][..], Table::exceptions);
        let kept = before
            .iter()
            .copied()
            .filter(|exception| self.stays(usize::from(exception.0)));
        let new = self
            .updates
            .iter()
            .map(|update| (update.at, update.version.header()));
        let new = new
            .filter(|(_, head)| !head.deleted && head.labels != self.home)
            .map(|(at, head)| (at as u16, head.labels));
        let mut all: Vec<LabelException> = kept.chain(new).collect();
        all.sort_unstable_by_key(|exception| exception.0);
        let old_link = old.map(|old| &old.0.header().exceptions);
        if all == before {
            let same = old.and_then(|old| old.0.follow(&old.0.header().exceptions));
            return Link::to(same);
        }
        replaced.exceptions = old_link.and_then(Link::inherit);
        if all.is_empty() {
            return Link::default();
        }
        Link::owning(heap.block(super::table::ExceptionsHead, all.len(), |i| all[i]))
    }

    /// The long values: of rows that stay they pass on, of others those of the new version are shared with it.
    fn longs(
        &self,
        old: Option<Table<'g>>,
        replaced: &mut Replaced,
        folded: &mut Folded,
        heap: &Heap,
    ) -> Longs {
        let before = old.map_or(LongList::default(), Table::longs);
        let new = |update: &Update<'g>| !version::longs(update.version).is_empty();
        let goes = |entry: &LongEntry| !self.stays(entry.at());
        if !self.updates.iter().any(new) && !before.entries().iter().any(goes) {
            return Link::to(before.0);
        }
        replaced.longs = old.and_then(|old| old.0.header().longs.inherit());
        let mut all: Vec<LongEntry> = Vec::new();
        let mut updates = self.updates.iter().peekable();
        let add = |update: &Update<'g>, all: &mut Vec<LongEntry>| {
            let longs = version::longs(update.version).of_slot(0);
            all.extend(longs.map(|(key, value)| LongEntry::beside(update.at, key, value)));
        };
        for entry in before.entries().iter().filter(|entry| !goes(entry)) {
            while let Some(update) = updates.next_if(|update| update.at < entry.at()) {
                add(update, &mut all);
            }
            let value = before.follow(entry);
            all.extend(value.map(|value| LongEntry::passed(entry.at(), entry.key(), value)));
        }
        updates.for_each(|update| add(update, &mut all));
        if all.is_empty() {
            return Link::default();
        }
        let mut entries = all.into_iter();
        let block = heap.block(LongsHead, entries.len(), |_| {
            entries.next().expect("an entry for each")
        });
        folded.count(0, size_of_val(block.as_ref().items()));
        Link::owning(block)
    }
}

/// The column of values of which some is there, and how many bytes were written for it.
fn new_entry(key: KeyId, values: &[Option<ValueRef<'_>>], heap: &Heap) -> (Entry, usize) {
    let block = format::build(values, heap).expect("some row has a value");
    let written = size_of_val(block.as_ref().items());
    let entry = Entry {
        key,
        head: *block.as_ref().header(),
        column: Link::owning(block),
    };
    (entry, written)
}

const _: () = assert!(PAGE_SLOTS <= 1 << 16);

/// Values that come by slot and key, by key and slot. Slots mostly have the same keys, so a value's place is found by
/// looking behind that of the value before it.
fn by_key<'g>(values: &[Value<'g>]) -> Vec<Value<'g>> {
    // Ascending, with the number of its values, and then with where the next of them goes.
    let mut keys: Vec<(KeyId, usize)> = Vec::new();
    let mut here = 0;
    let mut find = |keys: &[(KeyId, usize)], key: KeyId| {
        let found = match keys.get(here) {
            Some(next) if next.0 == key => Ok(here),
            _ => keys.binary_search_by_key(&key, |next| next.0),
        };
        let (Ok(at) | Err(at)) = found;
        here = if at + 1 < keys.len() { at + 1 } else { 0 };
        found
    };
    for &(key, _, _) in values {
        match find(&keys, key) {
            Ok(at) => keys[at].1 += 1,
            Err(at) => keys.insert(at, (key, 1)),
        }
    }
    let mut start = 0;
    for (_, place) in &mut keys {
        start += std::mem::replace(place, start);
    }
    let mut sorted = values.to_vec();
    for &value in values {
        let at = find(&keys, value.0).expect("every key has been counted");
        sorted[keys[at].1] = value;
        keys[at].1 += 1;
    }
    sorted
}

impl Folded {
    fn count(&mut self, rows: usize, bytes: usize) {
        self.rows = self.rows.max(rows);
        self.bytes += bytes;
    }
}

/// Whether two values are the same to the bit.
fn identical(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Int(a), ValueRef::Int(b)) => a == b,
        (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
        (ValueRef::Float(a), ValueRef::Float(b)) => a.to_bits() == b.to_bits(),
        (ValueRef::String(a), ValueRef::String(b)) => a == b,
        _ if std::mem::discriminant(&a) != std::mem::discriminant(&b) => false,
        _ => {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            encode_ref(a, &mut left);
            encode_ref(b, &mut right);
            left == right
        }
    }
}
