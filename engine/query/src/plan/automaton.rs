//! Path patterns as automata: segments one behind the other, each a chain of hops that is repeated within bounds.
//!
//! Made by [`crate::planner`] from parts of path patterns that are repeated and from paths with a selector, walked by
//! `operator::automaton`. What always holds: segments stand in the order of the walk, which is the pattern's or the other way round
//! (`reversed`); the vertex behind the last hop of a segment is the first vertex of the next; a segment without hops stands once and
//! says what the vertex between two others must be. Conditions are computed on the row with the scratch slots of their segment set.

use crate::expression::{Expr, NameRef, Slot};
use crate::plan::Other;
use quoit_graph::Direction;

/// A chain of hops that is repeated.
#[derive(Debug)]
pub struct Segment {
    /// What its vertices must be: one more than hops.
    pub vertices: Vec<VertexStep>,
    /// Its relationships in order.
    pub hops: Vec<EdgeStep>,
    /// Fewest repetitions.
    pub min: u64,
    /// Most repetitions.
    pub max: u64,
    /// Conditions on several parts of one repetition.
    pub checks: Vec<Check>,
    /// What of it a row keeps.
    pub exports: Vec<Export>,
    /// Its parts are kept as lists, one element a repetition; else it stands once.
    pub is_repeated: bool,
}

/// A vertex of a segment.
#[derive(Debug)]
pub struct VertexStep {
    /// Scratch slot that holds it while conditions are computed.
    pub slot: Slot,
    /// Conditions on it alone.
    pub conditions: Vec<Expr>,
}

/// A relationship of a segment.
#[derive(Debug)]
pub struct EdgeStep {
    /// Scratch slot that holds it while conditions are computed.
    pub slot: Slot,
    /// Seen from the vertex before it.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Conditions on it and the vertices at its ends.
    pub conditions: Vec<Expr>,
}

/// A condition on parts that lie further apart than the ends of a hop. Positions are 2n for vertex n of the segment and 2n + 1 for hop n.
#[derive(Debug)]
pub struct Check {
    /// The first position that it mentions.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// What must be true.
    pub condition: Expr,
}

/// What a row keeps of a segment.
#[derive(Debug)]
pub struct Export {
    /// What.
    pub part: Part,
    /// Where it goes.
    pub slot: Slot,
}

/// A part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The vertex of that number.
    Vertex(usize),
    /// The relationship of that number.
    Edge(usize),
    /// All relationships of all repetitions.
    Edges,
}

/// See [`super::Op::Repeat`].
#[derive(Debug)]
pub struct Repeat {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// What is repeated.
    pub segment: Segment,
    /// Relationships that the walk must not use.
    pub unique: Vec<Other>,
    /// A relationship may be used more than once.
    pub is_walk: bool,
    /// The pattern is walked from its end.
    pub reversed: bool,
}

/// See [`super::Op::SelectPaths`].
#[derive(Debug)]
pub struct SelectPaths {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// The whole pattern.
    pub segments: Vec<Segment>,
    /// How many paths to each last vertex.
    pub count: Expr,
    /// `count` is a number of lengths, each with all of its paths.
    pub groups: bool,
    /// Gets the path, if conditions mention it.
    pub paths: Vec<(Slot, Expr)>,
    /// Conditions on the whole path: others do not count.
    pub conditions: Vec<Expr>,
    /// Relationships that the path must not use.
    pub unique: Vec<Other>,
    /// A relationship may be used more than once.
    pub is_walk: bool,
    /// The pattern is walked from its end.
    pub reversed: bool,
}
