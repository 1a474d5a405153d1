//! What divides a plan over cores: the operator that puts parts together, and the scan at the end that hands out parts. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use std::rc::Rc;

use super::{Scan, Width};
use crate::expression::NameRef;

/// See [`Op::Gather`].
#[derive(Debug)]
pub struct Gather {
    /// Number within the plan.
    pub number: u32,
    /// What is put together.
    pub merging: Merging,
    /// The label of the scan at the end.
    pub label: Option<NameRef>,
    /// Cores that take part at most.
    pub cores: u16,
}

/// What of several cores is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Rows, in any order.
    Rows,
    /// The state of the operator below.
    Parts,
}

/// See [`Op::MorselScan`].
#[derive(Debug)]
pub struct MorselScan {
    /// What is scanned: its slot, label and conditions.
    pub scan: Rc<Scan>,
    /// Slots of its rows.
    pub width: Width,
}
