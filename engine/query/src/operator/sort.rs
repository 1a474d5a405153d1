//! `ORDER BY`, `SKIP`, `LIMIT`.
//!
//! Sorting is stable and follows the total order of values. Rows are put in order run by run as they come, and runs are merged as rows are asked for, so
//! that no step sorts more than one run. With a `LIMIT` behind it, no more rows are kept than twice those wanted, and a batch.

use std::cmp::Ordering;
use std::collections::VecDeque;
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

/// Rows that are put in order at once, where all rows are wanted.
const RUN_ROWS: usize = 4 * BATCH_ROWS;

struct SortedRow {
    keys: Box<[Value]>,
    row: Box<[Value]>,
}

/// Sorts.
pub struct Sort {
    plan: Rc<plan::Sort>,
    input: Running,
    rows: Batch,
    /// Rows that are not in order yet; where only some are wanted, all that are kept.
    buffer: Vec<SortedRow>,
    /// Rows in order, runs in the order in which their rows came; none is empty.
    runs: Vec<VecDeque<SortedRow>>,
    /// The runs as a heap: the one whose first row is next is on top.
    heap: Vec<u32>,
    wanted: Option<usize>,
    /// The buffer begins with rows in order, as many as are wanted.
    is_cut: bool,
    keys: Vec<Value>,
    begun: bool,
    sorted: bool,
    /// Rows that were given.
    given: usize,
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
            runs: Vec::new(),
            heap: Vec::new(),
            wanted: None,
            is_cut: false,
            keys: Vec::new(),
            begun: false,
            sorted: false,
            given: 0,
            held: 0,
        }
    }

    fn order(&mut self) {
        let plan = &self.plan;
        self.buffer.sort_by(|a, b| plan.compare(&a.keys, &b.keys));
    }

    /// Puts the rows of the buffer in order, as a run.
    fn end_run(&mut self) {
        if !self.buffer.is_empty() {
            self.order();
            let run = std::mem::take(&mut self.buffer);
            self.heap.push(self.runs.len() as u32);
            self.runs.push(run.into());
        }
    }

    /// Whether the first row of a run comes before that of another.
    fn is_before(&self, a: u32, b: u32) -> bool {
        let first = |run: u32| self.runs[run as usize].front();
        match (first(a), first(b)) {
            // Of equal rows those of the earlier run came first.
            (Some(x), Some(y)) => self.plan.compare(&x.keys, &y.keys).then(a.cmp(&b)).is_lt(),
            (x, _) => x.is_some(),
        }
    }

    /// Moves the run at a place of the heap down to where it belongs.
    fn sift(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.is_before(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// The next row of all runs.
    fn pop(&mut self) -> Option<SortedRow> {
        let run = *self.heap.first()? as usize;
        let row = self.runs[run].pop_front();
        if self.runs[run].is_empty() {
            // Its memory is given back now, not that of all runs at the end.
            self.runs[run] = VecDeque::new();
            self.heap.swap_remove(0);
        }
        self.sift(0);
        row
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
        match self.wanted {
            None if self.buffer.len() >= RUN_ROWS => self.end_run(),
            Some(wanted)
                if self.buffer.len() > wanted.saturating_mul(2).saturating_add(BATCH_ROWS) =>
            {
                self.order();
                let dropped = self.buffer.len() - wanted;
                self.buffer.truncate(wanted);
                let bytes = self.held / (wanted + dropped) as u64 * dropped as u64;
                self.held -= bytes;
                cx.release(bytes);
                self.is_cut = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The last of the rows that were wanted when the buffer was last cut: what does not come before it is not wanted.
    fn last_wanted(&self) -> Option<&SortedRow> {
        let wanted = self.wanted.filter(|_| self.is_cut)?;
        self.buffer.get(wanted.checked_sub(1)?)
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        self.buffer.clear();
        self.runs.clear();
        self.heap.clear();
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Operator for Sort {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        (self.begun, self.is_cut, self.sorted, self.given) = (false, false, false, 0);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if !self.begun {
            self.begun = true;
            // What a run that was given up held.
            self.forget(cx);
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
                self.end_run();
                (0..self.heap.len().div_ceil(2))
                    .rev()
                    .for_each(|at| self.sift(at));
                self.sorted = true;
            }
        }
        let end = self.wanted.unwrap_or(usize::MAX);
        while self.given < end && !out.is_full() {
            let Some(SortedRow { row, .. }) = self.pop() else {
                break;
            };
            let width = row.len();
            out.push_owned(row.into_vec(), width);
            self.given += 1;
        }
        if out.is_empty() {
            self.forget(cx);
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
