//! The vertices that some trail reaches: a chain of expansions of which only the last vertex is wanted, each once.
//!
//! Owned here: the operator, which answers for each of its rows, or for all of them at once where nothing of the rows is wanted. [`levels`] goes
//! level by level, exact for trails; [`nearest`] breadth first, where the length does not matter; [`settle`] decides what the levels leave in doubt. What always
//! holds: the vertices given for a row are those that the expansions would give, each once, in no order; both can be left after a few thousand steps,
//! and what they remember is counted as the query's memory. They are handed out a page at a time, in portions that grow with what has been given: the first come soon, and
//! pages are not looked at for a vertex or two each time. Left to others: when this may stand for the expansions (`planner::reach`).

mod levels;
mod nearest;
mod settle;
mod vertex_set;

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::ids::{EdgeId, LabelId, VertexId};
use quoit_graph::value::Value;
use smallvec::SmallVec;

pub use vertex_set::VertexSet;

use super::columns::filter::Condition;
use super::scan::label_id;
use super::vectors::{VECTOR_ROWS, Vectors};
use super::{Batch, Context, Operator, Pull, Running, next_rows, pull_rows};
use crate::expression::evaluate::holds;
use crate::plan;
use levels::Levels;
use nearest::Nearest;
use vertex_set::slots;

/// Vertices that are expanded between two looks at the clock, at most.
const VERTICES_PER_LOOK: usize = 256;
/// The same to begin with, where the first vertices found may be all that is asked for.
const FIRST_VERTICES: usize = 4;
/// Vertices that are handed out first where the rows share one walk: as many as make a batch.
const FIRST_PORTION: usize = VECTOR_ROWS;

/// How far the search went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Some vertices may have been found.
    More,
    /// There are no more.
    End,
}

/// Edges, by id, that may not be used or have been used.
type EdgeIds = SmallVec<[EdgeId; 8]>;

/// What is asked of ends, with the ids and values of one execution.
#[derive(Default)]
enum Asked {
    #[default]
    NotBound,
    /// No vertex can fulfil it.
    Never,
    /// Labels, and the filter if its operands are what columns can be compared with; else each end is asked by itself.
    Of {
        labels: SmallVec<[LabelId; 2]>,
        condition: Option<Condition>,
        by_rows: bool,
    },
}

impl Asked {
    fn bind(plan: &plan::Reach, cx: &mut Context<'_>) -> Asked {
        let labels = plan.labels.iter().map(|label| label_id(label, cx));
        let Some(labels) = labels.collect() else {
            return Asked::Never;
        };
        let mut condition = None;
        if let Some(filter) = &plan.filter {
            let bound = filter.conditions.iter();
            let bound: Option<Vec<_>> = bound.map(|filter| Condition::bind(filter, cx)).collect();
            condition = bound.map(Condition::All);
        }
        Asked::Of {
            labels,
            by_rows: plan.filter.is_some() && condition.is_none(),
            condition,
        }
    }
}

/// Where vertices are given out to.
trait Out {
    /// Takes ready vertices, as many as there is room for; whether there is room left.
    fn take(&mut self, reach: &mut Reach) -> bool;
    /// Whether it has none.
    fn has_none(&self) -> bool;
}

impl Out for Batch {
    fn take(&mut self, reach: &mut Reach) -> bool {
        reach.emit(self)
    }

    fn has_none(&self) -> bool {
        self.is_empty()
    }
}

impl Out for Vec<VertexId> {
    fn take(&mut self, reach: &mut Reach) -> bool {
        self.append(&mut reach.ready);
        self.len() < VECTOR_ROWS
    }

    fn has_none(&self) -> bool {
        self.is_empty()
    }
}

enum Walk {
    Levels(Box<Levels>),
    Nearest(Box<Nearest>),
}

/// See the module.
pub struct Reach {
    plan: Rc<plan::Reach>,
    input: Running,
    rows: Batch,
    at: usize,
    walk: Walk,
    /// Whether the walk of the row at work, or of all, has begun.
    begun: bool,
    /// It has come to its end.
    over: bool,
    /// Starts of all rows, where they are answered together.
    starts: Vec<VertexId>,
    gathered: bool,
    /// Found, and not given out yet.
    found: VertexSet,
    /// What is found is being given out, all of it before the walk goes on.
    emptying: bool,
    /// So many are found before any is given out: as many as have been.
    portion: usize,
    asked: Asked,
    /// Those of them whose page has been looked at.
    ready: Vec<VertexId>,
    held: u64,
}

impl Reach {
    pub fn new(plan: Rc<plan::Reach>, input: Running) -> Self {
        Reach {
            walk: match plan.is_nearest() {
                true => Walk::Nearest(Box::new(Nearest::new(plan.clone()))),
                false => Walk::Levels(Box::new(Levels::new(plan.clone()))),
            },
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            over: false,
            starts: Vec::new(),
            gathered: false,
            found: VertexSet::default(),
            emptying: false,
            portion: 0,
            asked: Asked::default(),
            ready: Vec::new(),
            held: 0,
        }
    }

    /// Begins the walk of the row at work.
    fn begin(&mut self, cx: &Context<'_>) {
        let row = self.rows.row(self.at);
        self.starts.clear();
        let mut excluded = EdgeIds::new();
        if let Value::Vertex(from) = &row[self.plan.from as usize] {
            self.starts.push(*from);
            for other in &self.plan.excluded {
                match &row[other.slot as usize] {
                    Value::Edge(edge) => excluded.push(edge.id),
                    Value::List(edges) => {
                        excluded.extend(edges.iter().filter_map(|edge| match edge {
                            Value::Edge(edge) => Some(edge.id),
                            _ => None,
                        }))
                    }
                    _ => {}
                }
            }
        }
        self.begin_at_starts(excluded, cx);
    }

    fn begin_at_starts(&mut self, excluded: EdgeIds, cx: &Context<'_>) {
        self.begun = true;
        self.over = false;
        self.portion = match self.plan.shared {
            true => FIRST_PORTION,
            false => 0,
        };
        match &mut self.walk {
            Walk::Levels(levels) => levels.begin(&self.starts, excluded, cx),
            Walk::Nearest(nearest) => nearest.begin(&self.starts, excluded, cx),
        }
    }

    /// Takes the walk on, and counts what it remembers.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let row = if self.plan.shared {
            &[]
        } else {
            self.rows.row(self.at)
        };
        let progress = match &mut self.walk {
            Walk::Levels(levels) => levels.next(row, &mut self.found, cx)?,
            Walk::Nearest(nearest) => nearest.next(&mut self.found, cx),
        };
        self.over = progress == Progress::End;
        let bytes = self.found.bytes()
            + match &self.walk {
                Walk::Levels(levels) => levels.bytes(),
                Walk::Nearest(nearest) => nearest.bytes(),
            };
        if bytes > self.held {
            let more = bytes - self.held;
            self.held = bytes;
            cx.hold(more)?;
        }
        Ok(())
    }

    /// Makes the vertices of one page ready that are what is asked or, if the end is bound, are that; false: there is no page.
    fn take_page(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        self.ready.clear();
        let Some((page, bits)) = self.found.pop_page() else {
            return Ok(false);
        };
        if self.plan.into {
            let Value::Vertex(to) = self.rows.row(self.at)[self.plan.to as usize] else {
                return Ok(true);
            };
            let is_there = to.page() == page && bits[to.slot() / 64] >> (to.slot() % 64) & 1 == 1;
            self.ready.extend(is_there.then_some(to));
            return Ok(true);
        }
        if matches!(self.asked, Asked::NotBound) {
            self.asked = Asked::bind(&self.plan, cx);
        }
        let mut bits = bits;
        let by_rows = match &self.asked {
            Asked::NotBound | Asked::Never => return Ok(true),
            Asked::Of {
                labels,
                condition,
                by_rows,
            } => {
                if !labels.is_empty() || condition.is_some() {
                    let Some(view) = cx.view.page(page) else {
                        return Ok(true);
                    };
                    let mut selection = view.select_of(&bits, labels.first().copied());
                    for label in labels.iter().skip(1) {
                        let other = view.select_of(&bits, Some(*label));
                        selection = selection.narrowed(&other.bits());
                    }
                    if let Some(condition) = condition {
                        selection = condition.select(&view, &selection);
                    }
                    bits = selection.bits();
                }
                *by_rows
            }
        };
        let all = slots(&bits).map(|slot| VertexId::new(page, slot));
        if !by_rows {
            self.ready.extend(all);
            return Ok(true);
        }
        let filter = self.plan.filter.iter();
        let predicates = filter.flat_map(|filter| &filter.predicates);
        // They read the vertex and nothing else of the row.
        let mut row = vec![Value::Null; self.plan.width.get() as usize];
        'vertices: for vertex in all {
            row[self.plan.to as usize] = Value::Vertex(vertex);
            for predicate in predicates.clone() {
                if !holds(predicate, cx, &row)? {
                    continue 'vertices;
                }
            }
            self.ready.push(vertex);
        }
        Ok(true)
    }

    /// Copies ready vertices into rows; whether there is room left.
    fn emit(&mut self, out: &mut Batch) -> bool {
        let to = self.plan.to as usize;
        while !out.is_full() {
            let Some(vertex) = self.ready.pop() else {
                return true;
            };
            let new = match self.plan.shared {
                true => out.push_nulls(self.plan.width.get() as usize),
                false => out.push(self.rows.row(self.at)),
            };
            new[to] = Value::Vertex(vertex);
        }
        false
    }

    /// Gathers the starts of all rows; whether it is done.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        while pull_rows!(self.input, cx, &mut self.rows) {
            for row in self.rows.rows() {
                if let Value::Vertex(from) = &row[self.plan.from as usize] {
                    self.starts.push(*from);
                }
            }
            let bytes = (self.starts.capacity() * size_of::<VertexId>()) as u64;
            if bytes > self.held {
                let more = bytes - self.held;
                self.held = bytes;
                cx.hold(more)?;
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        self.gathered = true;
        Ok(Pull::End)
    }

    /// Gives the walk's vertices; `None` once it is over and all are out.
    fn give(&mut self, cx: &mut Context<'_>, out: &mut impl Out) -> Result<Option<Pull>, Error> {
        loop {
            if !out.take(self) {
                return Ok(Some(Pull::Rows));
            }
            if self.emptying {
                self.emptying = self.take_page(cx)?;
                continue;
            }
            if self.over {
                return Ok(None);
            }
            self.go_on(cx)?;
            if self.over || self.found.len() >= self.portion {
                self.portion += self.found.len();
                self.emptying = true;
            }
            if cx.should_yield() {
                return Ok(Some(match out.has_none() {
                    true => Pull::Yield,
                    false => Pull::Rows,
                }));
            }
        }
    }

    /// Gives what one walk from the starts of all rows finds; `End` only with nothing in `out`.
    fn give_shared(&mut self, cx: &mut Context<'_>, out: &mut impl Out) -> Result<Pull, Error> {
        if !self.gathered && self.gather(cx)? == Pull::Yield {
            return Ok(Pull::Yield);
        }
        if !self.begun {
            self.starts.sort_unstable();
            self.starts.dedup();
            self.begin_at_starts(EdgeIds::new(), cx);
        }
        if let Some(pull) = self.give(cx, out)? {
            return Ok(pull);
        }
        cx.release(std::mem::take(&mut self.held));
        Ok(match out.has_none() {
            true => Pull::End,
            false => Pull::Rows,
        })
    }
}

impl Operator for Reach {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.found.clear();
        self.ready.clear();
        self.starts.clear();
        self.at = 0;
        (self.begun, self.over, self.gathered) = (false, false, false);
        (self.emptying, self.asked) = (false, Asked::NotBound);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.plan.shared {
            return self.give_shared(cx, out);
        }
        loop {
            if self.at >= self.rows.len() && self.held > 0 && out.is_empty() {
                cx.release(std::mem::take(&mut self.held));
            }
            next_rows!(self.input, self.rows, self.at, cx, out);
            if !self.begun {
                self.begin(cx);
            }
            if let Some(pull) = self.give(cx, out)? {
                return Ok(pull);
            }
            self.begun = false;
            self.at += 1;
        }
    }

    fn gives_vectors(&self) -> bool {
        self.plan.shared
    }

    fn next_vectors(&mut self, cx: &mut Context<'_>, out: &mut Vectors) -> Result<Pull, Error> {
        let columns = out.begin(self.plan.width.get() as usize);
        let mut vertices = std::mem::take(&mut columns[self.plan.to as usize]);
        let ends = vertices.begin_vertices();
        let pulled = self.give_shared(cx, ends)?;
        let rows = ends.len();
        columns[self.plan.to as usize] = vertices;
        out.filled(rows);
        Ok(pulled)
    }
}
