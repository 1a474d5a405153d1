//! Keys that have been seen, numbered as they were met: what grouping, `DISTINCT`, joins and `toSet()` look up in.
//!
//! Keys are as many values each, and equal by equivalence (null is null, 1 is 1.0). They lie in pieces one behind the other, so that a key that is known costs no
//! allocation, a new one is kept once, and many keys are never moved in one go.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::DefaultHashBuilder;
use quoit_graph::value::Value;

use super::pieces::Pieces;
use super::segments::Segments;

/// Bytes of a value in a table, with its part of the table; what it points to is not counted.
pub const VALUE_BYTES: u64 = 40;

/// See the module.
pub struct SeenKeys {
    width: usize,
    keys: Pieces<Value>,
    table: Segments<u32>,
    hasher: DefaultHashBuilder,
}

impl SeenKeys {
    /// For keys of so many values.
    pub fn new(width: usize) -> SeenKeys {
        SeenKeys {
            width,
            keys: Pieces::new(width),
            table: Segments::default(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Estimated bytes of one more.
    pub fn key_bytes(&self) -> u64 {
        self.width as u64 * VALUE_BYTES + 8
    }

    /// Forgets all, and gives their memory back.
    pub fn clear(&mut self) {
        *self = SeenKeys::new(self.width);
    }

    /// The values of a key.
    pub fn key(&self, number: usize) -> &[Value] {
        self.keys.row(number)
    }

    /// The values of all keys, in the order in which they were met.
    pub fn into_values(self) -> impl Iterator<Item = Value> {
        self.keys.into_iter()
    }

    /// The number of a key, if it has been seen.
    pub fn find(&self, key: &[Value]) -> Option<usize> {
        self.find_hashed(hash(&self.hasher, key), key)
    }

    fn find_hashed(&self, hashed: u64, key: &[Value]) -> Option<usize> {
        let same = |number: &u32| self.key(*number as usize) == key;
        let found = self.table.find(hashed, same);
        found.map(|number| *number as usize)
    }

    /// The number of a key, and whether it is new.
    pub fn number(&mut self, key: &[Value]) -> (usize, bool) {
        let hashed = hash(&self.hasher, key);
        if let Some(known) = self.find_hashed(hashed, key) {
            return (known, false);
        }
        let new = self.keys.len();
        self.keys.push(key.iter().cloned());
        let SeenKeys { keys, hasher, .. } = self;
        self.table.insert_unique(hashed, new as u32, |number| {
            hash(hasher, keys.row(*number as usize))
        });
        (new, true)
    }
}

fn hash(hasher: &DefaultHashBuilder, key: &[Value]) -> u64 {
    let mut state = hasher.build_hasher();
    key.iter().for_each(|value| value.hash(&mut state));
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_keys_are_one_and_none_is_lost() {
        let mut seen = SeenKeys::new(2);
        let key = |a: i64, b: Value| [Value::Int(a), b];
        for n in 0..5_000 {
            assert_eq!(seen.number(&key(n % 500, Value::Int(n % 7))).1, n < 3_500);
        }
        let float = [Value::Float(3.0), Value::Float(3.0)];
        assert_eq!(seen.find(&float), seen.find(&key(3, Value::Int(3))));
        assert!(seen.number(&key(1, Value::Null)).1);
        assert!(!seen.number(&key(1, Value::Null)).1);
        assert_eq!(seen.len(), 3_501);
        assert_eq!(seen.find(&key(1, Value::Bool(true))), None);
        assert_eq!(seen.key(0), key(0, Value::Int(0)));
        seen.clear();
        assert!(seen.number(&key(0, Value::Int(0))).1);
    }

    #[test]
    fn keys_without_values_are_one_key() {
        let mut seen = SeenKeys::new(0);
        assert_eq!(seen.number(&[]), (0, true));
        assert_eq!(seen.number(&[]), (0, false));
    }
}
