//! Searches for paths: `*BFS`, `*WSHORTEST`, `*ALLSHORTEST`, `*KSHORTEST`, `shortestPath()`, `allShortestPaths()` and the path selectors.
//!
//! Owned here: the operator, which walks once for each of its rows. [`meet`] finds the shortest ways between two vertices from both of them;
//! [`tree`] the nearest way, or all of the nearest, to each vertex that can be reached, and wherever the way so far matters; [`ranked`] gives
//! ways between two vertices one after the other, shortest first. What always holds: a search
//! can be left after any few steps, also within what is asked of an edge, and what it remembers is counted as the query's memory; no edge is used
//! twice, nor one that stands elsewhere in the pattern. A search from a vertex does not come back to it, unless paths without edges are wanted.

mod meet;
mod ranked;
mod step;
mod tree;

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Value};

use super::clock::Clock;
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::evaluate;
use crate::plan;
use meet::Meet;
use ranked::Ranked;
use step::{Cost, Steps};
use tree::Tree;

/// A path that was found.
struct Found {
    /// From the first vertex on.
    edges: Vec<Edge>,
    end: VertexId,
    cost: Cost,
}

/// How far a search went.
enum Progress {
    Found(Found),
    /// The time slice is over.
    Yield,
    /// There are no more paths.
    End,
}

enum Walk {
    Meet(Box<Meet>),
    Tree(Tree),
    Ranked(Ranked),
}

/// Paths from a bound vertex.
pub struct Search {
    plan: Rc<plan::Search>,
    input: Running,
    rows: Batch,
    at: usize,
    steps: Steps,
    /// The search of the row at work; none: it has not begun.
    walk: Option<Walk>,
    /// What a search from both ends is done with, kept for its memory.
    spare: Option<Box<Meet>>,
    clock: Clock,
    /// Bytes counted for searches that were left before their end.
    owed: u64,
}

impl Walk {
    fn held(&self) -> u64 {
        match self {
            Walk::Meet(meet) => meet.held(),
            Walk::Tree(tree) => tree.held(),
            Walk::Ranked(ranked) => ranked.held(),
        }
    }
}

impl Search {
    pub fn new(plan: Rc<plan::Search>, input: Running) -> Self {
        Search {
            steps: Steps::new(plan.clone()),
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            walk: None,
            spare: None,
            clock: Clock::default(),
            owed: 0,
        }
    }

    /// The search for the row at work; `None` if its ends are no vertices.
    fn begin(&mut self, cx: &mut Context<'_>) -> Result<Option<Walk>, Error> {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        let Value::Vertex(from) = row[plan.from as usize] else {
            return Ok(None);
        };
        let to = match (plan.into, &row[plan.to as usize]) {
            (false, _) => None,
            (true, Value::Vertex(to)) => Some(*to),
            (true, _) => return Ok(None),
        };
        self.steps.begin(row, cx)?;
        let count = match &plan.which {
            plan::Which::Nearest { all } => {
                if let (true, Some(to)) = (plan.is_from_both_ends(), to) {
                    let mut meet = self.spare.take().unwrap_or_default();
                    meet.begin([from, to], *all, &self.steps);
                    return Ok(Some(Walk::Meet(meet)));
                }
                return Ok(Some(Walk::Tree(Tree::new(from, to, *all, &self.steps))));
            }
            plan::Which::Ranked { count, .. } => match count {
                None => u64::MAX,
                Some(count) => match evaluate(count, cx, row)? {
                    Value::Int(count) if count > 0 => count as u64,
                    other => {
                        return Err(Error::runtime(
                            quoit_cypher::error::ErrorKind::ArgumentError,
                            Detail::NumberOutOfRange,
                            format!(
                                "the number of paths is a positive integer, not {}",
                                match other {
                                    Value::Int(count) => count.to_string(),
                                    other => other.type_phrase().to_owned(),
                                }
                            ),
                        ));
                    }
                },
            },
        };
        let to = to.ok_or_else(|| Error::internal("paths are ranked between two vertices"))?;
        Ok(Some(Walk::Ranked(Ranked::new(
            from,
            to,
            count,
            &self.steps,
        ))))
    }

    /// Puts a path into a row; false if the row's conditions on it do not hold.
    fn emit(&mut self, found: Found, cx: &mut Context<'_>, out: &mut Batch) -> Result<bool, Error> {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        let mut edges: Vec<Value> = found.edges.into_iter().map(Value::Edge).collect();
        if plan.reversed {
            edges.reverse();
        }
        let new = out.push(row);
        new[plan.edges as usize] = Value::list(edges);
        if !plan.into {
            new[plan.to as usize] = Value::Vertex(found.end);
        }
        if let Some(total) = plan.total {
            new[total as usize] = found.cost.value();
        }
        if let plan::Which::Ranked {
            path, conditions, ..
        } = &plan.which
            && !conditions.is_empty()
        {
            let mut new = out.row(out.len() - 1).to_vec();
            if let Some((slot, value)) = path {
                new[*slot as usize] = evaluate(value, cx, &new)?;
            }
            for condition in conditions {
                if !matches!(evaluate(condition, cx, &new)?, Value::Bool(true)) {
                    out.truncate(out.len() - 1);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Operator for Search {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.at = 0;
        self.owed += self.walk.take().map_or(0, |walk| walk.held());
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        cx.release(std::mem::take(&mut self.owed));
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            if self.walk.is_none() {
                self.walk = self.begin(cx)?;
            }
            while let Some(walk) = &mut self.walk {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                let progress = match walk {
                    Walk::Meet(meet) => meet.next(&mut self.steps, &mut self.clock, cx)?,
                    Walk::Tree(tree) => tree.next(&mut self.steps, &mut self.clock, cx)?,
                    Walk::Ranked(ranked) => ranked.next(&mut self.steps, &mut self.clock, cx)?,
                };
                match progress {
                    Progress::Found(found) => {
                        let edges = found.edges.len();
                        let taken = self.emit(found, cx, out)?;
                        if let (true, Some(Walk::Ranked(ranked))) = (taken, &mut self.walk) {
                            ranked.taken(edges);
                        }
                    }
                    Progress::Yield if out.is_empty() => return Ok(Pull::Yield),
                    Progress::Yield => return Ok(Pull::Rows),
                    Progress::End => {
                        cx.release(walk.held());
                        if let Some(Walk::Meet(meet)) = self.walk.take() {
                            self.spare = Some(meet);
                        }
                    }
                }
            }
            self.at += 1;
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
