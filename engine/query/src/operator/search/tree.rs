//! The nearest way from a vertex to each other, by steps or by weight: one of them, or all that are as near.
//!
//! Breadth first where each step counts one, else least cost first (Dijkstra). What is reached knows by which edges from what it was reached
//! best, so paths are read backwards. Where weights and a bound on the length meet, a vertex is reached once for each length, since the
//! cheapest way to it may be too long to go on with.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use quoit_cypher::error::Error;
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Path};
use smallvec::SmallVec;

use super::super::Context;
use super::step::{Cost, Steps, Taken};
use super::{Found, Progress};
use crate::operator::clock::Clock;
use crate::operator::pieces::Pieces;
use crate::operator::segments::SegmentedMap;

/// What a vertex that was reached takes, in bytes, about.
const REACHED_BYTES: u64 = 112;
/// Another edge by which it was reached, in bytes.
const PARENT_BYTES: u64 = 40;

struct Reached {
    vertex: VertexId,
    cost: Cost,
    hops: u32,
    /// Its edges have been followed.
    settled: bool,
    /// The edges by which it was reached, and from what.
    parents: SmallVec<[(Edge, u32); 1]>,
}

/// What is reached and not yet followed.
enum Frontier {
    Hops(VecDeque<u32>),
    Cost(BinaryHeap<Reverse<(Cost, u32)>>),
}

/// See the module.
pub(super) struct Tree {
    to: Option<VertexId>,
    all: bool,
    /// A vertex is reached once for each length.
    by_hops: bool,
    reached: Pieces<Reached>,
    places: SegmentedMap<(VertexId, u32), u32>,
    frontier: Frontier,
    /// Reached at one cost and to be told, the last first.
    due: Vec<u32>,
    /// Vertices that have been told, with their cost: only where a vertex is reached for each length.
    told: SegmentedMap<VertexId, Cost>,
    trace: Trace,
    /// What is being followed.
    following: Option<u32>,
    over: bool,
    held: u64,
}

/// The paths to one vertex, read backwards.
#[derive(Default)]
struct Trace {
    stack: Vec<(u32, usize)>,
    edges: Vec<Edge>,
    end: Option<u32>,
}

impl Tree {
    pub(super) fn new(from: VertexId, to: Option<VertexId>, all: bool, steps: &Steps) -> Tree {
        let plan = &*steps.plan;
        let weighted = plan.weight.is_some();
        let start = Reached {
            vertex: from,
            cost: Cost::ZERO,
            hops: 0,
            settled: false,
            parents: SmallVec::new(),
        };
        let mut reached = Pieces::new(1);
        reached.push([start]);
        let mut places = SegmentedMap::default();
        places.insert((from, 0), 0);
        Tree {
            to,
            all,
            by_hops: weighted && steps.max != u64::MAX,
            reached,
            places,
            frontier: match weighted {
                true => Frontier::Cost(BinaryHeap::from_iter([Reverse((Cost::ZERO, 0))])),
                false => Frontier::Hops(VecDeque::from_iter([0])),
            },
            due: Vec::new(),
            told: SegmentedMap::default(),
            trace: Trace::default(),
            following: None,
            over: false,
            held: 0,
        }
    }

    /// Bytes counted for it.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    pub(super) fn next(
        &mut self,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        loop {
            if let Some(at) = self.following {
                if !self.follow(at, steps, clock, cx)? {
                    return Ok(Progress::Yield);
                }
                self.following = None;
                if clock.ticks_out(cx) {
                    return Ok(Progress::Yield);
                }
            }
            if let Some(found) = self.trace.next(&self.reached, self.all) {
                return Ok(Progress::Found(found));
            }
            if let Some(at) = self.next_due() {
                self.trace.begin(at);
                continue;
            }
            if self.over {
                return Ok(Progress::End);
            }
            let Some(at) = self.pop() else {
                self.over = true;
                continue;
            };
            self.reached.row_mut(at as usize)[0].settled = true;
            if self.is_wanted(at, steps) {
                self.due.push(at);
            }
            let reached = &self.reached.row(at as usize)[0];
            if u64::from(reached.hops) < steps.max {
                steps.go_to(reached.vertex, false, cx);
                self.following = Some(at);
            }
        }
    }

    /// The next vertex to be told, once nothing can be reached as cheaply any more.
    fn next_due(&mut self) -> Option<u32> {
        let cost = self.reached.row(*self.due.last()? as usize)[0].cost;
        if let Frontier::Cost(heap) = &self.frontier
            && !self.over
            && heap
                .peek()
                .is_some_and(|Reverse((least, _))| *least <= cost)
        {
            return None;
        }
        // To the vertex that is sought there is nothing nearer than this.
        self.over |= self.to.is_some();
        self.due.pop()
    }

    fn pop(&mut self) -> Option<u32> {
        loop {
            let at = match &mut self.frontier {
                Frontier::Hops(queue) => return queue.pop_front(),
                Frontier::Cost(heap) => {
                    let Reverse((cost, at)) = heap.pop()?;
                    // It may have been reached again, cheaper.
                    if self.reached.row(at as usize)[0].settled
                        || self.reached.row(at as usize)[0].cost != cost
                    {
                        continue;
                    }
                    at
                }
            };
            return Some(at);
        }
    }

    /// Whether paths to it are to be told.
    fn is_wanted(&mut self, at: u32, steps: &Steps) -> bool {
        let reached = &self.reached.row(at as usize)[0];
        if u64::from(reached.hops) < steps.min || self.to.is_some_and(|to| to != reached.vertex) {
            return false;
        }
        if !self.by_hops {
            return true;
        }
        match self.told.get(&reached.vertex) {
            Some(cost) => self.all && *cost == reached.cost,
            None => {
                self.told.insert(reached.vertex, reached.cost);
                true
            }
        }
    }

    /// Follows the edges that are left of what was reached; false: the time slice is over.
    fn follow(
        &mut self,
        at: u32,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let (cost, hops) = {
            let reached = &self.reached.row(at as usize)[0];
            (reached.cost, reached.hops)
        };
        let path = steps.wants_path().then(|| self.path_to(at));
        let mut grown = 0;
        let mut is_done = true;
        while let Some(incidence) = steps.edge() {
            let key = (incidence.neighbour, if self.by_hops { hops + 1 } else { 0 });
            let known = self.places.get(&key).copied();
            // The first vertex is not come back to.
            let is_of_use = incidence.neighbour != self.reached.row(0)[0].vertex
                && known
                    .is_none_or(|known| self.all || !self.reached.row(known as usize)[0].settled);
            if !is_of_use || !steps.fits(&incidence.edge, cx)? {
                steps.edge_done();
                if clock.ticks_out(cx) {
                    is_done = false;
                    break;
                }
                continue;
            }
            let so_far = path.as_ref().map(|path| {
                let mut path = path.clone();
                path.edges.push(incidence.edge);
                path.vertices.push(incidence.neighbour);
                path
            });
            match steps.take(&incidence, cost, so_far, cx)? {
                Taken::Interrupted => {
                    is_done = false;
                    break;
                }
                Taken::Refused => {}
                Taken::For(after) => grown += self.reach(known, key, (incidence.edge, at), after),
            }
            steps.edge_done();
            if clock.ticks_out(cx) {
                is_done = false;
                break;
            }
        }
        self.held += grown;
        cx.hold(grown)?;
        Ok(is_done)
    }

    /// A vertex is reached at a cost by an edge from what was reached before; how many bytes that takes.
    fn reach(
        &mut self,
        known: Option<u32>,
        key: (VertexId, u32),
        parent: (Edge, u32),
        after: Cost,
    ) -> u64 {
        let hops = self.reached.row(parent.1 as usize)[0].hops + 1;
        let Some(place) = known else {
            let place = self.reached.len() as u32;
            self.reached.push([Reached {
                vertex: key.0,
                cost: after,
                hops,
                settled: false,
                parents: SmallVec::from_elem(parent, 1),
            }]);
            self.places.insert(key, place);
            self.push(after, place);
            return REACHED_BYTES;
        };
        let reached = &mut self.reached.row_mut(place as usize)[0];
        if after < reached.cost {
            reached.cost = after;
            reached.hops = hops;
            reached.parents.clear();
            reached.parents.push(parent);
            self.push(after, place);
        } else if self.all && after == reached.cost {
            reached.parents.push(parent);
            return PARENT_BYTES;
        }
        0
    }

    fn push(&mut self, cost: Cost, place: u32) {
        match &mut self.frontier {
            Frontier::Hops(queue) => queue.push_back(place),
            Frontier::Cost(heap) => heap.push(Reverse((cost, place))),
        }
    }

    /// A best path to what was reached.
    fn path_to(&self, mut at: u32) -> Path {
        let (mut vertices, mut edges) = (vec![self.reached.row(at as usize)[0].vertex], Vec::new());
        while let Some((edge, parent)) = self.reached.row(at as usize)[0].parents.first() {
            edges.push(*edge);
            at = *parent;
            vertices.push(self.reached.row(at as usize)[0].vertex);
        }
        vertices.reverse();
        edges.reverse();
        Path { vertices, edges }
    }
}

impl Trace {
    fn begin(&mut self, end: u32) {
        self.stack.clear();
        self.edges.clear();
        self.stack.push((end, 0));
        self.end = Some(end);
    }

    fn next(&mut self, reached: &Pieces<Reached>, all: bool) -> Option<Found> {
        let end = self.end?;
        while let Some((at, next)) = self.stack.last_mut() {
            if *at == 0 {
                let edges = self.edges.iter().rev().copied().collect();
                self.stack.pop();
                self.edges.pop();
                if !all {
                    self.end = None;
                }
                let end = &reached.row(end as usize)[0];
                return Some(Found {
                    edges,
                    end: end.vertex,
                    cost: end.cost,
                });
            }
            match reached.row(*at as usize)[0].parents.get(*next) {
                Some((edge, parent)) => {
                    *next += 1;
                    // Steps that cost nothing may lead round in a circle.
                    if !self.edges.iter().any(|used| used.id == edge.id) {
                        self.edges.push(*edge);
                        self.stack.push((*parent, 0));
                    }
                }
                None => {
                    self.stack.pop();
                    self.edges.pop();
                }
            }
        }
        self.end = None;
        None
    }
}
