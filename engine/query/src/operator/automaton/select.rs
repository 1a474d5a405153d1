//! `SHORTEST k`, `ANY k`, `ALL SHORTEST` and `SHORTEST k GROUPS` of any path pattern, for each last vertex by itself.
//!
//! From the bound end the product of graph and pattern is searched breadth first ([`Reach`]), which tells how far each vertex is from there at
//! each place of the pattern, and where paths can end. From each such end the paths are then traced back, shortest first
//! ([`super::tracing`]). What always holds: a distance is never more than that of any path, since it leaves out what only a whole path can
//! tell (that no relationship stands on it twice, conditions on parts that lie apart, the upper bound of a repetition beyond its lower one).

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::Value;

use super::super::{Batch, Context, Operator, Pull, Running, next_rows};
use super::tracing::{Found, Tracing};
use super::{Taken, Walker, keep};
use crate::expression::evaluate::{evaluate, holds};
use crate::operator::clock::Clock;
use crate::plan::automaton as plan;

/// What a place that was reached takes, in bytes, about.
const REACHED_BYTES: u64 = 64;

/// A place of the pattern: a segment and the hop in front of which a path stands there, with so many repetitions done; behind all segments a
/// path is whole. Repetitions beyond the lower bound are not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) hop: u32,
    pub(super) repetitions: u32,
}

/// How far vertices are from the root, at places of the pattern.
pub(super) struct Reach {
    distances: HashMap<(VertexId, Place), u32>,
    queue: VecDeque<(VertexId, Place, u32)>,
    /// The vertex at work, with those of its edges that are left.
    at_work: Option<(VertexId, Place, u32)>,
    edges: Vec<Incidence>,
    next: usize,
    /// Where paths can end and have not been traced yet, nearest first.
    ends: VecDeque<(VertexId, u32)>,
    to: Option<VertexId>,
    held: u64,
}

/// What is known of a distance.
pub(super) enum Distance {
    Known(u32),
    /// Not reached yet: at least this.
    AtLeast(u32),
    /// It cannot be reached.
    Never,
}

impl Reach {
    fn new(to: Option<VertexId>) -> Reach {
        Reach {
            distances: HashMap::new(),
            queue: VecDeque::new(),
            at_work: None,
            edges: Vec::new(),
            next: 0,
            ends: VecDeque::new(),
            to,
            held: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.at_work.is_none() && self.queue.is_empty()
    }

    /// How far a vertex is at any of some places that differ in their repetitions only.
    pub(super) fn distance(
        &self,
        vertex: VertexId,
        place: Place,
        repetitions: std::ops::RangeInclusive<u32>,
    ) -> Distance {
        let at = |repetitions: u32| {
            let place = Place {
                repetitions,
                ..place
            };
            self.distances.get(&(vertex, place)).copied()
        };
        let front = self
            .at_work
            .as_ref()
            .or(self.queue.front())
            .map(|(.., distance)| *distance);
        match (repetitions.filter_map(at).min(), front) {
            (Some(distance), _) => Distance::Known(distance),
            (None, Some(front)) => Distance::AtLeast(front + 1),
            (None, None) => Distance::Never,
        }
    }

    fn add(&mut self, vertex: VertexId, place: Place, distance: u32, is_end: bool) {
        if self.distances.contains_key(&(vertex, place)) {
            return;
        }
        self.distances.insert((vertex, place), distance);
        if !is_end {
            self.queue.push_back((vertex, place, distance));
        } else if self.to.is_none_or(|to| to == vertex) {
            self.ends.push_back((vertex, distance));
        }
    }

    /// Begins a segment, and those behind it as long as nothing must be walked.
    fn enter(
        &mut self,
        segments: &[plan::Segment],
        from: usize,
        vertex: VertexId,
        distance: u32,
        walker: &mut Walker,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        for (number, segment) in segments.iter().enumerate().skip(from) {
            let fits = segment.max > 0 && walker.fits(segment, 0, vertex, cx)?;
            if segment.hops.is_empty() {
                if !fits {
                    return Ok(());
                }
                continue;
            }
            if fits {
                let place = Place {
                    segment: number as u32,
                    hop: 0,
                    repetitions: 0,
                };
                self.add(vertex, place, distance, false);
            }
            if segment.min > 0 {
                return Ok(());
            }
        }
        let end = Place {
            segment: segments.len() as u32,
            hop: 0,
            repetitions: 0,
        };
        self.add(vertex, end, distance, true);
        Ok(())
    }

    /// Takes one step, if there is one.
    pub(super) fn step(
        &mut self,
        plan: &plan::SelectPaths,
        walker: &mut Walker,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let segments = &plan.segments;
        let Some((vertex, place, distance)) = self.at_work else {
            self.at_work = self.queue.pop_front();
            if let Some((vertex, place, _)) = self.at_work {
                self.edges.clear();
                self.next = 0;
                let hop = (place.segment as usize, place.hop as usize);
                walker.edges(segments, hop, vertex, false, cx, &mut self.edges);
            }
            return Ok(());
        };
        let Some(incidence) = self.edges.get(self.next).copied() else {
            self.at_work = None;
            return Ok(());
        };
        self.next += 1;
        let before = self.distances.len();
        let segment = &segments[place.segment as usize];
        let hop = place.hop as usize;
        let to = incidence.neighbour;
        let taken = (vertex, incidence.edge, to);
        if !walker.may_take(segment, hop, &plan.unique, taken, cx)?
            || !walker.fits(segment, hop + 1, to, cx)?
        {
            return Ok(());
        }
        if hop + 1 < segment.hops.len() {
            let next = Place {
                hop: place.hop + 1,
                ..place
            };
            self.add(to, next, distance + 1, false);
        } else {
            let least = u32::try_from(segment.min).unwrap_or(u32::MAX);
            let repetitions = place.repetitions.saturating_add(1).min(least);
            if place.repetitions.saturating_add(1) >= least {
                let behind = place.segment as usize + 1;
                self.enter(segments, behind, to, distance + 1, walker, cx)?;
            }
            if u64::from(repetitions) < segment.max && walker.fits(segment, 0, to, cx)? {
                let next = Place {
                    hop: 0,
                    repetitions,
                    ..place
                };
                self.add(to, next, distance + 1, false);
            }
        }
        let grown = (self.distances.len() - before) as u64 * REACHED_BYTES;
        self.held += grown;
        cx.hold(grown)
    }
}

/// The search of one row.
struct Search {
    root: VertexId,
    reach: Reach,
    tracing: Option<Tracing>,
    count: u64,
    /// The only end has been traced.
    is_done: bool,
}

/// How far a search went.
enum Progress {
    Found(Found),
    Yield,
    End,
}

/// Selected paths from a bound vertex.
pub struct SelectPaths {
    plan: Rc<plan::SelectPaths>,
    input: Running,
    rows: Batch,
    at: usize,
    walker: Walker,
    search: Option<Search>,
    clock: Clock,
    path: Vec<Taken>,
    /// Bytes counted for searches that were left before their end.
    owed: u64,
}

impl SelectPaths {
    pub fn new(plan: Rc<plan::SelectPaths>, input: Running) -> Self {
        SelectPaths {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            walker: Walker::default(),
            search: None,
            clock: Clock::default(),
            path: Vec::new(),
            owed: 0,
        }
    }

    /// The search for the row at work; `None` if its ends are no vertices.
    fn begin(&mut self, cx: &mut Context<'_>) -> Result<Option<Search>, Error> {
        let plan = self.plan.clone();
        let row = self.rows.row(self.at);
        let Value::Vertex(root) = row[plan.from as usize] else {
            return Ok(None);
        };
        let to = match (plan.into, &row[plan.to as usize]) {
            (false, _) => None,
            (true, Value::Vertex(to)) => Some(*to),
            (true, _) => return Ok(None),
        };
        let count = match evaluate(&plan.count, cx, row)? {
            Value::Int(count) if count > 0 => count as u64,
            other => return Err(wrong_count(&other)),
        };
        self.walker.begin(&plan.segments, row, cx);
        let mut reach = Reach::new(to);
        reach.enter(&plan.segments, 0, root, 0, &mut self.walker, cx)?;
        Ok(Some(Search {
            root,
            reach,
            tracing: None,
            count,
            is_done: false,
        }))
    }

    fn go_on(&mut self, cx: &mut Context<'_>) -> Result<Progress, Error> {
        let plan = self.plan.clone();
        let Some(search) = &mut self.search else {
            return Ok(Progress::End);
        };
        loop {
            if self.clock.ticks_out(cx) {
                return Ok(Progress::Yield);
            }
            if let Some(tracing) = &mut search.tracing {
                let reach = &mut search.reach;
                if let Some(found) = tracing.step(&plan, reach, &mut self.walker, cx)? {
                    return Ok(Progress::Found(found));
                }
                if tracing.is_over() {
                    cx.release(tracing.held());
                    search.tracing = None;
                }
                continue;
            }
            if let Some((end, distance)) = search.reach.ends.pop_front() {
                search.is_done = plan.into;
                let ends = plan.segments.len();
                search.tracing = Some(Tracing::new(search.root, end, distance, ends, search.count));
                continue;
            }
            if search.reach.is_over() || search.is_done {
                return Ok(Progress::End);
            }
            search.reach.step(&plan, &mut self.walker, cx)?;
        }
    }

    /// Puts a path into a row; false if it does not fulfil the conditions on it.
    fn emit(
        &mut self,
        found: &Found,
        cx: &mut Context<'_>,
        out: &mut Batch,
    ) -> Result<bool, Error> {
        let plan = &*self.plan;
        let Some(search) = &mut self.search else {
            return Ok(false);
        };
        let Some(tracing) = &mut search.tracing else {
            return Ok(false);
        };
        tracing.path(found, &mut self.path);
        let row = self.rows.row(self.at);
        let new = out.push(row);
        keep(&plan.segments, search.root, &self.path, plan.reversed, new);
        new[plan.to as usize] = Value::Vertex(tracing.end());
        if !plan.conditions.is_empty() {
            let place = out.len() - 1;
            for (slot, path) in &plan.paths {
                let path = evaluate(path, cx, out.row(place))?;
                out.row_mut(place)[*slot as usize] = path;
            }
            for condition in &plan.conditions {
                if !holds(condition, cx, out.row(place))? {
                    out.truncate(place);
                    return Ok(false);
                }
            }
        }
        tracing.taken(found, plan.groups);
        Ok(true)
    }

    fn held(&self) -> u64 {
        self.search.as_ref().map_or(0, |search| {
            let tracing = search.tracing.as_ref().map_or(0, Tracing::held);
            search.reach.held + tracing
        })
    }
}

fn wrong_count(value: &Value) -> Error {
    let given = match value {
        Value::Int(count) => count.to_string(),
        other => other.type_phrase().to_owned(),
    };
    Error::runtime(
        ErrorKind::ArgumentError,
        Detail::NumberOutOfRange,
        format!("the number of paths is a positive integer, not {given}"),
    )
}

impl Operator for SelectPaths {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.at = 0;
        self.owed += self.held();
        self.search = None;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        cx.release(std::mem::take(&mut self.owed));
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            if self.search.is_none() {
                self.search = self.begin(cx)?;
            }
            while self.search.is_some() {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                match self.go_on(cx)? {
                    Progress::Found(found) => {
                        self.emit(&found, cx, out)?;
                    }
                    Progress::Yield if out.is_empty() => return Ok(Pull::Yield),
                    Progress::Yield => return Ok(Pull::Rows),
                    Progress::End => {
                        cx.release(self.held());
                        self.search = None;
                    }
                }
            }
            self.at += 1;
        }
    }
}
