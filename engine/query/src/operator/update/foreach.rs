//! `FOREACH`: runs its body for each element; each body's clauses end by themselves.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::{Gather, gathered};
use crate::expression::evaluate::evaluate;
use crate::operator::{Batch, Context, Operator, Pull, Running};
use crate::plan;

/// `FOREACH`.
pub struct Foreach {
    plan: Rc<plan::Unwind>,
    gather: Gather,
    body: Running,
    scratch: Batch,
}

impl Foreach {
    pub fn new(plan: Rc<plan::Unwind>, input: Running, body: Running) -> Self {
        Foreach {
            plan,
            gather: Gather::new(input),
            body,
            scratch: Batch::new(),
        }
    }
}

/// Runs the body for each element of a row's list.
fn run(
    plan: &plan::Unwind,
    body: &mut Running,
    scratch: &mut Batch,
    row: &[Value],
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    let items = match evaluate(&plan.list, cx, row)? {
        Value::Null => return Ok(()),
        Value::List(items) => items,
        other => {
            return Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!("FOREACH needs a list, not a {}", other.type_name()),
            )
            .at(plan.place.0));
        }
    };
    let mut row = row.to_vec();
    for item in items.iter() {
        row[plan.slot as usize] = item.clone();
        body.reset(&row);
        cx.without_yield(|cx| {
            while body.next(cx, scratch)? == Pull::Rows {}
            Ok::<(), Error>(())
        })?;
    }
    Ok(())
}

impl Operator for Foreach {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Foreach {
            plan,
            gather,
            body,
            scratch,
        } = self;
        gathered!(
            gather,
            cx,
            out,
            gather.write(cx, 1, |rows, mut range, cx| {
                range.try_for_each(|at| run(plan, body, scratch, rows.row(at), cx))
            })
        )
    }
}
