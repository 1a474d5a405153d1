//! Functions on lists, and those that take any value.

use hashbrown::HashSet;
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::{LIST_ITEMS_MAX, wrong_argument};
use crate::operator::Context;

pub(super) fn apply(
    function: Function,
    args: &[Value],
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    use Function as F;
    let value = &args[0];
    match function {
        F::Range => return range(args),
        F::NullIf => {
            return Ok(if value.equals(&args[1]) == Some(true) {
                Value::Null
            } else {
                value.clone()
            });
        }
        F::ValueType => return Ok(Value::from(type_words(value))),
        F::Assert => return assert(args),
        _ if value.is_null() => return Ok(Value::Null),
        _ => {}
    }
    match (function, value) {
        (F::Head, Value::List(items)) => Ok(items.first().cloned().unwrap_or_default()),
        (F::Last, Value::List(items)) => Ok(items.last().cloned().unwrap_or_default()),
        (F::Tail, Value::List(items)) => Ok(Value::list(items.get(1..).unwrap_or(&[]).to_vec())),
        (F::Size, Value::List(items)) => Ok(Value::Int(items.len() as i64)),
        (F::Size, Value::Map(map)) => Ok(Value::Int(map.len() as i64)),
        (F::Size | F::CharLength | F::CharacterLength, Value::String(text)) => {
            Ok(Value::Int(text.chars().count() as i64))
        }
        (F::Reverse, Value::List(items)) => Ok(Value::list(items.iter().rev().cloned().collect())),
        (F::Reverse, Value::String(text)) => {
            Ok(Value::from(text.chars().rev().collect::<String>()))
        }
        (F::IsEmpty, Value::List(items)) => Ok(Value::Bool(items.is_empty())),
        (F::IsEmpty, Value::Map(map)) => Ok(Value::Bool(map.is_empty())),
        (F::IsEmpty, Value::String(text)) => Ok(Value::Bool(text.is_empty())),
        (F::ToSet, Value::List(items)) => {
            let mut seen = HashSet::new();
            Ok(Value::list(
                items
                    .iter()
                    .filter(|item| seen.insert((*item).clone()))
                    .cloned()
                    .collect(),
            ))
        }
        (F::UniformSample, Value::List(items)) => sample(items, &args[1], cx),
        (_, other) => Err(wrong_argument(function, "a list or string", other)),
    }
}

/// The numbers of `range(start, end, step)`, made one by one.
#[derive(Clone, Debug)]
pub struct Range {
    /// The next number; it lies between start and end.
    next: Option<i64>,
    end: i64,
    step: i64,
}

impl Range {
    /// The numbers that the arguments of `range()` ask for: start, end, and step (1 if it is not given).
    ///
    /// # Errors
    /// An argument that is no integer; a step of 0.
    pub fn new(args: &[Value]) -> Result<Range, Error> {
        let mut numbers = [0_i64, 0, 1];
        for (arg, number) in args.iter().zip(&mut numbers) {
            match arg {
                Value::Int(value) => *number = *value,
                other => {
                    return Err(Error::argument(
                        Detail::InvalidArgumentType,
                        format!("range() needs integers, not {}", other.type_phrase()),
                    ));
                }
            }
        }
        let [start, end, step] = numbers;
        if step == 0 {
            return Err(Error::argument(
                Detail::NumberOutOfRange,
                "the step of range() cannot be 0",
            ));
        }
        let mut range = Range {
            next: None,
            end,
            step,
        };
        range.next = range.within(start);
        Ok(range)
    }

    /// Itself, if its numbers are no more than a list may have.
    ///
    /// # Errors
    /// They are more than [`LIST_ITEMS_MAX`].
    pub fn bounded(self) -> Result<Range, Error> {
        let count = self.left();
        if count > u128::from(LIST_ITEMS_MAX) {
            return Err(Error::argument(
                Detail::NumberOutOfRange,
                format!("range() would give {count} values, more than {LIST_ITEMS_MAX}"),
            ));
        }
        Ok(self)
    }

    /// How many numbers are left; there can be 2^64.
    fn left(&self) -> u128 {
        self.next.map_or(0, |next| {
            u128::from(next.abs_diff(self.end) / self.step.unsigned_abs()) + 1
        })
    }

    fn within(&self, number: i64) -> Option<i64> {
        let is_within = if self.step > 0 {
            number <= self.end
        } else {
            number >= self.end
        };
        is_within.then_some(number)
    }
}

impl Iterator for Range {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let number = self.next?;
        // Behind the last number an i64 holds there is none.
        self.next = number
            .checked_add(self.step)
            .and_then(|next| self.within(next));
        Some(number)
    }
}

fn range(args: &[Value]) -> Result<Value, Error> {
    let range = Range::new(args)?.bounded()?;
    let mut numbers = Vec::with_capacity(range.left() as usize);
    numbers.extend(range.map(Value::Int));
    Ok(Value::list(numbers))
}

fn sample(items: &[Value], count: &Value, cx: &mut Context<'_>) -> Result<Value, Error> {
    let count = match count {
        Value::Null => return Ok(Value::Null),
        Value::Int(count) => u64::try_from(*count)
            .ok()
            .filter(|count| *count <= LIST_ITEMS_MAX),
        other => {
            return Err(wrong_argument(
                Function::UniformSample,
                "a number of items",
                other,
            ));
        }
    };
    let count = count.ok_or_else(|| {
        Error::argument(
            Detail::NumberOutOfRange,
            "the number of items is out of range",
        )
    })?;
    if items.is_empty() {
        return Ok(Value::Null);
    }
    Ok(Value::list(
        (0..count)
            .map(|_| items[(cx.random_bits() % items.len() as u64) as usize].clone())
            .collect(),
    ))
}

fn assert(args: &[Value]) -> Result<Value, Error> {
    match (&args[0], args.get(1)) {
        (Value::Bool(true), _) => Ok(Value::Bool(true)),
        (_, Some(Value::String(message))) => Err(Error::argument(
            Detail::InvalidArgumentValue,
            format!("assertion failed: {message}"),
        )),
        _ => Err(Error::argument(
            Detail::InvalidArgumentValue,
            "assertion failed",
        )),
    }
}

fn type_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(_) => "BOOLEAN",
        Value::Int(_) => "INTEGER",
        Value::Float(_) => "FLOAT",
        Value::String(_) => "STRING",
        Value::Bytes(_) => "BYTES",
        Value::List(_) => "LIST",
        Value::Map(_) => "MAP",
        Value::Date(_) => "DATE",
        Value::Time(_) => "ZONED_TIME",
        Value::LocalTime(_) => "LOCAL_TIME",
        Value::LocalDateTime(_) => "LOCAL_DATE_TIME",
        Value::DateTime(_) => "ZONED_DATE_TIME",
        Value::Duration(_) => "DURATION",
        Value::Point(_) => "POINT",
        Value::Vertex(_) => "NODE",
        Value::Edge(_) => "RELATIONSHIP",
        Value::Path(_) => "PATH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(args: &[i64]) -> Result<Value, Error> {
        range(&args.iter().copied().map(Value::Int).collect::<Vec<_>>())
    }

    #[test]
    fn ranges_reach_their_ends_in_both_directions() {
        assert_eq!(
            numbers(&[0, 10, 3]),
            Ok(Value::list([0, 3, 6, 9].map(Value::Int).to_vec()))
        );
        assert_eq!(
            numbers(&[3, 1, -1]),
            Ok(Value::list([3, 2, 1].map(Value::Int).to_vec()))
        );
        assert_eq!(numbers(&[3, 1]), Ok(Value::list(vec![])));
        assert_eq!(
            numbers(&[i64::MAX - 1, i64::MAX]),
            Ok(Value::list(
                [i64::MAX - 1, i64::MAX].map(Value::Int).to_vec()
            ))
        );
    }

    #[test]
    fn a_range_ends_where_integers_end() {
        let ends = |args: [i64; 3]| {
            let mut range = Range::new(&args.map(Value::Int)).unwrap();
            (range.left(), range.next(), range.nth(1))
        };
        let (min, max) = (i64::MIN, i64::MAX);
        assert_eq!(ends([min, max, 1]), (1 << 64, Some(min), Some(min + 2)));
        assert_eq!(ends([max, min, -1]), (1 << 64, Some(max), Some(max - 2)));
        assert_eq!(ends([min, max, max]), (3, Some(min), Some(max - 1)));
        assert_eq!(ends([max, min, min]), (2, Some(max), None));
        assert_eq!(ends([max, min, max]), (0, None, None));
        let all = |args: [i64; 3]| {
            Range::new(&args.map(Value::Int))
                .unwrap()
                .collect::<Vec<_>>()
        };
        assert_eq!(all([max - 3, max, 2]), [max - 3, max - 1]);
        assert_eq!(all([min + 3, min, -3]), [min + 3, min]);
        assert_eq!(all([0, min, min]), [0, min]);
        assert_eq!(all([max, max, max]), [max]);
    }

    #[test]
    fn a_range_too_large_for_memory_is_refused() {
        assert_eq!(
            numbers(&[i64::MIN, i64::MAX]).unwrap_err().detail(),
            Detail::NumberOutOfRange
        );
        assert_eq!(
            numbers(&[1, 2, 0]).unwrap_err().detail(),
            Detail::NumberOutOfRange
        );
    }
}
