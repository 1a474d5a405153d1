//! Where rows begin: vertices and edges found by a scan, by a part of an index or by their number. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use quoit_graph::{Direction, Order};

use super::{Other, ScanFilter};
use crate::expression::{Expr, NameRef, Slot};

/// See [`Op::Scan`].
#[derive(Debug)]
pub struct Scan {
    /// Gets the vertex.
    pub slot: Slot,
    /// `None`: all vertices.
    pub label: Option<NameRef>,
    /// Which of them, asked of whole pages.
    pub filter: Option<ScanFilter>,
}

/// See [`Op::IndexScan`].
#[derive(Debug)]
pub struct IndexScan {
    /// Gets the vertex.
    pub slot: Slot,
    /// The index's label.
    pub label: NameRef,
    /// The index's keys.
    pub keys: Vec<NameRef>,
    /// What of it is read.
    pub range: RangePlan,
    /// It is a unique constraint, of whose keys all have values.
    pub is_unique: bool,
}

/// See [`Op::EdgeScan`].
#[derive(Debug)]
pub struct EdgeScan {
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the end before the arrow.
    pub from: Slot,
    /// Gets the end behind the arrow.
    pub to: Slot,
    /// Seen from `from`; both: each edge is given once in each direction.
    pub direction: Direction,
    /// The index's type.
    pub type_: NameRef,
    /// The index's keys; none: all edges of the type.
    pub keys: Vec<NameRef>,
    /// What of it is read, if it has keys.
    pub range: Option<RangePlan>,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}

/// A part of an index. Values that are null find nothing.
#[derive(Debug)]
pub struct RangePlan {
    /// What the first keys are.
    pub equal: Vec<KeyValue>,
    /// What the key behind them is.
    pub next: NextKeyPlan,
    /// In which direction it is read.
    pub order: Order,
}

impl RangePlan {
    /// All of an index.
    pub fn whole() -> RangePlan {
        RangePlan {
            equal: Vec::new(),
            next: NextKeyPlan::Any,
            order: Order::Ascending,
        }
    }
}

/// What a leading key of an index is.
#[derive(Debug)]
pub enum KeyValue {
    /// Equal to a value.
    Is(Expr),
    /// Equal to an element of a list.
    AnyOf(Expr),
}

/// What the key behind the leading ones is.
#[derive(Debug)]
pub enum NextKeyPlan {
    /// Anything.
    Any,
    /// Not null.
    Present,
    /// Between a lower and an upper bound, each with whether it is included.
    Between(Option<(Expr, bool)>, Option<(Expr, bool)>),
    /// Text with this prefix.
    StartsWith(Expr),
}

/// See [`Op::IdSeek`].
#[derive(Debug)]
pub struct IdSeek {
    /// Gets the vertex.
    pub slot: Slot,
    /// The number.
    pub id: Expr,
}
