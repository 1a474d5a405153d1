//! Operators that run an inner plan for each row: optional patterns, `CALL {}`, and `UNION`.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, next_rows, pull_rows};
use crate::expression::Slot;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// `OPTIONAL MATCH`: the inner rows, or the row with nulls. The inner plan shares the frame.
pub struct Optional {
    slots: Rc<Vec<Slot>>,
    input: Running,
    inner: Running,
    rows: Batch,
    at: usize,
    /// The inner plan is at work on the row, and whether it gave rows.
    begun: bool,
    matched: bool,
}

impl Optional {
    pub fn new(slots: Rc<Vec<Slot>>, input: Running, inner: Running) -> Self {
        Optional {
            slots,
            input,
            inner,
            rows: Batch::new(),
            at: 0,
            begun: false,
            matched: false,
        }
    }
}

impl Operator for Optional {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.begun) = (0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        loop {
            if self.at >= self.rows.len() {
                if !pull_rows!(self.input, cx, &mut self.rows) {
                    out.clear();
                    return Ok(Pull::End);
                }
                self.at = 0;
            }
            let row = self.rows.row(self.at);
            if !self.begun {
                (self.begun, self.matched) = (true, false);
                self.inner.reset(row);
            }
            if pull_rows!(self.inner, cx, out) {
                self.matched = true;
                return Ok(Pull::Rows);
            }
            let matched = self.matched;
            self.begun = false;
            self.at += 1;
            if !matched {
                out.clear();
                let new = out.push(row);
                for slot in self.slots.iter() {
                    new[*slot as usize] = Value::Null;
                }
                return Ok(Pull::Rows);
            }
        }
    }
}

/// `CALL {}`: a subquery with a frame of its own. If it writes, the planner has put what consumes all rows around it.
pub struct Apply {
    plan: Rc<plan::Apply>,
    input: Running,
    inner: Running,
    rows: Batch,
    inner_rows: Batch,
    at: usize,
    begun: bool,
    matched: bool,
}

impl Apply {
    pub fn new(plan: Rc<plan::Apply>, input: Running, inner: Running) -> Self {
        Apply {
            plan,
            input,
            inner,
            rows: Batch::new(),
            inner_rows: Batch::new(),
            at: 0,
            begun: false,
            matched: false,
        }
    }
}

impl Operator for Apply {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.begun) = (0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            if out.is_full() {
                return Ok(Pull::Rows);
            }
            next_rows!(self.input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            if !self.begun {
                (self.begun, self.matched) = (true, false);
                for (expr, local) in &self.plan.imports {
                    let value = evaluate(expr, cx, row)?;
                    cx.set_local(*local, value);
                }
                self.inner.reset(&[]);
            }
            match self.inner.next(cx, &mut self.inner_rows)? {
                Pull::Yield if out.is_empty() => return Ok(Pull::Yield),
                Pull::Yield => return Ok(Pull::Rows),
                Pull::Rows => {
                    self.matched = true;
                    if !self.plan.unit {
                        for inner in self.inner_rows.rows() {
                            let new = out.push(row);
                            for (from, to) in &self.plan.outputs {
                                new[*to as usize] = inner[*from as usize].clone();
                            }
                        }
                    }
                }
                Pull::End => {
                    if self.plan.unit || (self.plan.optional && !self.matched) {
                        out.push(row);
                    }
                    self.begun = false;
                    self.at += 1;
                }
            }
        }
    }
}

/// The rows of one input after the other.
pub struct Union {
    inputs: Vec<Running>,
    at: usize,
}

impl Union {
    pub fn new(inputs: Vec<Running>) -> Self {
        Union { inputs, at: 0 }
    }
}

impl Operator for Union {
    fn reset(&mut self, argument: &[Value]) {
        self.inputs
            .iter_mut()
            .for_each(|input| input.reset(argument));
        self.at = 0;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            if pull_rows!(input, cx, out) {
                return Ok(Pull::Rows);
            }
            self.at += 1;
        }
        out.clear();
        Ok(Pull::End)
    }
}
