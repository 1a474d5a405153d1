//! Loops within expressions: comprehensions, quantifiers, `reduce`.
//!
//! Called by the evaluation. What always holds: between two elements a loop can be interrupted and goes on there; what it builds is counted as the
//! query's memory while it goes on.

use quoit_cypher::ast::QuantifierKind;
use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::bulk::bounded;
use super::elements::Elements;
use super::evaluate::{is_true, truth, value, wrong_type};
use super::progress::{Going, Key, Saved, Stop};
use super::{Expr, ListComprehension, Place, Quantified, Reduce};
use crate::operator::Context;

impl Going {
    /// A loop over a list before its first element; `None`: the list is null.
    fn over(
        list: &Expr,
        place: Place,
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<Option<Going>, Stop> {
        let rest = match Elements::of(list, cx.is_interruptible(), cx, row)? {
            Elements::Single(None) => return Ok(None),
            Elements::Single(Some(other)) => {
                return Err(wrong_type("this", "a list", &other).at(place.0).into());
            }
            elements => elements,
        };
        Ok(Some(Going {
            item: None,
            rest,
            built: Built::default(),
            mark: cx.progress_len(),
        }))
    }

    /// The element that was at work when the loop was interrupted, or the next.
    fn next(&mut self) -> Option<Value> {
        self.item.take().or_else(|| self.rest.next())
    }

    /// An element is done; whether the loop is interrupted behind it.
    fn is_over_time(&self, cx: &mut Context<'_>) -> bool {
        cx.forget_progress(self.mark);
        // What stays of it the loop has counted.
        cx.forget_made();
        cx.tick()
    }

    /// The loop is done with a value.
    fn done(mut self, key: Key, value: Value, cx: &mut Context<'_>) -> Value {
        self.built.done(cx);
        cx.forget_progress(self.mark);
        cx.keep_value(key, &value);
        value
    }
}

pub(super) fn list_comprehension(
    comprehension: &ListComprehension,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    let key = Key::Loop(comprehension.local);
    let (mut going, mut out) = match cx.resume(key) {
        Some(Saved::Done(value)) => return Ok(value),
        Some(Saved::Comprehension(going, out)) => (going, out),
        _ => match Going::over(&comprehension.list, comprehension.place, cx, row)? {
            Some(going) => (going, Vec::new()),
            None => return Ok(Value::Null),
        },
    };
    while let Some(item) = going.next() {
        cx.set_local(comprehension.local, item);
        let made = match made_of(comprehension, cx, row) {
            Err(Stop::Interrupted) => {
                going.item = Some(cx.local(comprehension.local));
                cx.save(key, Saved::Comprehension(going, out));
                return Err(Stop::Interrupted);
            }
            other => other?,
        };
        if let Some(made) = made {
            going.built.add(&made, cx)?;
            out.push(made);
        }
        if going.is_over_time(cx) {
            cx.save(key, Saved::Comprehension(going, out));
            return Err(Stop::Interrupted);
        }
    }
    let made = bounded(Value::list(out)).map_err(|error| error.at(comprehension.place.0))?;
    Ok(going.done(key, made, cx))
}

/// What a comprehension gives for the element that is set, if anything.
fn made_of(
    comprehension: &ListComprehension,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Option<Value>, Stop> {
    if let Some(filter) = &comprehension.filter
        && !is_true(filter, cx, row)?
    {
        return Ok(None);
    }
    match &comprehension.body {
        Some(body) => value(body, cx, row).map(Some),
        None => Ok(Some(cx.local(comprehension.local))),
    }
}

pub(super) fn quantify(
    quantified: &Quantified,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    let key = Key::Loop(quantified.local);
    let (mut going, [mut yes, mut no, mut unknown]) = match cx.resume(key) {
        Some(Saved::Done(value)) => return Ok(value),
        Some(Saved::Quantifier(going, counts)) => (going, counts),
        _ => match Going::over(&quantified.list, quantified.place, cx, row)? {
            Some(going) => (going, [0; 3]),
            None => return Ok(Value::Null),
        },
    };
    while let Some(item) = going.next() {
        cx.set_local(quantified.local, item);
        let found = match value(&quantified.predicate, cx, row) {
            Err(Stop::Interrupted) => {
                going.item = Some(cx.local(quantified.local));
                cx.save(key, Saved::Quantifier(going, [yes, no, unknown]));
                return Err(Stop::Interrupted);
            }
            other => other?,
        };
        match truth(&found, quantified.place)? {
            Some(true) => yes += 1,
            Some(false) => no += 1,
            None => unknown += 1,
        }
        // What decides the matter ends it.
        let decided = match quantified.kind {
            QuantifierKind::All if no > 0 => Some(false),
            QuantifierKind::Any if yes > 0 => Some(true),
            QuantifierKind::None if yes > 0 => Some(false),
            QuantifierKind::Single if yes > 1 => Some(false),
            _ => None,
        };
        if let Some(decided) = decided {
            return Ok(going.done(key, Value::Bool(decided), cx));
        }
        if going.is_over_time(cx) {
            cx.save(key, Saved::Quantifier(going, [yes, no, unknown]));
            return Err(Stop::Interrupted);
        }
    }
    let value = match quantified.kind {
        _ if unknown > 0 => Value::Null,
        QuantifierKind::All | QuantifierKind::None => Value::Bool(true),
        QuantifierKind::Any => Value::Bool(false),
        QuantifierKind::Single => Value::Bool(yes == 1),
    };
    Ok(going.done(key, value, cx))
}

pub(super) fn fold(reduce: &Reduce, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Stop> {
    let key = Key::Loop(reduce.local);
    let (mut going, mut accumulator) = match cx.resume(key) {
        Some(Saved::Done(value)) => return Ok(value),
        Some(Saved::Fold(going, accumulator)) => (going, accumulator),
        _ => match Going::over(&reduce.list, reduce.place, cx, row)? {
            Some(mut going) => {
                let init = value(&reduce.init, cx, row)?;
                going.mark = cx.progress_len();
                (going, init)
            }
            None => return Ok(Value::Null),
        },
    };
    while let Some(item) = going.next() {
        cx.set_local(reduce.accumulator, accumulator);
        cx.set_local(reduce.local, item);
        accumulator = match value(&reduce.body, cx, row) {
            Err(Stop::Interrupted) => {
                going.item = Some(cx.local(reduce.local));
                let before = cx.local(reduce.accumulator);
                cx.save(key, Saved::Fold(going, before));
                return Err(Stop::Interrupted);
            }
            other => other?,
        };
        going.built.replace(&accumulator, cx)?;
        if going.is_over_time(cx) {
            cx.save(key, Saved::Fold(going, accumulator));
            return Err(Stop::Interrupted);
        }
    }
    Ok(going.done(key, accumulator, cx))
}

/// What an expression has built so far, counted as the query's memory while it goes on. What comes out of it is counted by the operator that
/// keeps it.
#[derive(Default)]
pub(crate) struct Built {
    bytes: u64,
    held: u64,
}

impl Built {
    /// Less than this is not counted, in bytes.
    const SMALL: u64 = 64 << 10;

    /// Another value stands beside those before.
    ///
    /// # Errors
    /// A limit on memory is passed.
    pub(crate) fn add(&mut self, value: &Value, cx: &mut Context<'_>) -> Result<(), Error> {
        self.bytes += bytes_of(value);
        self.count(cx)
    }

    /// A value stands in place of the one before.
    fn replace(&mut self, value: &Value, cx: &mut Context<'_>) -> Result<(), Error> {
        self.bytes = bytes_of(value);
        // It was made anew.
        cx.spend(self.bytes / 256);
        self.count(cx)
    }

    fn count(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.bytes > self.held + Built::SMALL {
            cx.hold(self.bytes - self.held)?;
            self.held = self.bytes;
        }
        Ok(())
    }

    /// It is whole.
    pub(crate) fn done(&mut self, cx: &mut Context<'_>) {
        cx.release(std::mem::take(&mut self.held));
        self.bytes = 0;
    }
}

/// What a value takes without what stands within its elements, in bytes.
pub(crate) fn bytes_of(value: &Value) -> u64 {
    let within = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.len() * size_of::<Value>(),
        _ => 0,
    };
    (size_of::<Value>() + within) as u64
}
