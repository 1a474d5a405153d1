//! Keys that have been seen, numbered as they were met: what grouping, `DISTINCT` and joins look rows up in.
//!
//! Keys are as many values each, and equal by equivalence (null is null, 1 is 1.0). They lie one behind the other, so that a key that is known costs no
//! allocation and a new one is kept once.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use quoit_graph::value::Value;

/// Bytes of a value in a table, with its part of the table; what it points to is not counted.
pub const VALUE_BYTES: u64 = 40;

/// See the module.
pub struct SeenKeys {
    width: usize,
    len: usize,
    values: Vec<Value>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl SeenKeys {
    /// For keys of so many values.
    pub fn new(width: usize) -> SeenKeys {
        SeenKeys {
            width,
            len: 0,
            values: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
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
        &self.values[number * self.width..(number + 1) * self.width]
    }

    /// The number of a key, if it has been seen.
    pub fn find(&self, key: &[Value]) -> Option<usize> {
        let same = |number: &u32| self.key(*number as usize) == key;
        let found = self.table.find(hash(&self.hasher, key), same);
        found.map(|number| *number as usize)
    }

    /// The number of a key, and whether it is new.
    pub fn number(&mut self, key: &[Value]) -> (usize, bool) {
        let hashed = hash(&self.hasher, key);
        let SeenKeys {
            width,
            len,
            values,
            table,
            hasher,
        } = self;
        let of = |number: u32, values: &[Value]| {
            let from = number as usize * *width;
            from..(from + *width).min(values.len())
        };
        let same = |number: &u32| values[of(*number, values)] == *key;
        if let Some(known) = table.find(hashed, same) {
            return (*known as usize, false);
        }
        let new = *len;
        values.extend_from_slice(key);
        *len += 1;
        table.insert_unique(hashed, new as u32, |number| {
            hash(hasher, &values[of(*number, values)])
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
