//! Ways between two vertices, shortest first.
//!
//! First the distance of vertices to the far end, then the ways themselves, always the one that can still be the shortest (best first with
//! the true distance as what is left), so no way is followed that cannot arrive. What always holds: paths come in the order of their
//! length; between equal ones in the order of the edges at their vertices. What it remembers grows piece by piece, so that no step moves all of it.

use std::collections::VecDeque;

use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Path};

use super::super::Context;
use super::step::{Cost, Steps, Taken};
use super::{Found, Progress};
use crate::operator::clock::Clock;
use crate::operator::pieces::Pieces;
use crate::operator::segments::SegmentedMap;
use crate::plan;

/// What a vertex with a known distance takes, in bytes, about.
const DISTANCE_BYTES: u64 = 40;
/// What a way that is begun takes, in bytes, about.
const BEGUN_BYTES: u64 = size_of::<Begun>() as u64;
/// No way.
const NONE: u32 = u32::MAX;

/// A way that is begun: its last edge and what it is the end of.
struct Begun {
    vertex: VertexId,
    hops: u32,
    last: Option<(Edge, u32)>,
    /// The way that was begun next of those that can be as short.
    next: u32,
}

/// Ways that are begun and not yet followed, by the least length that each can have: the shortest first, of those the one that was begun first.
///
/// No way that goes on with another can be shorter than that one, so lengths are gone through once, upwards.
#[derive(Default)]
struct Waiting {
    /// The length that is gone through.
    length: usize,
    /// For each length the first and the last way; the others hang between them.
    ends: Vec<(u32, u32)>,
}

impl Waiting {
    /// Puts a way behind those of its length.
    fn push(&mut self, least: u32, place: u32, begun: &mut Pieces<Begun>) {
        let least = least as usize;
        if self.ends.len() <= least {
            self.ends.resize(least + 1, (NONE, NONE));
        }
        self.length = self.length.min(least);
        let (first, last) = &mut self.ends[least];
        match *last {
            NONE => *first = place,
            last => begun.row_mut(last as usize)[0].next = place,
        }
        *last = place;
    }

    /// The way that can be the shortest, and how short.
    fn pop(&mut self, begun: &Pieces<Begun>) -> Option<(u32, u32)> {
        loop {
            let (first, last) = self.ends.get_mut(self.length)?;
            if *first == NONE {
                self.length += 1;
                continue;
            }
            let place = *first;
            *first = begun.row(place as usize)[0].next;
            if *first == NONE {
                *last = NONE;
            }
            return Some((self.length as u32, place));
        }
    }
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
    distances: SegmentedMap<VertexId, u32>,
    /// Vertices whose distance is known and whose edges have not been followed.
    queue: VecDeque<VertexId>,
    /// The distance of the vertex whose edges are being followed to measure those beyond.
    measuring: Option<u32>,
    begun: Pieces<Begun>,
    waiting: Waiting,
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
        let mut distances = SegmentedMap::default();
        distances.insert(to, 0);
        Ranked {
            from,
            to,
            left,
            groups,
            simple,
            length: None,
            distances,
            queue: VecDeque::from_iter([to]),
            measuring: None,
            begun: Pieces::new(1),
            waiting: Waiting::default(),
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

    /// Finds the distances of what can be reached from the far end; false: the time slice is over.
    fn measure(
        &mut self,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        loop {
            let distance = match self.measuring.take() {
                Some(distance) => distance,
                None => {
                    let Some(vertex) = self.queue.pop_front() else {
                        return Ok(true);
                    };
                    let distance = self.distances.get(&vertex).copied().unwrap_or(0);
                    if u64::from(distance) < steps.max {
                        steps.go_to(vertex, true, cx);
                    }
                    distance
                }
            };
            let before = self.distances.len();
            let mut is_over = false;
            while let (Some(incidence), false) = (steps.edge(), is_over) {
                if self.distances.get(&incidence.neighbour).is_none()
                    && steps.fits(&incidence.edge, cx)?
                {
                    self.distances.insert(incidence.neighbour, distance + 1);
                    self.queue.push_back(incidence.neighbour);
                }
                steps.edge_done();
                is_over = clock.ticks_out(cx);
            }
            let found = (self.distances.len() - before) as u64;
            self.grow(found * DISTANCE_BYTES, cx)?;
            if is_over {
                self.measuring = Some(distance);
                return Ok(false);
            }
            if clock.ticks_out(cx) {
                return Ok(false);
            }
        }
    }

    pub(super) fn next(
        &mut self,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if !self.measure(steps, clock, cx)? {
            return Ok(Progress::Yield);
        }
        if self.begun.len() == 0 {
            let Some(distance) = self.distances.get(&self.from).copied() else {
                return Ok(Progress::End);
            };
            self.begin(distance, self.from, 0, None);
        }
        loop {
            let at = match self.following.take() {
                Some(at) => at,
                None => {
                    let Some(at) = self.next_begun() else {
                        self.waiting = Waiting::default();
                        return Ok(Progress::End);
                    };
                    let begun = self.begun_at(at);
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
            let begun = self.begun_at(at);
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

    fn begun_at(&self, at: u32) -> &Begun {
        &self.begun.row(at as usize)[0]
    }

    /// Begins a way that can have a length of `least`.
    fn begin(&mut self, least: u32, vertex: VertexId, hops: u32, last: Option<(Edge, u32)>) {
        let place = self.begun.len() as u32;
        self.begun.push([Begun {
            vertex,
            hops,
            last,
            next: NONE,
        }]);
        self.waiting.push(least, place, &mut self.begun);
    }

    /// The way that can be the shortest; none if all that were wanted are there: of the last length there may be more.
    fn next_begun(&mut self) -> Option<u32> {
        let (least, at) = self.waiting.pop(&self.begun)?;
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
        let hops = self.begun_at(at).hops;
        let mut grown = 0;
        let mut is_done = true;
        while let Some(incidence) = steps.edge() {
            let distance = self.distances.get(&incidence.neighbour).copied();
            let least = distance.map(|distance| u64::from(hops) + 1 + u64::from(distance));
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
                        let last = Some((incidence.edge, at));
                        self.begin(least, incidence.neighbour, hops + 1, last);
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
            let begun = self.begun_at(at);
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
        while let Some((edge, before)) = self.begun_at(at).last {
            edges.push(edge);
            at = before;
        }
        edges.reverse();
        edges
    }
}
