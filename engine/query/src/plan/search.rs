//! Shortest paths, and what is computed at each step of a walk. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use quoit_graph::Direction;

use super::{ComputedBounds, Other};
use crate::expression::{Expr, NameRef, Place, Slot};

/// See [`Op::Search`].
#[derive(Debug)]
pub struct Search {
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
    /// Edges of a path must differ from these too.
    pub unique: Vec<Other>,
    /// The list is wanted from `to` to `from` (the pattern was walked backwards).
    pub reversed: bool,
    /// Which paths.
    pub which: Which,
    /// What an edge must be.
    pub filter: Option<StepExpr>,
    /// What an edge costs; none: one.
    pub weight: Option<StepExpr>,
    /// Gets the cost of the path.
    pub total: Option<Slot>,
}

impl Search {
    /// Whether it goes from both ends to where they meet: both are bound, each edge counts one, and nothing asks for the way that leads to an edge.
    pub fn is_from_both_ends(&self) -> bool {
        let looks_back = |filter: &StepExpr| filter.path.is_some() || filter.weight.is_some();
        self.into
            && matches!(self.which, Which::Nearest { .. })
            && self.weight.is_none()
            && !self.filter.as_ref().is_some_and(looks_back)
    }
}

/// Which of the paths a search gives.
#[derive(Debug)]
pub enum Which {
    /// To each vertex the nearest.
    Nearest {
        /// All that are as near.
        all: bool,
    },
    /// Between two vertices, shortest first.
    Ranked {
        /// How many; none: all.
        count: Option<Expr>,
        /// `count` is a number of lengths.
        groups: bool,
        /// No vertex twice.
        simple: bool,
        /// Gets the path, for the conditions.
        path: Option<(Slot, Expr)>,
        /// What a path must be to be counted.
        conditions: Vec<Expr>,
    },
}

/// Something computed at each step of a search.
#[derive(Debug)]
pub struct StepExpr {
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the vertex that it leads to.
    pub vertex: Slot,
    /// Gets the path with the edge.
    pub path: Option<Slot>,
    /// Gets the cost: for a filter with the edge, for a weight without it.
    pub weight: Option<Slot>,
    /// What is computed.
    pub body: Expr,
    /// Where it stands.
    pub place: Place,
}
