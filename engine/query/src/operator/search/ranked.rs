//! Ways between two vertices, shortest first.
//!
//! First the distance of vertices to the far end, then the ways themselves, always the one that can still be the shortest (best first with
//! the true distance as what is left), so no way is followed that cannot arrive. What always holds: paths come in the order of their
//! length; between equal ones in the order of the edges at their vertices.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hashbrown::HashMap;
use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Path};

use super::super::Context;
use super::step::{Cost, Steps, Taken};
use super::{Found, Progress};
use crate::operator::clock::Clock;
use crate::plan;

/// What a vertex with a known distance takes, in bytes, about.
const DISTANCE_BYTES: u64 = 40;
/// What a way that is begun takes, in bytes, about.
const BEGUN_BYTES: u64 = 72;

/// A way that is begun: its last edge and what it is the end of.
struct Begun {
    vertex: VertexId,
    hops: u32,
    last: Option<(Edge, u32)>,
}

/// See the module.
pub(super) struct Ranked {
    from: VertexId,
    to: VertexId,
    /// Paths, or lengths, that are still wanted.
    left: u64,
    /// `left` counts lengths.
    groups: bool,
    /// No vertex twice, rather than no edge twice.
    simple: bool,
    /// The length of the path that was taken last.
    length: Option<usize>,
    distances: HashMap<VertexId, u32>,
    /// Vertices whose distance is known and whose edges have not been followed.
    queue: VecDeque<VertexId>,
    begun: Vec<Begun>,
    /// The least possible length, then the order of beginning.
    heap: BinaryHeap<Reverse<(u32, u32)>>,
    /// What is being followed.
    following: Option<u32>,
    held: u64,
}

impl Ranked {
    pub(super) fn new(from: VertexId, to: VertexId, left: u64, steps: &Steps) -> Ranked {
        let (groups, simple) = match &steps.plan.which {
            plan::Which::Ranked { groups, simple, .. } => (*groups, *simple),
            plan::Which::Nearest { .. } => (false, false),
        };
        Ranked {
            from,
            to,
            left,
            groups,
            simple,
            length: None,
            distances: HashMap::from_iter([(to, 0)]),
            queue: VecDeque::from_iter([to]),
            begun: Vec::new(),
            heap: BinaryHeap::new(),
            following: None,
            held: 0,
        }
    }

    /// Bytes counted for it.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// A path of so many edges was wanted and has been told.
    pub(super) fn taken(&mut self, edges: usize) {
        if !self.groups {
            self.left -= 1;
        } else if self.length != Some(edges) {
            self.left = self.left.saturating_sub(1);
        }
        self.length = Some(edges);
    }

    fn grow(&mut self, bytes: u64, cx: &mut Context<'_>) -> Result<(), Error> {
        self.held += bytes;
        cx.hold(bytes)
    }

    pub(super) fn next(
        &mut self,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        while let Some(vertex) = self.queue.pop_front() {
            let distance = self.distances[&vertex];
            if u64::from(distance) < steps.max {
                steps.go_to(vertex, true, cx);
                let before = self.distances.len();
                while let Some(incidence) = steps.edge() {
                    if !self.distances.contains_key(&incidence.neighbour)
                        && steps.fits(&incidence.edge, cx)?
                    {
                        self.distances.insert(incidence.neighbour, distance + 1);
                        self.queue.push_back(incidence.neighbour);
                    }
                    steps.edge_done();
                }
                let found = (self.distances.len() - before) as u64;
                self.grow(found * DISTANCE_BYTES, cx)?;
            }
            if clock.ticks_out(cx) {
                return Ok(Progress::Yield);
            }
        }
        if self.begun.is_empty() {
            let Some(distance) = self.distances.get(&self.from) else {
                return Ok(Progress::End);
            };
            self.begun.push(Begun {
                vertex: self.from,
                hops: 0,
                last: None,
            });
            self.heap.push(Reverse((*distance, 0)));
        }
        loop {
            let at = match self.following.take() {
                Some(at) => at,
                None => {
                    let Some(at) = self.next_begun() else {
                        self.heap.clear();
                        return Ok(Progress::End);
                    };
                    let begun = &self.begun[at as usize];
                    let is_end = self.simple && begun.vertex == self.to && begun.hops > 0;
                    if u64::from(begun.hops) < steps.max && !is_end {
                        steps.go_to(begun.vertex, false, cx);
                    }
                    at
                }
            };
            if !self.follow(at, steps, clock, cx)? {
                self.following = Some(at);
                return Ok(Progress::Yield);
            }
            let begun = &self.begun[at as usize];
            if begun.vertex == self.to && u64::from(begun.hops) >= steps.min {
                return Ok(Progress::Found(Found {
                    edges: self.edges_of(at),
                    end: begun.vertex,
                    cost: Cost::Integer(i64::from(begun.hops)),
                }));
            }
            if clock.ticks_out(cx) {
                return Ok(Progress::Yield);
            }
        }
    }

    /// The way that can be the shortest; none if all that were wanted are there: of the last length there may be more.
    fn next_begun(&mut self) -> Option<u32> {
        let Reverse((least, at)) = self.heap.pop()?;
        let is_over = match self.length {
            Some(length) if self.groups => self.left == 0 && least as usize > length,
            _ => self.left == 0,
        };
        (!is_over).then_some(at)
    }

    /// Follows the edges that are left; false: the time slice is over.
    fn follow(
        &mut self,
        at: u32,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let hops = self.begun[at as usize].hops;
        let mut grown = 0;
        let mut is_done = true;
        while let Some(incidence) = steps.edge() {
            let distance = self.distances.get(&incidence.neighbour);
            let least = distance.map(|distance| u64::from(hops) + 1 + u64::from(*distance));
            let least = least.filter(|least| *least <= steps.max);
            let least = least.and_then(|least| u32::try_from(least).ok());
            if let Some(least) = least
                && !self.is_on(at, incidence.edge, incidence.neighbour)
                && steps.fits(&incidence.edge, cx)?
            {
                // The distances were taken without the filter, so they are no more than what it leaves.
                let so_far = steps.wants_path().then(|| self.path_with(at, &incidence));
                let before = Cost::Integer(i64::from(hops));
                match steps.take(&incidence, before, so_far, cx)? {
                    Taken::Interrupted => {
                        is_done = false;
                        break;
                    }
                    Taken::Refused => {}
                    Taken::For(_) => {
                        let place = self.begun.len() as u32;
                        self.begun.push(Begun {
                            vertex: incidence.neighbour,
                            hops: hops + 1,
                            last: Some((incidence.edge, at)),
                        });
                        self.heap.push(Reverse((least, place)));
                        grown += BEGUN_BYTES;
                    }
                }
            }
            steps.edge_done();
            if clock.ticks_out(cx) {
                is_done = false;
                break;
            }
        }
        self.grow(grown, cx)?;
        Ok(is_done)
    }

    /// Whether a way that is begun has been through the edge, or through the vertex where that matters.
    fn is_on(&self, mut at: u32, edge: Edge, vertex: VertexId) -> bool {
        loop {
            let begun = &self.begun[at as usize];
            if self.simple && begun.vertex == vertex {
                return true;
            }
            let Some((used, before)) = begun.last else {
                return false;
            };
            if used.id == edge.id {
                return true;
            }
            at = before;
        }
    }

    /// The path so far with an edge behind it.
    fn path_with(&self, at: u32, incidence: &Incidence) -> Path {
        let mut edges = self.edges_of(at);
        edges.push(incidence.edge);
        let mut vertices = vec![self.from];
        for edge in &edges {
            let last = *vertices.last().expect("a path has a first vertex");
            vertices.push(edge.other(last));
        }
        Path { vertices, edges }
    }

    fn edges_of(&self, mut at: u32) -> Vec<Edge> {
        let mut edges = Vec::new();
        while let Some((edge, before)) = self.begun[at as usize].last {
            edges.push(edge);
            at = before;
        }
        edges.reverse();
        edges
    }
}
