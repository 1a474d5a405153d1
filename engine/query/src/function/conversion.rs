//! `toInteger`, `toFloat`, `toString`, `toBoolean`, their `OrNull` and `List` forms.

use quoit_cypher::error::Error;
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::number::format_float;
use super::{wrong_argument, wrong_value};
use crate::temporal::convert::{moment_of, span_of};
use crate::temporal::{format_moment, format_span};

pub(super) fn apply(function: Function, args: &[Value]) -> Result<Value, Error> {
    use Function as F;
    let value = &args[0];
    let (convert, wanted): (fn(&Value) -> Option<Value>, &str) = match function {
        F::ToInteger | F::ToIntegerOrNull | F::ToIntegerList => {
            (to_integer, "a number, boolean or string")
        }
        F::ToFloat | F::ToFloatOrNull | F::ToFloatList => (to_float, "a number or string"),
        F::ToBoolean | F::ToBooleanOrNull | F::ToBooleanList => {
            (to_boolean, "a boolean, integer or string")
        }
        _ => (to_string, "a value with a text form"),
    };
    match function {
        F::ToIntegerOrNull | F::ToFloatOrNull | F::ToStringOrNull | F::ToBooleanOrNull => {
            Ok(convert(value).unwrap_or_default())
        }
        F::ToIntegerList | F::ToFloatList | F::ToStringList | F::ToBooleanList => match value {
            Value::Null => Ok(Value::Null),
            Value::List(items) => Ok(Value::list(
                items
                    .iter()
                    .map(|item| convert(item).unwrap_or_default())
                    .collect(),
            )),
            other => Err(wrong_argument(function, "a list", other)),
        },
        _ => convert(value).ok_or_else(|| wrong_value(function, wanted, value)),
    }
}

/// `None`: a type that has no integer. Text that is no number gives null.
fn to_integer(value: &Value) -> Option<Value> {
    let of_float = |number: f64| {
        let number = number.trunc();
        // -2^63 and 2^63 are exact floats; the latter does not fit.
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
            Value::Int(number as i64)
        } else {
            Value::Null
        }
    };
    match value {
        Value::Null => Some(Value::Null),
        Value::Int(_) => Some(value.clone()),
        Value::Float(number) => Some(of_float(*number)),
        Value::Bool(flag) => Some(Value::Int(i64::from(*flag))),
        Value::String(text) => {
            let text = text.trim();
            Some(match text.parse::<i64>() {
                Ok(number) => Value::Int(number),
                Err(_) => parse_float(text).map_or(Value::Null, of_float),
            })
        }
        _ => None,
    }
}

fn to_float(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Null),
        Value::Int(number) => Some(Value::Float(*number as f64)),
        Value::Float(_) => Some(value.clone()),
        Value::String(text) => Some(parse_float(text.trim()).map_or(Value::Null, Value::Float)),
        _ => None,
    }
}

/// A number as Cypher writes it: Rust would also take `inf`, `nan` and their kin.
fn parse_float(text: &str) -> Option<f64> {
    let first = text.trim_start_matches(['+', '-']).bytes().next()?;
    (first.is_ascii_digit() || first == b'.').then(|| text.parse().ok())?
}

fn to_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(_) => Some(value.clone()),
        Value::Int(number) => Some(Value::Bool(*number != 0)),
        Value::String(text) => Some(match text.trim().to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Null,
        }),
        _ => None,
    }
}

fn to_string(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::String(_) => value.clone(),
        Value::Bool(flag) => Value::from(if *flag { "true" } else { "false" }),
        Value::Int(number) => Value::from(number.to_string()),
        Value::Float(number) => Value::from(format_float(*number)),
        Value::Duration(duration) => Value::from(format_span(&span_of(duration))),
        Value::Point(point) => {
            let third = if point.is_3d() {
                format!(", z: {}", format_float(point.z))
            } else {
                String::new()
            };
            Value::from(format!(
                "point({{srid: {}, x: {}, y: {}{third}}})",
                point.srid,
                format_float(point.x),
                format_float(point.y)
            ))
        }
        other => Value::from(format_moment(&moment_of(other)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_number_gives_null() {
        for text in ["foo", "", "inf", "NaN", "1x", "-"] {
            assert_eq!(
                to_integer(&Value::string(text)),
                Some(Value::Null),
                "{text}"
            );
            assert_eq!(to_float(&Value::string(text)), Some(Value::Null), "{text}");
        }
        assert_eq!(to_integer(&Value::string("2.9")), Some(Value::Int(2)));
        assert_eq!(to_integer(&Value::Float(1e300)), Some(Value::Null));
    }

    #[test]
    fn a_type_without_a_number_is_refused() {
        assert_eq!(to_float(&Value::Bool(true)), None);
        assert_eq!(to_integer(&Value::list(vec![])), None);
        assert_eq!(to_boolean(&Value::Float(1.0)), None);
        assert_eq!(to_string(&Value::map(vec![])), None);
    }
}
