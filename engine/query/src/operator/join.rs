//! Hash joins, and Cartesian products as those without keys: the rows of one input are kept by their keys, those of the other looked up.
//!
//! What always holds: a pair of rows is given if Cypher's `=` is true of all pairs of their keys, so a key that is null, or no number,
//! or has a null within joins nothing, and 1 joins 1.0. The first input is always asked first, since it may have written what the
//! second reads.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::pieces::Pieces;
use super::seen::{SeenKeys, VALUE_BYTES};
use super::{Batch, Context, Operator, Pull, Running, next_rows, pull_rows};
use crate::expression::Expr;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// No further row.
const NONE: u32 = u32::MAX;

/// See the module.
pub struct HashJoin {
    plan: Rc<plan::HashJoin>,
    left: Running,
    right: Running,
    stage: Stage,
    kept: Kept,
    /// Rows that are looked up.
    rows: Batch,
    at: usize,
    /// The kept row that the row at work is joined with next, if it has been looked up.
    pair: Option<u32>,
    key: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Start,
    /// The first input has given rows, or is being kept.
    Keeping,
    LookingUp,
}

/// Rows by their keys.
struct Kept {
    keys: SeenKeys,
    /// For each key its first and last row.
    ends: Pieces<(u32, u32)>,
    /// For each row the next of its key.
    next: Pieces<u32>,
    /// What each row sets.
    values: Pieces<Value>,
    held: u64,
}

impl Kept {
    /// For keys of so many values, and rows that set so many.
    fn new(keys: usize, values: usize) -> Kept {
        Kept {
            keys: SeenKeys::new(keys),
            ends: Pieces::new(1),
            next: Pieces::new(1),
            values: Pieces::new(values),
            held: 0,
        }
    }

    /// Adds a row; the bytes that it takes.
    fn add(&mut self, key: &[Value], values: impl ExactSizeIterator<Item = Value>) -> u64 {
        let row = self.next.len() as u32;
        let mut bytes = values.len() as u64 * VALUE_BYTES + 8;
        self.values.push(values);
        self.next.push([NONE]);
        let (number, is_new) = self.keys.number(key);
        if is_new {
            self.ends.push([(row, row)]);
            bytes += self.keys.key_bytes();
        } else {
            let last = &mut self.ends.row_mut(number)[0].1;
            let before = std::mem::replace(last, row);
            self.next.row_mut(before as usize)[0] = row;
        }
        bytes
    }

    /// The first row whose key equals another.
    fn find(&self, key: &[Value]) -> Option<u32> {
        let number = self.keys.find(key)?;
        let mut pairs = key.iter().zip(self.keys.key(number));
        // Equivalent values need not be equal.
        let equal = pairs.all(|(a, b)| a.equals(b) == Some(true));
        equal.then(|| self.ends.row(number)[0].0)
    }
}

impl HashJoin {
    pub fn new(plan: Rc<plan::HashJoin>, left: Running, right: Running) -> Self {
        HashJoin {
            kept: Kept::new(plan.left_keys.len(), plan.kept.len()),
            plan,
            left,
            right,
            stage: Stage::Start,
            rows: Batch::new(),
            at: 0,
            pair: None,
            key: Vec::new(),
        }
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        cx.release(self.kept.held);
        self.kept = Kept::new(self.plan.left_keys.len(), self.plan.kept.len());
    }

    /// Keeps the rows of a batch.
    fn keep(&mut self, batch: &Batch, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let keys = match plan.keeps_left {
            true => &plan.left_keys,
            false => &plan.right_keys,
        };
        let mut bytes = 0;
        for row in batch.rows() {
            if key_of(keys, cx, row, &mut self.key)? {
                let values = plan.kept.iter().map(|slot| row[*slot as usize].clone());
                bytes += self.kept.add(&self.key, values);
            }
        }
        self.kept.held += bytes;
        cx.hold(bytes)
    }
}

/// Computes a key; whether it can equal any.
fn key_of(
    keys: &[Expr],
    cx: &mut Context<'_>,
    row: &[Value],
    key: &mut Vec<Value>,
) -> Result<bool, Error> {
    key.clear();
    for expr in keys {
        key.push(evaluate(expr, cx, row)?);
    }
    Ok(!key.iter().any(Value::is_null))
}

impl Operator for HashJoin {
    fn reset(&mut self, argument: &[Value]) {
        self.left.reset(argument);
        self.right.reset(argument);
        self.rows.clear();
        (self.stage, self.at, self.pair) = (Stage::Start, 0, None);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.stage == Stage::Start {
            // What a run that was given up held.
            self.forget(cx);
            if !self.plan.keeps_left && !pull_rows!(self.left, cx, &mut self.rows) {
                return Ok(Pull::End);
            }
            self.stage = Stage::Keeping;
        }
        if self.stage == Stage::Keeping {
            let mut batch = Batch::new();
            loop {
                let kept = match self.plan.keeps_left {
                    true => &mut self.left,
                    false => &mut self.right,
                };
                if !pull_rows!(kept, cx, &mut batch) {
                    break;
                }
                self.keep(&batch, cx)?;
                if cx.should_yield() {
                    return Ok(Pull::Yield);
                }
            }
            self.stage = Stage::LookingUp;
            if self.kept.next.len() == 0 && self.plan.keeps_left {
                return Ok(Pull::End);
            }
        }
        let plan = self.plan.clone();
        let (keys, input) = match plan.keeps_left {
            true => (&plan.right_keys, &mut self.right),
            false => (&plan.left_keys, &mut self.left),
        };
        loop {
            next_rows!(input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            let mut pair = match self.pair.take() {
                Some(pair) => pair,
                None if key_of(keys, cx, row, &mut self.key)? => {
                    self.kept.find(&self.key).unwrap_or(NONE)
                }
                None => NONE,
            };
            while pair != NONE {
                if out.is_full() {
                    self.pair = Some(pair);
                    return Ok(Pull::Rows);
                }
                let new = out.push(row);
                let values = self.kept.values.row(pair as usize);
                for (slot, value) in plan.kept.iter().zip(values) {
                    new[*slot as usize].clone_from(value);
                }
                pair = self.kept.next.row(pair as usize)[0];
            }
            self.at += 1;
        }
    }
}
