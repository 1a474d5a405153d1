//! `CALL name(...)`: a procedure's rows for each row.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::evaluate;
use crate::plan;

/// Calls a procedure for each row. A procedure without outputs lets each row through once.
pub struct Call {
    plan: Rc<plan::ProcedureCall>,
    input: Running,
    rows: Batch,
    at: usize,
    results: Vec<Vec<Value>>,
    next: usize,
    begun: bool,
}

impl Call {
    pub fn new(plan: Rc<plan::ProcedureCall>, input: Running) -> Self {
        Call {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            results: Vec::new(),
            next: 0,
            begun: false,
        }
    }
}

impl Operator for Call {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.results.clear();
        (self.at, self.next, self.begun) = (0, 0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let plan = self.plan.clone();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            if !self.begun {
                self.begun = true;
                let mut args = Vec::with_capacity(plan.args.len());
                for (expr, input) in plan.args.iter().zip(&plan.procedure.inputs) {
                    let value = evaluate(expr, cx, row)?;
                    args.push(
                        input
                            .accept(value)
                            .map_err(|error| error.at(plan.place.0))?,
                    );
                }
                self.results = plan
                    .procedure
                    .run(&args, cx)
                    .map_err(|error| error.at(plan.place.0))?;
                self.next = 0;
                if plan.procedure.outputs.is_empty() || (plan.optional && self.results.is_empty()) {
                    out.push(row);
                    self.results.clear();
                }
            }
            while let Some(result) = self.results.get(self.next) {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                let new = out.push(row);
                for (number, slot) in &plan.outputs {
                    new[*slot as usize] = result.get(*number).cloned().unwrap_or_default();
                }
                self.next += 1;
            }
            self.begun = false;
            self.at += 1;
        }
    }
}
