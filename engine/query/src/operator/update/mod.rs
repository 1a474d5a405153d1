//! Operators that change the graph.
//!
//! Each takes in all its rows before it writes the first change, ends the clause when it has written the last, and only then gives rows out.
//! So no scan feeds on what its own statement writes, and a `LIMIT` above cuts no effect. Within a clause expressions see the changes
//! made so far. Left to others: conflicts, counters and undo (`quoit-graph`).
//!
//! One clause a file: [`create`], [`merge`], [`set`], [`delete`], [`foreach`]; what they write is evaluated in [`written`].

mod create;
mod delete;
mod foreach;
mod merge;
mod set;
mod written;

pub use create::Create;
pub use delete::{Delete, delete_postponed};
pub use foreach::Foreach;
pub use merge::Merge;
pub use set::Set;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, pull_rows};

/// Estimated bytes of a value in a buffer, what it points to not counted.
const VALUE_BYTES: u64 = 24;

/// Takes in all rows of an input, then gives them out again.
struct Gather {
    input: Running,
    pulled: Batch,
    rows: Batch,
    next: usize,
    gathered: bool,
    held: u64,
}

impl Gather {
    fn new(input: Running) -> Self {
        Gather {
            input,
            pulled: Batch::new(),
            rows: Batch::new(),
            next: 0,
            gathered: false,
            held: 0,
        }
    }

    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.next, self.gathered) = (0, false);
    }

    /// Pulls until the end. `Rows`: all are here now, for the first time; `End`: they were before.
    fn take_in(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        if self.gathered {
            return Ok(Pull::End);
        }
        while pull_rows!(self.input, cx, &mut self.pulled) {
            let bytes = self.pulled.len() as u64 * (self.pulled.width() as u64 * VALUE_BYTES + 8);
            cx.hold(bytes)?;
            self.held += bytes;
            for row in self.pulled.rows() {
                self.rows.push(row);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        self.gathered = true;
        Ok(Pull::Rows)
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
            self.next = 0;
            cx.release(std::mem::take(&mut self.held));
            return Pull::End;
        }
        Pull::Rows
    }
}

/// The whole of an updating operator's `next`: take in, change all rows, end the clause, give out.
macro_rules! eager_next {
    ($self:ident, $cx:ident, $out:ident, $change:expr) => {{
        match $self.gather.take_in($cx)? {
            Pull::Yield => {
                $out.clear();
                return Ok(Pull::Yield);
            }
            Pull::Rows => {
                $change?;
                $cx.next_clause();
            }
            Pull::End => {}
        }
        Ok($self.gather.give_out($cx, $out))
    }};
}
use eager_next;

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
        if self.gather.take_in(cx)? == Pull::Yield {
            out.clear();
            return Ok(Pull::Yield);
        }
        Ok(self.gather.give_out(cx, out))
    }
}
