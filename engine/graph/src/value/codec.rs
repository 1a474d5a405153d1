//! The compact byte form of values and properties: the same bytes in version blocks and in the log.
//!
//! A value is a tag byte and what the tag asks for; integers little-endian, lengths LEB128 varints, signed varints zigzag:
//!
//! ```text
//! 00 null                     01 false                     02 true
//! 03 int: zigzag varint       04 float: 8 bytes            05 string: len, UTF-8       06 bytes: len, bytes
//! 07 list: byte len, values   08 map: byte len, (key len, key, value)*, keys ascending
//! 09 date: days               0a time: nanos, offset       0b local time: nanos        0c local datetime: seconds, nanos
//! 0d datetime, offset: seconds, nanos, offset              0e datetime, zone: seconds, nanos, offset, len, name
//! 0f duration: months, days, seconds, nanos                10 point 2D: srid, x, y     11 point 3D: srid, x, y, z
//! ```
//!
//! Properties are `(key varint, value)*`, keys ascending, no null. A change list is the same with null for "removed".
//!
//! Callers: `record` (version blocks), `delta` (log), `query` through [`Value`] and [`super::ValueRef`].
//! Always holds: encode then decode gives the value back; decoding checks each length against what is there before it
//! trusts it, and nesting against [`DEPTH_MAX`]; what [`check_value`] accepts, the readers of [`super::ValueRef`] never refuse.

use super::{Date, DateTime, Duration, LocalDateTime, LocalTime, Point, Time, Value, ValueMap};
use crate::ids::KeyId;
use std::sync::Arc;

/// How deep lists and maps may be nested.
pub const DEPTH_MAX: usize = 64;
/// The largest single property value, in encoded bytes.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

pub(crate) mod tag {
    pub const NULL: u8 = 0x00;
    pub const FALSE: u8 = 0x01;
    pub const TRUE: u8 = 0x02;
    pub const INT: u8 = 0x03;
    pub const FLOAT: u8 = 0x04;
    pub const STRING: u8 = 0x05;
    pub const BYTES: u8 = 0x06;
    pub const LIST: u8 = 0x07;
    pub const MAP: u8 = 0x08;
    pub const DATE: u8 = 0x09;
    pub const TIME: u8 = 0x0a;
    pub const LOCAL_TIME: u8 = 0x0b;
    pub const LOCAL_DATE_TIME: u8 = 0x0c;
    pub const DATE_TIME_OFFSET: u8 = 0x0d;
    pub const DATE_TIME_ZONE: u8 = 0x0e;
    pub const DURATION: u8 = 0x0f;
    pub const POINT_2D: u8 = 0x10;
    pub const POINT_3D: u8 = 0x11;
}

/// Why bytes are no value, with the offset from the start of what was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct DecodeError {
    /// What was wrong.
    pub reason: &'static str,
    /// Where, in bytes from the start of the input.
    pub offset: usize,
}

/// Why a value cannot be a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStorable {
    /// Vertices, edges and paths name things, they are not data.
    #[error("a {0} cannot be stored as a property")]
    Type(&'static str),
    /// Lists and maps deeper than [`DEPTH_MAX`].
    #[error("lists and maps nested deeper than {DEPTH_MAX} cannot be stored")]
    TooDeep,
    /// More than [`VALUE_BYTES_MAX`] encoded.
    #[error(
        "a property value of {0} bytes is larger than the {VALUE_BYTES_MAX} that can be stored"
    )]
    TooLarge(usize),
}

/// Appends an unsigned LEB128 varint.
pub fn put_varint(out: &mut Vec<u8>, x: u64) {
    if x < 0x80 {
        return out.push(x as u8);
    }
    let mut bytes = [0; VARINT_BYTES_MAX];
    let len = write_varint(&mut bytes, 0, x);
    out.extend_from_slice(&bytes[..len]);
}

/// Writes a varint into `bytes` from `at` on; where it ends.
#[inline]
pub(crate) fn write_varint(bytes: &mut [u8], mut at: usize, mut x: u64) -> usize {
    while x >= 0x80 {
        bytes[at] = x as u8 | 0x80;
        x >>= 7;
        at += 1;
    }
    bytes[at] = x as u8;
    at + 1
}

/// The longest varint: 64 bits by sevens.
pub(crate) const VARINT_BYTES_MAX: usize = 10;

/// Appends a zigzag varint.
pub fn put_signed(out: &mut Vec<u8>, x: i64) {
    put_varint(out, ((x << 1) ^ (x >> 63)) as u64);
}

/// Appends the encoding of a value that can be stored.
pub fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), NotStorable> {
    let start = out.len();
    encode_at(value, out, 0).inspect_err(|_| out.truncate(start))?;
    let bytes = out.len() - start;
    if bytes > VALUE_BYTES_MAX {
        out.truncate(start);
        return Err(NotStorable::TooLarge(bytes));
    }
    Ok(())
}

fn encode_at(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), NotStorable> {
    if depth > DEPTH_MAX {
        return Err(NotStorable::TooDeep);
    }
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::Int(x) => {
            out.push(tag::INT);
            put_signed(out, *x);
        }
        Value::Float(x) => {
            out.push(tag::FLOAT);
            out.extend_from_slice(&x.to_le_bytes());
        }
        Value::String(x) => put_bytes(out, tag::STRING, x.as_bytes()),
        Value::Bytes(x) => put_bytes(out, tag::BYTES, x),
        Value::List(items) => {
            out.push(tag::LIST);
            let mut body = Vec::new();
            for item in items.iter() {
                encode_at(item, &mut body, depth + 1)?;
                check_size(body.len())?;
            }
            put_varint(out, body.len() as u64);
            out.extend_from_slice(&body);
        }
        Value::Map(map) => {
            out.push(tag::MAP);
            let mut body = Vec::new();
            for (key, item) in map.iter() {
                put_varint(&mut body, key.len() as u64);
                body.extend_from_slice(key.as_bytes());
                encode_at(item, &mut body, depth + 1)?;
                check_size(body.len())?;
            }
            put_varint(out, body.len() as u64);
            out.extend_from_slice(&body);
        }
        Value::Date(x) => {
            out.push(tag::DATE);
            put_signed(out, x.days);
        }
        Value::Time(x) => {
            out.push(tag::TIME);
            put_signed(out, x.nanoseconds);
            put_signed(out, i64::from(x.offset_seconds));
        }
        Value::LocalTime(x) => {
            out.push(tag::LOCAL_TIME);
            put_signed(out, x.nanoseconds);
        }
        Value::LocalDateTime(x) => {
            out.push(tag::LOCAL_DATE_TIME);
            put_signed(out, x.seconds);
            put_varint(out, u64::from(x.nanoseconds));
        }
        Value::DateTime(x) => {
            out.push(if x.zone.is_some() {
                tag::DATE_TIME_ZONE
            } else {
                tag::DATE_TIME_OFFSET
            });
            put_signed(out, x.seconds);
            put_varint(out, u64::from(x.nanoseconds));
            put_signed(out, i64::from(x.offset_seconds));
            if let Some(zone) = &x.zone {
                put_varint(out, zone.len() as u64);
                out.extend_from_slice(zone.as_bytes());
            }
        }
        Value::Duration(x) => {
            out.push(tag::DURATION);
            put_signed(out, x.months);
            put_signed(out, x.days);
            put_signed(out, x.seconds);
            put_varint(out, u64::from(x.nanoseconds));
        }
        Value::Point(x) => {
            out.push(if x.is_3d() {
                tag::POINT_3D
            } else {
                tag::POINT_2D
            });
            put_varint(out, u64::from(x.srid));
            out.extend_from_slice(&x.x.to_le_bytes());
            out.extend_from_slice(&x.y.to_le_bytes());
            if x.is_3d() {
                out.extend_from_slice(&x.z.to_le_bytes());
            }
        }
        Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => {
            return Err(NotStorable::Type(value.type_name()));
        }
    }
    Ok(())
}

/// Appends the encoding of a stored value: the bytes it was read from, where those were written by [`encode`].
pub(crate) fn encode_ref(value: super::ValueRef<'_>, out: &mut Vec<u8>) {
    use super::ValueRef as V;
    match value {
        V::Null => out.push(tag::NULL),
        V::Bool(false) => out.push(tag::FALSE),
        V::Bool(true) => out.push(tag::TRUE),
        V::Int(x) => {
            out.push(tag::INT);
            put_signed(out, x);
        }
        V::Float(x) => {
            out.push(tag::FLOAT);
            out.extend_from_slice(&x.to_le_bytes());
        }
        V::String(x) => put_bytes(out, tag::STRING, x.as_bytes()),
        V::Bytes(x) => put_bytes(out, tag::BYTES, x),
        V::List(x) => put_bytes(out, tag::LIST, x.body),
        V::Map(x) => put_bytes(out, tag::MAP, x.body),
        V::DateTime {
            seconds,
            nanoseconds,
            offset_seconds,
            zone,
        } => {
            out.push(match zone {
                Some(_) => tag::DATE_TIME_ZONE,
                None => tag::DATE_TIME_OFFSET,
            });
            put_signed(out, seconds);
            put_varint(out, u64::from(nanoseconds));
            put_signed(out, i64::from(offset_seconds));
            if let Some(zone) = zone {
                put_varint(out, zone.len() as u64);
                out.extend_from_slice(zone.as_bytes());
            }
        }
        V::Date(_)
        | V::Time(_)
        | V::LocalTime(_)
        | V::LocalDateTime(_)
        | V::Duration(_)
        | V::Point(_) => encode_at(&value.to_value(), out, 0)
            .expect("a stored value is no vertex, edge or path, and nests nothing here"),
    }
}

fn check_size(bytes: usize) -> Result<(), NotStorable> {
    if bytes > VALUE_BYTES_MAX {
        Err(NotStorable::TooLarge(bytes))
    } else {
        Ok(())
    }
}

fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A bounded reader over bytes that may say anything.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// An error at the present offset.
    pub fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError {
            reason,
            offset: self.at,
        }
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or_else(|| self.error("input ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let end = self
            .at
            .checked_add(n)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error("input ends too early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The bytes between an earlier offset and here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// An unsigned varint of at most ten bytes.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut x = 0u64;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return Err(self.error("varint above 64 bits"));
            }
            x |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(x);
            }
            shift += 7;
            if shift > 63 {
                return Err(self.error("varint above 64 bits"));
            }
        }
    }

    /// A varint that must fit 32 bits.
    pub fn varint32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| self.error("number above 32 bits"))
    }

    /// A zigzag varint.
    #[inline]
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let x = self.varint()?;
        Ok((x >> 1) as i64 ^ -((x & 1) as i64))
    }

    fn signed32(&mut self) -> Result<i32, DecodeError> {
        i32::try_from(self.signed()?).map_err(|_| self.error("number above 32 bits"))
    }

    fn nanoseconds(&mut self) -> Result<u32, DecodeError> {
        let x = self.varint()?;
        if x > 999_999_999 {
            return Err(self.error("more than 999,999,999 nanoseconds"));
        }
        Ok(x as u32)
    }

    fn float(&mut self) -> Result<f64, DecodeError> {
        let bytes = self.take(8)?;
        Ok(f64::from_le_bytes(
            bytes.try_into().expect("eight bytes were taken"),
        ))
    }

    /// Bytes with their length before them.
    #[inline]
    pub fn prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.varint()?;
        let n = usize::try_from(n).map_err(|_| self.error("input ends too early"))?;
        self.take(n)
    }

    /// UTF-8 with its length before it.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.prefixed()?;
        std::str::from_utf8(bytes).map_err(|_| self.error("text is not UTF-8"))
    }

    /// One value, scalars without allocation.
    #[inline]
    pub fn value(&mut self) -> Result<super::ValueRef<'a>, DecodeError> {
        use super::ValueRef as V;
        Ok(match self.u8()? {
            tag::NULL => V::Null,
            tag::FALSE => V::Bool(false),
            tag::TRUE => V::Bool(true),
            tag::INT => V::Int(self.signed()?),
            tag::FLOAT => V::Float(self.float()?),
            tag::STRING => V::String(self.text()?),
            tag::BYTES => V::Bytes(self.prefixed()?),
            tag::LIST => V::List(super::ListRef {
                body: self.prefixed()?,
            }),
            tag::MAP => V::Map(super::MapRef {
                body: self.prefixed()?,
            }),
            tag::DATE => V::Date(Date {
                days: self.signed()?,
            }),
            tag::TIME => V::Time(Time {
                nanoseconds: self.signed()?,
                offset_seconds: self.signed32()?,
            }),
            tag::LOCAL_TIME => V::LocalTime(LocalTime {
                nanoseconds: self.signed()?,
            }),
            tag::LOCAL_DATE_TIME => V::LocalDateTime(LocalDateTime {
                seconds: self.signed()?,
                nanoseconds: self.nanoseconds()?,
            }),
            tag::DATE_TIME_OFFSET => V::DateTime {
                seconds: self.signed()?,
                nanoseconds: self.nanoseconds()?,
                offset_seconds: self.signed32()?,
                zone: None,
            },
            tag::DATE_TIME_ZONE => V::DateTime {
                seconds: self.signed()?,
                nanoseconds: self.nanoseconds()?,
                offset_seconds: self.signed32()?,
                zone: Some(self.text()?),
            },
            tag::DURATION => V::Duration(Duration {
                months: self.signed()?,
                days: self.signed()?,
                seconds: self.signed()?,
                nanoseconds: self.nanoseconds()?,
            }),
            tag::POINT_2D => V::Point(self.point(false)?),
            tag::POINT_3D => V::Point(self.point(true)?),
            _ => {
                self.at -= 1;
                return Err(self.error("unknown value tag"));
            }
        })
    }

    fn point(&mut self, three: bool) -> Result<Point, DecodeError> {
        let point = Point {
            srid: self.varint32()?,
            x: self.float()?,
            y: self.float()?,
            z: if three { self.float()? } else { 0.0 },
        };
        if point.is_3d() != three {
            return Err(self.error("dimensions of a point do not fit its reference system"));
        }
        Ok(point)
    }

    /// Passes over one value without looking into lists and maps.
    #[inline]
    pub fn skip_value(&mut self) -> Result<(), DecodeError> {
        match self.u8()? {
            tag::NULL | tag::FALSE | tag::TRUE => {}
            tag::INT | tag::DATE | tag::LOCAL_TIME => {
                self.varint()?;
            }
            tag::FLOAT => {
                self.take(8)?;
            }
            tag::STRING | tag::BYTES | tag::LIST | tag::MAP => {
                self.prefixed()?;
            }
            _ => {
                self.at -= 1;
                self.value()?;
            }
        }
        Ok(())
    }
}

/// Checks one value to its last leaf, so that every later read of these bytes succeeds.
pub fn check_value(reader: &mut Reader<'_>, depth: usize) -> Result<(), DecodeError> {
    let start = reader.offset();
    if depth > DEPTH_MAX {
        return Err(reader.error("lists and maps nested too deep"));
    }
    match reader.value()? {
        super::ValueRef::List(list) => {
            let mut body = Reader::new(list.body);
            while !body.is_empty() {
                check_value(&mut body, depth + 1).map_err(|e| DecodeError {
                    offset: start + e.offset,
                    ..e
                })?;
            }
        }
        super::ValueRef::Map(map) => {
            let mut body = Reader::new(map.body);
            let mut last: Option<&str> = None;
            while !body.is_empty() {
                let key = body.text().map_err(|e| DecodeError {
                    offset: start + e.offset,
                    ..e
                })?;
                if last.is_some_and(|last| last >= key) {
                    return Err(reader.error("keys of a map are not ascending"));
                }
                last = Some(key);
                check_value(&mut body, depth + 1).map_err(|e| DecodeError {
                    offset: start + e.offset,
                    ..e
                })?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Decodes one whole value; bytes left over are an error.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut check = Reader::new(bytes);
    check_value(&mut check, 0)?;
    if !check.is_empty() {
        return Err(check.error("bytes after the value"));
    }
    Ok(Reader::new(bytes).value()?.to_value())
}

/// Appends `(key, value)*` sorted by key; null values are left out. Of equal keys the last stands.
pub fn encode_properties(
    properties: &[(KeyId, Value)],
    out: &mut Vec<u8>,
) -> Result<(), NotStorable> {
    encode_sorted(properties, false, out)
}

/// As [`encode_properties`], but null stays, for "removed".
pub fn encode_changes(changes: &[(KeyId, Value)], out: &mut Vec<u8>) -> Result<(), NotStorable> {
    encode_sorted(changes, true, out)
}

fn encode_sorted(
    pairs: &[(KeyId, Value)],
    nulls: bool,
    out: &mut Vec<u8>,
) -> Result<(), NotStorable> {
    let start = out.len();
    let mut order: smallvec::SmallVec<[usize; 16]> = (0..pairs.len()).collect();
    order.sort_by_key(|&i| (pairs[i].0, i));
    for (n, &i) in order.iter().enumerate() {
        let (key, value) = &pairs[i];
        let overridden = order.get(n + 1).is_some_and(|&j| pairs[j].0 == *key);
        if overridden || (value.is_null() && !nulls) {
            continue;
        }
        put_varint(out, u64::from(key.0));
        encode(value, out).inspect_err(|_| out.truncate(start))?;
    }
    Ok(())
}

/// Properties as they stand in a version block or in the log; iterating allocates nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Properties<'a> {
    bytes: &'a [u8],
}

impl<'a> Properties<'a> {
    /// Trusts `bytes`: they were encoded here or passed [`Properties::check`].
    pub(crate) fn trusted(bytes: &'a [u8]) -> Properties<'a> {
        Properties { bytes }
    }

    /// Checks every key and value; `removals` allows null, for change lists.
    pub fn check(bytes: &'a [u8], removals: bool) -> Result<Properties<'a>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut last = None;
        while !reader.is_empty() {
            let key = reader.varint32()?;
            if last.is_some_and(|last| last >= key) {
                return Err(reader.error("property keys are not ascending"));
            }
            last = Some(key);
            if !removals && bytes.get(reader.offset()) == Some(&tag::NULL) {
                return Err(reader.error("a null property"));
            }
            check_value(&mut reader, 0)?;
        }
        Ok(Properties { bytes })
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: KeyId) -> Option<super::ValueRef<'a>> {
        let mut reader = Reader::new(self.bytes);
        while !reader.is_empty() {
            let found = reader.varint32().expect(CHECKED);
            if found == key.0 {
                return Some(reader.value().expect(CHECKED));
            }
            if found > key.0 {
                return None;
            }
            reader.skip_value().expect(CHECKED);
        }
        None
    }

    /// The pairs in ascending order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, super::ValueRef<'a>)> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let key = KeyId(reader.varint32().expect(CHECKED));
            Some((key, reader.value().expect(CHECKED)))
        })
    }

    /// The pairs with each value's encoded bytes.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (KeyId, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let key = KeyId(reader.varint32().expect(CHECKED));
            let start = reader.offset();
            reader.skip_value().expect(CHECKED);
            Some((key, reader.since(start)))
        })
    }
}

const CHECKED: &str = "stored properties were encoded here or checked when they came in";

impl super::ValueRef<'_> {
    /// An owned copy.
    pub fn to_value(&self) -> Value {
        use super::ValueRef as V;
        match *self {
            V::Null => Value::Null,
            V::Bool(x) => Value::Bool(x),
            V::Int(x) => Value::Int(x),
            V::Float(x) => Value::Float(x),
            V::String(x) => Value::string(x),
            V::Bytes(x) => Value::Bytes(Arc::from(x)),
            V::List(x) => Value::list(x.iter().map(|item| item.to_value()).collect()),
            V::Map(x) => Value::Map(Arc::new(
                x.iter()
                    .map(|(k, v)| (Arc::from(k), v.to_value()))
                    .collect::<ValueMap>(),
            )),
            V::Date(x) => Value::Date(x),
            V::Time(x) => Value::Time(x),
            V::LocalTime(x) => Value::LocalTime(x),
            V::LocalDateTime(x) => Value::LocalDateTime(x),
            V::DateTime {
                seconds,
                nanoseconds,
                offset_seconds,
                zone,
            } => Value::DateTime(Arc::new(DateTime {
                seconds,
                nanoseconds,
                offset_seconds,
                zone: zone.map(Arc::from),
            })),
            V::Duration(x) => Value::Duration(Arc::new(x)),
            V::Point(x) => Value::Point(Arc::new(x)),
        }
    }
}
