//! The shortest ways between two vertices, from both of them: breadth first, level by level, always at the end where less is to be followed,
//! until the two meet.
//!
//! Called by the operator where both ends are bound and each edge counts one. What always holds: as long as the ends have not met, no vertex is
//! within the levels of both; so where they meet first is the outermost level of each, and the ways through it are the shortest there are. What
//! is reached knows its place, by what it was reached, and the edge if not any of the types would do; of several edges that lead to it equally
//! near, those behind the first are told apart, and only where all ways are wanted.

use hashbrown::HashMap;
use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::Edge;

use super::super::Context;
use super::step::{Cost, Steps, Taken};
use super::{Found, Progress};
use crate::operator::clock::Clock;
use crate::operator::reach::VertexSet;

/// Vertices whose neighbours are looked at between two looks at the clock.
const PIECE: usize = 64;
/// Levels of so few vertices are compared by their degrees, larger ones by how many edges vertices had so far.
const FEW: usize = 8;
/// What a vertex takes that is reached where all ways are wanted, in bytes beside its place.
const NUMBERED_BYTES: u64 = 24;

/// What is reached from one end.
#[derive(Default)]
struct Side {
    /// Level by level, the end itself first.
    reached: Vec<VertexId>,
    /// By which of `reached` each was reached first; the end by itself.
    parents: Vec<u32>,
    /// By which edge, if edges are told apart; the end has none.
    edges: Vec<Option<Edge>>,
    /// Other edges that lead to something as near: what it is, what it was reached by, and the edge.
    ties: Vec<(u32, u32, Edge)>,
    seen: VertexSet,
    /// The places of all in `reached`, where ties are wanted.
    places: HashMap<VertexId, u32>,
    /// Where the outermost level begins.
    level: usize,
    depth: u64,
    /// Vertices and edges followed so far.
    followed: (u64, u64),
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Which end goes on.
    #[default]
    Between,
    /// The vertices of a level from `at` to `end` are to be followed. `within`: the edges of the first of them are at work.
    Level {
        side: usize,
        at: usize,
        end: usize,
        within: bool,
    },
    /// The ways are told.
    Telling,
    Over,
}

/// See the module.
#[derive(Default)]
pub(super) struct Meet {
    sides: [Side; 2],
    all: bool,
    stage: Stage,
    /// Where they have met: places at both sides.
    met: Vec<[u32; 2]>,
    trace: Trace,
    held: u64,
}

/// A way from where the ends have met back to both, one after the other.
#[derive(Default)]
struct Trace {
    /// Sides, places there, and which of the edges that lead to them is next.
    stack: Vec<(usize, u32, usize)>,
    edges: Vec<Edge>,
    /// How many of `met` have begun.
    begun: usize,
}

impl Side {
    fn begin(&mut self, end: VertexId, numbers: bool) {
        self.reached.clear();
        self.parents.clear();
        self.edges.clear();
        self.ties.clear();
        self.seen.clear();
        self.places.clear();
        (self.level, self.depth, self.followed) = (0, 0, (0, 0));
        self.add(end, 0, None, numbers);
    }

    /// A vertex is reached for the first time.
    fn add(&mut self, vertex: VertexId, parent: u32, edge: Option<Edge>, numbers: bool) {
        self.seen.insert(vertex);
        if numbers {
            self.places.insert(vertex, self.reached.len() as u32);
        }
        self.reached.push(vertex);
        self.parents.push(parent);
        self.edges.push(edge);
    }

    /// How many edges the next level asks to be followed, about.
    fn work(&self, backwards: bool, steps: &Steps, cx: &Context<'_>) -> u64 {
        let level = &self.reached[self.level..];
        let (vertices, edges) = self.followed;
        if let (true, Some(types)) = (level.len() <= FEW, steps.types()) {
            let direction = steps.direction(backwards);
            let degrees = level
                .iter()
                .map(|vertex| cx.view.degree(*vertex, direction, types));
            return degrees.sum();
        }
        (level.len() as u64).saturating_mul(edges / vertices.max(1) + 1)
    }

    /// The place of something in the outermost level.
    fn place(&self, vertex: VertexId) -> Option<u32> {
        match self.places.get(&vertex) {
            Some(place) => Some(*place),
            None => {
                let at = self.reached.iter().rposition(|other| *other == vertex)?;
                Some(at as u32)
            }
        }
    }

    /// The edges that lead to a place, by number.
    fn step(&self, place: u32, number: usize) -> Option<(Option<Edge>, u32)> {
        if number == 0 {
            return Some((self.edges[place as usize], self.parents[place as usize]));
        }
        let first = self.ties.partition_point(|(to, ..)| *to < place);
        let (to, by, edge) = self.ties.get(first + number - 1)?;
        (*to == place).then_some((Some(*edge), *by))
    }

    /// Bytes that it keeps.
    fn bytes(&self, numbers: bool) -> u64 {
        let each = size_of::<VertexId>() + size_of::<u32>() + size_of::<Option<Edge>>();
        let numbered = if numbers { NUMBERED_BYTES } else { 0 };
        self.reached.len() as u64 * (each as u64 + numbered)
            + (self.ties.len() * size_of::<(u32, u32, Edge)>()) as u64
            + self.seen.bytes()
    }
}

impl Meet {
    /// Begins a search between two vertices.
    pub(super) fn begin(&mut self, ends: [VertexId; 2], all: bool, steps: &Steps) {
        for (side, end) in self.sides.iter_mut().zip(ends) {
            side.begin(end, all);
        }
        self.all = all;
        self.met.clear();
        self.trace = Trace::default();
        self.held = 0;
        self.stage = match (ends[0] == ends[1], steps.min, steps.types()) {
            (true, 0, _) => {
                self.met.push([0, 0]);
                Stage::Telling
            }
            (true, ..) | (_, _, None) => Stage::Over,
            (false, ..) => Stage::Between,
        };
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
            match self.stage {
                Stage::Between => self.stage = self.next_level(steps, cx),
                Stage::Level { side, at, end, .. } if at == end => {
                    self.sides[side].depth += 1;
                    self.sides[side].level = end;
                    self.stage = match self.met.is_empty() {
                        true => Stage::Between,
                        false => self.arrived(steps),
                    };
                }
                Stage::Level { .. } => {
                    let is_plain = !self.all && steps.asks_nothing();
                    // What is not committed may be gone when the edges are looked for.
                    let goes_on =
                        match is_plain && !cx.view.shows_uncommitted() && !cx.counts_hops() {
                            true => self.piece(steps, cx),
                            false => self.edges(steps, clock, cx)?,
                        };
                    self.count(cx)?;
                    if !goes_on {
                        return Ok(Progress::Yield);
                    }
                }
                Stage::Telling => {
                    return Ok(match self.tell(steps, cx)? {
                        Some(found) => Progress::Found(found),
                        None => {
                            self.stage = Stage::Over;
                            Progress::End
                        }
                    });
                }
                Stage::Over => return Ok(Progress::End),
            }
        }
    }

    /// The level that is followed next.
    fn next_level(&self, steps: &Steps, cx: &Context<'_>) -> Stage {
        let depth = self.sides[0].depth + self.sides[1].depth;
        let is_empty = |side: &Side| side.level == side.reached.len();
        if depth >= steps.max || self.sides.iter().any(is_empty) {
            return Stage::Over;
        }
        let work = |side: usize| self.sides[side].work(side == 1, steps, cx);
        let side = usize::from(work(1) < work(0));
        Stage::Level {
            side,
            at: self.sides[side].level,
            end: self.sides[side].reached.len(),
            within: false,
        }
    }

    /// What follows when the ends have met.
    fn arrived(&mut self, steps: &Steps) -> Stage {
        self.sides
            .iter_mut()
            .for_each(|side| side.ties.sort_by_key(|(to, ..)| *to));
        let depth = self.sides[0].depth + self.sides[1].depth;
        match depth >= steps.min {
            true => Stage::Telling,
            false => Stage::Over,
        }
    }

    /// Looks at the neighbours of some vertices, where any edge of the types will do; false: the time slice is over.
    fn piece(&mut self, steps: &Steps, cx: &Context<'_>) -> bool {
        let Stage::Level {
            side: number,
            at,
            end,
            ..
        } = &mut self.stage
        else {
            return true;
        };
        let Some(types) = steps.types() else {
            return true;
        };
        let (one, two) = self.sides.split_at_mut(1);
        let (side, other) = match *number {
            0 => (&mut one[0], &two[0]),
            _ => (&mut two[0], &one[0]),
        };
        let first = *at;
        let upto = (first + PIECE).min(*end);
        let vertices: smallvec::SmallVec<[VertexId; PIECE]> =
            side.reached[first..upto].iter().copied().collect();
        let mut met = None;
        let mut edges = 0;
        let direction = steps.direction(*number == 1);
        cx.view.expand(&vertices, direction, types, |by, vertex| {
            edges += 1;
            if met.is_none() && side.seen.insert(vertex) {
                if other.seen.contains(vertex) {
                    met = Some((vertex, side.reached.len() as u32));
                }
                side.reached.push(vertex);
                side.parents.push((first + by) as u32);
                side.edges.push(None);
            }
        });
        side.followed.0 += vertices.len() as u64;
        side.followed.1 += edges;
        *at = upto;
        if let Some((vertex, place)) = met
            && let Some(place_there) = other.place(vertex)
        {
            self.met.push(match *number {
                0 => [place, place_there],
                _ => [place_there, place],
            });
            // No other way is asked for.
            *at = *end;
        }
        !cx.should_yield()
    }

    /// Follows the edges of a vertex, or what is left of them; false: the time slice is over.
    fn edges(
        &mut self,
        steps: &mut Steps,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let Stage::Level {
            side,
            mut at,
            end,
            within,
        } = self.stage
        else {
            return Ok(true);
        };
        let vertex = self.sides[side].reached[at];
        if !within {
            steps.go_to(vertex, side == 1, cx);
            self.sides[side].followed.0 += 1;
        }
        let mut goes_on = true;
        while let Some(incidence) = steps.edge() {
            if self.is_of_use(side, end, incidence.neighbour) && steps.fits(&incidence.edge, cx)? {
                // From the far end the edge leads to the vertex at hand, seen in the pattern's direction.
                let seen = match side {
                    0 => incidence,
                    _ => Incidence {
                        neighbour: vertex,
                        ..incidence
                    },
                };
                match steps.take(&seen, Cost::ZERO, None, cx)? {
                    Taken::Interrupted => {
                        goes_on = false;
                        break;
                    }
                    Taken::Refused => {}
                    Taken::For(_) => self.reach(side, at as u32, &incidence),
                }
            }
            self.sides[side].followed.1 += 1;
            steps.edge_done();
            if !self.met.is_empty() && !self.all {
                // No other way is asked for.
                at = end - 1;
                break;
            }
            if clock.ticks_out(cx) {
                goes_on = false;
                break;
            }
        }
        self.stage = Stage::Level {
            side,
            at: at + usize::from(goes_on),
            end,
            within: !goes_on,
        };
        Ok(goes_on && !clock.ticks_out(cx))
    }

    /// Whether a vertex is new, or is reached as near as before and all ways are wanted.
    fn is_of_use(&self, side: usize, end: usize, vertex: VertexId) -> bool {
        let side = &self.sides[side];
        !side.seen.contains(vertex)
            || (self.all
                && side
                    .places
                    .get(&vertex)
                    .is_some_and(|at| *at as usize >= end))
    }

    fn reach(&mut self, number: usize, by: u32, incidence: &Incidence) {
        let vertex = incidence.neighbour;
        let side = &mut self.sides[number];
        if side.seen.contains(vertex) {
            if let Some(place) = side.place(vertex) {
                side.ties.push((place, by, incidence.edge));
            }
            return;
        }
        let place = side.reached.len() as u32;
        side.add(vertex, by, Some(incidence.edge), self.all);
        let other = &self.sides[1 - number];
        if other.seen.contains(vertex)
            && let Some(place_there) = other.place(vertex)
        {
            self.met.push(match number {
                0 => [place, place_there],
                _ => [place_there, place],
            });
        }
    }

    /// The next way. Its edges are gathered from where the ends met: back to the first end, then on to the second.
    fn tell(&mut self, steps: &Steps, cx: &Context<'_>) -> Result<Option<Found>, Error> {
        loop {
            let Some((side, place, next)) = self.trace.stack.last().copied() else {
                let Some([place, _]) = self.met.get(self.trace.begun).copied() else {
                    return Ok(None);
                };
                self.trace.begun += 1;
                self.trace.stack.push((0, place, 0));
                continue;
            };
            if place == 0 && next == 0 {
                self.trace.leave(1);
                match side {
                    0 => {
                        let there = self.met[self.trace.begun - 1][1];
                        self.trace.stack.push((1, there, 0));
                        continue;
                    }
                    _ => {
                        let found = self.found();
                        return Ok(Some(found));
                    }
                }
            }
            let step = match place {
                0 => None,
                _ => self.sides[side].step(place, next),
            };
            let Some((edge, by)) = step else {
                self.trace.stack.pop();
                continue;
            };
            let edge = match edge {
                Some(edge) => edge,
                None => self.edge_between(side, place, by, steps, cx)?,
            };
            self.trace.leave(next + 1);
            let depth = self.trace.depth();
            self.trace.edges.truncate(depth);
            self.trace.edges.push(edge);
            self.trace.stack.push((side, by, 0));
        }
    }

    /// An edge from what something was reached by, of the types: which one does not matter.
    fn edge_between(
        &self,
        side: usize,
        place: u32,
        by: u32,
        steps: &Steps,
        cx: &Context<'_>,
    ) -> Result<Edge, Error> {
        let reached = &self.sides[side].reached;
        let (by, to) = (reached[by as usize], reached[place as usize]);
        let types = steps.types().map_or(&[][..], |types| types);
        let mut edges = cx
            .view
            .edges_between(by, to, steps.direction(side == 1), types);
        let found = edges.next().map(|incidence| incidence.edge);
        found.ok_or_else(|| Error::internal("an edge by which a vertex was reached has gone"))
    }

    fn found(&self) -> Found {
        let first = self
            .trace
            .stack
            .iter()
            .filter(|(side, place, _)| *side == 0 && *place != 0)
            .count();
        let edges = &self.trace.edges;
        let back = edges[..first].iter().rev();
        let found: Vec<Edge> = back.chain(&edges[first..]).copied().collect();
        Found {
            end: self.sides[1].reached[0],
            cost: Cost::Integer(found.len() as i64),
            edges: found,
        }
    }

    /// Counts what has been reached since.
    fn count(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let bytes: u64 = self.sides.iter().map(|side| side.bytes(self.all)).sum();
        let grown = bytes.saturating_sub(self.held);
        self.held += grown;
        cx.hold(grown)
    }
}

impl Trace {
    /// The place on top goes on with the edge of that number when it is come back to.
    fn leave(&mut self, next: usize) {
        if let Some(top) = self.stack.last_mut() {
            top.2 = next;
        }
    }

    /// Edges on the way to the place on top, from where the ends met: one for each place that is not an end.
    fn depth(&self) -> usize {
        let places = self.stack.iter().filter(|(_, place, _)| *place != 0);
        places.count() - 1
    }
}
