//! Operators that look at one row at a time: leaves, filters, projections, `UNWIND`.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::columns::read;
use super::vectors::{Vector, Vectors};
use super::{Batch, Context, Operator, Pull, Running, next_rows, pull_rows, pull_vectors};
use crate::expression::elements::Elements;
use crate::expression::evaluate::{evaluate, holds};
use crate::expression::progress::Stop;
use crate::expression::{Expr, NameRef, Slot, access};
use crate::plan;

/// Pulls the rows that wait since the time was over, else the next of the input; false at its end. Rows that wait have waited once: the operator
/// above may look at the time behind each part of a batch.
macro_rules! waiting_rows {
    ($rest:expr, $input:expr, $cx:expr, $out:expr) => {
        if $rest.is_empty() {
            pull_rows!($input, $cx, $out)
        } else {
            $out.clear();
            std::mem::swap($out, &mut $rest);
            true
        }
    };
}

/// Gives one row: nulls, or what the enclosing operator set.
pub struct Argument {
    row: Vec<Value>,
    given: bool,
}

impl Argument {
    pub fn new(width: u32) -> Self {
        Argument {
            row: vec![Value::Null; width as usize],
            given: false,
        }
    }
}

impl Operator for Argument {
    fn reset(&mut self, argument: &[Value]) {
        // An argument of another frame fills the first slots; the others are null.
        let width = self.row.len();
        self.row.clear();
        self.row
            .extend_from_slice(&argument[..argument.len().min(width)]);
        self.row.resize(width, Value::Null);
        self.given = false;
    }

    fn keep(&mut self) -> bool {
        self.row.fill(Value::Null);
        self.given = false;
        true
    }

    fn next(&mut self, _: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if std::mem::replace(&mut self.given, true) {
            return Ok(Pull::End);
        }
        out.push(&self.row);
        Ok(Pull::Rows)
    }
}

/// Keeps rows for which all predicates are true.
pub struct Filter {
    predicates: Rc<Vec<Expr>>,
    input: Running,
    keep: Vec<bool>,
    /// Rows that wait since the time was over in the middle of their batch.
    rest: Batch,
}

impl Filter {
    pub fn new(predicates: Rc<Vec<Expr>>, input: Running) -> Self {
        Filter {
            predicates,
            input,
            keep: Vec::new(),
            rest: Batch::new(),
        }
    }
}

impl Operator for Filter {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rest.clear();
    }

    fn keep(&mut self) -> bool {
        self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        loop {
            if !waiting_rows!(self.rest, self.input, cx, out) {
                return Ok(Pull::End);
            }
            self.keep.clear();
            for at in 0..out.len() {
                let mut keep = true;
                for predicate in self.predicates.iter() {
                    if !holds(predicate, cx, out.row(at))? {
                        keep = false;
                        break;
                    }
                }
                self.keep.push(keep);
                if cx.is_row_the_last() {
                    out.split_off(at + 1, &mut self.rest);
                    break;
                }
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

/// Computes values into slots, in order.
pub struct Extend {
    items: Rc<Vec<(Slot, Expr)>>,
    input: Running,
    /// Rows that wait since the time was over in the middle of their batch.
    rest: Batch,
}

impl Extend {
    pub fn new(items: Rc<Vec<(Slot, Expr)>>, input: Running) -> Self {
        Extend {
            items,
            input,
            rest: Batch::new(),
        }
    }
}

impl Operator for Extend {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rest.clear();
    }

    fn keep(&mut self) -> bool {
        self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        if !waiting_rows!(self.rest, self.input, cx, out) {
            return Ok(Pull::End);
        }
        for at in 0..out.len() {
            for (slot, expr) in self.items.iter() {
                let value = evaluate(expr, cx, out.row(at))?;
                out.row_mut(at)[*slot as usize] = value;
            }
            if cx.is_row_the_last() {
                out.split_off(at + 1, &mut self.rest);
                break;
            }
        }
        Ok(Pull::Rows)
    }
}

/// Makes rows of a new frame.
pub struct Project {
    plan: Rc<plan::Project>,
    input: Running,
    rows: Batch,
    /// The row at work.
    at: usize,
    vectors: Vectors,
}

impl Project {
    pub fn new(plan: Rc<plan::Project>, input: Running) -> Self {
        Project {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            vectors: Vectors::new(),
        }
    }
}

impl Operator for Project {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.at = 0;
    }

    fn keep(&mut self) -> bool {
        self.rows.clear();
        self.rows.is_light() && self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.at >= self.rows.len() {
            if !pull_rows!(self.input, cx, &mut self.rows) {
                return Ok(Pull::End);
            }
            self.at = 0;
        }
        let width = self.plan.width.get() as usize;
        while self.at < self.rows.len() {
            let row = self.rows.row(self.at);
            let new = out.push_nulls(width);
            for (slot, item) in self.plan.items.iter().enumerate() {
                new[slot] = evaluate(item, cx, row)?;
            }
            self.at += 1;
            if cx.is_row_the_last() {
                break;
            }
        }
        Ok(Pull::Rows)
    }

    fn gives_vectors(&self) -> bool {
        let is_of_columns = |item: &Expr| match item {
            Expr::Slot(_) | Expr::Constant(_) | Expr::Parameter(_) => true,
            Expr::Property(object, ..) => matches!(**object, Expr::Slot(_)),
            _ => false,
        };
        self.plan.items.iter().all(is_of_columns) && self.input.gives_vectors()
    }

    fn next_vectors(&mut self, cx: &mut Context<'_>, out: &mut Vectors) -> Result<Pull, Error> {
        out.clear();
        if !pull_vectors!(self.input, cx, &mut self.vectors) {
            return Ok(Pull::End);
        }
        let (old, rows) = (self.vectors.columns(), self.vectors.len());
        let columns = out.begin(self.plan.width.get() as usize);
        for (column, item) in columns.iter_mut().zip(&self.plan.items) {
            match item {
                Expr::Slot(slot) => column.clone_from(&old[*slot as usize]),
                Expr::Property(object, key, _) if let Expr::Slot(slot) = **object => {
                    property(&old[slot as usize], rows, key, cx, column)?;
                }
                same => *column = Vector::Constant(evaluate(same, cx, &[])?),
            }
        }
        out.filled(rows);
        Ok(Pull::Rows)
    }
}

/// A property of each value of a column.
fn property(
    objects: &Vector,
    rows: usize,
    key: &NameRef,
    cx: &Context<'_>,
    out: &mut Vector,
) -> Result<(), Error> {
    match objects {
        Vector::Vertices(vertices) => read::property(vertices, key, cx, out),
        Vector::Constant(object) => {
            *out = Vector::Constant(access::property(object, key, cx)?);
            Ok(())
        }
        others => {
            out.begin_ints();
            for row in 0..rows {
                out.push(access::property(&others.value(row), key, cx)?);
            }
            Ok(())
        }
    }
}

/// A row for each element of a list.
pub struct Unwind {
    plan: Rc<plan::Unwind>,
    input: Running,
    rows: Batch,
    /// The row at work.
    at: usize,
    /// Those of its elements that are not out.
    elements: Option<Elements>,
}

impl Unwind {
    pub fn new(plan: Rc<plan::Unwind>, input: Running) -> Self {
        Unwind {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            elements: None,
        }
    }
}

impl Operator for Unwind {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.elements) = (0, None);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            let row = self.rows.row(self.at);
            let mut elements = match self.elements.take() {
                Some(elements) => elements,
                None => Elements::of(&self.plan.list, cx.may_yield(), cx, row)
                    .map_err(Stop::into_error)?,
            };
            loop {
                if out.is_full() {
                    self.elements = Some(elements);
                    return Ok(Pull::Rows);
                }
                let Some(element) = elements.next() else {
                    break;
                };
                out.push(row)[self.plan.slot as usize] = element;
            }
            self.at += 1;
        }
    }
}

/// Runs its input to the end and gives nothing.
pub struct Consume {
    input: Running,
}

impl Consume {
    pub fn new(input: Running) -> Self {
        Consume { input }
    }
}

impl Operator for Consume {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
    }

    fn keep(&mut self) -> bool {
        self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        while pull_rows!(self.input, cx, out) {
            if cx.should_yield() {
                out.clear();
                return Ok(Pull::Yield);
            }
        }
        out.clear();
        Ok(Pull::End)
    }
}

/// A number of rows for `SKIP` and `LIMIT`.
///
/// # Errors
/// Not an integer, or negative.
pub fn row_count(expr: &Expr, cx: &mut Context<'_>, clause: &str) -> Result<u64, Error> {
    use quoit_cypher::error::ErrorKind::SyntaxError;
    match evaluate(expr, cx, &[])? {
        Value::Int(count) => u64::try_from(count).map_err(|_| {
            Error::runtime(
                SyntaxError,
                Detail::NegativeIntegerArgument,
                format!("{clause} {count} is negative"),
            )
        }),
        other => Err(Error::runtime(
            SyntaxError,
            Detail::InvalidArgumentType,
            format!("{clause} needs an integer, not {}", other.type_phrase()),
        )),
    }
}
