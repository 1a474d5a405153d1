//! Quoit's graph: values, shards, versions, adjacency, indexes, transactions, and the commit door.
//!
//! Owned here: the property graph in memory and what a transaction on it means. Knows no query text, no socket, no file and no
//! runtime: callers (`query`, `log`, `replication`, `server`) bring those. Suggested reading order is that of the modules.

pub mod ids;
pub mod value;

pub mod delta;
pub mod door;
pub mod names;
pub mod txn;
pub use txn::*;

mod memory;
mod sync;
