//! Subqueries within expressions.
//!
//! [`Subqueries`] computes those that the planner has put in front of their expressions (`planner::subquery`), with others' turns while one
//! runs; [`evaluate`] those that must wait for their expression, to their end for one row. The operators of a subquery are built once an execution and
//! started again for each row; a subquery within itself cannot be.

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, build, pull_rows};
use crate::expression::evaluate::{Built, evaluate as evaluate_expr};
use crate::expression::{Subquery, SubqueryKind};
use crate::plan::SubqueryPlan;
use std::rc::Rc;

/// Brings the values of the outer row in.
fn import(subquery: &Subquery, cx: &mut Context<'_>, row: &[Value]) -> Result<(), Error> {
    for (expr, local) in &subquery.imports {
        let value = evaluate_expr(expr, cx, row)?;
        cx.set_local(*local, value);
    }
    Ok(())
}

/// What has been found of a subquery's value.
struct Found {
    count: i64,
    items: Vec<Value>,
    built: Built,
}

impl Found {
    fn new() -> Found {
        Found {
            count: 0,
            items: Vec::new(),
            built: Built::default(),
        }
    }

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

    fn value(&mut self, kind: SubqueryKind, cx: &mut Context<'_>) -> Value {
        self.built.done(cx);
        match kind {
            SubqueryKind::Exists => Value::Bool(self.count > 0),
            SubqueryKind::Count => Value::Int(self.count),
            SubqueryKind::Collect(_) => Value::list(std::mem::take(&mut self.items)),
        }
    }
}

/// The value of a subquery on a row.
///
/// # Errors
/// Those of the inner plan.
pub fn evaluate(subquery: &Subquery, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    import(subquery, cx, row)?;
    let mut running = cx
        .take_subquery(subquery.number)
        .unwrap_or_else(|| build(&subquery.plan));
    running.reset(&[]);
    let mut rows = Batch::new();
    let result = cx.without_yield(|cx| {
        let mut found = Found::new();
        while running.next(cx, &mut rows)? == Pull::Rows && !found.take(subquery.kind, &rows, cx)? {
        }
        Ok(found.value(subquery.kind, cx))
    });
    cx.put_subquery(subquery.number, running);
    result
}

/// Computes subqueries into slots, for each row one after the other.
pub struct Subqueries {
    items: Rc<Vec<SubqueryPlan>>,
    running: Vec<Running>,
    input: Running,
    rows: Batch,
    /// The row at work.
    at: usize,
    /// The subquery at work on it, and whether it has begun.
    item: usize,
    begun: bool,
    found: Found,
    inner: Batch,
}

impl Subqueries {
    pub fn new(items: Rc<Vec<SubqueryPlan>>, input: Running) -> Self {
        Subqueries {
            running: items
                .iter()
                .map(|item| build(&item.subquery.plan))
                .collect(),
            items,
            input,
            rows: Batch::new(),
            at: 0,
            item: 0,
            begun: false,
            found: Found::new(),
            inner: Batch::new(),
        }
    }

    /// Goes on with the subquery at work; false: the time slice is over.
    fn compute(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let item = &self.items[self.item];
        let kind = item.subquery.kind;
        let row = self.rows.row(self.at);
        if !self.begun {
            for (expr, enough) in &item.unless {
                if evaluate_expr(expr, cx, row)? == Value::Bool(*enough) {
                    return Ok(true);
                }
            }
            import(&item.subquery, cx, row)?;
            self.running[self.item].reset(&[]);
            self.found = Found::new();
            self.begun = true;
        }
        loop {
            match self.running[self.item].next(cx, &mut self.inner)? {
                Pull::Yield => return Ok(false),
                Pull::Rows => {
                    if self.found.take(kind, &self.inner, cx)? {
                        break;
                    }
                    if cx.should_yield() {
                        return Ok(false);
                    }
                }
                Pull::End => break,
            }
        }
        self.rows.row_mut(self.at)[item.slot as usize] = self.found.value(kind, cx);
        Ok(true)
    }
}

impl Operator for Subqueries {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.item, self.begun) = (0, 0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.rows.is_empty() {
            if !pull_rows!(self.input, cx, &mut self.rows) {
                return Ok(Pull::End);
            }
            (self.at, self.item, self.begun) = (0, 0, false);
        }
        while self.at < self.rows.len() {
            if !self.compute(cx)? {
                return Ok(Pull::Yield);
            }
            self.begun = false;
            self.item += 1;
            if self.item == self.items.len() {
                self.item = 0;
                self.at += 1;
                if self.at < self.rows.len() && cx.should_yield() {
                    return Ok(Pull::Yield);
                }
            }
        }
        out.append(&mut self.rows);
        Ok(Pull::Rows)
    }
}
