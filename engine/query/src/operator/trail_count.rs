//! How many trails of a chain of expansions there are from a bound vertex, where nothing of them is wanted but their number.
//!
//! Trails are followed depth first but for their last edge, which is counted: what a vertex has of such edges, less those that the trail
//! has used. What a vertex has is counted once and remembered while the operator runs. What always holds: the number is that of the rows that the expansions would
//! give; a row whose number is nought is left out, as theirs would be; the walk can be left after any few steps. Left to others: when it
//! may stand for the expansions (`planner::trail_count`).

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::{LabelId, PAGE_SLOTS, PageId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{Direction, Incidence};
use smallvec::SmallVec;

use super::expand::{Types, is_used, type_ids};
use super::scan::label_id;
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::plan;

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u32 = 64;
/// Bytes that a remembered number of edges takes, about.
const NUMBER_BYTES: u64 = 32;
/// Bytes that the labelled vertices of a page take, about.
const PAGE_BYTES: u64 = 160;

/// Edges of a vertex on the trail, those before `next` already tried.
struct Level {
    edges: Vec<Incidence>,
    next: usize,
}

/// See the module.
pub struct TrailCount {
    plan: Rc<plan::TrailCount>,
    input: Running,
    rows: Batch,
    at: usize,
    begun: bool,
    /// By step; none: no edge can match.
    types: Vec<Option<Types>>,
    /// The labels wanted; `None`: no vertex has them all.
    labels: Option<SmallVec<[LabelId; 2]>>,
    stack: Vec<Level>,
    spare: Vec<Vec<Incidence>>,
    trail: Vec<Edge>,
    count: u64,
    /// Edges of the last step or others that a vertex has, by step and vertex.
    known: HashMap<(u32, VertexId), u64>,
    /// Of each page that was looked at, the vertices with the labels.
    labelled: HashMap<PageId, [u64; PAGE_SLOTS / 64]>,
    held: u64,
}

impl TrailCount {
    pub fn new(plan: Rc<plan::TrailCount>, input: Running) -> Self {
        TrailCount {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            types: Vec::new(),
            labels: None,
            stack: Vec::new(),
            spare: Vec::new(),
            trail: Vec::new(),
            count: 0,
            known: HashMap::new(),
            labelled: HashMap::new(),
            held: 0,
        }
    }

    /// Which step the edge behind so many is.
    fn step(&self, length: u64) -> usize {
        (length as usize).min(self.plan.steps.len() - 1)
    }

    /// Forgets what is known of the graph as it was: the statement may have changed it, or others may have, if those are seen.
    fn forget(&mut self, cx: &mut Context<'_>) {
        self.known.clear();
        self.labelled.clear();
        cx.release(std::mem::take(&mut self.held));
    }

    /// Whether a vertex may be the last.
    fn is_end(&mut self, vertex: VertexId, cx: &Context<'_>) -> bool {
        if self.plan.labels.is_empty() {
            return true;
        }
        let Some(labels) = &self.labels else {
            return false;
        };
        let slots = self.labelled.entry(vertex.page()).or_insert_with(|| {
            let mut slots = [u64::MAX; PAGE_SLOTS / 64];
            match cx.view.page(vertex.page()) {
                Some(page) => {
                    for label in labels {
                        slots = page.select_of(&slots, Some(*label)).bits();
                    }
                }
                None => slots = [0; PAGE_SLOTS / 64],
            }
            slots
        });
        slots[vertex.slot() / 64] >> (vertex.slot() % 64) & 1 == 1
    }

    /// Edges of a step at a vertex that lead to an end, whether the trail has used them or not.
    fn edges_to_ends(
        &mut self,
        step: usize,
        vertex: VertexId,
        cx: &mut Context<'_>,
    ) -> Result<u64, Error> {
        let direction = self.plan.steps[step].direction;
        let Some(types) = self.types[step].clone() else {
            return Ok(0);
        };
        if self.plan.labels.is_empty() {
            return Ok(cx.view.degree(vertex, direction, &types));
        }
        let key = (step as u32, vertex);
        if let Some(count) = self.known.get(&key) {
            return Ok(*count);
        }
        let mut count = 0;
        let view = cx.view;
        view.neighbours(vertex, direction, &types, |neighbour| {
            count += u64::from(self.is_end(neighbour, cx));
        });
        self.known.insert(key, count);
        Ok(count)
    }

    /// Counts what is remembered.
    fn hold(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let bytes =
            self.known.len() as u64 * NUMBER_BYTES + self.labelled.len() as u64 * PAGE_BYTES;
        let more = bytes.saturating_sub(self.held);
        self.held += more;
        cx.hold(more)
    }

    /// How many of those edges have been used, by the trail or elsewhere in the pattern.
    fn used_to_ends(&mut self, step: usize, vertex: VertexId, cx: &Context<'_>) -> u64 {
        let direction = self.plan.steps[step].direction;
        let Some(types) = self.types[step].clone() else {
            return 0;
        };
        let mut used: SmallVec<[Edge; 8]> = SmallVec::from_slice(&self.trail);
        let row = self.rows.row(self.at);
        let mut add = |value: &Value| {
            if let Value::Edge(edge) = value
                && !used.iter().any(|known| known.id == edge.id)
            {
                used.push(*edge);
            }
        };
        for other in &self.plan.unique {
            match &row[other.slot as usize] {
                Value::List(edges) => edges.iter().for_each(&mut add),
                edge => add(edge),
            }
        }
        used.retain(|edge| types.is_empty() || types.contains(&edge.type_));
        used.into_iter()
            .filter(|edge| {
                let leaves = edge.source() == vertex && direction != Direction::In;
                let comes = edge.target == vertex && direction != Direction::Out;
                let end = if leaves { edge.target } else { edge.source() };
                (leaves || comes) && self.is_end(end, cx) && cx.view.edge_at(*edge).is_some()
            })
            .count() as u64
    }

    /// Takes in what a trail that leads to a vertex comes to, and goes on from there.
    fn arrive(&mut self, vertex: VertexId, cx: &mut Context<'_>) -> Result<(), Error> {
        let (min, max) = (self.plan.min, self.plan.max);
        let length = self.trail.len() as u64;
        let mut found = 0;
        if length == 0 && min == 0 {
            found += u64::from(self.is_end(vertex, cx));
        }
        let mut edges = self.spare.pop().unwrap_or_default();
        edges.clear();
        if length < max {
            let step = self.step(length);
            if length + 1 >= min {
                let all = self.edges_to_ends(step, vertex, cx)?;
                if all > 0 {
                    found += all.saturating_sub(self.used_to_ends(step, vertex, cx));
                }
            }
            if let (true, Some(types)) = (length + 1 < max, &self.types[step]) {
                cx.incidences(vertex, self.plan.steps[step].direction, types, &mut edges);
            }
        }
        self.stack.push(Level { edges, next: 0 });
        self.count = self.count.checked_add(found).ok_or_else(too_many)?;
        Ok(())
    }

    fn begin(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.begun = true;
        self.count = 0;
        self.trail.clear();
        if cx.view.shows_uncommitted() {
            self.forget(cx);
        }
        let steps = self.plan.steps.iter();
        self.types = steps.map(|step| type_ids(&step.types, cx)).collect();
        let labels = self.plan.labels.iter();
        self.labels = labels.map(|label| label_id(label, cx)).collect();
        if let Value::Vertex(from) = self.rows.row(self.at)[self.plan.from as usize] {
            self.arrive(from, cx)?;
        }
        Ok(())
    }

    /// Goes on for some steps; whether the walk is over.
    fn walk(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        for _ in 0..STEPS_PER_LOOK {
            let Some(level) = self.stack.last_mut() else {
                return Ok(true);
            };
            let Some(incidence) = level.edges.get(level.next).copied() else {
                if let Some(level) = self.stack.pop() {
                    self.spare.push(level.edges);
                }
                self.trail.truncate(self.stack.len().saturating_sub(1));
                continue;
            };
            level.next += 1;
            let edge = incidence.edge.id;
            let is_free = self.trail.iter().all(|used| used.id != edge)
                && !is_used(edge, &self.plan.unique, self.rows.row(self.at));
            if is_free {
                self.trail.push(incidence.edge);
                self.arrive(incidence.neighbour, cx)?;
            }
        }
        Ok(self.stack.is_empty())
    }
}

fn too_many() -> Error {
    Error::runtime(
        ErrorKind::ArithmeticError,
        Detail::Overflow,
        "the number of matches leaves 64 bits",
    )
}

impl Operator for TrailCount {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.stack.clear();
        self.known.clear();
        self.labelled.clear();
        (self.at, self.begun) = (0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            if self.at >= self.rows.len() && out.is_empty() && self.held > 0 {
                self.forget(cx);
            }
            next_rows!(self.input, self.rows, self.at, cx, out);
            if out.is_full() {
                return Ok(Pull::Rows);
            }
            if !self.begun {
                self.begin(cx)?;
            }
            let is_over = self.walk(cx)?;
            self.hold(cx)?;
            if is_over {
                if self.count > 0 {
                    let count = i64::try_from(self.count).map_err(|_| too_many())?;
                    let row = self.rows.row(self.at);
                    out.push(row)[self.plan.count as usize] = Value::Int(count);
                }
                self.begun = false;
                self.at += 1;
            }
            if cx.should_yield() {
                return Ok(match out.is_empty() {
                    true => Pull::Yield,
                    false => Pull::Rows,
                });
            }
        }
    }
}
