//! Work on the vertices of a scan page by page, as loops over the arrays of their properties (design D7).
//!
//! [`filter`] asks conditions, [`groups`] numbers the values of grouping keys, [`read`] reads a property of vertices that were found otherwise, [`folds`] keeps what aggregates need, [`aggregate`] is the
//! operator of the last two. Called by the operators' factory and by [`super::scan`]. What always holds: what comes out is what the
//! operators on rows give for the same vertices, but for the order of groups and the order in which floats are added up; where that
//! cannot be, rows are left to those. Pointers into storage live for a page.

pub mod aggregate;
pub mod filter;
mod folds;
mod groups;
pub mod read;

pub use aggregate::ColumnAggregate;

/// Slots of a page.
const SLOTS: usize = quoit_graph::ids::PAGE_SLOTS;
