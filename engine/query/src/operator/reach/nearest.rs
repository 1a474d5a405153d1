//! Breadth first: the vertices within a number of edges, each reached once.
//!
//! A shortest way uses no vertex twice, so it is a trail; only the start itself needs more than a way back to it. Against the arrows, or along
//! them, the edge back cannot have been used, since each edge of a shortest way begins at another vertex. Where arrows do not
//! matter it may be the one that left the start, so a start is reached only by a circle: an edge that joins two ways which
//! left it by different edges ([`Circle`]). Called by the operator, for one expansion of variable length from at most one edge on.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_graph::Direction;
use quoit_graph::ids::{EdgeId, VertexId};

use super::super::Context;
use super::super::expand::{Types, type_ids};
use super::vertex_set::VertexSet;
use super::{EdgeIds, FIRST_VERTICES, Progress, VERTICES_PER_LOOK};
use crate::plan;

/// See the module.
pub(super) struct Nearest {
    plan: Rc<plan::Reach>,
    types: Option<Types>,
    excluded: EdgeIds,
    reached: VertexSet,
    frontier: Vec<VertexId>,
    /// Of the frontier, how many are done.
    done: usize,
    /// How many are done next.
    piece: usize,
    next: Vec<VertexId>,
    /// Edges between the start and the frontier.
    depth: u64,
    /// The starts are to be found too, and have not been yet.
    finds_starts: bool,
    /// The way back to a start, where it must be looked for.
    circle: Option<Circle>,
}

impl Nearest {
    pub(super) fn new(plan: Rc<plan::Reach>) -> Nearest {
        Nearest {
            plan,
            types: None,
            excluded: EdgeIds::new(),
            reached: VertexSet::default(),
            frontier: Vec::new(),
            done: 0,
            piece: FIRST_VERTICES,
            next: Vec::new(),
            depth: 0,
            finds_starts: false,
            circle: None,
        }
    }

    /// Bytes that it keeps, about.
    pub(super) fn bytes(&self) -> u64 {
        self.reached.bytes()
            + ((self.frontier.capacity() + self.next.capacity()) * size_of::<VertexId>()) as u64
            + self.circle.as_ref().map_or(0, Circle::bytes)
    }

    pub(super) fn begin(&mut self, starts: &[VertexId], excluded: EdgeIds, cx: &Context<'_>) {
        let segment = &self.plan.segments[0];
        self.types = type_ids(&segment.types, cx);
        self.excluded = excluded;
        self.reached.clear();
        self.frontier.clear();
        self.frontier.extend(starts);
        self.next.clear();
        (self.done, self.depth, self.circle) = (0, 0, None);
        self.piece = FIRST_VERTICES;
        self.finds_starts = segment.min == 0;
        if let (1, Direction::Both, [start]) = (segment.min, segment.direction, starts) {
            // Nothing leads back to it until a circle is found.
            self.reached.insert(*start);
            self.circle = Some(Circle::new(*start, segment.max));
        }
    }

    pub(super) fn next(&mut self, found: &mut VertexSet, cx: &Context<'_>) -> Progress {
        let plan = self.plan.clone();
        let segment = &plan.segments[0];
        if std::mem::take(&mut self.finds_starts) {
            for vertex in &self.frontier {
                self.reached.insert(*vertex);
                found.insert(*vertex);
            }
        }
        let Some(types) = &self.types else {
            return Progress::End;
        };
        if self.done == self.frontier.len() {
            std::mem::swap(&mut self.frontier, &mut self.next);
            self.next.clear();
            self.done = 0;
            self.depth += 1;
        }
        if self.frontier.is_empty() || self.depth >= segment.max {
            return self.look_for_circle(found, cx);
        }
        let (reached, next) = (&mut self.reached, &mut self.next);
        let mut give = |neighbour: VertexId| {
            if reached.insert(neighbour) {
                found.insert(neighbour);
                next.push(neighbour);
            }
        };
        let end = self.frontier.len().min(self.done + self.piece);
        self.piece = VERTICES_PER_LOOK.min(self.piece * 2);
        let vertices = &self.frontier[self.done..end];
        if self.excluded.is_empty() {
            cx.view
                .expand(vertices, segment.direction, types, |_, neighbour| {
                    give(neighbour);
                });
        } else {
            for vertex in vertices {
                for incidence in cx.view.edges(*vertex, segment.direction, types) {
                    if !self.excluded.contains(&incidence.edge.id) {
                        give(incidence.neighbour);
                    }
                }
            }
        }
        self.done = end;
        Progress::More
    }

    fn look_for_circle(&mut self, found: &mut VertexSet, cx: &Context<'_>) -> Progress {
        let (Some(circle), Some(types)) = (&mut self.circle, &self.types) else {
            return Progress::End;
        };
        match circle.next(types, &self.excluded, cx) {
            None => Progress::More,
            Some(is_there) => {
                if is_there {
                    found.insert(circle.start);
                }
                Progress::End
            }
        }
    }
}

/// Whether a vertex lies on a circle of at most so many edges, in either direction: a search breadth first in which each vertex knows by which edge of the
/// start it was reached.
struct Circle {
    start: VertexId,
    max: u64,
    /// The first edge of the way, and the length of it.
    reached: HashMap<VertexId, (EdgeId, u64)>,
    queue: Vec<VertexId>,
    at: usize,
}

impl Circle {
    fn new(start: VertexId, max: u64) -> Circle {
        Circle {
            start,
            max,
            reached: HashMap::new(),
            queue: vec![start],
            at: 0,
        }
    }

    fn bytes(&self) -> u64 {
        (self.queue.capacity() * 8 + self.reached.capacity() * 40) as u64
    }

    /// The answer, once there is one.
    fn next(&mut self, types: &Types, excluded: &EdgeIds, cx: &Context<'_>) -> Option<bool> {
        for _ in 0..VERTICES_PER_LOOK {
            let Some(vertex) = self.queue.get(self.at).copied() else {
                return Some(false);
            };
            self.at += 1;
            let way = self.reached.get(&vertex).copied();
            let length = way.map_or(0, |(_, length)| length);
            // A circle that is still to be found has twice this and one more.
            if length > 0 && length.saturating_mul(2) >= self.max {
                return Some(false);
            }
            for incidence in cx.view.edges(vertex, Direction::Both, types) {
                let (edge, other) = (incidence.edge.id, incidence.neighbour);
                if excluded.contains(&edge) {
                    continue;
                }
                let first = way.map_or(edge, |(first, _)| first);
                let other_way = match other == self.start {
                    // By the edge that it left by.
                    true if edge == first && vertex != self.start => continue,
                    true => Some(0),
                    false => match self.reached.get(&other) {
                        Some((known, _)) if *known == first => continue,
                        known => known.map(|(_, length)| *length),
                    },
                };
                match other_way {
                    Some(other) if length + 1 + other <= self.max => return Some(true),
                    Some(_) => {}
                    None => {
                        self.reached.insert(other, (first, length + 1));
                        self.queue.push(other);
                    }
                }
            }
        }
        None
    }
}
