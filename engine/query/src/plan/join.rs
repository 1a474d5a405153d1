//! Joins of rows that have nothing in common but values.

use crate::expression::{Expr, Slot};

/// See [`super::Op::HashJoin`]. Both inputs are of one frame and set different slots of it.
#[derive(Debug)]
pub struct HashJoin {
    /// Keys of the rows of the first input.
    pub left_keys: Vec<Expr>,
    /// Keys of the rows of the second, as many. A pair of rows is given if each key equals the other.
    pub right_keys: Vec<Expr>,
    /// The first input's rows are kept and the second's looked up; else the other way round.
    pub keeps_left: bool,
    /// Slots that a kept row sets in a row it is joined with.
    pub kept: Vec<Slot>,
}
