//! Order and equality of values, in Cypher's three senses.
//!
//! - *Equality and comparability* (`=`, `<`): ternary, null where nothing can be said: [`Value::equals`], [`Value::compare`].
//! - *Equivalence* (DISTINCT, grouping, map keys): `PartialEq`, `Eq`, `Hash`; null is null, NaN is NaN, 1 is 1.0.
//! - *Orderability* (ORDER BY): `Ord`, total over all types.
//!
//! Source: openCypher CIP2016-06-14 "Comparability and equality, orderability and equivalence". Ascending order of types:
//! map, node, relationship, list, path, point, datetime, local datetime, date, time, local time, duration, bytes, string,
//! boolean, number (NaN last), null.
//! Always holds: `a.cmp(b) == Equal` exactly if `a == b`, and then both hash alike; integers and floats compare exactly.

use super::{DateTime, Duration, Point, Time, Value};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

pub(crate) const MAP_RANK: u8 = 1;
pub(crate) const LIST_RANK: u8 = 4;
pub(crate) const POINT_RANK: u8 = 6;
pub(crate) const DATE_TIME_RANK: u8 = 7;
pub(crate) const LOCAL_DATE_TIME_RANK: u8 = 8;
pub(crate) const DATE_RANK: u8 = 9;
pub(crate) const TIME_RANK: u8 = 10;
pub(crate) const LOCAL_TIME_RANK: u8 = 11;
pub(crate) const DURATION_RANK: u8 = 12;
pub(crate) const BYTES_RANK: u8 = 13;
pub(crate) const STRING_RANK: u8 = 14;
pub(crate) const BOOL_RANK: u8 = 15;
pub(crate) const NUMBER_RANK: u8 = 16;

/// The place of a type in the global order; also the first byte of an index key.
pub(crate) fn rank(value: &Value) -> u8 {
    match value {
        Value::Map(_) => MAP_RANK,
        Value::Vertex(_) => 2,
        Value::Edge(_) => 3,
        Value::List(_) => LIST_RANK,
        Value::Path(_) => 5,
        Value::Point(_) => POINT_RANK,
        Value::DateTime(_) => DATE_TIME_RANK,
        Value::LocalDateTime(_) => LOCAL_DATE_TIME_RANK,
        Value::Date(_) => DATE_RANK,
        Value::Time(_) => TIME_RANK,
        Value::LocalTime(_) => LOCAL_TIME_RANK,
        Value::Duration(_) => DURATION_RANK,
        Value::Bytes(_) => BYTES_RANK,
        Value::String(_) => STRING_RANK,
        Value::Bool(_) => BOOL_RANK,
        Value::Int(_) | Value::Float(_) => NUMBER_RANK,
        Value::Null => 17,
    }
}

impl Value {
    /// Cypher's `=`: `None` is null. A list or map with a null inside is null unless it differs elsewhere.
    pub fn equals(&self, other: &Value) -> Option<bool> {
        match (self, other) {
            (Value::Null, _) | (_, Value::Null) => None,
            (Value::Float(a), Value::Float(b)) => Some(a == b),
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => {
                Some(!b.is_nan() && int_float(*a, *b) == Ordering::Equal)
            }
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                all_equal(a.iter().zip(b.iter()))
            }
            (Value::Map(a), Value::Map(b)) => {
                if a.len() != b.len() || a.iter().zip(b.iter()).any(|(x, y)| x.0 != y.0) {
                    return Some(false);
                }
                all_equal(a.iter().zip(b.iter()).map(|(x, y)| (x.1, y.1)))
            }
            (Value::Point(a), Value::Point(b)) => {
                Some(a.srid == b.srid && a.x == b.x && a.y == b.y && (!a.is_3d() || a.z == b.z))
            }
            _ => Some(self == other),
        }
    }

    /// Cypher's `<`, `<=`, `>`, `>=`: `None` where the two cannot be compared (null, NaN, different types, vertices, maps, durations, points).
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            (Value::Int(a), Value::Float(b)) => (!b.is_nan()).then(|| int_float(*a, *b)),
            (Value::Float(a), Value::Int(b)) => (!a.is_nan()).then(|| int_float(*b, *a).reverse()),
            (Value::List(a), Value::List(b)) => {
                for (x, y) in a.iter().zip(b.iter()) {
                    match x.compare(y)? {
                        Ordering::Equal => {}
                        unequal => return Some(unequal),
                    }
                }
                Some(a.len().cmp(&b.len()))
            }
            (Value::Bool(_), Value::Bool(_))
            | (Value::Int(_), Value::Int(_))
            | (Value::String(_), Value::String(_))
            | (Value::Bytes(_), Value::Bytes(_))
            | (Value::Date(_), Value::Date(_))
            | (Value::Time(_), Value::Time(_))
            | (Value::LocalTime(_), Value::LocalTime(_))
            | (Value::LocalDateTime(_), Value::LocalDateTime(_))
            | (Value::DateTime(_), Value::DateTime(_)) => Some(self.cmp(other)),
            _ => None,
        }
    }
}

fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut result = Some(true);
    for (a, b) in pairs {
        match a.equals(b) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

/// Exact comparison of an integer with a float that is not NaN.
pub(crate) fn int_float(int: i64, float: f64) -> Ordering {
    // 2^63 and above, or below -2^63, lie outside i64; inside, truncation is exact.
    if float >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    int.cmp(&(whole as i64)).then_with(|| {
        0.0f64
            .partial_cmp(&(float - whole))
            .unwrap_or(Ordering::Equal)
    })
}

/// Total order of floats in which -0.0 is 0.0 and NaN, of any bits, comes last.
fn float_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => float_order(*a, *b),
            (Value::Int(a), Value::Float(b)) => {
                if b.is_nan() {
                    Ordering::Less
                } else {
                    int_float(*a, *b)
                }
            }
            (Value::Float(_), Value::Int(_)) => other.cmp(self).reverse(),
            (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::LocalTime(a), Value::LocalTime(b)) => a.cmp(b),
            (Value::LocalDateTime(a), Value::LocalDateTime(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
            (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
            (Value::Point(a), Value::Point(b)) => a.cmp(b),
            (Value::Vertex(a), Value::Vertex(b)) => a.cmp(b),
            (Value::Edge(a), Value::Edge(b)) => a.id.cmp(&b.id),
            (Value::Path(a), Value::Path(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        rank(self).hash(state);
        match self {
            Value::Null => {}
            Value::Bool(x) => x.hash(state),
            Value::Int(x) => x.hash(state),
            Value::Float(x) => hash_float(*x, state),
            Value::String(x) => x.hash(state),
            Value::Bytes(x) => x.hash(state),
            Value::List(x) => x.hash(state),
            Value::Map(x) => x.hash(state),
            Value::Date(x) => x.hash(state),
            Value::Time(x) => x.hash(state),
            Value::LocalTime(x) => x.hash(state),
            Value::LocalDateTime(x) => x.hash(state),
            Value::DateTime(x) => x.hash(state),
            Value::Duration(x) => x.hash(state),
            Value::Point(x) => x.hash(state),
            Value::Vertex(x) => x.hash(state),
            Value::Edge(x) => x.id.hash(state),
            Value::Path(x) => x.hash(state),
        }
    }
}

/// A float that equals an integer hashes as that integer.
fn hash_float<H: Hasher>(x: f64, state: &mut H) {
    if x.is_nan() {
        f64::NAN.to_bits().hash(state);
    } else if x.trunc() == x && int_float(x as i64, x) == Ordering::Equal {
        (x as i64).hash(state);
    } else {
        x.to_bits().hash(state);
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Time) -> Ordering {
        let utc =
            |t: &Time| i128::from(t.nanoseconds) - i128::from(t.offset_seconds) * 1_000_000_000;
        utc(self)
            .cmp(&utc(other))
            .then(self.offset_seconds.cmp(&other.offset_seconds))
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Time) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &DateTime) -> Ordering {
        (
            self.seconds,
            self.nanoseconds,
            self.offset_seconds,
            &self.zone,
        )
            .cmp(&(
                other.seconds,
                other.nanoseconds,
                other.offset_seconds,
                &other.zone,
            ))
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &DateTime) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Duration {
    /// Its average length in nanoseconds, a month being 1/12 of 365.2425 days: what durations are ordered by.
    pub fn average_nanoseconds(&self) -> i128 {
        let seconds = i128::from(self.months) * 2_629_746
            + i128::from(self.days) * 86_400
            + i128::from(self.seconds);
        seconds * 1_000_000_000 + i128::from(self.nanoseconds)
    }
}

impl Ord for Duration {
    fn cmp(&self, other: &Duration) -> Ordering {
        let key = |d: &Duration| {
            (
                d.average_nanoseconds(),
                d.months,
                d.days,
                d.seconds,
                d.nanoseconds,
            )
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Duration {
    fn partial_cmp(&self, other: &Duration) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Point {
    fn third(&self) -> f64 {
        if self.is_3d() { self.z } else { 0.0 }
    }
}

impl Ord for Point {
    fn cmp(&self, other: &Point) -> Ordering {
        self.srid
            .cmp(&other.srid)
            .then_with(|| float_order(self.x, other.x))
            .then_with(|| float_order(self.y, other.y))
            .then_with(|| float_order(self.third(), other.third()))
    }
}

impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Point) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Point {
    fn eq(&self, other: &Point) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Point {}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.srid.hash(state);
        for x in [self.x, self.y, self.third()] {
            hash_float(x, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly_beyond_2_to_53() {
        let big = 9_007_199_254_740_993i64;
        assert!(Value::Int(big) > Value::Float(9_007_199_254_740_992.0));
        assert!(Value::Int(i64::MAX) < Value::Float(9_223_372_036_854_775_808.0));
        assert_eq!(
            Value::Int(i64::MIN),
            Value::Float(-9_223_372_036_854_775_808.0)
        );
        assert!(Value::Int(0) < Value::Float(0.5) && Value::Int(0) > Value::Float(-0.5));
        assert!(Value::Int(-1) < Value::Float(-0.5) && Value::Int(-1) > Value::Float(-1.5));
    }

    #[test]
    fn null_and_nan_answer_null_and_false_but_are_equivalent_to_themselves() {
        let nan = Value::Float(f64::NAN);
        assert_eq!(Value::Null.equals(&Value::Null), None);
        assert_eq!(nan.equals(&nan), Some(false));
        assert_eq!(nan.compare(&Value::Int(1)), None);
        assert!(nan == nan && Value::Null == Value::Null);
        assert!(nan > Value::Float(f64::INFINITY) && Value::Null > nan);
    }

    #[test]
    fn a_list_with_null_is_unequal_only_where_it_surely_differs() {
        let list = |x: Vec<Value>| Value::list(x);
        assert_eq!(
            list(vec![1.into(), Value::Null]).equals(&list(vec![1.into(), 2.into()])),
            None
        );
        assert_eq!(
            list(vec![2.into(), Value::Null]).equals(&list(vec![1.into(), 2.into()])),
            Some(false)
        );
    }
}
