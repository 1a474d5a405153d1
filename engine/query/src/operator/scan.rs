//! Operators that find vertices: whole scans, index look-ups, ids.
//!
//! Each gives, for every input row, a copy of the row for every vertex found. A scan goes page by page and parks between pages with ids only.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, LabelId, PageId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Bound, Cursor, KeyRange, NextKey, Order};

use super::{Batch, Context, Operator, Pull, Running, next_rows, pull_rows};
use crate::expression::NameRef;
use crate::expression::evaluate::evaluate;
use crate::plan;

/// Walks over input rows and, within each, over the vertices found for it.
struct Rows {
    input: Running,
    rows: Batch,
    at: usize,
    /// Whether the row at work has been begun.
    begun: bool,
    found: Vec<VertexId>,
    next: usize,
}

impl Rows {
    fn new(input: Running) -> Self {
        Rows {
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            found: Vec::new(),
            next: 0,
        }
    }

    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.found.clear();
        (self.at, self.begun, self.next) = (0, false, 0);
    }

    /// Copies found vertices into rows; whether all of them are out.
    fn emit(&mut self, slot: usize, out: &mut Batch) -> bool {
        while let Some(vertex) = self.found.get(self.next) {
            if out.is_full() {
                return false;
            }
            out.push(self.rows.row(self.at))[slot] = Value::Vertex(*vertex);
            self.next += 1;
        }
        self.found.clear();
        self.next = 0;
        true
    }

    fn end_row(&mut self) {
        self.at += 1;
        self.begun = false;
    }
}

/// All vertices, or those of a label.
pub struct Scan {
    plan: Rc<plan::Scan>,
    rows: Rows,
    pages: Vec<PageId>,
    page: usize,
}

impl Scan {
    pub fn new(plan: Rc<plan::Scan>, input: Running) -> Self {
        Scan {
            plan,
            rows: Rows::new(input),
            pages: Vec::new(),
            page: 0,
        }
    }
}

impl Operator for Scan {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let slot = self.plan.slot as usize;
        let label = match &self.plan.label {
            None => None,
            Some(name) => match label_id(name, cx) {
                Some(label) => Some(label),
                // No vertex can have a label that has no id; the input must still be run for its effects.
                None => loop {
                    if !pull_rows!(self.rows.input, cx, &mut self.rows.rows) {
                        self.rows.rows.clear();
                        return Ok(Pull::End);
                    }
                    if cx.should_yield() {
                        return Ok(Pull::Yield);
                    }
                },
            },
        };
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                self.pages = cx.view.pages(label);
                self.page = 0;
            }
            loop {
                if !self.rows.emit(slot, out) {
                    return Ok(Pull::Rows);
                }
                let Some(page) = self.pages.get(self.page) else {
                    break;
                };
                self.page += 1;
                cx.view.scan_page(*page, label, &mut self.rows.found);
                if cx.should_yield() {
                    return Ok(if out.is_empty() {
                        Pull::Yield
                    } else {
                        Pull::Rows
                    });
                }
            }
            self.rows.end_row();
        }
    }
}

fn label_id(name: &NameRef, cx: &Context<'_>) -> Option<LabelId> {
    name.id(|name| cx.label_id(name)).map(LabelId)
}

fn key_id(name: &NameRef, cx: &Context<'_>) -> Option<KeyId> {
    name.id(|name| cx.key_id(name)).map(KeyId)
}

fn index_missing(label: &NameRef) -> Error {
    // Dropping an index makes plans anew; one that is dropped while a plan runs ends it.
    Error::conflict(format!(
        "the index on :{} was dropped while the query ran",
        label.name
    ))
}

/// Vertices whose properties equal values.
pub struct IndexSeek {
    plan: Rc<plan::IndexSeek>,
    rows: Rows,
    values: Vec<Value>,
}

impl IndexSeek {
    pub fn new(plan: Rc<plan::IndexSeek>, input: Running) -> Self {
        IndexSeek {
            plan,
            rows: Rows::new(input),
            values: Vec::new(),
        }
    }
}

impl Operator for IndexSeek {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let slot = self.plan.slot as usize;
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                self.values.clear();
                for value in &self.plan.values {
                    self.values
                        .push(evaluate(value, cx, self.rows.rows.row(self.rows.at))?);
                }
                let missing = || index_missing(&self.plan.label);
                let label = label_id(&self.plan.label, cx).ok_or_else(missing)?;
                let mut keys = smallvec::SmallVec::<[KeyId; 4]>::new();
                for key in &self.plan.keys {
                    keys.push(key_id(key, cx).ok_or_else(missing)?);
                }
                let index = cx.view.index(label, &keys).ok_or_else(missing)?;
                self.rows.found.extend(index.seek(&self.values));
            }
            if !self.rows.emit(slot, out) {
                return Ok(Pull::Rows);
            }
            self.rows.end_row();
        }
    }
}

/// A range of an index by one key.
fn one_key(next: NextKey<'_>) -> KeyRange<'_> {
    KeyRange {
        equal: &[],
        next,
        order: Order::Ascending,
    }
}

/// Vertices whose property lies in a range or begins with a prefix.
pub struct IndexRange {
    plan: Rc<plan::IndexRange>,
    rows: Rows,
    cursor: Cursor,
    lower: Value,
    upper: Value,
    ended: bool,
}

impl IndexRange {
    pub fn new(plan: Rc<plan::IndexRange>, input: Running) -> Self {
        IndexRange {
            plan,
            rows: Rows::new(input),
            cursor: Cursor::default(),
            lower: Value::Null,
            upper: Value::Null,
            ended: true,
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let row = self.rows.rows.row(self.rows.at);
        self.cursor = Cursor::default();
        self.ended = false;
        if let Some(prefix) = &self.plan.prefix {
            self.lower = evaluate(prefix, cx, row)?;
            self.ended = !matches!(self.lower, Value::String(_));
            return Ok(());
        }
        let mut bound = |bound: &Option<(crate::expression::Expr, bool)>| match bound {
            Some((expr, _)) => evaluate(expr, cx, row).map(Some),
            None => Ok(None),
        };
        let (lower, upper) = (bound(&self.plan.lower)?, bound(&self.plan.upper)?);
        let comparable = |value: &Option<Value>| {
            value
                .as_ref()
                .is_none_or(|value| value.compare(value).is_some())
        };
        self.ended = !comparable(&lower) || !comparable(&upper);
        if let (Some(lower), Some(upper)) = (&lower, &upper) {
            self.ended |= lower.compare(upper).is_none();
        }
        (self.lower, self.upper) = (lower.unwrap_or_default(), upper.unwrap_or_default());
        Ok(())
    }

    fn fetch(&mut self, cx: &Context<'_>, limit: usize) -> Result<(), Error> {
        let missing = || index_missing(&self.plan.label);
        let label = label_id(&self.plan.label, cx).ok_or_else(missing)?;
        let key = key_id(&self.plan.key, cx).ok_or_else(missing)?;
        let index = cx.view.index(label, &[key]).ok_or_else(missing)?;
        if let (Some(_), Value::String(prefix)) = (&self.plan.prefix, &self.lower) {
            let range = one_key(NextKey::StartsWith(prefix));
            index.scan(&range, &mut self.cursor, limit, &mut self.rows.found);
        } else {
            fn bound<'v>(
                given: &Option<(crate::expression::Expr, bool)>,
                value: &'v Value,
            ) -> Bound<'v> {
                match given {
                    Some((_, true)) => Bound::Included(value),
                    Some((_, false)) => Bound::Excluded(value),
                    None => Bound::Unbounded,
                }
            }
            let (lower, upper) = (
                bound(&self.plan.lower, &self.lower),
                bound(&self.plan.upper, &self.upper),
            );
            let range = one_key(NextKey::Between(lower, upper));
            index.scan(&range, &mut self.cursor, limit, &mut self.rows.found);
        }
        self.ended = self.cursor.is_done();
        Ok(())
    }
}

impl Operator for IndexRange {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let slot = self.plan.slot as usize;
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                self.begin(cx)?;
            }
            loop {
                if !self.rows.emit(slot, out) {
                    return Ok(Pull::Rows);
                }
                if self.ended {
                    break;
                }
                self.fetch(cx, super::BATCH_ROWS)?;
            }
            self.rows.end_row();
            if cx.should_yield() {
                return Ok(if out.is_empty() {
                    Pull::Yield
                } else {
                    Pull::Rows
                });
            }
        }
    }
}

/// A vertex by its number.
pub struct IdSeek {
    plan: Rc<plan::IdSeek>,
    rows: Rows,
}

impl IdSeek {
    pub fn new(plan: Rc<plan::IdSeek>, input: Running) -> Self {
        IdSeek {
            plan,
            rows: Rows::new(input),
        }
    }
}

impl Operator for IdSeek {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                let number = match evaluate(&self.plan.id, cx, self.rows.rows.row(self.rows.at))? {
                    Value::Int(number) => VertexId::from_i64(number),
                    Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                        VertexId::from_i64(number as i64)
                    }
                    _ => None,
                };
                self.rows
                    .found
                    .extend(number.filter(|vertex| cx.view.vertex(*vertex).is_some()));
            }
            if !self.rows.emit(self.plan.slot as usize, out) {
                return Ok(Pull::Rows);
            }
            self.rows.end_row();
        }
    }
}
