//! `CALL name(...)`: a procedure's rows for each row.
//!
//! A procedure that goes step by step hands up what each step gave, so no more of its rows are held than one step makes, and yields where
//! the step did.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::evaluate;
use crate::expression::loops::bytes_of;
use crate::plan;
use crate::procedure::{Called, Progress, Run};

/// Calls a procedure for each row. A procedure without outputs lets each row through once.
pub struct Call {
    plan: Rc<plan::ProcedureCall>,
    input: Running,
    rows: Batch,
    at: usize,
    results: Vec<Vec<Value>>,
    next: usize,
    begun: bool,
    /// The call for the row at work, if it goes on.
    run: Option<Box<dyn Run>>,
    /// Whether the row at work has been let through.
    passed: bool,
    allowance: Allowance,
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
            run: None,
            passed: false,
            allowance: Allowance {
                bytes: None,
                held: 0,
            },
        }
    }
}

/// What `PROCEDURE MEMORY` leaves to the call for one row.
#[derive(Clone, Copy)]
struct Allowance {
    bytes: Option<u64>,
    held: u64,
}

impl Allowance {
    /// Calls the procedure, or goes on with it, within the limit: that is for what it keeps, and for the rows of one step.
    fn within<T>(
        &mut self,
        results: &mut Vec<Vec<Value>>,
        cx: &mut Context<'_>,
        body: impl FnOnce(&mut Vec<Vec<Value>>, &mut Context<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(bytes) = self.bytes else {
            return body(results, cx);
        };
        let before = cx.held();
        let left = bytes.saturating_sub(self.held);
        let result = cx.holding_at_most(left, |cx| {
            let result = body(results, cx)?;
            // The rows go with the next step, so whether there is room for them is all there is to ask.
            let rows: u64 = results.iter().map(|row| bytes_of_row(row)).sum();
            cx.hold(rows)?;
            cx.release(rows);
            Ok(result)
        });
        self.held += cx.held().saturating_sub(before);
        result
    }
}

/// What a row of results takes, as estimated.
fn bytes_of_row(row: &[Value]) -> u64 {
    row.iter().map(bytes_of).sum()
}

impl Operator for Call {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.results.clear();
        (self.at, self.next, self.begun) = (0, 0, false);
        self.run = None;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let plan = self.plan.clone();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            if !self.begun {
                let mut args = Vec::with_capacity(plan.args.len());
                for (expr, input) in plan.args.iter().zip(&plan.procedure.inputs) {
                    let value = evaluate(expr, cx, row)?;
                    args.push(
                        input
                            .accept(value)
                            .map_err(|error| error.at(plan.place.0))?,
                    );
                }
                let limit = plan.memory_limit.as_ref();
                let bytes = limit.map(|limit| limit.bytes(&cx.parameters));
                self.allowance = Allowance {
                    bytes: bytes.transpose()?,
                    held: 0,
                };
                let called = self.allowance.within(&mut self.results, cx, |results, cx| {
                    Ok(match plan.procedure.call(&args, cx)? {
                        Called::Rows(rows) => {
                            *results = rows;
                            None
                        }
                        Called::Run(run) => Some(run),
                    })
                });
                self.run = called.map_err(|error| error.at(plan.place.0))?;
                (self.begun, self.passed, self.next) = (true, false, 0);
            }
            let passes_always = plan.procedure.outputs.is_empty();
            loop {
                while let Some(result) = self.results.get(self.next).filter(|_| !passes_always) {
                    if out.is_full() {
                        return Ok(Pull::Rows);
                    }
                    let new = out.push(row);
                    for (number, slot) in &plan.outputs {
                        new[*slot as usize] = result.get(*number).cloned().unwrap_or_default();
                    }
                    self.passed = true;
                    self.next += 1;
                }
                self.results.clear();
                self.next = 0;
                let Some(run) = &mut self.run else {
                    break;
                };
                // Its rows may be large: those of one step are enough.
                if !out.is_empty() {
                    return Ok(Pull::Rows);
                }
                if cx.should_yield() {
                    return Ok(Pull::Yield);
                }
                let progress = self
                    .allowance
                    .within(&mut self.results, cx, |results, cx| run.next(cx, results))
                    .map_err(|error| error.at(plan.place.0))?;
                match progress {
                    Progress::More => {}
                    Progress::Waits if cx.may_yield() => return Ok(Pull::Yield),
                    Progress::Waits => {
                        let name = &plan.procedure.name;
                        let message = format!("`{name}` cannot be called within an expression");
                        return Err(Error::unsupported(message).at(plan.place.0));
                    }
                    Progress::Done => self.run = None,
                }
            }
            if passes_always || (plan.optional && !self.passed) {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                out.push(row);
            }
            self.begun = false;
            self.at += 1;
        }
    }
}
