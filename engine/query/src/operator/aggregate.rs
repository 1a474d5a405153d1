//! Operators that remember what they have seen: grouping and `DISTINCT`.
//!
//! Groups are equal by equivalence (null is null, 1 is 1.0). Without keys there is one group even if there are no rows. Groups come out in the order in
//! which their first rows came in.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::seen::{SeenKeys, VALUE_BYTES};
use super::{Batch, Context, Operator, Pull, Running, pull_rows};
use crate::accumulator::Accumulator;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// Groups and folds.
pub struct Aggregate {
    plan: Rc<plan::Aggregate>,
    input: Running,
    rows: Batch,
    groups: SeenKeys,
    /// The states of each group's calls, one group behind the other.
    states: Vec<Accumulator>,
    key: Vec<Value>,
    begun: bool,
    gathered: bool,
    next: usize,
    held: u64,
}

impl Aggregate {
    pub fn new(plan: Rc<plan::Aggregate>, input: Running) -> Self {
        Aggregate {
            groups: SeenKeys::new(plan.keys.len()),
            key: Vec::with_capacity(plan.keys.len()),
            plan,
            input,
            rows: Batch::new(),
            states: Vec::new(),
            begun: false,
            gathered: false,
            next: 0,
            held: 0,
        }
    }

    fn new_group(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let states = self.plan.calls.len() as u64;
        let bytes = self.groups.key_bytes() + states * VALUE_BYTES;
        cx.hold(bytes)?;
        self.held += bytes;
        self.states
            .extend(self.plan.calls.iter().map(Accumulator::new));
        Ok(())
    }

    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let calls = plan.calls.len();
        for at in 0..self.rows.len() {
            self.key.clear();
            for expr in &plan.keys {
                self.key.push(evaluate(expr, cx, self.rows.row(at))?);
            }
            let (group, is_new) = self.groups.number(&self.key);
            if is_new {
                self.new_group(cx)?;
            }
            let states = &mut self.states[group * calls..(group + 1) * calls];
            for (call, state) in plan.calls.iter().zip(states) {
                self.held += state.take(call, cx, self.rows.row(at))?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        self.groups.clear();
        self.states = Vec::new();
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Operator for Aggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        (self.begun, self.gathered, self.next) = (false, false, 0);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if !self.begun {
            // What a run that was given up held.
            self.forget(cx);
            self.begun = true;
        }
        while !self.gathered {
            if pull_rows!(self.input, cx, &mut self.rows) {
                self.take_in(cx)?;
            } else {
                self.gathered = true;
                if self.plan.keys.is_empty() && self.groups.number(&[]).1 {
                    self.new_group(cx)?;
                }
            }
            if !self.gathered && cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        let width = self.plan.width.get() as usize;
        let keys = self.plan.keys.len();
        while self.next < self.groups.len() && !out.is_full() {
            let row = out.push_nulls(width);
            row[..keys].clone_from_slice(self.groups.key(self.next));
            let calls = self.plan.calls.iter().enumerate();
            for (at, call) in calls {
                let state = &mut self.states[self.next * self.plan.calls.len() + at];
                row[keys + at] = state.finish(call)?;
            }
            self.next += 1;
        }
        if out.is_empty() {
            self.forget(cx);
            return Ok(Pull::End);
        }
        Ok(Pull::Rows)
    }
}

/// Drops rows whose first slots have been seen.
pub struct Distinct {
    slots: usize,
    input: Running,
    seen: SeenKeys,
    begun: bool,
    keep: Vec<bool>,
    held: u64,
}

impl Distinct {
    pub fn new(slots: u32, input: Running) -> Self {
        Distinct {
            slots: slots as usize,
            input,
            seen: SeenKeys::new(slots as usize),
            begun: false,
            keep: Vec::new(),
            held: 0,
        }
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        self.seen.clear();
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Operator for Distinct {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.begun = false;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        if !std::mem::replace(&mut self.begun, true) {
            // What a run that was given up held.
            self.forget(cx);
        }
        loop {
            if !pull_rows!(self.input, cx, out) {
                self.forget(cx);
                return Ok(Pull::End);
            }
            self.keep.clear();
            let mut new = 0;
            for row in out.rows() {
                let is_new = self.seen.number(&row[..self.slots]).1;
                new += u64::from(is_new);
                self.keep.push(is_new);
            }
            let bytes = new * self.seen.key_bytes();
            self.held += bytes;
            cx.hold(bytes)?;
            out.retain(&self.keep);
            if !out.is_empty() {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}
