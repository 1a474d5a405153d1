//! Operators that remember what they have seen: grouping and `DISTINCT`.
//!
//! Groups are equal by equivalence (null is null, 1 is 1.0). Without keys there is one group even if there are no rows. Groups come out in the order in
//! which their first rows came in.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, pull_rows};
use crate::accumulator::Accumulator;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// Estimated bytes of a value in a table, what it points to not counted.
const VALUE_BYTES: u64 = 40;

/// Groups and folds.
pub struct Aggregate {
    plan: Rc<plan::Aggregate>,
    input: Running,
    rows: Batch,
    groups: HashMap<Box<[Value]>, usize>,
    keys: Vec<Box<[Value]>>,
    states: Vec<Box<[Accumulator]>>,
    gathered: bool,
    next: usize,
    held: u64,
}

impl Aggregate {
    pub fn new(plan: Rc<plan::Aggregate>, input: Running) -> Self {
        Aggregate {
            plan,
            input,
            rows: Batch::new(),
            groups: HashMap::new(),
            keys: Vec::new(),
            states: Vec::new(),
            gathered: false,
            next: 0,
            held: 0,
        }
    }

    fn new_group(&mut self, key: Box<[Value]>, cx: &mut Context<'_>) -> Result<usize, Error> {
        let bytes = (key.len() + self.plan.calls.len()) as u64 * VALUE_BYTES + 64;
        cx.hold(bytes)?;
        self.held += bytes;
        self.keys.push(key);
        self.states
            .push(self.plan.calls.iter().map(Accumulator::new).collect());
        Ok(self.states.len() - 1)
    }

    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let mut key = Vec::with_capacity(plan.keys.len());
        for at in 0..self.rows.len() {
            let group = if plan.keys.is_empty() {
                if self.states.is_empty() {
                    self.new_group(Box::default(), cx)?
                } else {
                    0
                }
            } else {
                key.clear();
                for expr in &plan.keys {
                    key.push(evaluate(expr, cx, self.rows.row(at))?);
                }
                match self.groups.get(key.as_slice()) {
                    Some(group) => *group,
                    None => {
                        let boxed: Box<[Value]> = key.drain(..).collect();
                        let group = self.new_group(boxed.clone(), cx)?;
                        self.groups.insert(boxed, group);
                        group
                    }
                }
            };
            for (call, state) in plan.calls.iter().zip(self.states[group].iter_mut()) {
                self.held += state.take(call, cx, self.rows.row(at))?;
            }
        }
        Ok(())
    }
}

impl Operator for Aggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.groups.clear();
        self.keys.clear();
        self.states.clear();
        (self.gathered, self.next) = (false, 0);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        while !self.gathered {
            if pull_rows!(self.input, cx, &mut self.rows) {
                self.take_in(cx)?;
            } else {
                self.gathered = true;
                if self.plan.keys.is_empty() && self.states.is_empty() {
                    self.new_group(Box::default(), cx)?;
                }
            }
            if !self.gathered && cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        let width = self.plan.width.get() as usize;
        while self.next < self.states.len() && !out.is_full() {
            let key = std::mem::take(&mut self.keys[self.next]).into_vec();
            let states = std::mem::take(&mut self.states[self.next]);
            let mut row = key;
            for (state, call) in states.into_vec().into_iter().zip(&self.plan.calls) {
                row.push(state.finish(call)?);
            }
            out.push_owned(row, width);
            self.next += 1;
        }
        if out.is_empty() {
            cx.release(std::mem::take(&mut self.held));
            return Ok(Pull::End);
        }
        Ok(Pull::Rows)
    }
}

/// Drops rows whose first slots have been seen.
pub struct Distinct {
    slots: usize,
    input: Running,
    seen: HashSet<Box<[Value]>>,
    keep: Vec<bool>,
    held: u64,
}

impl Distinct {
    pub fn new(slots: u32, input: Running) -> Self {
        Distinct {
            slots: slots as usize,
            input,
            seen: HashSet::new(),
            keep: Vec::new(),
            held: 0,
        }
    }
}

impl Operator for Distinct {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.seen.clear();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        loop {
            if !pull_rows!(self.input, cx, out) {
                cx.release(std::mem::take(&mut self.held));
                self.seen.clear();
                return Ok(Pull::End);
            }
            self.keep.clear();
            for row in out.rows() {
                let key = &row[..self.slots];
                let new = !self.seen.contains(key);
                if new {
                    let bytes = self.slots as u64 * VALUE_BYTES + 32;
                    cx.hold(bytes)?;
                    self.held += bytes;
                    self.seen.insert(key.into());
                }
                self.keep.push(new);
            }
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
