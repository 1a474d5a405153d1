//! Paths to one end, shortest first, traced back from there.
//!
//! Best first (A*): of all parts of paths that lead to the end, the one goes on that can belong to the shortest whole path, by its own length and
//! the distance from the root to where it begins. Parts share what they have in common. Distances that are not known yet are taken for what they
//! are at least, and the search that finds them goes on only as far as one of them matters. What always holds: paths come in the order of
//! their length; each is a trail (unless the query asks for walks) and fulfils all conditions of its segments; a way of matching the pattern
//! is given once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::Edge;

use super::super::Context;
use super::select::{Distance, Place, Reach};
use super::{Taken, Walker};
use crate::plan::automaton as plan;

/// What a part of a path takes, in bytes, about.
const PART_BYTES: u64 = 88;

/// A part of a path, from `vertex` to the end.
#[derive(Clone, Copy)]
struct Part {
    vertex: VertexId,
    /// It begins in front of this hop of this segment; behind all segments: it is the end itself.
    segment: usize,
    hop: usize,
    /// Whole repetitions of the segment behind the one at work.
    after: u64,
    /// Relationships.
    length: u32,
    /// Its first relationship, and the part behind that.
    first: Option<(Edge, u32)>,
}

/// When a part has its turn: the least possible length of a whole path with it; whether that is a guess; longer parts first; which part.
type Turn = (u32, bool, Reverse<u32>, u32);

/// A way to make a part longer: by this hop, which then has so many repetitions behind it.
#[derive(Clone, Copy)]
struct Move {
    segment: usize,
    hop: usize,
    after: u64,
}

/// A whole path that was found, by its first part.
pub(super) struct Found(u32);

/// The paths to one end.
pub(super) struct Tracing {
    root: VertexId,
    end: VertexId,
    parts: Vec<Part>,
    heap: BinaryHeap<Reverse<Turn>>,
    /// The part at work, and ways to make it longer.
    at_work: u32,
    moves: Vec<Move>,
    /// The way that is tried, with the edges that are left.
    trying: Option<Move>,
    edges: Vec<Incidence>,
    next: usize,
    /// Paths, or lengths, that are still wanted.
    left: u64,
    /// The length of the path that was taken last.
    length: Option<u32>,
    held: u64,
    over: bool,
}

impl Tracing {
    pub(super) fn new(
        root: VertexId,
        end: VertexId,
        distance: u32,
        segments: usize,
        count: u64,
    ) -> Tracing {
        let nothing = Part {
            vertex: end,
            segment: segments,
            hop: 0,
            after: 0,
            length: 0,
            first: None,
        };
        Tracing {
            root,
            end,
            parts: vec![nothing],
            heap: BinaryHeap::from([Reverse((distance, false, Reverse(0), 0))]),
            at_work: 0,
            moves: Vec::new(),
            trying: None,
            edges: Vec::new(),
            next: 0,
            left: count,
            length: None,
            held: 0,
            over: false,
        }
    }

    pub(super) fn end(&self) -> VertexId {
        self.end
    }

    /// Bytes counted for it.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// A path was wanted and has been told; `groups`: lengths are counted.
    pub(super) fn taken(&mut self, found: &Found, groups: bool) {
        let length = self.parts[found.0 as usize].length;
        if !groups || self.length != Some(length) {
            self.left = self.left.saturating_sub(1);
        }
        self.length = Some(length);
    }

    /// The relationships of a path, from the root on.
    pub(super) fn path(&self, found: &Found, out: &mut Vec<Taken>) {
        out.clear();
        let mut at = &self.parts[found.0 as usize];
        while let Some((edge, behind)) = at.first {
            let behind = &self.parts[behind as usize];
            out.push(Taken {
                edge,
                to: behind.vertex,
                segment: at.segment,
                hop: at.hop,
            });
            at = behind;
        }
    }

    /// Takes one step; gives a whole path if it came to one.
    pub(super) fn step(
        &mut self,
        plan: &plan::SelectPaths,
        reach: &mut Reach,
        walker: &mut Walker,
        cx: &mut Context<'_>,
    ) -> Result<Option<Found>, Error> {
        if let Some(way) = self.trying {
            match self.edges.get(self.next).copied() {
                Some(incidence) => {
                    self.next += 1;
                    self.lengthen(way, &incidence, plan, reach, walker, cx)?;
                }
                None => self.trying = None,
            }
            return Ok(None);
        }
        if let Some(way) = self.moves.pop() {
            let vertex = self.parts[self.at_work as usize].vertex;
            let hop = (way.segment, way.hop);
            self.edges.clear();
            walker.edges(&plan.segments, hop, vertex, true, cx, &mut self.edges);
            (self.trying, self.next) = (Some(way), 0);
            return Ok(None);
        }
        let Some(Reverse((least, is_guess, _, at))) = self.heap.pop() else {
            self.over = true;
            return Ok(None);
        };
        // Of the last length that is wanted there may be more paths.
        if self.left == 0 && (!plan.groups || self.length.is_none_or(|length| least > length)) {
            self.over = true;
            return Ok(None);
        }
        if is_guess {
            if let Distance::AtLeast(_) = self.distance(at, plan, reach) {
                reach.step(plan, walker, cx)?;
            }
            self.queue(at, plan, reach);
            return Ok(None);
        }
        self.at_work = at;
        let is_whole = self.look_for_moves(at, plan, walker, cx)?;
        Ok(is_whole.then_some(Found(at)))
    }

    /// How far the root is from where a part begins.
    fn distance(&self, at: u32, plan: &plan::SelectPaths, reach: &Reach) -> Distance {
        let part = &self.parts[at as usize];
        let segment = &plan.segments[part.segment];
        let limit = |repetitions: u64| u32::try_from(repetitions).unwrap_or(u32::MAX);
        // Repetitions in front of the one at work, such that all together are neither too few nor too many.
        let fewest = limit(segment.min.saturating_sub(1 + part.after));
        let most = limit(segment.min.min(segment.max.saturating_sub(1 + part.after)));
        let place = Place {
            segment: part.segment as u32,
            hop: part.hop as u32,
            repetitions: 0,
        };
        reach.distance(part.vertex, place, fewest..=most)
    }

    /// Puts a part where its turn comes, if it can be a part of a whole path.
    fn queue(&mut self, at: u32, plan: &plan::SelectPaths, reach: &Reach) {
        let length = self.parts[at as usize].length;
        let (least, is_guess) = match self.distance(at, plan, reach) {
            Distance::Known(distance) => (length.saturating_add(distance), false),
            Distance::AtLeast(distance) => (length.saturating_add(distance), true),
            Distance::Never => return,
        };
        self.heap
            .push(Reverse((least, is_guess, Reverse(length), at)));
    }

    /// Notes the ways to make a part longer; true if it is a whole path as it is.
    fn look_for_moves(
        &mut self,
        at: u32,
        plan: &plan::SelectPaths,
        walker: &mut Walker,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let part = self.parts[at as usize];
        if let Some(segment) = plan.segments.get(part.segment) {
            if part.hop > 0 {
                self.moves.push(Move {
                    hop: part.hop - 1,
                    segment: part.segment,
                    after: part.after,
                });
                return Ok(false);
            }
            let (done, hops) = (part.after + 1, segment.hops.len());
            if done < segment.max && walker.fits(segment, hops, part.vertex, cx)? {
                self.moves.push(Move {
                    segment: part.segment,
                    hop: hops - 1,
                    after: done,
                });
            }
            if done < segment.min {
                return Ok(false);
            }
        }
        for (number, segment) in plan.segments[..part.segment].iter().enumerate().rev() {
            let hops = segment.hops.len();
            let fits = segment.max > 0 && walker.fits(segment, hops, part.vertex, cx)?;
            if hops == 0 {
                if !fits {
                    return Ok(false);
                }
                continue;
            }
            if fits {
                self.moves.push(Move {
                    segment: number,
                    hop: hops - 1,
                    after: 0,
                });
            }
            if segment.min > 0 {
                return Ok(false);
            }
        }
        Ok(part.vertex == self.root)
    }

    /// Makes the part at work longer by an edge, if the path may have it.
    fn lengthen(
        &mut self,
        way: Move,
        incidence: &Incidence,
        plan: &plan::SelectPaths,
        reach: &Reach,
        walker: &mut Walker,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let behind = self.parts[self.at_work as usize];
        let segment = &plan.segments[way.segment];
        let (from, edge) = (incidence.neighbour, incidence.edge);
        if (!plan.is_walk && self.is_on(self.at_work, edge))
            || !walker.may_take(
                segment,
                way.hop,
                &plan.unique,
                (from, edge, behind.vertex),
                cx,
            )?
            || !walker.fits(segment, way.hop, from, cx)?
        {
            return Ok(());
        }
        // A check is due with the hop that brings the first of what it mentions.
        let due = 2 * way.hop..=2 * way.hop + 1;
        if segment
            .checks
            .iter()
            .any(|check| due.contains(&check.first))
        {
            walker.set(segment, way.hop, from, edge, behind.vertex);
            let mut at = behind;
            for hop in way.hop + 1..segment.hops.len() {
                let Some((edge, next)) = at.first else { break };
                let next = self.parts[next as usize];
                walker.set(segment, hop, at.vertex, edge, next.vertex);
                at = next;
            }
            let is_due = |check: &plan::Check| due.contains(&check.first);
            if !walker.checks_hold(segment, is_due, cx)? {
                return Ok(());
            }
        }
        let at = self.parts.len() as u32;
        self.parts.push(Part {
            vertex: from,
            segment: way.segment,
            hop: way.hop,
            after: way.after,
            length: behind.length + 1,
            first: Some((edge, self.at_work)),
        });
        self.queue(at, plan, reach);
        self.held += PART_BYTES;
        cx.hold(PART_BYTES)
    }

    /// Whether a part has an edge.
    fn is_on(&self, mut at: u32, edge: Edge) -> bool {
        while let Some((used, behind)) = self.parts[at as usize].first {
            if used.id == edge.id {
                return true;
            }
            at = behind;
        }
        false
    }
}
