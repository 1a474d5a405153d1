//! How large and how deep a value may be that an expression or an aggregate makes.
//!
//! Called by whatever puts values into a list or a map. What always holds: a value in a row can be compared, hashed, written and dropped in
//! bounded time, and on a bounded stack, however its parts are shared.

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

/// Lists and maps within each other: values are walked and dropped by recursion.
const DEPTH_MAX: u32 = 256;

/// Values within a value whose lists and maps stand within each other, shared ones counted as often as they are met. A flat list may be longer,
/// since the query's memory bounds it.
const VALUES_MAX: u64 = 1 << 26;

/// What it costs to go over a value once, in short steps (as [`crate::operator::Context::spend`] counts them).
pub fn steps_over(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / 256,
        Value::List(_) | Value::Map(_) => value.bulk().values / 16,
        Value::Path(path) => path.edges.len() as u64 / 16,
        _ => 0,
    }
}

/// The value, if it is not beyond all bounds.
///
/// # Errors
/// `NestingTooDeep`; more than 2^26 values within each other.
pub fn bounded(value: Value) -> Result<Value, Error> {
    let bulk = value.bulk();
    if bulk.depth > DEPTH_MAX {
        return Err(Error::argument(
            Detail::NestingTooDeep,
            format!("lists and maps stand within each other more than {DEPTH_MAX} deep"),
        ));
    }
    if bulk.depth > 1 && bulk.values > VALUES_MAX {
        return Err(Error::argument(
            Detail::InvalidArgumentValue,
            format!(
                "a list or map would have more than {VALUES_MAX} values within: it holds the same list or map again and again"
            ),
        ));
    }
    Ok(value)
}
