//! Steps along edges of a bound vertex: one edge, a number of edges, or edges that were bound before. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use quoit_graph::Direction;

use super::StepExpr;
use crate::expression::{Expr, NameRef, Place, Slot};

/// Edges that a new edge of the same `MATCH` must differ from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Other {
    /// Where they are.
    pub slot: Slot,
    /// A list of edges.
    pub list: bool,
}

/// See [`Op::Expand`].
#[derive(Debug)]
pub struct Expand {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the other end, or must equal it if `into`.
    pub to: Slot,
    /// The other end is bound.
    pub into: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}

/// See [`Op::Intersect`].
///
/// [`Op::Intersect`]: super::Op::Intersect
#[derive(Debug)]
pub struct Intersect {
    /// Gets the vertex that both edges lead to.
    pub to: Slot,
    /// The two edges.
    pub sides: [IntersectSide; 2],
    /// Edges that both must differ from.
    pub unique: Vec<Other>,
    /// The two edges may be the same.
    pub repeatable: bool,
}

/// One of two edges to the same vertex.
#[derive(Debug)]
pub struct IntersectSide {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the edge.
    pub edge: Slot,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
}

/// Bounds of a length that are computed for each row; they stand for those that are known when the plan is made.
#[derive(Debug, Default)]
pub struct ComputedBounds {
    /// Fewest edges.
    pub min: Option<(Expr, Place)>,
    /// Most edges.
    pub max: Option<(Expr, Place)>,
}

impl ComputedBounds {
    /// What is computed.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.min.iter().chain(&self.max).map(|(expr, _)| expr)
    }

    /// Whether anything is.
    pub fn are_any(&self) -> bool {
        self.exprs().next().is_some()
    }
}

/// See [`Op::VarExpand`].
#[derive(Debug)]
pub struct VarExpand {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the list of edges.
    pub edges: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// Bounds in place of these two.
    pub computed: ComputedBounds,
    /// Properties each edge must have.
    pub properties: Vec<(NameRef, Expr)>,
    /// What each edge must be.
    pub filter: Option<StepExpr>,
    /// Edges of the trail must differ from these too.
    pub unique: Vec<Other>,
    /// The list is wanted from `to` to `from` (the pattern was walked backwards).
    pub reversed: bool,
    /// Whether anything reads the list of edges.
    pub wants_edges: bool,
}

/// See [`Op::BoundEdge`].
#[derive(Debug)]
pub struct BoundEdge {
    /// Holds an edge, or a list of edges if `list`.
    pub edge: Slot,
    /// A list.
    pub list: bool,
    /// The end before the arrow.
    pub from: Slot,
    /// `from` is bound.
    pub from_bound: bool,
    /// The end behind the arrow.
    pub to: Slot,
    /// `to` is bound.
    pub to_bound: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges of a list.
    pub min: u64,
    /// Most edges of a list.
    pub max: u64,
    /// Bounds in place of these two.
    pub computed: ComputedBounds,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}
