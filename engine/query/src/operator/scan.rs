//! Operators that find vertices without an index: whole scans, ids. Conditions on their properties are asked of whole pages.
//!
//! Each gives, for every input row, a copy of the row for every vertex found. A scan goes page by page and parks between pages with ids only.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::SlotBits;
use quoit_graph::ids::{LabelId, PageId, VertexId};
use quoit_graph::value::Value;

use super::batch::KEPT_VALUES_MAX;
use super::columns::filter::Condition;
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::NameRef;
use crate::expression::evaluate::{evaluate, holds};
use crate::plan;

/// Walks over input rows and, within each, over what was found for it.
pub(super) struct Rows<T = VertexId> {
    pub(super) input: Running,
    pub(super) rows: Batch,
    pub(super) at: usize,
    /// Whether the row at work has been begun.
    pub(super) begun: bool,
    pub(super) found: Vec<T>,
    pub(super) next: usize,
}

impl<T> Rows<T> {
    pub(super) fn new(input: Running) -> Self {
        Rows {
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            found: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.found.clear();
        (self.at, self.begun, self.next) = (0, false, 0);
    }

    /// As [`Operator::keep`].
    pub(super) fn keep(&mut self) -> bool {
        self.rows.clear();
        self.found.clear();
        (self.at, self.begun, self.next) = (0, false, 0);
        let is_light = self.rows.is_light() && self.found.capacity() <= KEPT_VALUES_MAX;
        is_light && self.input.keep()
    }

    /// The row at work.
    pub(super) fn row(&self) -> &[Value] {
        self.rows.row(self.at)
    }

    pub(super) fn end_row(&mut self) {
        self.at += 1;
        self.begun = false;
    }
}

impl Rows<VertexId> {
    /// Copies found vertices into rows; whether all of them are out.
    pub(super) fn emit(&mut self, slot: usize, out: &mut Batch) -> bool {
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
}

/// The vertices that a scan looks for, with the ids and values of one execution: its label, and its conditions, which columns answer or,
/// where these cannot, rows.
pub(super) struct Sought {
    plan: Rc<plan::Scan>,
    label: Option<LabelId>,
    /// The plan's conditions, once bound; `None`: there are none, or rows must be asked.
    condition: Option<Condition>,
    bound: bool,
    by_rows: bool,
    keep: Vec<bool>,
}

impl Sought {
    pub(super) fn new(plan: Rc<plan::Scan>) -> Self {
        Sought {
            plan,
            label: None,
            condition: None,
            bound: false,
            by_rows: false,
            keep: Vec::new(),
        }
    }

    /// Operands may have other values from here on.
    pub(super) fn reset(&mut self) {
        self.bound = false;
    }

    /// Looks names and values up; false: no vertex can be one of them, since its label has no id.
    pub(super) fn bind(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(filter) = self.plan.filter.as_ref().filter(|_| !self.bound) {
            let bound = filter.conditions.iter();
            let bound: Option<Vec<_>> = bound.map(|filter| Condition::bind(filter, cx)).collect();
            self.by_rows = bound.is_none();
            self.condition = bound.map(Condition::All);
        }
        self.bound = true;
        let name = self.plan.label.as_ref();
        self.label = name.and_then(|name| label_id(name, cx));
        name.is_none() || self.label.is_some()
    }

    /// Whether names and values have been looked up.
    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Appends the vertices of a page, or of some slots of it.
    pub(super) fn find(
        &self,
        page: PageId,
        slots: Option<&SlotBits>,
        cx: &Context<'_>,
        found: &mut Vec<VertexId>,
    ) {
        let Some(page) = cx.view.page(page) else {
            return;
        };
        let mut selection = page.select(self.label);
        if let Some(slots) = slots {
            selection = selection.narrowed(slots);
        }
        if let Some(condition) = &self.condition {
            selection = condition.select(&page, &selection);
        }
        found.extend(selection.slots().map(|at| page.vertex_id(at)));
    }

    /// Drops rows that conditions are not true for, where columns were not asked.
    pub(super) fn ask_rows(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<(), Error> {
        let Some(filter) = self.plan.filter.as_ref().filter(|_| self.by_rows) else {
            return Ok(());
        };
        self.keep.clear();
        for row in out.rows() {
            let mut keep = true;
            for predicate in &filter.predicates {
                keep = keep && holds(predicate, cx, row)?;
            }
            self.keep.push(keep);
        }
        out.retain(&self.keep);
        Ok(())
    }
}

/// All vertices, or those of a label.
pub struct Scan {
    plan: Rc<plan::Scan>,
    rows: Rows,
    sought: Sought,
    pages: Vec<PageId>,
    page: usize,
}

impl Scan {
    pub fn new(plan: Rc<plan::Scan>, input: Running) -> Self {
        Scan {
            sought: Sought::new(plan.clone()),
            plan,
            rows: Rows::new(input),
            pages: Vec::new(),
            page: 0,
        }
    }

    /// Begins the row at work. Only now: what the input has written may have brought names that nobody knew.
    fn begin(&mut self, cx: &mut Context<'_>) {
        self.pages = match self.sought.bind(cx) {
            true => cx.view.pages(self.sought.label),
            false => Vec::new(),
        };
        self.page = 0;
    }
}

impl Operator for Scan {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
        self.sought.reset();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        loop {
            let pulled = self.scan(cx, out)?;
            if pulled != Pull::Rows {
                return Ok(pulled);
            }
            self.sought.ask_rows(cx, out)?;
            if !out.is_empty() {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}

impl Scan {
    fn scan(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let slot = self.plan.slot as usize;
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                self.begin(cx);
            }
            loop {
                if !self.rows.emit(slot, out) {
                    return Ok(Pull::Rows);
                }
                let Some(page) = self.pages.get(self.page) else {
                    break;
                };
                self.page += 1;
                self.sought.find(*page, None, cx, &mut self.rows.found);
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

pub(super) fn label_id(name: &NameRef, cx: &Context<'_>) -> Option<LabelId> {
    name.id(|name| cx.label_id(name)).map(LabelId)
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

    fn keep(&mut self) -> bool {
        self.rows.keep()
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
