//! Where an interrupted evaluation stands.
//!
//! An expression whose loops go on for long, or that looks through the graph in a subquery, is evaluated in turns: [`advance`] stops when the
//! time slice is over, and the operator that asked calls it again with the same expression and row. What always holds:
//!
//! - The operator owns the [`Progress`]; what it evaluates in between belongs to other operators, which own theirs. `reset` forgets it.
//! - Going on means to evaluate again from the outside in. Loops and subqueries find where they stood by their keys, and those that are
//!   done their values, so nothing long is done twice; what has no loop is cheap and has no effects.
//! - Entries lie in the order of evaluation: what a loop's body has left lies behind what was there when the loop began, and goes with
//!   each element that is done.
//!
//! [`advance`]: crate::operator::Context::advance

use quoit_cypher::error::Error;
use quoit_cypher::span::Span;
use quoit_graph::value::Value;

use super::elements::Elements;
use super::loops::Built;
use crate::function::set;
use crate::operator::Running;
use crate::operator::subquery::Found;

/// Why an evaluation gives no value.
#[derive(Debug)]
pub enum Stop {
    /// It cannot.
    Failed(Error),
    /// The time slice is over.
    Interrupted,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl Stop {
    /// As [`Error::at`].
    pub fn at(self, span: Span) -> Stop {
        match self {
            Stop::Failed(error) => Stop::Failed(error.at(span)),
            Stop::Interrupted => Stop::Interrupted,
        }
    }

    /// The error of an evaluation that may not be interrupted.
    pub fn into_error(self) -> Error {
        match self {
            Stop::Failed(error) => error,
            Stop::Interrupted => {
                Error::internal("an evaluation was interrupted that has to run to its end")
            }
        }
    }
}

/// What of an expression has something to go on with. No two parts of one expression that are at work at the same time share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A comprehension, quantifier or fold, by the local of its element.
    Loop(u32),
    /// A subquery, by its number.
    Subquery(u32),
    /// A call of a function that takes long, by where it stands.
    Call(Span),
}

/// What a part goes on with.
pub(crate) enum Saved {
    /// It is done.
    Done(Value),
    Comprehension(Going, Vec<Value>),
    Quantifier(Going, [usize; 3]),
    Fold(Going, Value),
    Subquery(Found, Running),
    Set(Box<set::Going>),
}

/// A loop between two elements, or within one.
pub(crate) struct Going {
    /// The element at work, and those behind it.
    pub(crate) item: Option<Value>,
    pub(crate) rest: Elements,
    pub(crate) built: Built,
    /// Entries that were there when it began.
    pub(crate) mark: usize,
}

/// Where an evaluation stands; empty if it has not begun.
#[derive(Default)]
pub struct Progress {
    entries: Vec<(Key, Saved)>,
}

impl Progress {
    /// Forgets it: the next evaluation begins anew.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn truncate(&mut self, mark: usize) {
        self.entries.truncate(mark);
    }

    pub(crate) fn push(&mut self, key: Key, saved: Saved) {
        self.entries.push((key, saved));
    }

    /// What a part goes on with; the value of one that is done stays.
    pub(crate) fn resume(&mut self, key: Key) -> Option<Saved> {
        let at = self.entries.iter().position(|(known, _)| *known == key)?;
        match &self.entries[at].1 {
            Saved::Done(value) => Some(Saved::Done(value.clone())),
            _ => Some(self.entries.remove(at).1),
        }
    }
}
