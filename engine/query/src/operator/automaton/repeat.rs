//! `((a)-[r]->(b) WHERE ...){n,m}`: all trails that repeat a chain of hops, depth first.
//!
//! The walk is a stack of ids and the edges not tried yet at each of its vertices, so it can be left after any step. A condition is asked as
//! soon as the walk has all parts of the repetition that it mentions.

use std::rc::Rc;

use hashbrown::HashSet;
use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::{EdgeId, VertexId};
use quoit_graph::value::Value;

use super::super::{Batch, Context, Operator, Pull, Running, next_rows};
use super::{Taken, Walker, keep};
use crate::operator::clock::Clock;
use crate::plan::automaton as plan;

/// Trails of more edges than this look edges up in a set.
const LONG: usize = 32;

/// Edges of the vertex at the end of a part of the walk, those before `next` already tried.
struct Level {
    edges: Vec<Incidence>,
    next: usize,
    held: u64,
}

/// Trails of repetitions from a bound vertex.
pub struct Repeat {
    plan: Rc<plan::Repeat>,
    input: Running,
    rows: Batch,
    at: usize,
    begun: bool,
    walker: Walker,
    root: VertexId,
    /// One more than relationships of the walk, if it has begun.
    levels: Vec<Level>,
    spare: Vec<Vec<Incidence>>,
    walk: Vec<Taken>,
    /// Edges of a long walk.
    used: HashSet<EdgeId>,
    /// The end of the walk has not been looked at yet.
    is_new: bool,
    clock: Clock,
    /// Bytes counted for the levels.
    held: u64,
    /// Bytes counted for a walk that was left before its end.
    owed: u64,
}

impl Repeat {
    pub fn new(plan: Rc<plan::Repeat>, input: Running) -> Self {
        Repeat {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            walker: Walker::default(),
            root: VertexId(0),
            levels: Vec::new(),
            spare: Vec::new(),
            walk: Vec::new(),
            used: HashSet::new(),
            is_new: false,
            clock: Clock::default(),
            held: 0,
            owed: 0,
        }
    }

    fn end(&self) -> VertexId {
        self.walk.last().map_or(self.root, |taken| taken.to)
    }

    /// Looks at the end of the walk: whether the path so far is one, and what may follow it.
    fn arrive(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let plan = self.plan.clone();
        let segment = &plan.segment;
        let end = self.end();
        let (repetitions, hop) = (
            (self.walk.len() / segment.hops.len()) as u64,
            self.walk.len() % segment.hops.len(),
        );
        let mut edges = self.spare.pop().unwrap_or_default();
        let goes_on =
            hop > 0 || (repetitions < segment.max && self.walker.fits(segment, 0, end, cx)?);
        if goes_on {
            let segments = std::slice::from_ref(segment);
            self.walker
                .edges(segments, (0, hop), end, false, cx, &mut edges);
        }
        let held = (edges.len() * size_of::<Incidence>() + size_of::<Taken>()) as u64;
        self.levels.push(Level {
            edges,
            next: 0,
            held,
        });
        self.held += held;
        cx.hold(held)?;
        Ok(hop == 0 && repetitions >= segment.min)
    }

    fn is_on_walk(&self, edge: EdgeId) -> bool {
        match self.walk.len() > LONG {
            true => self.used.contains(&edge),
            false => self.walk.iter().any(|taken| taken.edge.id == edge),
        }
    }

    fn push(&mut self, taken: Taken) {
        self.walk.push(taken);
        match self.walk.len() {
            len if len <= LONG => {}
            len if len == LONG + 1 => self.used.extend(self.walk.iter().map(|t| t.edge.id)),
            _ => {
                self.used.insert(taken.edge.id);
            }
        }
    }

    /// Leaves the last vertex of the walk.
    fn pop(&mut self, cx: &mut Context<'_>) {
        if let Some(mut level) = self.levels.pop() {
            level.edges.clear();
            self.spare.push(level.edges);
            self.held -= level.held;
            cx.release(level.held);
        }
        if let Some(taken) = self.walk.pop() {
            match self.walk.len() {
                len if len > LONG => {
                    self.used.remove(&taken.edge.id);
                }
                LONG => self.used.clear(),
                _ => {}
            }
        }
    }

    /// Whether the walk may go on by an edge.
    fn may_take(&mut self, incidence: &Incidence, cx: &mut Context<'_>) -> Result<bool, Error> {
        let plan = self.plan.clone();
        let segment = &plan.segment;
        let hop = self.walk.len() % segment.hops.len();
        if !plan.is_walk && self.is_on_walk(incidence.edge.id) {
            return Ok(false);
        }
        let step = (self.end(), incidence.edge, incidence.neighbour);
        if !self.walker.may_take(segment, hop, &plan.unique, step, cx)?
            || !self
                .walker
                .fits(segment, hop + 1, incidence.neighbour, cx)?
        {
            return Ok(false);
        }
        // A check is due with the hop that brings the last of what it mentions.
        let due = 2 * hop + 1..=2 * hop + 2;
        if !segment.checks.iter().any(|check| due.contains(&check.last)) {
            return Ok(true);
        }
        let begin = self.walk.len() - hop;
        let mut from = match begin {
            0 => self.root,
            begin => self.walk[begin - 1].to,
        };
        for at in begin..self.walk.len() {
            let taken = self.walk[at];
            self.walker
                .set(segment, at - begin, from, taken.edge, taken.to);
            from = taken.to;
        }
        self.walker
            .set(segment, hop, from, incidence.edge, incidence.neighbour);
        let is_due = |check: &plan::Check| due.contains(&check.last);
        self.walker.checks_hold(segment, is_due, cx)
    }

    fn emit(&self, out: &mut Batch) {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        let end = self.end();
        if plan.into && !matches!(&row[plan.to as usize], Value::Vertex(to) if *to == end) {
            return;
        }
        let new = out.push(row);
        let segments = std::slice::from_ref(&plan.segment);
        keep(segments, self.root, &self.walk, plan.reversed, new);
        new[plan.to as usize] = Value::Vertex(end);
    }
}

impl Operator for Repeat {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        while let Some(mut level) = self.levels.pop() {
            level.edges.clear();
            self.spare.push(level.edges);
        }
        self.walk.clear();
        self.used.clear();
        self.owed += std::mem::take(&mut self.held);
        (self.at, self.begun, self.is_new) = (0, false, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        cx.release(std::mem::take(&mut self.owed));
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            if !self.begun {
                self.begun = true;
                let row = self.rows.row(self.at);
                if let Value::Vertex(from) = &row[self.plan.from as usize] {
                    let segments = std::slice::from_ref(&self.plan.segment);
                    self.walker.begin(segments, row, cx);
                    (self.root, self.is_new) = (*from, true);
                }
            }
            loop {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                if std::mem::take(&mut self.is_new) && self.arrive(cx)? {
                    self.emit(out);
                    continue;
                }
                let Some(level) = self.levels.last_mut() else {
                    break;
                };
                let Some(incidence) = level.edges.get(level.next).copied() else {
                    self.pop(cx);
                    continue;
                };
                level.next += 1;
                if self.may_take(&incidence, cx)? {
                    let hop = self.walk.len() % self.plan.segment.hops.len();
                    self.push(Taken {
                        edge: incidence.edge,
                        to: incidence.neighbour,
                        segment: 0,
                        hop,
                    });
                    self.is_new = true;
                }
                if self.clock.ticks_out(cx) {
                    return Ok(if out.is_empty() {
                        Pull::Yield
                    } else {
                        Pull::Rows
                    });
                }
            }
            self.begun = false;
            self.at += 1;
        }
    }
}
