//! Kernels: loops over the arrays of a column for a selection of rows.
//!
//! Owned here: [`Summary`] and the loops that fill it. Called by `scan`.
//! Always holds: what a kernel says of the selected rows is what reading them one by one would say.
//! Left to others: which rows are selected, and rows that have something recent (`scan`).

use super::encoding::{Column, Floats, Offsets};
use super::{Bits, WORDS, slots};
use crate::value::ValueRef;

/// Rows of one word of bits.
const CHUNK: usize = 64;

/// Count, sum, least and greatest of the values of a key, over as many pages as were added to it.
///
/// Integers and floats stand apart, since Cypher's sum of integers is an integer; what is neither is only counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Integers among the values.
    pub ints: u64,
    /// Their sum.
    pub int_sum: i128,
    /// The least of them; `i64::MAX` if there is none.
    pub int_min: i64,
    /// The greatest of them; `i64::MIN` if there is none.
    pub int_max: i64,
    /// Floats among the values, NaN included.
    pub floats: u64,
    /// Their sum.
    pub float_sum: f64,
    /// The least of them that is a number; positive infinity if there is none.
    pub float_min: f64,
    /// The greatest of them that is a number; negative infinity if there is none.
    pub float_max: f64,
    /// Floats that are no number.
    pub nans: u64,
    /// Values of other types; null is no value.
    pub others: u64,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            ints: 0,
            int_sum: 0,
            int_min: i64::MAX,
            int_max: i64::MIN,
            floats: 0,
            float_sum: 0.0,
            float_min: f64::INFINITY,
            float_max: f64::NEG_INFINITY,
            nans: 0,
            others: 0,
        }
    }
}

impl Summary {
    /// Values of any type, null being none: `count(n.p)`.
    pub fn values(&self) -> u64 {
        self.ints + self.floats + self.others
    }

    /// Takes in one value.
    pub fn add(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Int(x) => {
                self.ints += 1;
                self.int_sum += i128::from(x);
                self.int_min = self.int_min.min(x);
                self.int_max = self.int_max.max(x);
            }
            ValueRef::Float(x) => self.add_float(x),
            ValueRef::Null => {}
            _ => self.others += 1,
        }
    }

    /// Takes in what another summary has taken in.
    pub fn merge(&mut self, other: &Summary) {
        self.ints += other.ints;
        self.int_sum += other.int_sum;
        self.int_min = self.int_min.min(other.int_min);
        self.int_max = self.int_max.max(other.int_max);
        self.floats += other.floats;
        self.float_sum += other.float_sum;
        self.float_min = self.float_min.min(other.float_min);
        self.float_max = self.float_max.max(other.float_max);
        self.nans += other.nans;
        self.others += other.others;
    }

    fn add_float(&mut self, x: f64) {
        self.floats += 1;
        self.float_sum += x;
        if x.is_nan() {
            self.nans += 1;
        } else {
            self.float_min = self.float_min.min(x);
            self.float_max = self.float_max.max(x);
        }
    }

    /// Takes in the values of the selected rows of a column.
    pub(crate) fn add_column(&mut self, column: Column<'_>, selected: &Bits) {
        let rows = column.valid_rows(selected);
        match (column.offsets(), column.floats()) {
            (Some(Offsets::Equal), _) => {
                let n: u64 = rows.iter().map(|word| u64::from(word.count_ones())).sum();
                self.add_offsets(column, n, 0, 0, 0);
            }
            (Some(Offsets::U8(x)), _) => self.add_ints(column, x, &rows),
            (Some(Offsets::U16(x)), _) => self.add_ints(column, x, &rows),
            (Some(Offsets::U32(x)), _) => self.add_ints(column, x, &rows),
            (Some(Offsets::U64(x)), _) => self.add_ints(column, x, &rows),
            (_, Some(Floats::F32(x))) => {
                slots(&rows).for_each(|at| self.add_float(f64::from(x[at])));
            }
            (_, Some(Floats::F64(x))) => slots(&rows).for_each(|at| self.add_float(x[at])),
            (None, None) => {
                slots(&rows)
                    .filter_map(|at| column.get(at))
                    .for_each(|value| self.add(value));
            }
        }
    }

    fn add_ints<T: Offset>(&mut self, column: Column<'_>, offsets: &[T], rows: &Bits) {
        let (mut n, mut sum) = (0u64, 0u128);
        let (mut least, mut most) = (u64::MAX, 0u64);
        for (chunk, &word) in offsets.chunks(CHUNK).zip(rows) {
            if word == u64::MAX {
                let (s, lo, hi) = T::summed(chunk);
                n += CHUNK as u64;
                sum += s;
                least = least.min(lo);
                most = most.max(hi);
                continue;
            }
            let mut left = word;
            while left != 0 {
                let x = chunk[left.trailing_zeros() as usize].wide();
                left &= left - 1;
                n += 1;
                sum += u128::from(x);
                least = least.min(x);
                most = most.max(x);
            }
        }
        self.add_offsets(column, n, sum, least, most);
    }

    /// Takes in `n` integers that are offsets from a column's base.
    fn add_offsets(&mut self, column: Column<'_>, n: u64, sum: u128, least: u64, most: u64) {
        if n == 0 {
            return;
        }
        let base = column.head().base;
        self.ints += n;
        // At most 1,024 offsets below 2^64 each: the sum is far below 2^127.
        self.int_sum += i128::from(base) * i128::from(n) + sum as i128;
        self.int_min = self.int_min.min(base.wrapping_add(least as i64));
        self.int_max = self.int_max.max(base.wrapping_add(most as i64));
    }
}

impl Column<'_> {
    /// The selected rows that have a value.
    pub(crate) fn valid_rows(self, selected: &Bits) -> Bits {
        let rows = usize::from(self.head().rows);
        let valid = self.valid();
        std::array::from_fn(|i| {
            let within = match rows.saturating_sub(i * CHUNK) {
                0 => 0,
                n if n >= CHUNK => u64::MAX,
                n => (1 << n) - 1,
            };
            selected[i] & within & valid.get(i).copied().unwrap_or(u64::MAX)
        })
    }
}

/// How many selected rows have a value.
pub(crate) fn count_values(column: Column<'_>, selected: &Bits) -> u64 {
    let rows = column.valid_rows(selected);
    rows.iter().map(|word| u64::from(word.count_ones())).sum()
}

const _: () = assert!(WORDS * CHUNK == crate::ids::PAGE_SLOTS);

/// An integer as a column keeps it.
trait Offset: Copy {
    fn wide(self) -> u64;
    /// Sum, least and greatest of a full chunk, in loops that the compiler makes wide.
    fn summed(chunk: &[Self]) -> (u128, u64, u64);
}

macro_rules! offset {
    ($($type:ty, $sum:ty);*) => {$(
        impl Offset for $type {
            #[inline]
            fn wide(self) -> u64 {
                u64::from(self)
            }

            #[inline]
            fn summed(chunk: &[$type]) -> (u128, u64, u64) {
                let (mut sum, mut least, mut most) = (0 as $sum, <$type>::MAX, 0);
                for &x in chunk {
                    sum += <$sum>::from(x);
                    least = least.min(x);
                    most = most.max(x);
                }
                (u128::from(sum), u64::from(least), u64::from(most))
            }
        }
    )*};
}
// A chunk's sum fits: 64 times 2^8, 2^16 and 2^32.
offset!(u8, u32; u16, u32; u32, u64; u64, u128);
