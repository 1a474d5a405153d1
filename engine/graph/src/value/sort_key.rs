//! Order-preserving bytes of values, for the keys of ordered indexes.
//!
//! Owned here: [`append`], called by `index`. Always holds: for storable values, comparing the bytes gives what
//! [`Value`]'s `Ord` gives, with equal bytes exactly for equivalent values; no key is a prefix of another, so keys can
//! stand one behind the other.
//!
//! A key is the type's rank (one byte, see `order`) and then: integers and floats as the largest double not above the
//! value (8 bytes, sign flipped) and the distance from it (2 bytes); text and bytes with 0x00 written as 0x00 0xFF and
//! closed by 0x00 0x00; lists and maps as their parts, each behind a 0x01, closed by 0x00; the rest as big-endian
//! integers with the sign flipped.

use super::{Value, ValueRef, order};
use smallvec::SmallVec;

/// The bytes of a key; short ones stand inline, so that a look-up allocates nothing.
pub type SortKey = SmallVec<[u8; 64]>;

/// Appends the key of a value. Values that cannot be stored get a key too (their id), so that this never fails.
pub fn append(value: &Value, out: &mut SortKey) {
    out.push(order::rank(value));
    match value {
        Value::Null => {}
        Value::Bool(x) => out.push(u8::from(*x)),
        Value::Int(x) => number(*x, out),
        Value::Float(x) => float(*x, 0, out),
        Value::String(x) => escaped(x.as_bytes(), out),
        Value::Bytes(x) => escaped(x, out),
        Value::List(items) => {
            for item in items.iter() {
                out.push(1);
                append(item, out);
            }
            out.push(0);
        }
        Value::Map(map) => {
            for (key, item) in map.iter() {
                out.push(1);
                escaped(key.as_bytes(), out);
                append(item, out);
            }
            out.push(0);
        }
        Value::Date(x) => signed(x.days, out),
        Value::Time(x) => {
            let utc = i128::from(x.nanoseconds) - i128::from(x.offset_seconds) * 1_000_000_000;
            wide(utc, out);
            signed(i64::from(x.offset_seconds), out);
        }
        Value::LocalTime(x) => signed(x.nanoseconds, out),
        Value::LocalDateTime(x) => {
            signed(x.seconds, out);
            out.extend_from_slice(&x.nanoseconds.to_be_bytes());
        }
        Value::DateTime(x) => {
            signed(x.seconds, out);
            out.extend_from_slice(&x.nanoseconds.to_be_bytes());
            signed(i64::from(x.offset_seconds), out);
            match &x.zone {
                None => out.push(0),
                Some(zone) => {
                    out.push(1);
                    escaped(zone.as_bytes(), out);
                }
            }
        }
        Value::Duration(x) => {
            wide(x.average_nanoseconds(), out);
            signed(x.months, out);
            signed(x.days, out);
            signed(x.seconds, out);
            out.extend_from_slice(&x.nanoseconds.to_be_bytes());
        }
        Value::Point(x) => {
            out.extend_from_slice(&x.srid.to_be_bytes());
            float(x.x, 0, out);
            float(x.y, 0, out);
            float(if x.is_3d() { x.z } else { 0.0 }, 0, out);
        }
        Value::Vertex(x) => out.extend_from_slice(&x.0.to_be_bytes()),
        Value::Edge(x) => out.extend_from_slice(&x.id.0.to_be_bytes()),
        Value::Path(x) => {
            for vertex in &x.vertices {
                out.push(1);
                out.extend_from_slice(&vertex.0.to_be_bytes());
            }
            out.push(0);
            for edge in &x.edges {
                out.push(1);
                out.extend_from_slice(&edge.id.0.to_be_bytes());
            }
            out.push(0);
        }
    }
}

/// As [`append`] for a stored value; scalars and text are not copied first.
pub fn append_ref(value: ValueRef<'_>, out: &mut SortKey) {
    match value {
        ValueRef::Int(x) => {
            out.push(order::NUMBER_RANK);
            number(x, out);
        }
        ValueRef::String(x) => {
            out.push(order::STRING_RANK);
            escaped(x.as_bytes(), out);
        }
        _ => append(&value.to_value(), out),
    }
}

/// The length of the first key in `bytes`, which may have been cut: then as far as it goes.
pub(crate) fn first_len(bytes: &[u8]) -> usize {
    let len = match Reader(bytes).key() {
        Some(rest) => bytes.len() - rest.len(),
        None => bytes.len(),
    };
    len.min(bytes.len())
}

/// Walks over keys without decoding them.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.0 = self.0.get(n..)?;
        Some(())
    }

    fn escaped(&mut self) -> Option<()> {
        loop {
            let at = self.0.iter().position(|&byte| byte == 0)?;
            let end = *self.0.get(at + 1)? == 0;
            self.skip(at + 2)?;
            if end {
                return Some(());
            }
        }
    }

    /// What is behind the first key. Parts of lists and maps are counted, not descended into, so depth costs nothing.
    fn key(mut self) -> Option<&'a [u8]> {
        let mut open: Vec<bool> = Vec::new();
        loop {
            let rank = *self.0.first()?;
            self.skip(1)?;
            match rank {
                order::MAP_RANK => open.push(true),
                order::LIST_RANK => open.push(false),
                order::STRING_RANK | order::BYTES_RANK => self.escaped()?,
                order::NUMBER_RANK => self.skip(10)?,
                order::BOOL_RANK => self.skip(1)?,
                order::DATE_RANK | order::LOCAL_TIME_RANK => self.skip(8)?,
                order::TIME_RANK => self.skip(24)?,
                order::LOCAL_DATE_TIME_RANK => self.skip(12)?,
                order::DATE_TIME_RANK => {
                    self.skip(20)?;
                    let zone = *self.0.first()? != 0;
                    self.skip(1)?;
                    if zone {
                        self.escaped()?;
                    }
                }
                order::DURATION_RANK => self.skip(44)?,
                order::POINT_RANK => self.skip(34)?,
                _ => {}
            }
            // Close what ends here; a further part begins with a 1, a map's with its key.
            loop {
                let Some(&map) = open.last() else {
                    return Some(self.0);
                };
                let more = *self.0.first()? == 1;
                self.skip(1)?;
                if more {
                    if map {
                        self.escaped()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }
}

/// The bytes that the keys of all text starting with `prefix` start with.
pub fn append_prefix(prefix: &str, out: &mut SortKey) {
    out.push(order::STRING_RANK);
    escaped(prefix.as_bytes(), out);
    out.truncate(out.len() - 2);
}

fn number(x: i64, out: &mut SortKey) {
    let mut base = x as f64;
    if order::int_float(x, base).is_lt() {
        base = base.next_down();
    }
    // Doubles around 2^63 lie 1,024 apart, so the distance fits two bytes.
    let distance = i128::from(x) - base as i128;
    debug_assert!((0..2048).contains(&distance));
    float(base, distance as u16, out);
}

fn float(x: f64, distance: u16, out: &mut SortKey) {
    // One zero, and one NaN above everything.
    let x = if x == 0.0 { 0.0 } else { x };
    let bits = if x.is_nan() {
        u64::MAX >> 1
    } else {
        x.to_bits()
    };
    let ordered = if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    };
    out.extend_from_slice(&ordered.to_be_bytes());
    out.extend_from_slice(&distance.to_be_bytes());
}

fn signed(x: i64, out: &mut SortKey) {
    out.extend_from_slice(&((x as u64) ^ (1 << 63)).to_be_bytes());
}

fn wide(x: i128, out: &mut SortKey) {
    out.extend_from_slice(&((x as u128) ^ (1 << 127)).to_be_bytes());
}

fn escaped(bytes: &[u8], out: &mut SortKey) {
    for part in bytes.split_inclusive(|&b| b == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}
