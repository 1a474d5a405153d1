//! Aggregates without grouping over all vertices of a label, computed from the columns of its pages.
//!
//! What always holds: the result is what [`super::aggregate::Aggregate`] gives on the same rows, but for the order in which floats are
//! added up. Where a value is met that cannot be folded as a number, everything is left to that operator, which also words the error.

use std::rc::Rc;

use quoit_cypher::ast::ComparisonOp;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_cypher::functions::Function;
use quoit_graph::ids::{KeyId, LabelId, PageId};
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{PageView, Selection, Summary};

use super::scan::label_id;
use super::{Batch, Context, Operator, Pull, Running};
use crate::expression::evaluate::{compare, evaluate};
use crate::plan::{self, ColumnCall};

/// See the module.
pub struct ColumnAggregate {
    plan: Rc<plan::ColumnAggregate>,
    /// The same, row by row.
    by_rows: Running,
    falls_back: bool,
    progress: Option<Progress>,
    given: bool,
}

/// How far the pages have been read.
struct Progress {
    label: Option<LabelId>,
    /// The key of each call that has one and is known.
    keys: Vec<Option<KeyId>>,
    /// Comparisons that a vertex has to fulfil; a key that is unknown fulfils none.
    filters: Vec<(Option<KeyId>, ComparisonOp, Value)>,
    pages: Vec<PageId>,
    next: usize,
    rows: u64,
    summaries: Vec<Summary>,
}

impl ColumnAggregate {
    pub fn new(plan: Rc<plan::ColumnAggregate>, by_rows: Running) -> Self {
        ColumnAggregate {
            plan,
            by_rows,
            falls_back: false,
            progress: None,
            given: false,
        }
    }

    fn begin(&self, cx: &mut Context<'_>) -> Result<Progress, Error> {
        let label = match &self.plan.label {
            None => None,
            Some(name) => label_id(name, cx),
        };
        let key = |name: &crate::expression::NameRef, cx: &Context<'_>| {
            name.id(|name| cx.key_id(name)).map(KeyId)
        };
        let mut filters = Vec::with_capacity(self.plan.filters.len());
        for (name, op, value) in &self.plan.filters {
            filters.push((key(name, cx), *op, evaluate(value, cx, &[])?));
        }
        let calls = &self.plan.calls;
        Ok(Progress {
            keys: calls
                .iter()
                .map(|call| call.key.as_ref().and_then(|name| key(name, cx)))
                .collect(),
            filters,
            // No vertex has a label that has no id.
            pages: match (label, &self.plan.label) {
                (None, Some(_)) => Vec::new(),
                _ => cx.view.pages(label),
            },
            label,
            next: 0,
            rows: 0,
            summaries: calls.iter().map(|_| Summary::default()).collect(),
        })
    }
}

impl Progress {
    /// Takes in one page.
    fn take(&mut self, page: &PageView<'_>) {
        let selection = page.select(self.label);
        if !self.filters.is_empty() {
            return self.take_filtered(page, &selection);
        }
        self.rows += selection.count();
        for (at, key) in self.keys.iter().enumerate() {
            let Some(key) = key else { continue };
            // Several results of one property are one pass.
            match self.keys[..at]
                .iter()
                .position(|known| known == &Some(*key))
            {
                Some(same) => self.summaries[at] = self.summaries[same],
                None => page.summarize(&selection, *key, &mut self.summaries[at]),
            }
        }
    }

    fn take_filtered(&mut self, page: &PageView<'_>, selection: &Selection) {
        for slot in selection.slots() {
            let fits = self.filters.iter().all(|(key, op, value)| {
                key.and_then(|key| page.property(slot, key))
                    .is_some_and(|found| holds(*op, found, value))
            });
            if !fits {
                continue;
            }
            self.rows += 1;
            for (key, summary) in self.keys.iter().zip(&mut self.summaries) {
                if let Some(value) = key.and_then(|key| page.property(slot, key)) {
                    summary.add(value);
                }
            }
        }
    }
}

/// Whether a comparison is true.
fn holds(op: ComparisonOp, found: ValueRef<'_>, value: &Value) -> bool {
    if let (ValueRef::Int(a), Value::Int(b)) = (found, value) {
        return match op {
            ComparisonOp::Equal => a == *b,
            ComparisonOp::NotEqual => a != *b,
            ComparisonOp::Less => a < *b,
            ComparisonOp::LessEqual => a <= *b,
            ComparisonOp::Greater => a > *b,
            ComparisonOp::GreaterEqual => a >= *b,
        };
    }
    compare(op, &found.to_value(), value) == Some(true)
}

/// What a call gives for the values that were summed up.
fn result(call: &ColumnCall, rows: u64, summary: &Summary) -> Result<Value, Error> {
    let numbers = summary.ints + summary.floats;
    let float_sum = || summary.int_sum as f64 + summary.float_sum;
    let candidates = |int: i64, float: f64| {
        let ints = (summary.ints > 0).then_some(Value::Int(int));
        let floats = (summary.floats > summary.nans).then_some(Value::Float(float));
        let nans = (summary.nans > 0).then_some(Value::Float(f64::NAN));
        ints.into_iter().chain(floats).chain(nans)
    };
    Ok(match call.function {
        None => Value::Int(rows as i64),
        Some(Function::Count) => Value::Int(summary.values() as i64),
        Some(Function::Sum) if summary.floats == 0 => {
            Value::Int(i64::try_from(summary.int_sum).map_err(|_| {
                Error::runtime(
                    ErrorKind::ArithmeticError,
                    Detail::Overflow,
                    "the sum of integers leaves 64 bits",
                )
                .at(call.place.0)
            })?)
        }
        Some(Function::Sum) => Value::Float(float_sum()),
        Some(Function::Min) => candidates(summary.int_min, summary.float_min)
            .min()
            .unwrap_or_default(),
        Some(Function::Max) => candidates(summary.int_max, summary.float_max)
            .max()
            .unwrap_or_default(),
        Some(_) if numbers == 0 => Value::Null,
        // The planner has let through nothing else but the average.
        Some(_) => Value::Float(float_sum() / numbers as f64),
    })
}

impl Operator for ColumnAggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.by_rows.reset(argument);
        (self.falls_back, self.given) = (false, false);
        self.progress = None;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.falls_back {
            return self.by_rows.next(cx, out);
        }
        if std::mem::replace(&mut self.given, true) && self.progress.is_none() {
            return Ok(Pull::End);
        }
        let mut progress = match self.progress.take() {
            Some(progress) => progress,
            None => self.begin(cx)?,
        };
        while let Some(page) = progress.pages.get(progress.next) {
            if let Some(page) = cx.view.page(*page) {
                progress.take(&page);
            }
            progress.next += 1;
            if cx.should_yield() {
                self.progress = Some(progress);
                return Ok(Pull::Yield);
            }
        }
        let calls = self.plan.calls.iter().zip(&progress.summaries);
        self.falls_back = calls
            .clone()
            .any(|(call, summary)| call.folds_numbers() && summary.others > 0);
        if self.falls_back {
            return self.by_rows.next(cx, out);
        }
        let row = out.push_nulls(self.plan.width.get() as usize);
        for (at, (call, summary)) in calls.enumerate() {
            row[at] = result(call, progress.rows, summary)?;
        }
        Ok(Pull::Rows)
    }
}
