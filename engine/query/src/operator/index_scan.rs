//! Operators that read indexes: vertices by label and properties, edges by type and properties.
//!
//! For every input row the values of the leading keys are computed, `IN` giving several, each once; then the part of the index that
//! has them is read, in batches. Between two batches nothing but a key is kept, so a reading may be parked for as long as it likes.

use std::rc::Rc;

use hashbrown::HashSet;
use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{Bound, Cursor, Direction, EdgeIndexRef, IndexRef, KeyRange, NextKey, UniqueRef};
use smallvec::SmallVec;

use super::expand::is_used;
use super::scan::{Rows, label_id};
use super::{BATCH_ROWS, Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::evaluate;
use crate::expression::{Expr, NameRef};
use crate::plan::{self, KeyValue, NextKeyPlan, RangePlan};

/// What is found for one look-up without a place to yield.
const SEEK_MAX: usize = 4 * BATCH_ROWS;

/// Ids of an index's keys.
type Keys = SmallVec<[KeyId; 4]>;

/// One reading of a part of an index: values computed for a row, and how far it has come.
#[derive(Default)]
struct Reading {
    /// Values of the leading keys that are tried, one list a key.
    choices: Vec<SmallVec<[Value; 1]>>,
    /// Which of them are read now.
    chosen: Vec<usize>,
    /// The values chosen.
    equal: Vec<Value>,
    /// Bounds of the key behind, or its prefix.
    lower: Option<Value>,
    upper: Option<Value>,
    cursor: Cursor,
    /// More equals the chosen values than is looked up at once, so that it is read in batches.
    is_long: bool,
    ended: bool,
}

impl Reading {
    /// Computes the values for a row.
    fn begin(
        &mut self,
        range: &RangePlan,
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<(), Error> {
        self.choices.clear();
        self.cursor = Cursor::default();
        (self.is_long, self.ended) = (false, false);
        for value in &range.equal {
            let choices = match value {
                KeyValue::Is(expr) => SmallVec::from_buf([evaluate(expr, cx, row)?]),
                KeyValue::AnyOf(expr) => match evaluate(expr, cx, row)? {
                    Value::List(items) => {
                        let mut seen: HashSet<&Value> = HashSet::with_capacity(items.len());
                        items
                            .iter()
                            .filter(|item| seen.insert(item))
                            .cloned()
                            .collect()
                    }
                    Value::Null => SmallVec::new(),
                    other => {
                        return Err(Error::type_error(
                            quoit_cypher::error::Detail::InvalidArgumentType,
                            format!("IN needs a list, not {}", other.type_phrase()),
                        ));
                    }
                },
            };
            self.ended |= choices.is_empty();
            self.choices.push(choices);
        }
        self.chosen.clear();
        self.chosen.resize(self.choices.len(), 0);
        let mut bound = |expr: Option<&Expr>| match expr {
            Some(expr) => evaluate(expr, cx, row).map(Some),
            None => Ok(None),
        };
        (self.lower, self.upper) = match &range.next {
            NextKeyPlan::Any | NextKeyPlan::Present => (None, None),
            NextKeyPlan::StartsWith(prefix) => (bound(Some(prefix))?, None),
            NextKeyPlan::Between(lower, upper) => (
                bound(lower.as_ref().map(|(expr, _)| expr))?,
                bound(upper.as_ref().map(|(expr, _)| expr))?,
            ),
        };
        // Nothing is above, below or begins with null.
        let is_null = |bound: &Option<Value>| bound.as_ref().is_some_and(Value::is_null);
        self.ended |= is_null(&self.lower) || is_null(&self.upper);
        self.ended |= matches!(range.next, NextKeyPlan::StartsWith(_))
            && !matches!(self.lower, Some(Value::String(_)));
        self.choose();
        Ok(())
    }

    /// Forgets what was read.
    fn clear(&mut self) {
        self.choices.clear();
        self.chosen.clear();
        self.equal.clear();
        (self.lower, self.upper) = (None, None);
        self.cursor = Cursor::default();
    }

    /// Puts the chosen values together.
    fn choose(&mut self) {
        self.equal.clear();
        if !self.ended {
            let chosen = self.choices.iter().zip(&self.chosen);
            self.equal
                .extend(chosen.map(|(choices, at)| choices[*at].clone()));
        }
    }

    /// The next combination of values; ends behind the last.
    fn advance(&mut self) {
        self.cursor = Cursor::default();
        self.is_long = false;
        for key in (0..self.chosen.len()).rev() {
            self.chosen[key] += 1;
            if self.chosen[key] < self.choices[key].len() {
                self.choose();
                return;
            }
            self.chosen[key] = 0;
        }
        self.ended = true;
    }

    /// Reads on with `read`, which is given the part of the index and the place to go on from.
    fn read_on(&mut self, plan: &RangePlan, read: impl FnOnce(&KeyRange<'_>, &mut Cursor)) {
        fn bound<'v>(plan: &Option<(Expr, bool)>, value: &'v Option<Value>) -> Bound<'v> {
            match (plan, value) {
                (Some((_, true)), Some(value)) => Bound::Included(value),
                (Some((_, false)), Some(value)) => Bound::Excluded(value),
                _ => Bound::Unbounded,
            }
        }
        let next = match &plan.next {
            NextKeyPlan::Any => NextKey::Any,
            NextKeyPlan::Present => NextKey::Present,
            NextKeyPlan::StartsWith(_) => match &self.lower {
                Some(Value::String(prefix)) => NextKey::StartsWith(prefix),
                _ => NextKey::Any,
            },
            NextKeyPlan::Between(lower, upper) => {
                NextKey::Between(bound(lower, &self.lower), bound(upper, &self.upper))
            }
        };
        let range = KeyRange {
            equal: &self.equal,
            next,
            order: plan.order,
        };
        read(&range, &mut self.cursor);
        if self.cursor.is_done() {
            self.advance();
        }
    }
}

/// An index that a plan needs is gone: dropping one makes plans anew; one dropped while a plan runs ends it.
fn missing(owner: &NameRef) -> Error {
    Error::conflict(format!(
        "the index on :{} was dropped while the query ran",
        owner.name
    ))
    .hint("run the query again: it is planned without the index then")
}

fn key_ids(keys: &[NameRef], cx: &Context<'_>) -> Option<Keys> {
    keys.iter()
        .map(|key| key.id(|name| cx.key_id(name)).map(KeyId))
        .collect()
}

/// Vertices by an index on a label and properties.
pub struct IndexScan {
    plan: Rc<plan::IndexScan>,
    rows: Rows,
    reading: Reading,
}

impl IndexScan {
    pub fn new(plan: Rc<plan::IndexScan>, input: Running) -> Self {
        IndexScan {
            plan,
            rows: Rows::new(input),
            reading: Reading::default(),
        }
    }

    fn index<'e>(&self, cx: &Context<'e>) -> Result<Source<'e>, Error> {
        let find = || {
            let label = label_id(&self.plan.label, cx)?;
            let keys = key_ids(&self.plan.keys, cx)?;
            match self.plan.is_unique {
                true => cx.view.unique(label, &keys).map(Source::Unique),
                false => cx.view.index(label, &keys).map(Source::Ordered),
            }
        };
        find().ok_or_else(|| missing(&self.plan.label))
    }

    /// Finds what equals the chosen values in all keys; false if there is too much of it to be held at once.
    fn seek(&mut self, source: Source<'_>) -> bool {
        let (values, found) = (&self.reading.equal, &mut self.rows.found);
        match source {
            Source::Unique(unique) => unique.seek_all(values, found),
            Source::Ordered(index) => {
                found.extend(index.seek(values).take(SEEK_MAX));
                if found.len() == SEEK_MAX {
                    found.clear();
                    return false;
                }
            }
        }
        true
    }
}

/// What is read.
#[derive(Clone, Copy)]
enum Source<'e> {
    Ordered(IndexRef<'e>),
    /// A unique constraint: look-ups only.
    Unique(UniqueRef<'e>),
}

impl Operator for IndexScan {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
    }

    fn keep(&mut self) -> bool {
        self.reading.clear();
        self.rows.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let slot = self.plan.slot as usize;
        let mut index = None;
        // Whether something has been read for this row in this call: only then is there reason to ask for the time.
        let mut has_read = false;
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            if !self.rows.begun {
                self.rows.begun = true;
                has_read = false;
                self.reading
                    .begin(&self.plan.range, cx, self.rows.rows.row(self.rows.at))?;
            }
            loop {
                if !self.rows.emit(slot, out) {
                    return Ok(Pull::Rows);
                }
                if self.reading.ended {
                    break;
                }
                if has_read && cx.should_yield() {
                    return Ok(if out.is_empty() {
                        Pull::Yield
                    } else {
                        Pull::Rows
                    });
                }
                let index = match index {
                    Some(index) => index,
                    None => *index.insert(self.index(cx)?),
                };
                has_read = true;
                let is_look_up = self.reading.equal.len() == self.plan.keys.len();
                if is_look_up && !self.reading.is_long && self.seek(index) {
                    self.reading.advance();
                } else if let Source::Ordered(index) = index {
                    self.reading.is_long = true;
                    let found = &mut self.rows.found;
                    self.reading.read_on(&self.plan.range, |range, cursor| {
                        index.scan(range, cursor, BATCH_ROWS, found);
                    });
                }
            }
            self.rows.end_row();
        }
    }
}

/// Edges and their ends by an index on a type.
pub struct EdgeScan {
    plan: Rc<plan::EdgeScan>,
    rows: Rows<Edge>,
    reading: Reading,
    /// The whole type, where the plan names no keys.
    whole: RangePlan,
    /// Whether the found edge at work has been given in its first direction.
    turned: bool,
}

impl EdgeScan {
    pub fn new(plan: Rc<plan::EdgeScan>, input: Running) -> Self {
        EdgeScan {
            plan,
            rows: Rows::new(input),
            reading: Reading::default(),
            whole: RangePlan::whole(),
            turned: false,
        }
    }

    fn index<'e>(&self, cx: &Context<'e>) -> Result<EdgeIndexRef<'e>, Error> {
        let find = || {
            let type_ = self.plan.type_.id(|name| cx.type_id(name)).map(TypeId)?;
            cx.view.edge_index(type_, &key_ids(&self.plan.keys, cx)?)
        };
        find().ok_or_else(|| missing(&self.plan.type_))
    }

    /// Copies found edges into rows, an edge without direction twice; whether all of them are out.
    fn emit(&mut self, out: &mut Batch) -> bool {
        let plan = &*self.plan;
        while let Some(edge) = self.rows.found.get(self.rows.next) {
            if out.is_full() {
                return false;
            }
            let (source, target) = (edge.source(), edge.target);
            let ends: (VertexId, VertexId) = match plan.direction {
                Direction::In => (target, source),
                Direction::Both if self.turned => (target, source),
                _ => (source, target),
            };
            let once = plan.direction != Direction::Both || source == target || self.turned;
            // `(a)-[r]-(a)` has one slot for both ends.
            let fits = (plan.from != plan.to || source == target)
                && !is_used(edge.id, &plan.unique, self.rows.row());
            if fits {
                let new = out.push(self.rows.rows.row(self.rows.at));
                new[plan.edge as usize] = Value::Edge(*edge);
                new[plan.from as usize] = Value::Vertex(ends.0);
                new[plan.to as usize] = Value::Vertex(ends.1);
            }
            self.turned = !once;
            self.rows.next += usize::from(once);
        }
        self.rows.found.clear();
        self.rows.next = 0;
        true
    }
}

impl Operator for EdgeScan {
    fn reset(&mut self, argument: &[Value]) {
        self.rows.reset(argument);
        self.turned = false;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        let plan = self.plan.clone();
        let mut index = None;
        loop {
            next_rows!(self.rows.input, self.rows.rows, self.rows.at, cx, out);
            let range = plan.range.as_ref().unwrap_or(&self.whole);
            if !self.rows.begun {
                self.rows.begun = true;
                self.reading
                    .begin(range, cx, self.rows.rows.row(self.rows.at))?;
            }
            loop {
                if !self.emit(out) {
                    return Ok(Pull::Rows);
                }
                if self.reading.ended {
                    break;
                }
                if cx.should_yield() {
                    return Ok(if out.is_empty() {
                        Pull::Yield
                    } else {
                        Pull::Rows
                    });
                }
                let index = match index {
                    Some(index) => index,
                    None => *index.insert(self.index(cx)?),
                };
                let found = &mut self.rows.found;
                let range = plan.range.as_ref().unwrap_or(&self.whole);
                self.reading.read_on(range, |range, cursor| {
                    index.scan(range, cursor, BATCH_ROWS, found);
                });
            }
            self.rows.end_row();
        }
    }
}
