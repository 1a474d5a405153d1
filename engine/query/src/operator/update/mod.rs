//! Operators that change the graph.
//!
//! Each takes in all its rows before it writes the first change, ends the clause when it has written the last, and only then gives rows out.
//! So no scan feeds on what its own statement writes, and a `LIMIT` above cuts no effect. Within a clause expressions see the changes
//! made so far. Left to others: conflicts, counters and undo (`quoit-graph`).
//!
//! One clause a file: [`create`], [`merge`], [`set`], [`delete`], [`foreach`]; what they write is evaluated in [`values`].

mod create;
mod delete;
mod foreach;
mod merge;
mod set;
mod values;

pub use create::Create;
pub use delete::{Delete, delete_postponed};
pub use foreach::Foreach;
pub use merge::Merge;
pub use set::Set;

use std::ops::Range;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running};

/// Rows that are written for between two looks at the clock.
const ROWS_AT_ONCE: usize = 256;

/// Estimated bytes of a value in a buffer, what it points to not counted.
const VALUE_BYTES: u64 = 24;

/// Takes in all rows of an input, has something written for them, then gives them out again.
struct Gather {
    input: Running,
    pulled: Batch,
    rows: Batch,
    gathered: bool,
    /// Rows that have been written for.
    written: usize,
    /// The clause is over.
    ended: bool,
    /// Rows that are out.
    next: usize,
    held: u64,
}

impl Gather {
    fn new(input: Running) -> Self {
        Gather {
            input,
            pulled: Batch::new(),
            rows: Batch::new(),
            gathered: false,
            written: 0,
            ended: false,
            next: 0,
            held: 0,
        }
    }

    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.gathered, self.ended) = (false, false);
        (self.written, self.next) = (0, 0);
    }

    /// As [`Operator::keep`](crate::operator::Operator::keep).
    fn keep(&mut self) -> bool {
        self.pulled.clear();
        self.rows.clear();
        (self.gathered, self.ended) = (false, false);
        (self.written, self.next, self.held) = (0, 0, 0);
        self.pulled.is_light() && self.rows.is_light() && self.input.keep()
    }

    /// Pulls until the end. False: the time slice is over.
    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        while !self.gathered {
            match self.input.next(cx, &mut self.pulled)? {
                Pull::Yield => return Ok(false),
                Pull::End => self.gathered = true,
                Pull::Rows => {
                    let width = self.pulled.width() as u64;
                    let bytes = self.pulled.len() as u64 * (width * VALUE_BYTES + 8);
                    cx.hold(bytes)?;
                    self.held += bytes;
                    self.rows.append(&mut self.pulled);
                    if cx.should_yield() {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Writes for the rows, up to `at_once` of them at a time with others' turns in between, and ends the clause behind the last. False: the time
    /// slice is over. Not within [`Gather::take_in`], which recurs: what stands on its stack stands there once an operator.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        at_once: usize,
        mut change: impl FnMut(&mut Batch, Range<usize>, &mut Context<'_>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if self.ended {
            return Ok(true);
        }
        while self.written < self.rows.len() {
            let end = self.rows.len().min(self.written + at_once);
            change(&mut self.rows, self.written..end, cx)?;
            self.written = end;
            if end < self.rows.len() && cx.should_yield() {
                return Ok(false);
            }
        }
        cx.next_clause();
        self.ended = true;
        Ok(true)
    }

    /// As [`Gather::write`], for changes that look for something first or compute something, and so may take long for one row: `change` answers
    /// whether it is done with it, and is called again for the same row if not. The clock is looked at every `at_once` rows too.
    fn write_each(
        &mut self,
        cx: &mut Context<'_>,
        at_once: usize,
        mut change: impl FnMut(&mut Batch, usize, &mut Context<'_>) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if self.ended {
            return Ok(true);
        }
        while self.written < self.rows.len() {
            if !change(&mut self.rows, self.written, cx)? {
                return Ok(false);
            }
            self.written += 1;
            let is_time = self.written.is_multiple_of(at_once);
            if is_time && self.written < self.rows.len() && cx.should_yield() {
                return Ok(false);
            }
        }
        cx.next_clause();
        self.ended = true;
        Ok(true)
    }

    /// Gives rows out in order.
    fn give_out(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Pull {
        out.clear();
        while self.next < self.rows.len() && !out.is_full() {
            out.push(self.rows.row(self.next));
            self.next += 1;
        }
        if out.is_empty() {
            self.rows.clear();
            (self.written, self.next) = (0, 0);
            cx.release(std::mem::take(&mut self.held));
            return Pull::End;
        }
        Pull::Rows
    }
}

/// The whole of an updating operator's `next`: takes in, writes, gives out.
macro_rules! gathered {
    ($gather:expr, $cx:ident, $out:ident, $written:expr) => {{
        if !$gather.take_in($cx)? || !$written? {
            $out.clear();
            return Ok(Pull::Yield);
        }
        Ok($gather.give_out($cx, $out))
    }};
}
use gathered;

/// Takes in all rows before it gives the first.
pub struct Eager {
    gather: Gather,
}

impl Eager {
    pub fn new(input: Running) -> Self {
        Eager {
            gather: Gather::new(input),
        }
    }
}

impl Operator for Eager {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        gathered!(self.gather, cx, out, Ok::<bool, Error>(true))
    }
}
