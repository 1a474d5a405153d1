//! What makes rows of rows: projection, grouping, sorting, subqueries, and rows from lists, files and procedures. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use std::rc::Rc;

use quoit_cypher::ast::OnError;
use quoit_cypher::functions::Function;

use super::Width;
use super::limits::MemoryBound;
use crate::expression::{Expr, Place, Slot};
use crate::procedure::Procedure;

/// See [`Op::Project`].
#[derive(Debug)]
pub struct Project {
    /// Values of slots 0, 1, 2 …
    pub items: Vec<Expr>,
    /// Slots of the new frame.
    pub width: Width,
}

/// See [`Op::Aggregate`]. New rows: the keys, then the results.
#[derive(Debug)]
pub struct Aggregate {
    /// Grouping keys.
    pub keys: Vec<Expr>,
    /// What is folded.
    pub calls: Vec<AggregateCall>,
    /// Slots of the new frame.
    pub width: Width,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// `None`: `count(*)`.
    pub function: Option<Function>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// What is folded, then further arguments.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::Sort`].
#[derive(Debug)]
pub struct Sort {
    /// Keys, and whether descending.
    pub keys: Vec<(Expr, bool)>,
    /// Only so many rows are wanted (the sum of these).
    pub top: Vec<Expr>,
}

/// See [`Op::Unwind`], [`Op::Foreach`].
#[derive(Debug)]
pub struct Unwind {
    /// Gets the element.
    pub slot: Slot,
    /// The list.
    pub list: Expr,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::Apply`].
#[derive(Debug)]
pub struct Apply {
    /// Values of the outer row, and the locals that hold them within.
    pub imports: Vec<(Expr, u32)>,
    /// Inner slots and the outer slots they go to; empty for a unit subquery.
    pub outputs: Vec<(Slot, Slot)>,
    /// The inner plan gives no rows: each outer row passes once.
    pub unit: bool,
    /// A row without inner rows passes with nulls.
    pub optional: bool,
}

/// See [`Op::Load`].
#[derive(Debug)]
pub struct Load {
    /// The file's name.
    pub source: Expr,
    /// The first record names the columns, and rows are maps; else they are lists.
    pub header: bool,
    /// Records that cannot be taken are left out.
    pub ignore_bad: bool,
    /// Empty fields are null, and fields may be missing.
    pub empty_is_null: bool,
    /// What stands between fields.
    pub delimiter: Option<Expr>,
    /// What stands around fields.
    pub quote: Option<Expr>,
    /// A field that means null.
    pub null_if: Option<Expr>,
    /// Gets the row.
    pub slot: Slot,
    /// Gets the line where the record begins.
    pub line: Slot,
    /// Gets the file's name.
    pub file: Slot,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::InTransactions`].
#[derive(Debug)]
pub struct InTransactions {
    /// Rows of a transaction; needs no row itself.
    pub rows: Option<Expr>,
    /// What a transaction's failure does.
    pub on_error: OnError,
    /// Gets the status of a row's transaction.
    pub status: Option<Slot>,
    /// What the inner plan binds; null where its transaction failed.
    pub outputs: Vec<Slot>,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::Procedure`].
#[derive(Debug)]
pub struct ProcedureCall {
    /// The procedure.
    pub procedure: Rc<Procedure>,
    /// One argument an input.
    pub args: Vec<Expr>,
    /// Output numbers and the slots they go to.
    pub outputs: Vec<(usize, Slot)>,
    /// A row without results passes with nulls.
    pub optional: bool,
    /// `PROCEDURE MEMORY`.
    pub memory_limit: Option<MemoryBound>,
    /// Where the name stands.
    pub place: Place,
}
