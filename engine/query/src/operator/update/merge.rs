//! `MERGE`: matches, or else creates.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::value::Value;

use super::Gather;
use super::create::create;
use super::set::set;
use crate::expression::evaluate::evaluate;
use crate::operator::{Batch, Context, Operator, Pull, Running};
use crate::plan;

/// `MERGE`.
pub struct Merge {
    plan: Rc<plan::Merge>,
    gather: Gather,
    matching: Running,
    matched: Batch,
    results: Batch,
    next: usize,
}

impl Merge {
    pub fn new(plan: Rc<plan::Merge>, input: Running, matching: Running) -> Self {
        let gather = Gather::new(input);
        Merge {
            plan,
            gather,
            matching,
            matched: Batch::new(),
            results: Batch::new(),
            next: 0,
        }
    }

    fn merge(&mut self, at: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let row = self.gather.rows.row(at);
        for (value, name, place) in &plan.required {
            if evaluate(value, cx, row)?.is_null() {
                return Err(Error::runtime(
                    ErrorKind::SemanticError,
                    Detail::MergeReadOwnWrites,
                    format!("MERGE cannot look for a null property `{name}`"),
                )
                .at(place.0));
            }
        }
        let first = self.results.len();
        self.matching.reset(row);
        cx.without_yield(|cx| {
            cx.seeing_own_writes(|cx| {
                while self.matching.next(cx, &mut self.matched)? == Pull::Rows {
                    for row in self.matched.rows() {
                        self.results.push(row);
                    }
                }
                Ok::<(), Error>(())
            })
        })?;
        let items = if self.results.len() == first {
            let new = self.results.push(self.gather.rows.row(at));
            create(&plan.create, cx, new)?;
            &plan.on_create
        } else {
            &plan.on_match
        };
        for result in first..self.results.len() {
            let row = self.results.row_mut(result);
            set(items, cx, row)?;
            for (slot, expr) in &plan.extend {
                row[*slot as usize] = evaluate(expr, cx, row)?;
            }
        }
        Ok(())
    }
}

impl Operator for Merge {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.results.clear();
        self.next = 0;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        match self.gather.take_in(cx)? {
            Pull::Yield => return Ok(Pull::Yield),
            Pull::Rows => {
                for at in 0..self.gather.rows.len() {
                    self.merge(at, cx)?;
                }
                cx.next_clause();
            }
            Pull::End => {}
        }
        while self.next < self.results.len() && !out.is_full() {
            out.push(self.results.row(self.next));
            self.next += 1;
        }
        Ok(if out.is_empty() {
            Pull::End
        } else {
            Pull::Rows
        })
    }
}
