//! Functions on text. Positions count characters.

use std::sync::Arc;

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::{TEXT_BYTES_MAX, wrong_argument};

pub(super) fn apply(function: Function, args: &[Value]) -> Result<Value, Error> {
    use Function as F;
    if args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let text = |at: usize| match &args[at] {
        Value::String(text) => Ok(&**text),
        other => Err(wrong_argument(function, "a string", other)),
    };
    let count = |at: usize| match &args[at] {
        Value::Int(count) => usize::try_from(*count).map_err(|_| {
            Error::argument(
                Detail::NumberOutOfRange,
                format!("{function}() needs a position of 0 or more, not {count}"),
            )
        }),
        other => Err(wrong_argument(function, "an integer", other)),
    };
    let value = text(0)?;
    Ok(match function {
        F::Substring => {
            let rest = value.chars().skip(count(1)?);
            Value::from(if args.len() > 2 {
                rest.take(count(2)?).collect::<String>()
            } else {
                rest.collect()
            })
        }
        F::Left => Value::from(value.chars().take(count(1)?).collect::<String>()),
        F::Right => {
            let length = value.chars().count();
            Value::from(
                value
                    .chars()
                    .skip(length.saturating_sub(count(1)?))
                    .collect::<String>(),
            )
        }
        F::Trim => Value::from(value.trim()),
        F::LTrim | F::RTrim | F::BTrim if args.len() > 1 => {
            let characters: Vec<char> = text(1)?.chars().collect();
            let characters = characters.as_slice();
            Value::from(match function {
                F::LTrim => value.trim_start_matches(characters),
                F::RTrim => value.trim_end_matches(characters),
                _ => value.trim_matches(characters),
            })
        }
        F::LTrim => Value::from(value.trim_start()),
        F::RTrim => Value::from(value.trim_end()),
        F::BTrim => Value::from(value.trim()),
        F::Split => split(value, &args[1])?,
        F::Replace => {
            let (from, to) = (text(1)?, text(2)?);
            if from.is_empty() {
                return Ok(args[0].clone());
            }
            let bytes = bytes_of_replaced(value, from, to);
            if bytes > TEXT_BYTES_MAX as u64 {
                return Err(Error::argument(
                    Detail::NumberOutOfRange,
                    format!("replace() would give {bytes} bytes of text"),
                ));
            }
            Value::from(value.replace(from, to))
        }
        F::ToLower | F::Lower => Value::from(value.to_lowercase()),
        F::ToUpper | F::Upper => Value::from(value.to_uppercase()),
        F::Contains => Value::Bool(value.contains(text(1)?)),
        F::StartsWith => Value::Bool(value.starts_with(text(1)?)),
        F::EndsWith => Value::Bool(value.ends_with(text(1)?)),
        _ => {
            return Err(Error::internal(format!(
                "{function}() is no function on text"
            )));
        }
    })
}

/// Bytes of the text that a call is going to give, if it may be far longer than its arguments.
pub(super) fn bytes_of_result(function: Function, args: &[Value]) -> Option<u64> {
    match (function, args) {
        (Function::Replace, [Value::String(text), Value::String(from), Value::String(to)])
            if to.len() > from.len() && !from.is_empty() =>
        {
            Some(bytes_of_replaced(text, from, to).min(TEXT_BYTES_MAX as u64))
        }
        _ => None,
    }
}

/// Bytes of a text with all of `from`, which is not empty, replaced.
fn bytes_of_replaced(text: &str, from: &str, to: &str) -> u64 {
    let found = text.matches(from).count() as u64;
    let kept = text.len() as u64 - found * from.len() as u64;
    kept.saturating_add(found.saturating_mul(to.len() as u64))
}

/// `split(text, separator)`, or with any of several separators; an empty one stands between all characters.
fn split(text: &str, separators: &Value) -> Result<Value, Error> {
    let one = |value: &Value| match value {
        Value::String(separator) => Ok(separator.clone()),
        other => Err(wrong_argument(Function::Split, "a string", other)),
    };
    let separators: Vec<Arc<str>> = match separators {
        Value::List(items) => items.iter().map(one).collect::<Result<_, _>>()?,
        other => vec![one(other)?],
    };
    let parts: Vec<Value> = match separators.as_slice() {
        several if several.iter().any(|separator| separator.is_empty()) => text
            .chars()
            .filter(|character| !several.iter().any(|one| is_only(one, *character)))
            .map(|character| Value::from(character.to_string()))
            .collect(),
        [separator] => text.split(&**separator).map(Value::from).collect(),
        several => {
            let any: Vec<String> = several.iter().map(|one| regex::escape(one)).collect();
            let any = regex::Regex::new(&any.join("|")).map_err(|_| {
                Error::argument(
                    Detail::InvalidArgumentValue,
                    "split() cannot take that many separators",
                )
            })?;
            match several.is_empty() {
                true => vec![Value::from(text)],
                false => any.split(text).map(Value::from).collect(),
            }
        }
    };
    Ok(Value::list(parts))
}

/// Whether a text is one character and nothing else.
fn is_only(text: &str, character: char) -> bool {
    let mut characters = text.chars();
    characters.next() == Some(character) && characters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: Function, args: &[Value]) -> Value {
        apply(function, args).unwrap()
    }

    #[test]
    fn positions_count_characters_and_run_over_the_end() {
        let text = Value::from("äöü");
        assert_eq!(
            call(Function::Substring, &[text.clone(), Value::Int(1)]),
            Value::from("öü")
        );
        assert_eq!(
            call(
                Function::Substring,
                &[text.clone(), Value::Int(1), Value::Int(99)]
            ),
            Value::from("öü")
        );
        assert_eq!(
            call(Function::Right, &[text.clone(), Value::Int(2)]),
            Value::from("öü")
        );
        assert!(apply(Function::Left, &[text, Value::Int(-1)]).is_err());
    }

    #[test]
    fn null_gives_null_before_types_are_looked_at() {
        assert_eq!(
            call(
                Function::Replace,
                &[Value::Null, Value::Int(1), Value::Int(2)]
            ),
            Value::Null
        );
        assert!(apply(Function::Trim, &[Value::Int(1)]).is_err());
    }
}
