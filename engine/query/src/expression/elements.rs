//! The elements of a list, one by one.
//!
//! Whoever goes through a list takes them from here: `UNWIND`, comprehensions, quantifiers, `reduce`. The numbers of a `range()` that stands there by itself
//! are made as they are asked for, without a list; only where nothing yields is their number bounded as a list's is.

use std::sync::Arc;

use quoit_cypher::functions::Function;
use quoit_graph::value::{List, Value};

use super::Expr;
use super::evaluate::value;
use super::progress::Stop;
use crate::function::{self, list::Range};
use crate::operator::Context;

/// What is left of the elements.
pub enum Elements {
    /// A list, and how many of its elements are out.
    List(Arc<List>, usize),
    /// The numbers of a `range()`.
    Range(Range),
    /// What is no list is an element itself; null has none.
    Single(Option<Value>),
}

impl Elements {
    /// Those of the value of an expression. `is_endless`: there may be more numbers than a list can hold.
    pub fn of(
        list: &Expr,
        is_endless: bool,
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<Elements, Stop> {
        if let Expr::Call(Function::Range, args, place) = list {
            let args = function::arguments(args, cx, row).map_err(|stop| stop.at(place.0))?;
            let range = Range::new(&args).and_then(|range| match is_endless {
                true => Ok(range),
                false => range.bounded(),
            });
            return Ok(range
                .map(Elements::Range)
                .map_err(|error| error.at(place.0))?);
        }
        Ok(match value(list, cx, row)? {
            Value::Null => Elements::Single(None),
            Value::List(items) => Elements::List(items, 0),
            single => Elements::Single(Some(single)),
        })
    }
}

impl Iterator for Elements {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match self {
            Elements::List(items, done) => {
                let item = items.get(*done)?.clone();
                *done += 1;
                Some(item)
            }
            Elements::Range(range) => range.next().map(Value::Int),
            Elements::Single(single) => single.take(),
        }
    }
}
