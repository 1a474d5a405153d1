//! Walks of graph and path pattern at once: repeated parts of a path ([`repeat`]) and paths with a selector ([`select`]).
//!
//! Owned here: what both ask at each step ([`Walker`]) and how a path that was found becomes values of a row ([`keep`]). What always
//! holds: no relationship is used twice on a path, nor one that stands elsewhere in the pattern, unless the query said that it may.

mod repeat;
mod select;
mod tracing;

pub use repeat::Repeat;
pub use select::SelectPaths;

use quoit_cypher::error::Error;
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Value};
use quoit_graph::{Direction, Incidence};

use super::Context;
use super::expand::{Types, is_used, type_ids};
use crate::expression::Expr;
use crate::expression::evaluate::holds;
use crate::plan::Other;
use crate::plan::automaton::{Part, Segment};

/// One relationship of a path that was found.
#[derive(Clone, Copy, Debug)]
struct Taken {
    edge: Edge,
    /// The vertex it led to.
    to: VertexId,
    segment: usize,
    hop: usize,
}

/// What is asked at each step, for the row at work.
#[derive(Default)]
struct Walker {
    /// Types by segment and hop; none: types of which none exists.
    types: Vec<Vec<Option<Types>>>,
    /// The row, with its scratch slots.
    row: Vec<Value>,
}

impl Walker {
    /// Begins with a row.
    fn begin(&mut self, segments: &[Segment], row: &[Value], cx: &Context<'_>) {
        self.row.clear();
        self.row.extend_from_slice(row);
        let of_segment = |segment: &Segment| {
            let hops = segment.hops.iter();
            hops.map(|hop| type_ids(&hop.types, cx)).collect()
        };
        self.types = segments.iter().map(of_segment).collect();
    }

    /// Appends the edges that a hop may take from a vertex; `backwards`: from the vertex behind it.
    fn edges(
        &self,
        segments: &[Segment],
        (segment, hop): (usize, usize),
        vertex: VertexId,
        backwards: bool,
        cx: &Context<'_>,
        out: &mut Vec<Incidence>,
    ) {
        let direction = match (segments[segment].hops[hop].direction, backwards) {
            (Direction::Out, true) => Direction::In,
            (Direction::In, true) => Direction::Out,
            (direction, _) => direction,
        };
        if let Some(types) = &self.types[segment][hop] {
            cx.incidences(vertex, direction, types, out);
        }
    }

    /// Whether a vertex may stand at a position of a segment.
    fn fits(
        &mut self,
        segment: &Segment,
        position: usize,
        vertex: VertexId,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        let step = &segment.vertices[position];
        if step.conditions.is_empty() {
            return Ok(true);
        }
        self.row[step.slot as usize] = Value::Vertex(vertex);
        self.hold(&step.conditions, cx)
    }

    /// Whether a hop may take an edge between two vertices.
    fn may_take(
        &mut self,
        segment: &Segment,
        hop: usize,
        unique: &[Other],
        (from, edge, to): (VertexId, Edge, VertexId),
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        if is_used(edge.id, unique, &self.row) {
            return Ok(false);
        }
        let step = &segment.hops[hop];
        if step.conditions.is_empty() {
            return Ok(true);
        }
        self.set(segment, hop, from, edge, to);
        self.hold(&step.conditions, cx)
    }

    /// Puts a hop and its ends into their scratch slots.
    fn set(&mut self, segment: &Segment, hop: usize, from: VertexId, edge: Edge, to: VertexId) {
        self.row[segment.vertices[hop].slot as usize] = Value::Vertex(from);
        self.row[segment.hops[hop].slot as usize] = Value::Edge(edge);
        self.row[segment.vertices[hop + 1].slot as usize] = Value::Vertex(to);
    }

    fn hold(&self, conditions: &[Expr], cx: &mut Context<'_>) -> Result<bool, Error> {
        for condition in conditions {
            if !holds(condition, cx, &self.row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the checks whose `last` or `first` position `is_due` says are true; the scratch slots are those of the repetition.
    fn checks_hold(
        &self,
        segment: &Segment,
        is_due: impl Fn(&crate::plan::automaton::Check) -> bool,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        for check in segment.checks.iter().filter(|check| is_due(check)) {
            if !holds(&check.condition, cx, &self.row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Puts a path into a row: vertices and relationships, or lists of them where a segment is repeated.
fn keep(segments: &[Segment], root: VertexId, path: &[Taken], reversed: bool, row: &mut [Value]) {
    let vertex = |at: usize| match at {
        0 => root,
        at => path[at - 1].to,
    };
    let mut begin = 0;
    for (number, segment) in segments.iter().enumerate() {
        let behind = path[begin..].partition_point(|taken| taken.segment <= number) + begin;
        let list = |values: &mut dyn Iterator<Item = Value>| {
            let mut values: Vec<Value> = values.collect();
            if reversed {
                values.reverse();
            }
            Value::list(values)
        };
        let of_hop = |hop: usize| (begin..behind).filter(move |at| path[*at].hop == hop);
        for export in &segment.exports {
            row[export.slot as usize] = match export.part {
                Part::Edges => list(&mut (begin..behind).map(|at| Value::Edge(path[at].edge))),
                Part::Vertex(position) if !segment.is_repeated => {
                    Value::Vertex(vertex(begin + position))
                }
                Part::Edge(hop) if !segment.is_repeated => Value::Edge(path[begin + hop].edge),
                Part::Vertex(position) if position == segment.hops.len() => {
                    list(&mut of_hop(position - 1).map(|at| Value::Vertex(vertex(at + 1))))
                }
                Part::Vertex(position) => {
                    list(&mut of_hop(position).map(|at| Value::Vertex(vertex(at))))
                }
                Part::Edge(hop) => list(&mut of_hop(hop).map(|at| Value::Edge(path[at].edge))),
            };
        }
        begin = behind;
    }
}
