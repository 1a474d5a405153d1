//! A set of integers, made for those that lie close together: a word of bits for each 64 integers of which there is one, words found by hash.
//!
//! Used by `distinct`. What always holds: dense or far apart, an integer costs a bounded number of bytes; the hash is seeded anew for each set, so nobody
//! can choose integers that meet.

use super::segments::SegmentedMap;

/// Bytes of a word with its part of the table.
const WORD_BYTES: u64 = 20;

/// See the module.
#[derive(Default)]
pub struct IntSet {
    words: SegmentedMap<i64, u64>,
    /// The word that was touched last, which may not be in the table yet; integers often follow one another.
    number: i64,
    word: u64,
}

impl IntSet {
    /// Bytes that it keeps, about.
    pub fn bytes(&self) -> u64 {
        self.words.capacity() as u64 * WORD_BYTES
    }

    /// Adds an integer; whether it is new.
    #[inline]
    pub fn insert(&mut self, int: i64) -> bool {
        if int >> 6 != self.number {
            self.turn_to(int >> 6);
        }
        let bit = 1 << (int & 63);
        let is_new = self.word & bit == 0;
        self.word |= bit;
        is_new
    }

    fn turn_to(&mut self, number: i64) {
        if self.word != 0 {
            self.words.insert(self.number, self.word);
        }
        self.number = number;
        self.word = self.words.get(&number).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_new_once() {
        let mut set = IntSet::default();
        let mut expected = std::collections::HashSet::new();
        let mut seed = 11u64;
        for round in 0..30_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let spread = [90, 5_000, i64::MAX][round % 3];
            let int = (seed as i64) % spread;
            assert_eq!(set.insert(int), expected.insert(int), "{int}");
        }
        for edge in [i64::MIN, i64::MAX, 0, -1, 63, 64, -64] {
            assert_eq!(set.insert(edge), expected.insert(edge), "{edge}");
            assert!(!set.insert(edge));
        }
    }

    #[test]
    fn integers_side_by_side_take_little() {
        let mut set = IntSet::default();
        (0..1_000_000).for_each(|int| assert!(set.insert(int)));
        assert!(set.bytes() < 1_000_000);
    }
}
