//! Grouping.
//!
//! Groups are equal by equivalence (null is null, 1 is 1.0). Without keys there is one group even if there are no rows. Groups come out in the order in
//! which their first rows came in.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::gather::no_parts;
use super::pieces::{Pieces, PiecesIntoIter};
use super::seen::{SeenKeys, VALUE_BYTES};
use super::{Batch, Context, Divided, Operator, Pull, Running, pull_rows};
use crate::accumulator::Accumulator;
use crate::expression::evaluate::evaluate;
use crate::parallel::Part;
use crate::plan;

/// Groups and folds.
pub struct Aggregate {
    plan: Rc<plan::Aggregate>,
    input: Running,
    rows: Batch,
    /// The row at work.
    at: usize,
    groups: SeenKeys,
    /// The states of each group's calls.
    states: Pieces<Accumulator>,
    key: Vec<Value>,
    begun: bool,
    /// Its own rows are taken in.
    gathered: bool,
    /// All there is to come is here: groups may be given.
    complete: bool,
    next: usize,
    held: u64,
}

impl Aggregate {
    pub fn new(plan: Rc<plan::Aggregate>, input: Running) -> Self {
        Aggregate {
            groups: SeenKeys::new(plan.keys.len()),
            states: Pieces::new(plan.calls.len()),
            key: Vec::with_capacity(plan.keys.len()),
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            gathered: false,
            complete: false,
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
            .push(self.plan.calls.iter().map(Accumulator::new));
        Ok(())
    }

    /// Takes in the rows at hand, up to where the time slice is over.
    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        while self.at < self.rows.len() {
            let at = self.at;
            self.at += 1;
            self.key.clear();
            for expr in &plan.keys {
                self.key.push(evaluate(expr, cx, self.rows.row(at))?);
            }
            let (group, is_new) = self.groups.number(&self.key);
            if is_new {
                self.new_group(cx)?;
            }
            let states = self.states.row_mut(group);
            for (call, state) in plan.calls.iter().zip(states) {
                self.held += state.take(call, cx, self.rows.row(at))?;
            }
            if cx.is_row_the_last() {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            // What a run that was given up held.
            self.forget(cx);
        }
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        self.groups.clear();
        self.states = Pieces::new(self.plan.calls.len());
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Operator for Aggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.at = 0;
        (self.begun, self.gathered) = (false, false);
        (self.complete, self.next) = (false, 0);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if !self.complete {
            if self.take_part(cx)? == Pull::Yield {
                return Ok(Pull::Yield);
            }
            self.complete = true;
            if self.plan.keys.is_empty() && self.groups.number(&[]).1 {
                self.new_group(cx)?;
            }
        }
        let width = self.plan.width.get() as usize;
        let keys = self.plan.keys.len();
        while self.next < self.groups.len() && !out.is_full() {
            let row = out.push_nulls(width);
            row[..keys].clone_from_slice(self.groups.key(self.next));
            let states = self.states.row_mut(self.next);
            let calls = self.plan.calls.iter().zip(states);
            for (value, (call, state)) in row[keys..].iter_mut().zip(calls) {
                *value = state.finish(call)?;
            }
            self.next += 1;
        }
        if out.is_empty() {
            self.forget(cx);
            return Ok(Pull::End);
        }
        Ok(Pull::Rows)
    }

    fn divided(&mut self) -> Option<&mut dyn Divided> {
        Some(self)
    }
}

/// The groups of a core's rows.
struct Groups {
    keys: SeenKeys,
    /// Of those that have not been taken in.
    states: PiecesIntoIter<Accumulator>,
    /// How many have been taken in.
    merged: usize,
}

/// Groups that are taken in between two looks at the time.
const MERGED_AT_ONCE: usize = 64;

impl Divided for Aggregate {
    fn take_part(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        self.begin(cx);
        while !self.gathered {
            if self.at < self.rows.len() {
                self.take_in(cx)?;
            } else if pull_rows!(self.input, cx, &mut self.rows) {
                self.at = 0;
                self.take_in(cx)?;
            } else {
                self.gathered = true;
            }
            if !self.gathered && cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        Ok(Pull::End)
    }

    fn give_part(&mut self) -> Part {
        let empty = SeenKeys::new(self.plan.keys.len());
        let none = Pieces::new(self.plan.calls.len());
        Box::new(Groups {
            keys: std::mem::replace(&mut self.groups, empty),
            states: std::mem::replace(&mut self.states, none).into_iter(),
            merged: 0,
        })
    }

    fn merge(&mut self, part: &mut Part, cx: &mut Context<'_>) -> Result<bool, Error> {
        self.begin(cx);
        let groups: &mut Groups = part.downcast_mut().ok_or_else(no_parts)?;
        let plan = self.plan.clone();
        while groups.merged < groups.keys.len() {
            let (group, is_new) = self.groups.number(groups.keys.key(groups.merged));
            groups.merged += 1;
            if is_new {
                self.new_group(cx)?;
            }
            let own = self.states.row_mut(group);
            for (call, state) in plan.calls.iter().zip(own) {
                if let Some(other) = groups.states.next() {
                    self.held += state.merge(other, call, cx)?;
                }
            }
            if groups.merged.is_multiple_of(MERGED_AT_ONCE) && cx.should_yield() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
