//! `-[*n..m]->`: all trails of a length from a bound vertex, depth first.
//!
//! A trail uses no edge twice, nor one that stands elsewhere in the pattern. The walk is kept as a stack of ids, so it can be left after any
//! trail, after any number of steps, and within what is asked of an edge.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Value};

use super::clock::Clock;
use super::expand::{Types, Wanted, bounds, is_used, type_ids};
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::value;
use crate::expression::progress::Progress;
use crate::plan;

struct Level {
    /// Edges of the vertex reached, those before `next` already tried.
    edges: Vec<Incidence>,
    next: usize,
}

/// Trails from a bound vertex.
pub struct VarExpand {
    plan: Rc<plan::VarExpand>,
    input: Running,
    rows: Batch,
    at: usize,
    begun: bool,
    stack: Vec<Level>,
    /// Emptied levels, kept for their buffers.
    spare: Vec<Vec<Incidence>>,
    trail: Vec<Edge>,
    /// Values that each edge's properties must have, for the row at work.
    wanted: Wanted,
    /// Fewest and most edges, for the row at work.
    range: (u64, u64),
    /// The row at work with room for the filter's variables; empty without a filter.
    scratch: Vec<Value>,
    /// The vertex at the end of the trail, if that trail has not been looked at yet.
    pending: Option<VertexId>,
    /// Where the filter stands for the edge that is next.
    progress: Progress,
    clock: Clock,
}

impl VarExpand {
    pub fn new(plan: Rc<plan::VarExpand>, input: Running) -> Self {
        VarExpand {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            stack: Vec::new(),
            spare: Vec::new(),
            trail: Vec::new(),
            wanted: Wanted::default(),
            range: (0, 0),
            scratch: Vec::new(),
            pending: None,
            progress: Progress::default(),
            clock: Clock::default(),
        }
    }

    fn push_level(&mut self, vertex: VertexId, types: &Types, cx: &Context<'_>) {
        let mut edges = self.spare.pop().unwrap_or_default();
        cx.incidences(vertex, self.plan.direction, types, &mut edges);
        self.stack.push(Level { edges, next: 0 });
    }

    fn pop_level(&mut self) {
        if let Some(mut level) = self.stack.pop() {
            level.edges.clear();
            self.spare.push(level.edges);
        }
        // Level n was entered by edge n - 1; the first level has none.
        self.trail.truncate(self.stack.len().saturating_sub(1));
    }

    /// Whether the filter lets an edge be the next of the trail; `None`: the time slice is over before that is known.
    fn passes(
        &mut self,
        incidence: &Incidence,
        cx: &mut Context<'_>,
    ) -> Result<Option<bool>, Error> {
        let plan = &*self.plan;
        let Some(filter) = &plan.filter else {
            return Ok(Some(true));
        };
        self.scratch[filter.edge as usize] = Value::Edge(incidence.edge);
        self.scratch[filter.vertex as usize] = Value::Vertex(incidence.neighbour);
        if let (Some(slot), Value::Vertex(from)) =
            (filter.path, &self.rows.row(self.at)[plan.from as usize])
        {
            let (mut vertices, mut edges) = (vec![*from], self.trail.clone());
            edges.push(incidence.edge);
            for edge in &edges {
                let last = *vertices.last().expect("a path has a first vertex");
                vertices.push(edge.other(last));
            }
            let path = quoit_graph::value::Path { vertices, edges };
            self.scratch[slot as usize] = Value::Path(std::sync::Arc::new(path));
        }
        if let Some(slot) = filter.weight {
            // Each relationship weighs one.
            self.scratch[slot as usize] = Value::Int(self.trail.len() as i64 + 1);
        }
        let row = &self.scratch;
        let passes = cx.advance(&mut self.progress, |cx| value(&filter.body, cx, row))?;
        Ok(passes.map(|passes| matches!(passes, Value::Bool(true))))
    }

    fn emit(&self, end: VertexId, out: &mut Batch) {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        if plan.into && !matches!(&row[plan.to as usize], Value::Vertex(to) if *to == end) {
            return;
        }
        let new = out.push(row);
        if plan.wants_edges {
            let edges = self.trail.iter().copied().map(Value::Edge);
            new[plan.edges as usize] = Value::list(if plan.reversed {
                edges.rev().collect()
            } else {
                edges.collect()
            });
        }
        if !plan.into {
            new[plan.to as usize] = Value::Vertex(end);
        }
    }
}

impl Operator for VarExpand {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        while !self.stack.is_empty() {
            self.pop_level();
        }
        self.trail.clear();
        self.progress.clear();
        (self.at, self.begun, self.pending) = (0, false, None);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            // Behind the input, which may have written an edge of a type that nobody knew.
            let types = type_ids(&self.plan.types, cx);
            if !self.begun {
                self.begun = true;
                self.trail.clear();
                let row = self.rows.row(self.at);
                self.wanted.begin(&self.plan.properties, cx, row)?;
                let plan = &*self.plan;
                self.range = bounds((plan.min, plan.max), &plan.computed, cx, row)?;
                if self.plan.filter.is_some() {
                    self.scratch.clear();
                    self.scratch.extend_from_slice(row);
                }
                if let Value::Vertex(from) = &row[self.plan.from as usize] {
                    self.pending = Some(*from);
                }
            }
            let (min, max) = self.range;
            // The walk of this row: look at the trail just made, then make the next one.
            loop {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                if let Some(vertex) = self.pending.take() {
                    let length = self.trail.len() as u64;
                    if let (true, Some(types)) = (length < max, &types) {
                        self.push_level(vertex, types, cx);
                    } else {
                        // A level without edges keeps stack and trail in step.
                        let edges = self.spare.pop().unwrap_or_default();
                        self.stack.push(Level { edges, next: 0 });
                    }
                    if length >= min {
                        self.emit(vertex, out);
                        continue;
                    }
                }
                let Some(level) = self.stack.last_mut() else {
                    break;
                };
                let Some(incidence) = level.edges.get(level.next).copied() else {
                    self.pop_level();
                    continue;
                };
                let used = self.trail.iter().any(|edge| edge.id == incidence.edge.id)
                    || is_used(incidence.edge.id, &self.plan.unique, self.rows.row(self.at));
                let is_taken = match !used && self.wanted.are_of(&incidence.edge, cx)? {
                    true => self.passes(&incidence, cx)?,
                    false => Some(false),
                };
                if let Some(is_taken) = is_taken {
                    if let Some(level) = self.stack.last_mut() {
                        level.next += 1;
                    }
                    if is_taken {
                        self.trail.push(incidence.edge);
                        self.pending = Some(incidence.neighbour);
                    }
                }
                if is_taken.is_none() || self.clock.ticks_out(cx) {
                    return Ok(match out.is_empty() {
                        true => Pull::Yield,
                        false => Pull::Rows,
                    });
                }
            }
            self.begun = false;
            self.at += 1;
        }
    }
}
