//! `FOREACH`: runs its body for each element; each body's clauses end by themselves.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::{Gather, eager_next};
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

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        (0..self.gather.rows.len()).try_for_each(|at| self.run_row(at, cx))
    }

    fn run_row(&mut self, at: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut row = self.gather.rows.row(at).to_vec();
        let items = match evaluate(&self.plan.list, cx, &row)? {
            Value::Null => return Ok(()),
            Value::List(items) => items,
            other => {
                return Err(Error::type_error(
                    Detail::InvalidArgumentType,
                    format!("FOREACH needs a list, not a {}", other.type_name()),
                )
                .at(self.plan.place.0));
            }
        };
        for item in items.iter() {
            row[self.plan.slot as usize] = item.clone();
            self.body.reset(&row);
            cx.without_yield(|cx| {
                while self.body.next(cx, &mut self.scratch)? == Pull::Rows {}
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }
}

impl Operator for Foreach {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, self.run(cx))
    }
}
