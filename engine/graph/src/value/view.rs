//! [`ValueRef`]: a stored property seen in place, without a copy.
//!
//! Owned here: the borrowed view and its iterators. Callers: whoever reads a property (`query`, `server`'s encoder).
//! Always holds: reading allocates nothing; what a view is made from was encoded by `codec` or checked by it, so that
//! iterating never fails.

use super::codec::Reader;
use super::{Date, Duration, LocalDateTime, LocalTime, Point, Time, Value};

/// A property value that borrows the storage it stands in, for as long as an epoch is held.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// Only within lists and maps.
    Null,
    /// See [`Value::Bool`].
    Bool(bool),
    /// See [`Value::Int`].
    Int(i64),
    /// See [`Value::Float`].
    Float(f64),
    /// See [`Value::String`].
    String(&'a str),
    /// See [`Value::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Value::List`].
    List(ListRef<'a>),
    /// See [`Value::Map`].
    Map(MapRef<'a>),
    /// See [`Value::Date`].
    Date(Date),
    /// See [`Value::Time`].
    Time(Time),
    /// See [`Value::LocalTime`].
    LocalTime(LocalTime),
    /// See [`Value::LocalDateTime`].
    LocalDateTime(LocalDateTime),
    /// See [`super::DateTime`] for the fields.
    DateTime {
        /// Seconds since the epoch, UTC.
        seconds: i64,
        /// 0 to 999,999,999.
        nanoseconds: u32,
        /// Seconds east of UTC.
        offset_seconds: i32,
        /// The IANA zone.
        zone: Option<&'a str>,
    },
    /// See [`Value::Duration`].
    Duration(Duration),
    /// See [`Value::Point`].
    Point(Point),
}

/// A stored list.
#[derive(Clone, Copy, Debug)]
pub struct ListRef<'a> {
    pub(crate) body: &'a [u8],
}

/// A stored map.
#[derive(Clone, Copy, Debug)]
pub struct MapRef<'a> {
    pub(crate) body: &'a [u8],
}

const CHECKED: &str = "stored lists and maps were encoded here or checked when they came in";

impl<'a> ListRef<'a> {
    /// Its values in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let mut reader = Reader::new(self.body);
        std::iter::from_fn(move || (!reader.is_empty()).then(|| reader.value().expect(CHECKED)))
    }

    /// The number of values, by counting.
    pub fn count(&self) -> usize {
        let mut reader = Reader::new(self.body);
        let mut n = 0;
        while !reader.is_empty() {
            reader.skip_value().expect(CHECKED);
            n += 1;
        }
        n
    }
}

impl<'a> MapRef<'a> {
    /// Its pairs in ascending order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        let mut reader = Reader::new(self.body);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let key = reader.text().expect(CHECKED);
            Some((key, reader.value().expect(CHECKED)))
        })
    }

    /// The number of pairs, by counting.
    pub fn count(&self) -> usize {
        let mut reader = Reader::new(self.body);
        let mut n = 0;
        while !reader.is_empty() {
            reader.prefixed().expect(CHECKED);
            reader.skip_value().expect(CHECKED);
            n += 1;
        }
        n
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<ValueRef<'a>> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }
}

impl ValueRef<'_> {
    /// Equivalence with an owned value (the sense of `==` on [`Value`]), without a copy for scalars and text.
    pub fn is(&self, other: &Value) -> bool {
        match (*self, other) {
            (ValueRef::Int(a), Value::Int(b)) => a == *b,
            (ValueRef::String(a), Value::String(b)) => a == &**b,
            (ValueRef::Bytes(a), Value::Bytes(b)) => *a == **b,
            (ValueRef::String(_), _)
            | (_, Value::String(_))
            | (ValueRef::Bytes(_), _)
            | (_, Value::Bytes(_)) => false,
            _ => self.to_value() == *other,
        }
    }

    /// The order of [`Value`]'s `Ord`, without a copy for scalars and text.
    pub fn order(&self, other: &Value) -> std::cmp::Ordering {
        match (*self, other) {
            (ValueRef::Int(a), Value::Int(b)) => a.cmp(b),
            (ValueRef::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (ValueRef::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (ValueRef::String(_), _) => super::order::STRING_RANK.cmp(&super::order::rank(other)),
            _ => self.to_value().cmp(other),
        }
    }
}
