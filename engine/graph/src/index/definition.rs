//! What an index is of, and what is asked of it.
//!
//! Owned here: [`IndexDefinition`], [`Order`], [`KeyRange`] with its ends. Called by everyone who makes, shows, plans or reads an index.
//! Always holds: two definitions that differ in their order alone are of the same index, since an index is read in both directions.
//! Left to others: what a definition is called (`schema`), what a range finds (`read`).

use crate::delta::Keys;
use crate::ids::{KeyId, LabelId, TypeId};
use crate::value::Value;

/// A direction in the order of values (Cypher's `ORDER BY`: numbers behind strings, null last).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

impl Order {
    /// The other one.
    pub fn reversed(self) -> Order {
        match self {
            Order::Ascending => Order::Descending,
            Order::Descending => Order::Ascending,
        }
    }
}

/// What an index is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IndexDefinition {
    /// Vertices with a label. Pages are listed by label anyway, so this keeps nothing and costs nothing.
    Label(LabelId),
    /// Vertices with a label, by properties.
    LabelProperties {
        /// The label.
        label: LabelId,
        /// The properties in their order. A vertex that lacks the first is not in the index; one that lacks a later one stands there
        /// behind all values.
        keys: Keys,
        /// The order that a plan gets without asking for one.
        order: Order,
    },
    /// Edges of a type.
    EdgeType(TypeId),
    /// Edges of a type, by properties.
    EdgeTypeProperties {
        /// The type.
        type_: TypeId,
        /// As for vertices.
        keys: Keys,
        /// As for vertices.
        order: Order,
    },
}

impl IndexDefinition {
    /// The label of an index on vertices.
    pub fn label(&self) -> Option<LabelId> {
        match self {
            IndexDefinition::Label(label) | IndexDefinition::LabelProperties { label, .. } => {
                Some(*label)
            }
            _ => None,
        }
    }

    /// The type of an index on edges.
    pub fn edge_type(&self) -> Option<TypeId> {
        match self {
            IndexDefinition::EdgeType(type_)
            | IndexDefinition::EdgeTypeProperties { type_, .. } => Some(*type_),
            _ => None,
        }
    }

    /// Its properties in their order; none for an index on a label or a type alone.
    pub fn keys(&self) -> &[KeyId] {
        match self {
            IndexDefinition::LabelProperties { keys, .. }
            | IndexDefinition::EdgeTypeProperties { keys, .. } => keys,
            _ => &[],
        }
    }

    /// Its order.
    pub fn order(&self) -> Order {
        match self {
            IndexDefinition::LabelProperties { order, .. }
            | IndexDefinition::EdgeTypeProperties { order, .. } => *order,
            _ => Order::Ascending,
        }
    }

    /// The same in another order; an index on a label or a type alone has none.
    pub fn ordered(mut self, by: Order) -> IndexDefinition {
        match &mut self {
            IndexDefinition::LabelProperties { order, .. }
            | IndexDefinition::EdgeTypeProperties { order, .. } => *order = by,
            IndexDefinition::Label(_) | IndexDefinition::EdgeType(_) => {}
        }
        self
    }

    /// Whether both are of the same index: the same thing by the same properties, in whatever order.
    pub fn is_same(&self, other: &IndexDefinition) -> bool {
        self.label() == other.label()
            && self.edge_type() == other.edge_type()
            && self.keys() == other.keys()
    }
}

/// One end of a range.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'a> {
    /// No end on this side.
    Unbounded,
    /// The value itself is in the range.
    Included(&'a Value),
    /// The value itself is not in the range.
    Excluded(&'a Value),
}

/// What the key behind the equal ones has to be.
#[derive(Clone, Copy, Debug)]
pub enum NextKey<'a> {
    /// Anything, also missing (unless it is the first key: a vertex that lacks it is not in the index).
    Any,
    /// There: `IS NOT NULL`.
    Present,
    /// Between two values, in the sense of Cypher's `<`: only values that can be compared with both are found.
    Between(Bound<'a>, Bound<'a>),
    /// Text that starts so.
    StartsWith(&'a str),
}

/// A part of an index.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// What the first keys equal, in the sense of Cypher's `=`, so null and NaN find nothing. Up to all keys of the index.
    pub equal: &'a [Value],
    /// What the key behind them is. Of no account if there is none.
    pub next: NextKey<'a>,
    /// The order of what is found: by all keys behind the equal ones, then by id.
    pub order: Order,
}

impl KeyRange<'_> {
    /// All of an index.
    pub fn all(order: Order) -> KeyRange<'static> {
        KeyRange {
            equal: &[],
            next: NextKey::Any,
            order,
        }
    }
}
