//! What is computed from the columns of pages: conditions on the properties of a vertex, aggregates of them.

use quoit_cypher::ast::{ComparisonOp, StringOp};
use quoit_cypher::functions::Function;

use super::Width;
use crate::expression::{Expr, NameRef, Place};

/// A condition on one vertex; its operands are the same for all vertices.
#[derive(Clone, Debug)]
pub enum ColumnFilter {
    /// `AND`.
    All(Vec<ColumnFilter>),
    /// `OR`.
    Any(Vec<ColumnFilter>),
    /// `NOT`.
    Not(Box<ColumnFilter>),
    /// It has a label.
    Label(NameRef),
    /// A test of a property.
    Property(NameRef, ColumnTest),
}

/// What a property must be.
#[derive(Clone, Debug)]
pub enum ColumnTest {
    /// A comparison with a value on its right.
    Compare(ComparisonOp, Expr),
    /// `IN` a list.
    In(Expr),
    /// `IS NULL`.
    IsNull,
    /// `STARTS WITH` and its kin, but for regular expressions.
    Text(StringOp, Expr),
}

/// Conditions on vertices that are looked at page by page: the same twice.
#[derive(Clone, Debug, Default)]
pub struct ScanFilter {
    /// For columns.
    pub conditions: Vec<ColumnFilter>,
    /// For rows, where an operand is not what columns can be compared with.
    pub predicates: Vec<Expr>,
}

/// See [`super::Op::ColumnAggregate`]. New rows: the keys, then the results.
#[derive(Debug)]
pub struct ColumnAggregate {
    /// `None`: all vertices.
    pub label: Option<NameRef>,
    /// Which of them.
    pub filter: Option<ColumnFilter>,
    /// Properties that are grouped by.
    pub keys: Vec<NameRef>,
    /// What is folded.
    pub calls: Vec<ColumnCall>,
    /// Slots of the new frame.
    pub width: Width,
}

/// One aggregate of a property.
#[derive(Debug)]
pub struct ColumnCall {
    /// Count, sum, average, least or greatest; `None`: the number of vertices.
    pub function: Option<Function>,
    /// `DISTINCT`, for a count.
    pub distinct: bool,
    /// The property.
    pub key: Option<NameRef>,
    /// Where it stands.
    pub place: Place,
}

impl ColumnCall {
    /// Whether it can take numbers only, as columns fold them.
    pub fn folds_numbers(&self) -> bool {
        !matches!(self.function, None | Some(Function::Count))
    }

    /// Whether what another call folds is all that this one needs.
    pub fn folds_as(&self, other: &ColumnCall) -> bool {
        let kind = |call: &ColumnCall| match call.function {
            None => 0,
            Some(Function::Count) if call.distinct => 1,
            Some(Function::Count) => 2,
            Some(_) => 3,
        };
        kind(self) == kind(other) && self.key == other.key
    }
}
