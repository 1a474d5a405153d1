//! Subqueries within expressions: run to their end for one row.
//!
//! The operators of a subquery are built once an execution and started again for each row; a subquery within itself cannot be.

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Pull, build};
use crate::expression::evaluate::evaluate as evaluate_expr;
use crate::expression::{Subquery, SubqueryKind};

/// The value of a subquery on a row.
///
/// # Errors
/// Those of the inner plan.
pub fn evaluate(subquery: &Subquery, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    for (expr, local) in &subquery.imports {
        let value = evaluate_expr(expr, cx, row)?;
        cx.set_local(*local, value);
    }
    let mut running = cx
        .take_subquery(subquery.number)
        .unwrap_or_else(|| build(&subquery.plan));
    running.reset(&[]);
    let mut rows = Batch::new();
    let result = cx.without_yield(|cx| {
        let mut count = 0_i64;
        let mut items = Vec::new();
        while running.next(cx, &mut rows)? == Pull::Rows {
            match subquery.kind {
                SubqueryKind::Exists => return Ok(Value::Bool(true)),
                SubqueryKind::Count => count += rows.len() as i64,
                SubqueryKind::Collect(slot) => {
                    items.extend(rows.rows().map(|row| row[slot as usize].clone()))
                }
            }
        }
        Ok(match subquery.kind {
            SubqueryKind::Exists => Value::Bool(false),
            SubqueryKind::Count => Value::Int(count),
            SubqueryKind::Collect(_) => Value::list(items),
        })
    });
    cx.put_subquery(subquery.number, running);
    result
}
