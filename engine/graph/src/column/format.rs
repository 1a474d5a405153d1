//! Writing a column: the smallest format that holds its values, and the block.
//!
//! Owned here: [`build`] (values of a key) and [`build_bytes`] (the rest of rows). Called by `fold`.
//! Always holds: what was put in is read back by `encoding`, to the bit.
//! Left to others: what the formats look like (`encoding`).

use super::WORDS;
use super::encoding::{ColumnHead, Format};
use crate::memory::{Heap, Owned};
use crate::value::ValueRef;
use crate::value::codec::encode_ref;
use hashbrown::HashMap;

/// The longest text that is kept in place.
const TEXT_MAX: usize = 16;
/// The most values of a dictionary.
const DICTIONARY_MAX: usize = 256;

fn width_of(largest: u64) -> u8 {
    match largest {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// A column of values, a row each; nothing if no row has one.
pub(crate) fn build<'h>(
    values: &[Option<ValueRef<'_>>],
    heap: &'h Heap,
) -> Option<Owned<'h, ColumnHead, u64>> {
    let last = values.iter().rposition(Option::is_some)?;
    let rows = &values[..=last];
    let count = rows.iter().flatten().count();
    let packed = count * 2 < rows.len();
    let mut data = Vec::new();
    let form = chosen(rows, if packed { count } else { rows.len() });
    let places = rows.iter().filter(|value| !packed || value.is_some());
    let (width, spans) = form.write(places.copied(), &mut data);
    let shape = Shape {
        format: form.format(),
        width,
        packed,
        spans,
        base: form.base(),
    };
    Some(block(
        shape,
        rows.len(),
        count,
        |at| rows[at].is_some(),
        &data,
        heap,
    ))
}

/// A column of encoded bytes, a row each, none of them empty that counts; nothing if all are empty.
pub(crate) fn build_bytes<'h>(
    rows: &[Vec<u8>],
    heap: &'h Heap,
) -> Option<Owned<'h, ColumnHead, u64>> {
    let last = rows.iter().rposition(|bytes| !bytes.is_empty())?;
    let rows = &rows[..=last];
    let filled = || rows.iter().filter(|bytes| !bytes.is_empty());
    let count = filled().count();
    let packed = count * 2 < rows.len();
    let mut data = Vec::new();
    let width = if packed {
        put_spans(count, filled().map(Vec::as_slice), &mut data)
    } else {
        put_spans(rows.len(), rows.iter().map(Vec::as_slice), &mut data)
    };
    let shape = Shape {
        format: Format::Spans,
        width,
        packed,
        spans: 0,
        base: 0,
    };
    Some(block(
        shape,
        rows.len(),
        count,
        |at| !rows[at].is_empty(),
        &data,
        heap,
    ))
}

struct Shape {
    format: Format,
    width: u8,
    packed: bool,
    spans: u32,
    base: i64,
}

fn block<'h>(
    shape: Shape,
    rows: usize,
    count: usize,
    valid: impl Fn(usize) -> bool,
    data: &[u8],
    heap: &'h Heap,
) -> Owned<'h, ColumnHead, u64> {
    let masked = count < rows;
    let mut mask = [0u64; WORDS];
    let words = if masked { rows.div_ceil(64) } else { 0 };
    if masked {
        for at in (0..rows).filter(|&at| valid(at)) {
            mask[at / 64] |= 1 << (at % 64);
        }
    }
    let head = ColumnHead {
        format: shape.format,
        width: shape.width,
        masked,
        packed: shape.packed,
        rows: rows as u16,
        values: count as u16,
        spans: shape.spans,
        base: shape.base,
    };
    heap.block(head, words + data.len().div_ceil(8), |i| {
        if i < words {
            return mask[i];
        }
        let from = (i - words) * 8;
        let mut word = [0u8; 8];
        let part = &data[from..data.len().min(from + 8)];
        word[..part.len()].copy_from_slice(part);
        u64::from_ne_bytes(word)
    })
}

/// Appends offsets and bytes; answers the width of an offset.
fn put_spans<'a>(n: usize, spans: impl Iterator<Item = &'a [u8]> + Clone, out: &mut Vec<u8>) -> u8 {
    let total: usize = spans.clone().map(<[u8]>::len).sum();
    let fits = |width: usize| (n + 1) * width + total < 1 << (8 * width);
    let width = if fits(2) { 2 } else { 4 };
    let mut at = (n + 1) * width;
    let mut put = |at: usize| out.extend_from_slice(&(at as u64).to_le_bytes()[..width]);
    put(at);
    for span in spans.clone() {
        at += span.len();
        put(at);
    }
    for span in spans {
        out.extend_from_slice(span);
    }
    width as u8
}

/// A format with what it needs to know of its values.
enum Form {
    Int { base: i64, width: u8 },
    Bool,
    Float { width: u8 },
    Text { width: u8 },
    Dictionary { codes: Vec<u8>, spans: Vec<Vec<u8>> },
    Spans { encoded: Vec<Vec<u8>> },
}

/// The smallest format for some values that take `places` places.
fn chosen(rows: &[Option<ValueRef<'_>>], places: usize) -> Form {
    let values = || rows.iter().flatten();
    if values().all(|v| matches!(v, ValueRef::Int(_))) {
        let ints = || {
            values().map(|v| match v {
                ValueRef::Int(x) => *x,
                _ => unreachable!("all are integers"),
            })
        };
        let base = ints().min().expect("some row has a value");
        let top = ints().max().expect("some row has a value");
        let width = width_of(top.wrapping_sub(base) as u64);
        return Form::Int { base, width };
    }
    if values().all(|v| matches!(v, ValueRef::Bool(_))) {
        return Form::Bool;
    }
    if values().all(|v| matches!(v, ValueRef::Float(_))) {
        let narrow = |x: f64| f64::from(x as f32).to_bits() == x.to_bits();
        let all = values().all(|v| matches!(v, ValueRef::Float(x) if narrow(*x)));
        return Form::Float {
            width: if all { 4 } else { 8 },
        };
    }
    let short = |v: &ValueRef<'_>| matches!(v, ValueRef::String(x) if x.len() <= TEXT_MAX && !x.ends_with('\0'));
    let in_place = values().all(short).then(|| {
        let lengths = values().map(|v| match v {
            ValueRef::String(x) => x.len(),
            _ => unreachable!("all are strings"),
        });
        lengths.max().unwrap_or(0).max(1)
    });
    if in_place == Some(1) {
        return Form::Text { width: 1 };
    }
    let by_code = dictionary(rows, places);
    if let (Some(width), None) = (in_place, &by_code) {
        return Form::Text { width: width as u8 };
    }
    if let (Some(width), Some((_, spans))) = (in_place, &by_code) {
        let coded = places + spans.iter().map(|s| s.len() + 2).sum::<usize>() + 2;
        if places * width <= coded {
            return Form::Text { width: width as u8 };
        }
    }
    if let Some((codes, spans)) = by_code {
        return Form::Dictionary { codes, spans };
    }
    let encoded = rows.iter().map(|value| {
        let mut bytes = Vec::new();
        if let Some(value) = value {
            encode_ref(*value, &mut bytes);
        }
        bytes
    });
    Form::Spans {
        encoded: encoded.collect(),
    }
}

/// A code for each value, if few enough differ for that to pay. Codes are by value, in the order of rows that have one.
fn dictionary(rows: &[Option<ValueRef<'_>>], places: usize) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let most = DICTIONARY_MAX.min(places / 4);
    let mut codes = Vec::with_capacity(rows.len());
    let mut known: HashMap<Vec<u8>, u8> = HashMap::new();
    let mut spans: Vec<Vec<u8>> = Vec::new();
    let mut bytes = Vec::new();
    for value in rows.iter().flatten() {
        bytes.clear();
        encode_ref(*value, &mut bytes);
        let code = match known.get(&bytes) {
            Some(&code) => code,
            None if spans.len() == most => return None,
            None => {
                let code = spans.len() as u8;
                known.insert(bytes.clone(), code);
                spans.push(bytes.clone());
                code
            }
        };
        codes.push(code);
    }
    Some((codes, spans))
}

impl Form {
    fn format(&self) -> Format {
        match self {
            Form::Int { .. } => Format::Int,
            Form::Bool => Format::Bool,
            Form::Float { .. } => Format::Float,
            Form::Text { .. } => Format::Text,
            Form::Dictionary { .. } => Format::Dictionary,
            Form::Spans { .. } => Format::Spans,
        }
    }

    fn base(&self) -> i64 {
        match self {
            Form::Int { base, .. } => *base,
            _ => 0,
        }
    }

    /// Writes values, a place each; a row without one leaves a gap. Answers the width of a value, or of an offset of a span, and
    /// where spans begin.
    fn write<'a>(
        &self,
        places: impl Iterator<Item = Option<ValueRef<'a>>> + Clone,
        out: &mut Vec<u8>,
    ) -> (u8, u32) {
        match self {
            Form::Int { base, width } => {
                for value in places {
                    let offset = match value {
                        Some(ValueRef::Int(x)) => x.wrapping_sub(*base),
                        _ => 0,
                    };
                    out.extend_from_slice(&offset.to_le_bytes()[..usize::from(*width)]);
                }
                (*width, 0)
            }
            Form::Bool => {
                for (at, value) in places.enumerate() {
                    if at % 8 == 0 {
                        out.push(0);
                    }
                    if matches!(value, Some(ValueRef::Bool(true))) {
                        *out.last_mut().expect("a byte was just pushed") |= 1 << (at % 8);
                    }
                }
                (0, 0)
            }
            Form::Float { width } => {
                for value in places {
                    let x = match value {
                        Some(ValueRef::Float(x)) => x,
                        _ => 0.0,
                    };
                    if *width == 4 {
                        out.extend_from_slice(&(x as f32).to_le_bytes());
                    } else {
                        out.extend_from_slice(&x.to_le_bytes());
                    }
                }
                (*width, 0)
            }
            Form::Text { width } => {
                for value in places {
                    let end = out.len() + usize::from(*width);
                    if let Some(ValueRef::String(x)) = value {
                        out.extend_from_slice(x.as_bytes());
                    }
                    out.resize(end, 0);
                }
                (*width, 0)
            }
            Form::Dictionary { codes, spans } => {
                let mut codes = codes.iter();
                for value in places {
                    let code = value.map(|_| *codes.next().expect("a code for each value"));
                    out.push(code.unwrap_or(0));
                }
                let at = out.len();
                let spans = spans.iter().map(Vec::as_slice);
                (put_spans(spans.len(), spans, out), at as u32)
            }
            Form::Spans { encoded } => {
                let packed = places.count() < encoded.len();
                let spans = encoded.iter().filter(|b| !packed || !b.is_empty());
                let spans = spans.map(Vec::as_slice);
                (put_spans(spans.clone().count(), spans, out), 0)
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::column::encoding::{Column, decoded};
    use crate::memory::{Account, Link};
    use crate::value::Value;
    use std::sync::Arc;

    /// Writes a column and reads every row back; answers its format, width and bytes.
    fn round_trip(values: &[Option<Value>]) -> (Format, u8, usize) {
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        for value in values {
            let mut encoded = Vec::new();
            if let Some(value) = value {
                crate::value::codec::encode(value, &mut encoded).unwrap();
            }
            bytes.push(encoded);
        }
        let refs: Vec<Option<ValueRef<'_>>> = bytes
            .iter()
            .map(|b| (!b.is_empty()).then(|| decoded(b)))
            .collect();
        let heap = Heap::new(Arc::new(Account::new(1)), 0);
        let guard = heap.enter();
        let link = Link::owning(build(&refs, &heap).unwrap());
        let column = Column::of(link.load(&guard).unwrap());
        for (at, expected) in bytes.iter().enumerate() {
            let mut found = Vec::new();
            if let Some(value) = column.get(at) {
                encode_ref(value, &mut found);
            }
            assert_eq!(&found, expected, "row {at} of {:?}", column.head());
        }
        assert!(column.get(values.len()).is_none());
        let answer = (
            column.head().format,
            column.head().width,
            column.block.items().len() * 8,
        );
        heap.retire_block(link.take().unwrap());
        answer
    }

    fn rows(n: usize, value: impl Fn(usize) -> Value) -> Vec<Option<Value>> {
        (0..n).map(|at| Some(value(at))).collect()
    }

    #[test]
    fn integers_are_as_narrow_as_their_range_wherever_it_lies() {
        assert_eq!(
            round_trip(&rows(1024, |_| Value::Int(i64::MAX))),
            (Format::Int, 0, 0)
        );
        assert_eq!(
            round_trip(&rows(1024, |at| Value::Int(
                i64::MIN + (at as i64).min(255)
            ))),
            (Format::Int, 1, 1024)
        );
        assert_eq!(
            round_trip(&rows(1024, |at| Value::Int(at as i64 - 512))),
            (Format::Int, 2, 2048)
        );
        assert_eq!(
            round_trip(&rows(1000, |at| Value::Int(at as i64 * 65_537))),
            (Format::Int, 4, 4000)
        );
        let ends = |at: usize| {
            Value::Int(if at.is_multiple_of(2) {
                i64::MIN
            } else {
                i64::MAX
            })
        };
        assert_eq!(round_trip(&rows(64, ends)), (Format::Int, 8, 512));
    }

    #[test]
    fn floats_are_halved_only_where_nothing_is_lost() {
        assert_eq!(
            round_trip(&rows(8, |at| Value::Float(at as f64 * -0.5))).1,
            4
        );
        assert_eq!(
            round_trip(&rows(8, |at| Value::Float(at as f64 * 0.1))).1,
            8
        );
        let odd = [
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::from_bits(0x7ff8_0000_0000_0001),
            f64::MIN_POSITIVE,
        ];
        assert_eq!(round_trip(&rows(6, |at| Value::Float(odd[at]))).1, 8);
    }

    #[test]
    fn texts_lie_in_place_unless_a_dictionary_is_smaller_or_they_are_long() {
        let text = |at: usize| Value::string(format!("p{at}"));
        assert_eq!(round_trip(&rows(1024, text)), (Format::Text, 5, 5 * 1024));
        let city = |at: usize| Value::string(["Amsterdam", "Rotterdam", ""][at % 3]);
        let (format, _, bytes) = round_trip(&rows(1024, city));
        assert!(format == Format::Dictionary && bytes < 1024 + 64);
        let long = |at: usize| Value::string("x".repeat(at));
        assert_eq!(round_trip(&rows(500, long)).0, Format::Spans);
        let longer = |at: usize| Value::string("y".repeat(1000 + at));
        assert_eq!(round_trip(&rows(200, longer)).1, 4);
        let nul = |at: usize| Value::string(format!("{at}\0"));
        assert_eq!(round_trip(&rows(400, nul)).0, Format::Spans);
    }

    #[test]
    fn rows_without_a_value_stay_so_and_take_no_room_where_most_are() {
        for keep in [2usize, 3, 7, 100] {
            for value in [
                |at: usize| Value::Int(at as i64),
                |at: usize| Value::Bool(at.is_multiple_of(3)),
                |at: usize| Value::Float(at as f64 * 0.1),
                |at: usize| Value::string(format!("{at}")),
                |at: usize| Value::string(["one", "two"][at % 2]),
                |at: usize| Value::list(vec![Value::Int(at as i64), Value::Null]),
            ] {
                let sparse: Vec<Option<Value>> = (0..1024)
                    .map(|at: usize| at.is_multiple_of(keep).then(|| value(at)))
                    .collect();
                let (_, _, bytes) = round_trip(&sparse);
                assert!(keep < 100 || bytes < 400, "{bytes} bytes for 11 values");
                let dense: Vec<Option<Value>> = (0..1024)
                    .map(|at: usize| (!at.is_multiple_of(keep)).then(|| value(at)))
                    .collect();
                round_trip(&dense);
            }
        }
    }

    #[test]
    fn values_of_several_types_share_a_column() {
        let mixed = |at: usize| match at % 5 {
            0 => Value::Int(at as i64),
            1 => Value::Float(at as f64),
            2 => Value::string(format!("{at}")),
            3 => Value::list(vec![Value::Bool(true), Value::Int(at as i64)]),
            _ => Value::map(vec![("k".into(), Value::Int(at as i64))]),
        };
        assert_eq!(round_trip(&rows(1024, mixed)).0, Format::Spans);
        assert_eq!(
            round_trip(&rows(1024, |at| mixed(at % 10))).0,
            Format::Dictionary
        );
    }
}
