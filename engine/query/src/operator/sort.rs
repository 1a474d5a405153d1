//! `ORDER BY`, `SKIP`, `LIMIT`.
//!
//! Sorting is stable and follows the total order of values. With a `LIMIT` behind it, no more rows are kept than twice those wanted.

use std::cmp::Ordering;
use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::row::row_count;
use super::{BATCH_ROWS, Batch, Context, Operator, Pull, Running, pull_rows};
use crate::expression::Expr;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// Estimated bytes of a value in a buffer, what it points to not counted.
const VALUE_BYTES: u64 = 24;

struct SortedRow {
    keys: Box<[Value]>,
    row: Box<[Value]>,
}

/// Sorts.
pub struct Sort {
    plan: Rc<plan::Sort>,
    input: Running,
    rows: Batch,
    buffer: Vec<SortedRow>,
    wanted: Option<usize>,
    /// The buffer begins with rows in order, as many as are wanted.
    is_cut: bool,
    keys: Vec<Value>,
    begun: bool,
    sorted: bool,
    next: usize,
    held: u64,
}

impl plan::Sort {
    /// The order of two rows by their keys.
    fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        let keys = self.keys.iter().zip(a.iter().zip(b));
        keys.map(|((_, descending), (a, b))| match descending {
            true => a.cmp(b).reverse(),
            false => a.cmp(b),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
    }
}

impl Sort {
    pub fn new(plan: Rc<plan::Sort>, input: Running) -> Self {
        Sort {
            plan,
            input,
            rows: Batch::new(),
            buffer: Vec::new(),
            wanted: None,
            is_cut: false,
            keys: Vec::new(),
            begun: false,
            sorted: false,
            next: 0,
            held: 0,
        }
    }

    fn order(&mut self) {
        let plan = &self.plan;
        self.buffer.sort_by(|a, b| plan.compare(&a.keys, &b.keys));
    }

    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        for at in 0..self.rows.len() {
            self.keys.clear();
            for (expr, _) in &self.plan.keys {
                self.keys.push(evaluate(expr, cx, self.rows.row(at))?);
            }
            // Of equal rows those that came first are kept.
            if let Some(last) = self.last_wanted()
                && self.plan.compare(&self.keys, &last.keys).is_ge()
            {
                continue;
            }
            let bytes = (self.keys.len() + self.rows.width()) as u64 * VALUE_BYTES + 32;
            cx.hold(bytes)?;
            self.held += bytes;
            self.buffer.push(SortedRow {
                keys: self.keys.drain(..).collect(),
                row: self.rows.row(at).into(),
            });
        }
        if let Some(wanted) = self.wanted
            && self.buffer.len() > wanted.saturating_mul(2).saturating_add(BATCH_ROWS)
        {
            self.order();
            let dropped = self.buffer.len() - wanted;
            self.buffer.truncate(wanted);
            let bytes = self.held / (wanted + dropped) as u64 * dropped as u64;
            self.held -= bytes;
            cx.release(bytes);
            self.is_cut = true;
        }
        Ok(())
    }

    /// The last of the rows that were wanted when the buffer was last cut: what does not come before it is not wanted.
    fn last_wanted(&self) -> Option<&SortedRow> {
        let wanted = self.wanted.filter(|_| self.is_cut)?;
        self.buffer.get(wanted.checked_sub(1)?)
    }
}

impl Operator for Sort {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.buffer.clear();
        (self.begun, self.is_cut, self.sorted, self.next) = (false, false, false, 0);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if !self.begun {
            self.begun = true;
            // What a run that was given up held.
            cx.release(std::mem::take(&mut self.held));
            let mut wanted = 0_u64;
            for count in &self.plan.top {
                wanted = wanted.saturating_add(row_count(count, cx, "LIMIT")?);
            }
            self.wanted =
                (!self.plan.top.is_empty()).then(|| usize::try_from(wanted).unwrap_or(usize::MAX));
        }
        while !self.sorted {
            if pull_rows!(self.input, cx, &mut self.rows) {
                self.take_in(cx)?;
                if cx.should_yield() {
                    return Ok(Pull::Yield);
                }
            } else {
                self.order();
                self.sorted = true;
            }
        }
        let end = self.wanted.unwrap_or(usize::MAX).min(self.buffer.len());
        while self.next < end && !out.is_full() {
            let row = std::mem::take(&mut self.buffer[self.next].row).into_vec();
            let width = row.len();
            out.push_owned(row, width);
            self.next += 1;
        }
        if out.is_empty() {
            self.buffer.clear();
            cx.release(std::mem::take(&mut self.held));
            return Ok(Pull::End);
        }
        Ok(Pull::Rows)
    }
}

/// Drops the first rows.
pub struct Skip {
    count: Rc<Expr>,
    input: Running,
    left: Option<u64>,
}

impl Skip {
    pub fn new(count: Rc<Expr>, input: Running) -> Self {
        Skip {
            count,
            input,
            left: None,
        }
    }
}

impl Operator for Skip {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.left = None;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let mut left = match self.left {
            Some(left) => left,
            None => row_count(&self.count, cx, "SKIP")?,
        };
        loop {
            self.left = Some(left);
            if !pull_rows!(self.input, cx, out) {
                return Ok(Pull::End);
            }
            let dropped = (left).min(out.len() as u64);
            out.drop_front(dropped as usize);
            left -= dropped;
            self.left = Some(left);
            if !out.is_empty() {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}

/// Stops after some rows. What writes below has been done before it sees its first row, so effects are not cut.
pub struct Limit {
    count: Rc<Expr>,
    input: Running,
    left: Option<u64>,
}

impl Limit {
    pub fn new(count: Rc<Expr>, input: Running) -> Self {
        Limit {
            count,
            input,
            left: None,
        }
    }
}

impl Operator for Limit {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.left = None;
    }

    fn keep(&mut self) -> bool {
        self.left = None;
        self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let (left, first) = match self.left {
            Some(left) => (left, false),
            None => (row_count(&self.count, cx, "LIMIT")?, true),
        };
        self.left = Some(left);
        // `LIMIT 0` asks for one batch all the same, so that what writes below does its work.
        if left == 0 && !first {
            out.clear();
            return Ok(Pull::End);
        }
        match self.input.next(cx, out)? {
            Pull::Rows => {}
            Pull::Yield => {
                self.left = (!first || left > 0).then_some(left);
                return Ok(Pull::Yield);
            }
            Pull::End => return Ok(Pull::End),
        }
        out.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.left = Some(left - out.len() as u64);
        Ok(if out.is_empty() {
            Pull::End
        } else {
            Pull::Rows
        })
    }
}
