//! `+ - * / % ^ ||` on values: numbers, text, lists, durations and instants.
//!
//! Integers that leave 64 bits are an error, never a wrong number. Null gives null. What cannot be combined is a TypeError.

use std::sync::Arc;

use quoit_cypher::ast::ArithmeticOp;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use crate::expression::bulk::bounded;
use crate::function::TEXT_BYTES_MAX;
use crate::function::number::format_float;
use crate::temporal::TemporalError;
use crate::temporal::convert::{moment_of, span_of, span_value, value_of};
use crate::temporal::duration::moved;

/// `left op right`.
pub fn apply(op: ArithmeticOp, left: &Value, right: &Value) -> Result<Value, Error> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    match op {
        ArithmeticOp::Add => add(left, right),
        ArithmeticOp::Subtract => subtract(left, right),
        ArithmeticOp::Multiply => multiply(left, right),
        ArithmeticOp::Divide => divide(left, right),
        ArithmeticOp::Modulo => modulo(left, right),
        ArithmeticOp::Power => power(left, right),
        ArithmeticOp::Concatenate => match (left, right) {
            (Value::String(_), Value::String(_)) | (Value::List(_), Value::List(_)) => {
                add(left, right)
            }
            _ => Err(mismatch("||", left, right)),
        },
    }
}

/// `-value`.
pub fn negate(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Duration(duration) => span_of(duration)
            .negated()
            .map(|span| span_value(&span))
            .map_err(temporal),
        _ => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!("{} cannot be negated", value.type_phrase()),
        )),
    }
}

fn overflow() -> Error {
    Error::arithmetic(Detail::Overflow, "integer overflow")
}

fn temporal(error: TemporalError) -> Error {
    Error::argument(Detail::NumberOutOfRange, error.0)
}

fn mismatch(op: &str, left: &Value, right: &Value) -> Error {
    Error::type_error(
        Detail::InvalidArgumentType,
        format!(
            "`{op}` cannot combine {} and {}",
            left.type_phrase(),
            right.type_phrase()
        ),
    )
}

/// Both numbers as floats; `None` if one is no number.
fn floats(left: &Value, right: &Value) -> Option<(f64, f64)> {
    let float = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    Some((float(left)?, float(right)?))
}

fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            return a.checked_add(*b).map(Value::Int).ok_or_else(overflow);
        }
        (Value::List(a), Value::List(b)) => {
            return bounded(Value::list(a.iter().chain(b.iter()).cloned().collect()));
        }
        (Value::List(a), item) => {
            return bounded(Value::list(
                a.iter().chain(std::iter::once(item)).cloned().collect(),
            ));
        }
        (item, Value::List(b)) => {
            return bounded(Value::list(
                std::iter::once(item).chain(b.iter()).cloned().collect(),
            ));
        }
        (Value::Duration(a), Value::Duration(b)) => {
            return span_of(a)
                .plus(&span_of(b))
                .map(|span| span_value(&span))
                .map_err(temporal);
        }
        (Value::Duration(span), instant) | (instant, Value::Duration(span)) => {
            let moment = moment_of(instant).ok_or_else(|| mismatch("+", left, right))?;
            return moved(&moment, &span_of(span))
                .map(|moment| value_of(&moment))
                .map_err(temporal);
        }
        _ => {}
    }
    if let Some((a, b)) = floats(left, right) {
        return Ok(Value::Float(a + b));
    }
    let text = |value: &Value| -> Option<Arc<str>> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string().into()),
            Value::Float(number) => Some(format_float(*number).into()),
            _ => None,
        }
    };
    match (
        matches!(left, Value::String(_)) || matches!(right, Value::String(_)),
        text(left),
        text(right),
    ) {
        (true, Some(a), Some(b)) if a.len() + b.len() > TEXT_BYTES_MAX => {
            let bytes = a.len() + b.len();
            Err(Error::argument(
                Detail::NumberOutOfRange,
                format!("`+` would give {bytes} bytes of text, more than {TEXT_BYTES_MAX}"),
            ))
        }
        (true, Some(a), Some(b)) => {
            let mut out = String::with_capacity(a.len() + b.len());
            out.push_str(&a);
            out.push_str(&b);
            Ok(Value::from(out))
        }
        _ => Err(mismatch("+", left, right)),
    }
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map(Value::Int).ok_or_else(overflow),
        (instant, Value::Duration(span)) => {
            let back = span_of(span).negated().map_err(temporal)?;
            match instant {
                Value::Duration(first) => span_of(first)
                    .plus(&back)
                    .map(|span| span_value(&span))
                    .map_err(temporal),
                _ => {
                    let moment = moment_of(instant).ok_or_else(|| mismatch("-", left, right))?;
                    moved(&moment, &back)
                        .map(|moment| value_of(&moment))
                        .map_err(temporal)
                }
            }
        }
        _ => floats(left, right)
            .map(|(a, b)| Value::Float(a - b))
            .ok_or_else(|| mismatch("-", left, right)),
    }
}

fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.checked_mul(*b).map(Value::Int).ok_or_else(overflow),
        (Value::Duration(span), factor) | (factor, Value::Duration(span)) => {
            let (factor, _) = floats(factor, factor).ok_or_else(|| mismatch("*", left, right))?;
            span_of(span)
                .times(factor)
                .map(|span| span_value(&span))
                .map_err(temporal)
        }
        _ => floats(left, right)
            .map(|(a, b)| Value::Float(a * b))
            .ok_or_else(|| mismatch("*", left, right)),
    }
}

fn divide(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Error::arithmetic(
            Detail::DivisionByZero,
            "division by zero",
        )),
        (Value::Int(a), Value::Int(b)) => a.checked_div(*b).map(Value::Int).ok_or_else(overflow),
        (Value::Duration(span), divisor) => {
            let (divisor, _) =
                floats(divisor, divisor).ok_or_else(|| mismatch("/", left, right))?;
            if divisor == 0.0 {
                return Err(Error::arithmetic(
                    Detail::DivisionByZero,
                    "division by zero",
                ));
            }
            span_of(span)
                .divided(divisor)
                .map(|span| span_value(&span))
                .map_err(temporal)
        }
        _ => floats(left, right)
            .map(|(a, b)| Value::Float(a / b))
            .ok_or_else(|| mismatch("/", left, right)),
    }
}

fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Error::arithmetic(
            Detail::DivisionByZero,
            "division by zero",
        )),
        (Value::Int(a), Value::Int(b)) => Ok(Value::Int(a.wrapping_rem(*b))),
        _ => floats(left, right)
            .map(|(a, b)| Value::Float(a % b))
            .ok_or_else(|| mismatch("%", left, right)),
    }
}

fn power(left: &Value, right: &Value) -> Result<Value, Error> {
    floats(left, right)
        .map(|(a, b)| Value::Float(a.powf(b)))
        .ok_or_else(|| mismatch("^", left, right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(op: ArithmeticOp, left: Value, right: Value) -> Detail {
        apply(op, &left, &right).expect_err("an error").detail()
    }

    #[test]
    fn integer_overflow_and_division_by_zero_are_errors() {
        assert_eq!(
            detail(ArithmeticOp::Add, Value::Int(i64::MAX), Value::Int(1)),
            Detail::Overflow
        );
        assert_eq!(
            detail(ArithmeticOp::Multiply, Value::Int(i64::MIN), Value::Int(-1)),
            Detail::Overflow
        );
        assert_eq!(
            detail(ArithmeticOp::Divide, Value::Int(i64::MIN), Value::Int(-1)),
            Detail::Overflow
        );
        assert_eq!(
            detail(ArithmeticOp::Divide, Value::Int(1), Value::Int(0)),
            Detail::DivisionByZero
        );
        assert_eq!(
            apply(ArithmeticOp::Modulo, &Value::Int(i64::MIN), &Value::Int(-1)),
            Ok(Value::Int(0))
        );
        assert_eq!(
            negate(&Value::Int(i64::MIN)).unwrap_err().detail(),
            Detail::Overflow
        );
    }

    #[test]
    fn text_takes_numbers_and_lists_take_anything() {
        assert_eq!(
            apply(ArithmeticOp::Add, &Value::string("a"), &Value::Int(1)),
            Ok(Value::string("a1"))
        );
        let list = Value::list(vec![Value::Int(1)]);
        assert_eq!(
            apply(ArithmeticOp::Add, &list, &Value::Bool(true)),
            Ok(Value::list(vec![Value::Int(1), Value::Bool(true)]))
        );
        assert_eq!(
            detail(ArithmeticOp::Add, Value::Bool(true), Value::Int(1)),
            Detail::InvalidArgumentType
        );
    }

    #[test]
    fn null_makes_every_result_null() {
        assert_eq!(
            apply(ArithmeticOp::Divide, &Value::Null, &Value::Int(0)),
            Ok(Value::Null)
        );
    }
}
