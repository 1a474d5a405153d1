//! Functions about who asks, and the query's own counters.

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::wrong_argument;
use crate::operator::Context;

pub(super) fn apply(
    function: Function,
    args: &[Value],
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    match function {
        Function::Counter => counter(args, cx),
        Function::GetHopsCounter => Ok(Value::Int(cx.hops_made() as i64)),
        // There are no users yet: whoever asks has no name, as in SHOW CURRENT USER, and no roles.
        Function::Username => Ok(Value::Null),
        Function::Roles => Ok(Value::list(Vec::new())),
        _ => Err(Error::internal(format!(
            "{function}() is not about the session"
        ))),
    }
}

/// `counter(name, first[, step])`: `first` when it is asked for the first time in a query, `step` (1) more each time after that.
fn counter(args: &[Value], cx: &mut Context<'_>) -> Result<Value, Error> {
    let integer = |value: &Value| match value {
        Value::Int(number) => Ok(*number),
        other => Err(wrong_argument(Function::Counter, "an integer", other)),
    };
    let Value::String(name) = &args[0] else {
        return Err(wrong_argument(Function::Counter, "a name", &args[0]));
    };
    let first = integer(&args[1])?;
    let step = args.get(2).map_or(Ok(1), integer)?;
    if step == 0 {
        return Err(Error::argument(
            Detail::NumberOutOfRange,
            "a counter's step is not 0",
        ));
    }
    let next = cx.counter(name, first)?;
    let value = *next;
    *next = value
        .checked_add(step)
        .ok_or_else(|| Error::arithmetic(Detail::Overflow, "integer overflow"))?;
    Ok(Value::Int(value))
}
