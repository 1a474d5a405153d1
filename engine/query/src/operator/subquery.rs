//! Subqueries within expressions: a plan that is run for one value.
//!
//! Called by the evaluation. Others have their turns while one runs, if the evaluation it stands in can be interrupted; else it runs to its end.

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Pull, Running, build};
use crate::expression::bulk::bounded;
use crate::expression::evaluate::value as value_of;
use crate::expression::loops::Built;
use crate::expression::progress::{Key, Saved, Stop};
use crate::expression::{Subquery, SubqueryKind};

/// Brings the values of the outer row in.
fn import(subquery: &Subquery, cx: &mut Context<'_>, row: &[Value]) -> Result<(), Stop> {
    for (expr, local) in &subquery.imports {
        let value = value_of(expr, cx, row)?;
        cx.set_local(*local, value);
    }
    Ok(())
}

/// What has been found of a subquery's value.
#[derive(Default)]
pub(crate) struct Found {
    count: i64,
    items: Vec<Value>,
    built: Built,
}

impl Found {
    /// Takes rows in; whether the value is known with them.
    fn take(
        &mut self,
        kind: SubqueryKind,
        rows: &Batch,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        self.count += rows.len() as i64;
        if let SubqueryKind::Collect(slot) = kind {
            for row in rows.rows() {
                let value = row[slot as usize].clone();
                self.built.add(&value, cx)?;
                self.items.push(value);
            }
        }
        Ok(kind == SubqueryKind::Exists)
    }

    fn value(mut self, kind: SubqueryKind, cx: &mut Context<'_>) -> Result<Value, Error> {
        self.built.done(cx);
        Ok(match kind {
            SubqueryKind::Exists => Value::Bool(self.count > 0),
            SubqueryKind::Count => Value::Int(self.count),
            SubqueryKind::Collect(_) => bounded(Value::list(self.items))?,
        })
    }

    /// Pulls rows until the value is known; false: the time slice is over.
    fn complete(
        &mut self,
        kind: SubqueryKind,
        running: &mut Running,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let mut rows = Batch::new();
        loop {
            match running.next(cx, &mut rows)? {
                Pull::Yield => return Ok(false),
                Pull::End => return Ok(true),
                Pull::Rows => {
                    if self.take(kind, &rows, cx)? {
                        return Ok(true);
                    }
                    if cx.should_yield() {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

/// The value of a subquery on a row.
///
/// # Errors
/// Those of the inner plan; the interruption.
pub fn value(subquery: &Subquery, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Stop> {
    let key = Key::Subquery(subquery.number);
    let (mut found, mut running) = match cx.resume(key) {
        Some(Saved::Done(value)) => return Ok(value),
        Some(Saved::Subquery(found, running)) => (found, running),
        _ => {
            import(subquery, cx, row)?;
            let mut running = cx
                .take_subquery(subquery.number)
                .unwrap_or_else(|| build(&subquery.plan));
            running.reset(&[]);
            (Found::default(), running)
        }
    };
    let kind = subquery.kind;
    let is_complete = if cx.is_interruptible() {
        cx.apart(|cx| found.complete(kind, &mut running, cx))?
    } else {
        cx.apart(|cx| cx.without_yield(|cx| found.complete(kind, &mut running, cx)))?
    };
    if !is_complete {
        cx.save(key, Saved::Subquery(found, running));
        return Err(Stop::Interrupted);
    }
    cx.put_subquery(subquery.number, running);
    let value = found.value(kind, cx)?;
    cx.keep_value(key, &value);
    Ok(value)
}
