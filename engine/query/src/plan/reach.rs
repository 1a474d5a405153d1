//! Chains of expansions of which only the ends, or only their number, are wanted. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use quoit_graph::Direction;

use super::{Other, ScanFilter, Width};
use crate::expression::{Expr, NameRef, Slot};

/// See [`Op::Reach`].
#[derive(Debug)]
pub struct Reach {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// The expansions, one behind the other; edges of a trail through them all must differ.
    pub segments: Vec<Segment>,
    /// Labels that the last vertex must have.
    pub labels: Vec<NameRef>,
    /// What else it must be, asked of whole pages; not if it is bound.
    pub filter: Option<ScanFilter>,
    /// Edges of the trail must differ from these too.
    pub excluded: Vec<Other>,
    /// Nothing of the rows is wanted: the vertices are found once for all of them, and their rows have nothing else.
    pub shared: bool,
    /// Slots of the frame.
    pub width: Width,
}

/// An expansion of a chain.
#[derive(Debug)]
pub struct Segment {
    /// As it is followed.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// The slot of the vertex behind it.
    pub vertex: Slot,
    /// What that vertex must be, where the chain goes on from it; they read nothing else of the row.
    pub conditions: Vec<Expr>,
}

impl Segment {
    /// The same again.
    pub fn copy(&self) -> Segment {
        Segment {
            types: self.types.clone(),
            conditions: self.conditions.clone(),
            ..*self
        }
    }
}

impl Reach {
    /// Whether the length of the trail does not matter, so that each vertex is reached once and not once for each length.
    pub fn is_nearest(&self) -> bool {
        matches!(self.segments.as_slice(), [only] if only.min <= 1 && only.max > 1)
    }

    /// Whether trails of several lengths lead to an end.
    pub fn ends_vary(&self) -> bool {
        self.segments
            .last()
            .is_some_and(|last| last.min != last.max)
    }
}

/// See [`Op::TrailCount`].
#[derive(Debug)]
pub struct TrailCount {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the number, which is not nought.
    pub count: Slot,
    /// The edges of a trail; the last stands for all behind it too.
    pub steps: Vec<Step>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// Labels that the last vertex must have.
    pub labels: Vec<NameRef>,
    /// Edges of the trail must differ from these too.
    pub unique: Vec<Other>,
}

/// One edge of a chain.
#[derive(Debug)]
pub struct Step {
    /// As it is followed.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
}
