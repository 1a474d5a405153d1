//! A hash table that grows a little at a time: some hundred small tables, each for the hashes that share some bits.
//!
//! Used by what looks rows up by their keys (`seen`, `int_set`), and by searches that know what they have reached (`search`). What always holds: once there are many entries no insertion moves more than the
//! entries of one part, about one in [`PARTS`], so that a table of millions never holds up what else its core does.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::{SmallVec, smallvec};

/// Parts of a table that has been divided.
const PARTS: usize = 1024;

/// Entries at which a table is divided.
const DIVIDED_AT: usize = 1 << 14;

/// Bits of a hash that say which part an entry is in: neither those that say where in the part, nor the tag that is kept of each.
const PART_SHIFT: u32 = 40;

/// See the module.
pub struct Segments<T> {
    /// One part, or [`PARTS`].
    parts: SmallVec<[HashTable<T>; 1]>,
    /// Entries that there is room for.
    capacity: usize,
}

impl<T> Default for Segments<T> {
    fn default() -> Segments<T> {
        Segments {
            parts: smallvec![HashTable::new()],
            capacity: 0,
        }
    }
}

impl<T> Segments<T> {
    /// Entries that there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    fn part(&self, hash: u64) -> usize {
        // There are 2^n parts.
        (hash >> PART_SHIFT) as usize & (self.parts.len() - 1)
    }

    /// The entry of a hash for which `is_it`.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        self.parts[self.part(hash)].find(hash, is_it)
    }

    /// The same, to change what its hash does not depend on.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let part = self.part(hash);
        self.parts[part].find_mut(hash, is_it)
    }

    /// Adds an entry that is not there. `hash_of`: the hash of any entry.
    #[inline]
    pub fn insert_unique(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        let part = self.part(hash);
        let table = &mut self.parts[part];
        if table.len() == table.capacity() {
            self.grow(hash, entry, &hash_of);
        } else {
            table.insert_unique(hash, entry, hash_of);
        }
    }

    /// Adds an entry to a part that is full.
    #[cold]
    fn grow(&mut self, hash: u64, entry: T, hash_of: &impl Fn(&T) -> u64) {
        if self.parts.len() == 1 && self.parts[0].len() >= DIVIDED_AT {
            let whole = std::mem::take(&mut self.parts[0]);
            // With room for twice as many: what is moved now is not moved again at once.
            let room = 2 * whole.len() / PARTS;
            self.parts
                .resize_with(PARTS, || HashTable::with_capacity(room));
            for entry in whole {
                let hash = hash_of(&entry);
                let part = self.part(hash);
                self.parts[part].insert_unique(hash, entry, hash_of);
            }
            self.capacity = self.parts.iter().map(HashTable::capacity).sum();
        }
        let part = self.part(hash);
        let table = &mut self.parts[part];
        let before = table.capacity();
        table.insert_unique(hash, entry, hash_of);
        self.capacity += table.capacity() - before;
    }
}

impl<T> IntoIterator for Segments<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<smallvec::IntoIter<[HashTable<T>; 1]>>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter().flatten()
    }
}

impl<K, V> IntoIterator for SegmentedMap<K, V> {
    type Item = (K, V);
    type IntoIter = <Segments<(K, V)> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.table.into_iter()
    }
}

/// A map that grows a little at a time.
pub struct SegmentedMap<K, V> {
    table: Segments<(K, V)>,
    hasher: DefaultHashBuilder,
    len: usize,
}

impl<K, V> Default for SegmentedMap<K, V> {
    fn default() -> SegmentedMap<K, V> {
        SegmentedMap {
            table: Segments::default(),
            hasher: DefaultHashBuilder::default(),
            len: 0,
        }
    }
}

impl<K: Hash + Eq, V> SegmentedMap<K, V> {
    /// Keys that there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Keys that there is room for.
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        let found = self
            .table
            .find(self.hasher.hash_one(key), |(other, _)| other == key);
        found.map(|(_, value)| value)
    }

    /// Gives a key a value, instead of the one that it may have.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) {
        let SegmentedMap { table, hasher, len } = self;
        let hash = hasher.hash_one(&key);
        match table.find_mut(hash, |(other, _)| *other == key) {
            Some((_, known)) => *known = value,
            None => {
                table.insert_unique(hash, (key, value), |(other, _)| hasher.hash_one(other));
                *len += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(entry: &u64) -> u64 {
        let mixed = entry.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let mut table = Segments::default();
        let many = 8 * DIVIDED_AT as u64;
        for entry in 0..many {
            let new = hash(&entry);
            assert_eq!(table.find(new, |other| *other == entry), None);
            table.insert_unique(new, entry, hash);
        }
        for entry in 0..2 * many {
            let found = table.find(hash(&entry), |other| *other == entry);
            assert_eq!(found.copied(), (entry < many).then_some(entry));
        }
        let all: usize = table.parts.iter().map(HashTable::len).sum();
        assert_eq!(all as u64, many);
        let room: usize = table.parts.iter().map(HashTable::capacity).sum();
        assert_eq!(table.capacity(), room);
    }

    #[test]
    fn an_insertion_moves_few_entries_however_many_there_are() {
        use std::cell::Cell;
        let mut table = Segments::default();
        // While the table is still small, and later.
        let mut most = [0, 0];
        for entry in 0..20 * DIVIDED_AT as u64 {
            let moved = Cell::new(0);
            table.insert_unique(hash(&entry), entry, |other| {
                moved.set(moved.get() + 1);
                hash(other)
            });
            let when = usize::from(entry > 2 * DIVIDED_AT as u64);
            most[when] = most[when].max(moved.get());
        }
        assert!(most[0] <= 2 * DIVIDED_AT, "{} entries", most[0]);
        assert!(most[1] <= 1024, "{} entries", most[1]);
    }

    #[test]
    fn a_key_has_the_value_that_it_was_given_last() {
        let mut map = SegmentedMap::default();
        let many = 3 * DIVIDED_AT;
        for round in 0..2 {
            (0..many).for_each(|key| map.insert(key, key + round));
        }
        assert!((0..many).all(|key| map.get(&key) == Some(&(key + 1))));
        assert_eq!((map.get(&many), map.len()), (None, many));
    }
}
