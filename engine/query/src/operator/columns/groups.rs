//! Numbers for groups: the values of each grouping key are numbered as they are met, and so are the combinations of several keys.
//!
//! Values are the same if they are equivalent (null is null, 1 is 1.0); a group shows the one that was met first. What always holds: every
//! number stands for a value that some selected vertex has.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use quoit_graph::ids::KeyId;
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{ColumnValues, Floats, Offsets, PageView, Selection, SlotBits, each_slot};

use super::SLOTS;

/// A number for each slot of a page; those of slots that are not selected mean nothing.
pub type Numbers = [u32; SLOTS];

/// No number yet.
const UNKNOWN: u32 = u32::MAX;
/// Integers that lie within so many of each other are numbered by a table.
const WINDOW_MAX: i128 = 1 << 16;
/// Estimated bytes of a value with its way to be found.
const VALUE_BYTES: u64 = 64;

/// Numbers for the values of one key.
pub struct ValueNumbers {
    values: Vec<Value>,
    /// Of null.
    null: u32,
    /// Of integers from `first` on, and of floats that equal them.
    window: Vec<u32>,
    first: i64,
    /// Of other integers, and of floats that equal them.
    integers: HashMap<i64, u32>,
    /// Of texts, by their hash.
    texts: HashTable<u32>,
    /// Of all else, by the hash of their values.
    others: HashTable<u32>,
    hasher: DefaultHashBuilder,
    text_bytes: u64,
}

impl ValueNumbers {
    pub fn new() -> ValueNumbers {
        ValueNumbers {
            values: Vec::new(),
            null: UNKNOWN,
            window: Vec::new(),
            first: 0,
            integers: HashMap::new(),
            texts: HashTable::new(),
            others: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            text_bytes: 0,
        }
    }

    /// How many values have a number.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of a number.
    pub fn value(&self, number: u32) -> &Value {
        &self.values[number as usize]
    }

    /// The number of null, if it has been met.
    pub fn null(&self) -> Option<u32> {
        (self.null != UNKNOWN).then_some(self.null)
    }

    /// Estimated bytes that it keeps.
    pub fn bytes(&self) -> u64 {
        self.values.len() as u64 * VALUE_BYTES + self.window.len() as u64 * 4 + self.text_bytes
    }

    fn add(&mut self, value: Value) -> u32 {
        self.values.push(value);
        (self.values.len() - 1) as u32
    }

    pub fn of_null(&mut self) -> u32 {
        if self.null == UNKNOWN {
            self.null = self.add(Value::Null);
        }
        self.null
    }

    #[inline]
    fn of_int(&mut self, number: i64) -> u32 {
        let at = number.wrapping_sub(self.first) as u64;
        match usize::try_from(at).ok().and_then(|at| self.window.get(at)) {
            Some(known) if *known != UNKNOWN => *known,
            _ => self.of_integer(number, Value::Int(number)),
        }
    }

    /// The number of an integer, or of a float that equals it.
    fn of_integer(&mut self, number: i64, value: Value) -> u32 {
        if let Some(known) = self.integers.get(&number) {
            return *known;
        }
        match self.place(number) {
            Some(at) => {
                if self.window[at] == UNKNOWN {
                    self.window[at] = self.add(value);
                }
                self.window[at]
            }
            None => {
                let new = self.add(value);
                self.integers.insert(number, new);
                new
            }
        }
    }

    /// The place of an integer in the window, which grows as far as it may.
    fn place(&mut self, number: i64) -> Option<usize> {
        if self.window.is_empty() {
            self.first = number;
        }
        let (first, number) = (i128::from(self.first), i128::from(number));
        let least = first.min(number);
        let most = (first + self.window.len() as i128 - 1).max(number);
        if most - least >= WINDOW_MAX {
            return None;
        }
        let before = (first - least) as usize;
        if before > 0 {
            self.window
                .splice(0..0, std::iter::repeat_n(UNKNOWN, before));
            self.first = least as i64;
        }
        let needed = (most - least + 1) as usize;
        if self.window.len() < needed {
            // Far enough that values that come in order do not make it grow each time.
            let grown = needed.next_power_of_two().min(WINDOW_MAX as usize);
            self.window.resize(grown, UNKNOWN);
        }
        Some((number - least) as usize)
    }

    fn of_text(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let ValueNumbers {
            values,
            texts,
            hasher,
            ..
        } = self;
        let text_of = |number: &u32| match &values[*number as usize] {
            Value::String(text) => &**text,
            _ => unreachable!("only texts are put there"),
        };
        if let Some(known) = texts.find(hash, |number| text_of(number) == text) {
            return *known;
        }
        let new = values.len() as u32;
        texts.insert_unique(hash, new, |number| match number {
            number if *number == new => hash,
            number => hasher.hash_one(text_of(number)),
        });
        values.push(Value::from(text));
        self.text_bytes += text.len() as u64;
        new
    }

    fn of_float(&mut self, number: f64) -> u32 {
        let integer = number as i64;
        // 2^63 is no integer of 64 bits, though the conversion ends at the greatest that is one.
        if integer as f64 == number && number < 9_223_372_036_854_775_808.0 {
            return self.of_integer(integer, Value::Float(number));
        }
        self.of_other(Value::Float(number))
    }

    fn of_other(&mut self, value: Value) -> u32 {
        let hash = self.hasher.hash_one(&value);
        let ValueNumbers {
            values,
            others,
            hasher,
            ..
        } = self;
        let same = |number: &u32| values[*number as usize] == value;
        if let Some(known) = others.find(hash, same) {
            return *known;
        }
        let new = values.len() as u32;
        values.push(value);
        let rehash = |number: &u32| hasher.hash_one(&values[*number as usize]);
        others.insert_unique(hash, new, rehash);
        new
    }

    /// The number of a value.
    pub fn of(&mut self, value: ValueRef<'_>) -> u32 {
        match value {
            ValueRef::Null => self.of_null(),
            ValueRef::Int(number) => self.of_int(number),
            ValueRef::Float(number) => self.of_float(number),
            ValueRef::String(text) => self.of_text(text),
            other => self.of_other(other.to_value()),
        }
    }

    /// As [`ValueNumbers::of`].
    pub fn of_value(&mut self, value: &Value) -> u32 {
        match value {
            Value::Null => self.of_null(),
            Value::Int(number) => self.of_int(*number),
            Value::Float(number) => self.of_float(*number),
            Value::String(text) => self.of_text(text),
            other => self.of_other(other.clone()),
        }
    }

    /// Numbers the values of another core as its own, so many at most; whether all of them have been: `known` has the own number of each.
    pub fn merge(
        &mut self,
        other: &ValueNumbers,
        known: &mut Vec<u32>,
        portion: &mut usize,
    ) -> bool {
        let left = &other.values[known.len()..];
        let now = left.len().min(*portion);
        *portion -= now;
        known.extend(left[..now].iter().map(|value| self.of_value(value)));
        known.len() == other.len()
    }

    /// Numbers the values of a key for a selection; returns the slots that have one that is not null.
    pub fn number(
        &mut self,
        page: &PageView<'_>,
        selection: &Selection,
        key: Option<KeyId>,
        out: &mut Numbers,
    ) -> SlotBits {
        let Some(key) = key else {
            let null = self.of_null();
            selection.slots().for_each(|at| out[at] = null);
            return [0; SLOTS / 64];
        };
        let column = page.column(selection, key);
        let settled = &column.settled;
        match column.values {
            ColumnValues::None => {}
            ColumnValues::Ints(base, offsets) => self.number_ints(base, offsets, settled, out),
            ColumnValues::Floats(Floats::F32(values)) => {
                each_slot(settled).for_each(|at| out[at] = self.of_float(f64::from(values[at])))
            }
            ColumnValues::Floats(Floats::F64(values)) => {
                each_slot(settled).for_each(|at| out[at] = self.of_float(values[at]));
            }
            ColumnValues::Codes(codes) => {
                let mut known = [UNKNOWN; 256];
                let array = codes.codes();
                for at in each_slot(settled) {
                    let number = &mut known[usize::from(array[at])];
                    if *number == UNKNOWN {
                        *number = self.of(codes.value(array[at]));
                    }
                    out[at] = *number;
                }
            }
            ColumnValues::Each(values) => {
                for at in each_slot(settled) {
                    out[at] = self.of(values.get(at).unwrap_or(ValueRef::Null));
                }
            }
        }
        let mut valued = *settled;
        for at in each_slot(&column.asked) {
            if let Some(value) = page.property(at, key) {
                out[at] = self.of(value);
                valued[at / 64] |= 1 << (at % 64);
            }
        }
        let all = selection.bits();
        let nulls: SlotBits = std::array::from_fn(|i| all[i] & !valued[i]);
        if nulls.iter().any(|word| *word != 0) {
            let null = self.of_null();
            each_slot(&nulls).for_each(|at| out[at] = null);
        }
        valued
    }

    fn number_ints(
        &mut self,
        base: i64,
        offsets: Offsets<'_>,
        slots: &SlotBits,
        out: &mut Numbers,
    ) {
        let value = |offset: u64| base.wrapping_add(offset as i64);
        match offsets {
            Offsets::Equal => {
                if slots.iter().any(|word| *word != 0) {
                    let number = self.of_int(base);
                    each_slot(slots).for_each(|at| out[at] = number);
                }
            }
            Offsets::U8(offsets) => {
                let mut known = [UNKNOWN; 256];
                for at in each_slot(slots) {
                    let number = &mut known[usize::from(offsets[at])];
                    if *number == UNKNOWN {
                        *number = self.of_int(value(u64::from(offsets[at])));
                    }
                    out[at] = *number;
                }
            }
            Offsets::U16(offsets) => {
                each_slot(slots).for_each(|at| out[at] = self.of_int(value(u64::from(offsets[at]))))
            }
            Offsets::U32(offsets) => {
                each_slot(slots).for_each(|at| out[at] = self.of_int(value(u64::from(offsets[at]))))
            }
            Offsets::U64(offsets) => {
                each_slot(slots).for_each(|at| out[at] = self.of_int(value(offsets[at])));
            }
        }
    }

    /// Counts the values of a key for a selection, by their numbers, without numbering slots: where a page has one byte a value.
    /// False, and nothing done, where it has not.
    pub fn count(
        &mut self,
        page: &PageView<'_>,
        selection: &Selection,
        key: KeyId,
        counts: &mut Vec<u64>,
    ) -> bool {
        let column = page.column(selection, key);
        let bytes = match &column.values {
            ColumnValues::Ints(_, Offsets::U8(offsets)) => offsets,
            ColumnValues::Codes(codes) => codes.codes(),
            _ => return false,
        };
        let mut add = |number: u32, count: u64| {
            let at = number as usize;
            if counts.len() <= at {
                counts.resize(at + 1, 0);
            }
            counts[at] += count;
        };
        for (code, count) in histogram(bytes, &column.settled).into_iter().enumerate() {
            if count > 0 {
                let number = match &column.values {
                    ColumnValues::Ints(base, _) => self.of_int(base.wrapping_add(code as i64)),
                    ColumnValues::Codes(codes) => self.of(codes.value(code as u8)),
                    _ => unreachable!("bytes are offsets or codes"),
                };
                add(number, u64::from(count));
            }
        }
        let all = selection.bits();
        let ones = |bits: &SlotBits| bits.iter().map(|word| u64::from(word.count_ones())).sum();
        let valued: SlotBits = std::array::from_fn(|i| column.settled[i] | column.asked[i]);
        let mut nulls: u64 = ones(&std::array::from_fn(|i| all[i] & !valued[i]));
        for at in each_slot(&column.asked) {
            match page.property(at, key) {
                Some(value) => add(self.of(value), 1),
                None => nulls += 1,
            }
        }
        if nulls > 0 {
            add(self.of_null(), nulls);
        }
        true
    }
}

/// How often each byte stands at some slots.
fn histogram(bytes: &[u8], slots: &SlotBits) -> [u32; 256] {
    // Four tables, so that equal bytes side by side do not wait for each other.
    let mut tables = [[0u32; 256]; 4];
    for (chunk, word) in bytes.chunks(64).zip(slots) {
        if *word == u64::MAX {
            for four in chunk.as_chunks::<4>().0 {
                for (table, byte) in tables.iter_mut().zip(four) {
                    table[usize::from(*byte)] += 1;
                }
            }
            continue;
        }
        let mut left = *word;
        while left != 0 {
            tables[0][usize::from(chunk[left.trailing_zeros() as usize])] += 1;
            left &= left - 1;
        }
    }
    std::array::from_fn(|code| tables.iter().map(|table| table[code]).sum())
}

/// Numbers for the combinations of several keys.
pub struct Groups {
    keys: Vec<ValueNumbers>,
    /// For each key behind the first: the number of a combination, by the number of the one before it and that of the key's value.
    pairs: Vec<Pairs>,
}

#[derive(Default)]
struct Pairs {
    numbers: HashMap<(u32, u32), u32>,
    pairs: Vec<(u32, u32)>,
}

impl Pairs {
    fn of(&mut self, pair: (u32, u32)) -> u32 {
        *self.numbers.entry(pair).or_insert_with(|| {
            self.pairs.push(pair);
            (self.pairs.len() - 1) as u32
        })
    }
}

/// The own numbers of another core's groups, as far as they are known.
pub struct Renumbered {
    /// Of the values of each key.
    values: Vec<Vec<u32>>,
    /// Of the combinations with each key behind the first.
    pairs: Vec<Vec<u32>>,
}

impl Renumbered {
    /// Of the groups themselves.
    pub fn groups(&self) -> &[u32] {
        self.pairs.last().unwrap_or(&self.values[0])
    }
}

impl Groups {
    /// For so many keys, one at least.
    pub fn new(keys: usize) -> Groups {
        Groups {
            keys: (0..keys).map(|_| ValueNumbers::new()).collect(),
            pairs: (1..keys).map(|_| Pairs::default()).collect(),
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        match self.pairs.last() {
            Some(pairs) => pairs.pairs.len(),
            None => self.keys[0].len(),
        }
    }

    /// The values of the only key, if there is one alone.
    pub fn single(&mut self) -> Option<&mut ValueNumbers> {
        match self.keys.as_mut_slice() {
            [key] => Some(key),
            _ => None,
        }
    }

    /// Estimated bytes that it keeps.
    pub fn bytes(&self) -> u64 {
        let keys = self.keys.iter().map(ValueNumbers::bytes);
        let pairs = self.pairs.iter().map(|pairs| pairs.pairs.len() as u64 * 32);
        keys.chain(pairs).sum()
    }

    /// Numbers the groups of a selection.
    pub fn number(
        &mut self,
        page: &PageView<'_>,
        selection: &Selection,
        keys: &[Option<KeyId>],
        out: &mut Numbers,
    ) {
        self.keys[0].number(page, selection, keys[0], out);
        let mut further = [0; SLOTS];
        for (at, pairs) in self.pairs.iter_mut().enumerate() {
            self.keys[at + 1].number(page, selection, keys[at + 1], &mut further);
            // Neighbours are often alike.
            let mut last = ((UNKNOWN, UNKNOWN), UNKNOWN);
            for slot in selection.slots() {
                let pair = (out[slot], further[slot]);
                if last.0 != pair {
                    last = (pair, pairs.of(pair));
                }
                out[slot] = last.1;
            }
        }
    }

    /// For taking in the groups of another core with [`Groups::merge`].
    pub fn renumbered(&self) -> Renumbered {
        Renumbered {
            values: vec![Vec::new(); self.keys.len()],
            pairs: vec![Vec::new(); self.pairs.len()],
        }
    }

    /// Numbers the groups of another core as its own, so many steps at most; whether all of them have been.
    pub fn merge(&mut self, other: &Groups, known: &mut Renumbered, mut portion: usize) -> bool {
        for (key, (own, others)) in self.keys.iter_mut().zip(&other.keys).enumerate() {
            if !own.merge(others, &mut known.values[key], &mut portion) {
                return false;
            }
        }
        for (at, (own, others)) in self.pairs.iter_mut().zip(&other.pairs).enumerate() {
            let (before, behind) = known.pairs.split_at_mut(at);
            let before = before.last().unwrap_or(&known.values[0]);
            let left = &others.pairs[behind[0].len()..];
            let now = left.len().min(portion);
            portion -= now;
            let pairs = left[..now].iter().map(|(first, second)| {
                let second = known.values[at + 1][*second as usize];
                own.of((before[*first as usize], second))
            });
            behind[0].extend(pairs);
            if now < left.len() {
                return false;
            }
        }
        true
    }

    /// The values of a group's keys, the last one first.
    pub fn values_backwards(&self, group: u32) -> impl Iterator<Item = &Value> {
        let mut number = group;
        (0..self.keys.len()).rev().map(move |key| {
            let of_key = match key.checked_sub(1) {
                Some(at) => {
                    let (before, of_key) = self.pairs[at].pairs[number as usize];
                    number = before;
                    of_key
                }
                None => number,
            };
            self.keys[key].value(of_key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_values_have_one_number_and_others_have_not() {
        let mut numbers = ValueNumbers::new();
        let same = |numbers: &mut ValueNumbers, values: &[ValueRef<'_>]| {
            let first = numbers.of(values[0]);
            values.iter().all(|value| numbers.of(*value) == first)
        };
        let float = ValueRef::Float;
        assert!(same(&mut numbers, &[ValueRef::Int(1), float(1.0)]));
        assert!(same(&mut numbers, &[float(-7.0), ValueRef::Int(-7)]));
        assert!(same(
            &mut numbers,
            &[float(0.0), float(-0.0), ValueRef::Int(0)]
        ));
        assert!(same(&mut numbers, &[float(f64::NAN), float(-f64::NAN)]));
        assert!(same(&mut numbers, &[ValueRef::Null, ValueRef::Null]));
        let all = [
            ValueRef::Int(i64::MAX),
            float(i64::MAX as f64),
            ValueRef::Int(i64::MIN),
            float(0.5),
            float(f64::INFINITY),
            ValueRef::String("1"),
            ValueRef::Bool(true),
            ValueRef::Int(1 << 20),
        ];
        let before = numbers.len();
        let given: Vec<u32> = all.iter().map(|value| numbers.of(*value)).collect();
        assert_eq!(numbers.len(), before + all.len());
        for (value, number) in all.iter().zip(given) {
            assert_eq!(numbers.of(*value), number);
            assert_eq!(*numbers.value(number), value.to_value());
        }
        // 2^63 as a float is no integer, the least integer is one.
        assert!(same(
            &mut numbers,
            &[float(i64::MIN as f64), ValueRef::Int(i64::MIN)]
        ));
    }

    #[test]
    fn groups_of_another_core_get_the_numbers_of_ones_own_in_portions_of_any_size() {
        let mixed = [
            Value::Int(5),
            Value::from("five"),
            Value::Null,
            Value::Float(5.0),
            Value::Bool(true),
            Value::Float(0.5),
            Value::Int(1 << 50),
        ];
        // The combinations of two values each, by where they stand.
        let of = |combinations: &[(usize, usize, usize)]| {
            let mut groups = Groups::new(3);
            for (a, b, c) in combinations {
                let [a, b, c] = [(0, a), (1, b), (2, c)]
                    .map(|(key, at)| groups.keys[key].of_value(&mixed[*at]));
                let both = groups.pairs[0].of((a, b));
                groups.pairs[1].of((both, c));
            }
            groups
        };
        let values = |groups: &Groups, group: u32| -> Vec<Value> {
            groups.values_backwards(group).cloned().collect()
        };
        let others = of(&[(6, 1, 0), (0, 0, 0), (2, 5, 4), (3, 0, 2), (2, 5, 3)]);
        for portion in [1, 2, 3, 100] {
            let mut own = of(&[(0, 0, 2), (2, 5, 4), (1, 1, 1)]);
            let mut known = own.renumbered();
            while !own.merge(&others, &mut known, portion) {}
            assert_eq!(known.groups().len(), others.len());
            for (group, number) in known.groups().iter().enumerate() {
                assert_eq!(values(&own, *number), values(&others, group as u32));
            }
            // (2, 5, 4) and, since 5.0 is 5, (3, 0, 2) were there.
            assert_eq!(own.len(), 3 + 5 - 2);
        }
    }

    #[test]
    fn integers_are_found_again_wherever_the_window_ends() {
        let mut numbers = ValueNumbers::new();
        let mut expected = std::collections::HashMap::new();
        let mut seed = 7u64;
        for round in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let spread = [100, 70_000, 1 << 40][round % 3];
            let value = (seed >> 20) as i64 % spread - spread / 2;
            let number = numbers.of_int(value);
            assert_eq!(*expected.entry(value).or_insert(number), number);
            assert_eq!(*numbers.value(number), Value::Int(value));
        }
        assert_eq!(numbers.len(), expected.len());
        assert!(numbers.window.len() as i128 <= WINDOW_MAX);
    }
}
