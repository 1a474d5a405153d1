//! Histories of concurrent transactions, and what is wrong with them.
//!
//! Owned here: a workload whose reads show the order of writes ([`workload`]: transactions append unique elements to lists and
//! read whole lists), its record ([`history`]), and the checker ([`check`], with the search for cycles in [`cycles`]). Used by the
//! tests of `graph` (in process) and of `server` (over Bolt), which know how a list lies in a graph. [`model`] is a small engine
//! with known faults, against which the checker is tested itself. What always holds: the checker knows no engine, takes time
//! linear in the history but for sorting, and its verdict names the transactions.
//!
//! After Adya's phenomena, and Kingsbury and Alvaro's "Elle" (VLDB 2020), whose workload and inference of edges this is.

pub mod check;
mod cycles;
pub mod history;
pub mod model;
pub mod workload;
